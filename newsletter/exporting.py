"""All members as a table, for other programs and for an import elsewhere: nobody left out, nothing a spreadsheet would run."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TextIO

from sqlalchemy import Connection, select

from newsletter.preferences import unpacked, wants
from newsletter.subscribers import Standing
from newsletter.suppression import Reason
from newsletter.tables import subscribers, suppressions

COLUMNS = (
    "email", "standing", "regions", "digests", "origin", "created_at", "confirmed_at", "left_at", "stood_before", "reason",
    "suppressed_until",
)  # fmt: skip
_FORMULA = re.compile(r"'*[=+\-@\t\r]")


@dataclass(frozen=True, slots=True)
class Exported:
    """A member with preferences and standing; ``reason`` and ``suppressed_until`` (``None``: for good) of the suppressed."""

    email: str
    standing: Standing
    regions: tuple[str, ...]
    digests: tuple[str, ...]
    origin: str
    created_at: datetime
    confirmed_at: datetime | None
    left_at: datetime | None
    stood_before: Standing | None
    reason: Reason | None
    suppressed_until: datetime | None


def members(connection: Connection, standing: Collection[Standing] = (), digest: str = "") -> Iterator[Exported]:
    """The members in the order of joining, one at a time: all, or of these standings, or those who want this digest."""
    s, p = subscribers.c, suppressions.c
    # Of several suppressions that which lasts longest.
    holding = (
        select(p.id)
        .where(p.subscriber_id == s.id, p.lifted_at.is_(None))
        .order_by(p.expires_at.is_(None).desc(), p.expires_at.desc(), p.id)
        .limit(1)
        .correlate(subscribers)
        .scalar_subquery()
    )
    query = select(subscribers, p.reason, p.expires_at).outerjoin(suppressions, p.id == holding).order_by(s.id)
    if standing:
        query = query.where(s.state.in_(list(standing)))
    if digest:
        query = query.where(wants(digest))
    for row in connection.execution_options(yield_per=1000).execute(query):
        yield Exported(
            row.email, Standing(row.state), unpacked(row.regions), unpacked(row.digests), row.origin, row.created_at,
            row.confirmed_at, row.left_at, Standing(row.state_before) if row.state_before else None,
            Reason(row.reason) if row.reason else None, row.expires_at,
        )  # fmt: skip


def write_csv(everybody: Iterable[Exported], target: TextIO) -> int:
    """Writes members as CSV that an import reads again. Says how many there were."""
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(COLUMNS)
    number = 0
    for one in everybody:
        writer.writerow([harmless(cell) for cell in cells(one)])
        number += 1
    return number


def cells(one: Exported) -> tuple[str, ...]:
    """A member's cells, in the order of :data:`COLUMNS`."""
    return (
        one.email, one.standing, ";".join(one.regions), ";".join(one.digests), one.origin, one.created_at.isoformat(),
        _time(one.confirmed_at), _time(one.left_at), one.stood_before or "", one.reason or "", _time(one.suppressed_until),
    )  # fmt: skip


def _time(moment: datetime | None) -> str:
    return moment.isoformat() if moment else ""


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula. One that looks as if it had been made so gets a second mark."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def open_private(path: Path) -> TextIO:
    """A new text file, or an emptied one, with addresses in it: for its owner's eyes only."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline="")
