"""What a publish makes of a database, a cache or a clock that is not the one of the publish before."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from newsroom import Newsroom

from feeds.settings import FeedSettings

TEMPLATES = Path(__file__).parents[3] / "templates"
PICTURE = "![A hall](hall.png)"


@pytest.fixture
def newsroom(newsroom: Newsroom) -> Newsroom:
    newsroom.feeds = FeedSettings(templates=str(TEMPLATES))
    return newsroom


def write(newsroom: Newsroom, number: int, title: str = "", **fields: str) -> Path:
    return newsroom.article(
        f"{number:03}.md", title=title or f"News {number:03}", date=f"2026-10-{number % 28 + 1:02}", updated="2026-11-01",
        section=f"Section {number}", **fields,
    )  # fmt: skip


def public(newsroom: Newsroom) -> dict[str, bytes]:
    root = newsroom.root / "public"
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def made_anew(newsroom: Newsroom, folder: Path) -> dict[str, bytes]:
    """The public folder as the same files give it from nothing."""
    other = Newsroom(folder)
    other.feeds, other.now, other.site = newsroom.feeds, newsroom.now, newsroom.site
    for path in newsroom.articles.iterdir():
        other.write(path.name, path.read_bytes())
    other.publish()
    return public(other)


def test_a_lost_database_beside_a_kept_cache_gives_what_the_files_say(newsroom: Newsroom, tmp_path: Path) -> None:
    for number in range(6):
        write(newsroom, number)
    newsroom.publish()
    newsroom.lose_database()
    newsroom.later(minutes=5)
    write(newsroom, 1, "News 001 corrected")
    (newsroom.articles / "000.md").unlink()
    write(newsroom, 6)
    newsroom.publish()
    assert public(newsroom) == made_anew(newsroom, tmp_path / "other")
    newsroom.later(minutes=5)
    assert newsroom.publish()[1].written == []


def test_a_lost_database_leaves_no_archive_document_of_what_is_gone(newsroom: Newsroom) -> None:
    for number in range(110):
        newsroom.article(f"{number:03}.md", title=f"News {number:03}", date=f"2026-10-{number % 28 + 1:02}", section="Rules")
    newsroom.publish()
    newsroom.lose_database()
    for number in range(110):
        (newsroom.articles / f"{number:03}.md").unlink()
    newsroom.article("kept.md", title="What is kept")
    newsroom.publish()
    kept = public(newsroom)
    assert not [path for path, content in kept.items() if b"News 0" in content]
    assert not [path for path in kept if "archive/2" in path or "sections" in path]


@pytest.mark.parametrize("later", [0, 1])
def test_a_restored_database_gives_what_the_files_say(newsroom: Newsroom, tmp_path: Path, later: int) -> None:
    """Also when it has come as far again as the lost one was, in other steps."""
    write(newsroom, 0)
    write(newsroom, 1)
    newsroom.publish()
    saved = newsroom.save_database()
    path = write(newsroom, 2)
    newsroom.publish()
    newsroom.restore_database(saved)
    newsroom.later(minutes=5)
    path.unlink()
    for number in range(3, 3 + 2 * later):
        write(newsroom, number)
    newsroom.publish()
    assert public(newsroom) == made_anew(newsroom, tmp_path / "other")


@pytest.mark.parametrize("pages", [True, False])
def test_an_article_that_is_withdrawn_after_the_cache_was_lost_leaves_nothing_behind(newsroom: Newsroom, pages: bool) -> None:
    newsroom.feeds = newsroom.feeds.model_copy(update={"pages": pages})
    newsroom.write("hall.png", b"a hall")
    newsroom.write("mast.png", b"a mast")
    write(newsroom, 0, body=f"{PICTURE} ![A mast](mast.png)", slug="gone")
    write(newsroom, 1, body=PICTURE)
    newsroom.publish()
    newsroom.later(minutes=5)
    (newsroom.root / "dateline-cache.db").unlink()
    (newsroom.articles / "000.md").unlink()
    newsroom.publish()
    found = public(newsroom)
    assert [found[path] for path in found if path.startswith("media/")] == [b"a hall"]
    assert not [path for path in found if path.startswith("articles/gone")]


def test_an_article_that_is_renamed_after_the_cache_was_lost_leaves_no_page_behind(newsroom: Newsroom) -> None:
    write(newsroom, 0, slug="old")
    newsroom.publish()
    newsroom.later(minutes=5)
    (newsroom.root / "dateline-cache.db").unlink()
    write(newsroom, 0, slug="new")
    newsroom.publish()
    assert {path for path in public(newsroom) if path.startswith("articles/") and path.endswith(".html")} == {
        "articles/new/index.html",
    }  # fmt: skip


def test_an_address_that_another_article_took_keeps_its_page_though_the_cache_was_lost(newsroom: Newsroom) -> None:
    write(newsroom, 0, slug="taken")
    newsroom.publish()
    newsroom.later(minutes=5)
    (newsroom.root / "dateline-cache.db").unlink()
    (newsroom.articles / "000.md").unlink()
    write(newsroom, 9, "Another", slug="other")
    newsroom.publish()
    (newsroom.root / "dateline-cache.db").unlink()
    write(newsroom, 9, "Another", slug="taken")
    newsroom.publish()
    assert b"Another" in public(newsroom)["articles/taken/index.html"]
    assert "articles/other/index.html" not in public(newsroom)


def test_a_dry_run_for_another_folder_leaves_the_cache_as_it_is(newsroom: Newsroom) -> None:
    write(newsroom, 0)
    newsroom.publish()
    before = newsroom.dump_cache()
    ours = newsroom.feeds
    newsroom.feeds = ours.model_copy(update={"folder": "elsewhere"})
    assert newsroom.publish(dry_run=True)[1].written
    assert newsroom.dump_cache() == before
    assert not (newsroom.root / "elsewhere").exists()


def test_a_dry_run_leaves_even_a_broken_cache_as_it_is(newsroom: Newsroom) -> None:
    write(newsroom, 0)
    newsroom.publish()
    cache = newsroom.root / "dateline-cache.db"
    cache.write_bytes(b"no database" * 1000)
    newsroom.publish(dry_run=True)
    assert cache.read_bytes() == b"no database" * 1000


def test_a_site_that_was_moved_keeps_its_cache(newsroom: Newsroom, tmp_path: Path) -> None:
    write(newsroom, 0)
    newsroom.publish()
    newsroom.move_to(tmp_path / "moved")
    done: list[int] = []
    with newsroom.archive() as archive:
        newsroom.publisher().publish(archive, newsroom.now, lambda one, total: done.append(one))
    assert done == []


@pytest.mark.parametrize(("hours", "stays"), [(0.5, True), (2, False)])
def test_a_slow_publish_takes_nothing_back_that_a_quick_one_brought_out(newsroom: Newsroom, hours: float, stays: bool) -> None:
    """Only when its clock is far behind, the other's was wrong."""
    due = newsroom.now - timedelta(minutes=10)
    newsroom.article(title="Just out", date=due.isoformat())
    newsroom.publish()
    newsroom.later(hours=-hours)
    _, outcome = newsroom.publish()
    assert (outcome.written == []) is stays
    assert ("articles/first/index.html" in public(newsroom)) is stays
    newsroom.later(hours=hours)
    newsroom.publish()
    assert "articles/first/index.html" in public(newsroom)


