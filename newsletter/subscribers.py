"""Who gets the newsletter: joining, choosing, leaving."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, insert, or_, select, update

from content.errors import DatelineError
from content.regions import Region
from newsletter.headers import HeaderError, ascii_address
from newsletter.tables import subscribers, suppressions

if TYPE_CHECKING:
    from newsletter.suppression import Suppressions


class SubscriberError(DatelineError):
    """An address that cannot be taken in, and why."""


class Standing(StrEnum):
    """Where a subscriber stands. Only the confirmed are mailed."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    LEFT = "left"
    SUPPRESSED = "suppressed"
    """Mail to them bounced or they complained; lifting the suppression brings back where they stood."""


@dataclass(frozen=True, slots=True)
class Subscriber:
    """An address with its consent and preferences. No regions, or no digests, means all of them."""

    id: int
    public_id: str
    email: str
    standing: Standing
    regions: tuple[str, ...]
    digests: tuple[str, ...]
    origin: str
    created_at: datetime
    confirmed_at: datetime | None


class Joined(StrEnum):
    """What became of an address that was taken in."""

    ADDED = "added"
    CONFIRMED = "confirmed"
    UNCHANGED = "unchanged"
    BACK = "back"
    LEFT_BEFORE = "left before"
    """The address had left; only its owner can bring it back."""
    SUPPRESSED = "suppressed"
    """The address must not be mailed; somebody has to look into why, and lift that."""


def address_key(email: str) -> str:
    """The form of an address by which it is known: ASCII domain, lower case. Raises ``SubscriberError``."""
    try:
        return ascii_address(email.strip()).lower()
    except HeaderError as error:
        raise SubscriberError(str(error)) from None


class Subscribers:
    """The members of a site, within one transaction of ``connection``.

    ``suppressions`` are asked about addresses that join; where nobody joins they may be left out.
    """

    def __init__(self, connection: Connection, suppressions: Suppressions | None = None) -> None:
        self._connection = connection
        self._suppressions = suppressions

    def join(
        self, email: str, *, origin: str, now: datetime, confirmed: bool,
        regions: Iterable[Region] = (), digests: Iterable[str] = (), again: bool = False,
    ) -> Joined:  # fmt: skip
        """Takes an address in, with ``confirmed`` when its owner's consent is already known.

        Someone who left stays out, unless they themselves want to come in ``again``; a suppressed address stays out in any
        case. Preferences of a member that are already there are kept.
        """
        key = address_key(email)
        row = self._connection.execute(select(subscribers).where(subscribers.c.email_key == key)).one_or_none()
        if self._is_suppressed(key, row, now):
            return Joined.SUPPRESSED
        if row is None:
            self._connection.execute(insert(subscribers).values(
                public_id=secrets.token_hex(12), email=email.strip(), email_key=key,
                state=Standing.CONFIRMED if confirmed else Standing.PENDING,
                regions=packed(place.code for place in regions), digests=packed(digests),
                origin=origin, created_at=now, confirmed_at=now if confirmed else None,
            ))  # fmt: skip
            return Joined.ADDED
        if row.state == Standing.LEFT and not again:
            return Joined.LEFT_BEFORE
        if row.state == Standing.LEFT:
            back = {"state": Standing.CONFIRMED if confirmed else Standing.PENDING, "confirmed_at": now if confirmed else None}
            self._connection.execute(
                update(subscribers).where(subscribers.c.id == row.id).values(left_at=None, origin=origin, **back)
            )
            return Joined.BACK
        if row.state == Standing.PENDING and confirmed:
            self._connection.execute(
                update(subscribers).where(subscribers.c.id == row.id).values(state=Standing.CONFIRMED, confirmed_at=now)
            )
            return Joined.CONFIRMED
        return Joined.UNCHANGED

    def _is_suppressed(self, key: str, row: Any, now: datetime) -> bool:
        if row is not None and row.state == Standing.SUPPRESSED:
            return True
        if self._suppressions:
            return self._suppressions.holds(key, now)
        # Without the site's key only the addresses that have a row can be told apart: rather stop than mail the others.
        holding = select(suppressions.c.subscriber_id).where(suppressions.c.lifted_at.is_(None))
        if row is not None:
            return self._connection.execute(holding.where(suppressions.c.subscriber_id == row.id)).first() is not None
        if self._connection.execute(holding.limit(1)).first() is not None:
            raise SubscriberError(f"{key}: whether it is suppressed cannot be told without the site's key; nothing was added")
        return False

    def choose(self, email: str, *, regions: Iterable[Region] | None = None, digests: Iterable[str] | None = None) -> bool:
        """Sets what a member gets; ``None`` leaves a choice as it is, none means all. Says whether there is such a one."""
        chosen = {}
        if regions is not None:
            chosen["regions"] = packed(place.code for place in regions)
        if digests is not None:
            chosen["digests"] = packed(digests)
        who = subscribers.c.email_key == address_key(email), subscribers.c.state != Standing.LEFT
        # Nothing to set: the question alone.
        change = update(subscribers).where(*who).values(chosen or {"email": subscribers.c.email})
        return bool(self._connection.execute(change).rowcount)

    def leave(self, email: str, now: datetime) -> bool:
        """Takes a member out at once, in the middle of a sending too. Says whether there was one."""
        change = update(subscribers).where(subscribers.c.email_key == address_key(email), subscribers.c.state != Standing.LEFT)
        return bool(self._connection.execute(change.values(state=Standing.LEFT, state_before=None, left_at=now)).rowcount)

    def count(self) -> dict[Standing, int]:
        rows = self._connection.execute(select(subscribers.c.state, func.count()).group_by(subscribers.c.state))
        return {Standing(state): number for state, number in rows}

    def all(self) -> Iterator[Subscriber]:
        """Every subscriber in the order of joining."""
        for row in self._connection.execution_options(yield_per=1000).execute(select(subscribers).order_by(subscribers.c.id)):
            yield Subscriber(
                row.id, row.public_id, row.email, Standing(row.state), unpacked(row.regions), unpacked(row.digests),
                row.origin, row.created_at, row.confirmed_at,
            )  # fmt: skip

    def preferences(self, digest: str) -> list[tuple[str, int]]:
        """The region preferences (packed) of those who are due this digest, and how many share each."""
        query = (
            select(subscribers.c.regions, func.count())
            .where(subscribers.c.state == Standing.CONFIRMED, wants(digest))
            .group_by(subscribers.c.regions)
            .order_by(subscribers.c.regions)
        )
        return [(regions, number) for regions, number in self._connection.execute(query)]


def wants(digest: str):  # type: ignore[no-untyped-def]
    """The condition on a subscriber's row that this digest is wanted."""
    return or_(subscribers.c.digests == "", subscribers.c.digests.like(f"%,{digest.replace('_', '#_')},%", escape="#"))


def packed(words: Iterable[str]) -> str:
    """Words of a preference as a row keeps them: sorted, with commas around them; none means all."""
    listed = sorted(set(words))
    return f",{','.join(listed)}," if listed else ""


def unpacked(words: str) -> tuple[str, ...]:
    """The words of a packed preference."""
    return tuple(word for word in words.split(",") if word)
