"""May the next edition of a digest go out: a gate before sending, which sends and records nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from content.article import Article
from content.errors import Severity
from content.templates import TemplateProblem
from newsletter.checks.contrast import check_contrast
from newsletter.checks.finding import RULES, Finding, error, warning
from newsletter.checks.headers import check_headers
from newsletter.checks.images import check_images
from newsletter.checks.links import check_links
from newsletter.checks.size import Size, Weigh, check_size
from newsletter.checks.source import Source
from newsletter.checks.specimen import Setting, Specimen
from newsletter.checks.structure import check_structure
from newsletter.checks.wording import check_address, check_leftovers, check_parts, check_subject
from newsletter.editions import Draft, Press, drafts, empty_since
from newsletter.headers import HeaderError

LOOKED_THROUGH = 50
"""Variants that are looked through; all are weighed."""

CHECKS: tuple[Callable[[Specimen], list[Finding]], ...] = (
    check_leftovers, check_parts, check_links, check_images, check_contrast, check_headers, check_subject, check_address,
    check_structure,
)  # fmt: skip

_LONGEST = f"{'a' * 64}@{'b' * 63}.{'c' * 63}.{'d' * 58}.ee"
"""An address of 254 characters, the most that a mailbox can have (RFC 5321 4.5.3.1)."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found. ``variants`` counts the different messages, ``size`` is that of the heaviest, if there is one."""

    digest: str
    subject: str
    articles: int
    variants: int
    size: Size | None
    findings: tuple[Finding, ...]

    @property
    def empty(self) -> bool:
        """Whether nothing is new, so that there would be no next edition."""
        return any(finding.rule == "empty" for finding in self.findings)

    def count(self, severity: Severity) -> int:
        return sum(finding.severity is severity for finding in self.findings)

    def may_go(self, *, strict: bool = False) -> bool:
        """Whether nothing stands in the way; with ``strict``, warnings do too."""
        return not self.count(Severity.ERROR) and not (strict and self.count(Severity.WARNING))


def check(press: Press, now: datetime, public: Path | None = None) -> Checked:
    """Renders what the next edition would be, for every member's regions, and looks it through.

    ``public`` is the folder with the published pages; without it no page is looked for. Raises ``DatelineError`` when
    there is no article to check with.
    """
    name = press.digest.name
    folder = press.root / press.newsletter.templates
    findings = _news(press, now)
    try:
        made = drafts(press, now)
        setting = Setting(
            press.site, press.newsletter, press.digest, public, sum(draft.members for draft in made),
            Source(folder / "digest.mjml"), Source(folder / "digest.txt"),
        )  # fmt: skip
        heaviest = max(made, key=_weight)
        specimens = [_specimen(press, setting, draft, now) for draft in (heaviest, *made[:LOOKED_THROUGH])]
    except TemplateProblem as problem:
        where, _, words = str(problem).partition(": ")
        findings.append(error("template", where, words, "mend it; nothing else was checked"))
        return Checked(name, "", 0, 0, None, _ordered(findings))
    except HeaderError as problem:
        words = "set site.url and newsletter.from_email to what can stand in a header"
        findings.append(error("headers", "the message", str(problem), words))
        return Checked(name, "", 0, 0, None, _ordered(findings))
    findings += check_size(specimens[0], _scales(press, now))
    findings += [finding for specimen in specimens for look in CHECKS for finding in look(specimen)]
    size, subject = Size.of(specimens[0]), specimens[1].subject
    return Checked(name, subject, len(made[0].articles), len(made), size, _ordered(findings))


def _news(press: Press, now: datetime) -> list[Finding]:
    since = empty_since(press, now)
    if since is None:
        return []
    problem = f"nothing is new since {since}: the next edition would be empty"
    return [
        warning("empty", press.digest.name, problem, "publish something first; looked at is what a first edition would carry")
    ]


def _weight(draft: Draft) -> int:
    return len(draft.rendering.html.encode()) + len(draft.rendering.text.encode())


def _specimen(press: Press, setting: Setting, draft: Draft, now: datetime) -> Specimen:
    # The ids of members have this length.
    recipient = press.recipient("0" * 24, _LONGEST)
    message = press.letter(draft.rendering, press.local_date(now)).address(recipient, now)
    own = (recipient.preferences_url, recipient.view_url)
    return Specimen.of(setting, draft.articles, recipient.unsubscribe_url, message.content, own)


def _scales(press: Press, now: datetime) -> Weigh:
    renderer, day = press.renderer, press.local_date(now)

    def weigh(articles: Sequence[Article]) -> int:
        rendering = renderer.render(articles, day, "slot")
        return len(rendering.html.encode()) + len(rendering.text.encode())

    return weigh


def _ordered(findings: list[Finding]) -> tuple[Finding, ...]:
    """Each once, by rule, errors first."""
    rules = list(RULES)
    once = dict.fromkeys(findings)
    return tuple(sorted(once, key=lambda one: (rules.index(one.rule), one.severity is not Severity.ERROR)))