def damage(newsroom: Newsroom, table: str) -> None:
    """Overwrites the first page of one of the cache's tables."""
    path = newsroom.root / "dateline-cache.db"
    with closing(sqlite3.connect(path)) as cache:
        (page,) = cache.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (table,)).fetchone()
        (size,) = cache.execute("PRAGMA page_size").fetchone()
    content = bytearray(path.read_bytes())
    content[(page - 1) * size : page * size] = b"damaged!" * (size // 8)
    path.write_bytes(content)


@pytest.mark.parametrize("table", ["entries", "files", "media", "feeds"])
def test_damage_that_is_found_in_the_middle_costs_the_cache_alone(newsroom: Newsroom, tmp_path: Path, table: str) -> None:
    for number in range(3):
        write(newsroom, number)
    newsroom.publish()
    damage(newsroom, table)
    newsroom.later(minutes=5)
    write(newsroom, 3)
    would = newsroom.publish(dry_run=True)[1].written
    written = newsroom.publish()[1].written
    assert public(newsroom) == made_anew(newsroom, tmp_path / "other")
    assert sorted(set(written)) == sorted(written) == sorted(would)
    assert newsroom.publish()[1].written == []


def test_hubs_wait_while_another_process_has_the_cache(newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("feeds.publisher.HUBS_PATIENCE", 0.05)
    newsroom.feeds = newsroom.feeds.model_copy(update={"hubs": ["http://127.0.0.1:9/"]})
    write(newsroom, 0)
    newsroom.publish()
    with newsroom.holding_cache():
        (report,) = newsroom.publisher().tell_hubs(newsroom.now)
    waiting = newsroom.publisher().waiting()
    assert (report.told, report.waiting) == (0, waiting)
    assert waiting
    assert "locked" in report.error


def test_building_entries_does_not_wait_for_another_process(newsroom: Newsroom) -> None:
    write(newsroom, 0)
    newsroom.publish()
    prepare = newsroom.publisher().preparing()
    begun = time.monotonic()
    with newsroom.holding_cache():
        for _ in range(3):
            prepare(newsroom.public())
    assert time.monotonic() - begun < 10


def test_entries_outlive_a_lost_database(newsroom: Newsroom) -> None:
    write(newsroom, 0)
    newsroom.publish()
    before = public(newsroom)
    newsroom.lose_database()
    assert newsroom.publish()[1].written == []
    assert public(newsroom) == before
