"""Which records do the lines of a CSV file make, when one of them has a quotation mark too many?"""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from newsletter.lists.files import LONGEST_LINE

CELL_LINES = 40
"""Lines that one record may have. A quotation mark that is not closed by then is a slip of the pen."""


@dataclass(frozen=True, slots=True)
class Record:
    """A record with the line (from 1) that it begins on and its text; ``cells`` is ``None`` where that makes no record."""

    line: int
    raw: str
    cells: Sequence[str] | None
    error: str = ""


def records(lines: Iterable[str], delimiter: str, width: int = 0) -> Iterator[Record]:
    """The records of these lines that hold anything. ``width`` is how many cells a record has, 0 where that is not known.

    A quoted cell may hold line ends (RFC 4180 2.6), so one stray mark would swallow all that follows. A quotation that
    would take in whole records, or that makes no well-formed record of ``width``, is none: only its own line is given up.
    """
    source = iter(lines)
    ahead: deque[str] = deque()
    number, blank = 1, f" \t{delimiter}"
    while True:
        line = ahead.popleft() if ahead else next(source, None)
        if line is None:
            return
        used = 1
        if len(line) >= LONGEST_LINE:
            yield Record(number, line[:1000], None, f"the line is longer than {LONGEST_LINE:,} characters")
        elif '"' not in line:
            text = line.rstrip("\r\n")
            if text.strip(blank):
                yield Record(number, text, text.split(delimiter) if delimiter else [text])
        else:
            cells, _ = _parsed([line], delimiter)
            if cells is None:
                while len(ahead) < CELL_LINES and (more := next(source, None)) is not None:
                    ahead.append(more)
                cells, used = _quoted([line, *ahead], delimiter, width)
            raw = line + "".join(ahead.popleft() for _ in range(used - 1))
            if cells is None:
                error = "a quotation mark is opened and not closed: remove it, or write two for one"
                yield Record(number, raw.rstrip("\r\n"), None, error)
            elif any(cell and not cell.isspace() for cell in cells):
                yield Record(number, raw.rstrip("\r\n"), cells)
        number += used


def _quoted(lines: Sequence[str], delimiter: str, width: int) -> tuple[list[str] | None, int]:
    """The first record of these lines and how many of them it takes."""
    for used in range(1, len(lines) + 1):
        cells, well_formed = _parsed(lines[:used], delimiter)
        if cells is not None:
            fits = used == 1 or (well_formed and len(cells) == (width or len(cells)))
            return (cells, used) if fits else (None, 1)
        following, _ = _parsed(lines[used : used + 1], delimiter)
        if following and any("@" in cell for cell in following) and len(following) == (width or 1):
            break
    return None, 1


def _parsed(lines: Sequence[str], delimiter: str) -> tuple[list[str] | None, bool]:
    """The one record that these lines are, and whether it is well formed; ``None`` when a quotation stays open."""
    delimiter = delimiter or ","
    try:
        return next(csv.reader(lines, delimiter=delimiter, strict=True), []), True
    except csv.Error as error:
        if "unexpected end" in str(error):
            return None, True
    try:
        # Something stands behind a closing mark: lenient readers take it as it is.
        rows = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        return None, False
    return (rows[0] if len(rows) == 1 else None), False
