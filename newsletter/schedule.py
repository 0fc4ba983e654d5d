"""Sends each digest when it is due. APScheduler wakes us; a row in the database, one a local date, decides."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from apscheduler.schedulers.background import BackgroundScheduler
from sqlalchemy.exc import OperationalError

from content.database import reading
from content.errors import DatelineError
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


@dataclass(frozen=True, slots=True)
class _Owed:
    moment: datetime
    is_late: bool


def _owed(press: Press, ledger: Ledger, now: datetime) -> _Owed | None:
    """The newest moment at which the digest was due and of whose date there is no edition, nor one of a later date.

    One that is later than ``late_hours`` counts where the digest's policy is not to skip it, but for a digest that has had no
    edition yet: nobody waits for its first.
    """
    digest = press.digest
    window = max(timedelta(hours=digest.late_hours), timedelta(minutes=1))
    last = ledger.last(digest.name)
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
        # One edition at a time in this process; the ledger keeps other processes apart.
        self._turn = threading.Lock()
        self._said: dict[str, str] = {}
        self._catching = threading.Lock()
        self._scheduler = BackgroundScheduler(timezone="UTC")

    def start(self) -> None:
        """Catches up with what is due and waits for what comes."""
        # However late a wake-up comes and however many were missed: one run, and the window decides.
        options = {"coalesce": True, "misfire_grace_time": None, "max_instances": 1}
        for press in self._presses:
            self._scheduler.add_job(self.run_due, trigger_of(press), args=[press], id=press.digest.name, **options)
        self._scheduler.add_job(self.catch_up, "interval", seconds=SWEEP_SECONDS, id="catch-up", **options)
        for number, work in enumerate(self._beside):
            self._scheduler.add_job(work, "interval", seconds=SWEEP_SECONDS, id=f"beside-{number}", **options)
            # And once at the start.
            self._scheduler.add_job(work, id=f"beside-{number}-at-first", **options)
        self._scheduler.add_job(self.catch_up, id="catch-up-at-first", **options)
        self._scheduler.start()

    def stop(self) -> None:
        """Finishes the message on the wire, gives back the rest, and returns when all is quiet."""
        self._stop.set()
        self._scheduler.shutdown(wait=True)

    def catch_up(self) -> None:
        """Takes up unfinished editions, then those that are late but within their window, and those that failed to be made."""
        if self._stop.is_set() or not self._catching.acquire(blocking=False):
            return
        try:
            for press in self._presses:
                self._guarded(press, lambda press=press: self._go_on(press))  # type: ignore[misc]
                self.run_due(press)
        finally:
            self._catching.release()

    def run_due(self, press: Press) -> None:
        """Makes and sends the edition that is due, if it is due and there is none. Errors are logged, not raised."""
        now = self._clock()
        if self._stop.is_set():
            return

        def work() -> None:
            with reading(press.engine) as connection:
                owed = _owed(press, Ledger(connection), now)
            if owed is None:
                return
            day, name = owed.moment.date(), press.digest.name
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

        self._guarded(press, work)

    def _tell(self, name: str, matter: str, words: str) -> None:
        """Logs what is to be said of a digest, once a matter."""
        if matter != self._said.get(name):
            self._said[name] = matter
            log.warning("%s", words)

    def _go_on(self, press: Press) -> None:
        """Goes on with every unfinished edition of which something is due."""
        with reading(press.engine) as connection:
            editions = Ledger(connection).unfinished(press.digest.name, self._clock())
        for edition in editions:
            if not self._stop.is_set():
                self._send(press, edition)

    def _guarded(self, press: Press, work: Callable[[], None]) -> None:
        with self._turn:
            try:
                work()
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
