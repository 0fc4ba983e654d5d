"""Which column of a list means what: guessed from its name and cells, unless the operator says."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path

from content.errors import ConfigError
from newsletter.lists.files import ListFile, list_files
from newsletter.lists.records import Record, records
from newsletter.lists.told import Told, meaning, yes_or_no
from newsletter.subscribers import SubscriberError

_SAMPLE = 200


class Role(StrEnum):
    """What a column may hold, as ``--map`` names it."""

    EMAIL = "email"
    REGIONS = "regions"
    TAGS = "tags"
    """Words of which some may be regions."""
    DIGESTS = "digests"
    STANDING = "standing"
    WANTED = "wanted"
    """Yes for those who are subscribed."""
    UNWANTED = "unwanted"
    """Yes for those who are not."""
    LEFT_AT = "left_at"
    BOUNCED_AT = "bounced_at"
    CONFIRMED_AT = "confirmed_at"
    CREATED_AT = "created_at"
    ORIGIN = "origin"
    REASON = "reason"
    STOOD_BEFORE = "stood_before"
    SUPPRESSED_UNTIL = "suppressed_until"


SPEAKING = frozenset({Role.STANDING, Role.WANTED, Role.UNWANTED, Role.LEFT_AT, Role.BOUNCED_AT})
"""The columns that say whether somebody may be mailed."""

# Names as other programs write them, without signs and letter case; the first found is taken.
_NAMES: dict[Role, tuple[str, ...]] = {
    Role.EMAIL: (
        "email", "emailaddress", "subscriberemail", "mail", "mailaddress", "emailadresse", "adresseemail", "courriel",
        "correoelectronico", "correo", "eposta", "epost", "indirizzoemail", "adresemail", "primaryemail", "address",
    ),
    Role.REGIONS: ("regions", "region", "regioncodes"),
    Role.TAGS: ("tags", "labels", "tag"),
    Role.DIGESTS: ("digests",),
    Role.STANDING: ("standing", "status", "state", "subscriberstatus", "subscriptionstatus", "type", "subscribertype"),
    Role.WANTED: ("subscribedtoemails", "subscribed", "issubscribed", "optin", "optedin"),
    Role.UNWANTED: (
        "emaildisabled", "unsubscribed", "isunsubscribed", "optout", "optedout", "emailoptout", "hasoptedoutofemail",
    ),
    Role.LEFT_AT: ("unsubtime", "leftat", "unsubscribedat", "unsubscriptiondate", "unsubscribedate", "deletedat"),
    Role.BOUNCED_AT: ("cleantime", "bouncedat"),
    Role.CONFIRMED_AT: ("confirmtime", "confirmedat", "confirmationdate", "activationdate"),
    Role.CREATED_AT: (
        "createdat", "creationdate", "optintime", "subscribedat", "signupdate", "dateadded", "joinedat", "startdate",
    ),
    Role.ORIGIN: ("origin",),
    Role.REASON: ("reason",),
    Role.STOOD_BEFORE: ("stoodbefore",),
    Role.SUPPRESSED_UNTIL: ("suppresseduntil",),
}  # fmt: skip
_OURS = (Role.ORIGIN, Role.REASON, Role.STOOD_BEFORE, Role.SUPPRESSED_UNTIL)

_PROGRAMS = {
    "dateline": {"standing", "stood_before", "suppressed_until"},
    "Mailchimp": {"email address", "leid", "euid"},
    "Substack": {"email", "active_subscription", "email_disabled"},
    "Ghost": {"email", "subscribed_to_emails", "stripe_customer_id"},
    "listmonk": {"uuid", "email", "attributes", "status"},
    "Buttondown": {"type", "creation_date"},
}
_OUT_BY_NAME = {"unsubscribed": Told.LEFT, "cleaned": Told.BOUNCED, "nonsubscribed": Told.WAITING}
"""Mailchimp puts who left, who bounced and who never agreed into files of their own, and says so in the name alone."""


_AGREED = frozenset({Role.STANDING, Role.WANTED, Role.UNWANTED, Role.CONFIRMED_AT})


@dataclass(frozen=True, slots=True)
class Layout:
    """How one table is to be read.

    ``columns`` is empty for a plain list of addresses; ``at`` says in which column each role stands; ``skip`` lines are no
    members; ``presumed`` is what the file as a whole says of all of them. ``examples`` are the first cells of each column.
    """

    file: ListFile
    delimiter: str
    columns: tuple[str, ...]
    skip: int
    at: Mapping[Role, int]
    program: str = ""
    presumed: Told = Told.SUBSCRIBED
    examples: tuple[str, ...] = ()

    @property
    def says_who_agreed(self) -> bool:
        """Whether it says of each whether they are subscribed, or is the export of a program that knows."""
        return bool(self.program) or not _AGREED.isdisjoint(self.at)

    @property
    def speaks(self) -> bool:
        """Whether it may say of somebody that they must not be mailed."""
        return self.presumed.is_out or any(role in SPEAKING for role in self.at)


def layouts(path: Path, given: Mapping[Role, str] | None = None) -> list[Layout]:
    """How the tables at a path are to be read, those first that say who must not be mailed.

    ``given`` names a column, or its number from 1, for a role; an empty name says that no column has it. Raises
    ``SubscriberError`` when no column holds addresses, ``ConfigError`` when a named column does not exist.
    """
    found = [_layout(file, given or {}) for file in list_files(path)]
    return sorted(found, key=lambda one: -one.presumed)


def _layout(file: ListFile, given: Mapping[Role, str]) -> Layout:
    head = list(islice(file.lines(), _SAMPLE))
    skip, delimiter = 0, ""
    if head and (named := re.fullmatch(r'"?sep=(.)"?', head[0].strip())):
        # Excel writes and reads this line.
        skip, delimiter = 1, named[1]
    delimiter = delimiter or _delimiter(head)
    rows = list(records(head[skip:], delimiter))
    if not rows or rows[0].cells is None:
        raise SubscriberError(f"{file}: has no line with the names of columns, and no address")
    columns = tuple(cell.strip() for cell in rows[0].cells)
    if any("@" in cell for cell in columns):
        at = {Role.EMAIL: next(number for number, cell in enumerate(columns) if "@" in cell)}
        at = _as_given(file, tuple(str(number + 1) for number in range(len(columns))), at, given)
        return Layout(file, delimiter, (), skip, at, presumed=_presumed(file), examples=columns)
    program = next((name for name, marks in _PROGRAMS.items() if marks <= {cell.lower() for cell in columns}), "")
    at = _as_given(file, columns, _guessed(columns, rows[1:], program), given)
    if Role.EMAIL not in at:
        raise SubscriberError(
            f"{file}:{rows[0].line}: no column holds addresses; the columns are {', '.join(columns)}: say which one with"
            " --map email=COLUMN"
        )
    examples = tuple(_example(rows[1:], number) for number in range(len(columns)))
    return Layout(file, delimiter, columns, skip + rows[0].line, at, program, _presumed(file), examples)


def _delimiter(head: Sequence[str]) -> str:
    for line in head[:20]:
        bare = re.sub(r'"[^"]*"', "", line)
        if count := max(map(bare.count, ",;\t|")):
            return next(sign for sign in ",;\t|" if bare.count(sign) == count)
    return ","


def _guessed(columns: Sequence[str], rows: Sequence[Record], program: str) -> dict[Role, int]:
    folded = [re.sub(r"[\W_]+", "", name.lower()) for name in columns]
    at: dict[Role, int] = {}
    for role, names in _NAMES.items():
        # Where Mailchimp thinks that somebody lives is no wish of theirs, and others' words for ours mean other things.
        if (role is Role.REGIONS and program == "Mailchimp") or (role in _OURS and program != "dateline"):
            continue
        for name in names:
            if name in folded and _fits(role, name, [_cell(row, folded.index(name)) for row in rows]):
                at[role] = folded.index(name)
                break
    if Role.EMAIL not in at:
        full = [sum("@" in _cell(row, number) for row in rows) for number in range(len(columns))]
        if rows and max(full, default=0) > len(rows) / 2:
            at[Role.EMAIL] = full.index(max(full))
    return at


def _fits(role: Role, name: str, cells: Sequence[str]) -> bool:
    """Whether a column holds what its name promises.

    'Address', 'Type' and 'State' can be anything. A 'Status' is taken even if its words are not known: its lines are refused
    then, which is better than to mail who left.
    """
    filled = [cell for cell in cells if cell.strip()]
    if role is Role.EMAIL:
        return "email" in name or not filled or sum("@" in cell for cell in filled) * 2 >= len(filled)
    if role is Role.STANDING:
        return "status" in name or sum(meaning(cell) is not None for cell in filled) * 2 >= max(1, len(filled))
    return role is not Role.WANTED or all(yes_or_no(cell) is not None for cell in filled)


def _cell(row: Record, number: int) -> str:
    return row.cells[number] if row.cells is not None and number < len(row.cells) else ""


def _example(rows: Sequence[Record], number: int) -> str:
    found = dict.fromkeys(cell for row in rows if (cell := _cell(row, number).strip()))
    return ", ".join(islice(found, 2))[:60]


def _as_given(
    file: ListFile, columns: Sequence[str], guessed: dict[Role, int], given: Mapping[Role, str]
) -> dict[Role, int]:  # fmt: skip
    at = dict(guessed)
    lower = [name.lower() for name in columns]
    for role, name in given.items():
        at.pop(role, None)
        if not name:
            continue
        if name.lower() in lower:
            at[role] = lower.index(name.lower())
        elif name.isdecimal() and 1 <= int(name) <= len(columns):
            at[role] = int(name) - 1
        else:
            raise ConfigError(f"--map {role}={name}: {file} has no such column; it has {', '.join(columns)}")
    return at


def _presumed(file: ListFile) -> Told:
    return _OUT_BY_NAME.get(re.split(r"[^a-z]", file.name.lower())[0], Told.SUBSCRIBED)


def parse_map(pairs: Sequence[str]) -> dict[Role, str]:
    """The columns that ``--map ROLE=COLUMN`` names. Raises ``ConfigError``."""
    given = {}
    for pair in pairs:
        role, sign, name = pair.partition("=")
        if not sign or role.strip() not in set(Role):
            raise ConfigError(f"--map {pair!r}: write ROLE=COLUMN, with one of {', '.join(Role)}; no column: ROLE=")
        given[Role(role.strip())] = name.strip()
    return given
