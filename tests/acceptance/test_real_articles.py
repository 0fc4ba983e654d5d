"""The 509 posts and 60 articles of the corpora go the whole way."""

from __future__ import annotations

import json
from pathlib import Path

import feedparser
from programs import Program


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_every_post_is_published_and_a_second_run_writes_nothing(dateline: Program, site: Path, corpora: Path) -> None:
    first = json.loads(dateline("publish", corpora / "18f" / "posts", "--json").stdout)
    assert (first["files"], first["articles"]) == (509, 509)
    assert not [problem for problem in first["problems"] if problem["severity"] == "error"]

    before = snapshot(site / "public")
    second = dateline("publish", corpora / "18f" / "posts")
    assert "nothing changed, nothing written" in second.stdout
    assert snapshot(site / "public") == before


def test_no_template_expression_reaches_a_reader(dateline: Program, site: Path, corpora: Path) -> None:
    (site / "config.toml").write_text((site / "config.toml").read_text() + "\n[feeds]\nlimit = 1000\n")
    dateline("publish", corpora / "18f" / "posts")
    for path in (site / "public").rglob("*.*ml"):
        text = path.read_text("utf-8")
        assert "{{" not in text, path
        assert "{%" not in text, path


def test_a_file_without_a_date_takes_it_from_its_name(dateline: Program, site: Path, corpora: Path) -> None:
    dateline("publish", corpora / "18f" / "posts" / "2014-03-12-coming-soon.md")
    entry = feedparser.parse(site / "public" / "feeds" / "atom.xml").entries[0]
    assert entry.published.startswith("2014-03-1")


def test_all_feeds_of_both_corpora_parse_cleanly(dateline: Program, site: Path, corpora: Path) -> None:
    (site / "config.toml").write_text((site / "config.toml").read_text() + "\n[feeds]\nlimit = 1000\n")
    dateline("publish", corpora / "18f" / "posts", corpora / "wikinews" / "articles")
    feeds = list((site / "public" / "feeds").rglob("*.xml"))
    assert feeds
    assert len(feedparser.parse(site / "public" / "feeds" / "atom.xml").entries) == 569
    for path in feeds:
        parsed = feedparser.parse(path.read_bytes())
        assert parsed.bozo is False, (path, parsed.get("bozo_exception"))
        assert len({entry.id for entry in parsed.entries}) == len(parsed.entries) > 0
        assert all(entry.title and entry.link and entry.summary for entry in parsed.entries if "TEST PAGE" not in entry.title)
