"""``digest``: what goes out, to whom, and why."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, app, open_site, wants_json
from dateline.cli.digest_check import check

if TYPE_CHECKING:
    from dateline.site import Site
    from newsletter.editions import Press
    from newsletter.rendering import Rendering
    from newsletter.sending import Account

digests = typer.Typer(help="Preview, explain and send the digests of config.toml.", no_args_is_help=True)
app.add_typer(digests, name="digest")

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The digest's name in config.toml.")]


@digests.command("list")
def list_digests(context: typer.Context, site: SiteOption = None, as_json: JsonOption = False) -> None:
    """The digests, when each is due next, and its last edition."""
    from dateline import clock
    from newsletter.schedule import outlook

    place = open_site(context, site)
    rows = [(digest, place.press(digest), outlook(place.press(digest), clock.now())) for digest in place.settings.digest]
    if wants_json(context, as_json):
        output.print_json([
            {
                "name": digest.name, "title": digest.title, "cron": digest.cron, "timezone": str(press.zone),
                "sections": digest.sections, "regions": [one.code for one in digest.places], "limit": digest.limit,
                "next": due.next_time and due.next_time.isoformat(), "last_edition": due.last and str(due.last.local_date),
                "last_state": due.last and due.last.state.value,
            }
            for digest, press, due in rows
        ])  # fmt: skip
        return
    if not rows:
        output.say("There is no [[digest]] in config.toml.")
        return
    output.print_table(
        ["Name", "Title", "Carries", "Next", "Last edition"],
        [
            (
                digest.name,
                digest.title,
                "; ".join(filter(None, [", ".join(digest.sections), ", ".join(one.name for one in digest.places)]))
                or "everything",
                output.shown_time(due.next_time, press.zone),
                f"{due.last.local_date} ({due.last.state})" if due.last else "-",
            )
            for digest, press, due in rows
        ],
    )


@digests.command()
def explain(context: typer.Context, name: NameArgument, site: SiteOption = None, as_json: JsonOption = False) -> None:
    """Say of each article why the next edition carries it, or why not."""
    from dateline import clock
    from newsletter.editions import explain as explain_choice

    place = open_site(context, site)
    choices = explain_choice(place.press(place.digest(name)), clock.now())
    if wants_json(context, as_json):
        output.print_json([
            {
                "id": choice.article.id, "title": choice.article.title, "published": choice.article.published.isoformat(),
                "included": choice.included, "reason": choice.reason,
            }
            for choice in choices
        ])  # fmt: skip
        return
    output.print_table(
        ["", "Published", "Article", "Why"],
        [
            ("in" if choice.included else "out", f"{choice.article.published:%Y-%m-%d}", choice.article.title, choice.reason)
            for choice in choices
        ],
    )


@digests.command()
def preview(
    context: typer.Context,
    name: NameArgument,
    html: Annotated[Path | None, typer.Option("--html", metavar="FILE", help="Write the HTML part to FILE.")] = None,
    text: Annotated[Path | None, typer.Option("--text", metavar="FILE", help="Write the text part to FILE.")] = None,
    eml: Annotated[Path | None, typer.Option("--eml", metavar="FILE", help="Write the whole message to FILE.")] = None,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what the next edition looks like to a member of all regions; send and record nothing."""
    from dateline import clock
    from newsletter.editions import preview as preview_edition

    place = open_site(context, site)
    press = place.press(place.digest(name))
    articles, rendering = preview_edition(press, clock.now())
    link = press.unsubscribe_url("preview")
    parts = {kind: part.replace(rendering.slot, link) for kind, part in (("html", rendering.html), ("text", rendering.text))}
    wanted = [(html, parts["html"].encode()), (text, parts["text"].encode())]
    if eml:
        wanted.append((eml, _sample(press, rendering, "reader@example.com")))
    for path, written in wanted:
        if path:
            _write(path, written)
    if wants_json(context, as_json):
        titles = [article.title for article in articles]
        output.print_json({"subject": rendering.subject, "articles": titles, "html_bytes": len(parts["html"].encode())})
    elif not any((html, text, eml)):
        output.say(f"Subject: {rendering.subject}\n\n{parts['text']}")
    else:
        size = len(parts["html"].encode()) / 1000
        output.say(f"{rendering.subject}\n{output.counted(len(articles), 'article')}, {size:.1f} kB of HTML")


def _sample(press: Press, rendering: Rendering, address: str) -> bytes:
    from dateline import clock
    from newsletter.message import Recipient

    now = clock.now()
    letter = press.letter(rendering, press.local_date(now))
    return letter.address(Recipient("preview", address, press.unsubscribe_url("preview")), now).content


