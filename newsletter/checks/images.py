"""Can every picture be fetched, keeps it its place, and has it words for those who do not see it."""

from __future__ import annotations

from urllib.parse import urlsplit

from lxml.html import HtmlElement

from newsletter.checks.finding import Finding, error, warning
from newsletter.checks.links import published_path, why_unreachable
from newsletter.checks.specimen import Specimen, named

HEAVY = 1_000_000
"""Bytes of a picture that a reader on the road waits for."""


def check_images(specimen: Specimen) -> list[Finding]:
    """Every ``img``: ``alt``, ``width``, and a ``src`` that is absolute and ``https``."""
    found: list[Finding] = []
    for image in specimen.elements("img"):
        found += [*_words(specimen, image), *_source(specimen, image)]
        if not (image.get("width") or "").rstrip("px%").isdigit():
            problem = "a picture has no width, and Outlook shows it as large as it is"
            found.append(error("images", specimen.place(image), problem, 'give it one: width="552"'))
    return found


def _words(specimen: Specimen, image: HtmlElement) -> list[Finding]:
    where, alt = specimen.place(image), image.get("alt")
    if alt is None:
        problem = f"the picture {_short(image)} has no alt"
        return [error("images", where, problem, 'say in alt what it shows, or alt="" for one that says nothing')]
    if alt.strip():
        return []
    linked = any(str(around.tag) == "a" for around in image.iterancestors())
    if linked and not any(text.strip() for around in image.iterancestors("a") for text in around.itertext()):
        problem = f"the picture {_short(image)} is a link without words: its alt is empty"
        return [error("images", where, problem, "say in alt where it leads, or take the link away")]
    if article := specimen.article_of(image):
        problem = f"its picture {_short(image)} has no words for those who do not see it"
        return [warning("images", named(article), problem, "add image.alt to the article's front matter")]
    return []


def _source(specimen: Specimen, image: HtmlElement) -> list[Finding]:
    source, where = (image.get("src") or "").strip(), specimen.place(image)
    try:
        parts = urlsplit(source)
        scheme, host = parts.scheme.lower(), parts.hostname or ""
    except ValueError:
        scheme = host = ""
    if scheme == "data":
        problem = f"a picture of {len(source):,} bytes stands in the message itself, where Gmail shows none"
        return [error("images", where, problem, "put it on the web and name its address")]
    if scheme not in ("http", "https") or not host:
        return [error("images", where, f"the picture {source!r} has no absolute address", "write it as https://host/path")]
    if reason := why_unreachable(host):
        return [error("images", where, f"the picture {source} lies on {reason}", "put it where readers can fetch it")]
    if scheme == "http":
        return [error("images", where, f"the picture {source} is http, which Gmail and Apple may not show", "use https")]
    path = published_path(specimen, source)
    if path and not path.is_file():
        return [error("images", where, f"the picture {source} is not in {specimen.setting.public}", "run `dateline publish`")]
    if path and (size := path.stat().st_size) > HEAVY:
        problem = f"the picture {_short(image)} has {size / 1e6:.1f} MB"
        return [warning("images", where, problem, f"make it smaller than {HEAVY / 1e6:g} MB; it is shown 552 pixels wide")]
    return []


def _short(image: HtmlElement) -> str:
    return (image.get("src") or "").rpartition("/")[2][:60] or "without src"
