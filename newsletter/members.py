"""One member's own affairs: what she gets, leaving and coming back, another address.

Who calls has seen a signed token of that member; nothing here asks who it is.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select, update

from newsletter.preferences import Frequency, packed, unpacked
from newsletter.subscribers import Standing, SubscriberError, address_key
from newsletter.suppression import Suppressions
from newsletter.tables import subscribers, suppressions

BETWEEN_ADDRESSES = timedelta(minutes=10)
"""How long a member waits before another address may be asked for: each is sent a message."""


@dataclass(frozen=True, slots=True)
class Member:
    """All that is kept of a member. No regions, or no digests, means all; ``paused_until`` is the first day to be mailed on."""

    public_id: str
    email: str
    standing: Standing
    digests: tuple[str, ...]
    regions: tuple[str, ...]
    frequency: Frequency
    paused_until: date | None
    language: str
    time_zone: str
    origin: str
    joined_at: datetime
    confirmed_at: datetime | None
    left_at: datetime | None
    new_email: str | None


@dataclass(frozen=True, slots=True)
class Choices:
    """What a member wants from now on."""

    digests: tuple[str, ...]
    regions: tuple[str, ...]
    frequency: Frequency
    paused_until: date | None
    language: str
    time_zone: str


@dataclass(frozen=True, slots=True)
class Left:
    """That somebody left, of which digest (empty: all), and what has to be signed for taking that back (empty: cannot be)."""

    digest: str
    undo: str


class Members:
    """The members of a site, within one transaction of ``connection``. ``digests`` are the names of those there are."""

    def __init__(self, connection: Connection, suppressions: Suppressions, digests: Collection[str]) -> None:
        self._connection = connection
        self._suppressions = suppressions
        self._digests = set(digests)

    def find(self, public_id: str) -> Member | None:
        """The member of this public id, wherever she stands; the erased are nobody."""
        row = self._row(public_id)
        return None if row is None else _member(row)

    def choose(self, public_id: str, choices: Choices) -> bool:
        """Sets what a member gets. Says whether there is such a one."""
        digests = set(choices.digests) & self._digests
        return self._change(
            public_id,
            # Whoever wants all of them wants those to come as well.
            digests="" if digests == self._digests else packed(digests), regions=packed(choices.regions),
            frequency=choices.frequency, paused_until=choices.paused_until, language=choices.language,
            time_zone=choices.time_zone,
        )  # fmt: skip

    # Leaving

    def leave(self, public_id: str, now: datetime) -> Left | None:
        """Takes a member out at once, in the middle of a sending too; ``None`` when there is nobody to take out."""
        row = self._row(public_id)
        if row is None or row.state == Standing.LEFT:
            return None
        self._change(public_id, state=Standing.LEFT, state_before=None, left_at=now)
        # Who never confirmed, or must not be mailed, is not brought in by taking that back.
        return Left("", f"{public_id}~~{_mark(now)}" if row.state == Standing.CONFIRMED else "")

    def leave_digest(self, public_id: str, digest: str, now: datetime) -> Left | None:
        """Takes a member out of one digest; who gets no other leaves altogether."""
        row = self._row(public_id)
        if row is None or row.state == Standing.LEFT or digest not in self._digests:
            return None
        has = set(unpacked(row.digests)) or self._digests
        if not has & self._digests - {digest}:
            return self.leave(public_id, now)
        if digest not in has:
            return None
        self._change(public_id, digests=packed(has - {digest}))
        return Left(digest, f"{public_id}~{digest}~")

    def undo(self, subject: str, now: datetime) -> Member | None:
        """Takes back what ``subject`` (of :class:`Left`) stands for, once; ``None`` when that cannot be done any more."""
        public_id, digest, mark = (*subject.split("~"), "", "")[:3]
        row = self._row(public_id)
        if row is None or self._suppressions.holds(row.email, now):
            return None
        if digest:
            has = set(unpacked(row.digests))
            if row.state != Standing.CONFIRMED or not has or digest not in self._digests:
                return None
            has.add(digest)
            self._change(public_id, digests="" if has >= self._digests else packed(has))
        else:
            # That very leaving: who left again since stays out.
            if row.state != Standing.LEFT or row.left_at is None or _mark(row.left_at) != mark:
                return None
            self._change(public_id, state=Standing.CONFIRMED, left_at=None)
        return self.find(public_id)

    # Another address

    def ask_for_address(self, public_id: str, email: str, now: datetime) -> bool:
        """Notes the address that a member wants to be mailed at. Says whether a message may be sent there.

        Raises ``SubscriberError`` for what is no address.
        """
        key, row = address_key(email), self._row(public_id)
        if row is None or not _consents(row) or row.email_key == key:
            return False
        if row.new_email_at and now - row.new_email_at < BETWEEN_ADDRESSES:
            return False
        self._change(public_id, new_email=email.strip(), new_email_at=now)
        return not self._suppressions.holds(key, now)

    def take_address(self, public_id: str, email: str, now: datetime) -> Member:
        """The member under the address that she asked for and whose mail she reads. Raises ``SubscriberError``."""
        key = address_key(email)
        row = self._row(public_id)
        if row is None or row.new_email is None or address_key(row.new_email) != key:
            raise SubscriberError("This address is not waiting to be confirmed any more: ask for it anew.")
        there = select(subscribers.c.id).where(subscribers.c.email_key == key, subscribers.c.id != row.id)
        if self._connection.execute(there).first() is not None or self._suppressions.holds(key, now):
            raise SubscriberError("This address cannot be taken: it is known here in its own right.")
        self._change(public_id, email=row.new_email, email_key=key, new_email=None, new_email_at=None)
        if row.state == Standing.SUPPRESSED and _consents(row):
            # It was the old address that could not be mailed; that stays so.
            theirs = update(suppressions).where(suppressions.c.subscriber_id == row.id)
            self._connection.execute(theirs.values(subscriber_id=None))
            self._change(public_id, state=Standing.CONFIRMED, state_before=None)
        found = self.find(public_id)
        assert found is not None
        return found

    def _row(self, public_id: str) -> Any:
        there = (subscribers.c.public_id == public_id, subscribers.c.state != Standing.ERASED)
        return self._connection.execute(select(subscribers).where(*there)).one_or_none()

    def _change(self, public_id: str, **facts: object) -> bool:
        there = (subscribers.c.public_id == public_id, subscribers.c.state != Standing.ERASED)
        return bool(self._connection.execute(update(subscribers).where(*there).values(**facts)).rowcount)


def _consents(row: Any) -> bool:
    """Whether a member wants to be mailed, also where the address does not take it."""
    stands = row.state_before if row.state == Standing.SUPPRESSED else row.state
    return bool(stands == Standing.CONFIRMED)


def _mark(moment: datetime) -> str:
    return f"{moment:%Y%m%d%H%M%S%f}"


def _member(row: Any) -> Member:
    return Member(
        row.public_id, row.email, Standing(row.state), unpacked(row.digests), unpacked(row.regions), Frequency(row.frequency),
        row.paused_until, row.language, row.time_zone, row.origin, row.created_at, row.confirmed_at, row.left_at, row.new_email,
    )  # fmt: skip
