"""Where bounces lie: a Maildir, an mbox file, an IMAP folder, or one message on standard input.

A message is taken out only after it was settled, and by moving it: to ``Processed``, or to ``Set-aside`` when it was
nothing that we know. Nothing is ever deleted, and a process that dies in between finds the message again.
"""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol

from content.errors import DatelineError

PROCESSED, ASIDE = "Processed", "Set-aside"
_LOCK_SECONDS = 30
_serial = count()


class MailboxError(DatelineError):
    """A mailbox that cannot be read or put in order, and why."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One message, and its name in its mailbox."""

    name: str
    content: bytes


class Mailbox(Protocol):
    """A place that messages are read from. Raises ``MailboxError``."""

    def messages(self) -> Iterator[Mail]:
        """The messages there are; one at a time is in memory."""

    def file(self, mail: Mail, *, aside: bool) -> None:
        """Moves a settled message out of the way."""

    def close(self) -> None:
        """Lets go of it. Never raises."""


class Maildir:
    """A Maildir; what was settled goes to ``.Processed`` and ``.Set-aside`` within it, as mail programs know subfolders."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def messages(self) -> Iterator[Mail]:
        for part in ("new", "cur"):
            try:
                names = sorted(path.name for path in (self.folder / part).iterdir() if not path.name.startswith("."))
            except OSError as error:
                raise MailboxError(f"{self.folder / part}: cannot be read ({error.strerror}); is it a Maildir?") from None
            for name in names:
                path = self.folder / part / name
                try:
                    yield Mail(f"{part}/{name}", path.read_bytes())
                except FileNotFoundError:
                    continue  # Another process had its turn with it.
                except OSError as error:
                    raise MailboxError(f"{path}: cannot be read ({error.strerror})") from None

    def file(self, mail: Mail, *, aside: bool) -> None:
        source, name = self.folder / mail.name, Path(mail.name).name.partition(":")[0]
        folder = self.folder / f".{ASIDE if aside else PROCESSED}"
        target = folder / "cur" / f"{name}:2,{'' if aside else 'S'}"
        try:
            _make_maildir(folder)
            (folder / "maildirfolder").touch()
            if target.exists():
                target = target.with_name(f"{_unique_name()}:2,")
            with suppress(FileNotFoundError):
                source.rename(target)
        except OSError as error:
            raise MailboxError(f"{source}: cannot be moved to {folder} ({error.strerror})") from None

    def close(self) -> None:
        """Nothing is kept open."""

    def deliver(self, content: bytes) -> Path:
        """Puts a message in, so that it is there after a power cut as well."""
        name = _unique_name()
        half, whole = self.folder / "tmp" / name, self.folder / "new" / name
        try:
            _make_maildir(self.folder)
            with half.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            half.rename(whole)
            directory = os.open(whole.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)
        except OSError as error:
            raise MailboxError(f"{whole}: cannot be written ({error.strerror})") from None
        return whole


class Mbox:
    """An mbox file (RFC 4155), only ever read: a mail system may be writing to it. Which messages were settled is known."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def messages(self) -> Iterator[Mail]:
        try:
            with self.path.open("rb") as file:
                # Mail is appended under a lock: what is there when we hold it is whole, and stays as it is.
                _lock(file.fileno(), self.path)
                size = os.fstat(file.fileno()).st_size
                fcntl.lockf(file, fcntl.LOCK_UN)
                yield from self._split(iter(file.readline, b""), size)
        except OSError as error:
            raise MailboxError(f"{self.path}: cannot be read ({error.strerror})") from None

    def _split(self, lines: Iterator[bytes], size: int) -> Iterator[Mail]:
        """Messages begin with ``From `` behind an empty line; such lines within them were quoted with ``>``."""
        message: list[bytes] = []
        read, started, blank = 0, False, True
        for line in lines:
            if read + len(line) > size:
                break  # Appended since.
            read += len(line)
            if blank and line.startswith(b"From "):
                if started:
                    yield Mail(f"byte {read}", b"".join(message))
                message, started = [], True
            elif started:
                message.append(line[1:] if line.lstrip(b">").startswith(b"From ") and line.startswith(b">") else line)
            elif line.strip():
                raise MailboxError(f"{self.path}: is not an mbox file: its first line does not begin with 'From '")
            blank = not line.strip()
        if started:
            yield Mail(f"byte {read}", b"".join(message))

    def file(self, mail: Mail, *, aside: bool) -> None:
        """It stays where it is."""

    def close(self) -> None:
        """Nothing is kept open."""


def _lock(descriptor: int, path: Path) -> None:
    """A lock that lets others read and keeps writers out, as mail systems take them (fcntl)."""
    until = time.monotonic() + _LOCK_SECONDS
    while True:
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            if time.monotonic() > until:
                raise MailboxError(f"{path}: another program has held its lock for {_LOCK_SECONDS} s; try again") from None
            time.sleep(0.1)
        else:
            return


def _make_maildir(folder: Path) -> None:
    for part in ("tmp", "new", "cur"):
        (folder / part).mkdir(parents=True, exist_ok=True)


def _unique_name() -> str:
    host = socket.gethostname().replace("/", "_").replace(":", "_")
    return f"{time.time():.6f}.P{os.getpid()}Q{next(_serial)}.{host}"
