"""Sending into a folder (Maildir): the embedded outbox that any mail program can open."""

from __future__ import annotations

import os
from collections.abc import Collection
from hashlib import blake2b
from pathlib import Path

from newsletter.syncing import sync
from newsletter.transport import Delivery, Message, Outcome, Queue, Reply, TransportError, pause, take_several

_TOGETHER = 50
"""Messages that are begun in one step."""


class MaildirTransport:
    """A :class:`newsletter.transport.Transport` into a Maildir folder, made when it is missing.

    A message's file is named after its Message-ID: sent again after a crash, it takes its own place.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, queue: Queue) -> None:
        while True:
            several = take_several(queue, _TOGETHER)
            if several:
                self._guarded(queue, several)
            elif (wait := queue.wait()) is None:
                return
            else:
                pause(queue, wait)

    def _guarded(self, queue: Queue, several: list[tuple[Delivery, Message]]) -> None:
        try:
            self._write(queue, several)
        except OSError as error:
            for delivery, _ in several:
                queue.give_back(delivery)
            raise TransportError(f"{error.filename or self.folder}: cannot be written ({error.strerror})") from None

    def close(self) -> None:
        """Nothing is kept open."""

    def _write(self, queue: Queue, several: list[tuple[Delivery, Message]]) -> None:
        for part in ("tmp", "new", "cur"):
            (self.folder / part).mkdir(parents=True, exist_ok=True)
        for _, message in several:
            with (self.folder / "tmp" / _name(message)).open("wb") as file:
                file.write(message.content.replace(b"\r\n", b"\n"))
                file.flush()
                os.fsync(file.fileno())
        allowed = queue.begin([delivery for delivery, _ in several])
        sync(queue.log)
        read = {path.name.partition(":")[0] for path in (self.folder / "cur").iterdir()}
        while several:
            delivery, message = several[0]
            if delivery.id in allowed:
                queue.settle(delivery, self._place(_name(message), read))
            else:
                (self.folder / "tmp" / _name(message)).unlink(missing_ok=True)
            # What was settled is not given back when a later one cannot be placed.
            del several[0]

    def _place(self, name: str, read: Collection[str]) -> Reply:
        half = self.folder / "tmp" / name
        if name in read:
            half.unlink(missing_ok=True)
            return Reply(Outcome.ACCEPTED, "was there already, and read")
        half.replace(self.folder / "new" / name)
        return Reply(Outcome.ACCEPTED, f"written to {self.folder.name}/new/{name}")


def _name(message: Message) -> str:
    return f"{blake2b(message.message_id.encode(), digest_size=16).hexdigest()}.dateline"
