"""What does a line of a list say of a member, and what is wrong with it?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Literal

from content.regions import resolve
from newsletter.lists.columns import SPEAKING, Layout, Role
from newsletter.lists.records import Record
from newsletter.lists.told import Told, meaning, yes_or_no
from newsletter.preferences import packed
from newsletter.subscribers import Standing, SubscriberError, address_key
from newsletter.suppression import Reason

UnknownRegions = Literal["reject", "ignore"]

_DIGEST = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")
_NAMED = re.compile(r"[^<>]*<([^<>\s]+@[^<>\s]+)>")
_FORMULA = re.compile(r"'+[=+\-@\t\r]")
"""A cell that an export has kept from being a formula."""
_DATED = frozenset({Role.UNWANTED, Role.LEFT_AT, Role.BOUNCED_AT})
_OLDEST = datetime(1971, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Row:
    """A member as a list has it. ``regions`` and ``digests`` are packed as in the database; ``warning`` may be empty."""

    line: int
    email: str
    key: str
    told: Told
    regions: str = ""
    digests: str = ""
    created_at: datetime | None = None
    confirmed_at: datetime | None = None
    left_at: datetime | None = None
    origin: str = ""
    reason: Reason | None = None
    stood_before: Standing = Standing.PENDING
    suppressed_until: datetime | None = None
    warning: str = ""


class RowReader:
    """Reads the records of one table. ``now`` is the time of the import: no date in a list is later."""

    def __init__(self, layout: Layout, now: datetime, unknown_regions: UnknownRegions = "reject") -> None:
        self._at = layout.at
        self._columns = layout.columns
        self._width = len(layout.columns)
        self._presumed = layout.presumed
        self._email_at = layout.at[Role.EMAIL]
        self._speaking = [(role, number) for role, number in layout.at.items() if role in SPEAKING]
        # What an export of ours has was let in by somebody who knew.
        self._ours = layout.program == "dateline"
        self._simple = set(layout.at) <= {Role.EMAIL, *SPEAKING} and not set(layout.at) & _DATED
        self._now = now
        self._unknown = unknown_regions

    def read(self, record: Record, *, out: bool | None = None) -> Row | None:
        """The member of a record; with ``out``, ``None`` for those who are out, or who are not.

        Raises ``SubscriberError`` that says why there is no member.
        """
        cells = record.cells
        if cells is None:
            raise SubscriberError(record.error)
        if self._width and len(cells) > self._width and any(cell.strip() for cell in cells[self._width :]):
            raise SubscriberError(
                f"has {len(cells)} cells for {self._width} columns: write a cell that holds a separator in quotation marks"
            )
        if self._email_at >= len(cells) or not (email := _address(cells[self._email_at])):
            raise SubscriberError("there is no address")
        told = self._told(cells) if self._speaking else self._presumed
        if out is not None and told.is_out is not out:
            return None
        key = address_key(email)
        if "." not in key.rpartition("@")[2] and not self._ours:
            raise SubscriberError(f"{email!r}: its domain has no dot, so mail would not leave this machine's network")
        if self._simple:
            return Row(record.line, email, key, told, reason=told.reason)
        regions, warning = self._regions(cells)
        return Row(
            record.line, email, key, told, regions, _digests(self._cell(cells, Role.DIGESTS)),
            self._date(cells, Role.CREATED_AT), self._date(cells, Role.CONFIRMED_AT),
            self._date(cells, Role.LEFT_AT) or self._date(cells, Role.UNWANTED) or self._date(cells, Role.BOUNCED_AT),
            self._cell(cells, Role.ORIGIN), self._reason(cells, told),
            _standing(self._cell(cells, Role.STOOD_BEFORE)), self._until(cells), warning,
        )  # fmt: skip

    def _cell(self, cells: Sequence[str], role: Role) -> str:
        number = self._at.get(role)
        return cells[number].strip() if number is not None and number < len(cells) else ""

    def _told(self, cells: Sequence[str]) -> Told:
        told = self._presumed
        for role, number in self._speaking:
            if number >= len(cells):
                name = self._columns[number] if self._columns else str(number + 1)
                raise SubscriberError(f"ends before the column {name!r}, which says whether the member may be mailed")
            told = max(told, self._told_by(role, cells[number].strip()))
        return told

    def _told_by(self, role: Role, cell: str) -> Told:
        match role:
            case Role.STANDING:
                if (said := meaning(cell)) is None:
                    raise SubscriberError(
                        f"{cell!r} is no standing that is known here: write subscribed, pending, unsubscribed, bounced, "
                        "complained or blocked, or say --map standing= if the column means something else"
                    )
                return said
            case Role.WANTED:
                agreed = yes_or_no(cell)
                return Told.SUBSCRIBED if agreed else Told.LEFT if cell else Told.WAITING
            case Role.UNWANTED:
                return Told.LEFT if cell and yes_or_no(cell) is not False else Told.SUBSCRIBED
            case Role.BOUNCED_AT:
                return Told.BOUNCED if cell else Told.SUBSCRIBED
            case _:
                return Told.LEFT if cell else Told.SUBSCRIBED

    def _reason(self, cells: Sequence[str], told: Told) -> Reason | None:
        if told.reason is None:
            return None
        written = self._cell(cells, Role.REASON)
        return Reason(written) if written in set(Reason) else told.reason

    def _date(self, cells: Sequence[str], role: Role) -> datetime | None:
        found = parse_date(self._cell(cells, role)) if role in self._at else None
        return found if found and _OLDEST < found <= self._now else None

    def _until(self, cells: Sequence[str]) -> datetime | None:
        return parse_date(self._cell(cells, Role.SUPPRESSED_UNTIL)) if Role.SUPPRESSED_UNTIL in self._at else None

    def _regions(self, cells: Sequence[str]) -> tuple[str, str]:
        """The regions (packed) that a line names, and what is strange about them.

        A line that names regions of which none is known is refused: its member would get the news of all of them.
        """
        wanted, strange = _resolved(self._cell(cells, Role.REGIONS))
        if not strange and Role.TAGS not in self._at:
            return _packed_once(wanted), ""
        if strange and not wanted and self._unknown == "reject":
            raise SubscriberError(f"{strange}: write a code such as CN or CN-GD, or leave it empty for all news")
        tagged = _tagged(self._cell(cells, Role.TAGS)) if Role.TAGS in self._at else ()
        left_out = f"{strange} and is left out" if strange else ""
        return packed((*wanted, *tagged)), left_out


def _address(cell: str) -> str:
    email = cell.strip()
    if named := _NAMED.fullmatch(email):
        email = named[1]
    return email[1:] if _FORMULA.match(email) else email


def _digests(cell: str) -> str:
    if not cell:
        return ""
    names = _words(cell)
    if strange := [name for name in names if not _DIGEST.fullmatch(name)]:
        raise SubscriberError(f"{strange[0]!r} cannot be the name of a digest: these are lower case, such as 'daily'")
    return packed(names)


def _standing(cell: str) -> Standing:
    return Standing(cell) if cell in (Standing.CONFIRMED, Standing.LEFT) else Standing.PENDING


def _words(cell: str) -> tuple[str, ...]:
    """The words of a cell: between commas, semicolons or bars; in quotation marks and brackets (JSON) or without."""
    parts = (part.strip().strip("\"[]'").strip() for part in re.split(r"[,;|]", cell))
    return tuple(part for part in parts if part)


@lru_cache(maxsize=4096)
def _resolved(cell: str) -> tuple[tuple[str, ...], str]:
    """The codes of the regions in a cell, and what is said of names that are none."""
    if not cell:
        return (), ""
    # Some names hold a comma: Korea, Republic of.
    places, unknown = resolve([cell])
    if unknown:
        places, unknown = resolve(_words(cell))
    names = ", ".join(repr(one.name) for one in unknown)
    return tuple(place.code for place in places), f"the region {names} is not known" if names else ""


_packed_once = lru_cache(maxsize=4096)(packed)


@lru_cache(maxsize=4096)
def _tagged(cell: str) -> tuple[str, ...]:
    """The regions among tags: countries and areas by name, subdivisions by code or beside their country.

    'AI', 'Mobile' and 'Reading' are no wish for news of Anguilla, Alabama or a town in Berkshire.
    """
    tags = [tag for tag in _words(cell) if len(tag) > 3]
    places, _ = resolve(tags, towns=False)
    countries, written = {place.code for place in places}, {tag.upper() for tag in tags}
    return tuple(one.code for one in places if "-" not in one.code or one.country in countries or one.code in written)


def parse_date(text: str) -> datetime | None:
    """A moment as programs write it (ISO 8601, UTC unless it says otherwise); ``None`` for what cannot be told."""
    try:
        moment = datetime.fromisoformat(text.removesuffix(" UTC"))
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
