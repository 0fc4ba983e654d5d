"""Sends each digest when it is due. APScheduler wakes us; a row in the database, one a local date, decides."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import OperationalError

from content.database import reading, writing
from content.errors import DatelineError
from newsletter.claims import end_cancelled
from newsletter.cron import LocalCron
from newsletter.editions import Press, make
from newsletter.ledger import Edition, Ledger
from newsletter.queue import Clock
from newsletter.sending import Account, Sending
from newsletter.transport import Transport

SWEEP_SECONDS = 30
"""How often unfinished editions are looked after: deferred messages, and what a dead sender left behind."""

log = logging.getLogger("dateline.schedule")


def trigger_of(press: Press) -> LocalCron:
    """When a digest is due."""
    return LocalCron(press.digest.cron, press.zone)


@dataclass(frozen=True, slots=True)
class Due:
    """One digest as the schedule has it. ``missed`` is a date that is due and not made.

    ``asks`` says that it is so late that somebody has to decide.
    """

    digest: str
    next_time: datetime | None
    missed: date | None
    last: Edition | None
    asks: bool = False


_LOOK_BACK = timedelta(days=32)
"""How far back a date may lie that is sent late at all: no cron line of practice comes round less often than monthly."""


_AHEAD = timedelta(days=1)
"""How far ahead of now an edition's date may lie: more, and it was made while the clock was wrong."""


def _horizon(press: Press, now: datetime) -> date:
    return press.local_date(now + _AHEAD)


@dataclass(frozen=True, slots=True)
class _Owed:
    moment: datetime
    is_late: bool


def _owed(press: Press, ledger: Ledger, now: datetime) -> _Owed | None:
    """The newest moment at which the digest was due and of whose date there is no edition, nor one of a later date.

    One that is later than ``late_hours`` counts where the digest's policy is not to skip it, but for a digest that has had no
    edition yet: nobody waits for its first. An edition of a day that is far ahead counts for that day only.
    """
    digest = press.digest
    window = max(timedelta(hours=digest.late_hours), timedelta(minutes=1))
    last = ledger.last(digest.name, _horizon(press, now))
    looks_back = digest.late != "skip" and last is not None
    moment = trigger_of(press).last_due(now, max(window, _LOOK_BACK) if looks_back else window)
    if moment is None or (last and last.local_date >= moment.date()) or ledger.is_made(digest.name, moment.date()):
        return None
    return _Owed(moment, now - moment > window)


def outlook(press: Press, now: datetime) -> Due:
    """What the schedule would do with a digest."""
    trigger, name = trigger_of(press), press.digest.name
    coming = trigger.get_next_fire_time(None, now)
    with reading(press.engine) as connection:
        ledger = Ledger(connection)
        last = ledger.last(name)
        owed = _owed(press, ledger, now)
        # A date has one edition, at whatever time it was sent.
        while coming and ledger.is_made(name, coming.date()):
            coming = trigger.get_next_fire_time(coming, coming)
    asks = owed is not None and owed.is_late and press.digest.late == "ask"
    return Due(name, coming, owed.moment.date() if owed else None, last, asks)


