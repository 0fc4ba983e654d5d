"""Where in a template does something come from that was found in what the template became.

MJML keeps no line numbers, so the line is looked for that shares most with the finished element: tag, class, styles,
attributes.
"""

from __future__ import annotations

import re
from pathlib import Path

from lxml.html import HtmlElement

_MADE_BY = {"img": ("<img", "<mj-image"), "a": ("<a", "<mj-button"), "html": ("<mjml",), "title": ("<mj-title",)}
"""Elements that MJML makes of its own."""


class Source:
    """A template's text, by lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._lines = path.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            self._lines = []

    def place(self, element: HtmlElement) -> str:
        """``file:line`` of the line that most likely made ``element``, or the file alone."""
        tag = str(element.tag)
        own = re.compile("|".join(rf"{re.escape(start)}(?![\w-])" for start in _MADE_BY.get(tag, (f"<{tag}",))))
        fragments = _fragments(element)
        best, most = 0, 0
        for number, line in enumerate(self._lines, start=1):
            shared = sum(fragment in line for fragment in fragments)
            score = 2 * shared + 3 * bool(own.search(line))
            if score > most and (shared or tag in _MADE_BY):
                best, most = number, score
        return self._at(best)

    def find(self, *needles: str) -> str:
        """``file:line`` of the first line that holds one of the needles, or the file alone."""
        for needle in needles:
            for number, line in enumerate(self._lines, start=1):
                if needle and needle in line:
                    return self._at(number)
        return self._at(0)

    def _at(self, line: int) -> str:
        return f"{self.path}:{line}" if line else str(self.path)


def _fragments(element: HtmlElement) -> list[str]:
    """Pieces of the element's start tag that its template may have word for word."""
    pieces: list[str] = []
    for name, value in element.attrib.items():
        if name == "style":
            pieces += [declaration.strip() for declaration in str(value).split(";") if declaration.strip()]
        elif value:
            pieces.append(f'{name}="{value}"')
            if name == "class":
                pieces += [f'css-class="{word}"' for word in str(value).split()]
    return pieces
