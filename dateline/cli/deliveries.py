"""``digest send`` and what goes with it: how far an edition is, stopping it, going on, trying again."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, open_site, wants_json
from dateline.cli.digests import NameArgument, digests

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from dateline.site import Site
    from newsletter.editions import Press
    from newsletter.ledger import DeliveryState, Edition, EditionState
    from newsletter.sending import Account

DateOption = Annotated[
    str | None, typer.Option("--date", metavar="DATE", help="The edition of this day (2026-11-25); default: the newest.")
]


@digests.command()
def send(
    context: typer.Context,
    name: NameArgument,
    test_to: Annotated[
        str | None, typer.Option("--test-to", metavar="ADDRESS", help="Send one test message; record nothing.")
    ] = None,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send a digest: go on with its unfinished editions, and make today's."""
    place = open_site(context, site)
    press = place.press(place.digest(name))
    if test_to is not None:
        from dateline.cli.trial import send_trial

        send_trial(place, press, test_to, wants_json(context, as_json))
        return
    with stopping() as stop:
        done = send_editions(place, press, stop)
    if wants_json(context, as_json):
        from dateline.cli.delivery_reports import sent_as_json

        output.print_json(sent_as_json(press, done.accounts, done.reason))
    else:
        for account in done.accounts:
            tell_account(account)
        if done.reason:
            output.say(done.reason)
    if done.stopped or any(not one.finished or one.count_unserved() for one in done.accounts) or _waits(press):
        raise typer.Exit(1)


def _waits(press: Press) -> bool:
    """Whether the digest's newest edition is paused: somebody has to decide."""
    from content.database import reading
    from newsletter.ledger import EditionState, Ledger

    with reading(press.engine) as connection:
        last = Ledger(connection).last(press.digest.name)
    return last is not None and last.state is EditionState.PAUSED


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """While SIGTERM and Ctrl-C do not end the program but ask it to finish the messages on the wire."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda received, frame: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of ``digest send``: an account for each edition, or why there is none. ``stopped``: there was more to do."""

    accounts: list[Account]
    reason: str
    stopped: bool = False


def send_editions(place: Site, press: Press, stop: threading.Event) -> Sent:
    """Goes on with the digest's unfinished editions and makes today's; says why there is none if so, or what a stop left."""
    from content.database import reading
    from dateline import clock
    from newsletter.editions import make
    from newsletter.ledger import Ledger
    from newsletter.sending import Sending, open_transport

    now = clock.now()
    with reading(press.engine) as connection:
        editions = Ledger(connection).unfinished(press.digest.name, now)
    accounts: list[Account] = []
    reason = ""
    today = press.local_date(now)
    for day in [*(edition.local_date for edition in editions), today]:
        edition = next((one for one in editions if one.local_date == day), None)
        if edition and any(one.edition.id == edition.id for one in accounts):
            continue
        if edition is None and not stop.is_set():
            made = make(press, today, now, scheduled=False)
            edition, reason = made.edition, made.reason
        if stop.is_set() and (edition or not reason):
            left = "unfinished" if edition else "not made"
            return Sent(accounts, f"stopped before sending: the edition of {day} is {left}; send again", stopped=True)
        if edition is None:
            continue
        transport = open_transport(place.root, place.settings.site, place.settings.newsletter)
        with output.progress() as progress:
            hear = _counter(partial(progress, "Sending"), edition.recipients)
            accounts.append(Sending(press, transport, clock.now, stop, output.complain).run(edition, hear))
    return Sent(accounts, "" if accounts else reason)


def _counter(progress: Callable[[int, int], None], total: int) -> Callable[[int], None]:
    sent = 0

    def hear(number: int) -> None:
        nonlocal sent
        sent += number
        # Drawing a bar takes longer than sending a message.
        if sent % 50 == 0 or sent == total:
            progress(sent, total)

    return hear


def tell_account(account: Account) -> None:
    """The balance of an edition, and what went wrong, in words."""
    from dateline.cli.delivery_reports import complain
    from newsletter.ledger import DeliveryState
    from newsletter.schedule import describe

    output.say(f"{account.sent_now} sent now. {describe(account)}")
    if account.doubtful:
        output.complain(f"{account.doubtful} were on the wire when an earlier sender died")
    complain(account.sheet, account.troubles)
    if account.count(DeliveryState.DEFERRED):
        when = output.shown_time(account.sheet.next_attempt)
        output.complain(f"the deferred are due from {when}; `dateline run` takes them up, or send again then")


