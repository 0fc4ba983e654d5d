"""Reading many files, in whichever process it is done."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

from content.article import Article
from content.documents import from_document, to_document
from content.keeping import Origin
from content.reading import Reader, Reading
from content.survey import source_of

Hook = Callable[[list[Article]], None]
"""Told of the articles that were read, perhaps in another process, so that work on them can begin there."""


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read, and what it was like when that was done."""

    reading: Reading
    origin: Origin

    def __reduce__(self) -> tuple[object, ...]:
        # Between processes the article travels as it is kept, which takes a fraction of the time.
        said, origin = self.reading, self.origin
        document = None if said.article is None else to_document(said.article)
        rest = (
            said.problems, said.digest, said.dated, said.revised, said.other_slug, said.slug_line, said.beside,
            said.regions_named,
        )  # fmt: skip
        return _received, (str(said.path), document, rest, astuple(origin))


def _received(path: str, document: bytes | None, rest: tuple[Any, ...], origin: tuple[Any, ...]) -> Read:
    article = None if document is None else from_document(document)
    return Read(Reading(Path(path), article, *rest), Origin(*origin))


@dataclass(frozen=True, slots=True)
class ReadFiles:
    """Reads files, in whichever process it is called."""

    reader: Reader
    root: Path
    hook: Hook | None

    def __call__(self, files: Sequence[Path]) -> list[Read]:
        done = [self._read(file) for file in files]
        if self.hook:
            self.hook([one.reading.article for one in done if one.reading.article])
        return done

    def _read(self, file: Path) -> Read:
        read_ns = time.time_ns()
        try:
            stat = file.stat()
            signature = stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
        except OSError:
            signature, read_ns = (0, 0, 0), 0
        reading = self.reader.read(file)
        if reading.article and reading.article.media:
            # By their paths from the site's folder, as the article itself.
            media = tuple(replace(one, path=source_of(self.root, Path(one.path))) for one in reading.article.media)
            reading = replace(reading, article=replace(reading.article, media=media))
        origin = Origin(
            source_of(self.root, file), reading.digest, self.reader.fingerprint, *signature, read_ns, reading.beside
        )  # fmt: skip
        return Read(reading, origin)
