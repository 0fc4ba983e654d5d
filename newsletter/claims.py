"""How several senders share the deliveries of one edition: who has which, what goes on the wire, what came of it.

A row is ``pending`` or ``deferred`` until its message is about to be written, ``sending`` from then on until the server has
answered; each change is durable before the next step is taken. What a dead sender left ``sending`` is in doubt, and that is
at most one message a connection; everything else it held goes back into the queue.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Engine, and_, bindparam, case, insert, literal, or_, select, text, update

from content.database import raw, stored, writing
from newsletter import holder
from newsletter.ledger import DeliveryState, Edition, EditionState, Ledger
from newsletter.tables import OPEN_SQL, deliveries, senders, subscribers
from newsletter.transport import Delivery

LEASE_SECONDS = 300
"""How long a sender is believed to live without a sign when it cannot be asked, being on another machine."""

_BUSY_MILLISECONDS = 1000


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a delivery has come to. ``doubted`` says that nobody could tell; ``attempts`` is counted from the start."""

    delivery: Delivery
    state: DeliveryState
    attempts: int
    words: str = ""
    next_attempt: datetime | None = None
    doubted: bool = False


_SETTLE = """
UPDATE deliveries SET state = ?, attempts = ?, reply = ?, next_attempt = ?, doubts = doubts + ?, holder = NULL, changed_at = ?
WHERE id = ? AND holder = ?"""
_RESEND_ONCE = """
UPDATE deliveries SET state = CASE WHEN doubts = 0 THEN 'pending' ELSE 'in doubt' END,
    attempts = ?, reply = ?, next_attempt = NULL, doubts = doubts + 1, holder = NULL, changed_at = ?
WHERE id = ? AND holder = ?"""
_BEGIN = """
UPDATE deliveries SET state = 'sending', attempts = attempts + 1, changed_at = ?
WHERE id = ? AND holder = ? AND state IN ('pending', 'deferred') AND EXISTS (
    SELECT 1 FROM subscribers WHERE subscribers.id = deliveries.subscriber_id AND subscribers.state = 'confirmed'
    AND (subscribers.digests = '' OR instr(subscribers.digests, ?) > 0))"""
_LEFT = """
UPDATE deliveries SET state = 'suppressed', reply = 'left before the message was sent', holder = NULL, changed_at = ?
WHERE id = ? AND holder = ? AND state IN ('pending', 'deferred')"""


