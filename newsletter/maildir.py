"""Sending into a folder (Maildir): the embedded outbox that any mail program can open."""

from __future__ import annotations

import os
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

from newsletter.transport import Message, Outcome, Reply, TransportError, nothing


class MaildirTransport:
    """A :class:`newsletter.transport.Transport` into a Maildir folder, made when it is missing.

    A message's file is named after its Message-ID: sent again after a crash, it takes its own place.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made = False

    def send(self, message: Message, before_the_end: Callable[[], None] = nothing) -> Reply:
        name = f"{blake2b(message.message_id.encode(), digest_size=16).hexdigest()}.dateline"
        try:
            if not self._made:
                for part in ("tmp", "new", "cur"):
                    (self.folder / part).mkdir(parents=True, exist_ok=True)
                self._made = True
            if any((self.folder / "cur").glob(f"{name}:*")):
                return Reply(Outcome.ACCEPTED, "was there already, and read")
            half = self.folder / "tmp" / name
            with half.open("wb") as file:
                file.write(message.content.replace(b"\r\n", b"\n"))
                file.flush()
                os.fsync(file.fileno())
            before_the_end()
            half.replace(self.folder / "new" / name)
        except OSError as error:
            raise TransportError(f"{error.filename or self.folder}: cannot be written ({error.strerror})") from None
        return Reply(Outcome.ACCEPTED, f"written to {self.folder.name}/new/{name}")

    def close(self) -> None:
        """Nothing is kept open."""
