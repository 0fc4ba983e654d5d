"""What a publish does again and what it leaves alone; feeds by place, section, author and tag; their whole history."""

from __future__ import annotations

import json
import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
from lxml import etree
from newsroom import Newsroom

from content.regions import _lines
from content.settings import AuthorSettings
from feeds.settings import CombinedFeedSettings, FeedSettings
from feeds.world_map import HEIGHT, WIDTH, _shapes

ATOM = "{http://www.w3.org/2005/Atom}"
HISTORY = "{http://purl.org/syndication/history/1.0}"
TEMPLATES = Path(__file__).parents[3] / "templates"


def feeds(newsroom: Newsroom) -> set[str]:
    root = newsroom.root / "public"
    return {str(path.parent.relative_to(root)) for path in root.rglob("atom.xml") if "archive" not in path.parts}


def titles(newsroom: Newsroom, name: str = "atom.xml") -> list[str]:
    return [entry.title for entry in newsroom.feed(name).entries]


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.rglob("*") if path.is_file()}


def test_an_article_is_in_the_feeds_of_its_region_and_of_all_around_it(newsroom: Newsroom) -> None:
    newsroom.article(region="Beijing")
    newsroom.publish()
    regions = {folder.removeprefix("feeds/regions/") for folder in feeds(newsroom) if "regions" in folder}
    assert regions == {"cn-bj", "cn", "eastern-asia", "asia", "world"}
    for slug in regions:
        for name in ("atom.xml", "rss.xml"):
            assert titles(newsroom, f"regions/{slug}/{name}") == ["First news"]
        document = json.loads((newsroom.root / f"public/feeds/regions/{slug}/feed.json").read_text())
        assert [item["title"] for item in document["items"]] == ["First news"]


def test_sections_and_authors_and_tags_have_the_feeds_that_the_settings_ask_for(newsroom: Newsroom) -> None:
    newsroom.feeds = FeedSettings(pages=False, sections=["regulation"], authors=["*"], tags=["5G"])
    newsroom.article("a.md", section="Regulation", author="Ann Lee", tags="[5g, towers]")
    newsroom.article("b.md", title="Second news", section="Business", author="ann lee")
    newsroom.publish()
    assert feeds(newsroom) == {"feeds", "feeds/sections/regulation", "feeds/authors/ann-lee", "feeds/tags/5g"}
    assert sorted(titles(newsroom, "authors/ann-lee/atom.xml")) == ["First news", "Second news"]
    assert titles(newsroom, "sections/regulation/atom.xml") == ["First news"]


def test_names_that_want_the_same_address_get_two(newsroom: Newsroom) -> None:
    newsroom.article("a.md", section="C++")
    newsroom.article("b.md", title="Second news", section="C")
    newsroom.article("c.md", title="Third news", section="漢")
    newsroom.publish()
    folders = {folder for folder in feeds(newsroom) if "sections" in folder}
    assert len(folders) == 3
    assert {"feeds/sections/c", "feeds/sections/c-2"} <= folders


def test_a_combined_feed_has_what_lies_in_one_of_its_regions_and_one_of_its_sections(newsroom: Newsroom) -> None:
    newsroom.combined = [CombinedFeedSettings(name="asia-rules", regions=["CN", "IN"], sections=["regulation"])]
    newsroom.article("a.md", title="China rules", region="CN-BJ", section="Regulation")
    newsroom.article("b.md", title="India rules", region="IN", section="regulation")
    newsroom.article("c.md", title="China trade", region="CN", section="Business")
    newsroom.article("d.md", title="Kenya rules", region="KE", section="Regulation")
    newsroom.publish()
    assert sorted(titles(newsroom, "asia-rules/atom.xml")) == ["China rules", "India rules"]
    newsroom.article("c.md", title="China trade", region="CN", section="Regulation")
    newsroom.publish()
    assert sorted(titles(newsroom, "asia-rules/rss.xml")) == ["China rules", "China trade", "India rules"]


