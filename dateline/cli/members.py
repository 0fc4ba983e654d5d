"""``subscribers``: who gets the digest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, app, open_site, wants_json

if TYPE_CHECKING:
    from content.regions import Region
    from dateline.site import Site

members = typer.Typer(help="Add, import and list those who get the digests.", no_args_is_help=True)
app.add_typer(members, name="subscribers")

ConfirmedOption = Annotated[
    bool, typer.Option("--confirmed", help="They have agreed to be mailed. Without this they wait and are not mailed.")
]


@members.command()
def add(
    context: typer.Context,
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    region: Annotated[
        list[str] | None, typer.Option("--region", metavar="CODE", help="Only news of this region; repeatable.")
    ] = None,
    digest: Annotated[list[str] | None, typer.Option("--digest", metavar="NAME", help="Only this digest; repeatable.")] = None,
    confirmed: ConfirmedOption = False,
    again: Annotated[bool, typer.Option("--again", help="They left before and themselves asked to come back.")] = False,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add a subscriber."""
    from content.database import writing
    from dateline import clock
    from newsletter.subscribers import Joined, Subscribers
    from newsletter.suppression import Suppressions

    place = open_site(context, site)
    places, names, key = _regions(region), _digests(place, digest), place.tokens.key
    with writing(place.engine) as connection:
        joined = Subscribers(connection, Suppressions(connection, key)).join(
            email, origin="command line", now=clock.now(), confirmed=confirmed, regions=places, digests=names, again=again
        )
    told = {
        Joined.ADDED: "added" if confirmed else "added, not confirmed: is not mailed until --confirmed",
        Joined.CONFIRMED: "was there, is now confirmed",
        Joined.UNCHANGED: "was there already; nothing changed (`dateline subscribers set` changes what a member gets)",
        Joined.BACK: "had left and is back"
        if confirmed
        else "had left and is back, not confirmed: is not mailed until --confirmed",
        Joined.LEFT_BEFORE: "has left before and stays out; --again if the owner of the address asked to come back",
        Joined.SUPPRESSED: "is suppressed and stays out: `dateline suppressions list` says why, `suppressions lift` ends it",
    }
    if wants_json(context, as_json):
        output.print_json({"email": email, "result": joined.value})
    else:
        output.say(f"{email}: {told[joined]}")
    if joined in (Joined.LEFT_BEFORE, Joined.SUPPRESSED):
        raise typer.Exit(1)


def _regions(names: list[str] | None) -> list[Region]:
    from content.errors import ConfigError
    from content.regions import resolve

    places, unknown = resolve(names or [])
    if unknown:
        raise ConfigError(f"--region: {unknown[0].name!r} is no country or subdivision: use a code such as CN or CN-GD")
    return places


def _digests(place: Site, names: list[str] | None) -> list[str]:
    return [place.digest(name).name for name in names or []]


