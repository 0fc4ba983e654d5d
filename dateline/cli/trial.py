"""``digest send --test-to``: one message to see what members will get."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from dateline.cli import output

if TYPE_CHECKING:
    from dateline.site import Site
    from newsletter.editions import Press


def send_trial(place: Site, press: Press, address: str, as_json: bool) -> None:
    """Sends the next edition to one address, now, and records nothing. Exits with 1 where it is not taken."""
    from dataclasses import replace

    from content.errors import ConfigError
    from dateline import clock
    from newsletter.editions import preview as preview_edition
    from newsletter.headers import HeaderError, ascii_address
    from newsletter.sending import open_transport
    from newsletter.transport import Single

    now = clock.now()
    try:
        ascii_address(address)
    except HeaderError as error:
        raise ConfigError(f"--test-to: {error}") from None
    _, rendering = preview_edition(press, now)
    rendering = replace(rendering, subject=f"[Test] {rendering.subject}")
    letter = press.letter(rendering, press.local_date(now))
    # A test is a message of its own each time: its id has the time in it.
    recipient = replace(press.recipient("test", address), public_id=f"test-{now.timestamp()}")
    queue = Single(lambda smtputf8: letter.address(recipient, now, smtputf8=smtputf8))
    open_transport(place.root, place.settings.site, place.settings.newsletter).run(queue)
    reply = queue.reply
    if as_json:
        output.print_json({"test_to": address, "outcome": reply.outcome.value, "reply": reply.text})
    else:
        output.say(f"{address}: {reply.outcome}: {reply.text}")
    if reply.outcome.value != "accepted":
        raise typer.Exit(1)
