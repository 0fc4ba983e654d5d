"""What is to be sent, being sent and sent: the rows that outlive any crash.

An edition and all its deliveries come into being in one transaction. From then on every message is recorded as on
the wire before it is sent and by its outcome afterwards; what a dead sender left between the two is in doubt.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, insert, literal, or_, select, update
from sqlalchemy.exc import IntegrityError

from content.article import Article
from newsletter import holder
from newsletter.digest import History
from newsletter.rendering import Rendering
from newsletter.subscribers import Standing, wants
from newsletter.tables import deliveries, edition_articles, editions, subscribers, variants
from newsletter.transport import Outcome, Reply

LEASE_SECONDS = 300
"""How long a claim is believed when its holder cannot be asked, being on another machine."""


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    """On the wire, or left there by a sender that died."""
    SENT = "sent"
    DEFERRED = "deferred"
    """The server said: not now; to be tried again at ``next_attempt``."""
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    """The subscriber left after the edition was made."""
    IN_DOUBT = "in doubt"
    """Nobody knows whether it arrived, and the config says not to send it again."""


OPEN = (DeliveryState.PENDING, DeliveryState.SENDING, DeliveryState.DEFERRED)
"""States that an edition is not finished with."""


class EditionState(StrEnum):
    SENDING = "sending"
    SENT = "sent"
    SKIPPED = "skipped"
    """There was nothing to say that day."""


@dataclass(frozen=True, slots=True)
class Edition:
    """One issue of a digest, frozen."""

    id: int
    digest: str
    local_date: date
    state: EditionState
    subject: str
    slot: str
    recipients: int
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process holds."""

    id: int
    subscriber_id: int
    public_id: str
    email: str
    variant_id: int
    attempts: int


def _edition(row: Any) -> Edition:
    return Edition(
        row.id, row.digest, row.local_date, EditionState(row.state), row.subject, row.slot, row.recipients, row.created_at
    )


