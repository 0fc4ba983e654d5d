"""Markdown, HTML or plain text in; HTML out that is safe to show anywhere and whose links hold anywhere."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

import idna
import nh3
import pyromark

from content.expressions import reveal_html
from content.text import xml_safe

_MARKDOWN = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_HEADING_ATTRIBUTES
)
_TAGS = (nh3.ALLOWED_TAGS - {"area", "map", "nav", "article", "header", "footer", "center", "rtc"}) | {"tfoot"}
_ATTRIBUTES = {tag: set(names) for tag, names in nh3.ALLOWED_ATTRIBUTES.items() if tag in _TAGS} | {
    "*": {"lang", "dir", "title"}
}
_SCHEMES = {"http", "https", "mailto", "tel"}
_EMBEDDED = re.compile(r"<(iframe|video|audio|embed)\b([^>]*)>(?:.*?</\1\s*>)?", re.IGNORECASE | re.DOTALL)
_SOURCE = re.compile(r"\bsrc\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))", re.IGNORECASE)
_TITLE = re.compile(r"\btitle\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_NO_PICTURE = re.compile(r"<img(?![^>]*\ssrc=\"[^\"]+\")[^>]*>")
_EMPTY_PARAGRAPH = re.compile(r"<p>\s*</p>\n?")

Resolver = Callable[[str], str | None]
"""Makes a relative URL absolute; ``None`` drops it."""


def from_markdown(text: str) -> str:
    """CommonMark with tables, footnotes, strike-through and task lists as HTML, not yet clean."""
    return pyromark.html(text, options=_MARKDOWN)


def from_paragraphs(paragraphs: list[str]) -> str:
    """Plain paragraphs as HTML."""
    return "\n".join(f"<p>{html.escape(part, quote=False)}</p>" for part in paragraphs)


def clean(markup: str, resolve: Resolver) -> str:
    """HTML without anything that runs, frames, styles or tracks by script, every URL absolute.

    A frame, video or sound becomes a link to it, because no feed reader or mail program shows one.
    """
    linked = _EMBEDDED.sub(_as_link, xml_safe(markup))
    cleaned = nh3.clean(
        linked, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES, url_relative=resolve,
        clean_content_tags={"script", "style", "form", "template", "noscript", "svg", "math", "object", "select", "title"},
    )  # fmt: skip
    return reveal_html(_EMPTY_PARAGRAPH.sub("", _NO_PICTURE.sub("", xml_safe(cleaned)))).strip()


def _as_link(match: re.Match[str]) -> str:
    # The pattern may also match inside a code block's text; there the angle brackets are entities already.
    source = _SOURCE.search(match[2]) or _SOURCE.search(match[0])
    if not source:
        return ""
    address = html.unescape(source[1] or source[2] or source[3] or "")
    title = _TITLE.search(match[2])
    name = html.unescape((title[1] or title[2] or "") if title else "") or address
    return f'<p><a href="{html.escape(address)}">{html.escape(name)}</a></p>' if address else ""


def resolver(base: str) -> Resolver:
    """Makes URLs absolute against ``base``; one that cannot be parsed is dropped."""

    def resolve(url: str) -> str | None:
        return absolute(url, base)

    return resolve


def absolute(url: str, base: str) -> str | None:
    """``url`` as an absolute http(s) URI (RFC 3986: ASCII only), or ``None`` when it cannot be one."""
    try:
        parts = urlsplit(urljoin(base, url.strip()))
        host = parts.hostname or ""
        netloc = parts.netloc if parts.netloc.isascii() else parts.netloc.replace(host, idna.encode(host, uts46=True).decode())
    except (ValueError, idna.IDNAError):
        return None
    if parts.scheme not in ("http", "https") or not host or not netloc.isascii() or re.search(r"[\s<>\"]", netloc):
        return None
    path, query, fragment = (quote(part, safe="/:@!$&'()*+,;=~%?[]") for part in parts[2:])
    return urlunsplit((parts.scheme, netloc, path, query, fragment))
