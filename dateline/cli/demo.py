"""``demo``: the whole way once, on the sample site, with nothing to set up."""

from __future__ import annotations

import threading

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, app, root_of, wants_json

OUTBOX = "outbox"
READERS: tuple[tuple[str, list[str]], ...] = (("reader@example.com", []), ("asia-desk@example.com", ["CN", "IN"]))


@app.command()
def demo(context: typer.Context, site: SiteOption = None, as_json: JsonOption = False) -> None:
    """Publish the sample site and deliver its digest into a folder; send nothing to anybody."""
    from content.database import writing
    from content.errors import ConfigError
    from content.regions import resolve
    from dateline import clock
    from dateline.cli.deliveries import send_editions, tell_account
    from dateline.config import FILE_NAME
    from dateline.site import Site, lay_out
    from newsletter.editions import preview
    from newsletter.message import with_links
    from newsletter.subscribers import Subscribers
    from newsletter.suppression import Suppressions

    root = root_of(context, site)
    if not (root / FILE_NAME).exists():
        lay_out(root, clock.now())
    place = Site(root)
    # Whatever the site is set to: a demonstration mails nobody.
    ours = place.settings.newsletter.model_copy(update={"transport": f"maildir:{OUTBOX}"})
    place.settings = place.settings.model_copy(update={"newsletter": ours})
    with writing(place.engine) as connection:
        if any(member.origin != "demo" for member in Subscribers(connection).all()):
            raise ConfigError(f"{root}: this site has members; the demonstration would count their edition as sent")
    if not place.settings.digest:
        raise ConfigError(f"{root / FILE_NAME}: the demonstration needs a [[digest]]")
    with output.progress() as progress:
        published = place.publish([], clock.now(), progress)
    output.print_problems(published.report.problems)
    key = place.tokens.key
    with writing(place.engine) as connection:
        members = Subscribers(connection, Suppressions(connection, key))
        for email, regions in READERS:
            members.join(email, origin="demo", now=clock.now(), confirmed=True, regions=resolve(regions)[0])
    press = place.press(place.settings.digest[0])
    sent = send_editions(place, press, threading.Event())
    public = root / place.settings.feeds.folder
    page = public / "digest-preview.html"
    _, rendering = preview(press, clock.now())
    shown = with_links(rendering.html, rendering, press.recipient("preview", "reader@example.com"))
    # The sample's address exists nowhere: its pictures are those beside this page.
    page.write_text(shown.replace(f'src="{place.settings.site.url}/', 'src="'), "utf-8")
    opened = {
        "front page": public / "index.html",
        "Atom feed": public / "feeds" / "atom.xml",
        "RSS feed": public / "feeds" / "rss.xml",
        "all feeds": public / "feeds" / "index.html",
        "digest in a browser": page,
        "digest as it was mailed": root / OUTBOX / "new",
    }
    if wants_json(context, as_json):
        output.print_json({name: str(path) for name, path in opened.items()})
        return
    outcome = published.outcome
    output.say(f"Published {output.counted(outcome.articles, 'article')} in {output.counted(outcome.feeds, 'feed')}.")
    for account in sent.accounts:
        tell_account(account)
    if sent.reason:
        output.say(sent.reason)
    output.say("\nOpen:")
    for name, path in opened.items():
        output.say(f"  {name + ':':<26}{path}")
    output.say(f"\nOr walk through the pages: python3 -m http.server --bind 127.0.0.1 --directory {public} 8000")
