"""What becomes of the members of a list, a batch at a time: who comes in, who stays out?"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, bindparam, case, insert, literal, or_, select, update

from newsletter.consent import Event
from newsletter.lists.rows import Row
from newsletter.lists.told import Told
from newsletter.subscribers import Standing
from newsletter.suppression import Evidence, Reason, Suppressions
from newsletter.tables import consents, subscribers, suppressions

BY_IMPORT = "import: "
"""How the origin of a member begins whose consent somebody else took."""
_LONGEST_ORIGIN = 300


class Fate(StrEnum):
    """What became of a line."""

    ADDED = "added"
    CONFIRMED = "confirmed"
    """Was waiting for consent, which the list has."""
    MERGED = "merged"
    """Was a member, from before or by another line."""
    LEFT = "left"
    SUPPRESSED = "suppressed"


@dataclass(slots=True)
class _Known:
    """A member that the database has, or that this batch adds (``values``)."""

    state: Standing
    came_by_list: bool
    confirmed_at: datetime | None
    id: int | None = None
    values: dict[str, Any] | None = None


class Batch:
    """Takes in members of one list within one transaction of ``connection``.

    ``confirmed`` says that those who are subscribed there have agreed to be mailed.
    """

    def __init__(self, connection: Connection, key: str, now: datetime, source: str, *, confirmed: bool) -> None:
        self._connection = connection
        self._suppressions = Suppressions(connection, key)
        self._now = now
        self._origin = f"{BY_IMPORT}{source}, {now:%Y-%m-%d}"
        self._confirmed = confirmed
        # Ids of one batch lie side by side in their index; each at a place of its own would be written with its whole page.
        self._prefix = secrets.token_hex(4)
        self._agreed: set[str] = set()
        self._changes: list[dict[str, object]] = []
        self._to_suppress: list[Row] = []
        self._known: dict[str, _Known] = {}
        self._held: dict[str, set[str]] = {}

    def take(self, rows: Sequence[Row]) -> list[Fate]:
        """What became of each row, in their order. Whoever left or is suppressed stays so, whatever a row says."""
        self._look_up({row.key for row in rows})
        fates = [self._settle(row) for row in rows]
        if added := [one.values for one in self._known.values() if one.values]:
            self._connection.execute(insert(subscribers), added)
        if self._changes:
            change = update(subscribers).where(subscribers.c.id == bindparam("which"))
            settable: dict[str, Any] = {name: bindparam(name) for name in ("state", "state_before", "confirmed_at", "left_at")}
            self._connection.execute(change.values(settable), self._changes)
        self._keep_consent()
        for row in self._to_suppress:
            evidence = Evidence(diagnostic=self._origin, happened_at=row.left_at)
            if row.reason:
                self._suppressions.add(row.key, row.reason, self._now, evidence, row.suppressed_until)
        return fates

    def _keep_consent(self) -> None:
        """Evidence for those whom this list made members: on whose word, and since when."""
        c = subscribers.c
        who = {one.values["email_key"] for one in self._known.values() if one.values and one.state is Standing.CONFIRMED}
        who |= self._agreed
        found = select(
            c.id, literal(Event.IMPORTED.value), c.confirmed_at,
            case((c.origin.startswith(self._origin, autoescape=True), c.origin), else_=literal(self._origin)), literal(""),
        ).where(c.email_key.in_(list(who)), c.state == Standing.CONFIRMED)  # fmt: skip
        if who:
            columns = ["subscriber_id", "event", "happened_at", "source", "network"]
            self._connection.execute(insert(consents).from_select(columns, found))

    def _look_up(self, keys: Iterable[str]) -> None:
        listed = list(keys)
        c = subscribers.c
        for one in self._connection.execute(
            select(c.id, c.email_key, c.state, c.origin, c.confirmed_at).where(c.email_key.in_(listed))
        ):
            by_list = one.origin.startswith(BY_IMPORT)
            self._known[one.email_key] = _Known(Standing(one.state), by_list, one.confirmed_at, one.id)
        hashed = {self._suppressions.hash(key): key for key in listed}
        held = suppressions.c
        for address_hash, reason in self._connection.execute(
            select(held.address_hash, held.reason).where(
                held.address_hash.in_(list(hashed)),
                held.lifted_at.is_(None),
                or_(held.expires_at.is_(None), held.expires_at > self._now),
            )
        ):
            self._held.setdefault(hashed[address_hash], set()).add(reason)

    def _settle(self, row: Row) -> Fate:
        known = self._known.get(row.key)
        if row.told.is_out:
            return self._take_out(row, known)
        if row.key in self._held or (known and known.state is Standing.SUPPRESSED):
            return Fate.SUPPRESSED
        agreed = self._confirmed and row.told is Told.SUBSCRIBED
        if known is None:
            self._add(row, Standing.CONFIRMED if agreed else Standing.PENDING)
            return Fate.ADDED
        if known.state is Standing.LEFT:
            return Fate.LEFT
        if known.state is Standing.PENDING and agreed:
            self._change(known, Standing.CONFIRMED, confirmed_at=row.confirmed_at or self._now)
            if known.values is None:
                self._agreed.add(row.key)
            return Fate.CONFIRMED
        return Fate.MERGED

    def _take_out(self, row: Row, known: _Known | None) -> Fate:
        """Somebody who left, or to whom mail does not go, by the list's word."""
        fate = Fate.LEFT if row.told is Told.LEFT else Fate.SUPPRESSED
        if known and _came_back(row, known):
            return Fate.MERGED
        if known is None and Reason.ERASED in self._held.get(row.key, ()):
            # Asked for to be forgotten: nothing of them comes back, not even that they left.
            return Fate.SUPPRESSED
        if fate is Fate.SUPPRESSED:
            if known is None and row.key not in self._held:
                self._add(row, row.stood_before)
            if row.reason and row.reason not in self._held.get(row.key, ()):
                self._to_suppress.append(row)
                self._held.setdefault(row.key, set()).add(row.reason)
        elif known is None:
            self._add(row, Standing.LEFT)
        elif known.state is not Standing.LEFT:
            self._change(known, Standing.LEFT, left_at=row.left_at or self._now, confirmed_at=known.confirmed_at)
        return fate

    def _add(self, row: Row, state: Standing) -> None:
        origin = f"{self._origin}; before: {row.origin}" if row.origin else self._origin
        # Consent has no better date than that on which somebody here vouched for it, unless the list knows one.
        confirmed_at = row.confirmed_at or (self._now if state is Standing.CONFIRMED else None)
        values = {
            "public_id": self._prefix + secrets.token_hex(8), "email": row.email, "email_key": row.key, "state": state,
            "regions": row.regions, "digests": row.digests, "origin": origin[:_LONGEST_ORIGIN],
            "created_at": row.created_at or row.confirmed_at or self._now, "confirmed_at": confirmed_at,
            "left_at": (row.left_at or self._now) if state is Standing.LEFT else None,
        }  # fmt: skip
        self._known[row.key] = _Known(state, True, confirmed_at, values=values)

    def _change(
        self, known: _Known, state: Standing, *, confirmed_at: datetime | None, left_at: datetime | None = None
    ) -> None:  # fmt: skip
        known.state = state
        set_to = {"state": state, "state_before": None, "confirmed_at": confirmed_at, "left_at": left_at}
        if known.values is not None:
            del set_to["state_before"]
            known.values |= set_to
        else:
            self._changes.append({"which": known.id, **set_to})


def _came_back(row: Row, known: _Known) -> bool:
    """Whether a member joined here, by themselves, after the day on which they left (or bounced) elsewhere."""
    if row.told is Told.COMPLAINED or known.came_by_list or known.state is not Standing.CONFIRMED:
        return False
    return bool(row.left_at and known.confirmed_at and known.confirmed_at > row.left_at)
