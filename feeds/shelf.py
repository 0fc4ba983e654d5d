"""The public folder: files come there whole, in one step, and only when they differ from what lies there."""

from __future__ import annotations

import fcntl
import gzip
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path, PurePosixPath

from content.errors import DatelineError


class PublishError(DatelineError):
    """The folder that readers fetch from cannot be written."""


@dataclass(slots=True)
class Outcome:
    """What a publish did. Paths are relative to the public folder."""

    feeds: int = 0
    articles: int = 0
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Placed:
    """A file as it lies in the public folder: its bytes, and its time of change in nanoseconds since 1970."""

    path: str
    size: int
    mtime_ns: int


def _gzip(content: bytes) -> bytes:
    # Without a time, so that equal content gives equal bytes.
    return gzip.compress(content, compresslevel=6, mtime=0)


def _brotli(content: bytes) -> bytes:
    import brotli

    packed: bytes = brotli.compress(content, quality=6)
    return packed


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {"gzip": (".gz", _gzip), "br": (".br", _brotli)}
"""Content codings (RFC 9110 8.4.1), the ends of their files' names, and how they are made."""

TEXTUAL = (".xml", ".json", ".html", ".css", ".opml")
"""What is worth compressing."""


class Shelf:
    """The public folder. With ``dry_run`` it only says what it would do."""

    def __init__(self, folder: Path, *, codings: Sequence[str] = (), dry_run: bool = False) -> None:
        self.folder = folder
        self.codings = codings
        self.dry_run = dry_run
        self.outcome = Outcome()
        self._is_open = False
        self._aside = folder / ".dateline-half"

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Keeps a second publisher waiting, and clears away what a killed one left. May be opened within itself."""
        if self.dry_run or self._is_open:
            yield
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                self._is_open = True
                shutil.rmtree(self._aside, ignore_errors=True)
                yield
                shutil.rmtree(self._aside, ignore_errors=True)
            finally:
                self._is_open = False
                os.close(lock)
        except OSError as error:
            raise PublishError(f"{error.filename or self.folder}: cannot be written ({error.strerror})") from error

    def start_over(self) -> None:
        """Begins the outcome anew, for a second attempt at the same publish; what was written and removed stays so."""
        done = Outcome() if self.dry_run else self.outcome
        self.outcome = Outcome(written=done.written, removed=done.removed)

    def holds(self, placed: Placed) -> bool:
        """Whether a file is still as it was placed."""
        try:
            stat = os.stat(f"{self.folder}/{placed.path}")  # noqa: PTH116 (asked of every file there is)
        except OSError:
            return False
        return stat.st_size == placed.size and stat.st_mtime_ns == placed.mtime_ns

    def put(self, documents: Mapping[str, bytes]) -> list[Placed]:
        """Writes files, each whole or not at all, unless they hold these bytes already."""
        new = {path: content for path, content in documents.items() if not self._has(path, content)}
        self.outcome.unchanged += len(documents) - len(new)
        self.outcome.written += new
        if self.dry_run:
            return [Placed(path, len(content), 0) for path, content in documents.items()]
        # Compression lets go of the interpreter, so that several documents use several processors.
        for path, variants in zip(new, self._compressed(new), strict=True):
            # None that belongs to another document is ever there; a run that is killed in between finds that some are missing.
            self._remove_variants(path)
            self._write(path, new[path])
            for end, packed in variants:
                self._write(path + end, packed)
        return [self._placed(path) for path in documents]

    def copy(self, path: str, source: Path, is_right: Callable[[Path], bool]) -> Placed | None:
        """Copies a file if its copy ``is_right``; ``None`` when it is not or there is nothing to copy."""
        if self.dry_run:
            self.outcome.written.append(path)
            return None
        half = self._half()
        try:
            shutil.copyfile(source, half)
        except OSError as error:
            if error.filename == str(source):
                return None
            raise
        if not is_right(half):
            return None
        self._into_place(half, self._target(path))
        self.outcome.written.append(path)
        return self._placed(path)

    def remove(self, path: str) -> None:
        """Removes a file with its compressed forms, and its folder when nothing else is in it."""
        target = self._target(path)
        if not self.dry_run:
            self._remove_variants(path)
        if not target.is_file():
            return
        self.outcome.removed.append(path)
        if not self.dry_run:
            target.unlink()
            for folder in (target.parent, target.parent.parent):
                with suppress(OSError):
                    if folder != self.folder:
                        folder.rmdir()

    def folders(self, path: str) -> set[str]:
        """The names of the folders in a folder."""
        try:
            with os.scandir(self._target(path)) as entries:
                return {entry.name for entry in entries}
        except FileNotFoundError:
            return set()

    def close(self) -> None:
        if "_pool" in self.__dict__:
            self._pool.shutdown()

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor()

    def _used(self, path: str) -> list[tuple[str, Callable[[bytes], bytes]]]:
        return [CODINGS[coding] for coding in self.codings] if path.endswith(TEXTUAL) else []

    def _compressed(self, documents: Mapping[str, bytes]) -> Iterator[list[tuple[str, bytes]]]:
        def compress(path: str) -> list[tuple[str, bytes]]:
            return [(end, pack(documents[path])) for end, pack in self._used(path)]

        if self.codings and len(documents) > 1:
            return self._pool.map(compress, documents)
        return map(compress, documents)

    def _has(self, path: str, content: bytes) -> bool:
        target = self._target(path)
        try:
            if target.stat().st_size != len(content) or target.read_bytes() != content:
                return False
        except OSError:
            return False
        ends = [end for end, _ in self._used(path)]
        if not all(self._target(path + end).exists() for end in ends):
            return False
        if not self.dry_run:
            self._remove_variants(path, wanted=ends)
        return True

    def _remove_variants(self, path: str, wanted: Sequence[str] = ()) -> None:
        """Removes compressed forms that are not wanted (any more): they would go on being served."""
        for end, _ in CODINGS.values():
            if end not in wanted:
                self._target(path + end).unlink(missing_ok=True)

    def _write(self, path: str, content: bytes) -> None:
        half = self._half()
        half.write_bytes(content)
        self._into_place(half, self._target(path))

    def _placed(self, path: str) -> Placed:
        stat = self._target(path).stat()
        return Placed(path, stat.st_size, stat.st_mtime_ns)

    def _half(self) -> Path:
        # On the same file system as its place, so that moving it there is one step.
        self._aside.mkdir(exist_ok=True)
        return self._aside / "half"

    @staticmethod
    def _into_place(half: Path, target: Path) -> None:
        try:
            half.replace(target)
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            half.replace(target)

    def _target(self, path: str) -> Path:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts:
            raise PublishError(f"{path!r} lies outside of the public folder")
        return self.folder / pure