class Claims:
    """One sender's hold on the deliveries of ``edition``. Every method is one transaction, or raises and has done nothing.

    ``resend`` says what becomes of a message in doubt: sent again, once, or kept aside.
    """

    def __init__(self, engine: Engine, edition: Edition, *, resend: bool) -> None:
        self._engine = engine
        self._edition = edition
        self._resend = resend
        self.name = holder.my_name()
        self.id = 0
        self._wanted = f",{edition.digest},"
        # What is recorded for every message goes straight to the database: it is worth a third of the speed.
        self._connection: Connection | None = None

    def enter(self, now: datetime) -> int:
        """Takes part in the sending, and settles what dead senders left; returns how many messages of theirs are in doubt."""
        with writing(self._engine) as connection:
            facts = {"edition_id": self._edition.id, "name": self.name, "started_at": now}
            added = insert(senders).values(lease_until=now.timestamp() + LEASE_SECONDS, **facts).returning(senders.c.id)
            self.id = connection.execute(added).scalar_one()
            return self._recover(connection, now)

    def recover(self, now: datetime) -> int:
        """Settles what senders left that died meanwhile; returns how many messages are in doubt."""
        with writing(self._engine) as connection:
            return self._recover(connection, now)

    def claim(self, now: datetime, limit: int) -> list[Delivery]:
        """Takes up to ``limit`` deliveries that are due and nobody holds, unless the edition is paused or cancelled."""
        with writing(self._engine) as connection:
            if Ledger(connection).state(self._edition) is not EditionState.SENDING:
                return []
            free = and_(deliveries.c.edition_id == self._edition.id, deliveries.c.holder.is_(None), text(OPEN_SQL))
            due = or_(deliveries.c.next_attempt.is_(None), deliveries.c.next_attempt <= now)
            chosen = select(deliveries.c.id).where(free, due).order_by(deliveries.c.next_attempt, deliveries.c.id).limit(limit)
            ids = list(connection.execute(chosen).scalars())
            connection.execute(
                update(deliveries).where(deliveries.c.id == bindparam("one")).values(holder=self.id),
                [{"one": one} for one in ids],
            ) if ids else None
            query = (
                select(
                    deliveries.c.id, subscribers.c.public_id, deliveries.c.email, deliveries.c.variant_id, deliveries.c.attempts
                )
                .join(subscribers)
                .where(deliveries.c.id.in_(ids))
                .order_by(deliveries.c.id)
            )  # fmt: skip
            return [Delivery(*row) for row in connection.execute(query)]

    def record(self, settlements: Sequence[Settlement], begun: Sequence[Delivery], now: datetime) -> set[int]:
        """In one durable commit, what became of some and that others go on the wire. Returns the ids of those that may.

        A subscriber who has left meanwhile is not mailed any more.
        """
        at = stored(now)
        database = self._database()
        database.execute("BEGIN IMMEDIATE")
        try:
            for one in settlements:
                self._settle(database, one, at)
            allowed = set()
            for delivery in begun:
                if database.execute(_BEGIN, (at, delivery.id, self.id, self._wanted)).rowcount:
                    allowed.add(delivery.id)
                else:
                    database.execute(_LEFT, (at, delivery.id, self.id))
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise
        return allowed

    def _settle(self, database: sqlite3.Connection, one: Settlement, at: str) -> None:
        words, mine = one.words[:1000], (one.delivery.id, self.id)
        if one.doubted and self._resend:
            database.execute(_RESEND_ONCE, (one.attempts, words, at, *mine))
            return
        later = one.next_attempt and stored(one.next_attempt)
        database.execute(_SETTLE, (one.state.value, one.attempts, words, later, one.doubted, at, *mine))

    def beat(self, now: datetime, sent: int, rate: float) -> EditionState:
        """A sign of life, with the number sent and messages a second; returns what the edition's state is."""
        with writing(self._engine) as connection:
            life = {"lease_until": now.timestamp() + LEASE_SECONDS, "sent": sent, "rate": rate}
            connection.execute(update(senders).where(senders.c.id == self.id).values(**life))
            return Ledger(connection).state(self._edition)

    def leave(self, sent: int, now: datetime) -> bool:
        """Gives back all that was not begun and takes part no more; returns whether the edition is wholly sent."""
        with writing(self._engine) as connection:
            self._free(connection, [self.id], "the sending broke off while the message was on the wire", now)
            ended = {"lease_until": None, "sent": sent, "rate": 0.0}
            connection.execute(update(senders).where(senders.c.id == self.id).values(**ended))
            ledger = Ledger(connection)
            if ledger.state(self._edition) is EditionState.CANCELLED:
                ledger.drop_rest(self._edition, now)
            return ledger.finish(self._edition, now)

    def close(self) -> None:
        """Lets go of the database."""
        if self._connection:
            with suppress(sqlite3.Error):
                # It is not given to anybody else: others wait longer for their turn.
                self._connection.invalidate()
                self._connection.close()
            self._connection = None

    def _database(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._engine.connect()
            # Who has to wait says so soon, and waits by itself.
            raw(self._connection).execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
        return raw(self._connection)

    def _recover(self, connection: Connection, now: datetime) -> int:
        living = (senders.c.edition_id == self._edition.id, senders.c.lease_until.is_not(None), senders.c.id != self.id)
        query = select(senders.c.id, senders.c.name, senders.c.lease_until).where(*living)
        dead = [row.id for row in connection.execute(query) if holder.is_gone(row.name, row.lease_until, now)]
        if not dead:
            return 0
        doubted = self._free(connection, dead, "the sender died while the message was on the wire", now)
        connection.execute(update(senders).where(senders.c.id.in_(dead)).values(lease_until=None, rate=0.0))
        return doubted

    def _free(self, connection: Connection, holders: Sequence[int], words: str, now: datetime) -> int:
        """Frees what senders hold that are at work no more; returns how many of their messages are in doubt."""
        theirs = and_(deliveries.c.edition_id == self._edition.id, deliveries.c.holder.in_(holders), text(OPEN_SQL))
        again = and_(deliveries.c.doubts == 0, literal(self._resend))
        state = case((again, DeliveryState.PENDING.value), else_=DeliveryState.IN_DOUBT.value)
        facts = {"reply": words, "next_attempt": None, "holder": None, "changed_at": now}
        sending = update(deliveries).where(theirs, deliveries.c.state == DeliveryState.SENDING)
        doubted = connection.execute(sending.values(state=state, doubts=deliveries.c.doubts + 1, **facts)).rowcount
        connection.execute(update(deliveries).where(theirs).values(holder=None))
        return doubted


def living(connection: Connection, edition: Edition, now: datetime) -> list[tuple[str, int, float]]:
    """The senders that are at work on an edition: name, messages sent so far, messages a second of late."""
    query = select(senders.c.name, senders.c.sent, senders.c.rate, senders.c.lease_until).where(
        senders.c.edition_id == edition.id, senders.c.lease_until.is_not(None)
    )
    rows = connection.execute(query)
    return [(row.name, row.sent, row.rate) for row in rows if not holder.is_gone(row.name, row.lease_until, now)]
