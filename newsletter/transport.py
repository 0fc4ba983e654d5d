"""What every way of sending has in common: an address, a message, a reply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from urllib.parse import unquote, urlsplit

from content.errors import DatelineError


class TransportError(DatelineError):
    """Nothing can be sent just now, and nothing was: the server is away, refuses us, or cannot be trusted."""


class LostReplyError(DatelineError):
    """The connection broke after a message was written and before the server answered: it is in doubt."""


class Outcome(StrEnum):
    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    """Not now (a 4xx reply): to be tried again later, nothing held against the address."""
    REFUSED = "refused"
    """Never (a 5xx reply about the recipient or the message)."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What became of one message, with the server's words."""

    outcome: Outcome
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message on its way: envelope addresses (RFC 5321) and the bytes as they go over the wire after DATA.

    Joined, the pieces are lines that end in CR LF, with dots stuffed (4.5.2), without the lone dot that ends a message.
    An address that is not ASCII needs a server with SMTPUTF8 and that word in MAIL (RFC 6531).
    """

    sender: str
    recipient: str
    message_id: str
    pieces: tuple[bytes, ...]

    @property
    def content(self) -> bytes:
        """The message itself, for everything that is not SMTP's DATA: without the dots that were stuffed in."""
        return b"".join(self.pieces).replace(b"\r\n..", b"\r\n.")


def nothing() -> None:
    """For those who need not know when a message ends."""


class Transport(Protocol):
    """A way of sending. It connects when first needed."""

    def send(self, message: Message, before_the_end: Callable[[], None] = nothing) -> Reply:
        """Sends one message. Raises ``TransportError`` when it was surely not sent, ``LostReplyError`` when unsure.

        ``before_the_end`` is called when all but the end is written; until then no server takes the message.
        """

    def close(self) -> None:
        """Takes leave of the server. Never raises."""


@dataclass(frozen=True, slots=True)
class TransportAddress:
    """Where messages go: ``smtp://host:25``, ``smtp+starttls://host:587``, ``smtps://host:465``, ``maildir:folder``."""

    scheme: str
    host: str = ""
    port: int = 0
    folder: str = ""
    user: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def parse(cls, url: str) -> TransportAddress:
        """Reads a transport's URL. Raises ``ValueError`` with what is expected; never repeats a password."""
        scheme, colon, rest = url.partition(":")
        if colon and scheme == "maildir" and rest.strip("/"):
            return cls("maildir", folder=rest)
        if scheme not in _PORTS:
            raise ValueError("must be smtp://, smtp+starttls:// or smtps://HOST[:PORT], or maildir:FOLDER")
        try:
            parts = urlsplit(url)
            port = parts.port or _PORTS[scheme]
        except ValueError:
            raise ValueError(f"the port after {scheme}:// must be a number up to 65535") from None
        if not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
            raise ValueError(f"must have the form {scheme}://HOST[:PORT]")
        return cls(scheme, parts.hostname, port, "", unquote(parts.username or ""), unquote(parts.password or ""))

    def __str__(self) -> str:
        return f"maildir:{self.folder}" if self.folder else f"{self.scheme}://{self.host}:{self.port}"


_PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
