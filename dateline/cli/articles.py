"""``init``, ``check``, ``publish``: from files to feeds."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, app, open_site, root_of, wants_json

if TYPE_CHECKING:
    from content.errors import Problem
    from content.intake import Event
    from dateline.site import Published
    from dateline.stamp import Told
    from feeds.hubs import HubReport

PathsArgument = Annotated[
    list[Path] | None,
    typer.Argument(metavar="[PATH]...", help="Files or folders.  [default: the site's articles]", show_default=False),
]


@app.command()
def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder of the new site; made when it is missing.")],
    as_json: JsonOption = False,
) -> None:
    """Lay out a new site: config.toml, templates and sample articles."""
    from dateline import clock
    from dateline.site import lay_out

    made = lay_out(folder, clock.now())
    if wants_json(context, as_json):
        output.print_json({"site": str(folder), "made": [str(path) for path in made]})
        return
    output.say(f"A new site is in {folder}: {output.counted(len(made), 'file')}, the settings in {folder / 'config.toml'}")
    output.say(f"Next: dateline --site {folder} publish")


@app.command()
def check(context: typer.Context, paths: PathsArgument = None, site: SiteOption = None, as_json: JsonOption = False) -> None:
    """Read articles and settings and report what is wrong; write nothing."""
    from dateline import clock

    place = open_site(context, site)
    with output.progress() as progress:
        report, wrong = place.check(paths or [], clock.now(), progress)
    if wants_json(context, as_json):
        problems = [_problem(problem) for problem in report.problems]
        output.print_json({"files": report.files, "problems": problems, "templates": wrong})
    else:
        output.print_problems(report.problems, limit=None)
        errors, warnings = len(report.errors), sum(one.severity == "warning" for one in report.problems)
        good = output.counted(report.files, "file")
        for problem in wrong:
            output.complain(problem)
        state = "config.toml and the templates are fine" if not wrong else "the templates need attention"
        output.say(f"{good} read: {output.counted(errors, 'error')}, {output.counted(warnings, 'warning')}; {state}")
    if report.errors or wrong:
        raise typer.Exit(1)


@app.command()
def publish(
    context: typer.Context,
    paths: PathsArgument = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Withdraw however many articles' files are gone.")] = False,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take articles in and bring feeds and pages in line with them."""
    from dateline import clock, stamp

    told = None if dry_run else stamp.unchanged(root_of(context, site), paths or [], clock.now().timestamp())
    if told is not None:
        _tell_unchanged(told, as_json=wants_json(context, as_json))
        return
    place = open_site(context, site)
    with output.progress() as progress:
        published = place.publish(paths or [], clock.now(), progress, dry_run=dry_run, withdraw_many=withdraw)
    report, outcome = published.report, published.outcome
    if wants_json(context, as_json):
        output.print_json(_published(published, dry_run))
    else:
        output.print_problems(report.problems)
        for problem in outcome.problems:
            output.complain(problem)
        for hub in published.hubs:
            if hub.error:
                again = output.shown_time(hub.next_attempt)
                left = output.counted(hub.waiting, "feed")
                output.complain(f"hub {hub.hub}: {hub.error}; {left} to be told to it by a run after {again}")
        _tell(published, place.root / place.settings.feeds.folder, dry_run)
    if report.errors or outcome.problems:
        raise typer.Exit(1)


def _tell_unchanged(told: Told, *, as_json: bool) -> None:
    if as_json:
        output.print_json({
            "dry_run": False, "files": told.files, "unchanged": told.files, "articles": told.articles, "feeds": told.feeds,
            "changes": [], "written": [], "removed": [], "problems": [], "left_out": [], "hubs": [],
        })  # fmt: skip
        return
    output.say(f"{output.counted(told.files, 'file')}: {told.files} unchanged")
    public = f"{output.counted(told.articles, 'article')} in {output.counted(told.feeds, 'feed')}"
    output.say(f"{public}: nothing changed, nothing written")


def _tell(published: Published, folder: Path, dry_run: bool) -> None:
    from content.intake import Change

    report, outcome = published.report, published.outcome
    changes = [f"{report.count(change)} {change}" for change in Change if report.count(change)]
    changes += [output.counted(report.drafts, "draft")] if report.drafts else []
    refused = f", {len(report.errors)} refused" if report.errors else ""
    read = f"{output.counted(report.files, 'file')}: {', '.join([*changes, f'{report.unchanged} unchanged'])}{refused}"
    output.say(read)
    public = f"{output.counted(outcome.articles, 'article')} in {output.counted(outcome.feeds, 'feed')}"
    if outcome.written or outcome.removed:
        verb = "would write" if dry_run else "wrote"
        removed = f", removed {len(outcome.removed)}" if outcome.removed else ""
        feeds = sum(path.endswith((".xml", "feed.json")) for path in outcome.written)
        others = output.counted(len(outcome.written) - feeds, "other file")
        output.say(f"{public}: {verb} {output.counted(feeds, 'feed')} and {others} in {folder}{removed}")
    else:
        output.say(f"{public}: nothing changed, nothing written")
    for hub in published.hubs:
        if hub.told:
            output.say(f"told the hub {hub.hub} of {output.counted(hub.told, 'feed')}")


def _published(published: Published, dry_run: bool) -> dict[str, object]:
    report, outcome = published.report, published.outcome
    return {
        "dry_run": dry_run,
        "files": report.files,
        "unchanged": report.unchanged,
        "articles": outcome.articles,
        "feeds": outcome.feeds,
        "changes": [_event(event) for event in report.events],
        "written": outcome.written,
        "removed": outcome.removed,
        "problems": [_problem(problem) for problem in report.problems],
        "left_out": outcome.problems,
        "hubs": [_hub(report) for report in published.hubs],
    }


def _hub(report: HubReport) -> dict[str, object]:
    return {
        "hub": report.hub, "told": report.told, "waiting": report.waiting, "error": report.error,
        "next_attempt": report.next_attempt and report.next_attempt.isoformat(),
    }  # fmt: skip


def _event(event: Event) -> dict[str, str]:
    return {"change": event.change.value, "id": event.article_id, "title": event.title, "source": event.source}


def _problem(problem: Problem) -> dict[str, object]:
    return {
        "severity": problem.severity.value,
        "path": str(problem.path),
        "line": problem.line,
        "message": problem.message,
    }
