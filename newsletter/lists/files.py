"""Which lines does a list of members have, whatever wrote it: a file in any usual encoding, or several in a zip?"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from newsletter.subscribers import SubscriberError

LONGEST_LINE = 1 << 20
"""Characters of a line that are read; a longer one is no list of members, and must not fill the memory."""
_HEAD = 65536
_SUFFIXES = {".csv", ".tsv", ".txt"}


@dataclass(frozen=True, slots=True)
class ListFile:
    """A file with a table of members; ``member`` is its name where it lies in a zip."""

    path: Path
    member: str = ""

    @property
    def name(self) -> str:
        """Its own name, fit to be shown and kept."""
        name = PurePosixPath(self.member).name or self.path.name
        return "".join(sign if sign.isprintable() else "?" for sign in name)

    def __str__(self) -> str:
        return f"{self.path}/{self.name}" if self.member else str(self.path)

    def lines(self) -> Iterator[str]:
        """The lines with their ends. Raises ``SubscriberError`` when the file cannot be read."""
        with self._opened() as file:
            head = file.read(_HEAD)
        with self._opened() as file:
            yield from _lines(file, head)

    def count_lines(self) -> int:
        """About how many lines there are; for a progress bar."""
        with self._opened() as file:
            return sum(part.count(b"\n") or part.count(b"\r") for part in iter(lambda: file.read(_HEAD), b""))

    @contextmanager
    def _opened(self) -> Iterator[BinaryIO]:
        try:
            if not self.member:
                with self.path.open("rb") as file:
                    yield file
                return
            with zipfile.ZipFile(self.path) as archive, archive.open(self.member) as packed:
                yield cast(BinaryIO, io.BufferedReader(cast(io.RawIOBase, packed), _HEAD))
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zlib.error) as error:
            raise SubscriberError(f"{self}: cannot be unpacked ({error}): unpack it yourself and name the file") from None
        except OSError as error:
            raise SubscriberError(f"{self}: cannot be read ({error.strerror or error})") from None


def list_files(path: Path) -> list[ListFile]:
    """The tables at a path: the file itself, or those in a zip as Mailchimp and Substack make them."""
    try:
        is_zip = zipfile.is_zipfile(path)
    except OSError as error:
        raise SubscriberError(f"{path}: cannot be read ({error.strerror})") from None
    if not is_zip:
        return [ListFile(path)]
    with zipfile.ZipFile(path) as archive:
        names = [info.filename for info in archive.infolist() if not info.is_dir()]
    if "[Content_Types].xml" in names or "mimetype" in names:
        raise SubscriberError(f"{path}: is a spreadsheet: save it as CSV and import that")
    tables = [name for name in names if PurePosixPath(name).suffix.lower() in _SUFFIXES and "__MACOSX" not in name]
    # Substack packs its members' list together with tables of who opened which post.
    chosen = [name for name in tables if PurePosixPath(name).name.startswith("email_list")] or tables
    if not chosen:
        raise SubscriberError(f"{path}: there is no .csv, .tsv or .txt file in this zip")
    return [ListFile(path, name) for name in sorted(chosen)]


def _lines(file: BinaryIO, head: bytes) -> Iterator[str]:
    if encoding := _wide(head):
        text = io.TextIOWrapper(file, encoding, errors="replace", newline="")
        yield from _bounded(text)
        return
    if head.startswith(b"\xef\xbb\xbf"):
        file.read(3)
    if b"\r" in head and b"\n" not in head:
        # The line ends of old Macs; the detour by Latin-1 keeps every byte.
        text = io.TextIOWrapper(file, "latin-1", newline=None)
        yield from (_decoded(line.encode("latin-1")) for line in _bounded(text))
    else:
        while line := file.readline(LONGEST_LINE):
            yield _decoded(line)
            while len(line) == LONGEST_LINE and not line.endswith(b"\n"):
                line = file.readline(LONGEST_LINE)


def _bounded(text: io.TextIOWrapper) -> Iterator[str]:
    while line := text.readline(LONGEST_LINE):
        yield line
        while len(line) == LONGEST_LINE and not line.endswith(("\n", "\r")):
            line = text.readline(LONGEST_LINE)


def _wide(head: bytes) -> str:
    """The encoding of a file with two or four bytes a letter; empty for all others."""
    for mark, encoding in (
        (b"\xff\xfe\0\0", "utf-32"),
        (b"\0\0\xfe\xff", "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if head.startswith(mark):
            return encoding
    # Without a mark: addresses are ASCII, so every second byte is zero.
    if head[1::2].count(0) > len(head) // 4:
        return "utf-16-le"
    return "utf-16-be" if head[::2].count(0) > len(head) // 4 else ""


def _decoded(line: bytes) -> str:
    """Line by line, so that one byte of Windows-1252 does not spoil the names of domains elsewhere in the file."""
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode("cp1252", "replace")
