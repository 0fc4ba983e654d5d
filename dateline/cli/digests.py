"""``digest``: what goes out, to whom, and why. Sending it is in ``deliveries``."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, app, open_site, wants_json
from dateline.cli.digest_check import check

if TYPE_CHECKING:
    from datetime import datetime

    from dateline.site import Site
    from newsletter.editions import Press
    from newsletter.rendering import Rendering

digests = typer.Typer(help="Preview, explain and send the digests of config.toml.", no_args_is_help=True)
app.add_typer(digests, name="digest")

_CELL = 14
"""Letters of a cell's line, so that a digest takes at most two lines of a terminal of 80 columns."""

NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="The digest's name in config.toml.")]


@digests.command("list")
def list_digests(context: typer.Context, site: SiteOption = None, as_json: JsonOption = False) -> None:
    """The digests, when each is due next, and its last edition."""
    from dateline import clock
    from newsletter.schedule import outlook

    place, now = open_site(context, site), clock.now()
    rows = [(digest, place.press(digest), outlook(place.press(digest), now)) for digest in place.settings.digest]
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
                _fit(digest.title, 2),
                _carries([*digest.sections, *(one.name for one in digest.places)]),
                _shown_time(due.next_time, press),
                f"{output.short_date(due.last.local_date, press.local_date(now))} ({due.last.state})" if due.last else "-",
            )
            for digest, press, due in rows
        ],
    )


def _carries(names: list[str]) -> str:
    """The first of several names that have room together, and how many more there are."""
    shown = names[:1]
    while len(shown) < len(names) and len(", ".join(names[: len(shown) + 1])) <= _CELL:
        shown = names[: len(shown) + 1]
    left = len(names) - len(shown)
    return f"{_fit(', '.join(shown), 1)} +{left}" if left else _fit(", ".join(shown), 2) or "everything"


def _fit(text: str, lines: int) -> str:
    """What of a text these many lines of a cell can hold."""
    return " ".join(textwrap.wrap(text, _CELL, max_lines=lines, placeholder="…"))


def _shown_time(moment: datetime | None, press: Press) -> str:
    from dateline import clock

    if moment is None:
        return "-"
    there = moment.astimezone(press.zone)
    return f"{there:%a} {output.short_date(there.date(), press.local_date(clock.now()))} {there:%H:%M %Z}"


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
    from newsletter.editions import empty_since
    from newsletter.editions import preview as preview_edition
    from newsletter.message import with_links

    place = open_site(context, site)
    press = place.press(place.digest(name))
    articles, rendering = preview_edition(press, clock.now())
    if since := empty_since(press, clock.now()):
        output.complain(
            f"nothing is new since {since}: the next edition would be empty; shown is what a first edition would carry"
        )
    reader = press.recipient("preview", "reader@example.com")
    parts = {kind: with_links(part, rendering, reader) for kind, part in (("html", rendering.html), ("text", rendering.text))}
    wanted = [(html, _with_local_pictures(place, parts["html"]).encode()), (text, parts["text"].encode())]
    if eml:
        wanted.append((eml, _sample(press, rendering, "reader@example.com")))
    for path, written in wanted:
        if path:
            _write(path, written)
    if wants_json(context, as_json):
        titles = [article.title for article in articles]
        size = len(parts["html"].encode())
        output.print_json({
            "subject": rendering.subject, "empty": since is not None, "articles": titles, "html_bytes": size,
        })  # fmt: skip
    elif not any((html, text, eml)):
        output.say(f"Subject: {rendering.subject}\n\n{parts['text']}")
    else:
        size = len(parts["html"].encode())
        output.say(f"{rendering.subject}\n{output.counted(len(articles), 'article')}, {size / 1000:.1f} kB of HTML")


def _with_local_pictures(place: Site, html: str) -> str:
    """Pictures of the site come from the published files, where there are some: the site need not be on the web yet."""
    from html import escape, unescape

    from newsletter.checks.links import public_file

    public = place.root / place.settings.feeds.folder

    def local(found: re.Match[str]) -> str:
        file = public_file(public, place.settings.site.url, unescape(found[1]))
        return f'src="{escape(file.resolve().as_uri())}"' if file and file.is_file() else found[0]

    return re.sub(r'(?<=\s)src="([^"\0]*)"', local, html)


def _sample(press: Press, rendering: Rendering, address: str) -> bytes:
    from dateline import clock

    now = clock.now()
    letter = press.letter(rendering, press.local_date(now))
    return letter.address(press.recipient("preview", address), now).content


def _write(path: Path, content: bytes) -> None:
    from content.errors import ConfigError

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be written ({error.strerror})") from None


digests.command()(check)
