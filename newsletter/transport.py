"""What every way of sending has in common: a message, a reply, and the queue that it empties."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from content.errors import DatelineError
from newsletter.headers import HeaderError, ascii_domain


class TransportError(DatelineError):
    """Nothing can be sent just now: the server is away, refuses us, or cannot be trusted. What was not sent waits."""


class RefusedError(TransportError):
    """The server refuses us, not a recipient (a policy, RFC 3463 x.7.x): going on would make it worse."""


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


@dataclass(frozen=True, slots=True)
class Delivery:
    """One edition to one subscriber, as a sender holds it. ``attempts`` were made before this one."""

    id: int
    public_id: str
    email: str
    variant_id: int = 0
    attempts: int = 0

    @property
    def domain(self) -> str:
        """The domain that receives it, in small letters and its ASCII form."""
        return ascii_domain(self.email.rpartition("@")[2])


class Queue(Protocol):
    """What a transport takes deliveries from, and where it reports what became of them.

    A delivery that was taken is begun before the end of its message can reach a server, and then settled or lost; or it is
    given back.
    """

    def take(self) -> Delivery | None:
        """The next delivery that may go now; ``None`` when there is none at the moment."""

    def wait(self) -> float | None:
        """Seconds until :meth:`take` may have one again that had none; ``None`` when all was taken or sending shall stop."""

    def message(self, delivery: Delivery, *, smtputf8: bool = False) -> Message:
        """The message. Raises ``HeaderError`` when it cannot be addressed."""

    def begin(self, deliveries: Sequence[Delivery], ahead: Sequence[Delivery] = ()) -> Collection[int]:
        """Records that these go on the wire now, and everything settled before. Returns the ids of those that may.

        The others' subscribers have left: they must not be sent and are settled already. Those that go next may be named
        ``ahead``. No server may be able to take a message before :attr:`log` was synced after it was named.
        """

    @property
    def log(self) -> Path | None:
        """The file that holds the records; once it is synced they outlive a power cut. ``None`` if nothing is to be kept."""

    def settle(self, delivery: Delivery, reply: Reply) -> None:
        """Reports what the server said."""

    def lose(self, delivery: Delivery, words: str) -> None:
        """Reports that nobody knows whether a message that was begun has arrived."""

    def give_back(self, delivery: Delivery, *, blamed: bool = False, words: str = "") -> None:
        """Puts back what surely was not sent, begun or not; it is tried again soon, or later where it is ``blamed`` often.

        ``words`` are what the server said when it closed at this recipient, if it did.
        """

    @property
    def has_sent(self) -> bool:
        """Whether anybody was ever served of all these."""

    def is_stopped(self) -> bool:
        """Whether nothing new shall be sent."""


def take_several(queue: Queue, number: int) -> list[tuple[Delivery, Message]]:
    """Up to so many deliveries that may go now, with their messages; what cannot be addressed is settled."""
    taken: list[tuple[Delivery, Message]] = []
    for _ in range(number):
        if (delivery := queue.take()) is None:
            break
        try:
            taken.append((delivery, queue.message(delivery)))
        except HeaderError as error:
            queue.settle(delivery, Reply(Outcome.REFUSED, str(error)))
    return taken


def pause(queue: Queue, seconds: float) -> None:
    """Waits, unless sending shall stop."""
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0 and not queue.is_stopped():
        time.sleep(min(left, 0.2))


class Transport(Protocol):
    """A way of sending. It connects when first needed."""

    def run(self, queue: Queue) -> None:
        """Sends until nothing more can be taken, and finishes what is on the wire.

        Raises ``TransportError`` when it cannot go on; everything taken was reported or given back by then.
        """

    def close(self) -> None:
        """Takes leave of the server. Never raises."""


class Single:
    """A queue of one message that is recorded nowhere: a test, sent to an editor."""

    def __init__(self, message: Callable[[bool], Message]) -> None:
        self._message = message
        self._waiting = True
        self.reply = Reply(Outcome.DEFERRED, "was not sent")

    def take(self) -> Delivery | None:
        self._waiting, waiting = False, self._waiting
        return Delivery(0, "", "") if waiting else None

    def wait(self) -> float | None:
        return 0.0 if self._waiting else None

    def message(self, delivery: Delivery, *, smtputf8: bool = False) -> Message:
        return self._message(smtputf8)

    def begin(self, deliveries: Sequence[Delivery], ahead: Sequence[Delivery] = ()) -> Collection[int]:
        return {delivery.id for delivery in deliveries}

    @property
    def log(self) -> Path | None:
        return None

    def settle(self, delivery: Delivery, reply: Reply) -> None:
        self.reply = reply

    def lose(self, delivery: Delivery, words: str) -> None:
        self.reply = Reply(Outcome.DEFERRED, f"nobody knows whether it arrived: {words}")

    def give_back(self, delivery: Delivery, *, blamed: bool = False, words: str = "") -> None:
        self._waiting = not blamed
        self.reply = Reply(Outcome.DEFERRED, words or self.reply.text)

    @property
    def has_sent(self) -> bool:
        return False

    def is_stopped(self) -> bool:
        return False
