"""A site is published as a whole: what is its own is no article, and only what was published is taken for published."""

from __future__ import annotations

import os
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from content.intake import Change
from dateline import stamp
from dateline.site import Published, Site

ROOT = Path(__file__).parents[3]
# A stamp is left only where the articles have been as they are for a while.
NOW = datetime.now(UTC) + timedelta(days=1)


def publish(site: Site, *paths: Path) -> Published:
    return site.publish(paths, NOW, lambda what, done, total: None)


def told(root: Path, *paths: Path) -> stamp.Told | None:
    return stamp.unchanged(root, paths, NOW.timestamp() + 1)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A site with one article and templates, one of them in a folder of its own."""
    folder = tmp_path / "site"
    (folder / "articles").mkdir(parents=True)
    (folder / "articles" / "first.md").write_text("---\ntitle: First news\n---\nIt is here.\n")
    (folder / "config.toml").write_text("[site]\ntitle = 'The Daily Test'\nurl = 'https://news.test'\n")
    shutil.copytree(ROOT / "templates", folder / "templates")
    (folder / "templates" / "parts").mkdir()
    (folder / "templates" / "parts" / "note.html").write_text("<p>A note.</p>")
    return folder


def test_a_publish_without_news_is_known_by_its_stamp(root: Path) -> None:
    publish(Site(root))
    assert told(root) == stamp.Told(files=1, articles=1, feeds=3)


def test_settings_that_are_edited_during_a_publish_are_not_taken_for_published(root: Path) -> None:
    site = Site(root)
    (root / "config.toml").write_text("[site]\ntitle = 'The Weekly Test'\nurl = 'https://news.test'\n")
    publish(site)
    assert told(root) is None


def test_an_environment_that_changed_during_a_publish_is_not_taken_for_published(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = Site(root)
    monkeypatch.setenv("DATELINE_SITE__TITLE", "The Weekly Test")
    publish(site)
    assert told(root) is None


def test_templates_that_are_edited_during_a_publish_are_not_taken_for_published(root: Path) -> None:
    def edit(what: str, done: int, total: int) -> None:
        if what == "Publishing" and done == total:
            (root / "templates" / "article.html").write_text("Another page.")

    Site(root).publish([], NOW, edit)
    assert told(root) is None


def test_a_template_in_a_folder_of_its_own_is_watched_too(root: Path) -> None:
    publish(Site(root))
    (root / "templates" / "parts" / "note.html").write_text("<p>Another note.</p>")
    assert told(root) is None


def test_a_database_that_another_was_copied_over_is_noticed(root: Path) -> None:
    publish(Site(root))
    backup = (root / "dateline.db").read_bytes()
    os.utime(root / "dateline.db", (1, 1))
    assert told(root) is None
    (root / "dateline.db").write_bytes(backup + bytes(4096))
    assert told(root) is None


def test_a_database_that_a_service_holds_open_is_known_as_well(root: Path) -> None:
    publish(Site(root))
    service = sqlite3.connect(root / "dateline.db")
    service.execute("SELECT count(*) FROM articles").fetchone()
    assert told(root) is not None
    (root / "articles" / "second.md").write_text("---\ntitle: Second news\n---\nIt is here too.\n")
    publish(Site(root))
    assert told(root) is not None
    service.close()


@pytest.mark.parametrize("transport", ["maildir:outbox", "smtp://localhost"])
def test_what_the_site_made_itself_is_no_article(root: Path, transport: str) -> None:
    settings = f"[feeds]\ntemplates = 'looks'\n[newsletter]\ntransport = '{transport}'\n"
    (root / "config.toml").write_text((root / "config.toml").read_text() + settings)
    shutil.copytree(root / "templates", root / "looks")
    if transport == "maildir:outbox":
        (root / "outbox").mkdir()
        (root / "outbox" / "letter.txt").write_text("A letter\n\nIt is no article.\n")
    for _ in "twice":
        report = publish(Site(root), root).report
        assert (report.files, report.problems) == (1, [])
    assert told(root, root) is not None


def test_what_an_earlier_version_took_from_the_sites_own_folders_is_withdrawn(root: Path) -> None:
    stray = root / "public" / "stray.md"
    stray.parent.mkdir()
    stray.write_text("---\ntitle: Stray\n---\nIt is a page.\n")
    (root / "config.toml").write_text((root / "config.toml").read_text() + "[feeds]\npages = false\nfolder = 'other'\n")
    publish(Site(root), root)
    (root / "config.toml").write_text((root / "config.toml").read_text().replace("other", "public"))
    report = publish(Site(root), root).report
    assert [(event.change, event.title) for event in report.events] == [(Change.WITHDRAWN, "Stray")]


def test_articles_that_lie_within_the_templates_folder_are_articles_all_the_same(root: Path) -> None:
    (root / "config.toml").write_text((root / "config.toml").read_text() + "[newsletter]\ntemplates = '.'\n")
    assert publish(Site(root)).report.count(Change.NEW) == 1
