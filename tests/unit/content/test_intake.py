"""What becomes of articles when their files change, move, vanish and come back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from newsroom import BODY, NOW, Newsroom

from content.article import State
from content.intake import GUARD, Change, Report
from content.reading import Reader
from content.survey import PathError


def changes(report: Report) -> list[Change]:
    return [event.change for event in report.events]


def test_an_unchanged_file_is_not_read_again(newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[Path] = []
    unspied = Reader.read
    monkeypatch.setattr(Reader, "read", lambda self, path: read.append(path) or unspied(self, path))  # type: ignore[func-returns-value]
    newsroom.article()
    newsroom.take()
    # A file that was changed a moment ago might change again within the clock's grain.
    newsroom.take()
    assert len(read) == 2
    monkeypatch.setattr("content.survey.RACY_NS", -10_000_000_000)
    newsroom.take()
    report = newsroom.take()
    assert len(read) == 2
    assert (report.files, report.unchanged, report.events) == (1, 1, [])


def test_a_new_setting_reads_unchanged_files_again(newsroom: Newsroom) -> None:
    newsroom.article()
    newsroom.take()
    newsroom.site = newsroom.site.model_copy(update={"url": "https://other.test"})
    report = newsroom.take()
    assert (report.unchanged, report.refreshed, report.events) == (0, 1, [])
    assert newsroom.only().url == "https://other.test/articles/first/"
    assert newsroom.only().id.startswith("tag:news.test,")


def test_a_correction_keeps_id_and_date_and_says_when(newsroom: Newsroom) -> None:
    """Invariant 26."""
    newsroom.article(date="2026-11-01")
    newsroom.take()
    before = newsroom.only()
    newsroom.later(hours=1)
    newsroom.article(date="2026-11-01", title="First news, corrected")
    assert changes(newsroom.take()) == [Change.CORRECTED]
    after = newsroom.only()
    assert (after.id, after.slug, after.published) == (before.id, before.slug, before.published)
    assert after.updated == newsroom.now


def test_a_correction_after_the_clock_went_back_makes_nothing_older(newsroom: Newsroom) -> None:
    newsroom.article(date="2026-11-01")
    newsroom.take()
    newsroom.later(hours=5)
    newsroom.article(date="2026-11-01", title="First news, corrected")
    newsroom.take()
    corrected = newsroom.only().updated
    newsroom.later(hours=-3)
    newsroom.article(date="2026-11-01", title="First news, corrected again")
    newsroom.take()
    assert (newsroom.only().title, newsroom.only().updated) == ("First news, corrected again", corrected)


def test_what_no_reader_would_notice_is_no_correction(newsroom: Newsroom) -> None:
    """Invariant 26."""
    path = newsroom.article(date="2026-11-01", weight="1")
    newsroom.take()
    before = newsroom.only()
    newsroom.later(hours=1)
    path.write_text(path.read_text().replace("weight: 1", "weight: 9   # first of all"))
    newsroom.take()
    assert newsroom.only().updated == before.updated
    assert newsroom.only().weight == 9


def test_the_editors_own_date_of_correction_counts(newsroom: Newsroom) -> None:
    newsroom.article(date="2026-11-01")
    newsroom.take()
    newsroom.article(date="2026-11-01", title="Corrected", updated="2026-11-05")
    newsroom.take()
    assert newsroom.only().updated.isoformat() == "2026-11-05T00:00:00+00:00"


def test_an_article_without_a_date_keeps_that_of_its_first_publication(newsroom: Newsroom) -> None:
    """Invariant 26."""
    newsroom.article()
    newsroom.take()
    for title in ("Second version", "Third version"):
        newsroom.later(days=1)
        newsroom.article(title=title)
        newsroom.take()
    assert newsroom.only().published == NOW
    assert newsroom.only().updated == newsroom.now


def test_a_file_that_vanishes_withdraws_its_article_and_one_that_returns_restores_it(newsroom: Newsroom) -> None:
    path = newsroom.article(date="2026-11-01")
    newsroom.take()
    before, text = newsroom.only(), path.read_text()
    path.unlink()
    assert changes(newsroom.take()) == [Change.WITHDRAWN]
    assert newsroom.public() == []
    assert changes(newsroom.take()) == []
    newsroom.later(days=1)
    path.write_text(text)
    assert changes(newsroom.take()) == [Change.RESTORED]
    assert (newsroom.only().id, newsroom.only().published) == (before.id, before.published)


def test_an_id_is_never_used_for_another_article(newsroom: Newsroom) -> None:
    """Invariant 26."""
    ids = set()
    for number in range(4):
        path = newsroom.article(title=f"Story {number}", body=f"{BODY} {number}")
        newsroom.take()
        ids.add(newsroom.only().id)
        path.unlink()
        newsroom.take()
    assert len(ids) == 4


def test_a_renamed_file_keeps_its_id_and_leaves_its_old_address(newsroom: Newsroom) -> None:
    path = newsroom.article("2026-11-01-first.md")
    newsroom.take()
    before = newsroom.only()
    newsroom.later(days=1)
    path.rename(newsroom.articles / "2026-11-01-better.md")
    (event,) = newsroom.take().events
    assert (event.change, event.old_slug) == (Change.MOVED, "first")
    after = newsroom.only()
    assert (after.id, after.published, after.slug) == (before.id, before.published, "better")


def test_a_file_moved_to_another_folder_is_the_same_article(newsroom: Newsroom) -> None:
    path = newsroom.article()
    newsroom.take()
    before = newsroom.only()
    (newsroom.articles / "2026").mkdir()
    path.rename(newsroom.articles / "2026" / "first.md")
    assert changes(newsroom.take()) == [Change.MOVED]
    assert newsroom.only() == before


def test_two_files_that_swap_names_keep_their_ids(newsroom: Newsroom) -> None:
    newsroom.article("a.md", title="Story A", body=f"{BODY} A", slug="story-a")
    newsroom.article("b.md", title="Story B", body=f"{BODY} B", slug="story-b")
    newsroom.take()
    newsroom.article("c.md", title="Story A", body=f"{BODY} A", slug="story-a")
    (newsroom.articles / "a.md").unlink()
    newsroom.take()
    assert {article.slug: article.id.rpartition(":")[2] for article in newsroom.public()} == {
        "story-a": "story-a",
        "story-b": "story-b",
    }


def test_two_articles_with_one_chosen_slug_are_an_error_naming_file_and_line(newsroom: Newsroom) -> None:
    newsroom.article("a.md", title="One", slug="same")
    newsroom.article("b.md", title="Other", slug="SAME")
    (error,) = newsroom.take().errors
    assert (error.path.name, error.line) == ("b.md", 3)
    assert "a.md ('One')" in error.message
    assert newsroom.only().title == "One"


def test_two_dated_files_with_one_tail_are_both_published(newsroom: Newsroom) -> None:
    """Invariant 28."""
    newsroom.article("2026-11-01-weekly.md", title="One", body=f"{BODY} 1")
    newsroom.article("2026-11-08-weekly.md", title="Other", body=f"{BODY} 2")
    assert newsroom.take().errors == []
    assert {article.slug for article in newsroom.public()} == {"weekly", "2026-11-08-weekly"}
    before = newsroom.public()
    newsroom.take()
    assert newsroom.public() == before


def test_slugs_are_unique_in_whatever_letter_case(newsroom: Newsroom) -> None:
    """Invariant 28."""
    newsroom.article("First.md", title="One", body=f"{BODY} 1")
    newsroom.article("sub/FIRST.md", title="Other", body=f"{BODY} 2")
    report = newsroom.take()
    slugs = [article.slug for article in newsroom.public()]
    assert len({slug.lower() for slug in slugs}) == len(slugs)
    assert len(slugs) + len(report.errors) == 2


def test_an_error_keeps_the_version_that_was_published_before(newsroom: Newsroom) -> None:
    path = newsroom.article(date="2026-11-01")
    newsroom.take()
    before = newsroom.only()
    newsroom.article(date="sometime", title="Broken")
    (error,) = newsroom.take().errors
    assert error.line == 3
    assert "the version published before stays" in error.message
    assert newsroom.only() == before
    path.write_bytes(b"\0")
    newsroom.take()
    assert newsroom.only() == before


def test_a_draft_is_published_when_it_is_no_draft_any_more(newsroom: Newsroom) -> None:
    newsroom.article(draft="true")
    assert changes(newsroom.take()) == []
    assert newsroom.public() == []
    newsroom.later(days=3)
    newsroom.article()
    assert changes(newsroom.take()) == [Change.NEW]
    assert newsroom.only().published == newsroom.now
    newsroom.later(days=1)
    newsroom.article(draft="true")
    assert changes(newsroom.take()) == [Change.WITHDRAWN]
    assert newsroom.public() == []


def test_a_scheduled_article_comes_out_in_its_time(newsroom: Newsroom) -> None:
    """Invariant 27."""
    newsroom.article(date="2026-11-24")
    newsroom.take()
    assert newsroom.public() == []
    newsroom.later(hours=11, minutes=59)
    assert newsroom.public() == []
    newsroom.later(minutes=1)
    (article,) = newsroom.public()
    assert article.published == article.updated == newsroom.now


def test_an_article_can_be_withdrawn_in_its_file(newsroom: Newsroom) -> None:
    newsroom.article(date="2026-11-01")
    newsroom.take()
    before = newsroom.only()
    newsroom.article(date="2026-11-01", status="withdrawn")
    assert changes(newsroom.take()) == [Change.WITHDRAWN]
    assert newsroom.public() == []
    assert changes(newsroom.take()) == []
    newsroom.article(date="2026-11-01")
    newsroom.take()
    assert newsroom.only().id == before.id


def test_a_folder_that_is_suddenly_empty_withdraws_nothing(newsroom: Newsroom) -> None:
    paths = [newsroom.article(f"{n}-story.md", title=f"Story {n}", body=f"{BODY} {n}") for n in range(GUARD + 1)]
    newsroom.take()
    for path in paths:
        path.unlink()
    (error,) = newsroom.take().errors
    assert "--withdraw" in error.message
    assert len(newsroom.public()) == GUARD + 1
    assert newsroom.take(withdraw_many=True).count(Change.WITHDRAWN) == GUARD + 1
    assert newsroom.public() == []


def test_a_single_path_touches_no_other_article(newsroom: Newsroom) -> None:
    one, other = newsroom.article("a.md", title="A", body=f"{BODY} a"), newsroom.article("b.md", title="B", body=f"{BODY} b")
    newsroom.take()
    one.unlink()
    newsroom.take(other)
    assert len(newsroom.public()) == 2
    newsroom.take(one)
    assert [article.title for article in newsroom.public()] == ["B"]


def test_a_path_that_is_nothing_is_refused_before_anything_changes(newsroom: Newsroom) -> None:
    newsroom.article()
    with pytest.raises(PathError, match="no such file"):
        newsroom.take(newsroom.articles, newsroom.articles / "nowhere.md")
    assert newsroom.public() == []


def test_hidden_files_and_notes_to_the_team_are_no_articles(newsroom: Newsroom) -> None:
    for name in (".draft.md", "_notes/x.md", "README.md", "sub/.git/x.md", "picture.png"):
        newsroom.article(name)
    assert newsroom.take().files == 0


def test_a_transaction_that_is_rolled_back_changes_nothing(newsroom: Newsroom) -> None:
    newsroom.article()

    with newsroom.engine.connect() as connection, connection.begin() as transaction:
        assert changes(newsroom.take_within(connection)) == [Change.NEW]
        transaction.rollback()
    assert newsroom.public() == []
    with newsroom.archive() as archive:
        assert archive.numbers() == []


def test_the_archive_gives_back_what_it_was_given(newsroom: Newsroom) -> None:
    (newsroom.articles / "a.png").write_bytes(b"png")
    newsroom.article(
        date="2026-11-01",
        regions="[CN, CN-BJ]",
        author="Ann Lee <a@b.test>",
        tags="[a, 'b 🎉']",
        image="a.png",
        sources="Reuters https://r.test",
        weight="5",
    )
    report = newsroom.reader.read(newsroom.articles / "first.md")
    newsroom.take()
    assert report.article
    media = tuple(replace(one, path="articles/a.png") for one in report.article.media)
    assert newsroom.only() == replace(report.article, media=media)
    assert newsroom.only().state is State.PUBLISHED


def test_a_small_folder_that_is_empty_all_at_once_withdraws_nothing(newsroom: Newsroom) -> None:
    for number in range(5):
        newsroom.article(f"{number}.md", title=f"News {number}")
    newsroom.take()
    for path in newsroom.articles.iterdir():
        path.unlink()
    report = newsroom.take()
    assert "nothing was withdrawn" in report.errors[0].message
    assert len(newsroom.public()) == 5
    newsroom.take(withdraw_many=True)
    assert newsroom.public() == []
