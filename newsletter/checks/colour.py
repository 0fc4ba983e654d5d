"""How well do two colours stand out from each other (WCAG 2.1, 1.4.3), and which would do."""

from __future__ import annotations

import re
from dataclasses import dataclass

NAMES = {
    "black": 0x000000, "silver": 0xC0C0C0, "gray": 0x808080, "grey": 0x808080, "white": 0xFFFFFF, "maroon": 0x800000,
    "red": 0xFF0000, "purple": 0x800080, "fuchsia": 0xFF00FF, "green": 0x008000, "lime": 0x00FF00, "olive": 0x808000,
    "yellow": 0xFFFF00, "navy": 0x000080, "blue": 0x0000FF, "teal": 0x008080, "aqua": 0x00FFFF, "orange": 0xFFA500,
    "whitesmoke": 0xF5F5F5, "lightgray": 0xD3D3D3, "lightgrey": 0xD3D3D3, "darkgray": 0xA9A9A9, "darkgrey": 0xA9A9A9,
    "dimgray": 0x696969, "dimgrey": 0x696969, "gainsboro": 0xDCDCDC, "crimson": 0xDC143C, "tomato": 0xFF6347,
}  # fmt: skip
"""Names that mail programs have always known, and those of CSS that are often used."""


@dataclass(frozen=True, slots=True)
class Colour:
    """Red, green and blue from 0 to 255, and how much of them covers what lies below, from 0 to 1."""

    red: int
    green: int
    blue: int
    alpha: float = 1.0

    def over(self, below: Colour) -> Colour:
        """What is seen when this colour lies on another, which is opaque."""
        return _between(below, self, self.alpha)

    def faded(self, opacity: float) -> Colour:
        return Colour(self.red, self.green, self.blue, self.alpha * opacity)

    def __str__(self) -> str:
        return f"#{self.red:02x}{self.green:02x}{self.blue:02x}"


BLACK, WHITE = Colour(0, 0, 0), Colour(255, 255, 255)


def read_colour(text: str) -> Colour | None:
    """The colour that CSS means: hexadecimal, ``rgb()``, ``rgba()``, ``transparent`` and the usual names; else ``None``."""
    word = text.strip().lower()
    if word == "transparent":
        return Colour(0, 0, 0, 0.0)
    if word in NAMES:
        return _of_number(NAMES[word])
    if re.fullmatch(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})", word):
        digits = word[1:] if len(word) > 5 else "".join(digit * 2 for digit in word[1:])
        opaque = _of_number(int(digits[:6], 16))
        return opaque.faded(int(digits[6:], 16) / 255) if digits[6:] else opaque
    if found := re.fullmatch(r"rgba?\(\s*(\d+)[\s,]+(\d+)[\s,]+(\d+)(?:[\s,/]+([\d.]+)(%?))?\s*\)", word):
        red, green, blue = (min(255, int(part)) for part in found.groups()[:3])
        alpha = float(found[4]) / (100 if found[5] else 1) if found[4] else 1.0
        return Colour(red, green, blue, min(1.0, alpha))
    return None


def contrast(one: Colour, other: Colour) -> float:
    """From 1 to 21, of two opaque colours."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def nearest_readable(text: Colour, ground: Colour, needed: float) -> Colour:
    """The colour nearest to ``text``, on its way to black or to white, that stands out enough from ``ground``."""
    for step in range(1, 101):
        for end in (BLACK, WHITE):
            tried = _between(text, end, step / 100)
            if contrast(tried, ground) >= needed:
                return tried
    raise AssertionError("black or white stands out from any colour by 4.5")


def _between(one: Colour, other: Colour, share: float) -> Colour:
    pairs = ((one.red, other.red), (one.green, other.green), (one.blue, other.blue))
    red, green, blue = (round(first + (second - first) * share) for first, second in pairs)
    return Colour(red, green, blue)


def _luminance(colour: Colour) -> float:
    parts = [part / 255 for part in (colour.red, colour.green, colour.blue)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _of_number(number: int) -> Colour:
    return Colour(number >> 16, number >> 8 & 255, number & 255)
