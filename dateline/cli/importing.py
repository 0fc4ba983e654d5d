"""``subscribers import``, ``list`` and ``export-all``: many members at once."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, open_site, wants_json
from dateline.cli.members import members

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from dateline.site import Site
    from newsletter.exporting import Exported
    from newsletter.importing import ImportReport
    from newsletter.lists.columns import Layout
    from newsletter.subscribers import Standing


class Unknown(StrEnum):
    """What becomes of a line that names regions of which none is known."""

    REJECT = "reject"
    IGNORE = "ignore"


StandingOption = Annotated[
    list[str] | None,
    typer.Option("--standing", metavar="STATE", help="Only pending, confirmed, left or suppressed ones; repeatable."),
]
DigestOption = Annotated[str, typer.Option("--digest", metavar="NAME", help="Only those who want this digest.")]


@members.command("import")
def import_(
    context: typer.Context,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE", help="CSV, TSV, a plain list of addresses, or a zip; from Mailchimp, Substack, Ghost, and others."
        ),
    ],
    column: Annotated[
        list[str] | None,
        typer.Option("--map", metavar="ROLE=COLUMN", help="Which column holds what, as in email=Contact; repeatable."),
    ] = None,
    confirmed: Annotated[
        bool | None,
        typer.Option(
            "--confirmed/--unconfirmed",
            help="Those who are subscribed there agreed to be mailed, or wait until they do."
            "  [default: as the list says; one that does not say makes them wait]",
            show_default=False,
        ),
    ] = None,
    unknown_regions: Annotated[
        Unknown, typer.Option(help="A line of whose regions none is known: refuse it, or take it for all news.")
    ] = Unknown.REJECT,
    rejects: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where refused lines go.  [default: beside the input]", show_default=False),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done; write nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask whether the columns are right.")] = False,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add subscribers from a list of elsewhere; who left there stays out, bad lines are set aside, the rest goes in."""
    from dateline import clock
    from newsletter.importing import Plan, import_members
    from newsletter.lists.columns import layouts, parse_map

    place = open_site(context, site)
    found = layouts(file, parse_map(column or []))
    quiet = wants_json(context, as_json)
    is_told = confirmed is not None
    confirmed = confirmed if confirmed is not None else all(one.says_who_agreed for one in found)
    if not quiet:
        _show_columns(found)
        if not dry_run and not yes and sys.stdin.isatty() and sys.stdout.isatty():
            agreed = "who agreed to be mailed" if confirmed else "who wait until they agree"
            typer.confirm(f"Import them, as members {agreed}?", abort=True)
    target = rejects or file.with_name(f"{file.stem}.rejects.csv")
    plan = Plan(found, confirmed=confirmed, unknown_regions=unknown_regions.value)
    with output.progress() as hear, _tried(place) if dry_run else _real(place) as (engine, key, folder):
        if dry_run:
            target = folder / "rejects.csv"
        report = import_members(engine, key, plan, clock.now(), target, lambda done, total: hear("Importing", done, total))
    _tell(report, dry_run=dry_run, as_json=quiet, columns=found)
    if report.waiting and not is_told:
        output.complain("the list does not say that they agreed to be mailed; if they did, import it again with --confirmed")
    if report.rejected:
        raise typer.Exit(1)


@contextmanager
def _real(place: Site) -> Iterator[tuple[Engine, str, Path]]:
    yield place.engine, place.tokens.key, place.root


@contextmanager
def _tried(place: Site) -> Iterator[tuple[Engine, str, Path]]:
    """A copy of the database, gone afterwards: what is tried on it comes out as it would in earnest."""
    import sqlite3
    from contextlib import closing
    from tempfile import TemporaryDirectory

    from dateline.store import open_store

    with TemporaryDirectory(prefix="dateline-") as name:
        folder, key = Path(name), secrets.token_hex()
        if place.database.exists():
            with closing(sqlite3.connect(place.database)) as own, closing(sqlite3.connect(folder / "try.db")) as copy:
                own.backup(copy)
            key = place.tokens.key
        engine = open_store(folder / "try.db")
        try:
            yield engine, key, folder
        finally:
            engine.dispose()


def _show_columns(found: list[Layout]) -> None:
    """Which column is taken for what, on stderr: facts about the import, not its result."""
    for layout in found:
        from_ = f" from {layout.program}" if layout.program else ""
        said = f", all taken for {layout.presumed.name.lower()}" if layout.presumed else ""
        print(
            f"{layout.file.name}: {'a list' if layout.columns else 'a plain list of addresses'}{from_}{said}", file=sys.stderr
        )
        for role, number in sorted(layout.at.items(), key=lambda pair: pair[1]):
            if layout.columns:
                print(f"  {role:<18} {_shown(layout.columns[number]):<24} {_shown(layout.examples[number])}", file=sys.stderr)
        taken = set(layout.at.values())
        if unused := [name for number, name in enumerate(layout.columns) if number not in taken]:
            print(f"  not kept: {_shown(', '.join(unused))}", file=sys.stderr)


