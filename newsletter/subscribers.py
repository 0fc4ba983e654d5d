"""Who gets the newsletter: joining, leaving, importing."""

from __future__ import annotations

import csv
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection, func, insert, or_, select, update

from content.errors import DatelineError, Problem, Severity
from content.regions import Region, resolve
from newsletter.headers import HeaderError, ascii_address
from newsletter.tables import subscribers


class SubscriberError(DatelineError):
    """An address that cannot be taken in, and why."""


class Standing(StrEnum):
    """Where a subscriber stands. Only the confirmed are mailed."""

    PENDING = "pending"
    CONFIRMED = "confirmed"
    LEFT = "left"


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
    LEFT_BEFORE = "left before"
    """The address had left; only its owner can bring it back."""


def address_key(email: str) -> str:
    """The form of an address by which it is known: ASCII domain, lower case. Raises ``SubscriberError``."""
    try:
        return ascii_address(email.strip()).lower()
    except HeaderError as error:
        raise SubscriberError(str(error)) from None


class Subscribers:
    """The members of a site, within one transaction of ``connection``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def join(
        self, email: str, *, origin: str, now: datetime, confirmed: bool,
        regions: Iterable[Region] = (), digests: Iterable[str] = (),
    ) -> Joined:  # fmt: skip
        """Takes an address in, with ``confirmed`` when its owner's consent is already known.

        Someone who left stays out, whoever asks. Preferences of a member that are already there are kept.
        """
        key = address_key(email)
        row = self._connection.execute(select(subscribers).where(subscribers.c.email_key == key)).one_or_none()
        if row is None:
            self._connection.execute(insert(subscribers).values(
                public_id=secrets.token_hex(12), email=email.strip(), email_key=key,
                state=Standing.CONFIRMED if confirmed else Standing.PENDING,
                regions=_packed(place.code for place in regions), digests=_packed(digests),
                origin=origin, created_at=now, confirmed_at=now if confirmed else None,
            ))  # fmt: skip
            return Joined.ADDED
        if row.state == Standing.LEFT:
            return Joined.LEFT_BEFORE
        if row.state == Standing.PENDING and confirmed:
            self._connection.execute(
                update(subscribers).where(subscribers.c.id == row.id).values(state=Standing.CONFIRMED, confirmed_at=now)
            )
            return Joined.CONFIRMED
        return Joined.UNCHANGED

    def leave(self, email: str, now: datetime) -> bool:
        """Takes a member out at once, in the middle of a sending too. Says whether there was one."""
        return self._leave(subscribers.c.email_key == address_key(email), now)

    def _leave(self, which: object, now: datetime) -> bool:
        change = update(subscribers).where(which, subscribers.c.state != Standing.LEFT)  # type: ignore[arg-type]
        return bool(self._connection.execute(change.values(state=Standing.LEFT, left_at=now)).rowcount)

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


def _packed(words: Iterable[str]) -> str:
    listed = sorted(set(words))
    return f",{','.join(listed)}," if listed else ""


def unpacked(words: str) -> tuple[str, ...]:
    """The words of a packed preference."""
    return tuple(word for word in words.split(",") if word)


# Import


@dataclass(slots=True)
class ImportReport:
    """What an import did; ``lines`` are those with text, the header not counted, and equal the sum of the rest."""

    lines: int = 0
    added: int = 0
    confirmed: int = 0
    unchanged: int = 0
    left_before: int = 0
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


_EMAIL_COLUMNS = ("email", "e-mail", "email address", "email_address", "emailaddress", "e-mail address", "address", "mail")
_REGION_COLUMNS = ("regions", "region", "country", "countries")


def read_rows(path: Path) -> Iterator[tuple[int, str, list[str]]]:
    """The rows of a CSV file: line (from 1), address, region names. A file without a header is a list of addresses.

    Raises ``SubscriberError`` when the file cannot be read or no column holds addresses.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="", errors="strict") as file:
            sample = file.read(8192)
            file.seek(0)
            delimiter = max(",;\t", key=sample.partition("\n")[0].count)
            rows = csv.reader(file, delimiter=delimiter)
            first = [cell.strip().lower() for cell in next(rows, [])]
            email_at = next((first.index(name) for name in _EMAIL_COLUMNS if name in first), None)
            region_at = next((first.index(name) for name in _REGION_COLUMNS if name in first), None)
            if email_at is None:
                if not first or "@" not in first[0]:
                    raise SubscriberError(
                        f"{path}:1: no column is called 'email'; the columns are {', '.join(first) or 'none'}"
                    )
                yield 1, first[0], []
                email_at = 0
            for row in rows:
                if any(cell.strip() for cell in row):
                    email = row[email_at].strip() if email_at < len(row) else ""
                    named = row[region_at] if region_at is not None and region_at < len(row) else ""
                    yield rows.line_num, email, [part.strip() for part in named.replace(";", ",").replace("|", ",").split(",")]
    except OSError as error:
        raise SubscriberError(f"{path}: cannot be read ({error.strerror})") from None
    except UnicodeDecodeError as error:
        raise SubscriberError(f"{path}: is not text in UTF-8 (byte at offset {error.start}): save it as UTF-8") from None
    except csv.Error as error:
        raise SubscriberError(f"{path}: is not a CSV file ({error})") from None


def import_csv(members: Subscribers, path: Path, now: datetime, *, confirmed: bool) -> ImportReport:
    """Takes in the addresses of a CSV file. A bad line is reported; the rest goes in. Run again, it adds nobody."""
    report = ImportReport()
    for line, email, named in read_rows(path):
        report.lines += 1
        places, unknown = resolve(named)
        if unknown:
            names = ", ".join(repr(one.name) for one in unknown)
            report.problems.append(Problem(Severity.WARNING, path, line, f"the region {names} is not known and is left out"))
        try:
            report.count(members.join(email, origin=f"import:{path.name}", now=now, confirmed=confirmed, regions=places))
        except SubscriberError as error:
            report.problems.append(Problem(Severity.ERROR, path, line, str(error)))
    return report