@digests.command()
def status(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="[NAME]", help="A digest's name; default: all.")] = None,
    date: DateOption = None,
    csv: Annotated[
        str | None,
        typer.Option("--csv", metavar="FILE", help="Write every recipient to FILE (- is stdout)."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every second until nothing is being sent.")] = False,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far an edition is: its balance sheet, senders at work, last replies, who is in doubt."""
    from dateline.cli import delivery_reports as reports

    place = open_site(context, site)
    presses = [place.press(place.digest(name))] if name else [place.press(digest) for digest in place.settings.digest]
    if csv is not None:
        if name is None:
            raise typer.BadParameter("needs the NAME of one digest", param_hint="--csv")
        reports.write_csv(presses[0], _edition(presses[0], date), csv)
        return
    editions = [(press, _edition(press, date)) for press in presses] if name else reports.newest(presses)
    if wants_json(context, as_json) and watch:
        reports.watch_as_json(editions)
    elif wants_json(context, as_json):
        told = [reports.as_json(press, edition) for press, edition in editions]
        output.print_json(told[0] if name else told)
    else:
        reports.show(editions, watch=watch)


@digests.command()
def pause(context: typer.Context, name: NameArgument, date: DateOption = None, site: SiteOption = None) -> None:
    """Stop sending an edition, also where another process sends it; messages on the wire are finished."""
    from content.database import writing
    from newsletter.ledger import EditionState

    press, edition = _found(context, name, date, site)
    with writing(press.engine) as connection:
        _change(connection, edition, EditionState.PAUSED, "by hand", [EditionState.SENDING])
    output.say(
        f"{name} of {edition.local_date} is paused within a second; `dateline digest resume {name}` goes on, `cancel` ends it"
    )


@digests.command()
def resume(context: typer.Context, name: NameArgument, date: DateOption = None, site: SiteOption = None) -> None:
    """Let a paused edition go on: `dateline run` takes it up, or `digest send`."""
    from content.database import writing
    from newsletter.ledger import EditionState

    press, edition = _found(context, name, date, site)
    with writing(press.engine) as connection:
        _change(connection, edition, EditionState.SENDING, "", [EditionState.PAUSED])
    output.say(f"{name} of {edition.local_date} goes on: `dateline run` takes it up soon, `dateline digest send {name}` now")


@digests.command()
def cancel(
    context: typer.Context,
    name: NameArgument,
    date: DateOption = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    site: SiteOption = None,
) -> None:
    """End an edition for good: who has not got it will not get it."""
    from content.database import writing
    from dateline import clock
    from newsletter.balance import balance
    from newsletter.claims import end_cancelled
    from newsletter.ledger import DeliveryState, EditionState

    press, edition = _found(context, name, date, site)
    if not yes:
        typer.confirm(f"Cancel {name} of {edition.local_date} ({edition.recipients:,} recipients)?", abort=True, err=True)
    # Once more for one that is cancelled: a sender that had a part of it may have died since.
    states = [EditionState.SENDING, EditionState.PAUSED, EditionState.CANCELLED]
    with writing(press.engine) as connection:
        _change(connection, edition, EditionState.CANCELLED, "by hand", states)
        dropped = end_cancelled(connection, edition, clock.now())
        doubtful = balance(connection, edition, clock.now()).count(DeliveryState.IN_DOUBT)
    output.say(f"{name} of {edition.local_date} is cancelled; {output.counted(dropped, 'recipient')} will not get it")
    if doubtful:
        output.say(f"{output.counted(doubtful, 'recipient')} may have got it: `dateline digest status {name}` names them")


@digests.command()
def retry(
    context: typer.Context,
    name: NameArgument,
    failed: Annotated[bool, typer.Option("--failed", help="Those that a server refused.")] = False,
    in_doubt: Annotated[bool, typer.Option("--in-doubt", help="Those that may have arrived: they may come twice.")] = False,
    date: DateOption = None,
    site: SiteOption = None,
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
    if not wanted:
        raise typer.BadParameter("say which: --failed, --in-doubt, or both")
    press, edition = _found(context, name, date, site)
    with writing(press.engine) as connection:
        ledger = Ledger(connection)
        number, state = ledger.retry(edition, wanted, clock.now()), ledger.state(edition)
    output.say(f"{output.counted(number, 'recipient')} of {name} of {edition.local_date} to be tried again")
    if state is EditionState.PAUSED:
        output.say(f"it stays paused ({edition.note}): `dateline digest resume {name}` lets it go on")
    elif number:
        output.say(f"`dateline run` takes them up soon, `dateline digest send {name}` now")


def _found(context: typer.Context, name: str, date: str | None, site: SiteOption) -> tuple[Press, Edition]:
    place = open_site(context, site)
    press = place.press(place.digest(name))
    return press, _edition(press, date)


def _edition(press: Press, date: str | None) -> Edition:
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