def _shown(text: str) -> str:
    """Words from outside, without what would move a terminal's cursor."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)


def _tell(report: ImportReport, *, dry_run: bool, as_json: bool, columns: list[Layout]) -> None:
    counts = report.counts
    if as_json:
        output.print_json(
            counts
            | {
                "waiting": report.waiting, "dry_run": dry_run,
                "rejects": str(report.rejects) if report.rejects and not dry_run else None,
                "columns": {
                    one.file.name: {role.value: one.columns[at] if one.columns else at + 1 for role, at in one.at.items()}
                    for one in columns
                },
                "problems": [str(problem) for problem in report.problems],
            }
        )  # fmt: skip
        return
    output.print_problems(report.problems, limit=None)
    if (more := report.rejected + report.warnings - len(report.problems)) > 0:
        print(f"... and {more:,} more", file=sys.stderr)
    told = ", ".join(f"{number:,} {name}" for name, number in counts.items() if number and name != "lines")
    waiting = f" ({report.waiting:,} of them wait until they agree and are not mailed)" if report.waiting else ""
    output.say(f"{'Dry run: ' if dry_run else ''}{output.counted(report.lines, 'line')}: {told or 'nothing'}{waiting}")
    if report.rejects and not dry_run:
        output.say(f"The rejected lines are in {report.rejects} with their reasons: mend them in your list and import it again")


@members.command("list")
def list_subscribers(
    context: typer.Context,
    standing: StandingOption = None,
    digest: DigestOption = "",
    limit: Annotated[int, typer.Option("--limit", min=0, help="Rows of the table at the most; 0 for all.")] = 200,
    search: Annotated[str, typer.Option("--search", metavar="TEXT", help="Only addresses that hold TEXT.")] = "",
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """List subscribers with their state and preferences."""
    from itertools import islice

    with _members(open_site(context, site), standing, digest) as all_of_them:
        wanted = search.strip().casefold()
        everybody = (one for one in all_of_them if wanted in one.email.casefold())
        if wants_json(context, as_json):
            _print_members(everybody)
            return
        rows = list(islice(everybody, limit or None))
        more = next(everybody, None) is not None
    if not rows:
        if search:
            output.say(f"0 of {output.counted(_total(open_site(context, site)), 'subscriber')}")
            return
        asked = standing or digest
        output.say("There are none." if asked else "There are no subscribers yet: dateline subscribers add EMAIL --confirmed")
        return
    output.print_table(
        ["Email", "State", "Regions", "Digests", "Since"],
        [
            (one.email, one.standing, ", ".join(one.regions) or "all", ", ".join(one.digests) or "all", one.created_at.date())
            for one in rows
        ],
    )
    if not more:
        said = output.counted(len(rows), "subscriber")
        output.say(f"{len(rows):,} of {output.counted(_total(open_site(context, site)), 'subscriber')}" if search else said)
    if more:
        output.say(f"These are the first {len(rows):,}; --limit 0 lists all, `dateline subscribers export-all` writes them")


def _total(place: Site) -> int:
    from content.database import reading
    from newsletter.subscribers import Subscribers

    with reading(place.engine) as connection:
        return sum(Subscribers(connection).count().values())


@contextmanager
def _members(place: Site, standing: list[str] | None, digest: str) -> Iterator[Iterator[Exported]]:
    from content.database import reading
    from newsletter.exporting import members as exported

    chosen = [_standing(word) for word in standing or []]
    name = place.digest(digest).name if digest else ""
    with reading(place.engine) as connection:
        yield exported(connection, chosen, name)


def _standing(word: str) -> Standing:
    from content.errors import ConfigError
    from newsletter.subscribers import Standing

    if word not in set(Standing):
        raise ConfigError(f"--standing {word!r}: must be one of {', '.join(Standing)}")
    return Standing(word)


def _print_members(everybody: Iterator[Exported]) -> None:
    """As one JSON list, a member at a time: there may be a million."""
    import json

    first = True
    for one in everybody:
        text = json.dumps({
            "email": one.email, "state": one.standing.value, "regions": one.regions, "digests": one.digests,
            "origin": one.origin, "created_at": one.created_at.isoformat(),
            "confirmed_at": one.confirmed_at and one.confirmed_at.isoformat(),
        }, ensure_ascii=False)  # fmt: skip
        print("[" if first else ",", text, sep="\n", end="")
        first = False
    print("[]" if first else "\n]")


@members.command("export-all")
def export_all(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE.csv]", help="Where to.  [default: standard output]", show_default=False)
    ] = None,
    standing: StandingOption = None,
    digest: DigestOption = "",
    site: SiteOption = None,
) -> None:
    """Write all subscribers with preferences and standing as CSV, which `subscribers import` reads again."""
    from newsletter.exporting import write_csv

    with _members(open_site(context, site), standing, digest) as everybody:
        if file is None:
            write_csv(everybody, sys.stdout)
            return
        number = _write_file(file, everybody)
    output.say(f"{output.counted(number, 'subscriber')} written to {file}")


def _write_file(file: Path, everybody: Iterator[Exported]) -> int:
    """Writes beside the file and puts it in its place when it is whole."""
    from content.errors import DatelineError
    from newsletter.exporting import open_private, write_csv

    partial = file.with_name(f".{file.name}.part")
    try:
        with open_private(partial) as target:
            number = write_csv(everybody, target)
        partial.replace(file)
    except OSError as error:
        raise DatelineError(f"{file}: cannot be written ({error.strerror})") from None
    return number
