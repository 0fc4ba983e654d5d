"""How several senders share the deliveries of one edition: who has which, what goes on the wire, what came of it.

A row is ``pending`` or ``deferred`` until its message is about to be written, ``sending`` from then on until the server has
answered; each change is durable before the next step is taken. What a dead sender left ``sending`` is in doubt, and that is
at most one message a connection; everything else it held goes back into the queue.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import ColumnElement, Connection, Engine, and_, case, exists, insert, literal, or_, select, text, update

from content.database import raw, reading, stored, writing
from newsletter import holder
from newsletter.ledger import DeliveryState, Edition, EditionState, Ledger
from newsletter.tables import OPEN_SQL, deliveries, senders
from newsletter.transport import Delivery

LEASE_SECONDS = 300
"""How long a sender is believed to live without a sign when it cannot be asked, being on another machine."""

_BUSY_MILLISECONDS = 1000
_PAGES_BETWEEN_CHECKPOINTS = 8000


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a delivery has come to. ``doubted`` says that nobody could tell; ``attempts`` is counted from the start."""

    delivery: Delivery
    state: DeliveryState
    attempts: int
    words: str = ""
    next_attempt: datetime | None = None
    doubted: bool = False


_FREE = f"""
SELECT id FROM deliveries WHERE edition_id = ?1 AND holder IS NULL AND {OPEN_SQL} AND next_attempt IS NULL
    AND (?2 = '[]' OR lower(substr(email, instr(email, '@') + 1)) NOT IN (SELECT value FROM json_each(?2)))
ORDER BY id LIMIT ?3"""  # noqa: S608 (our own words)
_DUE = f"""
SELECT id FROM deliveries WHERE edition_id = ?1 AND holder IS NULL AND {OPEN_SQL} AND next_attempt <= ?2
    AND (?3 = '[]' OR lower(substr(email, instr(email, '@') + 1)) NOT IN (SELECT value FROM json_each(?3)))
ORDER BY next_attempt, id LIMIT ?4"""  # noqa: S608 (our own words)
_HOLD = "UPDATE deliveries SET holder = ? WHERE id IN (SELECT value FROM json_each(?))"
_HELD = """
SELECT deliveries.id, public_id, deliveries.email, variant_id, attempts
FROM deliveries JOIN subscribers ON subscribers.id = subscriber_id
WHERE deliveries.id IN (SELECT value FROM json_each(?)) AND deliveries.state <> 'suppressed'
ORDER BY next_attempt, deliveries.id"""
_SETTLE = """
UPDATE deliveries SET state = ?, attempts = ?, reply = ?, next_attempt = ?, doubts = doubts + ?, holder = NULL, ahead = 0,
    changed_at = ?
WHERE id = ? AND holder = ?"""
_RESEND_ONCE = """
UPDATE deliveries SET state = CASE WHEN doubts = 0 THEN 'pending' ELSE 'in doubt' END,
    attempts = ?, reply = ?, next_attempt = ?, doubts = doubts + 1, holder = NULL, changed_at = ?
WHERE id = ? AND holder = ?"""
_STILL_WANTS = """EXISTS (
    SELECT 1 FROM subscribers WHERE subscribers.id = deliveries.subscriber_id AND subscribers.state = 'confirmed'
    AND (subscribers.digests = '' OR instr(subscribers.digests, ?) > 0)
    AND (subscribers.paused_until IS NULL OR subscribers.paused_until <= ?))"""
_BEGIN = f"""
UPDATE deliveries SET state = 'sending', attempts = attempts + 1, ahead = 0, changed_at = ?
WHERE id = ? AND holder = ? AND state IN ('pending', 'deferred') AND {_STILL_WANTS}"""  # noqa: S608 (our own words)
_AHEAD = "UPDATE deliveries SET ahead = 1 WHERE id = ? AND holder = ?"
_WENT = """
UPDATE deliveries SET state = 'suppressed', holder = NULL, changed_at = ?, reply = CASE
    (SELECT state FROM subscribers WHERE subscribers.id = deliveries.subscriber_id)
    WHEN 'suppressed' THEN 'bounced or complained before the message was sent'
    WHEN 'confirmed' THEN 'chose not to get it before the message was sent' ELSE 'left before the message was sent' END"""
