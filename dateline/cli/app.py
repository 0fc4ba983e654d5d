"""The commands, put together, and the options that all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from dateline.site import Site

app = typer.Typer(
    name="dateline",
    help="Publishes a newsroom's articles as feeds, and sends them as a digest by email.",
    no_args_is_help=True,
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SiteOption = Annotated[
    Path | None,
    typer.Option("--site", metavar="DIR", help="The site's folder.  [default: the current folder]", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.", show_default=False)]


@dataclass(slots=True)
class Common:
    """The shared options: given before the command, after it, or not at all."""

    site: Path | None = None
    as_json: bool = False


def _version(wanted: bool) -> None:
    if wanted:
        from dateline import __version__

        typer.echo(f"dateline {__version__}")
        raise typer.Exit


@app.callback()
def common(
    context: typer.Context,
    site: SiteOption = None,
    as_json: JsonOption = False,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")] = False,
) -> None:
    context.obj = Common(site, as_json)


def root_of(context: typer.Context, site: Path | None) -> Path:
    """The site's folder: the option behind the command, that before it, or the current folder."""
    shared: Common = context.obj
    return site or shared.site or Path()


def wants_json(context: typer.Context, as_json: bool) -> bool:
    shared: Common = context.obj
    return as_json or shared.as_json


def open_site(context: typer.Context, site: Path | None) -> Site:
    """The site that a command is about."""
    from dateline.site import Site

    return Site(root_of(context, site))


# They add their commands to the app above.
from dateline.cli import (  # noqa: E402
    articles,
    control,
    deliveries,
    demo,
    digests,
    doctor,
    importing,
    members,
    persons,
    places,
    returns,
    running,
    serving,
)

__all__ = [
    "app", "articles", "control", "deliveries", "demo", "digests", "doctor", "importing", "members", "persons", "places",
    "returns", "running", "serving",
]  # fmt: skip
