"""Members from a CSV file: a bad line is reported, the rest goes in."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TextIO

from content.errors import Problem, Severity
from content.regions import resolve
from newsletter.consent import Event
from newsletter.subscribers import Joined, SubscriberError, Subscribers

CELL_LINES = 40
"""Lines that one cell may have. A quotation mark that is not closed by then is a slip of the pen."""


@dataclass(slots=True)
class ImportReport:
    """What an import did; ``lines`` are those with text, the header not counted, and equal the sum of the rest."""

    lines: int = 0
    added: int = 0
    confirmed: int = 0
    unchanged: int = 0
    left_before: int = 0
    suppressed: int = 0
    problems: list[Problem] = field(default_factory=list)

    def count(self, joined: Joined) -> None:
        match joined:
            case Joined.ADDED:
                self.added += 1
            case Joined.CONFIRMED:
                self.confirmed += 1
            case Joined.UNCHANGED:
                self.unchanged += 1
            case Joined.LEFT_BEFORE:
                self.left_before += 1
            case Joined.SUPPRESSED:
                self.suppressed += 1


_EMAIL_COLUMNS = ("email", "e-mail", "email address", "email_address", "emailaddress", "e-mail address", "address", "mail")
_REGION_COLUMNS = ("regions", "region", "country", "countries")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the file (from 1): an address and the names of regions, or what is wrong with it."""

    line: int
    email: str = ""
    regions: tuple[str, ...] = ()
    error: str = ""


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a CSV file. A file without a header is a list of addresses.

    Raises ``SubscriberError`` when the file cannot be read or no column holds addresses.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="", errors="strict") as file:
            sample = file.read(8192)
            file.seek(0)
            records = _records(file, max(",;\t", key=sample.partition("\n")[0].count))
            start, header = next(records, (1, []))
            first = [cell.strip().lower() for cell in header or []]
            email_at = next((first.index(name) for name in _EMAIL_COLUMNS if name in first), None)
            region_at = next((first.index(name) for name in _REGION_COLUMNS if name in first), None)
            if email_at is None:
                if not first or "@" not in first[0]:
                    raise SubscriberError(
                        f"{path}:1: no column is called 'email'; the columns are {', '.join(first) or 'none'}"
                    )
                yield Row(start, first[0])
                email_at = 0
            for line, cells in records:
                if cells is None:
                    yield Row(line, error="a quotation mark is opened and not closed: remove it, or write two for one")
                elif any(cell.strip() for cell in cells):
                    email = cells[email_at].strip() if email_at < len(cells) else ""
                    named = cells[region_at] if region_at is not None and region_at < len(cells) else ""
                    parts = named.replace(";", ",").replace("|", ",").split(",")
                    yield Row(line, email, tuple(part.strip() for part in parts if part.strip()))
    except OSError as error:
        raise SubscriberError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise SubscriberError(f"{path}: is not text in UTF-8 (byte at offset {error.start}): save it as UTF-8") from None
    except csv.Error as error:
        raise SubscriberError(f"{path}: is not a CSV file ({error})") from None


def _records(file: TextIO, delimiter: str) -> Iterator[tuple[int, list[str] | None]]:
    """Each record with the line it begins on; ``None`` for a line that opens a quotation which no later line closes.

    A quoted cell may hold line ends (RFC 4180 2.6), so one stray mark would swallow all that follows. A quotation that
    would take in whole records, or more than :data:`CELL_LINES` lines, is none: only its own line is given up.
    """
    number, ahead, width = 1, list(islice(file, CELL_LINES)), 0
    while ahead:
        cells, used = _record(ahead, delimiter, width)
        width = width or len(cells or ())
        yield number, cells
        number += used
        del ahead[:used]
        ahead += islice(file, used)


def _record(lines: Sequence[str], delimiter: str, width: int) -> tuple[list[str] | None, int]:
    """The first record of these lines and how many it takes. ``width`` is that of other records, 0 if unknown."""
    for used in range(1, len(lines) + 1):
        cells = _parsed(lines[:used], delimiter)
        if cells is not None:
            return cells, used
        following = _parsed(lines[used : used + 1], delimiter) or []
        if any("@" in cell for cell in following) and len(following) == (width or 1):
            break
    return None, 1


def _parsed(lines: Sequence[str], delimiter: str) -> list[str] | None:
    """The one record that these lines are; ``None`` when a quotation in them stays open."""
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    try:
        rows = list(reader)
    except csv.Error as error:
        if "unexpected end" in str(error):
            return None
        # Something stands behind a closing mark: lenient readers take it as it is.
        rows = list(csv.reader(lines, delimiter=delimiter))
    return rows[0] if rows else []


def import_csv(members: Subscribers, path: Path, now: datetime, *, confirmed: bool) -> ImportReport:
    """Takes in the addresses of a CSV file. A bad line is reported; the rest goes in. Run again, it adds nobody.

    A line that names regions of which none is known is refused: its member would get the news of all of them.
    """
    report = ImportReport()
    for row in read_rows(path):
        report.lines += 1
        try:
            joined, strange = _join(members, row, f"import:{path.name}", now, confirmed=confirmed)
        except SubscriberError as problem:
            report.problems.append(Problem(Severity.ERROR, path, row.line, str(problem)))
            continue
        report.count(joined)
        if strange:
            report.problems.append(Problem(Severity.WARNING, path, row.line, f"{strange} and is left out"))
    return report


def _join(members: Subscribers, row: Row, origin: str, now: datetime, *, confirmed: bool) -> tuple[Joined, str]:
    """Takes a row's address in; says besides which of its regions are not known."""
    if row.error:
        raise SubscriberError(row.error)
    places, unknown = resolve(row.regions)
    strange = f"the region {', '.join(repr(one.name) for one in unknown)} is not known" if unknown else ""
    if strange and not places:
        raise SubscriberError(f"{strange}: write a code such as CN or CN-GD, or leave it empty for all news")
    joined = members.join(
        row.email, origin=origin, now=now, confirmed=confirmed, regions=places, evidence=Event.IMPORTED
    )  # fmt: skip
    return joined, strange
