"""``digest``: what goes out, to whom, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, app, open_site, wants_json

if TYPE_CHECKING:
    from dateline.site import Site
    from newsletter.editions import Press
    from newsletter.ledger import Edition
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


def _sample(press: Press, rendering: object, address: str) -> bytes:
    from dateline import clock
    from newsletter.message import Letter, Recipient
    from newsletter.rendering import Rendering

    assert isinstance(rendering, Rendering)
    now = clock.now()
    letter = Letter(press.sender, press.digest.name, press.digest.title, press.local_date(now), rendering)
    return letter.address(Recipient("preview", address, press.unsubscribe_url("preview")), now).content


def _write(path: Path, content: bytes) -> None:
    from content.errors import ConfigError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from None


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
    """Send a digest: go on with its unfinished edition, or make today's."""
    place = open_site(context, site)
    press = place.press(place.digest(name))
    if test_to is not None:
        _send_test(place, press, test_to, wants_json(context, as_json))
        return
    account, reason = send_edition(place, press)
    if wants_json(context, as_json):
        output.print_json(_account(press, account, reason))
    elif account is None:
        output.say(reason)
    else:
        tell_account(account)
    if account and not account.finished:
        raise typer.Exit(1)
    if account and account.count_unserved():
        raise typer.Exit(1)


def send_edition(place: Site, press: Press) -> tuple[Account | None, str]:
    """Takes up the digest's unfinished edition or makes a new one, and sends it; else says why there is none."""
    from content.database import reading
    from dateline import clock
    from newsletter.editions import make
    from newsletter.ledger import Ledger
    from newsletter.sending import Sending, open_transport

    with reading(press.engine) as connection:
        edition: Edition | None = Ledger(connection).unfinished(press.digest.name)
    if edition is None:
        now = clock.now()
        made = make(press, press.local_date(now), now, scheduled=False)
        if made.edition is None:
            return None, made.reason
        edition = made.edition
    transport = open_transport(place.root, place.settings.site, place.settings.newsletter)
    with output.progress() as progress:
        sent = 0

        def hear(number: int) -> None:
            nonlocal sent
            sent += number
            progress("Sending", sent, edition.recipients)

        return Sending(press, transport, clock.now).run(edition, hear), ""


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


def _account(press: Press, account: Account | None, reason: str) -> dict[str, object]:
    if account is None:
        return {"digest": press.digest.name, "edition": None, "sent_now": 0, "reason": reason}
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
    from newsletter.message import Letter, Recipient
    from newsletter.sending import open_transport

    now = clock.now()
    try:
        ascii_address(address)
    except HeaderError as error:
        raise ConfigError(f"--test-to: {error}") from None
    _, rendering = preview_edition(press, now)
    rendering = replace(rendering, subject=f"[Test] {rendering.subject}")
    letter = Letter(press.sender, press.digest.name, press.digest.title, press.local_date(now), rendering)
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
