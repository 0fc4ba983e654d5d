"""Texts with the regions that a careful editor would give them, as ``tests/places`` holds them.

Read by what fits the weights (:mod:`content.data.fit_places`) and by what measures them (``benchmarks/regions.py``); nothing of
this runs in the program itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from content.cleaning import clean, from_markdown


@dataclass(frozen=True, slots=True)
class Text:
    """A labelled text: ``body`` is clean HTML; ``optional`` are the regions that an editor might set or not."""

    name: str
    title: str
    summary: str
    body: str
    expect: frozenset[str]
    optional: frozenset[str]
    language: str = "en"


def texts(folder: Path) -> list[Text]:
    """The labelled texts below a folder, Markdown with ``expect`` and ``optional`` in its front matter, by their paths."""
    return [text for path in sorted(folder.rglob("*.md")) if (text := _text(path))]


def _text(path: Path) -> Text | None:
    _, front, body = path.read_text("utf-8").split("---\n", 2)
    facts = yaml.safe_load(front)
    if "expect" not in facts:
        return None
    expect, optional = (frozenset(map(str, facts.get(name) or [])) for name in ("expect", "optional"))
    markup = clean(from_markdown(body), lambda link: link)
    title, summary, language = (str(facts.get(name) or "") for name in ("title", "summary", "language"))
    return Text(path.stem, title, summary, markup, expect, optional, language or "en")