_LEFT = f"{_WENT} WHERE id = ? AND holder = ? AND state IN ('pending', 'deferred')"
_UNWANTED = f"{_WENT} WHERE id IN (SELECT value FROM json_each(?)) AND NOT {_STILL_WANTS}"  # noqa: S608 (our own words)


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
        self._wanted = f",{edition.digest},", edition.local_date.isoformat()
        # What is recorded for every message goes straight to the database: it is worth a third of the speed.
        self._connection: Connection | None = None

    def enter(self, now: datetime) -> int:
        """Takes part in the sending, and settles what dead senders left; returns how many messages of theirs are in doubt."""
        with writing(self._engine) as connection:
            facts = {"edition_id": self._edition.id, "name": self.name, "started_at": now, "boot": holder.boot()}
            added = insert(senders).values(lease_until=now.timestamp() + LEASE_SECONDS, **facts).returning(senders.c.id)
            self.id = connection.execute(added).scalar_one()
            return self._recover(connection, now)

    def recover(self, now: datetime) -> int:
        """Settles what senders left that died meanwhile; returns how many messages are in doubt."""
        with writing(self._engine) as connection:
            return self._recover(connection, now)

    def has_sent(self) -> bool:
        """Whether anybody has got the edition."""
        with reading(self._engine) as connection:
            sent = exists().where(deliveries.c.edition_id == self._edition.id, deliveries.c.state == DeliveryState.SENT)
            return bool(connection.execute(select(sent)).scalar())

    def claim(self, now: datetime, limit: int, without: Collection[str] = ()) -> list[Delivery]:
        """Takes up to ``limit`` deliveries that are due and nobody holds, unless the edition is paused or cancelled.

        None of the domains ``without`` are among them. Who has left is settled, and not among them either.
        """
        with writing(self._engine) as connection:
            if Ledger(connection).state(self._edition) is not EditionState.SENDING:
                return []
            database = raw(connection)
            apart = json.dumps(sorted(without))
            ids = [row[0] for row in database.execute(_FREE, (self._edition.id, apart, limit))]
            if len(ids) < limit:
                # What waited for its time comes behind all others.
                due = (self._edition.id, stored(now), apart, limit - len(ids))
                ids += [row[0] for row in database.execute(_DUE, due)]
            listed = json.dumps(ids)
            database.execute(_HOLD, (self.id, listed))
            database.execute(_UNWANTED, (stored(now), listed, *self._wanted))
            return [Delivery(*row) for row in database.execute(_HELD, (listed,))]

    def record(
        self, settlements: Sequence[Settlement], begun: Sequence[Delivery], ahead: Sequence[Delivery], now: datetime
    ) -> set[int]:
        """In one commit, what became of some, that others go on the wire, and which are ``ahead``, the next to go.

        Returns the ids of those that may go. A subscriber who has left meanwhile is not mailed any more.
        """
        at = stored(now)
        database = self._database()
        database.execute("BEGIN IMMEDIATE")
        try:
            self._settle(database, settlements, at)
            allowed = set()
            for delivery in begun:
                if database.execute(_BEGIN, (at, delivery.id, self.id, *self._wanted)).rowcount:
                    allowed.add(delivery.id)
                else:
                    database.execute(_LEFT, (at, delivery.id, self.id))
            if ahead:
                database.executemany(_AHEAD, [(delivery.id, self.id) for delivery in ahead])
            database.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                database.execute("ROLLBACK")
            raise
        return allowed

    @property
    def log(self) -> Path | None:
        """The file that holds what :meth:`record` commits; once that is on the disk, it outlives a power cut.

        Syncing the write-ahead log is all that SQLite's ``synchronous = FULL`` does besides (its documentation of that pragma).
        """
        name = self._engine.url.database
        return Path(f"{name}-wal") if name and name != ":memory:" else None

    def _settle(self, database: sqlite3.Connection, settlements: Sequence[Settlement], at: str) -> None:
        plain = []
        for one in settlements:
            words, mine = one.words[:1000], (one.delivery.id, self.id)
            if one.doubted and self._resend:
                database.execute(_RESEND_ONCE, (one.attempts, words, at, at, *mine))
            else:
                later = one.next_attempt and stored(one.next_attempt)
                plain.append((one.state.value, one.attempts, words, later, one.doubted, at, *mine))
        if plain:
            database.executemany(_SETTLE, plain)

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
            database = raw(self._connection)
            # Who has to wait says so soon, and waits by itself.
            database.execute(f"PRAGMA busy_timeout = {_BUSY_MILLISECONDS}")
            # A commit outlives the process at once, and a power cut after `sync`: many share one wait for the disk.
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute(f"PRAGMA wal_autocheckpoint = {_PAGES_BETWEEN_CHECKPOINTS}")
        return raw(self._connection)

    def _recover(self, connection: Connection, now: datetime) -> int:
        gone = dead(connection, self._edition, now, but=self.id)
        if not gone:
            return 0
        connection.execute(update(deliveries).where(left_in_doubt(self._edition, gone)).values(state=DeliveryState.SENDING))
        everyone = list(gone)
        doubted = self._free(connection, everyone, "the sender died while the message was on the wire", now)
        connection.execute(update(senders).where(senders.c.id.in_(everyone)).values(lease_until=None, rate=0.0))
        return doubted

    def _free(self, connection: Connection, holders: Sequence[int], words: str, now: datetime) -> int:
        """Frees what senders hold that are at work no more; returns how many of their messages are in doubt."""
        theirs = and_(deliveries.c.edition_id == self._edition.id, deliveries.c.holder.in_(holders), text(OPEN_SQL))
        again = and_(deliveries.c.doubts == 0, literal(self._resend))
        state = case((again, DeliveryState.PENDING.value), else_=DeliveryState.IN_DOUBT.value)
        # Behind all others: the next kill shall not find the same ones on the wire again.
        facts = {"reply": words, "next_attempt": now, "holder": None, "ahead": False, "changed_at": now}
        sending = update(deliveries).where(theirs, deliveries.c.state == DeliveryState.SENDING)
        doubted = connection.execute(sending.values(state=state, doubts=deliveries.c.doubts + 1, **facts)).rowcount
        connection.execute(update(deliveries).where(theirs).values(holder=None, ahead=False))
        return doubted


