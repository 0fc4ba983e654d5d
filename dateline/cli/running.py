"""``schedule`` and ``run``: the program as a service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, app, open_site, wants_json

if TYPE_CHECKING:
    from dateline.site import Site
    from newsletter.schedule import Due


@app.command()
def schedule(context: typer.Context, site: SiteOption = None, as_json: JsonOption = False) -> None:
    """Show when each digest is due, and what was missed."""
    from dateline import clock
    from newsletter.schedule import outlook

    place = open_site(context, site)
    rows = [(place.press(digest), outlook(place.press(digest), clock.now())) for digest in place.settings.digest]
    rows.sort(key=lambda row: (row[1].next_time is None, row[1].next_time))
    if wants_json(context, as_json):
        output.print_json([
            {
                "digest": due.digest, "cron": press.digest.cron, "timezone": str(press.zone),
                "next": due.next_time and due.next_time.isoformat(), "missed": due.missed and str(due.missed),
                "last_edition": due.last and str(due.last.local_date), "last_state": due.last and due.last.state.value,
            }
            for press, due in rows
        ])  # fmt: skip
        return
    if not rows:
        output.say("There is no [[digest]] in config.toml.")
        return
    output.print_table(
        ["Next", "Digest", "Cron", "Last edition", "Missed"],
        [
            (
                output.shown_time(due.next_time, press.zone),
                due.digest,
                f"{press.digest.cron} ({press.zone})",
                f"{due.last.local_date} ({due.last.state})" if due.last else "-",
                _missed(due),
            )
            for press, due in rows
        ],
    )


def _missed(due: Due) -> str:
    if not due.missed:
        return "-"
    return (
        f"{due.missed}: `dateline digest send {due.digest}` sends it" if due.asks else f"{due.missed}: `dateline run` sends it"
    )


@app.command()
def run(context: typer.Context, site: SiteOption = None, as_json: JsonOption = False) -> None:
    """Bring out published articles and send digests when they are due, until told to stop (SIGTERM or Ctrl-C).

    Takes no files in: `dateline publish` does. Logs to stderr, as JSON lines if asked.
    """
    import logging
    import signal
    import threading

    from dateline import clock
    from newsletter.postman import Postman
    from newsletter.schedule import Schedule, outlook
    from newsletter.sending import open_transport

    place = open_site(context, site)
    presses = [place.press(digest) for digest in place.settings.digest]
    output.log_to_stderr(as_json=wants_json(context, as_json))
    log = logging.getLogger("dateline")
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, frame: told.set())
    postman = Postman(place.reception, clock.now)
    service = Schedule(
        presses,
        lambda: open_transport(place.root, place.settings.site, place.settings.newsletter),
        clock.now,
        beside=[lambda: _release(place), lambda: _read_bounces(place), postman.round],
    )
    for press in presses:
        due = outlook(press, clock.now())
        log.info("%s: next on %s", due.digest, output.shown_time(due.next_time, press.zone))
    service.start()
    while not told.wait(timeout=3600):
        pass
    log.info("stopping")
    postman.stop()
    service.stop()
    log.info("stopped")


def _read_bounces(place: Site) -> None:
    """Reads what came back, where config.toml says that it lies. Errors are logged: the next time may do better."""
    import logging
    import sqlite3

    from sqlalchemy.exc import OperationalError

    from content.errors import DatelineError
    from dateline.cli.returns import process_source

    if not place.settings.bounces.source:
        return
    log = logging.getLogger("dateline.bounces")
    try:
        run = process_source(place, "")
    except (DatelineError, OSError, OperationalError, sqlite3.OperationalError) as error:
        log.error("%s", error)  # noqa: TRY400
        return
    if run.outcomes:
        log.info("read bounces: %s", ", ".join(f"{number} {outcome}" for outcome, number in run.outcomes.items()))


def _release(place: Site) -> None:
    """Brings out the articles whose time has come. Errors are logged: the next time may do better."""
    import logging
    import sqlite3

    from content.errors import DatelineError
    from dateline import clock

    log = logging.getLogger("dateline.release")
    try:
        published = place.release(clock.now())
    except (DatelineError, sqlite3.OperationalError) as error:
        log.error("%s", error)  # noqa: TRY400
        return
    if published is None:
        return
    if published.outcome.written:
        feeds = sum(path.endswith((".xml", "feed.json")) for path in published.outcome.written)
        log.info("an article's time has come: wrote %s", output.counted(feeds, "feed"))
    for problem in published.outcome.problems:
        log.warning("%s", problem)
    for hub in published.hubs:
        if hub.error:
            log.warning("hub %s: %s; %d to be told later", hub.hub, hub.error, hub.waiting)
        else:
            log.info("told the hub %s of %s", hub.hub, output.counted(hub.told, "feed"))
