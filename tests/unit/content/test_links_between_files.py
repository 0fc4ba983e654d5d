"""What an article leads to beside it: pictures, and the pages of other articles."""

from __future__ import annotations

import pytest

from content.intake import Change
from tests.newsroom import BODY, Newsroom


def linked(newsroom: Newsroom, link: str) -> str:
    newsroom.article("a.md", body=f"See [there]({link}).\n\n{BODY}")
    newsroom.take()
    (article,) = [one for one in newsroom.public() if one.slug == "a"]
    return article.body.partition('href="')[2].partition('"')[0]


def test_a_link_to_another_articles_file_leads_to_its_page(newsroom: Newsroom) -> None:
    newsroom.article("2026/2026-01-05-cables.md", title="Cables", date="2026-01-05")
    newsroom.article("named.md", title="Named", slug="towers")
    assert linked(newsroom, "2026/2026-01-05-cables.md#why") == "https://news.test/articles/cables/#why"
    assert linked(newsroom, "named.md") == "https://news.test/articles/towers/"


@pytest.mark.parametrize("link", ["img/none.png", "none.md", "draft.md"])
def test_a_link_to_nothing_is_named_with_its_line(newsroom: Newsroom, link: str) -> None:
    newsroom.article("draft.md", draft="true")
    reading = newsroom.reading("a.md", f"---\ntitle: T\n---\nFirst line.\n\nSee [there]({link}) and [again]({link}).\n")
    assert reading.article is not None
    (warning,) = reading.problems
    assert (warning.line, repr(link) in warning.message) == (6, True)


@pytest.mark.parametrize(
    "link", ["/img/none.png", "https://x.test/none.png", "other-page/", "#top", "page.html", "mailto:a@x.test"]
)
def test_what_may_be_elsewhere_is_no_reason_for_a_warning(newsroom: Newsroom, link: str) -> None:
    assert newsroom.reading("a.md", f"---\ntitle: T\n---\n[there]({link}) {BODY}\n").problems == ()


def test_a_picture_that_comes_later_or_changes_brings_its_article_up_to_date(newsroom: Newsroom) -> None:
    newsroom.article("a.md", body=f"![A mast](mast.png)\n\n{BODY}", date="2026-01-05")
    newsroom.article("b.md", title="Another")
    assert len(newsroom.take().problems) == 1
    newsroom.later(minutes=5)
    names = []
    for picture in (b"one", b"another"):
        newsroom.write("mast.png", picture)
        report = newsroom.take()
        assert [event.change for event in report.events] == [Change.CORRECTED]
        assert not report.problems
        names += [media.name for one in newsroom.public() for media in one.media]
    assert len(set(names)) == 2
    assert newsroom.take().events == []


def test_a_link_follows_when_the_other_article_gets_another_address(newsroom: Newsroom) -> None:
    newsroom.article("b.md", title="Other", slug="old")
    assert linked(newsroom, "b.md").endswith("/old/")
    newsroom.article("b.md", title="Other", slug="new-address")
    newsroom.take()
    (article,) = [one for one in newsroom.public() if one.slug == "a"]
    assert "/new-address/" in article.body


@pytest.mark.parametrize("together", [True, False])
def test_a_link_to_one_of_two_dated_files_with_one_tail_leads_to_that_one(newsroom: Newsroom, together: bool) -> None:
    newsroom.article("2026-10-01-briefing.md", title="Briefing")
    newsroom.article("2026-10-02-briefing.md", title="Briefing again")
    if not together:
        newsroom.take()
    newsroom.article("2026-10-03-a.md", title="A", slug="a", body=f"See [there](2026-10-02-briefing.md).\n\n{BODY}")
    newsroom.article("draft.md", title="D", draft="true", body="See [there](2026-10-02-briefing.md) and [nothing](none.md).")
    report = newsroom.take()
    assert report.count(Change.NEW) == (3 if together else 1)
    assert (len(report.events), report.drafts, len(report.problems)) == (report.count(Change.NEW), 1, 1)
    (article,) = [one for one in newsroom.public() if one.slug == "a"]
    assert 'href="https://news.test/articles/2026-10-02-briefing/"' in article.body
    assert article.updated == article.published
    assert newsroom.take().events == []


def test_a_link_follows_an_article_that_has_to_take_the_slug_with_its_date(newsroom: Newsroom) -> None:
    newsroom.article("2026-10-02-briefing.md", title="Briefing", draft="true")
    newsroom.article("a.md", title="A", slug="a", body=f"See [there](2026-10-02-briefing.md).\n\n{BODY}")
    newsroom.article("2026-10-01-briefing.md", title="Another briefing", slug="briefing")
    newsroom.take()
    newsroom.article("2026-10-02-briefing.md", title="Briefing")
    newsroom.take()
    (article,) = [one for one in newsroom.public() if one.slug == "a"]
    assert "/articles/2026-10-02-briefing/" in article.body
