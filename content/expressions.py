"""What other site generators left in a text: ``{{ ... }}``, ``{% ... %}``, ``{: ... }``.

They are data here. Nothing is executed and nothing of them reaches a reader; only what they plainly quote is
kept: the path in ``{{ "/about/" | url }}``, the picture in ``{% image "/team.jpg" "The team" %}``.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from dataclasses import dataclass

_Pair = tuple[re.Pattern[str], re.Pattern[str]]
_RAW: _Pair = (re.compile(r"\{%-?\s*raw\s*-?%\}"), re.compile(r"\{%-?\s*endraw\s*-?%\}"))
_COMMENT: _Pair = (re.compile(r"\{%-?\s*comment\s*-?%\}"), re.compile(r"\{%-?\s*endcomment\s*-?%\}"))
_NOTE: _Pair = (re.compile(r"\{#-?\s"), re.compile(r"\s-?#\}"))
_OPENING = re.compile(r"\{[{%]")
_CLOSING = {"{{": "}}", "{%": "%}"}
_ATTRIBUTE_LIST = re.compile(r"(?<![ \t])[ \t]*\{:(?![:}])[^{}\n]*\}|\{::[^{}\n]*/?\}")

_QUOTED = r"\"([^\"]*)\"|'([^']*)'"
_PATH_FILTERED = re.compile(rf"^\s*(?:{_QUOTED})\s*\|\s*(?:url|relative_url|absolute_url|prepend|absurl|relurl)\b")
_WITH_LINK = re.compile(rf"^\s*(?:{_QUOTED})\s*\|\s*embed\b(?:\s*:\s*(?:{_QUOTED}))?")
_ARGUMENT = re.compile(rf"(?:(\w+)\s*[:=]\s*)?(?:{_QUOTED})")
_PICTURE = re.compile(r"\.(?:png|jpe?g|gif|webp|avif|svg)$", re.IGNORECASE)
_WEB_ADDRESS = re.compile(r"^https?://[^\s<>\"']+$")

# Literal braces out of a raw block travel through Markdown as these and come back at the end.
_BRACES = {"{": "\ue0f0", "}": "\ue0f1", "%": "\ue0f2"}
_BACK = str.maketrans({mark: brace for brace, mark in _BRACES.items()})


@dataclass(frozen=True, slots=True)
class Freed:
    """A text without template expressions, and the lines (from 1) of those that were left out."""

    text: str
    dropped: tuple[int, ...]


def free(text: str) -> Freed:
    """``text`` without the template expressions of Liquid, Jinja, Nunjucks, Go and kramdown.

    What stands in ``{% raw %}`` is what the author wants seen; it is kept as it is, braces disguised until
    :func:`reveal`.
    """
    if "{" not in text:
        return Freed(text, ())
    text = _replace(text, _RAW, _disguise)
    for pair in (_COMMENT, _NOTE):
        # Line numbers stay right: what is dropped from several lines leaves its line ends until all is done.
        text = _replace(text, pair, lambda inner: "\n" * inner.count("\n"))
    freed, dropped = _without_expressions(text)
    return Freed(_ATTRIBUTE_LIST.sub("", freed), tuple(dropped))


def _replace(text: str, pair: _Pair, new: Callable[[str], str]) -> str:
    """Puts ``new(inner)`` between each pair of marks, in one pass: one pattern for both would take hours on a hostile text."""
    parts: list[str] = []
    start = 0
    while (opening := pair[0].search(text, start)) and (closing := pair[1].search(text, opening.end())):
        parts += [text[start : opening.start()], new(text[opening.end() : closing.start()])]
        start = closing.end()
    return "".join([*parts, text[start:]]) if parts else text


def _without_expressions(text: str) -> tuple[str, list[int]]:
    """The text in which each expression is what it plainly quotes, and the lines of those that quote nothing."""
    parts: list[str] = []
    dropped: list[int] = []
    never_closed: set[str] = set()
    start = look = line_start = 0
    line = 1
    while opening := _OPENING.search(text, look):
        mark = opening[0]
        end = -1 if mark in never_closed else text.find(_CLOSING[mark], opening.end())
        if end < 0:
            never_closed.add(mark)
            look = opening.start() + 1
            continue
        line += text.count("\n", line_start, opening.start())
        line_start = opening.start()
        inner = text[opening.end() : end]
        kept = _kept(inner, None) if mark == "{{" else _kept(None, inner)
        if kept is None:
            dropped.append(line)
        parts += [text[start : opening.start()], kept or ""]
        start = look = end + 2
    return "".join([*parts, text[start:]]), dropped


def _disguise(literal: str) -> str:
    return "".join(_BRACES.get(character, character) for character in literal)


def reveal(text: str) -> str:
    """Plain text with the braces of raw blocks as their authors wrote them."""
    return text.translate(_BACK)


def reveal_html(markup: str) -> str:
    """Clean HTML with the literal braces of the text, written so that no template engine takes them for its own."""
    shown = markup if markup.isascii() else reveal(markup)
    if "{" not in shown and "}" not in shown:
        return shown
    return shown.replace("{{", "&#123;&#123;").replace("{%", "&#123;%").replace("}}", "&#125;&#125;")


def _kept(expression: str | None, tag: str | None) -> str | None:
    if expression is not None:
        inner = expression.strip("-<>% \t\n")
        if path := _PATH_FILTERED.match(inner):
            return path[1] or path[2]
        if linked := _WITH_LINK.match(inner):
            address, title = linked[1] or linked[2], linked[3] or linked[4]
            return _link(address, title or address) if _WEB_ADDRESS.match(address) else None
        if re.fullmatch(r"(?:site|page)\.(?:base_?url|url)|base_?url|site\.BaseURL", inner, re.IGNORECASE):
            return ""
        return _picture(inner)
    return _picture((tag or "").strip("-+ \t\n"))


def _picture(call: str) -> str | None:
    """The picture that a shortcode shows, as HTML, when its arguments say which file it is."""
    named: dict[str, str] = {}
    bare: list[str] = []
    for name, double, single in _ARGUMENT.findall(call):
        if name:
            named[name.lower()] = double or single
        else:
            bare.append(double or single)
    files = [value for value in (*named.values(), *bare) if _PICTURE.search(value)]
    if not files:
        return None
    source = files[0] if "/" not in files[0] or files[0].startswith(("/", "http:", "https:")) else f"/{files[0]}"
    others = [value for value in bare if value != files[0]]
    alt = named.get("alt") or named.get("alt_text") or (others[-1] if others else "")
    return f'<img src="{html.escape(source)}" alt="{html.escape(alt)}">'


def _link(address: str, title: str) -> str:
    return f'<a href="{html.escape(address)}">{html.escape(title)}</a>'
