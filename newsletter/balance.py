"""Where an edition stands: how many are sent, failed, excluded, in doubt, and who they are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, func, or_, select, text

from content.database import reading
from newsletter.claims import dead, left_in_doubt, living
from newsletter.ledger import DeliveryState, Edition
from newsletter.tables import OPEN_SQL, deliveries

_PAGE = 1000
"""Deliveries that are read in one transaction."""


@dataclass(frozen=True, slots=True)
class Line:
    """One delivery in a report. ``doubts`` counts how often nobody could say whether it had arrived.

    ``orphaned``: it was on the wire when its sender died, and no other sender has seen to it yet.
    """

    email: str
    state: DeliveryState
    attempts: int
    doubts: int
    reply: str
    changed_at: datetime
    next_attempt: datetime | None
    orphaned: bool = False

    @property
    def is_doubtful(self) -> bool:
        """Whether it may have arrived, or may have arrived twice."""
        return self.orphaned or self.doubts > 0 or self.state is DeliveryState.IN_DOUBT


@dataclass(frozen=True, slots=True)
class Worker:
    """A sender at work: its name, what it has sent so far, messages a second of late."""

    name: str
    sent: int
    rate: float


@dataclass(frozen=True, slots=True)
class Balance:
    """The balance sheet of an edition. ``counts`` by state add up to its recipients.

    ``reasons`` say why the suppressed got nothing; ``doubted`` counts deliveries that may have come twice or not at all.
    """

    edition: Edition
    counts: dict[DeliveryState, int]
    reasons: dict[str, int]
    doubted: int
    next_attempt: datetime | None
    workers: tuple[Worker, ...]

    @property
    def left(self) -> int:
        """How many deliveries there is still something to do for."""
        return sum(
            self.counts.get(state, 0) for state in (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.DEFERRED)
        )

    @property
    def rate(self) -> float:
        """Messages a second, of all senders at work."""
        return sum(worker.rate for worker in self.workers)

    @property
    def seconds_left(self) -> float | None:
        """How long it will take at this rate, the deferred not counted; ``None`` while nobody sends."""
        at_once = self.left - self.counts.get(DeliveryState.DEFERRED, 0)
        return at_once / self.rate if self.rate > 0 else None

    def count(self, state: DeliveryState) -> int:
        return self.counts.get(state, 0)


def balance(connection: Connection, edition: Edition, now: datetime) -> Balance:
    """Counts an edition's deliveries."""
    of_it = deliveries.c.edition_id == edition.id
    by_state = select(deliveries.c.state, func.count()).where(of_it).group_by(deliveries.c.state)
    counts = {DeliveryState(state): number for state, number in connection.execute(by_state)}
    reasons = {}
    if counts.get(DeliveryState.SUPPRESSED):
        suppressed = (of_it, deliveries.c.state == DeliveryState.SUPPRESSED)
        by_reason = select(deliveries.c.reply, func.count()).where(*suppressed).group_by(deliveries.c.reply)
        reasons = {reason or "": number for reason, number in connection.execute(by_reason)}
    doubtful = or_(deliveries.c.doubts > 0, left_in_doubt(edition, dead(connection, edition, now)))
    doubted = connection.execute(select(func.count()).select_from(deliveries).where(of_it, doubtful)).scalar_one()
    later = (of_it, text(OPEN_SQL), deliveries.c.state == DeliveryState.DEFERRED)
    next_attempt = connection.execute(select(func.min(deliveries.c.next_attempt)).where(*later)).scalar()
    workers = tuple(Worker(*one) for one in living(connection, edition, now))
    return Balance(edition, counts, reasons, doubted, next_attempt, workers)


def in_doubt(connection: Connection, edition: Edition, now: datetime | None, limit: int | None = None) -> list[Line]:
    """Who may have got an edition, or got it twice: those first of whom it is still not known."""
    gone = left_in_doubt(edition, dead(connection, edition, now) if now else {})
    query = select(deliveries, gone.label("orphaned")).where(deliveries.c.edition_id == edition.id)
    query = query.where(or_(gone, deliveries.c.state == DeliveryState.IN_DOUBT, deliveries.c.doubts > 0))
    order = (deliveries.c.state.in_([DeliveryState.SENT, DeliveryState.FAILED]), deliveries.c.id)
    return [_line(row, orphaned=bool(row.orphaned)) for row in connection.execute(query.order_by(*order).limit(limit))]


def troubles(connection: Connection, edition: Edition, limit: int = 20, now: datetime | None = None) -> list[Line]:
    """Deliveries that were not served or may have come twice: in doubt, then failed, then deferred; ``limit`` of each.

    Told what time it is, it names those as well that senders left on the wire which died meanwhile.
    """
    found = in_doubt(connection, edition, now, limit)
    for state in (DeliveryState.FAILED, DeliveryState.DEFERRED):
        of_it = (deliveries.c.edition_id == edition.id, deliveries.c.state == state, deliveries.c.doubts == 0)
        query = select(deliveries).where(*of_it).order_by(deliveries.c.id).limit(limit)
        found += [_line(row) for row in connection.execute(query)]
    return found


def lines(engine: Engine, edition: Edition) -> Iterator[Line]:
    """Every delivery of an edition, one at a time. However slowly they are taken, no transaction stays open for it."""
    of_it = deliveries.c.edition_id == edition.id
    with reading(engine) as connection:
        first, last = connection.execute(select(func.min(deliveries.c.id), func.max(deliveries.c.id)).where(of_it)).one()
    while first is not None:
        # Their ids lie together: they are found by these, whatever else there is an index for.
        query = select(deliveries).where(deliveries.c.id.between(first, last), text("+edition_id = :edition"))
        with reading(engine) as connection:
            rows = connection.execute(query.order_by(deliveries.c.id).limit(_PAGE), {"edition": edition.id}).all()
        yield from map(_line, rows)
        first = rows[-1].id + 1 if rows else None


def last_replies(connection: Connection, edition: Edition, limit: int = 5) -> list[tuple[str, int]]:
    """What servers said last, with how many of an edition's newest thousand settled deliveries they said it to."""
    said = deliveries.c.reply.is_not(None) & (deliveries.c.edition_id == edition.id)
    newest = select(deliveries.c.reply).where(said).order_by(deliveries.c.changed_at.desc()).limit(1000).subquery()
    kinds = func.substr(newest.c.reply, 1, 9)
    query = select(func.max(newest.c.reply), func.count()).group_by(kinds).order_by(func.count().desc()).limit(limit)
    return [(words, number) for words, number in connection.execute(query)]


def _line(row, *, orphaned: bool = False) -> Line:  # type: ignore[no-untyped-def]
    return Line(
        row.email, DeliveryState(row.state), row.attempts, row.doubts, row.reply or "", row.changed_at, row.next_attempt,
        orphaned,
    )  # fmt: skip
