"""``subscribers show``, ``export`` and ``erase``: what is kept about one person, and making it go."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, open_site, wants_json
from dateline.cli.members import members

if TYPE_CHECKING:
    from dateline.site import Site
    from newsletter.dossier import Dossier, Record

AddressArgument = Annotated[str, typer.Argument(metavar="ADDRESS")]


def _held(place: Site, address: str) -> Dossier:
    from content.database import reading
    from newsletter.dossier import held

    with reading(place.engine) as connection:
        return held(connection, place.tokens.key, address)


@members.command()
def show(context: typer.Context, address: AddressArgument, site: SiteOption = None, as_json: JsonOption = False) -> None:
    """Show a subscriber: where they stand, what they get, and the evidence of their consent."""
    dossier = _held(open_site(context, site), address)
    if wants_json(context, as_json):
        output.print_json({"email": dossier.email, "subscriber": dossier.subscriber, "consents": dossier.consents})
        return
    subscriber = dossier.subscriber
    if subscriber:
        output.say(
            f"{dossier.email}: {subscriber['state']}, came by {subscriber['origin']} on {_day(subscriber['created_at'])}"
        )
        for what in ("regions", "digests"):
            chosen = subscriber[what]
            output.say(f"{what}: {', '.join(chosen) if isinstance(chosen, list) and chosen else 'all'}")
    else:
        output.say(f"{dossier.email}: is not a subscriber")
    for one in dossier.suppressions:
        lifted = f", lifted on {_day(one['lifted_at'])}" if one["lifted_at"] else ""
        output.say(f"suppressed on {_day(one['created_at'])}: {one['reason']}{lifted}")
    if dossier.consents:
        output.print_table(
            ["When", "What", "Where", "Network", "Text"],
            [(one["happened_at"], one["event"], _where(one), one["network"] or "-", one["text_version"] or "-")
             for one in dossier.consents],
        )  # fmt: skip
    elif subscriber:
        output.say("There is no evidence of their consent.")
    texts = {str(one["text_version"]): str(one["text"]) for one in dossier.consents if one["text"]}
    for version, text in texts.items():
        output.say(f"{version}: {text}")


@members.command()
def export(
    context: typer.Context,
    address: AddressArgument,
    file: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to FILE, not to stdout.")] = None,
    site: SiteOption = None,
) -> None:
    """Everything that is kept about one person, as JSON, to be given to them."""
    import json

    from content.errors import DatelineError

    document = _held(open_site(context, site), address).to_dict()
    if file is None:
        output.print_json(document)
        return
    try:
        file.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", "utf-8")
    except OSError as error:
        raise DatelineError(f"{file}: cannot be written ({error.strerror})") from None
    output.say(f"Wrote {file}")


@members.command()
def erase(
    context: typer.Context,
    address: AddressArgument,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Delete all that is kept about a person. A keyed hash stays, so that no import brings them back."""
    from content.database import writing
    from content.errors import ConfigError
    from dateline import clock
    from newsletter.erasing import erase as erase_subscriber
    from newsletter.subscribers import SubscriberError
    from newsletter.suppression import Suppressions

    place = open_site(context, site)
    dossier = _held(place, address)
    if dossier.subscriber_id is None:
        raise SubscriberError(
            f"{address}: is not a subscriber; there is nothing to erase but what keeps them from being mailed"
        )
    if not yes:
        import sys

        if not sys.stdin.isatty():
            raise ConfigError(f"{address}: erasing cannot be undone: say --yes to do it without being asked")
        typer.confirm(f"Delete all that is kept about {dossier.email}? It cannot be undone", abort=True)
    with writing(place.engine) as connection:
        erase_subscriber(connection, Suppressions(connection, place.tokens.key), address, clock.now())
    if wants_json(context, as_json):
        output.print_json({"email": address, "erased": True})
    else:
        output.say(f"{address}: erased; a keyed hash stays, so that the address is not mailed again")


def _where(consent: Record) -> str:
    return f"{consent['source'] or '-'}{' (confirms ' + str(consent['asked_id']) + ')' if consent['asked_id'] else ''}"


def _day(moment: object) -> str:
    return str(moment)[:10]