class Schedule:
    """Runs the digests of a site until it is told to stop.

    ``open_transport`` gives a fresh transport for each sending; ``clock`` says what time it is. ``beside`` is other work,
    done about twice a minute.
    """

    def __init__(
        self,
        presses: Sequence[Press],
        open_transport: Callable[[], Transport],
        clock: Clock,
        beside: Sequence[Callable[[], None]] = (),
    ) -> None:
        self._presses = presses
        self._open_transport = open_transport
        self._clock = clock
        self._beside = beside
        self._stop = threading.Event()
        # One edition of a digest at a time in this process, so that a slow one holds up no other digest; the ledger keeps
        # other processes apart.
        self._turns = {press.digest.name: threading.Lock() for press in presses}
        self._said: dict[str, str] = {}
        # A digest may be sending while its next date comes; the work beside has threads of its own.
        threads = 2 * len(presses) + 2 * len(beside) + 1
        self._scheduler = BackgroundScheduler(timezone="UTC", executors={"default": ThreadPoolExecutor(threads)})

    def start(self) -> None:
        """Catches up with what is due and waits for what comes."""
        # However late a wake-up comes and however many were missed: one run, and the window decides.
        options = {"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
        for press in self._presses:
            name, look = press.digest.name, {"func": self._look_after, "args": [press]} | options
            self._scheduler.add_job(self.run_due, trigger_of(press), args=[press], id=name, **options)
            self._scheduler.add_job(**look, trigger="interval", seconds=SWEEP_SECONDS, id=f"{name}-catch-up")
            self._scheduler.add_job(**look, id=f"{name}-catch-up-at-first")
        for number, work in enumerate(self._beside):
            self._scheduler.add_job(work, "interval", seconds=SWEEP_SECONDS, id=f"beside-{number}", **options)
            # And once at the start.
            self._scheduler.add_job(work, id=f"beside-{number}-at-first", **options)
        self._scheduler.start()

    def stop(self) -> None:
        """Finishes the message on the wire, gives back the rest, and returns when all is quiet."""
        self._stop.set()
        self._scheduler.shutdown(wait=True)

    def catch_up(self) -> None:
        """Takes up unfinished editions, then those that are late but within their window, and those that failed to be made.

        A digest that is being made or sent just now is passed over.
        """
        for press in self._presses:
            self._look_after(press)

    def _look_after(self, press: Press) -> None:
        turn = self._turns[press.digest.name]
        if turn.acquire(blocking=False):
            try:
                self._do(press, self._end_cancelled, self._go_on, self._make_due)
            finally:
                turn.release()

    def run_due(self, press: Press) -> None:
        """Makes and sends the edition that is due, if it is due and there is none. Errors are logged, not raised."""
        with self._turns[press.digest.name]:
            self._do(press, self._make_due)

    def _make_due(self, press: Press) -> None:
        now, name = self._clock(), press.digest.name
        with reading(press.engine) as connection:
            ledger = Ledger(connection)
            owed, last = _owed(press, ledger, now), ledger.last(name)
        if last and last.local_date > _horizon(press, now):
            self._tell(
                f"{name}: ahead", str(last.local_date),
                f"{name}: its last edition is dated {last.local_date}, and today is {press.local_date(now)}: a clock was or is "
                "wrong; the editions of the days between are made all the same",
            )  # fmt: skip
        if owed is None:
            return
        day = owed.moment.date()
        if owed.is_late and press.digest.late == "ask":
            hours = (now - owed.moment).total_seconds() / 3600
            words = f"{name}: the edition of {day} is {hours:.0f} hours late: `dateline digest send {name}` sends it"
            self._tell(name, str(day), words)
            return
        made = make(press, day, now, scheduled=True)
        if made.edition:
            self._send(press, made.edition)
        else:
            self._tell(name, made.reason, made.reason)

    def _tell(self, about: str, matter: str, words: str) -> None:
        """Logs what is to be said of a digest, once a matter."""
        if matter != self._said.get(about):
            self._said[about] = matter
            log.warning("%s", words)

    def _go_on(self, press: Press) -> None:
        """Goes on with every unfinished edition of which something is due."""
        with reading(press.engine) as connection:
            editions = Ledger(connection).unfinished(press.digest.name, self._clock())
        for edition in editions:
            if not self._stop.is_set():
                self._send(press, edition)

    def _end_cancelled(self, press: Press) -> None:
        """Ends cancelled editions for those whom a sender had that died since."""
        with reading(press.engine) as connection:
            editions = Ledger(connection).cancelled(press.digest.name)
        for edition in editions:
            with writing(press.engine) as connection:
                end_cancelled(connection, edition, self._clock())

    def _do(self, press: Press, *works: Callable[[Press], None]) -> None:
        """Does one thing after the other in a digest's turn, until it is told to stop. Errors are logged, not raised."""
        for work in works:
            if self._stop.is_set():
                return
            try:
                work(press)
            except (DatelineError, OperationalError) as error:
                log.error("%s: %s; trying again in %d s", press.digest.name, error, SWEEP_SECONDS)  # noqa: TRY400

    def _send(self, press: Press, edition: Edition) -> None:
        account = Sending(press, self._open_transport(), self._clock, self._stop).run(edition)
        if account.sent_now or account.finished:
            log.info("%s", describe(account))


def describe(account: Account) -> str:
    """The balance sheet of an edition in one line."""
    edition = account.edition
    parts = ", ".join(f"{number} {state}" for state, number in account.sheet.counts.items() if number)
    state = "sent" if account.finished else "not finished"
    return f"{edition.digest} of {edition.local_date}: {state}; {edition.recipients} recipients: {parts}"
