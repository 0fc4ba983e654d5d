"""Feeds as feed readers see them."""

from __future__ import annotations

import html
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from newsroom import BODY, Newsroom, parsed

from content.article import Article, Author, Summary
from content.cleaning import clean, resolver
from content.credits import words
from content.regions import region
from content.settings import SiteSettings
from feeds.builder import Builder, Format
from feeds.catalogue import Feed
from feeds.settings import FeedSettings

SITE = SiteSettings(title="The Daily Test", url="https://news.test")
MOMENT = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)
ARTICLE = Article(
    id="tag:news.test,2026-01-01:first", slug="first", url="https://news.test/articles/first/", title="First news",
    summary=Summary("In short.", written=True), body="<p>At length.</p>", published=MOMENT, updated=MOMENT,
)  # fmt: skip
ATOM = "{http://www.w3.org/2005/Atom}"


def feed_of(*articles: Article) -> Feed:
    return Feed("tag:news.test,2026-01-01:feeds", "The Daily Test", "", "feeds", None, articles, len(articles), MOMENT)


def build(*articles: Article, kind: Format = Format.ATOM) -> bytes:
    built = Builder(SITE, FeedSettings()).build(feed_of(*articles), kind)
    assert built.left_out == ()
    return built.document


@pytest.mark.parametrize("kind", Format)
def test_an_entry_says_what_its_article_says(kind: Format) -> None:
    article = replace(
        ARTICLE,
        authors=(Author("Ann Lee", email="ann@news.test"), Author("Bo Ek")),
        section="Policy",
        tags=("towers", "policy"),
    )
    (entry,) = parsed(build(article, kind=kind)).entries
    assert (entry.id, entry.link, entry.title) == (article.id, article.url, "First news")
    assert entry.summary == "In short."
    assert entry.content[-1].value == "<p>At length.</p>"
    assert [author["name"] for author in entry.authors if "name" in author][:1] == ["Ann Lee"] or "Ann Lee" in entry.author
    assert [tag.term for tag in entry.tags] == ["Policy", "towers"]
    assert entry.published_parsed[:5] == (2026, 11, 1, 9, 30)


def test_atom_names_regions_by_code_scheme_and_name() -> None:
    document = etree.fromstring(build(replace(ARTICLE, regions=(region("CN"), region("CN-BJ")))))
    assert [dict(element.attrib) for element in document.iterfind(f"{ATOM}entry/{ATOM}category")] == [
        {"term": "CN", "scheme": "urn:iso:std:iso:3166:-1", "label": "China"},
        {"term": "CN-BJ", "scheme": "urn:iso:std:iso:3166:-2", "label": "Beijing"},
    ]


def test_rss_names_regions_by_name_and_by_code_under_their_domain() -> None:
    document = etree.fromstring(build(replace(ARTICLE, regions=(region("CN-BJ"),)), kind=Format.RSS))
    assert [(element.get("domain"), element.text) for element in document.iterfind("channel/item/category")] == [
        ("urn:iso:std:iso:3166:-2", "Beijing"), ("urn:iso:std:iso:3166:-2", "CN-BJ"),
    ]  # fmt: skip


def test_an_atom_feed_has_all_that_the_standard_asks_for() -> None:
    """RFC 4287 4.1.1, 4.1.2."""
    document = etree.fromstring(build(ARTICLE, replace(ARTICLE, id="tag:news.test,2026-01-01:x")))
    for name in ("id", "title", "updated", "author"):
        assert document.find(f"{ATOM}{name}") is not None
    links = {link.get("rel"): link.get("href") for link in document.iterfind(f"{ATOM}link")}
    assert links["self"] == "https://news.test/feeds/atom.xml"
    for entry in document.iterfind(f"{ATOM}entry"):
        assert all(entry.find(f"{ATOM}{name}") is not None for name in ("id", "title", "updated"))
        assert entry.find(f"{ATOM}content").get("type") == "html"


def test_an_rss_guid_is_the_id_and_no_address() -> None:
    document = etree.fromstring(build(ARTICLE, kind=Format.RSS))
    guid = document.find("channel/item/guid")
    assert (guid.text, guid.get("isPermaLink")) == (ARTICLE.id, "false")
    assert document.findtext("channel/lastBuildDate") == "Sun, 01 Nov 2026 09:30:00 +0000"


@pytest.mark.parametrize("kind", Format)
def test_equal_articles_give_equal_bytes(kind: Format) -> None:
    articles = [
        replace(ARTICLE, id=f"tag:news.test,2026-01-01:{n}", regions=(region("DE"),), tags=("b", "a")) for n in range(5)
    ]
    assert build(*articles, kind=kind) == build(*articles, kind=kind)


@pytest.mark.parametrize("kind", Format)
def test_articles_stand_in_their_order(kind: Format) -> None:
    articles = [replace(ARTICLE, id=f"tag:news.test,2026-01-01:{n}") for n in range(12)]
    assert [entry.id for entry in parsed(build(*articles, kind=kind)).entries] == [article.id for article in articles]


@pytest.mark.parametrize("kind", Format)
def test_a_feed_without_articles_is_valid(kind: Format) -> None:
    assert parsed(build(kind=kind)).entries == []


