"""The deliveries of one edition, as a transport takes them: claimed in batches, paced, recorded in groups."""

from __future__ import annotations

import random
import sqlite3
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import TypeVar

from sqlalchemy.exc import OperationalError

from content.database import reading, writing
from content.errors import DatelineError
from newsletter.claims import Claims, Settlement
from newsletter.editions import Press
from newsletter.ledger import DeliveryState, Edition, EditionState, Ledger
from newsletter.message import Letter
from newsletter.pacing import is_throttling, shared
from newsletter.transport import Delivery, Message, Outcome, Reply
from newsletter.waiting_room import WaitingRoom

BATCH = 500
"""Deliveries that are claimed at once, at the most."""
_SHARE = 20
"""And at the most this part of an edition, so that senders who come later find work as well."""
BEAT_SECONDS = 1.0
"""How often the ledger hears from us, and we whether the edition is paused."""
_LETTERS = 32
"""Variants that are kept ready."""
_PATIENT_SECONDS = 20.0
"""What waits longer than this for its domain's pace is left to a later sending."""
_CLOSINGS = 3
"""Connections closed at recipients of one domain, with nothing accepted between them, that count as its asking for less."""
_STOP_SECONDS = 10.0
"""How long the ledger is waited for when the sending is to stop."""
_LAST_TRY_SECONDS = 2.0
_MISHAPS = 2
"""How often a delivery may come back unsent before it is put off for minutes."""

Clock = Callable[[], datetime]
T = TypeVar("T")


class LedgerError(DatelineError):
    """The ledger could not be written for so long that the sending stopped."""


