"""Markdown, HTML or plain text in; HTML out that is safe to show anywhere and whose links hold anywhere."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Callable
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

import idna
import nh3
import pyromark

from content.expressions import reveal_html
from content.text import is_authority, xml_safe

_MARKDOWN = (
    pyromark.Options.ENABLE_TABLES
    | pyromark.Options.ENABLE_FOOTNOTES
    | pyromark.Options.ENABLE_STRIKETHROUGH
    | pyromark.Options.ENABLE_TASKLISTS
    | pyromark.Options.ENABLE_HEADING_ATTRIBUTES
)
_TAGS = (nh3.ALLOWED_TAGS - {"area", "map", "nav", "article", "header", "footer", "center", "rtc", "bdo"}) | {"tfoot"}
# Nobody sees `cite`, and nh3 leaves it as it is: a relative address, or one that runs.
_ATTRIBUTES = {tag: set(names) - {"cite"} for tag, names in nh3.ALLOWED_ATTRIBUTES.items() if tag in _TAGS} | {
    "*": {"lang", "dir", "title"}
}
_SCHEMES = {"http", "https", "mailto", "tel"}
_FRAME = re.compile(r"<(iframe|video|audio|embed)\b((?:[^<>\"']|\"[^\"]{0,4000}\"|'[^']{0,4000}')*+)>", re.IGNORECASE)
_FRAME_END = re.compile(r"</(?:iframe|video|audio)\s*>|<(?:iframe|video|audio|embed)\b", re.IGNORECASE)
_OPENED = re.compile(
    r"<(/?)(?!(?:p|a|li|d[td]|t[drh]|thead|tbody|option|img|br|hr|input|meta|link|source|wbr|col|embed|path|rect|circle|line"
    r"|polyline|polygon|ellipse|use|stop|image)\b)[a-z][^<>]*>",
    re.IGNORECASE,
)
_SOURCE = re.compile(r"\bsrc\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s>]+))", re.IGNORECASE)
_TITLE = re.compile(r"\btitle\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_NO_PICTURE = re.compile(r"<img(?![^>]*\ssrc=\"[^\"]+\")[^>]*>")
_EMPTY_PARAGRAPH = re.compile(r"<p>\s*</p>\n?")

DEPTH_LIMIT = 400
"""Elements within each other, beyond which no article goes and every HTML parser slows down to a crawl."""

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
    _state.resolve = resolve
    cleaned = _cleaner.clean(_frames_as_links(xml_safe(markup)))
    if "<table" in cleaned:
        # What stood in a table where it must not is moved out of it, and may then lie where it must not either.
        cleaned = _cleaner.clean(cleaned)
    return reveal_html(_EMPTY_PARAGRAPH.sub("", _NO_PICTURE.sub("", xml_safe(cleaned)))).strip()


_state = threading.local()
"""Whose links are being made absolute: the cleaner itself is made once."""
_cleaner = nh3.Cleaner(
    tags=_TAGS, attributes=_ATTRIBUTES, url_schemes=_SCHEMES, url_relative=lambda url: _state.resolve(url),
    clean_content_tags={"script", "style", "form", "template", "noscript", "svg", "math", "object", "select", "title"},
)  # fmt: skip


def nested_too_deeply(markup: str) -> bool:
    """Whether elements lie more than ``DEPTH_LIMIT`` deep, those left out whose end tag HTML supplies."""
    depth = 0
    for tag in _OPENED.finditer(markup) if markup.count("<") > DEPTH_LIMIT else ():
        depth = max(0, depth - 1) if tag[1] else depth + 1
        if depth > DEPTH_LIMIT:
            return True
    return False


def _frames_as_links(markup: str) -> str:
    # Two short patterns instead of one long: a frame that is never closed must neither swallow the story behind
    # it nor make a hostile text take hours.
    parts: list[str] = []
    start = 0
    while opening := _FRAME.search(markup, start):
        inner, end = "", opening.end()
        closing = _FRAME_END.search(markup, end)
        if closing and closing[0].startswith("</") and opening[1].lower() != "embed" and not opening[2].endswith("/"):
            inner, end = markup[end : closing.start()], closing.end()
        parts += [markup[start : opening.start()], _as_link(opening[2], inner)]
        start = end
    return "".join([*parts, markup[start:]])


def _as_link(attributes: str, inner: str) -> str:
    source = _SOURCE.search(attributes) or _SOURCE.search(inner)
    address = html.unescape(source[1] or source[2] or source[3] or "").strip() if source else ""
    if not address or re.match(r"(?!https?:)[a-z][\w+.-]*\s*:", address, re.IGNORECASE):
        return ""
    title = _TITLE.search(attributes)
    name = html.unescape((title[1] or title[2] or "") if title else "") or address
    return f'<p><a href="{html.escape(address)}">{html.escape(name)}</a></p>'


def absolute(url: str, base: str) -> str | None:
    """``url`` as an absolute http(s) URI (RFC 3986: ASCII only), or ``None`` when it cannot be one."""
    if re.fullmatch(r"\s*(?:[A-Za-z][\w+.-]*:)?/*\s*", url) and url.strip() not in ("/",):
        # What pointed nowhere would else point at the article itself.
        return None
    try:
        parts = urlsplit(urljoin(base, url.strip()))
        host = parts.hostname or ""
        netloc = parts.netloc if parts.netloc.isascii() else parts.netloc.replace(host, idna.encode(host, uts46=True).decode())
    except (ValueError, idna.IDNAError):
        return None
    if parts.scheme not in ("http", "https") or not is_authority(netloc):
        return None
    path, query, fragment = (quote(part, safe="/:@!$&'()*+,;=~%?[]") for part in parts[2:])
    return urlunsplit((parts.scheme, netloc, path, query, fragment))
