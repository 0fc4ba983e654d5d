"""``doctor``: why mail might not arrive, and what to publish so that it does."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, app, open_site, wants_json

if TYPE_CHECKING:
    from dateline.doctor import Finding


@app.command()
def doctor(
    context: typer.Context,
    nameserver: Annotated[
        str, typer.Option("--nameserver", metavar="IP[:PORT]", help="Ask this name server.  [default: the system's]")
    ] = "",
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Look at domain, mail server, keys and clock, and say what is wrong and what to publish; change nothing."""
    from dateline import clock
    from dateline.doctor import Names, Verdict, examine

    findings = examine(open_site(context, site), Names(nameserver), clock.now())
    if wants_json(context, as_json):
        output.print_json([_finding(finding) for finding in findings])
    else:
        _tell(findings)
    if any(finding.verdict is Verdict.WRONG for finding in findings):
        raise typer.Exit(1)


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "subject": finding.subject,
        "verdict": finding.verdict.value,
        "said": finding.said,
        "publish": [{"name": record.name, "type": "TXT", "text": record.text} for record in finding.publish],
    }


def _tell(findings: list[Finding]) -> None:
    for finding in findings:
        output.say(f"{finding.verdict.value:8}{finding.subject}: {finding.said}")
        for record in finding.publish:
            output.say(f"            {record}")
    counts = Counter(finding.verdict.value for finding in findings)
    output.say(", ".join(f"{number} {verdict}" for verdict, number in counts.items()))