def living(connection: Connection, edition: Edition, now: datetime) -> list[tuple[str, int, float]]:
    """The senders that are at work on an edition: name, messages sent so far, messages a second of late."""
    query = select(senders.c.name, senders.c.sent, senders.c.rate, senders.c.lease_until).where(
        senders.c.edition_id == edition.id, senders.c.lease_until.is_not(None)
    )
    rows = connection.execute(query)
    return [(row.name, row.sent, row.rate) for row in rows if not holder.is_gone(row.name, row.lease_until, now)]


def dead(connection: Connection, edition: Edition, now: datetime, but: int = 0) -> dict[int, bool]:
    """The senders of an edition that died at work, each with whether its machine has started anew since."""
    query = select(senders.c.id, senders.c.name, senders.c.lease_until, senders.c.boot).where(
        senders.c.edition_id == edition.id, senders.c.lease_until.is_not(None), senders.c.id != but
    )
    gone = [row for row in connection.execute(query) if holder.is_gone(row.name, row.lease_until, now)]
    return {row.id: not row.boot or row.boot != holder.boot() for row in gone}


def left_in_doubt(edition: Edition, gone: Mapping[int, bool]) -> ColumnElement[bool]:
    """Which deliveries the ``dead`` left on the wire, as far as anybody can tell."""
    # What a process has committed outlives it. Where the machine has started anew, the last words may be missing.
    cut_off = [sender for sender, is_cut_off in gone.items() if is_cut_off]
    on_the_wire = or_(
        and_(deliveries.c.holder.in_(list(gone)), deliveries.c.state == DeliveryState.SENDING),
        and_(deliveries.c.holder.in_(cut_off), deliveries.c.ahead),
    )
    return and_(deliveries.c.edition_id == edition.id, text(OPEN_SQL), on_the_wire)


def end_cancelled(connection: Connection, edition: Edition, now: datetime) -> int:
    """Excludes from a cancelled edition who has not got it, but for what living senders hold; returns how many.

    What dead senders left on the wire stays in doubt: nothing of this edition is sent again.
    """
    Claims(connection.engine, edition, resend=False)._recover(connection, now)
    return Ledger(connection).drop_rest(edition, now)
