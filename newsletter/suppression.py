"""Which addresses must not be mailed again, why, and until when.

A suppression knows its address as a keyed hash only. So it outlives the deletion of the subscriber, tells nobody an
address, and still recognises one that comes back.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, bindparam, insert, null, or_, select, update

from content.database import Instant
from newsletter.subscribers import Standing, address_key
from newsletter.tables import subscribers, suppressions

_PURPOSE = b"dateline.suppression\0"
_LONGEST = 1000
"""Characters of evidence that are kept of each text."""
_ADDRESS = re.compile(r"[^\s<>\"'(),:;=@\[\]]+@(?=[\w\[])")


# Made once: an import asks for each of its lines.
_HOLDS = select(suppressions.c.id, suppressions.c.expires_at).where(
    suppressions.c.address_hash == bindparam("hashed"),
    suppressions.c.lifted_at.is_(None),
    or_(suppressions.c.expires_at.is_(None), suppressions.c.expires_at > bindparam("now", type_=Instant())),
)


class Reason(StrEnum):
    """Why an address is not mailed."""

    HARD_BOUNCE = "hard bounce"
    COMPLAINT = "complaint"
    SOFT_BOUNCES = "soft bounces"
    BY_HAND = "by hand"
    ERASED = "erased"
    """Its owner asked for everything about it to be deleted; this hash is all that stays."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a suppression rests on: status code, the server's words, the beginning of the message, and when that was."""

    code: str = ""
    diagnostic: str = ""
    excerpt: str = ""
    happened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Suppression:
    """An address that must not be mailed. ``email`` is empty unless a subscriber still has it; no expiry means for good."""

    id: int
    address_hash: str
    email: str
    reason: Reason
    evidence: Evidence
    created_at: datetime
    expires_at: datetime | None
    lifted_at: datetime | None
    lifted_why: str


class Suppressions:
    """The suppressions of a site, within one transaction of ``connection`` and under the site's ``key``."""

    def __init__(self, connection: Connection, key: str) -> None:
        self._connection = connection
        self._key = key.encode()

    def hash(self, email: str) -> str:
        """The form in which an address is kept. Raises ``SubscriberError`` for what is no address."""
        return hmac.digest(self._key, _PURPOSE + address_key(email).encode(), "sha256").hex()

    def add(
        self, email: str, reason: Reason, now: datetime, evidence: Evidence | None = None, until: datetime | None = None
    ) -> bool:
        """Suppresses an address at once, for good or ``until`` a time. Says whether that is new.

        One that holds already for this reason keeps its evidence, and its end where that is later.
        """
        hashed = self.hash(email)
        self.expire(now, hashed)
        member = self._member(email)
        same = _HOLDS.where(suppressions.c.reason == reason)
        there = self._connection.execute(same, {"hashed": hashed, "now": now}).one_or_none()
        if there is None:
            self._connection.execute(insert(suppressions).values(
                address_hash=hashed, subscriber_id=member.id if member else None, reason=reason, created_at=now,
                expires_at=until, **_kept(evidence or Evidence(), email, now),
            ))  # fmt: skip
        elif there.expires_at and (until is None or until > there.expires_at):
            self._connection.execute(update(suppressions).where(suppressions.c.id == there.id).values(expires_at=until))
        if member and member.state not in (Standing.SUPPRESSED, Standing.LEFT):
            self._connection.execute(
                update(subscribers)
                .where(subscribers.c.id == member.id)
                .values(state=Standing.SUPPRESSED, state_before=subscribers.c.state)
            )
        return there is None

    def lift(self, email: str, why: str, now: datetime) -> int:
        """Ends all suppressions of an address; its subscriber stands again where they stood. Says how many there were."""
        hashed = self.hash(email)
        return self._lift(and_(suppressions.c.address_hash == hashed, suppressions.c.lifted_at.is_(None)), why, now)

    def expire(self, now: datetime, address_hash: str | None = None) -> int:
        """Lifts those whose time is over, of all addresses or of one. To be called before an edition takes its recipients."""
        over = and_(suppressions.c.lifted_at.is_(None), suppressions.c.expires_at <= now)
        return self._lift(
            over if address_hash is None else and_(over, suppressions.c.address_hash == address_hash), "expired", now
        )

    def holds(self, email: str, now: datetime) -> bool:
        """Whether an address must not be mailed."""
        return self._connection.execute(_HOLDS, {"hashed": self.hash(email), "now": now}).first() is not None

    def all(self, *, lifted: bool = False) -> Iterator[Suppression]:
        """Those that hold, the newest first; with ``lifted`` all there ever were."""
        query = select(suppressions, subscribers.c.email).outerjoin(subscribers).order_by(suppressions.c.id.desc())
        if not lifted:
            query = query.where(suppressions.c.lifted_at.is_(None))
        for row in self._connection.execution_options(yield_per=1000).execute(query):
            yield _suppression(row)

    def last_lifted(self, address_hash: str) -> datetime | None:
        """When an address was last given another chance: what was held against it before is forgiven."""
        query = select(suppressions.c.lifted_at).where(suppressions.c.address_hash == address_hash)
        return max((at for at in self._connection.execute(query).scalars() if at), default=None)

    def _member(self, email: str) -> Any:
        query = select(subscribers.c.id, subscribers.c.state).where(subscribers.c.email_key == address_key(email))
        return self._connection.execute(query).one_or_none()

    def _lift(self, which: ColumnElement[bool], why: str, now: datetime) -> int:
        change = update(suppressions).where(which).values(lifted_at=now, lifted_why=why[:_LONGEST])
        lifted = self._connection.execute(change.returning(suppressions.c.subscriber_id)).scalars().all()
        still = select(suppressions.c.subscriber_id).where(
            suppressions.c.lifted_at.is_(None), suppressions.c.subscriber_id.is_not(None)
        )
        for member in {one for one in lifted if one is not None}:
            free = (subscribers.c.id == member, subscribers.c.state == Standing.SUPPRESSED, subscribers.c.id.not_in(still))
            back = update(subscribers).where(*free).values(state=subscribers.c.state_before, state_before=null())
            self._connection.execute(back)
        return len(lifted)


def without_addresses(text: str, email: str = "") -> str:
    """A text with the names before every ``@`` taken out, and that of ``email`` wherever it stands."""
    shown = _ADDRESS.sub("...@", text)
    name = email.rpartition("@")[0]
    # Names this short are parts of ordinary words.
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "...", shown, flags=re.IGNORECASE) if len(name) > 2 else shown


def _kept(evidence: Evidence, email: str, now: datetime) -> dict[str, object]:
    return {
        "code": evidence.code[:16],
        "diagnostic": without_addresses(evidence.diagnostic, email)[:_LONGEST],
        "excerpt": without_addresses(evidence.excerpt, email)[:_LONGEST],
        "happened_at": evidence.happened_at or now,
    }


def _suppression(row: Any) -> Suppression:
    evidence = Evidence(row.code, row.diagnostic, row.excerpt, row.happened_at)
    return Suppression(
        row.id, row.address_hash, row.email or "", Reason(row.reason), evidence, row.created_at, row.expires_at,
        row.lifted_at, row.lifted_why or "",
    )  # fmt: skip