class LedgerQueue:
    """A :class:`newsletter.transport.Queue` of what is due of an edition.

    ``say`` hears when the database or the disk keeps us waiting; ``sent`` counts what was accepted.
    """

    def __init__(
        self,
        press: Press,
        edition: Edition,
        clock: Clock,
        stop: threading.Event,
        say: Callable[[str], None],
        progress: Callable[[int], None],
    ) -> None:
        ours = press.newsletter
        self.press, self.edition, self.clock = press, edition, clock
        self.claims = Claims(press.engine, edition, resend=ours.resends)
        self.sent = self.doubtful = 0
        self.state = EditionState.SENDING
        self._stop, self._say, self._progress = stop, say, progress
        self._patience = ours.patience_seconds
        self._return_paths = press.return_paths
        self._refused: list[tuple[str, str]] = []
        # Of the whole process: what a domain asked of one edition holds for the next.
        self._pacer = shared(str(press.engine.url), tuple(sorted(ours.domain_rates.items())), ours.domain_rate_per_second)
        self._batch = max(_SHARE, min(BATCH, edition.recipients // _SHARE))
        self._room = WaitingRoom(self._pacer)
        self._blocked: frozenset[str] = frozenset()
        self._closings: Counter[str] = Counter()
        self._is_locked_out = False
        self._stop_seen = 0.0
        self._letters: OrderedDict[int, Letter] = OrderedDict()
        self._ready: deque[Delivery] = deque()
        self._mishaps: dict[int, int] = {}
        self._begun: set[int] = set()
        self._settled: list[Settlement] = []
        self._exhausted = False
        self._beat_at = self._counted_at = time.monotonic()
        self._counted = 0
        self._rate = 0.0

    # What a transport asks

    def take(self) -> Delivery | None:
        now = time.monotonic()
        if now >= self._beat_at:
            self._beat(now)
        if self.is_stopped():
            return None
        delivery = self._room.next(now)
        while delivery is None:
            if self.is_stopped() or not (self._ready or self._claim()):
                return None
            candidate = self._ready.popleft()
            if self._room.admit(candidate, now):
                delivery = candidate
        self._pacer.go(delivery.domain, now)
        return delivery

    def wait(self) -> float | None:
        if self.is_stopped():
            return None
        if self._ready or not (self._exhausted or self._is_blocked()):
            return 0.0
        now = time.monotonic()
        if self._room and self._room.wait(now) > _PATIENT_SECONDS:
            # Their deliveries stay in the ledger, for a later sending.
            resting = ", ".join(self._room.clear(_PATIENT_SECONDS, now))
            self._say(f"{resting} asked for fewer messages; the rest of theirs goes out later")
        return self._room.wait(now) if self._room else None

    @property
    def has_sent(self) -> bool:
        return self.sent > 0 or self._patiently(self.claims.has_sent)

    def message(self, delivery: Delivery, *, smtputf8: bool = False) -> Message:
        letter = self._letters.get(delivery.variant_id) or self._letter(delivery.variant_id)
        back = self._return_paths.address(delivery.public_id, self.edition.id) if self._return_paths else ""
        recipient = self.press.recipient(delivery.public_id, delivery.email, delivery.variant_id, back)
        return letter.address(recipient, self.clock(), smtputf8=smtputf8)

    def begin(self, deliveries: Sequence[Delivery], ahead: Sequence[Delivery] = ()) -> Collection[int]:
        if self._refused:
            # First of all: done twice it counts once, and a crash in between must not make it forgotten.
            self._patiently(self._report)
        settled = self._settled
        allowed = self._patiently(lambda: self.claims.record(settled, deliveries, ahead, self.clock()))
        self._settled = []
        self._begun |= allowed
        return allowed

    @property
    def log(self) -> Path | None:
        return self.claims.log

    def settle(self, delivery: Delivery, reply: Reply) -> None:
        now = time.monotonic()
        attempts = delivery.attempts + 1
        next_attempt = None
        match reply.outcome:
            case Outcome.ACCEPTED:
                state = DeliveryState.SENT
                self.sent += 1
                self._pacer.accepted(delivery.domain, now)
                self._closings.pop(delivery.domain, None)
                self._progress(1)
            case Outcome.DEFERRED:
                next_attempt = self._next_attempt(delivery.attempts)
                state = DeliveryState.DEFERRED if next_attempt else DeliveryState.FAILED
                if is_throttling(reply.text):
                    self._pacer.throttled(delivery.domain, now)
            case Outcome.REFUSED:
                state = DeliveryState.FAILED
                self._refused.append((delivery.email, reply.text))
        self._finish(Settlement(delivery, state, attempts, reply.text, next_attempt))

    def lose(self, delivery: Delivery, words: str) -> None:
        self._finish(Settlement(delivery, DeliveryState.IN_DOUBT, delivery.attempts + 1, words, doubted=True))
        # With `resend` it is in the queue again.
        self._exhausted = False

    def give_back(self, delivery: Delivery, *, blamed: bool = False, words: str = "") -> None:
        mishaps = self._mishaps[delivery.id] = self._mishaps.get(delivery.id, 0) + blamed
        if words:
            self._closings[delivery.domain] += 1
        if self._closings[delivery.domain] >= _CLOSINGS:
            # It is the domain that wants no more, not the server that closes now and then.
            self._pacer.throttled(delivery.domain, time.monotonic())
        if mishaps > _MISHAPS:
            said = words or "the connection broke each time before the message was written"
            self.settle(delivery, Reply(Outcome.DEFERRED, said))
        elif delivery.id in self._begun:
            self._finish(Settlement(delivery, DeliveryState.PENDING, delivery.attempts))
            self._exhausted = False
        elif blamed:
            self._ready.append(delivery)
        else:
            self._ready.appendleft(delivery)

    def is_stopped(self) -> bool:
        return self._stop.is_set() or self.state is not EditionState.SENDING

    # The beginning and the end

    def enter(self) -> None:
        """Takes part in the sending of the edition."""
        self.doubtful = self._patiently(lambda: self.claims.enter(self.clock()))

    def leave(self) -> bool:
        """Records all that is known and gives back the rest; says whether the edition is wholly sent."""
        try:
            self.begin(())
            return self._patiently(lambda: self.claims.leave(self.sent, self.clock()))
        finally:
            self.claims.close()

    # What is behind it

    def _is_blocked(self) -> bool:
        """Whether all that could be fetched belongs to domains of which enough is waiting here."""
        return bool(self._blocked) and self._room.full >= self._blocked

    def _claim(self) -> bool:
        """Fetches more. Says whether there is any."""
        if self._exhausted or self._is_blocked():
            return False
        self.begin(())
        full = self._room.full
        claimed = self._patiently(lambda: self.claims.claim(self.clock(), self._batch, full))
        if not claimed and not full:
            # Another sender may have died meanwhile.
            self.doubtful += self._patiently(lambda: self.claims.recover(self.clock()))
            claimed = self._patiently(lambda: self.claims.claim(self.clock(), self._batch))
        self._ready.extend(claimed)
        self._blocked = full if not claimed else frozenset()
        self._exhausted = not claimed and not full
        return bool(claimed)

    def _report(self) -> None:
        """Tells those who mind bounces whom a server would not take mail for."""
        bounces = self.press.bounces
        with writing(self.press.engine) as connection:
            for email, words in self._refused:
                if words[:1] == "5":
                    bounces.refused(connection, email, self.edition.id, words, self.clock())
        self._refused.clear()

    def _finish(self, settlement: Settlement) -> None:
        self._begun.discard(settlement.delivery.id)
        self._settled.append(settlement)
        if settlement.state is not DeliveryState.PENDING:
            self._mishaps.pop(settlement.delivery.id, None)

    def _letter(self, variant_id: int) -> Letter:
        with reading(self.press.engine) as connection:
            rendering = Ledger(connection).rendering(self.edition, variant_id)
        letter = self._letters[variant_id] = self.press.letter(rendering, self.edition.local_date)
        if len(self._letters) > _LETTERS:
            self._letters.popitem(last=False)
        return letter

    def _next_attempt(self, attempts: int) -> datetime | None:
        waits = self.press.newsletter.retry_minutes
        if attempts >= len(waits):
            return None
        # A little later by lot, so that what was deferred together does not come back together.
        return self.clock() + timedelta(minutes=waits[attempts] * random.uniform(1.0, 1.2))  # noqa: S311 (no secret)

    def _beat(self, now: float) -> None:
        passed, self._counted_at = max(now - self._counted_at, 0.001), now
        self._rate += (((self.sent - self._counted) / passed) - self._rate) * (0.3 if self._rate else 1.0)
        self._counted = self.sent
        # Whatever is known by now is recorded, also where nothing new begins for a while.
        self.begin(())
        self.state = self._patiently(lambda: self.claims.beat(self.clock(), self.sent, self._rate))
        self._beat_at = time.monotonic() + BEAT_SECONDS

    def _patiently(self, work: Callable[[], T]) -> T:
        """Does ``work`` on the ledger; waits, and says so, while the disk is full or somebody else has the database.

        Raises ``LedgerError`` when that takes longer than the settings allow.
        """
        started = time.monotonic()
        said = False
        while True:
            try:
                done = work()
            except (OperationalError, sqlite3.OperationalError) as error:
                words = " ".join(str(getattr(error, "orig", error)).split())
                waited = time.monotonic() - started
                if not _may_pass(words) or waited > self._patience_left():
                    self._is_locked_out = True
                    taken = sum(one.state is DeliveryState.SENT for one in self._settled)
                    twice = f" ({taken} that were taken could not be noted and may come twice)" if taken else ""
                    raise LedgerError(
                        f"the ledger cannot be written ({words}), for {waited:.0f} s now; nothing is lost{twice}: "
                        "free the disk or the database, then send again"
                    ) from None
                if not said:
                    self._say(f"the ledger cannot be written just now ({words}); waiting")
                    said = True
                time.sleep(min(1.0, 0.05 + waited / 10))
            else:
                if said:
                    self._say("the ledger can be written again; going on")
                return done

    def _patience_left(self) -> float:
        """How long to wait for the ledger: shorter once we are to stop, and no second time when it was in vain."""
        if self._is_locked_out:
            return min(self._patience, _LAST_TRY_SECONDS)
        if not self._stop.is_set():
            return self._patience
        self._stop_seen = self._stop_seen or time.monotonic()
        return min(self._patience, max(0.0, self._stop_seen + _STOP_SECONDS - time.monotonic()))


def _may_pass(words: str) -> bool:
    return any(sign in words for sign in ("locked", "busy", "full", "disk I/O"))
