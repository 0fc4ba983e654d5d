"""Which files are to be read, and which of those that were read before are gone: from a look at folders alone."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from content.errors import ConfigError, Problem, Severity
from content.files import Listing, Signature, article_files, signature_of, why_no_article
from content.keeping import OUTDATED, Keeper, Kept
from content.media import unpacked

RACY_NS = 2_000_000_000
"""A file changed this shortly before it was read may change again without a trace in its times; it is read anew."""

Known = dict[str, tuple[int, int, int]]


class PathError(ConfigError):
    """A path that is neither a file nor a folder, nor one that articles came from."""


@dataclass(slots=True)
class Looked:
    """A folder as it was found: how many files are there, of how many articles came before, and whose are gone."""

    folder: Path
    found: int
    known: int
    gone: list[Kept] = field(default_factory=list)


class Survey:
    """A look at files and folders. ``root`` is the site's folder; what lies in ``apart`` is the site's own and no article."""

    def __init__(self, archive: Keeper, fingerprint: str, root: Path, apart: Iterable[Path] = ()) -> None:
        self._archive = archive
        self._root = root
        self._apart = frozenset(str(path.resolve()) for path in apart)
        self._known = self._trusted(fingerprint)
        self.files: dict[Path, None] = {}
        """Those to be read, in order."""
        self.seen: set[str] = set()
        """The sources of all files that were asked for and are there."""
        self.folders: list[Looked] = []
        self.gone: dict[str, Kept] = {}
        """The articles whose files are gone, by id."""
        self.outdated = {source for source, (size, _, _) in self._known.items() if size == OUTDATED}
        """The sources that were read by other rules than today's."""
        self.listings: dict[str, list[Listing]] = {}
        self.problems: list[Problem] = []

    def look(self, paths: Sequence[Path]) -> None:
        """Looks at files and folders. Raises ``PathError``, before anything is changed, for a path that is nothing at all."""
        for path in paths:
            resolved = path.resolve()
            if not _is_text(source_of(self._root, resolved)) and not self._root.is_relative_to(resolved):
                self._refuse(path, "its path is not UTF-8: rename it")
            elif resolved.is_dir():
                self._look_into(resolved)
            elif resolved.is_file():
                self._look_at(path, resolved)
            elif gone := self._archive.from_source(source_of(self._root, resolved)):
                self.gone[gone.id] = gone
            elif self._below(resolved):
                self._note_gone(resolved, {})
            else:
                raise PathError(f"{path}: there is no such file or folder")
        # What was read by other rules is read again wherever it lies; only its reading may change, not what it says.
        for source in sorted(self.outdated - self.seen):
            path = self._root / source
            if path.is_file():
                self.files[path] = None

    def _trusted(self, fingerprint: str) -> Known:
        """The files that need not be read again if they have this size and these times."""
        known = self._archive.trusted(fingerprint, RACY_NS)
        for source, was in self.beside_each().items():
            if any(signature_of(path) != signature for path, signature in was.items()):
                known[source] = (-1, 0, 0)
        return known

    def beside_each(self) -> dict[str, dict[str, Signature]]:
        """The files that articles lead to, by the articles' sources, as they were when these were read."""
        return {source: unpacked(self._root / source, beside) for source, beside in self._archive.beside()}

    def _look_into(self, folder: Path) -> None:
        others: list[str] = []
        try:
            there = sorted(article_files(folder, self._apart, others))
        except OSError as error:
            # What cannot be seen is not gone.
            raise PathError(f"{error.filename}: cannot be read ({error.strerror}); nothing was changed") from None
        self.listings[str(folder)] = there
        prefix = self._prefix(folder)
        found: dict[str, None] = {}
        for name, signature in there:
            source = source_of(self._root, folder / name) if prefix is None else prefix + name
            if source not in self._known and not _is_text(source):
                self._refuse(folder / name, "its name is not UTF-8: rename it")
                continue
            found[source] = None
            if source not in self.seen and self._known.get(source) != signature:
                self.files[folder / name] = None
        self.seen |= found.keys()
        for name in others:
            kinds = "Markdown, HTML or plain text"
            self.problems.append(Problem(Severity.WARNING, folder / name, 0, f"is not read: save it as {kinds}"))
        self._note_gone(folder, found)

    def _look_at(self, path: Path, resolved: Path) -> None:
        if why := why_no_article(resolved):
            self._refuse(path, why)
            return
        source = source_of(self._root, resolved)
        stat = resolved.stat()
        if source not in self.seen and self._known.get(source) != (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns):
            self.files[resolved] = None
        self.seen.add(source)

    def _refuse(self, path: Path, message: str) -> None:
        self.problems.append(Problem(Severity.ERROR, path, 0, message))

    def _prefix(self, folder: Path) -> str | None:
        """What the sources in a folder begin with; ``None`` where the site's own folder lies within."""
        if folder == self._root:
            return ""
        return None if self._root.is_relative_to(folder) else f"{source_of(self._root, folder)}/"

    def _below(self, folder: Path) -> list[str]:
        """The sources known in a folder and below it."""
        prefix = self._prefix(folder)
        if prefix:
            return [source for source in self._known if source.startswith(prefix)]
        wider = f"{folder}/" if prefix is None else "\0"
        return [source for source in self._known if not source.startswith("/") or source.startswith(wider)]

    def _is_apart(self, source: str) -> bool:
        """Whether a file lies in one of the site's own folders, from which articles may have come before."""
        return any(str(folder) in self._apart for folder in (self._root / source).parents)

    def _note_gone(self, folder: Path, found: dict[str, None]) -> None:
        known = self._below(folder)
        looked = Looked(folder, len(found), len(known))
        for source in known:
            # What is there but is no article any more by its name is not gone.
            if source not in found and (self._is_apart(source) or not os.path.lexists(self._root / source)):
                kept = self._archive.from_source(source)
                if kept and kept.id not in self.gone:
                    self.gone[kept.id] = kept
                    looked.gone.append(kept)
        self.folders.append(looked)


def source_of(root: Path, path: Path) -> str:
    """How a file is remembered: by its path from the site's folder, or by its whole path when it lies elsewhere."""
    return str(path).removeprefix(os.path.join(root, ""))  # noqa: PTH118 (asked of every file there is)


def _is_text(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
