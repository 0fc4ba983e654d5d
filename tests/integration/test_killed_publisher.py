"""A publisher killed at any moment leaves whole files behind, and the next run completes its work."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "acceptance"))
from programs import PROGRAM, Program, write_article
from validity import errors

CONFIG = """\
[site]
title = "The Daily Test"
url = "https://news.test"
owned_since = 2026-01-01
[feeds]
pages = false
"""
KILLS, ARTICLES = 30, 120


def write_many(site: Path, version: int) -> None:
    for number in range(ARTICLES):
        write_article(
            site, f"{number:03}.md", title=f"News {number} of version {version}", region=["CN-BJ", "IN", "KE"][number % 3],
            section=f"Section {number % 5}", date=f"2026-{number % 12 + 1:02}-{number % 28 + 1:02}T08:{number % 60:02}:{number // 60:02}Z",
        )  # fmt: skip


def documents(site: Path) -> dict[str, bytes]:
    return {str(path.relative_to(site)): path.read_bytes() for path in (site / "public").rglob("*") if path.is_file()}


def test_thirty_kills_leave_no_half_file_and_lose_nothing(tmp_path: Path) -> None:
    """Invariants 29 and 42."""
    site = tmp_path / "site"
    (site / "articles").mkdir(parents=True)
    (site / "config.toml").write_text(CONFIG)
    chance = random.Random(29)
    write_many(site, 0)
    begun = time.monotonic()
    Program(site)("publish")
    whole = time.monotonic() - begun
    for kill in range(1, KILLS + 1):
        if kill % 3 == 1:
            write_many(site, kill)
        process = subprocess.Popen([PROGRAM, "--site", site, "publish"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        time.sleep(chance.uniform(0.1, whole * 1.1))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=20)
        for path in (site / "public" / "feeds").rglob("*"):
            if path.name in ("atom.xml", "rss.xml", "feed.json"):
                assert errors(path.read_bytes()) == [], f"kill {kill}: {path}"
    write_many(site, 99)
    Program(site)("publish")
    found = documents(site)
    assert b"of version 99" in found["public/feeds/atom.xml"]
    current = {name: content for name, content in found.items() if "archive" not in name and not name.endswith(".gz")}
    assert all(f"of version {old}<".encode() not in content for content in current.values() for old in range(KILLS))
    # From nothing, the same files come again: no kill left a trace in what readers fetch.
    for name in ("public", "dateline-cache.db"):
        path = site / name
        path.rename(tmp_path / name)
    Program(site)("publish")
    again = documents(site)
    assert {name: again[name] for name in current} == current
