"""A real feed reader follows the feeds over HTTP."""

from __future__ import annotations

import sqlite3
import subprocess
from pathlib import Path

import pytest
from programs import Program, need, write_article


@pytest.mark.parametrize("name", ["atom.xml", "rss.xml", "regions/cn/atom.xml", "regions/cn-bj/rss.xml"])
def test_newsboat_shows_titles_and_links(dateline: Program, site: Path, served: str, tmp_path: Path, name: str) -> None:
    newsboat = need("newsboat")
    write_article(site, "2026-11-02-first.md", title="'Ministry opens “four areas” & more'", regions="[CN, CN-BJ]")
    write_article(site, "2026-11-03-second.md", title="Second news", region="Beijing")
    dateline("publish")

    urls, cache = tmp_path / "urls", tmp_path / "cache.db"
    urls.write_text(f"{served}/feeds/{name}\n")
    empty = tmp_path / "config"
    empty.write_text("")
    command = [newsboat, "-u", urls, "-c", cache, "-C", empty, "-x", "reload"]
    subprocess.run(command, check=True, timeout=60, env={"HOME": str(tmp_path), "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"})

    with sqlite3.connect(cache) as shelf:
        items = shelf.execute("SELECT title, url, guid FROM rss_item ORDER BY pubDate").fetchall()
    assert items == [
        (
            "Ministry opens “four areas” & more",
            "https://news.test/articles/first/",
            "tag:news.test,2026-01-01:first",
        ),
        ("Second news", "https://news.test/articles/second/", "tag:news.test,2026-01-01:second"),
    ]