def test_a_new_article_changes_only_the_feeds_that_it_is_in(newsroom: Newsroom) -> None:
    newsroom.article("a.md", region="CN", section="Rules")
    newsroom.article("b.md", title="Second news", region="KE", section="Trade")
    newsroom.publish()
    newsroom.later(minutes=5)
    newsroom.article("c.md", title="Third news", region="IN", section="Rules")
    _, outcome = newsroom.publish()
    written = {path.rpartition("/")[0].removeprefix("feeds").lstrip("/") for path in outcome.written}
    assert written == {
        "", "regions/world", "regions/asia", "regions/southern-asia", "regions/in", "sections/rules",
    }  # fmt: skip


def test_a_run_that_changes_nothing_writes_nothing(newsroom: Newsroom) -> None:
    for number in range(60):
        newsroom.article(f"{number}.md", title=f"News {number}", region="CN", date=f"2026-10-{number % 28 + 1:02}")
    newsroom.publish()
    before = snapshot(newsroom.root / "public")
    newsroom.later(minutes=5)
    _, outcome = newsroom.publish()
    assert (outcome.written, outcome.removed) == ([], [])
    assert snapshot(newsroom.root / "public") == before


def test_what_is_made_by_steps_is_what_is_made_at_once(newsroom: Newsroom, tmp_path: Path) -> None:
    for number in range(12):
        newsroom.article(
            f"{number}.md", title=f"News {number}", region=["CN", "IN"][number % 2], date=f"2026-10-{number + 1:02}"
        )
        newsroom.publish()
    at_once = Newsroom(tmp_path / "other")
    for path in newsroom.articles.iterdir():
        at_once.write(path.name, path.read_bytes())
    at_once.publish()
    ours, theirs = ({path.replace(str(one.root), ""): found[0] for path, found in snapshot(one.root / "public").items()}
                    for one in (newsroom, at_once))  # fmt: skip
    assert ours == theirs