def test_a_feed_may_carry_summaries_only() -> None:
    builder = Builder(SITE, FeedSettings(content="summary"))
    for kind in Format:
        assert b"At length" not in builder.build(feed_of(ARTICLE), kind).document


@pytest.mark.parametrize("kind", Format)
def test_an_article_that_cannot_be_said_in_xml_is_left_out_and_named(kind: Format) -> None:
    """Invariant 25: whatever slipped through, the others still come out."""
    bad = [
        replace(ARTICLE, title="a\x00b"),
        replace(ARTICLE, body="\ud800"),
        replace(ARTICLE, authors=(Author("\x08"),)),
        replace(ARTICLE, tags=("\x0b",)),
    ]
    built = Builder(SITE, FeedSettings()).build(feed_of(*bad, ARTICLE), kind)
    assert [entry.title for entry in parsed(built.document).entries] == ["First news"]
    assert len(built.left_out) == 4


any_text = st.text(st.characters(codec=None), max_size=60)


@given(any_text, any_text, any_text, any_text, any_text, st.sampled_from(Format))
def test_any_text_makes_a_well_formed_feed_that_says_it(
    title: str, summary: str, body: str, name: str, tag: str, kind: Format
) -> None:
    """Invariant 25."""
    title, summary, name, tag = (words(text) or "x" for text in (title, summary, name, tag))
    article = replace(
        ARTICLE, title=title, summary=Summary(summary, written=True), body=clean(body, resolver(ARTICLE.url)), authors=(Author(name),), tags=(tag,),
    )  # fmt: skip
    document = build(article, kind=kind)
    parsed(document)
    tree = etree.fromstring(document)
    at = f"{ATOM}entry/{ATOM}" if kind is Format.ATOM else "channel/item/"
    assert tree.findtext(f"{at}title") == title
    assert tree.findtext(f"{at}{'summary' if kind is Format.ATOM else 'description'}") == summary
    category = tree.find(f"{at}category")
    assert (category.get("term") if kind is Format.ATOM else category.text) == tag


POISON = {
    "controls": '---\ntitle: "a\\0b\\x07c"\nsummary: "\\x01"\nauthor: "\\x08"\ntags: ["\\x0b"]\n---\nbody \x01\x02\x0b\x1f',
    "surrogate": '---\ntitle: "a\\ud800b"\n---\nbody',
    "cdata": "---\ntitle: ']]> <![CDATA[ &bogus; <x>'\nsummary: ']]>'\n---\n]]> &bogus; <![CDATA[ x ]]> <?php ?> <!DOCTYPE x>",
    "far future": f"---\ntitle: future\ndate: 9999-12-31\n---\n{BODY}",
    "right to left": f"---\ntitle: \u202eabc\u202c שלום\ntags: [\u200f]\n---\n{BODY} \u202e",
    "emoji": "---\ntitle: 👩‍👩‍👧‍👦🇨🇳\nslug: 🎉\n---\n🎉",
    "non-characters": '---\ntitle: "x\\uFFFE\\uFFFFy"\n---\n\ufffe\uffff&#xFFFF;&#0;&#55296;',
    "path": f"---\ntitle: path\nslug: ../../../etc/passwd\nurl: javascript:alert(1)\n---\n{BODY}",
    "binary": "\x00\x01\x02",
    "template": "---\ntitle: '{{ config }}{% raw %}'\n---\n{{ 7*7 }}{% include '/etc/passwd' %}",
    "deep": "---\ntitle: deep\n---\n" + "<div>" * 50_000,
    "braces": "---\ntitle: braces\n---\n" + "{{ {% {# " * 50_000,
    "frames": "---\ntitle: frames\n---\n" + "<iframe src=x>" * 20_000,
    "spaces": "spaces\n\na" + " " * 500_000 + "b",
    "full stops": "full stops\n\n" + "e.g. " * 100_000,
}


def test_a_poisonous_article_takes_no_feed_down(newsroom: Newsroom) -> None:
    """Invariant 25."""
    for number, text in enumerate(POISON.values()):
        newsroom.write(f"poison-{number}.md", text)
    newsroom.write("huge.md", "---\ntitle: huge\ndate: 2026-01-01\n---\n" + (BODY * 100 + " &amp; <b>more</b>\n\n") * 1_080)
    newsroom.article("good.md", title="Good news", region="CN")
    newsroom.publish()
    for name in ("atom.xml", "rss.xml"):
        feed = newsroom.feed(name)
        assert {"Good news", "abc", "]]> <![CDATA[ &bogus; <x>", "huge"} <= {
            html.unescape(entry.title) for entry in feed.entries
        }
        document = (newsroom.root / "public/feeds" / name).read_text()
        assert len(document) > 9_000_000
        assert not [word for word in ("7*7", "include", "javascript:", "<?php", "{% raw") if word in document]
    assert [entry.title for entry in newsroom.feed("regions/cn/rss.xml").entries] == ["Good news"]
    outside = {path for path in newsroom.root.parent.rglob("*") if "passwd" in path.name}
    assert all(path.is_relative_to(newsroom.root / "public") for path in outside)