def _write(path: Path, content: bytes) -> None:
    from content.errors import ConfigError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from None


digests.command()(check)


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
        _send_test(place, press, test_to, wants_json(context, as_json))
        return
    with stopping() as stop:
        accounts, reason = send_editions(place, press, stop)
    if wants_json(context, as_json):
        output.print_json(_sent(press, accounts, reason))
    else:
        for account in accounts:
            tell_account(account)
        if reason:
            output.say(reason)
    if any(not account.finished or account.count_unserved() for account in accounts):
        raise typer.Exit(1)


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """While SIGTERM and Ctrl-C do not end the program but ask it to finish the message on the wire."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda received, frame: stop.set()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def send_editions(place: Site, press: Press, stop: threading.Event) -> tuple[list[Account], str]:
    """Goes on with the digest's unfinished editions and makes today's; says why there is none if so."""
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
        if edition is None:
            made = make(press, today, now, scheduled=False)
            edition, reason = made.edition, made.reason
        if edition is None or stop.is_set() or any(one.edition.id == edition.id for one in accounts):
            continue
        transport = open_transport(place.root, place.settings.site, place.settings.newsletter)
        with output.progress() as progress:
            hear = _counter(partial(progress, "Sending"), edition.recipients)
            accounts.append(Sending(press, transport, clock.now, stop).run(edition, hear))
    return accounts, "" if accounts else reason


def _counter(progress: Callable[[int, int], None], total: int) -> Callable[[int], None]:
    sent = 0

    def hear(number: int) -> None:
        nonlocal sent
        sent += number
        progress(sent, total)

    return hear


def tell_account(account: Account) -> None:
    """The balance of an edition, and what went wrong, in words."""
    from newsletter.ledger import DeliveryState
    from newsletter.schedule import describe

    output.say(f"{account.sent_now} sent now. {describe(account)}")
    if account.doubtful:
        output.complain(f"{account.doubtful} were on the wire when an earlier sender died")
    for email, state, words in account.troubles:
        output.complain(f"{email}: {state}: {words}")
    if account.count(DeliveryState.DEFERRED):
        when = output.shown_time(account.next_attempt)
        output.complain(f"the deferred are due from {when}; `dateline run` takes them up, or send again then")


def _sent(press: Press, accounts: list[Account], reason: str) -> dict[str, object]:
    """The newest edition's account; those of earlier ones that were gone on with stand beside it."""
    if not accounts:
        return {"digest": press.digest.name, "edition": None, "sent_now": 0, "reason": reason}
    *earlier, last = [_account(press, account) for account in accounts]
    return last | ({"earlier": earlier} if earlier else {})


def _account(press: Press, account: Account) -> dict[str, object]:
    return {
        "digest": press.digest.name,
        "edition": str(account.edition.local_date),
        "subject": account.edition.subject,
        "recipients": account.edition.recipients,
        "sent_now": account.sent_now,
        "finished": account.finished,
        "balance": {state.value: number for state, number in account.balance.items()},
        "next_attempt": account.next_attempt and account.next_attempt.isoformat(),
        "troubles": [{"email": email, "state": state.value, "reply": words} for email, state, words in account.troubles],
    }


def _send_test(place: Site, press: Press, address: str, as_json: bool) -> None:
    from dataclasses import replace

    from content.errors import ConfigError
    from dateline import clock
    from newsletter.editions import preview as preview_edition
    from newsletter.headers import HeaderError, ascii_address
    from newsletter.message import Recipient
    from newsletter.sending import open_transport

    now = clock.now()
    try:
        ascii_address(address)
    except HeaderError as error:
        raise ConfigError(f"--test-to: {error}") from None
    _, rendering = preview_edition(press, now)
    rendering = replace(rendering, subject=f"[Test] {rendering.subject}")
    letter = press.letter(rendering, press.local_date(now))
    # A test is a message of its own each time: its id has the time in it.
    recipient = Recipient(f"test-{now.timestamp()}", address, press.unsubscribe_url("test"))
    transport = open_transport(place.root, place.settings.site, place.settings.newsletter)
    try:
        reply = transport.send(letter.address(recipient, now))
    finally:
        transport.close()
    if as_json:
        output.print_json({"test_to": address, "outcome": reply.outcome.value, "reply": reply.text})
    else:
        output.say(f"{address}: {reply.outcome}: {reply.text}")
    if reply.outcome.value != "accepted":
        raise typer.Exit(1)
