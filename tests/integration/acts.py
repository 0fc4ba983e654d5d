"""What an SMTP server can do at each moment of a conversation, decent or not: the words in which tests write their plans."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Moment(StrEnum):
    GREETING = "greeting"
    EHLO = "EHLO"
    STARTTLS = "STARTTLS"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    BODY = "body"
    """The message is about to be read: only dropping makes sense."""
    END = "end"
    """The final dot was read."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a conversation stands: the command's line, whom it is about, and how often all that was so before.

    ``message`` counts the messages of this connection from 1; ``attempt`` how often this recipient came to this
    moment, over all connections, from 1.
    """

    moment: Moment
    connection: int
    message: int
    line: str = ""
    recipient: str = ""
    attempt: int = 1


@dataclass(frozen=True, slots=True)
class Act:
    """Something that a decent server would not do.

    It waits ``wait`` seconds, says ``reply`` (a reply's text) or sends ``raw`` bytes as they are, cut into ``pieces``
    packets with ``pause`` seconds between them. Then it breaks the connection with ``drop``, or closes it politely with
    ``close``. ``accept`` keeps the message although the client is not told.
    """

    reply: str = ""
    raw: bytes = b""
    wait: float = 0
    pieces: int = 1
    pause: float = 0
    drop: bool = False
    accept: bool = False
    close: bool = False


DROP = Act(drop=True)
LOSE_THE_REPLY = Act(drop=True, accept=True)

Plan = Callable[[Scene], str | Act | None]


def answering_after(seconds: float) -> Plan:
    """A server that thinks so long before it says that it has a message."""
    return lambda scene: Act(wait=seconds) if scene.moment is Moment.END else None
