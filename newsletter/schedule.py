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
    """One digest as the schedule has it. ``missed`` is a date that is due, not made and still in its window."""

    digest: str
    next_time: datetime | None
    missed: date | None
    last: Edition | None


def outlook(press: Press, now: datetime) -> Due:
    """What the schedule would do with a digest."""
    trigger, name = trigger_of(press), press.digest.name
    moment = trigger.last_due(now, timedelta(hours=press.digest.late_hours))
    coming = trigger.get_next_fire_time(None, now)
    with reading(press.engine) as connection:
        ledger = Ledger(connection)
        last = ledger.last(name)
        missed = moment.date() if moment and not ledger.is_made(name, moment.date()) else None
        # A date has one edition, at whatever time it was sent.
        while coming and ledger.is_made(name, coming.date()):
            coming = trigger.get_next_fire_time(coming, coming)
    return Due(name, coming, missed, last)


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
        window = max(timedelta(hours=press.digest.late_hours), timedelta(minutes=1))
        moment = trigger_of(press).last_due(now, window)
        if moment is None or self._stop.is_set():
            return

        def work() -> None:
            with reading(press.engine) as connection:
                if Ledger(connection).is_made(press.digest.name, moment.date()):
                    return
            made = make(press, moment.date(), now, scheduled=True)
            if made.edition:
                self._send(press, made.edition)
            elif made.reason != self._said.get(press.digest.name):
                self._said[press.digest.name] = made.reason
                log.info("%s", made.reason)

        self._guarded(press, work)

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
