"""How fast articles are read, against the same work by the usual pure-Python parts (python-markdown's successor
markdown-it-py and PyYAML's SafeLoader, cleaned by the same nh3), in one run on the same texts.

Prints microseconds an article and the ratio with its spread over several rounds. Machines are noisy: read the ratio.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import nh3
import yaml
from markdown_it import MarkdownIt

from content.reading import Reader
from content.settings import ContentSettings, SiteSettings

ARTICLES, ROUNDS = 300, 7

TEXT = """---
title: "Ministry opens data centres in area {number}"
summary: Foreign firms may own data centres outright in a pilot that starts in January.
date: 2026-10-{day:02d} 08:30
authors: [mei-tanaka, Tomás Reyes]
section: Data centres
tags: [data centres, foreign investment]
---

""" + "\n\n".join(
    "The ministry said on Wednesday that **foreign firms** may own data centres in "
    f"[area {part}](https://example.org/{part}) outright, and that the pilot would start in January with a review after "
    "two years. \"The door is open\", an official told the agency, which did not name him at his own request."
    for part in range(8)
)  # fmt: skip


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        paths = []
        for number in range(ARTICLES):
            path = Path(folder) / f"article-{number}.md"
            path.write_text(TEXT.replace("{number}", str(number)).replace("{day:02d}", f"{number % 28 + 1:02d}"), "utf-8")
            paths.append(path)
        reader = Reader(SiteSettings(), ContentSettings(), {}, datetime.now(UTC))
        markdown = MarkdownIt("commonmark").enable("table")

        def ours() -> None:
            for path in paths:
                assert reader.read(path).article

        def peer() -> None:
            for path in paths:
                _, front, body = path.read_text("utf-8").split("---\n", 2)
                assert yaml.safe_load(front)["title"]
                nh3.clean(markdown.render(body))

        ratios, mine = [], []
        for _ in range(ROUNDS):
            theirs, own = timed(peer), timed(ours)
            mine.append(own)
            ratios.append(theirs / own)
        per = statistics.median(mine) / ARTICLES * 1e6
        print(f"dateline reads an article of {len(TEXT.split())} words in {per:.0f} µs, summary, links and checks included")
        print(f"peer / dateline: {statistics.median(ratios):.2f} (spread {min(ratios):.2f} to {max(ratios):.2f})")


def timed(work: Callable[[], None]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


if __name__ == "__main__":
    sys.exit(main())
