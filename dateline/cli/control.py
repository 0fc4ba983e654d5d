"""``digest pause``, ``resume``, ``cancel`` and ``retry``: what happens to an edition, whichever process sends it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, open_site, wants_json
from dateline.cli.digests import NameArgument, digests

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from newsletter.editions import Press
    from newsletter.ledger import DeliveryState, Edition, EditionState

DateOption = Annotated[
    str | None, typer.Option("--date", metavar="DATE", help="The edition of this day (2026-11-25); default: the newest.")
]


@digests.command()
def pause(
    context: typer.Context,
    name: NameArgument,
    date: DateOption = None,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Stop sending an edition, also where another process sends it; messages on the wire are finished."""
    from content.database import writing
    from newsletter.ledger import EditionState

    press, edition = _found(context, name, date, site)
    with writing(press.engine) as connection:
        _change(connection, edition, EditionState.PAUSED, "by hand", [EditionState.SENDING])
    if _told(context, as_json, press, edition):
        return
    output.say(
        f"{name} of {edition.local_date} is paused within a second; `dateline digest resume {name}` goes on, `cancel` ends it"
    )


@digests.command()
def resume(
    context: typer.Context,
    name: NameArgument,
    date: DateOption = None,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let a paused edition go on: `dateline run` takes it up, or `digest send`."""
    from content.database import writing
    from newsletter.ledger import EditionState, Ledger

    press, edition = _found(context, name, date, site)
    with writing(press.engine) as connection:
        _change(connection, edition, EditionState.SENDING, "", [EditionState.PAUSED])
        # What was put off for our own fault need not wait any longer.
        Ledger(connection).forgive(edition)
    if _told(context, as_json, press, edition):
        return
    output.say(f"{name} of {edition.local_date} goes on: `dateline run` takes it up soon, `dateline digest send {name}` now")


@digests.command()
def cancel(
    context: typer.Context,
    name: NameArgument,
    date: DateOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """End an edition for good: who has not got it will not get it."""
    from content.database import reading, writing
    from dateline import clock
    from newsletter.balance import balance
    from newsletter.claims import end_cancelled
    from newsletter.ledger import DeliveryState, EditionState

    press, edition = _found(context, name, date, site)
    if not yes:
        with reading(press.engine) as connection:
            sheet = balance(connection, edition, clock.now())
        have, left = sheet.count(DeliveryState.SENT), sheet.left
        question = f"Cancel {name} of {edition.local_date}? {have:,} have it, {left:,} would not get it."
        typer.confirm(question, abort=True, err=True)
    # Once more for one that is cancelled: a sender that had a part of it may have died since.
    states = [EditionState.SENDING, EditionState.PAUSED, EditionState.CANCELLED]
    with writing(press.engine) as connection:
        _change(connection, edition, EditionState.CANCELLED, "by hand", states)
        dropped = end_cancelled(connection, edition, clock.now())
        doubtful = balance(connection, edition, clock.now()).count(DeliveryState.IN_DOUBT)
    if _told(context, as_json, press, edition):
        return
    output.say(f"{name} of {edition.local_date} is cancelled; {output.counted(dropped, 'recipient')} will not get it")
    if doubtful:
        output.say(f"{output.counted(doubtful, 'recipient')} may have got it: `dateline digest status {name}` names them")


@digests.command()
def retry(
    context: typer.Context,
    name: NameArgument,
    failed: Annotated[bool, typer.Option("--failed", help="Those that a server refused.")] = False,
    in_doubt: Annotated[bool, typer.Option("--in-doubt", help="Those that may have arrived: they may come twice.")] = False,
    deferred: Annotated[bool, typer.Option("--deferred", help="Those that wait for another attempt: now.")] = False,
    date: DateOption = None,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Put recipients of an edition back into the queue. Who has left meanwhile is not mailed."""
    from content.database import writing
    from dateline import clock
    from newsletter.ledger import DeliveryState, EditionState, Ledger

    wanted: list[DeliveryState] = []
    if failed:
        wanted.append(DeliveryState.FAILED)
    if in_doubt:
        wanted.append(DeliveryState.IN_DOUBT)
    if deferred:
        wanted.append(DeliveryState.DEFERRED)
    if not wanted:
        raise typer.BadParameter("say which: --failed, --in-doubt, --deferred, or several")
    press, edition = _found(context, name, date, site)
    with writing(press.engine) as connection:
        ledger = Ledger(connection)
        number, state = ledger.retry(edition, wanted, clock.now()), ledger.state(edition)
    if _told(context, as_json, press, edition):
        return
    output.say(f"{output.counted(number, 'recipient')} of {name} of {edition.local_date} to be tried again")
    if state is EditionState.PAUSED:
        output.say(f"it stays paused ({edition.note}): `dateline digest resume {name}` lets it go on")
    elif number:
        output.say(f"`dateline run` takes them up soon, `dateline digest send {name}` now")


def _told(context: typer.Context, as_json: bool, press: Press, edition: Edition) -> bool:
    """Tells scripts where the edition stands now, if they asked."""
    if not wants_json(context, as_json):
        return False
    from content.database import reading
    from dateline.cli import delivery_reports
    from newsletter.ledger import Ledger

    with reading(press.engine) as connection:
        now = Ledger(connection).edition(edition.digest, edition.local_date) or edition
    output.print_json(delivery_reports.as_json(press, now))
    return True


def _found(context: typer.Context, name: str, date: str | None, site: SiteOption) -> tuple[Press, Edition]:
    place = open_site(context, site)
    press = place.press(place.digest(name))
    return press, edition_of(press, date)


def edition_of(press: Press, date: str | None) -> Edition:
    """The edition of a day, or the newest. Raises ``ConfigError`` when there is none."""
    from datetime import date as day_type

    from content.database import reading
    from content.errors import ConfigError
    from newsletter.ledger import Ledger

    name = press.digest.name
    with reading(press.engine) as connection:
        ledger = Ledger(connection)
        if date is None:
            edition = ledger.last(name)
        else:
            try:
                edition = ledger.edition(name, day_type.fromisoformat(date))
            except ValueError:
                raise ConfigError(f"--date: {date!r} is no date such as 2026-11-25") from None
    if edition is None:
        raise ConfigError(f"{name}: there is no edition{f' of {date}' if date else ' yet'}")
    return edition


def _change(connection: Connection, edition: Edition, state: EditionState, note: str, only: Sequence[EditionState]) -> None:
    from content.errors import DatelineError
    from newsletter.ledger import Ledger

    ledger = Ledger(connection)
    if not ledger.change(edition, state, note, only=only):
        is_now = ledger.state(edition)
        wanted = " or ".join(one.value for one in only)
        raise DatelineError(f"{edition.digest} of {edition.local_date} is {is_now}, not {wanted}; nothing was changed")
