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

Rerender = Callable[[Sequence[Article]], int]
"""Bytes of HTML that the same edition would have with these articles."""


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


def check_size(specimen: Specimen, rerender: Rerender) -> list[Finding]:
    """The HTML part and the message, both without their transfer encoding, against Gmail's limit."""
    size = Size.of(specimen)
    found = []
    for what, number in (("its HTML part", size.html), ("the message", size.message)):
        if number >= NEAR * CLIP:
            judged = error if number > CLIP else warning
            problem = f"{what} has {number / 1000:.1f} kB; Gmail clips at {CLIP / 1000:g} kB"
            found.append(judged("size", f"[[digest]] {specimen.setting.digest.name}", problem, _advice(specimen, rerender)))
            break
    return found


def _advice(specimen: Specimen, rerender: Rerender) -> str:
    whole = rerender(specimen.articles)
    weights = []
    for article in specimen.articles if len(specimen.articles) > 1 else ():
        others = [one for one in specimen.articles if one is not article]
        weights.append((whole - rerender(others), article))
    weights.sort(key=lambda pair: -pair[0])
    heaviest = ", ".join(f"{named(article)} ({weight / 1000:.1f} kB)" for weight, article in weights[:3])
    fewer = f"set limit below {specimen.setting.digest.limit}, or " if len(weights) > 1 else ""
    return f"{fewer}shorten summaries" + (f"; most weigh {heaviest}" if heaviest else "")
