"""Whatever editors write into fields, the feeds are valid."""

from __future__ import annotations

import pytest
from newsroom import Newsroom
from validity import errors

FEEDS = ("atom.xml", "rss.xml", "feed.json")


@pytest.mark.parametrize(
    "fields",
    [
        {"author": '{name: Mei, email: "nonsense"}'},
        {"author": '{name: Mei, email: "a b@news.test"}'},
        {"author": "Mei <mei@nowhere>"},
        {"author": '{name: Mei, url: "https://a|b.test/"}'},
        {"url": '"http://ex`ample.com/"'},
        {"url": '"https://exa{mple.com/"'},
        {"image": "'https://a\\b.com/x.png'"},
        {"image": '"https://exa{mple.com/x.png"'},
    ],
    ids=str,
)
def test_a_field_that_cannot_be_said_in_a_feed_is_left_out(newsroom: Newsroom, fields: dict[str, str]) -> None:
    newsroom.article(date="2026-11-01", **fields)
    newsroom.publish()
    for name in FEEDS:
        assert errors((newsroom.root / "public" / "feeds" / name).read_bytes()) == []
    assert newsroom.only().url == "https://news.test/articles/first/"


@pytest.mark.parametrize(("written", "email"), [("nonsense", ""), ("mei@news", ""), ("Mei.Tanaka+x@news.co.test", None)])
def test_an_email_address_that_is_none_is_left_out_and_said(newsroom: Newsroom, written: str, email: str | None) -> None:
    reading = newsroom.reading("a.md", f"---\ntitle: A\nauthor: {{name: Mei, email: '{written}'}}\n---\nText.\n")
    assert reading.article is not None
    assert [author.email for author in reading.article.authors] == [written if email is None else email]
    said = [(problem.line, problem.message) for problem in reading.problems]
    assert said == ([] if email is None else [(3, f"{written!r} is no email address in ASCII, and is left out")])


def test_articles_dated_alike_to_the_minute_make_valid_feeds(newsroom: Newsroom) -> None:
    for number in range(5):
        newsroom.article(f"{number}.md", title=f"News {number}", date="2026-10-14 08:30", slug=f"news-{number}")
    newsroom.publish()
    for name in FEEDS:
        assert errors((newsroom.root / "public" / "feeds" / name).read_bytes()) == []