class Ledger:
    """The editions and deliveries of a site, within one transaction of ``connection``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # Editions

    def history(self, digest: str) -> History:
        """What earlier editions of this digest carried, and when the last one was made or skipped."""
        carried = self._connection.execute(
            select(edition_articles.c.article_id, editions.c.local_date)
            .join(editions)
            .where(editions.c.digest == digest)
            .order_by(editions.c.local_date.desc())
        )
        made = select(func.max(editions.c.created_at)).where(editions.c.digest == digest)
        carrying = made.where(editions.c.state != EditionState.SKIPPED)
        first_made = self._connection.execute(carrying).scalar() is not None
        last = self._connection.execute(made).scalar() if first_made else None
        return History({row.article_id: row.local_date for row in carried}, last)

    def edition(self, digest: str, day: date) -> Edition | None:
        """The edition of a digest for a local date."""
        return self._one(editions.c.digest == digest, editions.c.local_date == day)

    def last(self, digest: str) -> Edition | None:
        """The newest edition of a digest, whatever became of it."""
        return self._one(editions.c.digest == digest)

    def unfinished(self, digest: str, now: datetime) -> list[Edition]:
        """The editions of a digest that are not wholly sent and of which something is to be done now, the oldest first."""
        of_it = deliveries.c.edition_id == editions.c.id
        waits = and_(deliveries.c.state == DeliveryState.DEFERRED, deliveries.c.next_attempt > now)
        due = exists().where(of_it, deliveries.c.state.in_(OPEN), ~waits)
        over = ~exists().where(of_it, deliveries.c.state.in_(OPEN))
        conditions = (editions.c.digest == digest, editions.c.state == EditionState.SENDING, or_(due, over))
        rows = self._connection.execute(select(editions).where(*conditions).order_by(editions.c.local_date))
        return [_edition(row) for row in rows]

    def is_made(self, digest: str, day: date) -> bool:
        """Whether a digest has had its turn on a local date."""
        return self.edition(digest, day) is not None

    def signed(self) -> date | None:
        """The day of the newest edition that anybody got: its links are signed with the site's key."""
        return self._connection.execute(select(func.max(editions.c.local_date)).where(editions.c.recipients > 0)).scalar()

    def _one(self, *conditions: ColumnElement[bool]) -> Edition | None:
        order = editions.c.local_date.desc()
        row = self._connection.execute(select(editions).where(*conditions).order_by(order).limit(1)).one_or_none()
        return None if row is None else _edition(row)

    def make(
        self,
        digest: str,
        day: date,
        articles: Sequence[Article],
        renderings: Mapping[str, Rendering],
        now: datetime,
    ) -> Edition | None:
        """Freezes an edition: its articles, its renderings by region preference, its recipients.

        ``None`` when the digest has an edition for that local date already. A date that was skipped may be taken.
        """
        first = next(iter(renderings.values()))
        facts = {"subject": first.subject, "slot": first.slot, "state": EditionState.SENDING, "created_at": now}
        edition_id = self._take_date(digest, day, facts)
        if edition_id is None:
            return None
        rows = [{"edition_id": edition_id, "article_id": a.id, "position": n} for n, a in enumerate(articles)]
        self._connection.execute(insert(edition_articles), rows)
        for regions, rendering in renderings.items():
            self._freeze(edition_id, digest, regions, rendering, now)
        count = select(func.count()).where(deliveries.c.edition_id == edition_id)
        self._connection.execute(update(editions).where(editions.c.id == edition_id).values(recipients=count.scalar_subquery()))
        return self._one(editions.c.id == edition_id)

    def skip(self, digest: str, day: date, now: datetime) -> None:
        """Notes that a digest had nothing to say on a local date."""
        self._take_date(
            digest, day, {"subject": "", "slot": "", "state": EditionState.SKIPPED, "created_at": now, "finished_at": now}
        )

    def _take_date(self, digest: str, day: date, facts: dict[str, object]) -> int | None:
        try:
            with self._connection.begin_nested():
                added = insert(editions).values(digest=digest, local_date=day, recipients=0, **facts)
                new_id: int = self._connection.execute(added.returning(editions.c.id)).scalar_one()
                return new_id
        except IntegrityError:
            taken = (editions.c.digest == digest, editions.c.local_date == day, editions.c.state == EditionState.SKIPPED)
            change = update(editions).where(*taken).values(finished_at=None, **facts).returning(editions.c.id)
            taken_id: int | None = self._connection.execute(change).scalar_one_or_none()
            return taken_id

    def _freeze(self, edition_id: int, digest: str, regions: str, rendering: Rendering, now: datetime) -> None:
        variant_id = self._connection.execute(
            insert(variants)
            .values(edition_id=edition_id, regions=regions, subject=rendering.subject, html=rendering.html, text=rendering.text)
            .returning(variants.c.id)
        ).scalar_one()
        recipients = select(
            literal(edition_id), subscribers.c.id, literal(variant_id), subscribers.c.email,
            literal(DeliveryState.PENDING.value), literal(0), literal(False), literal(0),
            literal(now, deliveries.c.changed_at.type),
        ).where(subscribers.c.state == Standing.CONFIRMED, subscribers.c.regions == regions, wants(digest))  # fmt: skip
        columns = ["edition_id", "subscriber_id", "variant_id", "email", "state", "attempts", "written", "doubts", "changed_at"]
        self._connection.execute(insert(deliveries).from_select(columns, recipients))

    def renderings(self, edition: Edition) -> dict[int, Rendering]:
        """The frozen renderings of an edition by variant."""
        rows = self._connection.execute(select(variants).where(variants.c.edition_id == edition.id))
        return {row.id: Rendering(row.subject, row.html, row.text, edition.slot) for row in rows}

    def finish(self, edition: Edition, now: datetime) -> bool:
        """Calls an edition sent if nothing of it is left to do. Says whether it is."""
        left = exists().where(deliveries.c.edition_id == edition.id, deliveries.c.state.in_(OPEN))
        change = update(editions).where(editions.c.id == edition.id, editions.c.state == EditionState.SENDING, ~left)
        return bool(self._connection.execute(change.values(state=EditionState.SENT, finished_at=now)).rowcount)

    # Deliveries

    def balance(self, edition: Edition) -> dict[DeliveryState, int]:
        """How many deliveries of an edition are in each state; their sum is its recipients."""
        query = (
            select(deliveries.c.state, func.count()).where(deliveries.c.edition_id == edition.id).group_by(deliveries.c.state)
        )
        return {DeliveryState(state): number for state, number in self._connection.execute(query)}

    def troubles(self, edition: Edition, limit: int = 20) -> list[tuple[str, DeliveryState, str]]:
        """Addresses that were not served, with state and the server's last words."""
        states = (DeliveryState.FAILED, DeliveryState.DEFERRED, DeliveryState.IN_DOUBT)
        query = select(deliveries.c.email, deliveries.c.state, deliveries.c.reply).where(
            deliveries.c.edition_id == edition.id, deliveries.c.state.in_(states)
        )
        rows = self._connection.execute(query.order_by(deliveries.c.id).limit(limit))
        return [(email, DeliveryState(state), reply or "") for email, state, reply in rows]

    def next_attempt(self, edition: Edition) -> datetime | None:
        """When the first deferred delivery is to be tried again."""
        query = select(func.min(deliveries.c.next_attempt)).where(
            deliveries.c.edition_id == edition.id, deliveries.c.state == DeliveryState.DEFERRED
        )
        return self._connection.execute(query).scalar()

    def recover(self, edition: Edition, now: datetime, *, resend: bool) -> int:
        """Settles what dead senders left on the wire; returns how many messages are in doubt.

        One whose end was not written yet was surely not taken and goes back in the queue. With ``resend`` one in
        doubt is sent again under the same Message-ID, but once only: nobody gets a third copy. Else it stays in doubt.
        """
        query = select(deliveries.c.id, deliveries.c.holder, deliveries.c.lease_until).where(
            deliveries.c.edition_id == edition.id, deliveries.c.holder.is_not(None), deliveries.c.state.in_(OPEN)
        )
        dead = [row.id for row in self._connection.execute(query) if holder.is_gone(row.holder, row.lease_until, now)]
        in_doubt = 0
        for start in range(0, len(dead), 500):
            mine = deliveries.c.id.in_(dead[start : start + 500])
            sending = and_(mine, deliveries.c.state == DeliveryState.SENDING)
            unended = and_(sending, ~deliveries.c.written)
            self._connection.execute(update(deliveries).where(unended).values(state=DeliveryState.PENDING, changed_at=now))
            words = "the sender died while the message was on the wire"
            in_doubt += self._doubt(sending, words, now, resend=resend)
            self._connection.execute(update(deliveries).where(mine).values(holder=None, lease_until=None))
        return in_doubt

    def claim(self, edition: Edition, me: str, now: datetime, limit: int) -> list[Claimed]:
        """Takes up to ``limit`` deliveries that are due and nobody holds."""
        due = or_(
            deliveries.c.state == DeliveryState.PENDING,
            and_(deliveries.c.state == DeliveryState.DEFERRED, deliveries.c.next_attempt <= now),
        )
        chosen = (
            select(deliveries.c.id)
            .where(deliveries.c.edition_id == edition.id, due, deliveries.c.holder.is_(None))
            .order_by(deliveries.c.id)
            .limit(limit)
        )
        ids = list(self._connection.execute(chosen).scalars())
        lease = now.timestamp() + LEASE_SECONDS
        self._connection.execute(update(deliveries).where(deliveries.c.id.in_(ids)).values(holder=me, lease_until=lease))
        query = (
            select(
                deliveries.c.id, deliveries.c.subscriber_id, subscribers.c.public_id, deliveries.c.email,
                deliveries.c.variant_id, deliveries.c.attempts,
            )
            .join(subscribers)
            .where(deliveries.c.id.in_(ids))
            .order_by(deliveries.c.id)
        )  # fmt: skip
        return [Claimed(*row) for row in self._connection.execute(query)]

    def start(self, claimed: Claimed, me: str, now: datetime) -> bool:
        """Records that a message goes on the wire now, if its subscriber is still one. Says whether it may.

        A subscriber who left meanwhile is not mailed any more.
        """
        still = exists().where(subscribers.c.id == deliveries.c.subscriber_id, subscribers.c.state == Standing.CONFIRMED)
        held = and_(deliveries.c.id == claimed.id, deliveries.c.holder == me, deliveries.c.state.in_(OPEN))
        started = {
            "state": DeliveryState.SENDING,
            "attempts": deliveries.c.attempts + 1,
            "written": False,
            "changed_at": now,
        }
        lease = now.timestamp() + LEASE_SECONDS
        if self._connection.execute(update(deliveries).where(held, still).values(lease_until=lease, **started)).rowcount:
            return True
        self._connection.execute(
            update(deliveries)
            .where(held)
            .values(state=DeliveryState.SUPPRESSED, reply="left before the message was sent", holder=None, changed_at=now)
        )
        return False

    def settle(self, claimed: Claimed, reply: Reply, now: datetime, next_attempt: datetime | None) -> None:
        """Records what became of a message. A deferred one without a next attempt has failed."""
        match reply.outcome:
            case Outcome.ACCEPTED:
                state = DeliveryState.SENT
            case Outcome.DEFERRED if next_attempt:
                state = DeliveryState.DEFERRED
            case _:
                state = DeliveryState.FAILED
        self._settle(claimed, state, reply.text, now, next_attempt if state is DeliveryState.DEFERRED else None)

    def ended(self, claimed: Claimed) -> None:
        """Records that a message's end is about to be written: from now on nobody knows until the server answers."""
        self._connection.execute(update(deliveries).where(deliveries.c.id == claimed.id).values(written=True))

    def doubt(self, claimed: Claimed, words: str, now: datetime, *, resend: bool) -> None:
        """Records that nobody knows whether a message arrived."""
        self._doubt(deliveries.c.id == claimed.id, words, now, resend=resend)

    def _doubt(self, which: ColumnElement[bool], words: str, now: datetime, *, resend: bool) -> int:
        again = and_(deliveries.c.doubts == 0, literal(resend))
        state = case((again, DeliveryState.PENDING.value), else_=DeliveryState.IN_DOUBT.value)
        facts = {"reply": words[:1000], "holder": None, "lease_until": None, "changed_at": now}
        change = update(deliveries).where(which).values(state=state, doubts=deliveries.c.doubts + 1, **facts)
        return self._connection.execute(change).rowcount

    def release(self, held: Sequence[Claimed], me: str) -> None:
        """Gives back what was claimed and not started."""
        ids = [one.id for one in held]
        mine = (deliveries.c.id.in_(ids), deliveries.c.holder == me)
        self._connection.execute(update(deliveries).where(*mine).values(holder=None, lease_until=None))

    def hand_back(self, claimed: Claimed, now: datetime) -> None:
        """Puts a message that was surely not sent back in the queue, its attempt not counted."""
        self._connection.execute(
            update(deliveries)
            .where(deliveries.c.id == claimed.id)
            .values(state=DeliveryState.PENDING, attempts=claimed.attempts, holder=None, lease_until=None, changed_at=now)
        )

    def _settle(self, claimed: Claimed, state: DeliveryState, words: str, now: datetime, next_attempt: datetime | None) -> None:
        self._connection.execute(
            update(deliveries)
            .where(deliveries.c.id == claimed.id)
            .values(
                state=state,
                reply=words[:1000],
                next_attempt=next_attempt,
                holder=None,
                lease_until=None,
                changed_at=now,
                written=state in (DeliveryState.SENT, DeliveryState.IN_DOUBT),
            )
        )
