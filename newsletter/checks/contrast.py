"""Can every text be read, in light and in dark mode (WCAG 2.1, 1.4.3).

Worked out from the styles, without a browser: each text's colour and ground are followed down from the page.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lxml.html import HtmlElement

from newsletter.checks.colour import BLACK, WHITE, Colour, contrast, nearest_readable, read_colour
from newsletter.checks.css import Styles
from newsletter.checks.finding import Finding, error, warning
from newsletter.checks.specimen import Specimen

NEEDED = 4.5
NEEDED_LARGE = 3.0
LARGE, LARGE_BOLD = 24.0, 18.66
"""Pixels (18 and 14 points) from which text counts as large."""

_DARK_CANVAS, _LINK, _DARK_LINK = Colour(18, 18, 18), Colour(0, 0, 238), Colour(158, 158, 255)
"""What browsers use when a page that says it can be dark leaves its colours to them."""
_HEADINGS = {"h1": 2.0, "h2": 1.5, "h3": 1.17, "h4": 1.0, "h5": 0.83, "h6": 0.67}
_BOLD = frozenset({*_HEADINGS, "b", "strong", "th"})
_UNSEEN_TAGS = frozenset({"head", "style", "script", "title", "template"})


@dataclass(frozen=True, slots=True)
class Look:
    """How text looks in some element. ``ground`` is ``None`` on a picture."""

    colour: Colour
    ground: Colour | None
    size: float
    weight: int
    opacity: float = 1.0

    @property
    def needed(self) -> float:
        large = self.size >= LARGE or (self.size >= LARGE_BOLD and self.weight >= 700)
        return NEEDED_LARGE if large else NEEDED


@dataclass(frozen=True, slots=True)
class Text:
    """A text that can be seen, with the element that it stands in; ``strange`` is a colour that is not understood."""

    words: str
    element: HtmlElement
    look: Look
    strange: str = ""


def check_contrast(specimen: Specimen) -> list[Finding]:
    """Texts that stand out too little, each pair of colours once for each line of the template."""
    unreadable: dict[tuple[str, Colour, Colour, float], tuple[Text, list[str]]] = {}
    found: list[Finding] = []
    for scheme in ("light", "dark"):
        for text in read_texts(specimen.page, scheme):
            colour, ground = text.look.colour, text.look.ground
            if text.strange or ground is None:
                found.append(_untold(specimen.setting.mjml.place(text.element), text))
                continue
            colour = colour.faded(text.look.opacity).over(ground)
            if contrast(colour, ground) < text.look.needed:
                key = specimen.setting.mjml.place(text.element), colour, ground, text.look.needed
                schemes = unreadable.setdefault(key, (text, []))[1]
                schemes += [scheme] if scheme not in schemes else []
    for (where, colour, ground, needed), (text, schemes) in unreadable.items():
        found.append(_too_weak(where, colour, ground, needed, text.words, schemes))
    return found


def _untold(where: str, text: Text) -> Finding:
    if text.strange:
        problem = f"the colour {text.strange!r} is not one that every mail program knows"
        return warning("contrast", where, problem, "write it as #rrggbb")
    problem = f"“{_shortened(text.words)}” stands on a picture, so its contrast cannot be told"
    return warning("contrast", where, problem, "look at it yourself, or give it a plain ground")


def _too_weak(where: str, colour: Colour, ground: Colour, needed: float, words: str, schemes: list[str]) -> Finding:
    reached = int(contrast(colour, ground) * 100) / 100
    problem = (
        f"in {' and '.join(schemes)} mode “{_shortened(words)}” ({colour} on {ground}) has a contrast of {reached:.2f}, "
        f"and needs {needed:g} (WCAG 2.1, 1.4.3)"
    )
    dark = " in the dark rules" if schemes == ["dark"] else ""
    return error("contrast", where, problem, f"{nearest_readable(colour, ground, needed)} would do{dark}")


def read_texts(page: HtmlElement, scheme: str) -> Iterator[Text]:
    """Every text of a page that can be seen in ``light`` or ``dark`` mode."""
    styles = Styles(page, scheme)
    dark = scheme == "dark" and _can_be_dark(page, styles)
    canvas = Look(WHITE if dark else BLACK, _DARK_CANVAS if dark else WHITE, 16.0, 400)
    yield from _texts(page, canvas, styles, _DARK_LINK if dark else _LINK)


def _can_be_dark(page: HtmlElement, styles: Styles) -> bool:
    declared = [str(meta.get("content")) for meta in page.iter("meta") if meta.get("name") == "color-scheme"]
    return any("dark" in one for one in [*declared, styles.of(page).get("color-scheme", "")])


def _texts(element: HtmlElement, around: Look, styles: Styles, link: Colour) -> Iterator[Text]:
    if not isinstance(element.tag, str) or element.tag in _UNSEEN_TAGS:
        return
    declared = styles.of(element)
    if _is_unseen(declared):
        return
    strange = [declared[name] for name in ("color", "background-color") if _is_strange(declared.get(name))]
    look = _look(element, declared, around, link)
    runs = [element.text, *(child.tail for child in element)]
    words = " ".join(" ".join(run.split()) for run in runs if run and _can_be_seen(run))
    if words:
        yield Text(words, element, look, strange[0] if strange else "")
    for child in element:
        yield from _texts(child, look, styles, link)


def _look(element: HtmlElement, declared: dict[str, str], around: Look, link: Colour) -> Look:
    tag = str(element.tag)
    written = declared.get("color", element.get("color") or "")
    own = read_colour(written) if written else None
    if own is None:
        own = link if tag == "a" and element.get("href") and not written else around.colour
    ground = around.ground
    below = declared.get("background-color", element.get("bgcolor") or "transparent")
    laid = own if below.lower() == "currentcolor" else read_colour(below)
    if declared.get("background-image", "none") != "none" or element.get("background"):
        ground = None
    elif laid is not None and laid.alpha:
        ground = laid if laid.alpha >= 1 else laid.over(ground) if ground else None
    size = _size(declared.get("font-size", f"{_HEADINGS.get(tag, 1.0)}em"), around.size)
    weight = _weight(declared.get("font-weight", "bold" if tag in _BOLD else ""), around.weight)
    opacity = declared.get("opacity", "1")
    fade = float(opacity) if re.fullmatch(r"[\d.]+", opacity) else 1.0
    return replace(around, colour=own, ground=ground, size=size, weight=weight, opacity=around.opacity * min(1.0, fade))


def _is_unseen(declared: dict[str, str]) -> bool:
    return (
        declared.get("display") == "none"
        or declared.get("visibility") == "hidden"
        or declared.get("opacity") in ("0", "0.0")
        or bool(re.fullmatch(r"0(?:px|em|%)?", declared.get("max-height", "")))
    )


def _is_strange(written: str | None) -> bool:
    return bool(written) and written not in ("inherit", "currentcolor", "currentColor") and read_colour(str(written)) is None


def _can_be_seen(run: str) -> bool:
    # The combining grapheme joiner is what mail fills its preview line with.
    return any(unicodedata.category(sign)[0] not in "ZC" and sign != "\u034f" for sign in run)


def _size(written: str, around: float) -> float:
    found = re.fullmatch(r"([\d.]+)(px|pt|em|rem|%)", written.strip().lower())
    if not found:
        return around
    factor = {"px": 1.0, "pt": 4 / 3, "em": around, "rem": 16.0, "%": around / 100}
    return float(found[1]) * factor[found[2]]


def _weight(written: str, around: int) -> int:
    if written in ("bold", "bolder"):
        return 700
    return int(written) if re.fullmatch(r"[1-9]00", written) else 400 if written == "normal" else around


def _shortened(words: str) -> str:
    return words if len(words) <= 40 else f"{words[:39].rstrip()}…"
