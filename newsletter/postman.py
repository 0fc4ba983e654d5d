"""Who empties the outbox, and when: a thread beside the web server, or the service's round every half minute."""

from __future__ import annotations

import logging
import threading
from datetime import datetime, timedelta

from sqlalchemy import delete, exists, select
from sqlalchemy.exc import OperationalError

from content.database import reading, writing
from content.errors import DatelineError
from newsletter.consent import Event
from newsletter.outbox import Outbox
from newsletter.queue import Clock
from newsletter.reception import Reception
from newsletter.subscribers import Standing
from newsletter.tables import consents, deliveries, subscribers

ROUND_SECONDS = 30.0
"""How often the outbox is looked into when nobody rings."""
_TIDY = timedelta(hours=1)

log = logging.getLogger("dateline.outbox")


def send_due(reception: Reception, clock: Clock, stop: threading.Event | None = None) -> int:
    """Sends every mail about a membership that is due, and returns how many a server took.

    Raises ``TransportError`` when the server is away or cannot be trusted: what was not sent waits.
    """
    from newsletter.sending import open_transport

    outbox = Outbox(reception, clock, stop)
    if outbox.wait() is None:
        return 0
    transport = open_transport(reception.root, reception.site, reception.newsletter)
    try:
        transport.run(outbox)
    finally:
        transport.close()
    return outbox.accepted


def tidy(reception: Reception, now: datetime) -> int:
    """Forgets counters that have run out, and sign-ups through the form that nobody confirmed; returns how many of these.

    Who was ever sent an edition, or whose address came another way, is none of them.
    """
    from newsletter.rate_counters import DatabaseCounters

    since = now - timedelta(days=reception.newsletter.forget_unconfirmed_days)
    theirs = consents.c.subscriber_id == subscribers.c.id
    stale = select(subscribers.c.id).where(
        subscribers.c.state == Standing.PENDING,
        subscribers.c.created_at < since,
        exists().where(theirs, consents.c.event == Event.ASKED),
        ~exists().where(theirs, consents.c.happened_at >= since),
        ~exists().where(theirs, consents.c.event != Event.ASKED),
        ~exists().where(deliveries.c.subscriber_id == subscribers.c.id),
    )
    # Without the lock, unless there is something to do.
    with reading(reception.engine) as connection:
        numbers = list(connection.execute(stale).scalars())
    with writing(reception.engine) as connection:
        DatabaseCounters(connection, now).tidy()
        # Asked again within the transaction: one of them may have confirmed this moment.
        gone = delete(subscribers).where(subscribers.c.id.in_(stale)) if numbers else None
        return connection.execute(gone).rowcount if gone is not None else 0


class Postman:
    """Empties the outbox at once when rung for, and every half minute in any case. Errors are logged, and tried again."""

    def __init__(self, reception: Reception, clock: Clock) -> None:
        self._reception = reception
        self._clock = clock
        self._bell = threading.Event()
        self._stop = threading.Event()
        self._tidied: datetime | None = None
        self._thread = threading.Thread(target=self._work, name="postman", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ring(self) -> None:
        """There is something in the outbox. To be called after a request was answered."""
        self._bell.set()

    def stop(self) -> None:
        """Finishes the message on the wire and returns when all is quiet; what waits, waits in the database."""
        self._stop.set()
        self._bell.set()
        if self._thread.is_alive():
            self._thread.join()

    def round(self) -> None:
        """Sends what is due, and once an hour tidies up."""
        now = self._clock()
        try:
            send_due(self._reception, self._clock, self._stop)
            if self._tidied is None or now - self._tidied >= _TIDY:
                tidy(self._reception, now)
                self._tidied = now
        except (DatelineError, OperationalError) as error:
            log.error("%s; mails about memberships wait", error)  # noqa: TRY400

    def _work(self) -> None:
        while not self._stop.is_set():
            self.round()
            self._bell.wait(ROUND_SECONDS)
            self._bell.clear()
