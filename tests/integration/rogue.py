"""An SMTP server that misbehaves on request, and keeps a record of what it accepted that outlives everything.

A test gives it a ``plan``: a function that is asked at every moment of a conversation what to do. ``None`` is what a
decent server does; a string is a reply (several lines make a multi-line one); an :class:`Act` is anything else.
What is accepted is written to a file before the client hears of it, so what a killed sender may have been told is
known. Whatever a client does that no server has offered or that SMTP forbids is noted in ``sins``.
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import threading
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from acts import Act, Moment, Plan, Scene
from conversation import Conversation

EXTENSIONS = ("PIPELINING", "SIZE 10240000", "8BITMIME", "ENHANCEDSTATUSCODES")


@dataclass(frozen=True, slots=True)
class Accepted:
    """A message that the server took responsibility for."""

    recipient: str
    message_id: str


class Rogue:
    """The server. ``log`` is the file of what it accepted; ``extensions`` what it offers after EHLO."""

    def __init__(
        self,
        log: Path,
        plan: Plan = lambda scene: None,
        *,
        extensions: tuple[str, ...] = EXTENSIONS,
        tls: ssl.SSLContext | None = None,
        tls_at_once: bool = False,
    ) -> None:
        self.plan = plan
        self.extensions = extensions
        self.tls, self.tls_at_once = tls, tls_at_once
        self.sins: list[str] = []
        self.connections = 0
        self.commands: Counter[str] = Counter()
        self.changed = threading.Condition()
        self.taken = 0
        self._log = log
        self._log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._seen: Counter[tuple[Moment, str]] = Counter()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self._stopped = False

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    @property
    def address(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._welcome, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._stopped = True
        self._listener.close()
        os.close(self._log_fd)

    def accepted(self) -> list[Accepted]:
        """Everything accepted so far, in order, as it stands in the file."""
        return [Accepted(*line.split("\t")) for line in self._log.read_text().splitlines()]

    def copies(self) -> Counter[str]:
        """How many messages each recipient got."""
        return Counter(one.recipient for one in self.accepted())

    def wait_for(self, messages: int, seconds: float) -> bool:
        """Waits until so many messages were accepted altogether; says whether they were."""
        with self.changed:
            return self.changed.wait_for(lambda: self.taken >= messages, seconds)

    def _welcome(self) -> None:
        while not self._stopped:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            conversation = Conversation(self, connection, self.connections)
            threading.Thread(target=conversation.hold, daemon=True).start()

    def decide(self, scene: Scene) -> str | Act | None:
        return self.plan(scene)

    def count(self, moment: Moment, recipient: str) -> int:
        """How often this recipient has come to this moment, now included."""
        with self.changed:
            self._seen[moment, recipient] += 1
            return self._seen[moment, recipient]

    def keep(self, recipient: str, content: bytes) -> None:
        """Writes down what is accepted. Done before the client is told."""
        found = re.search(rb"(?mi)^Message-ID: *(\S+)", content)
        line = f"{recipient}\t{found[1].decode() if found else ''}\n"
        with self.changed:
            os.write(self._log_fd, line.encode())
            self.taken += 1
            self.changed.notify_all()
