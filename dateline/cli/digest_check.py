"""``digest check``: may the next edition go out; a gate with an exit code."""

from __future__ import annotations

import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Annotated

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, open_site, wants_json

if TYPE_CHECKING:
    from pathlib import Path

    from dateline.site import Site
    from newsletter.checking import Checked
    from newsletter.checks.finding import Finding

_COLOURS = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "error": typer.colors.RED}


def check(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The digest's name in config.toml.")],
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings stand in the way too.", show_default=False)] = False,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look the next edition through before it goes out. Exit code 0: it may go; 1: something stands in the way."""
    from dateline import clock
    from newsletter.checking import check as check_edition

    place = open_site(context, site)
    checked = check_edition(place.press(place.digest(name)), clock.now(), _public(place))
    may_go = checked.may_go(strict=strict)
    if wants_json(context, as_json):
        output.print_json(_as_json(checked, may_go))
    else:
        _tell(checked, may_go)
    if not may_go:
        raise typer.Exit(1)


def _public(place: Site) -> Path | None:
    """The folder with the published pages, when there are any to look for."""
    folder = place.root / place.settings.feeds.folder
    return folder if place.settings.feeds.pages and folder.is_dir() else None


def _as_json(checked: Checked, may_go: bool) -> dict[str, object]:
    size = checked.size
    return {
        "digest": checked.digest, "may_go": may_go, "empty": checked.empty, "subject": checked.subject,
        "articles": checked.articles, "variants": checked.variants, "html_bytes": size and size.html,
        "message_bytes": size and size.message, "wire_bytes": size and size.wire,
        "findings": [
            {
                "rule": one.rule, "severity": one.severity.value, "where": one.where, "problem": one.problem,
                "advice": one.advice,
            }
            for one in checked.findings
        ],
    }  # fmt: skip


def _tell(checked: Checked, may_go: bool) -> None:
    from content.errors import Severity
    from newsletter.checks.finding import RULES
    from newsletter.checks.size import CLIP

    if size := checked.size:
        counted = f"{output.counted(checked.articles, 'article')}, {output.counted(checked.variants, 'variant')}"
        share = f"{size.message / CLIP:.0%} of what Gmail shows"
        output.say(checked.subject)
        output.say(f"{counted}; at the most {size.message / 1000:.1f} kB ({share}), {size.wire / 1000:.1f} kB on the wire\n")
    for rule, holds in RULES.items():
        found = [finding for finding in checked.findings if finding.rule == rule]
        if found:
            output.say(f"{_coloured(f'{found[0].severity.value:<8}', found[0].severity.value)} {rule:<10}")
            for finding in found:
                _tell_finding(finding)
        elif checked.size:
            output.say(f"{_coloured('ok      ', 'ok')} {rule:<10} {holds}")
    errors, warnings = checked.count(Severity.ERROR), checked.count(Severity.WARNING)
    counts = [output.counted(errors, "error")] * bool(errors) + [output.counted(warnings, "warning")] * bool(warnings)
    verdict = "may go" if may_go else "should not go"
    output.say(f"\n{checked.digest} {verdict}{': ' if counts else '.'}{', '.join(counts)}")


def _tell_finding(finding: Finding) -> None:
    mark = _coloured("-", finding.severity.value)
    output.say(f"  {mark} {finding.where}")
    width = max(50, min(110, shutil.get_terminal_size().columns)) - 4
    for words in (f"{finding.severity}: {finding.problem}", f"→ {finding.advice}"):
        output.say(textwrap.indent(textwrap.fill(words, width, break_long_words=False, break_on_hyphens=False), "    "))


def _coloured(words: str, kind: str) -> str:
    return typer.style(words, fg=_COLOURS[kind], bold=kind == "error") if sys.stdout.isatty() else words