@members.command("set")
def choose(
    context: typer.Context,
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    region: Annotated[
        list[str] | None, typer.Option("--region", metavar="CODE", help="Only news of this region; repeatable.")
    ] = None,
    all_regions: Annotated[bool, typer.Option("--all-regions", help="News of all regions.")] = False,
    digest: Annotated[list[str] | None, typer.Option("--digest", metavar="NAME", help="Only this digest; repeatable.")] = None,
    all_digests: Annotated[bool, typer.Option("--all-digests", help="All digests.")] = False,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Set which regions and digests a subscriber gets; what is not named stays."""
    from content.database import writing
    from content.errors import ConfigError
    from newsletter.subscribers import Subscribers

    place = open_site(context, site)
    if (region and all_regions) or (digest and all_digests):
        raise ConfigError("name regions or say --all-regions, name digests or say --all-digests: not both")
    if not (region or all_regions or digest or all_digests):
        raise ConfigError("say what to set: --region, --all-regions, --digest or --all-digests")
    regions = _regions(region) if region or all_regions else None
    digests = _digests(place, digest) if digest or all_digests else None
    with writing(place.engine) as connection:
        known = Subscribers(connection).choose(email, regions=regions, digests=digests)
    if wants_json(context, as_json):
        output.print_json({"email": email, "set": known})
    else:
        parts = [", ".join(one.code for one in regions) or "all regions"] if regions is not None else []
        parts += [", ".join(digests) or "all digests"] if digests is not None else []
        output.say(f"{email}: {'from now on ' + '; '.join(parts) if known else 'is not a subscriber'}")
    if not known:
        raise typer.Exit(1)


@members.command("import")
def import_(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE.csv", help="A column 'email', perhaps one 'regions'; or just addresses.")
    ],
    confirmed: ConfirmedOption = False,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Add subscribers from a CSV file; bad lines are named and the rest goes in."""
    from content.database import writing
    from content.errors import Severity
    from dateline import clock
    from newsletter.importing import import_csv
    from newsletter.subscribers import Subscribers
    from newsletter.suppression import Suppressions

    place = open_site(context, site)
    key = place.tokens.key
    with writing(place.engine) as connection:
        report = import_csv(Subscribers(connection, Suppressions(connection, key)), file, clock.now(), confirmed=confirmed)
    rejected = [problem for problem in report.problems if problem.severity is Severity.ERROR]
    counts = {
        "lines": report.lines, "added": report.added, "confirmed": report.confirmed, "unchanged": report.unchanged,
        "left_before": report.left_before, "suppressed": report.suppressed, "rejected": len(rejected),
    }  # fmt: skip
    if wants_json(context, as_json):
        output.print_json(counts | {"problems": [str(problem) for problem in report.problems]})
    else:
        output.print_problems(report.problems)
        told = ", ".join(
            f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items() if number and name != "lines"
        )
        waiting = "" if confirmed or not report.added else " (not confirmed: not mailed until imported with --confirmed)"
        output.say(f"{output.counted(report.lines, 'line')}: {told or 'nothing'}{waiting}")
    if rejected:
        raise typer.Exit(1)


@members.command("list")
def list_subscribers(
    context: typer.Context,
    search: Annotated[str, typer.Option("--search", metavar="TEXT", help="Only addresses that hold TEXT.")] = "",
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """List subscribers with their state and preferences."""
    from content.database import reading
    from newsletter.subscribers import Subscribers

    place = open_site(context, site)
    with reading(place.engine) as connection:
        everybody = list(Subscribers(connection).all())
    wanted, number = search.strip().casefold(), len(everybody)
    found = [one for one in everybody if wanted in one.email.casefold()]
    if wants_json(context, as_json):
        output.print_json([
            {
                "email": one.email, "state": one.standing.value, "regions": one.regions, "digests": one.digests,
                "origin": one.origin, "created_at": one.created_at.isoformat(),
                "confirmed_at": one.confirmed_at and one.confirmed_at.isoformat(),
            }
            for one in found
        ])  # fmt: skip
        return
    if not number:
        output.say("There are no subscribers yet: dateline subscribers add EMAIL --confirmed")
        return
    output.print_table(
        ["Email", "State", "Regions", "Digests", "Since"],
        [
            (
                one.email,
                one.standing,
                ", ".join(one.regions) or "all",
                ", ".join(one.digests) or "all",
                f"{one.created_at:%Y-%m-%d}",
            )
            for one in found
        ],
    )
    output.say(f"{len(found):,} of {output.counted(number, 'subscriber')}" if wanted else output.counted(number, "subscriber"))


@members.command()
def remove(
    context: typer.Context,
    email: Annotated[str, typer.Argument(metavar="EMAIL")],
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take a subscriber out, at once; `subscribers add --again` brings back who asks for it."""
    from content.database import writing
    from dateline import clock
    from newsletter.subscribers import Subscribers

    place = open_site(context, site)
    with writing(place.engine) as connection:
        left = Subscribers(connection).leave(email, clock.now())
    if wants_json(context, as_json):
        output.print_json({"email": email, "left": left})
    else:
        output.say(f"{email}: {'is out and will not be mailed' if left else 'was not a subscriber'}")
    if not left:
        raise typer.Exit(1)
