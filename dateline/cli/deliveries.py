"""``digest send`` and what goes with it: how far an edition is, stopping it, going on, trying again."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, open_site, wants_json
from dateline.cli.control import DateOption, edition_of
from dateline.cli.digests import NameArgument, digests

if TYPE_CHECKING:
    from datetime import date as date_type
    from datetime import datetime

    from dateline.site import Site
    from newsletter.editions import Press
    from newsletter.ledger import Edition
    from newsletter.sending import Account


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
    from newsletter.transport import TransportError

    with stopping() as stop:
        try:
            done = send_editions(place, press, stop)
        except TransportError as error:
            output.complain(str(error))
            output.complain(f"what was not sent waits in the ledger: `dateline digest status {name}`, then send again")
            raise typer.Exit(1) from None
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
    # What is wrong with the settings is found out before anything is made.
    open_transport(place.root, place.settings.site, place.settings.newsletter).close()
    accounts: list[Account] = []
    reason = ""
    today = press.local_date(now)
    for day in [*(edition.local_date for edition in editions), today]:
        edition = next((one for one in editions if one.local_date == day), None)
        if edition and any(one.edition.id == edition.id for one in accounts):
            continue
        if edition is None and not stop.is_set():
            made = make(press, today, now, scheduled=False)
            edition, reason = made.edition or _made_meanwhile(press, now), made.reason
        if stop.is_set() and (edition or not reason):
            left = "unfinished" if edition else "not made"
            return Sent(accounts, f"stopped before sending: the edition of {day} is {left}; send again", stopped=True)
        if edition is None or any(one.edition.id == edition.id for one in accounts):
            continue
        transport = open_transport(place.root, place.settings.site, place.settings.newsletter)
        with output.progress() as progress:
            hear = _counter(partial(progress, "Sending"), edition.recipients)
            accounts.append(Sending(press, transport, clock.now, stop, output.complain).run(edition, hear))
    if accounts:
        return Sent(accounts, "")
    waits = _waiting(press, today)
    return Sent([], waits or reason, stopped=bool(waits))


def _made_meanwhile(press: Press, now: datetime) -> Edition | None:
    """Today's edition, if another process made it this moment: there may be enough of it for two."""
    from content.database import reading
    from newsletter.ledger import Ledger

    today = press.local_date(now)
    with reading(press.engine) as connection:
        return next((one for one in Ledger(connection).unfinished(press.digest.name, now) if one.local_date == today), None)


def _waiting(press: Press, day: date_type) -> str:
    """Why nothing of an unfinished edition could be sent now; empty if there is none."""
    from content.database import reading
    from dateline import clock
    from newsletter.balance import balance
    from newsletter.ledger import DeliveryState, EditionState, Ledger

    name = press.digest.name
    with reading(press.engine) as connection:
        edition = Ledger(connection).edition(name, day)
        if edition is None or edition.state is not EditionState.SENDING:
            return ""
        sheet = balance(connection, edition, clock.now())
    if sheet.workers:
        return f"{name}: another process sends the edition of {day}; nothing was left for this one"
    waiting = sheet.count(DeliveryState.DEFERRED)
    when = output.shown_time(sheet.next_attempt)
    return (
        f"{name}: nothing of the edition of {day} is due; {waiting:,} of {edition.recipients:,} wait, the first until {when}: "
        f"`dateline digest retry {name} --deferred` makes them due now"
    )


def _counter(progress: Callable[[int, int], None], total: int) -> Callable[[int], None]:
    sent, drawn = 0, 0.0

    def hear(number: int) -> None:
        nonlocal sent
        sent += number
        nonlocal drawn
        # Drawing a bar takes longer than sending a message.
        if time.monotonic() - drawn > 0.1 or sent == total:
            drawn = time.monotonic()
            progress(sent, total)

    return hear


def tell_account(account: Account) -> None:
    """The balance of an edition, and what went wrong, in words."""
    from dateline.cli.delivery_reports import complain
    from newsletter.ledger import DeliveryState, EditionState
    from newsletter.schedule import describe

    output.say(f"{account.sent_now} sent now. {describe(account)}")
    if account.doubtful:
        output.complain(f"{account.doubtful} were on the wire when an earlier sender died")
    complain(account.sheet, account.troubles)
    if account.edition.state is EditionState.PAUSED:
        name = account.edition.digest
        output.complain(f"it is paused ({account.edition.note}): `dateline digest resume {name}` lets it go on")
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
        reports.write_csv(presses[0], edition_of(presses[0], date), csv)
        return
    editions = [(press, edition_of(press, date)) for press in presses] if name else reports.newest(presses)
    if wants_json(context, as_json) and watch:
        reports.watch_as_json(editions)
    elif wants_json(context, as_json):
        told = [reports.as_json(press, edition) for press, edition in editions]
        output.print_json(told[0] if name else told)
    else:
        reports.show(editions, watch=watch)
