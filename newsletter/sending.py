"""Empties the ledger into a transport, one message at a time, so that a kill at any moment loses nobody."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from content.database import reading, writing
from content.settings import SiteSettings
from newsletter import holder
from newsletter.editions import Press
from newsletter.headers import HeaderError
from newsletter.ledger import Claimed, DeliveryState, Edition, Ledger
from newsletter.maildir import MaildirTransport
from newsletter.message import Letter, Recipient
from newsletter.settings import NewsletterSettings
from newsletter.smtp import SmtpTransport
from newsletter.transport import LostReplyError, Message, Outcome, Reply, Transport, TransportAddress

BATCH = 200
"""Deliveries that are claimed at once."""

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Account:
    """Where an edition stands after a sending: the balance sheet of its recipients.

    ``doubtful`` counts the messages that a dead sender left on the wire and that were settled in this run.
    """

    edition: Edition
    balance: dict[DeliveryState, int]
    sent_now: int
    doubtful: int
    finished: bool
    next_attempt: datetime | None
    troubles: list[tuple[str, DeliveryState, str]]

    def count(self, state: DeliveryState) -> int:
        return self.balance.get(state, 0)

    def count_unserved(self) -> int:
        """Recipients that the edition did not reach, as far as is known."""
        return self.count(DeliveryState.FAILED) + self.count(DeliveryState.IN_DOUBT)


def open_transport(root: Path, site: SiteSettings, settings: NewsletterSettings) -> Transport:
    """The transport that the settings name. Nothing is connected yet."""
    address = TransportAddress.parse(settings.transport)
    if address.scheme == "maildir":
        return MaildirTransport(root / address.folder)
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else ""
    return SmtpTransport(
        address, hello=site.host, user=settings.smtp_user or "", password=password,
        timeout=settings.timeout_seconds, ca_file=root / settings.ca_file if settings.ca_file else None,
    )  # fmt: skip


class Sending:
    """The sending of one edition by this process.

    ``stop`` may be set from a signal handler: the message on the wire is finished and the rest given back.
    """

    def __init__(self, press: Press, transport: Transport, clock: Clock, stop: threading.Event | None = None) -> None:
        self.press = press
        self.transport = transport
        self.clock = clock
        self.stop = stop or threading.Event()
        self.me = holder.my_name()
        self._resend = press.newsletter.in_doubt == "resend"
        self._letters: dict[int, Letter] = {}
        self._batch: list[Claimed] = []
        self._current: Claimed | None = None
        self._is_written = False
        self._unsettled: tuple[Claimed, Reply] | None = None

    @property
    def _engine(self) -> Engine:
        return self.press.engine

    def run(self, edition: Edition, progress: Callable[[int], None] | None = None) -> Account:
        """Sends all that is due of an edition. ``progress`` hears of each message sent.

        Raises ``TransportError`` when the server is away or refuses us; what was not sent stays in the ledger.
        """
        with holder.at_work(self.me):
            return self._run(edition, progress)

    def _run(self, edition: Edition, progress: Callable[[int], None] | None) -> Account:
        with writing(self._engine) as connection:
            ledger = Ledger(connection)
            doubtful = ledger.recover(edition, self.clock(), resend=self._resend)
            self._letters = {
                variant: self.press.letter(rendering, edition.local_date)
                for variant, rendering in ledger.renderings(edition).items()
            }
        sent = 0
        try:
            while not self.stop.is_set() and self._claim(edition):
                for claimed in self._batch:
                    if not self.stop.is_set() and self._send(claimed, progress):
                        sent += 1
                self._flush()
        except BaseException:
            self._leave()
            raise
        finally:
            self.transport.close()
        with writing(self._engine) as connection:
            finished = Ledger(connection).finish(edition, self.clock())
        return self._account(edition, sent, doubtful, finished)

    def _claim(self, edition: Edition) -> list[Claimed]:
        with writing(self._engine) as connection:
            self._batch = Ledger(connection).claim(edition, self.me, self.clock(), BATCH)
        return self._batch

    def _send(self, claimed: Claimed, progress: Callable[[int], None] | None) -> bool:
        """Sends one message; says whether the server took it."""
        self._current, self._is_written = claimed, False
        if not self._start(claimed):
            self._current = None
            return False
        try:
            reply = self.transport.send(self._message(claimed), lambda: self._ended(claimed))
        except HeaderError as error:
            reply = Reply(Outcome.REFUSED, str(error))
        except LostReplyError as error:
            with writing(self._engine) as connection:
                Ledger(connection).doubt(claimed, str(error), self.clock(), resend=self._resend)
            self._current = None
            return False
        # Recorded together with the start of the next message: one durable commit a message.
        self._unsettled, self._current = (claimed, reply), None
        if progress and reply.outcome is Outcome.ACCEPTED:
            progress(1)
        return reply.outcome is Outcome.ACCEPTED

    def _start(self, claimed: Claimed) -> bool:
        with writing(self._engine) as connection:
            ledger = Ledger(connection)
            self._settle(ledger)
            started = ledger.start(claimed, self.me, self.clock())
        self._unsettled = None
        return started

    def _ended(self, claimed: Claimed) -> None:
        with writing(self._engine) as connection:
            Ledger(connection).ended(claimed)
        self._is_written = True

    def _flush(self) -> None:
        with writing(self._engine) as connection:
            ledger = Ledger(connection)
            self._settle(ledger)
            ledger.release(self._batch, self.me)
        self._unsettled = None

    def _leave(self) -> None:
        """Records what is known when the sending breaks off, and gives back the rest.

        Where that fails as well, the next sending finds what this one holds, and that it is at work no more.
        """
        with suppress(SQLAlchemyError):
            with writing(self._engine) as connection:
                ledger = Ledger(connection)
                self._settle(ledger)
                if self._current and self._is_written:
                    words = "the sending broke off while the message was on the wire"
                    ledger.doubt(self._current, words, self.clock(), resend=self._resend)
                elif self._current:
                    ledger.hand_back(self._current, self.clock())
                ledger.release(self._batch, self.me)
            self._unsettled = self._current = None

    def _settle(self, ledger: Ledger) -> None:
        if self._unsettled:
            claimed, reply = self._unsettled
            ledger.settle(claimed, reply, self.clock(), self._next_attempt(claimed, reply))

    def _next_attempt(self, claimed: Claimed, reply: Reply) -> datetime | None:
        waits = self.press.newsletter.retry_minutes
        if reply.outcome is not Outcome.DEFERRED or claimed.attempts >= len(waits):
            return None
        # A little later by lot, so that what was deferred together does not come back together.
        spread = random.uniform(1.0, 1.2)  # noqa: S311 (no secret)
        return self.clock() + timedelta(minutes=waits[claimed.attempts] * spread)

    def _message(self, claimed: Claimed) -> Message:
        link = self.press.unsubscribe_url(claimed.public_id)
        return self._letters[claimed.variant_id].address(Recipient(claimed.public_id, claimed.email, link), self.clock())

    def _account(self, edition: Edition, sent: int, doubtful: int, finished: bool) -> Account:
        with reading(self._engine) as connection:
            ledger = Ledger(connection)
            return Account(
                edition,
                ledger.balance(edition),
                sent,
                doubtful,
                finished,
                ledger.next_attempt(edition),
                ledger.troubles(edition),
            )
