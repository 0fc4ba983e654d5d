"""When was this published? Reads the dates that people and other tools write."""

from __future__ import annotations

import re
import warnings
from datetime import UTC, datetime, tzinfo
from functools import cache
from typing import Literal

_NUMERIC = re.compile(r"^(\d{1,2})([/.\-])(\d{1,2})\2(\d{4})\b")
_FILE_NAME = re.compile(r"^(\d{4}-\d{1,2}-\d{1,2})(?:[-_ .]|$)")
_LABEL = re.compile(r"^(?:(?:first |last )?(?:published|posted|updated|modified|date)(?: on)?\s*:?\s+)", re.IGNORECASE)
_YEAR = re.compile(r"(?<!\d)(?:19|20|21)\d\d(?!\d)")
_CLOCK = r"(?:[,\s]+(?:(?:um|à|às|a las|alle|kl|at)\.?\s+)?(\d{1,2})[:h.](\d{2})(?:\s*(?:Uhr|h))?)?"
_DAY_MONTH_YEAR = re.compile(
    rf"^(?:[^\W\d]+[,:]?\s+(?:le |am |el )?)?(\d{{1,2}})\.?\s+(?:de\s+)?([^\W\d]+)\.?\s+(?:de\s+)?(\d{{4}}){_CLOCK}$",
    re.IGNORECASE,
)
_EAST_ASIAN = re.compile(
    r"^(?:[^\W\d]{1,8}\s*[:：]\s*)?(\d{4})\s*[年년]\s*(\d{1,2})\s*[月월]\s*(\d{1,2})\s*[日일]"
    r"(?:\s*[(（].{1,4}[)）])?(?:\s*(\d{1,2})[:：](\d{2}))?$"
)
_ORDINAL = re.compile(r"(?<=\d)(?:st|nd|rd|th)\b")

# Abbreviations that mean one thing to all who use them in English news; hours east of Greenwich.
_ZONES = {
    "UTC": 0, "GMT": 0, "Z": 0, "BST": 1, "CET": 1, "CEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "SGT": 8, "HKT": 8,
    "JST": 9, "KST": 9, "EST": -5, "EDT": -4, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7,
}  # fmt: skip


_HINT = "write it as 2024-10-24 or 2024-10-24T09:30:00+02:00"


def parse_date(text: str, zone: tzinfo) -> datetime:
    """The moment that a written date stands for, in UTC. A date without an offset is meant in ``zone``.

    Reads ISO 8601, RFC 5322, the usual English forms (``October 24, 2024``, ``24 Oct 2024 09:30 BST``), and day,
    month and year as the large West European and East Asian languages write them.
    Raises ``ValueError`` (saying what to write) for anything without year, month and day, and for one that
    two countries read differently (``03/04/2024``).
    """
    written = _ORDINAL.sub("", text.strip())
    moment = _iso(written) or _other_language(written) or _loose(written)
    if not 1900 <= moment.year <= 2199:
        raise ValueError(f"the year {moment.year} of {text.strip()!r} is not between 1900 and 2199")
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"{text.strip()!r} has an impossible offset from UTC: {_HINT}") from None


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def _other_language(text: str) -> datetime | None:
    if match := _EAST_ASIAN.match(text):
        year, month, day, hour, minute = match.groups()
    elif (match := _DAY_MONTH_YEAR.match(text)) and (number := _month_numbers().get(match[2].casefold())):
        day, _, year, hour, minute = match.groups()
        month = str(number)
    else:
        return None
    try:
        return datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0))  # noqa: DTZ001 (the caller's zone)
    except ValueError:
        raise ValueError(f"{text!r} is not a day that there is: {_HINT}") from None


@cache
def _month_numbers() -> dict[str, int]:
    """The months by their names in languages that agree about them (Polish and Croatian do not)."""
    from babel.dates import get_month_names

    found: dict[str, int] = {}
    for language in ("de", "fr", "es", "it", "pt", "nl", "sv", "da", "nb"):
        for width in ("wide", "abbreviated"):
            for number, name in get_month_names(width, locale=language).items():
                found.setdefault(name.casefold().rstrip("."), number)
    return found


def _loose(text: str) -> datetime:
    from dateutil import parser

    # A point between day and month is European; any other mark is used both ways.
    numeric = _NUMERIC.match(text)
    orders = (True,) if numeric and numeric[2] == "." else (False,) if re.match(r"\d{4}", text) else (False, True)
    if not _YEAR.search(text):
        raise ValueError(f"{text!r} is not a date with a year: {_HINT}")
    zones = {name: hours * 3600 for name, hours in _ZONES.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", parser.UnknownTimezoneWarning)
            # Read twice over different defaults: what differs was not in the text.
            readings = [
                [
                    parser.parse(text, dayfirst=order, tzinfos=zones, default=default)
                    for default in (datetime(2001, 1, 1), datetime(2002, 2, 2))  # noqa: DTZ001 (a zone may be in the text)
                ]
                for order in orders
            ]
    except parser.UnknownTimezoneWarning:
        raise ValueError(f"{text!r} names a time zone that is not known: {_HINT}") from None
    except (ValueError, OverflowError, TypeError):
        raise ValueError(f"{text!r} is not a date: {_HINT}") from None
    if any(one != other for one, other in readings):
        raise ValueError(f"{text!r} lacks a day or a month: {_HINT}")
    if readings[0] != readings[-1]:
        raise ValueError(f"{text!r} means two different days in different countries: {_HINT}")
    return readings[0][0]


def date_of_line(line: str, zone: tzinfo) -> datetime | None:
    """The date that a line consists of (``Published October 24, 2024``), or ``None`` if it is anything else."""
    bare = _LABEL.sub("", line.strip()).replace(" at ", " ")
    if len(bare) > 60 or not _YEAR.search(bare):
        return None
    # An abbreviation that names no zone for certain (IST) costs some hours, not the date.
    for text in (bare, re.sub(r"\s+\(?[A-Z]{2,5}\)?$", "", bare)):
        try:
            return parse_date(text, zone)
        except ValueError:
            continue
    return None


def is_ambiguous(line: str) -> bool:
    """Whether a line is a date that two countries read differently (``Updated 03/04/2024``)."""
    bare = _LABEL.sub("", line.strip())
    return bool(len(bare) <= 30 and _NUMERIC.match(bare) and date_of_line(line, UTC) is None)


def date_of_file_name(stem: str, zone: tzinfo) -> datetime | None:
    """The date at the head of a file's name (``2024-10-24-title``), or ``None``.

    Raises ``ValueError`` for one that is no day (``2024-02-30-title``).
    """
    match = _FILE_NAME.match(stem)
    return parse_date(match[1], zone) if match else None


def without_date(stem: str) -> str:
    """A file's name without the date at its head."""
    return _FILE_NAME.sub("", stem, count=1)


def shown_date(moment: datetime, language: str, width: Literal["full", "long", "medium"] = "long") -> str:
    """The day of ``moment``, in its own zone, as people who read ``language`` (a BCP 47 tag) write it."""
    from babel import Locale, UnknownLocaleError
    from babel.dates import format_date

    try:
        locale = Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        locale = Locale("en")
    return format_date(moment, width, locale=locale)
