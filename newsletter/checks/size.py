"""Does Gmail show the whole message, or clip it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from content.article import Article
from newsletter.checks.finding import Finding, error, warning
from newsletter.checks.specimen import Specimen, named

CLIP = 102_000
"""Bytes from which Gmail shows no more. It says so nowhere; 102 KB is what senders measure, here in the smaller KB."""
NEAR = 0.9

CANDIDATES = 8
"""Articles that are left out by turns to see what each weighs: those with the longest words."""

Weigh = Callable[[Sequence[Article]], int]
"""Bytes of HTML and text that the same edition would have with these articles."""


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes: of the HTML part; of header and both parts as a receiver reads them; of all that goes over the wire."""

    html: int
    message: int
    wire: int

    @classmethod
    def of(cls, specimen: Specimen) -> Size:
        html, text = len(specimen.html.encode()), len(specimen.text.encode())
        head = len(specimen.content.partition(b"\r\n\r\n")[0])
        return cls(html, head + html + text, len(specimen.content))


def check_size(specimen: Specimen, weigh: Weigh) -> list[Finding]:
    """The message, without its transfer encoding, against Gmail's limit. What of it Gmail counts is not known: all is."""
    size = Size.of(specimen)
    if size.message < NEAR * CLIP:
        return []
    judged = error if size.message > CLIP else warning
    html, text = size.html / 1000, (size.message - size.html) / 1000
    problem = (
        f"the message has {size.message / 1000:.1f} kB ({html:.1f} of HTML, {text:.1f} of text and headers); "
        f"Gmail clips at {CLIP / 1000:g} kB"
    )
    return [judged("size", f"[[digest]] {specimen.setting.digest.name}", problem, _advice(specimen, weigh))]


def _advice(specimen: Specimen, weigh: Weigh) -> str:
    articles = specimen.articles
    if len(articles) == 1:
        return f"shorten the summary of {named(articles[0])}"
    whole = weigh(articles)
    longest = sorted(articles, key=lambda one: -len(one.title) - len(one.summary.text))[:CANDIDATES]
    weights = [(whole - weigh([one for one in articles if one is not candidate]), candidate) for candidate in longest]
    weights.sort(key=lambda pair: -pair[0])
    heaviest = ", ".join(f"{named(article)} ({weight / 1000:.1f} kB)" for weight, article in weights[:3])
    return f"{_limit(articles, weigh)}shorten summaries; most weigh {heaviest}"


def _limit(articles: Sequence[Article], weigh: Weigh) -> str:
    """How many of the articles would leave some room."""
    fits, over = 0, len(articles)
    while over - fits > 1:
        middle = (fits + over) // 2
        fits, over = (middle, over) if weigh(articles[:middle]) < NEAR * CLIP else (fits, middle)
    return f"set limit to {fits}, or " if fits else ""
