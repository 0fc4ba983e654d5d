"""What other site generators left in a text: ``{{ ... }}``, ``{% ... %}``, ``{: ... }``.

They are data here. Nothing is executed and nothing of them reaches a reader; only what they plainly quote is
kept: the path in ``{{ "/about/" | url }}``, the picture in ``{% image "/team.jpg" "The team" %}``.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

_RAW = re.compile(r"\{%-?\s*raw\s*-?%\}(.*?)\{%-?\s*endraw\s*-?%\}", re.DOTALL)
_BLOCK_COMMENT = re.compile(r"\{%-?\s*comment\s*-?%\}.*?\{%-?\s*endcomment\s*-?%\}|\{#-?\s.*?\s-?#\}", re.DOTALL)
_EXPRESSION = re.compile(r"\{\{(.*?)\}\}|\{%(.*?)%\}", re.DOTALL)
_ATTRIBUTE_LIST = re.compile(r"[ \t]*\{:(?![:}])[^{}\n]*\}|\{::[^{}\n]*/?\}")

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
    dropped: list[int] = []

    def keep(match: re.Match[str]) -> str:
        kept = _kept(match[1], match[2])
        if kept is None:
            dropped.append(text.count("\n", 0, match.start()) + 1)
        return kept or ""

    text = _RAW.sub(lambda match: _disguise(match[1]), text)
    # Line numbers stay right: what is dropped from several lines leaves its line ends until all is done.
    text = _BLOCK_COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)
    freed = _EXPRESSION.sub(keep, text)
    freed = _ATTRIBUTE_LIST.sub("", freed)
    return Freed(freed, tuple(dropped))


def _disguise(literal: str) -> str:
    return "".join(_BRACES.get(character, character) for character in literal)


def reveal(text: str) -> str:
    """Plain text with the braces of raw blocks as their authors wrote them."""
    return text.translate(_BACK)


def reveal_html(markup: str) -> str:
    """Clean HTML with the literal braces of the text, written so that no template engine takes them for its own."""
    shown = reveal(markup)
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