@pytest.mark.parametrize("damage", ["removed", "changed", "cache lost", "cache broken", "all removed"])
def test_what_was_damaged_in_the_public_folder_is_mended(newsroom: Newsroom, damage: str) -> None:
    for number in range(55):
        newsroom.article(f"{number}.md", title=f"News {number}", region="CN")
    newsroom.publish()
    before = {path: content for path, (content, _) in snapshot(newsroom.root / "public").items()}
    feed = newsroom.root / "public/feeds/regions/cn/rss.xml"
    cache = newsroom.root / "dateline-cache.db"
    match damage:
        case "removed":
            feed.unlink()
        case "changed":
            feed.write_bytes(b"by another program")
        case "cache lost":
            cache.unlink()
            feed.unlink()
        case "cache broken":
            cache.write_bytes(os.urandom(50_000))
            feed.unlink()
        case "all removed":
            for path in sorted((newsroom.root / "public").rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
    newsroom.publish()
    assert {path: content for path, (content, _) in snapshot(newsroom.root / "public").items()} == before


def test_a_change_of_settings_reaches_every_feed(newsroom: Newsroom) -> None:
    newsroom.article(region="CN")
    newsroom.publish()
    newsroom.feeds = FeedSettings(pages=False, content="summary", precompress=["br"])
    newsroom.publish()
    document = (newsroom.root / "public/feeds/regions/cn/rss.xml").read_text()
    assert "content:encoded>" not in document
    ends = {path.suffix for path in (newsroom.root / "public/feeds").rglob("*") if path.is_file()}
    assert ends == {".xml", ".json", ".br"}


def test_an_article_comes_out_once_when_its_time_is_there(newsroom: Newsroom) -> None:
    """Invariant 27."""
    newsroom.article("now.md", title="Now")
    newsroom.article(
        "later.md", title="Later", region="CN", section="Secret", date=(newsroom.now + timedelta(hours=2)).isoformat()
    )
    newsroom.publish()
    assert titles(newsroom) == ["Now"]
    assert not any("cn" in path or "secret" in path for path in feeds(newsroom))
    newsroom.later(hours=1)
    assert newsroom.publish()[1].written == []
    newsroom.later(hours=1, seconds=1)
    newsroom.publish()
    assert titles(newsroom) == ["Later", "Now"]
    assert titles(newsroom, "regions/cn/rss.xml") == ["Later"]
    newsroom.later(hours=1)
    assert newsroom.publish()[1].written == []


def test_a_withdrawn_article_leaves_every_feed(newsroom: Newsroom) -> None:
    path = newsroom.article("a.md", region="CN-BJ", section="Rules", author="Ann Lee")
    newsroom.article("b.md", title="Second news")
    newsroom.publish()
    path.unlink()
    newsroom.later(minutes=5)
    newsroom.publish()
    for document in (newsroom.root / "public/feeds").rglob("*"):
        if document.suffix in (".xml", ".json"):
            assert "First news" not in document.read_text()
    assert titles(newsroom) == ["Second news"]
    assert titles(newsroom, "regions/cn-bj/atom.xml") == []


def test_a_feed_without_articles_stays_for_its_readers_and_is_not_offered_to_others(newsroom: Newsroom) -> None:
    newsroom.feeds = FeedSettings(templates=str(TEMPLATES))
    path = newsroom.article("a.md", region="CN")
    newsroom.article("b.md", title="Second news", region="KE")
    newsroom.publish()
    path.unlink()
    newsroom.publish()
    assert titles(newsroom, "regions/cn/atom.xml") == []
    for name in ("index.html", "index.opml"):
        offered = (newsroom.root / "public/feeds" / name).read_text()
        assert ("China" in offered, "Kenya" in offered) == (False, True)


# The history of a feed: RFC 5005 4


def archive(newsroom: Newsroom, number: int, name: str = "atom.xml") -> Path:
    return newsroom.root / f"public/feeds/archive/{number}/{name}"


def walk(newsroom: Newsroom) -> list[str]:
    """The titles of a feed and of all its archive documents, as a client that follows prev-archive sees them."""
    path: Path | None = newsroom.root / "public/feeds/atom.xml"
    found: list[str] = []
    while path:
        document = etree.fromstring(path.read_bytes())
        found += [entry.findtext(f"{ATOM}title") for entry in document.iterfind(f"{ATOM}entry")]
        links = {link.get("rel"): link.get("href") for link in document.iterfind(f"{ATOM}link")}
        assert ("current" in links) == (document.find(f"{HISTORY}archive") is not None)
        older = links.get("prev-archive")
        path = newsroom.root / "public" / older.removeprefix("https://news.test/") if older else None
    return found


def write_many(newsroom: Newsroom, numbers: range, **fields: str) -> None:
    for number in numbers:
        date = (newsroom.now - timedelta(days=9) + timedelta(minutes=number)).isoformat()
        newsroom.article(f"{number:03}.md", title=f"News {number:03}", date=date, **fields)


def test_the_whole_history_can_be_read(newsroom: Newsroom) -> None:
    write_many(newsroom, range(130))
    newsroom.publish()
    found = walk(newsroom)
    assert set(found) == {f"News {number:03}" for number in range(130)}
    assert found[:50] == [f"News {number:03}" for number in range(129, 79, -1)]
    assert [archive(newsroom, number).exists() for number in (1, 2, 3)] == [True, True, False]
    for name in ("rss.xml", "feed.json"):
        assert archive(newsroom, 2, name).exists()


def test_a_full_archive_document_never_changes(newsroom: Newsroom) -> None:
    write_many(newsroom, range(110))
    newsroom.publish()
    before = {number: archive(newsroom, number).read_bytes() for number in (1, 2)}
    newsroom.later(minutes=5)
    write_many(newsroom, range(110, 175))
    newsroom.article("007.md", title="News 007 corrected", date=(newsroom.now - timedelta(days=9)).isoformat())
    newsroom.article("old.md", title="An old story", date="2020-01-01")
    newsroom.publish()
    newsroom.site = newsroom.site.model_copy(update={"description": "Another description"})
    newsroom.publish()
    assert {number: archive(newsroom, number).read_bytes() for number in (1, 2)} == before
    found = walk(newsroom)
    assert {"News 007 corrected", "An old story", "News 007"} <= set(found)
    assert found.index("News 007 corrected") < found.index("News 007")


def test_a_withdrawal_leaves_the_archive_too_and_moves_no_other_entry(newsroom: Newsroom) -> None:
    write_many(newsroom, range(130))
    newsroom.publish()
    second = archive(newsroom, 2).read_bytes()
    (newsroom.articles / "007.md").unlink()
    newsroom.publish()
    assert "News 007" not in walk(newsroom)
    assert archive(newsroom, 2).read_bytes() == second
    assert archive(newsroom, 1).read_bytes().count(b"<entry>") == 49


def test_other_settings_add_nothing_to_the_history(newsroom: Newsroom) -> None:
    write_many(newsroom, range(120))
    newsroom.publish()
    for change in ({"url": "https://other.test"}, {"language": "de"}, {"url": "https://news.test", "language": "en"}):
        newsroom.later(minutes=5)
        newsroom.site = newsroom.site.model_copy(update=change)
        newsroom.publish()
        assert [archive(newsroom, number).exists() for number in (1, 2, 3)] == [True, True, False], change
    assert sorted(set(walk(newsroom))) == [f"News {number:03}" for number in range(120)]


def test_an_author_who_is_described_anew_adds_nothing_to_the_history(newsroom: Newsroom) -> None:
    write_many(newsroom, range(120), author="Mei Tanaka")
    newsroom.publish()
    newsroom.later(minutes=5)
    newsroom.authors = {"mei-tanaka": AuthorSettings(name="Mei Tanaka", biography="Covers masts.")}
    report, _ = newsroom.publish()
    assert report.refreshed == 120
    assert not archive(newsroom, 3).exists()


def test_a_correction_that_comes_with_other_settings_is_logged_all_the_same(newsroom: Newsroom) -> None:
    write_many(newsroom, range(120))
    newsroom.publish()
    newsroom.later(minutes=5)
    newsroom.site = newsroom.site.model_copy(update={"language": "de"})
    newsroom.article("007.md", title="News 007 corrected", date=(newsroom.now - timedelta(days=9)).isoformat())
    newsroom.take()
    newsroom.site = newsroom.site.model_copy(update={"language": "en"})
    newsroom.publish()
    assert walk(newsroom).count("News 007 corrected") == 1


def test_a_feed_may_do_without_archives(newsroom: Newsroom) -> None:
    newsroom.feeds = FeedSettings(pages=False, archives="none")
    write_many(newsroom, range(60))
    newsroom.publish()
    assert len(walk(newsroom)) == 50


# What is over


PICTURE = "![A hall](hall.png)"


def pictures(newsroom: Newsroom) -> list[bytes]:
    return sorted(path.read_bytes() for path in (newsroom.root / "public/media").rglob("*") if path.is_file())


def test_a_withdrawn_articles_pictures_go_with_it_unless_another_has_them(newsroom: Newsroom) -> None:
    newsroom.write("hall.png", b"a hall")
    newsroom.write("mast.png", b"a mast")
    first = newsroom.article("a.md", body=f"{PICTURE} ![A mast](mast.png)")
    second = newsroom.article("b.md", title="Second news", body=PICTURE)
    newsroom.publish()
    assert pictures(newsroom) == [b"a hall", b"a mast"]
    first.unlink()
    newsroom.publish()
    assert pictures(newsroom) == [b"a hall"]
    second.unlink()
    newsroom.publish()
    assert pictures(newsroom) == []


def test_a_picture_that_was_changed_takes_the_place_of_the_old_one(newsroom: Newsroom) -> None:
    newsroom.write("hall.png", b"a hall")
    newsroom.article(body=PICTURE)
    newsroom.publish()
    newsroom.write("hall.png", b"a better hall")
    newsroom.publish()
    assert pictures(newsroom) == [b"a better hall"]


def test_a_picture_that_was_lost_from_the_public_folder_comes_back(newsroom: Newsroom) -> None:
    newsroom.write("hall.png", b"a hall")
    newsroom.article(body=PICTURE)
    newsroom.publish()
    for path in (newsroom.root / "public/media").rglob("*.png"):
        path.unlink()
    newsroom.publish()
    assert pictures(newsroom) == [b"a hall"]


def test_a_picture_that_could_not_be_copied_is_tried_again(newsroom: Newsroom) -> None:
    newsroom.write("hall.png", b"a hall")
    newsroom.article(body=PICTURE)
    newsroom.take()
    newsroom.write("hall.png", b"a HALL")
    with newsroom.archive() as found:
        outcome = newsroom.publisher().publish(found, newsroom.now)
    assert "publish again" in outcome.problems[0]
    newsroom.write("hall.png", b"a hall")
    with newsroom.archive() as found:
        outcome = newsroom.publisher().publish(found, newsroom.now)
    assert (outcome.problems, pictures(newsroom)) == ([], [b"a hall"])


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_picture_of_several_articles_is_written_once(newsroom: Newsroom, dry_run: bool) -> None:
    newsroom.write("hall.png", b"a hall")
    for number in range(5):
        newsroom.article(f"{number}.md", title=f"News {number}", body=PICTURE)
    _, outcome = newsroom.publish(dry_run=dry_run)
    assert len([path for path in outcome.written if path.startswith("media/")]) == 1


def test_feeds_that_the_settings_no_longer_ask_for_are_taken_away(newsroom: Newsroom) -> None:
    newsroom.feeds = FeedSettings(pages=False, authors=["*"], precompress=["gzip"])
    newsroom.article(author="Ann Lee", region="CN")
    newsroom.publish()
    assert "feeds/authors/ann-lee" in feeds(newsroom)
    newsroom.feeds = FeedSettings(pages=False, authors=[], precompress=[])
    newsroom.publish()
    assert "feeds/authors/ann-lee" not in feeds(newsroom)
    assert not (newsroom.root / "public/feeds/authors").exists()
    assert not list((newsroom.root / "public").rglob("*.gz"))


def test_pages_that_the_settings_no_longer_ask_for_are_taken_away(newsroom: Newsroom) -> None:
    newsroom.feeds = FeedSettings(templates=str(TEMPLATES))
    newsroom.article(region="CN")
    newsroom.publish()
    assert (newsroom.root / "public/articles/first/index.html").exists()
    newsroom.feeds = FeedSettings(pages=False)
    newsroom.publish()
    assert not list((newsroom.root / "public").rglob("*.html"))
    assert titles(newsroom) == ["First news"]


def test_archives_that_are_switched_off_go_and_come_back_whole(newsroom: Newsroom) -> None:
    write_many(newsroom, range(130))
    newsroom.publish()
    newsroom.feeds = FeedSettings(pages=False, archives="none")
    newsroom.publish()
    assert not (newsroom.root / "public/feeds/archive").exists()
    newsroom.feeds = FeedSettings(pages=False)
    newsroom.publish()
    assert set(walk(newsroom)) == {f"News {number:03}" for number in range(130)}


def test_an_archive_document_that_was_lost_comes_back(newsroom: Newsroom) -> None:
    write_many(newsroom, range(130))
    newsroom.publish()
    before = archive(newsroom, 1).read_bytes()
    shutil.rmtree(archive(newsroom, 1).parent)
    newsroom.later(minutes=5)
    newsroom.article("new.md", title="Something new", date=newsroom.now.isoformat())
    newsroom.publish()
    assert archive(newsroom, 1).read_bytes() == before


def test_another_programs_files_in_the_public_folder_stay(newsroom: Newsroom) -> None:
    newsroom.article()
    newsroom.publish()
    theirs = newsroom.root / "public/robots.txt"
    theirs.write_text("User-agent: *")
    newsroom.feeds = FeedSettings(pages=False, content="summary")
    newsroom.publish()
    assert theirs.exists()


# Places: names, points, the map


@pytest.mark.parametrize(
    ("language", "china", "asia"), [("zh", "中国", "亚洲"), ("de", "China", "Asien"), ("fr", "Chine", "Asie")]
)
def test_regions_have_their_names_in_the_language_of_the_site(newsroom: Newsroom, language: str, china: str, asia: str) -> None:
    newsroom.site = newsroom.site.model_copy(update={"language": language})
    newsroom.feeds = FeedSettings(templates=str(TEMPLATES))
    newsroom.article(region="CN")
    newsroom.publish()
    (tag,) = [tag for tag in newsroom.feed().entries[0].tags if tag.term == "CN"]
    assert tag.label == china
    assert newsroom.feed("regions/asia/rss.xml").feed.title == f"The Daily Test: {asia}"
    assert china in (newsroom.root / "public/regions/index.html").read_text("utf-8")


def test_an_entry_has_the_point_of_its_most_exact_place(newsroom: Newsroom) -> None:
    newsroom.article(regions="[CN, CN-GD, KE]")
    newsroom.publish()
    for name in ("atom.xml", "rss.xml"):
        document = etree.fromstring((newsroom.root / "public/feeds" / name).read_bytes())
        (point,) = document.iter("{http://www.georss.org/georss}point")
        north, east = map(float, (point.text or "").split())
        assert (round(north), round(east)) in {(23, 113), (23, 114)}
        assert [one.text for one in document.iter("{http://www.georss.org/georss}featureName")] == ["Guangdong"]


def the_map(newsroom: Newsroom) -> etree._Element:
    return etree.HTML((newsroom.root / "public/regions/index.html").read_bytes())


def test_the_map_shows_the_countries_of_the_last_thirty_days_and_the_table_says_the_same(newsroom: Newsroom) -> None:
    newsroom.feeds = FeedSettings(templates=str(TEMPLATES))
    newsroom.article("a.md", region="KE", date="2026-11-20")
    newsroom.article("b.md", title="Second news", regions="[KE, SG]", date="2026-11-01")
    newsroom.article("c.md", title="Old news", regions="[KE, BR]", date="2026-09-01")
    newsroom.publish()
    page = the_map(newsroom)
    said = {link.get("aria-label"): link.get("href") for link in page.iterfind(".//svg/a")}
    assert said == {"Kenya: 2 articles": "../feeds/regions/ke/", "Singapore: 1 article": "../feeds/regions/sg/"}
    assert len(page.findall(".//svg/a/circle")) == 1
    rows = [[cell.xpath("string()").split()[0] for cell in row] for row in page.iterfind(".//tbody/tr")]
    assert [row[:3] for row in rows] == [["Kenya", "2", "3"], ["Singapore", "1", "1"]]
    assert not page.findall(".//script")


def test_the_map_changes_with_the_news_and_not_with_the_clock(newsroom: Newsroom) -> None:
    newsroom.feeds = FeedSettings(templates=str(TEMPLATES))
    newsroom.article("a.md", region="KE", date="2026-11-20")
    newsroom.publish()
    newsroom.later(days=40)
    assert newsroom.publish()[1].written == []
    newsroom.article("b.md", title="Second news", region="SG", date=newsroom.now.isoformat())
    newsroom.publish()
    assert [link.get("aria-label") for link in the_map(newsroom).iterfind(".//svg/a")] == ["Singapore: 1 article"]


def test_a_map_without_news_of_late_says_of_which_days_and_lists_what_came_before(newsroom: Newsroom) -> None:
    newsroom.feeds = FeedSettings(templates=str(TEMPLATES))
    newsroom.article("a.md", region="KE", date="2026-09-01")
    newsroom.article("b.md", title="Second news", regions="[]", date="2026-11-20")
    newsroom.publish()
    page = the_map(newsroom)
    said = page.xpath("string(//p[@class='standfirst'])")
    assert said.startswith("No article of the thirty days to ")
    assert not page.findall(".//svg/a")
    assert [[cell.xpath("string()").split()[0] for cell in row][:3] for row in page.iterfind(".//tbody/tr")] == [
        ["Kenya", "0", "1"]
    ]


@pytest.mark.parametrize("code", [code for code in _lines() if len(code) == 2])
def test_every_country_has_a_shape_or_a_point_on_the_map(code: str) -> None:
    x, y, shape = _shapes()[code]
    assert shape or (0 < x <= WIDTH and 0 < y <= HEIGHT)


def test_a_site_without_news_has_a_map_all_the_same(newsroom: Newsroom) -> None:
    newsroom.feeds = FeedSettings(templates=str(TEMPLATES))
    newsroom.publish()
    assert not the_map(newsroom).findall(".//svg/a")
