"""``bounces`` and ``suppressions``: what came back, and who is not mailed any more."""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, app, open_site, wants_json

if TYPE_CHECKING:
    from dateline.site import Site
    from newsletter.processing import Run
    from newsletter.suppression import Suppression

EX_TEMPFAIL = 75
"""sysexits.h: tells a mail system to keep the message and come again."""

bounces = typer.Typer(help="Read bounces and complaints.", no_args_is_help=True)
app.add_typer(bounces, name="bounces")
suppressions = typer.Typer(help="List and change the addresses that are not mailed.", no_args_is_help=True)
app.add_typer(suppressions, name="suppressions")

EmailArgument = Annotated[str, typer.Argument(metavar="EMAIL")]


@bounces.callback()
def _group() -> None:
    """Read bounces and complaints."""
    # With a callback a group of one command stays a group.


@bounces.command()
def process(
    context: typer.Context,
    source: Annotated[
        str,
        typer.Argument(
            metavar="[SOURCE]",
            help="A Maildir, an mbox file, imaps://USER@HOST/FOLDER, or - for one message on standard input."
            "  [default: bounces.source]",
            show_default=False,
        ),
    ] = "",
    recipient: Annotated[
        str, typer.Option("--recipient", metavar="ADDRESS", help="With -: the address that the message came to.")
    ] = "",
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Take in bounces, complaints and requests to leave; what is none of these is set aside, never deleted.

    With - the exit code is 0 when the message is settled and 75 (try again later) whatever else is wrong.
    """
    if source != "-":
        _tell_run(process_source(open_site(context, site), source), as_json=wants_json(context, as_json))
        return
    try:
        run = _process_piped(open_site(context, site), sys.stdin.buffer.read(), recipient)
    except Exception as error:  # Whatever it is: a mail system that is told anything else throws the message away.
        output.complain(f"{getattr(error, 'orig', None) or error or type(error).__name__}; the message was not taken")
        raise typer.Exit(EX_TEMPFAIL) from None
    _tell_run(run, as_json=wants_json(context, as_json))


def process_source(place: Site, source: str) -> Run:
    """One run over a mailbox; an empty ``source`` is that of config.toml."""
    from content.errors import ConfigError
    from dateline import clock
    from newsletter.processing import open_mailbox, process

    ours = place.settings.bounces
    # What the command line names lies where the command runs, what config.toml names within the site.
    named, root = (source, Path()) if source else (ours.source, place.root)
    if not named:
        raise ConfigError("say where bounces are: `dateline bounces process SOURCE`, or bounces.source in config.toml")
    password = ours.imap_password.get_secret_value() if ours.imap_password else ""
    newsletter = place.settings.newsletter
    ca_file = place.root / newsletter.ca_file if newsletter.ca_file else None
    taker = place.bounces
    mailbox = open_mailbox(named, root, password=password, timeout=newsletter.timeout_seconds, ca_file=ca_file)
    try:
        return process(taker, mailbox, clock.now)
    finally:
        mailbox.close()


def _process_piped(place: Site, content: bytes, recipient: str) -> Run:
    from dateline import clock
    from newsletter.mailboxes import Maildir
    from newsletter.processing import process_piped

    aside = Maildir(place.root / place.settings.bounces.set_aside)
    return process_piped(place.bounces, content, aside, clock.now(), recipient)


def _tell_run(run: Run, *, as_json: bool) -> None:
    if as_json:
        output.print_json({
            "messages": run.messages, "seen_before": run.seen_before, "suppressions_expired": run.expired,
            "outcomes": {outcome.value: number for outcome, number in sorted(run.outcomes.items())},
            "notable": [
                {
                    "message": name, "outcome": taken.outcome.value, "email": taken.email, "code": taken.code,
                    "why": taken.words, "diagnostic": taken.diagnostic,
                }
                for name, taken in run.notable
            ],
        })  # fmt: skip
        return
    if run.notable:
        output.print_table(
            ["Outcome", "Address", "Code", "Why"],
            [(taken.outcome, taken.email or name, taken.code, taken.diagnostic or taken.words) for name, taken in run.notable],
        )
    parts = [f"{number:,} {outcome}" for outcome, number in sorted(run.outcomes.items())]
    parts += [f"{run.seen_before:,} seen before"] if run.seen_before else []
    output.say(f"{output.counted(run.messages, 'message')}: {'; '.join(parts) or 'nothing to do'}")
    if run.expired:
        output.say(f"{output.counted(run.expired, 'suppression')} expired: those addresses stand again where they stood")


@suppressions.command("list")
def list_suppressions(
    context: typer.Context,
    lifted: Annotated[bool, typer.Option("--lifted", help="Those that were lifted or expired too.")] = False,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """List who is not mailed, why, and until when."""
    rows = _all(open_site(context, site), lifted=lifted)
    if wants_json(context, as_json):
        output.print_json([_facts(one) for one in rows])
        return
    if not rows:
        output.say("No address is suppressed.")
        return
    output.print_table(
        ["Address", "Reason", "Code", "Since", "Until", "Evidence"],
        [
            (
                _named(one),
                one.reason,
                one.evidence.code or "-",
                f"{one.created_at:%Y-%m-%d}",
                _end(one),
                one.evidence.diagnostic or one.evidence.excerpt or "-",
            )
            for one in rows
        ],
    )


@suppressions.command()
def add(
    context: typer.Context,
    email: EmailArgument,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Kept as evidence.")] = "",
    days: Annotated[
        float | None, typer.Option("--days", min=0.01, max=36500, help="For so long.  [default: for good]", show_default=False)
    ] = None,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Suppress an address by hand, whether or not it is a subscriber's."""
    from content.database import writing
    from dateline import clock
    from newsletter.suppression import Evidence, Reason, Suppressions

    place, now = open_site(context, site), clock.now()
    key, until = place.tokens.key, now + timedelta(days=days) if days else None
    with writing(place.engine) as connection:
        fresh = Suppressions(connection, key).add(email, Reason.BY_HAND, now, Evidence(diagnostic=why), until)
    if wants_json(context, as_json):
        output.print_json({"email": email, "added": fresh})
    else:
        output.say(f"{email}: {'is suppressed and will not be mailed' if fresh else 'was suppressed by hand already'}")


@suppressions.command()
def lift(
    context: typer.Context,
    email: EmailArgument,
    why: Annotated[str, typer.Option("--why", metavar="TEXT", help="Why it may be mailed again; kept.")],
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Let an address be mailed again; its subscriber stands where they stood before."""
    from content.database import writing
    from dateline import clock
    from newsletter.suppression import Suppressions

    place = open_site(context, site)
    key = place.tokens.key
    with writing(place.engine) as connection:
        number = Suppressions(connection, key).lift(email, why, clock.now())
    if wants_json(context, as_json):
        output.print_json({"email": email, "lifted": number})
    else:
        output.say(f"{email}: {'may be mailed again' if number else 'was not suppressed'}")
    if not number:
        raise typer.Exit(1)


@suppressions.command()
def export(
    context: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE.csv]", help="Where to.  [default: standard output]", show_default=False)
    ] = None,
    site: SiteOption = None,
) -> None:
    """Write all suppressions, lifted ones too, as CSV. An address stands there only while a subscriber has it."""
    import csv

    rows = [_facts(one) for one in _all(open_site(context, site), lifted=True)]
    try:
        with file.open("w", encoding="utf-8", newline="") if file else _standard_output() as target:
            writer = csv.writer(target, lineterminator="\n")
            writer.writerow(_COLUMNS)
            writer.writerows([output.harmless_cell(row[name]) for name in _COLUMNS] for row in rows)
    except OSError as error:
        _cannot_write(file, error)


_COLUMNS = (
    "email", "address_hash", "reason", "code", "diagnostic", "excerpt", "happened_at", "created_at", "expires_at",
    "lifted_at", "lifted_why",
)  # fmt: skip


def _standard_output() -> Any:
    from contextlib import nullcontext

    return nullcontext(sys.stdout)


def _cannot_write(file: Path | None, error: OSError) -> NoReturn:
    from content.errors import DatelineError

    if isinstance(error, BrokenPipeError):
        raise error
    raise DatelineError(f"{file}: cannot be written ({error.strerror})") from None


def _all(place: Site, *, lifted: bool) -> list[Suppression]:
    from content.database import reading
    from newsletter.suppression import Suppressions

    key = place.tokens.key
    with reading(place.engine) as connection:
        return list(Suppressions(connection, key).all(lifted=lifted))


def _facts(one: Suppression) -> dict[str, object]:
    evidence = one.evidence
    return {
        "email": one.email, "address_hash": one.address_hash, "reason": one.reason.value, "code": evidence.code,
        "diagnostic": evidence.diagnostic, "excerpt": evidence.excerpt,
        "happened_at": evidence.happened_at and evidence.happened_at.isoformat(), "created_at": one.created_at.isoformat(),
        "expires_at": one.expires_at and one.expires_at.isoformat(),
        "lifted_at": one.lifted_at and one.lifted_at.isoformat(), "lifted_why": one.lifted_why,
    }  # fmt: skip


def _named(one: Suppression) -> str:
    return one.email or f"(no subscriber) {one.address_hash[:12]}"


def _end(one: Suppression) -> str:
    if one.lifted_at:
        return f"lifted {one.lifted_at:%Y-%m-%d}: {one.lifted_why}"
    return f"{one.expires_at:%Y-%m-%d}" if one.expires_at else "for good"
