"""What is to be sent, being sent and sent: the rows that outlive any crash.

An edition and all its deliveries come into being in one transaction. From then on ``claims`` says who sends them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, exists, func, insert, literal, or_, select, text, update
from sqlalchemy.exc import IntegrityError

from content.article import Article
from content.errors import DatelineError
from newsletter.digest import History
from newsletter.preferences import Frequency, preference_key, wants
from newsletter.rendering import Rendering
from newsletter.subscribers import Standing
from newsletter.tables import OPEN_SQL, deliveries, edition_articles, editions, subscribers, variants


class DeliveryState(StrEnum):
    PENDING = "pending"
    SENDING = "sending"
    """On the wire, or left there by a sender that died."""
    SENT = "sent"
    DEFERRED = "deferred"
    """The server said: not now; to be tried again at ``next_attempt``."""
    FAILED = "failed"
    SUPPRESSED = "suppressed"
    """Excluded after the edition was made: the subscriber left, or the edition was cancelled."""
    IN_DOUBT = "in doubt"
    """Nobody knows whether it arrived, and the config says not to send it again."""


class EndedError(DatelineError):
    """What is asked of an edition comes too late: it was ended for good."""


class EditionState(StrEnum):
    SENDING = "sending"
    PAUSED = "paused"
    """Nothing is sent until somebody says so."""
    CANCELLED = "cancelled"
    """Who has not got it will not get it."""
    SENT = "sent"
    SKIPPED = "skipped"
    """There was nothing to say that day."""


_WENT_OUT = (EditionState.SENDING, EditionState.PAUSED, EditionState.SENT)


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
    finished_at: datetime | None = None
    note: str = ""
    """Why it is paused or was cancelled."""
    excluded: Mapping[str, int] = field(default_factory=dict)
    """Who was left out when it was made: how many for which reason."""


def _edition(row: Any) -> Edition:
    return Edition(
        row.id, row.digest, row.local_date, EditionState(row.state), row.subject, row.slot, row.recipients, row.created_at,
        row.finished_at, row.note, json.loads(row.excluded),
    )  # fmt: skip


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

    def opens_week(self, digest: str, day: date) -> bool:
        """Whether an edition of ``day`` would be the first of its ISO week that goes out."""
        monday = day - timedelta(days=day.weekday())
        week = editions.c.local_date.between(monday, monday + timedelta(days=6))
        return self._one(editions.c.digest == digest, week, editions.c.state.in_(_WENT_OUT)) is None

    def history_of_weeks(self, digest: str, day: date) -> History:
        """The history as it was after the last edition, before the week of ``day``, that opened a week."""
        before = (editions.c.digest == digest, editions.c.state.in_(_WENT_OUT))
        newest = self._one(*before, editions.c.local_date < day - timedelta(days=day.weekday()))
        if newest is None:
            return History({}, None)
        monday = newest.local_date - timedelta(days=newest.local_date.weekday())
        opening = select(editions.c.local_date, editions.c.created_at).where(*before, editions.c.local_date >= monday)
        first = self._connection.execute(opening.order_by(editions.c.local_date).limit(1)).one()
        carried = self._connection.execute(
            select(edition_articles.c.article_id, editions.c.local_date)
            .join(editions)
            .where(editions.c.digest == digest, editions.c.local_date <= first.local_date)
            .order_by(editions.c.local_date.desc())
        )
        return History({row.article_id: row.local_date for row in carried}, first.created_at)

    def edition(self, digest: str, day: date) -> Edition | None:
        """The edition of a digest for a local date."""
        return self._one(editions.c.digest == digest, editions.c.local_date == day)

    def last(self, digest: str, until: date = date.max) -> Edition | None:
        """The newest edition of a digest, of a date up to ``until``, whatever became of it."""
        return self._one(editions.c.digest == digest, editions.c.local_date <= until)

    def cancelled(self, digest: str) -> list[Edition]:
        """The cancelled editions of a digest of which a sender had something when they were cancelled, and may have still."""
        conditions = (editions.c.digest == digest, editions.c.state == EditionState.CANCELLED, editions.c.finished_at.is_(None))
        return [_edition(row) for row in self._connection.execute(select(editions).where(*conditions))]

    def unfinished(self, digest: str, now: datetime) -> list[Edition]:
        """The editions of a digest that are not wholly sent and of which something is to be done now, the oldest first."""
        open_ones = and_(deliveries.c.edition_id == editions.c.id, text(OPEN_SQL))
        due = exists().where(open_ones, or_(deliveries.c.next_attempt.is_(None), deliveries.c.next_attempt <= now))
        over = ~exists().where(open_ones)
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
        """Freezes an edition: its articles, its renderings by preference, its recipients. Its subject is that of the first.

        ``None`` when the digest has an edition for that local date already. A date that was skipped may be taken.
        """
        first = next(iter(renderings.values()))
        facts = {"subject": first.subject, "slot": first.slot, "state": EditionState.SENDING, "created_at": now}
        edition_id = self._take_date(digest, day, facts)
        if edition_id is None:
            return None
        rows = [{"edition_id": edition_id, "article_id": a.id, "position": n} for n, a in enumerate(articles)]
        self._connection.execute(insert(edition_articles), rows)
        self._connection.execute(insert(variants), [
            {"edition_id": edition_id, "preferences": key, "subject": one.subject, "html": one.html, "text": one.text}
            for key, one in renderings.items()
        ])  # fmt: skip
        recipients = self._freeze(edition_id, digest, day, now)
        weekly = any(key.startswith(Frequency.WEEKLY) for key in renderings)
        taken = {"recipients": recipients, "excluded": json.dumps(self._excluded(digest, recipients, day, weekly=weekly))}
        self._connection.execute(update(editions).where(editions.c.id == edition_id).values(**taken))
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

    def _freeze(self, edition_id: int, digest: str, day: date, now: datetime) -> int:
        """Takes the recipients, with consent as it is now; those who share a rendering stand together."""
        mine = (variants.c.edition_id == edition_id, variants.c.preferences == preference_key())
        recipients = (
            select(
                literal(edition_id), subscribers.c.id, variants.c.id, subscribers.c.email, literal(DeliveryState.PENDING.value),
                literal(0), literal(0), literal(now, deliveries.c.changed_at.type),
            )
            .join_from(variants, subscribers, and_(*mine))
            .where(subscribers.c.state == Standing.CONFIRMED, wants(digest, day))
            .order_by(variants.c.id, subscribers.c.id)
        )  # fmt: skip
        columns = ["edition_id", "subscriber_id", "variant_id", "email", "state", "attempts", "doubts", "changed_at"]
        return self._connection.execute(insert(deliveries).from_select(columns, recipients)).rowcount

    def _excluded(self, digest: str, recipients: int, day: date, *, weekly: bool) -> dict[str, int]:
        """Who wanted the digest that day and is no recipient: how many for which reason."""
        there = subscribers.c.state.not_in((Standing.LEFT, Standing.ERASED))
        query = select(subscribers.c.state, func.count()).where(there, wants(digest, day, weekly=weekly))
        rows = self._connection.execute(query.group_by(subscribers.c.state))
        numbers = {str(state): number for state, number in rows}
        without_news = numbers.pop(Standing.CONFIRMED, 0) - recipients
        named = {"never confirmed": numbers.pop(Standing.PENDING, 0), "no news of their regions": without_news} | numbers
        return {reason: number for reason, number in named.items() if number}

    def rendering(self, edition: Edition, variant_id: int) -> Rendering:
        """A frozen rendering of an edition."""
        row = self._connection.execute(select(variants).where(variants.c.id == variant_id)).one()
        return Rendering(row.subject, row.html, row.text, edition.slot)

    def state(self, edition: Edition) -> EditionState:
        """What an edition's state is now."""
        return EditionState(self._connection.execute(select(editions.c.state).where(editions.c.id == edition.id)).scalar_one())

    def change(self, edition: Edition, state: EditionState, note: str = "", *, only: Sequence[EditionState]) -> bool:
        """Pauses, resumes or cancels an edition that is in one of the states ``only``. Says whether it was."""
        which = (editions.c.id == edition.id, editions.c.state.in_(only))
        return bool(self._connection.execute(update(editions).where(*which).values(state=state, note=note)).rowcount)

    def drop_rest(self, edition: Edition, now: datetime) -> int:
        """Excludes from a cancelled edition who has not got it, but for what senders hold; returns how many.

        Who may have got it, and was to get it again, stays in doubt.
        """
        rest = update(deliveries).where(deliveries.c.edition_id == edition.id, deliveries.c.holder.is_(None), text(OPEN_SQL))
        facts = {"next_attempt": None, "changed_at": now}
        self._connection.execute(rest.where(deliveries.c.doubts > 0).values(state=DeliveryState.IN_DOUBT, **facts))
        dropped = rest.values(state=DeliveryState.SUPPRESSED, reply="the edition was cancelled", **facts)
        number = self._connection.execute(dropped).rowcount
        over = (
            editions.c.id == edition.id, editions.c.state == EditionState.CANCELLED, editions.c.finished_at.is_(None),
            ~self._open(edition),
        )  # fmt: skip
        self._connection.execute(update(editions).where(*over).values(finished_at=now))
        return number

    def retry(self, edition: Edition, states: Sequence[DeliveryState], now: datetime) -> int:
        """Puts deliveries in these states back into the queue; returns how many.

        An edition that was sent is being sent again; a paused one stays so. Raises ``EndedError`` for a cancelled one.
        """
        if self.state(edition) is EditionState.CANCELLED:
            raise EndedError(
                f"{edition.digest} of {edition.local_date} was cancelled, and that is for good: nobody is mailed it again; "
                "nothing was changed"
            )
        which = (deliveries.c.edition_id == edition.id, deliveries.c.state.in_(states))
        facts = {"state": DeliveryState.PENDING, "attempts": 0, "next_attempt": None, "changed_at": now}
        again = self._connection.execute(update(deliveries).where(*which).values(**facts)).rowcount
        if again:
            sent = (editions.c.id == edition.id, editions.c.state == EditionState.SENT)
            back = {"state": EditionState.SENDING, "finished_at": None, "note": ""}
            self._connection.execute(update(editions).where(*sent).values(**back))
        return again

    def forgive(self, edition: Edition) -> int:
        """Makes due what a server put off because it refused us (RFC 3463 x.7.x); returns how many."""
        ours = deliveries.c.reply.startswith("the server refuses", autoescape=True)
        which = (deliveries.c.edition_id == edition.id, deliveries.c.state == DeliveryState.DEFERRED, ours)
        change = update(deliveries).where(*which).values(state=DeliveryState.PENDING, next_attempt=None)
        return self._connection.execute(change).rowcount

    def _open(self, edition: Edition) -> ColumnElement[bool]:
        return exists().where(deliveries.c.edition_id == edition.id, text(OPEN_SQL))

    def finish(self, edition: Edition, now: datetime) -> bool:
        """Calls an edition sent if nothing of it is left to do. Says whether it is."""
        which = (editions.c.id == edition.id, editions.c.state == EditionState.SENDING, ~self._open(edition))
        change = update(editions).where(*which)
        return bool(self._connection.execute(change.values(state=EditionState.SENT, finished_at=now)).rowcount)
