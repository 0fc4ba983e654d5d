"""Which declarations of a page's styles hold for an element: as much of CSS as mail is written in.

Selectors of tags, classes, ids and attributes, descendants and children; ``!important``, specificity and order; media
queries of scheme and width. What depends on where the mouse is, or on siblings, never matches.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from lxml.html import HtmlElement

WIDTH = 600
"""Pixels of the window that media queries are asked about."""

_COMMENT = re.compile(r"/\*.*?\*/|<!--|-->", re.DOTALL)
_COMPOUND = re.compile(r"(\*|[a-zA-Z][\w-]*)?((?:[.#][\w-]+|\[[^\]]+\]|:root)*)")
_SIMPLE = re.compile(r"([.#][\w-]+)|\[([\w-]+)(?:(~?=)[\"']?([^\"'\]]*)[\"']?)?\]|(:root)")
_FEATURE = re.compile(r"\(\s*([\w-]+)\s*:\s*([^)]+?)\s*\)")


@dataclass(frozen=True, slots=True)
class Declaration:
    """``name: value``, the name in lower case, and how much it weighs against others."""

    name: str
    value: str
    important: bool


@dataclass(frozen=True, slots=True)
class Rule:
    """Declarations for what one selector matches: compounds from the outermost to the element's own, each after the
    combinator (blank or ``>``) before it."""

    compounds: tuple[tuple[str, str], ...]
    declarations: tuple[Declaration, ...]
    media: tuple[str, ...]

    @property
    def specificity(self) -> tuple[int, int, int]:
        """Ids, then classes and attributes, then tags (Selectors 4, 17)."""
        own = [_parts(compound) for _, compound in self.compounds]
        ids = sum(word.startswith("#") for _, simple in own for word in simple)
        return ids, sum(len(simple) for _, simple in own) - ids, sum(tag not in ("", "*") for tag, _ in own)

    def matches(self, element: HtmlElement) -> bool:
        return _matches(element, self.compounds)


class Styles:
    """The styles of a page for a scheme, ``light`` or ``dark``."""

    def __init__(self, page: HtmlElement, scheme: str) -> None:
        self._rules: list[Rule] = []
        for style in page.iter("style"):
            media = (str(style.get("media")),) if style.get("media") else ()
            for rule in read_sheet(style.text or "", media):
                if all(_applies(query, scheme) for query in rule.media):
                    self._rules.append(rule)

    def of(self, element: HtmlElement) -> dict[str, str]:
        """The winning value of each property that is declared for an element itself."""
        found: dict[str, tuple[tuple[bool, bool, tuple[int, int, int], int], str]] = {}
        matching = [(rule.specificity, rule.declarations) for rule in self._rules if rule.matches(element)]
        inline = ((0, 0, 0), tuple(read_declarations(element.get("style") or "")))
        for order, (specificity, declarations) in enumerate([*matching, inline]):
            for declaration in declarations:
                weight = (declaration.important, order == len(matching), specificity, order)
                if declaration.name not in found or weight >= found[declaration.name][0]:
                    found[declaration.name] = weight, declaration.value
        return {name: value for name, (_, value) in found.items()}


def read_sheet(css: str, media: tuple[str, ...] = ()) -> Iterator[Rule]:
    """The rules of a style sheet; what is not understood is left out."""
    css = _COMMENT.sub(" ", css)
    at = 0
    while (opened := css.find("{", at)) >= 0:
        prelude = css[at:opened].rpartition(";")[2].strip()
        closed = _closing(css, opened)
        block = css[opened + 1 : closed]
        at = closed + 1
        if prelude.lower().startswith("@media"):
            yield from read_sheet(block, (*media, prelude[6:].strip()))
        elif not prelude.startswith("@"):
            declarations = tuple(read_declarations(block))
            for selector in prelude.split(","):
                if compounds := _selector(selector.strip()):
                    yield Rule(compounds, declarations, media)


def read_declarations(block: str) -> Iterator[Declaration]:
    """``name: value`` by ``name: value``; the shorthands for background and font give what they stand for."""
    for piece in re.split(r";(?![^(]*\))", block):
        name, colon, value = piece.partition(":")
        name, value = name.strip().lower(), value.strip()
        important = value.lower().endswith("!important")
        value = value[: -len("!important")].strip() if important else value
        if not colon or not value:
            continue
        yield Declaration(name, value, important)
        if name == "background":
            picture = re.search(r"url\([^)]*\)|gradient\(", value)
            colours = [word for word in re.findall(r"[\w#-]+(?:\([^)]*\))?", value) if _may_be_colour(word)]
            yield Declaration("background-color", colours[-1] if colours else "transparent", important)
            yield Declaration("background-image", "some" if picture else "none", important)
        elif name == "font" and (size := re.search(r"(?:^|\s)([\d.]+(?:px|pt|em|rem|%))", value)):
            weight = re.search(r"(?:^|\s)(bold|bolder|[1-9]00)\s", value[: size.start(1)])
            yield Declaration("font-size", size[1], important)
            yield Declaration("font-weight", weight[1] if weight else "400", important)


def _may_be_colour(word: str) -> bool:
    from newsletter.checks.colour import NAMES

    return word.startswith(("#", "rgb")) or word.lower() in (*NAMES, "transparent", "inherit", "currentcolor")


def _closing(css: str, opened: int) -> int:
    depth = 0
    for at in range(opened, len(css)):
        depth += {"{": 1, "}": -1}.get(css[at], 0)
        if depth == 0:
            return at
    return len(css)


def _selector(text: str) -> tuple[tuple[str, str], ...]:
    """The compounds of a selector, or none when it has something that is not understood."""
    compounds: list[tuple[str, str]] = []
    combinator = " "
    for word in text.replace(">", " > ").split():
        if word == ">":
            combinator = ">"
        elif _COMPOUND.fullmatch(word):
            compounds.append((combinator, word))
            combinator = " "
        else:
            return ()
    return tuple(compounds)


@cache
def _parts(compound: str) -> tuple[str, tuple[str, ...]]:
    found = _COMPOUND.fullmatch(compound)
    assert found
    return found[1] or "", tuple(simple[0] for simple in _SIMPLE.finditer(found[2]))


def _matches(element: HtmlElement, compounds: tuple[tuple[str, str], ...]) -> bool:
    *outer, (combinator, own) = compounds
    if not _is(element, own):
        return False
    if not outer:
        return True
    around = element.getparent()
    while around is not None:
        if _matches(around, tuple(outer)):
            return True
        if combinator == ">":
            return False
        around = around.getparent()
    return False


def _is(element: HtmlElement, compound: str) -> bool:
    tag, simple = _parts(compound)
    if tag not in ("", "*") and tag.lower() != element.tag:
        return False
    return all(_has(element, word) for word in simple)


def _has(element: HtmlElement, simple: str) -> bool:
    if simple == ":root":
        return element.getparent() is None
    if simple.startswith("."):
        return simple[1:] in (element.get("class") or "").split()
    if simple.startswith("#"):
        return bool(element.get("id") == simple[1:])
    found = _SIMPLE.fullmatch(simple)
    assert found
    value = element.get(found[2])
    if value is None or not found[3]:
        return value is not None
    return found[4] in value.split() if found[3] == "~=" else value == found[4]


def _applies(query: str, scheme: str) -> bool:
    return any(_holds(one.lower(), scheme) for one in query.split(","))


def _holds(query: str, scheme: str) -> bool:
    kind = re.match(r"\s*(?:only\s+)?([a-z]+)", query)
    if kind and kind[1] not in ("screen", "all"):
        return False
    for name, value in _FEATURE.findall(query):
        pixels = float(value[:-2]) if re.fullmatch(r"[\d.]+px", value) else None
        if name == "prefers-color-scheme" and value != scheme:
            return False
        if pixels is not None and ((name == "min-width" and pixels > WIDTH) or (name == "max-width" and pixels < WIDTH)):
            return False
    return True
