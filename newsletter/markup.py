"""Do the elements of an MJML template exist? mrml takes one that it does not know for HTML, and its text is shown plain."""

from __future__ import annotations

import difflib
import re
from pathlib import Path

from content.templates import TemplateProblem

ELEMENTS = frozenset({
    "mj-accordion", "mj-accordion-element", "mj-accordion-text", "mj-accordion-title", "mj-all", "mj-attributes",
    "mj-body", "mj-breakpoint", "mj-button", "mj-carousel", "mj-carousel-image", "mj-class", "mj-column", "mj-divider",
    "mj-font", "mj-group", "mj-head", "mj-hero", "mj-image", "mj-include", "mj-navbar", "mj-navbar-link", "mj-preview",
    "mj-raw", "mj-section", "mj-social", "mj-social-element", "mj-spacer", "mj-style", "mj-table", "mj-text", "mj-title",
    "mj-wrapper",
})  # fmt: skip
"""What mrml knows."""

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_ELEMENT = re.compile(r"<(mj-[\w-]*)", re.IGNORECASE)


def require_known(path: Path, markup: str) -> None:
    """Looks at what Jinja made of the template at ``path``. Raises ``TemplateProblem`` for an element that does not exist."""
    for name in dict.fromkeys(_ELEMENT.findall(_COMMENT.sub("", markup))):
        if name not in ELEMENTS:
            near = difflib.get_close_matches(name.lower(), sorted(ELEMENTS), n=1)
            hint = f"; did you mean <{near[0]}>?" if near else "; https://documentation.mjml.io names those there are"
            raise TemplateProblem(f"{_place(path, name)}: there is no <{name}>{hint}")


def require_placed(path: Path, html: str) -> None:
    """Looks at what mrml made of it. Raises ``TemplateProblem`` for an element that it passed by because of where it stands."""
    if left := _ELEMENT.search(_COMMENT.sub("", html)):
        name = left[1]
        raise TemplateProblem(
            f"{_place(path, name)}: <{name}> cannot stand where it does; put it into what MJML wants around it"
        )


def _place(path: Path, name: str) -> str:
    """``file:line`` of the element: in the template itself or in one that it may take in."""
    wanted = re.compile(rf"<{re.escape(name)}(?![\w-])")
    for file in (path, *sorted(other for other in path.parent.rglob("*") if other.suffix in (".mjml", ".html"))):
        try:
            lines = file.read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            continue
        for number, line in enumerate(lines, start=1):
            if wanted.search(line):
                return f"{file}:{number}"
    return str(path)
