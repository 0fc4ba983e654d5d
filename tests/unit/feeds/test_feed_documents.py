"""Feeds as feed readers see them."""

from __future__ import annotations

import html
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from newsroom import BODY, Newsroom, parsed

from content.article import Article, Author, Image, Media, Summary
from content.cleaning import absolute, clean
from content.credits import words
from content.regions import region
from content.settings import SiteSettings
from feeds.builder import Builder, Head
from feeds.catalogue import Feed, Scope
from feeds.entries import BODY_LIMIT, EntryBuilder, Format
from feeds.settings import FeedSettings

SITE = SiteSettings(title="The Daily Test", url="https://news.test", rights="© Test")
MOMENT = datetime(2026, 11, 1, 9, 30, 15, tzinfo=UTC)
ARTICLE = Article(
    id="tag:news.test,2026-01-01:first", slug="first", url="https://news.test/articles/first/", title="First news",
    summary=Summary("In short.", written=True), body="<p>At length.</p>", published=MOMENT, updated=MOMENT,
)  # fmt: skip
FEED = Feed(
    Scope.REGION, "tag:news.test,2026-01-01:feeds/regions/cn", "China", "The Daily Test: China", "News from China",
    "feeds/regions/cn", (), 1, MOMENT, region("CN"),
)  # fmt: skip
PICTURE = replace(
    ARTICLE,
    image=Image("https://news.test/media/0a-hall.png", "A hall", "image/png", 1200, 630),
    media=(Media("0a-hall.png", "/nowhere/hall.png", 4711),),
)
ATOM = "{http://www.w3.org/2005/Atom}"
MEDIA = "{http://search.yahoo.com/mrss/}"
XML = "{http://www.w3.org/XML/1998/namespace}"


def build(*articles: Article, kind: Format = Format.ATOM, hubs: tuple[str, ...] = (), older: str = "",
          archived: bool = False, settings: FeedSettings | None = None) -> bytes:  # fmt: skip
    settings = settings or FeedSettings()
    entries = [EntryBuilder(SITE, settings).build(article).of(kind) for article in articles]
    head = Head(FEED, "feeds/regions/cn/archive/2" if archived else FEED.folder, MOMENT, MOMENT, older, archived)
    return Builder(SITE, settings, hubs).build(head, kind, entries)


def atom(*articles: Article, **how: object) -> etree._Element:
    return etree.fromstring(build(*articles, **how))  # type: ignore[arg-type]


def channel(*articles: Article, **how: object) -> etree._Element:
    return etree.fromstring(build(*articles, kind=Format.RSS, **how))[0]  # type: ignore[arg-type]


def json_feed(*articles: Article, **how: object) -> dict:
    return json.loads(build(*articles, kind=Format.JSON, **how))  # type: ignore[arg-type]


XML_FORMATS = [Format.ATOM, Format.RSS]


@pytest.mark.parametrize("kind", XML_FORMATS)
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


def test_a_json_item_says_what_its_article_says() -> None:
    """JSON Feed 1.1."""
    article = replace(PICTURE, authors=(Author("Ann Lee", url="https://ann.test"),), section="Policy", regions=(region("CN"),))
    document = json_feed(article, hubs=("https://hub.test/",), older="feeds/regions/cn/archive/1")
    assert document["version"] == "https://jsonfeed.org/version/1.1"
    assert document["feed_url"] == "https://news.test/feeds/regions/cn/feed.json"
    assert document["home_page_url"] == "https://news.test/feeds/regions/cn/"
    assert document["next_url"] == "https://news.test/feeds/regions/cn/archive/1/feed.json"
    assert document["hubs"] == [{"type": "WebSub", "url": "https://hub.test/"}]
    (item,) = document["items"]
    assert (item["id"], item["url"], item["title"]) == (article.id, article.url, "First news")
    assert (item["content_html"], item["summary"]) == ("<p>At length.</p>", "In short.")
    assert item["date_published"] == "2026-11-01T09:30:15+00:00"
    assert item["authors"] == [{"name": "Ann Lee", "url": "https://ann.test"}]
    assert item["tags"] == ["China", "Policy"]
    assert item["attachments"] == [
        {"url": "https://news.test/media/0a-hall.png", "mime_type": "image/png", "size_in_bytes": 4711}
    ]


def test_atom_names_regions_by_code_scheme_and_name() -> None:
    document = atom(replace(ARTICLE, regions=(region("CN"), region("CN-BJ"))))
    assert [dict(element.attrib) for element in document.iterfind(f"{ATOM}entry/{ATOM}category")] == [
        {"term": "CN", "scheme": "urn:iso:std:iso:3166:-1", "label": "China"},
        {"term": "CN-BJ", "scheme": "urn:iso:std:iso:3166:-2", "label": "Beijing"},
    ]


def test_rss_names_regions_by_name_and_by_code_under_their_domain() -> None:
    document = channel(replace(ARTICLE, regions=(region("CN-BJ"),)))
    assert [(element.get("domain"), element.text) for element in document.iterfind("item/category")] == [
        ("urn:iso:std:iso:3166:-2", "Beijing"), ("urn:iso:std:iso:3166:-2", "CN-BJ"),
    ]  # fmt: skip


def test_an_atom_feed_has_all_that_the_standard_asks_for() -> None:
    """RFC 4287 4.1.1, 4.1.2."""
    document = atom(ARTICLE, replace(ARTICLE, id="tag:news.test,2026-01-01:x"), hubs=("https://hub.test/",))
    for name in ("id", "title", "subtitle", "updated", "author", "rights", "generator"):
        assert document.find(f"{ATOM}{name}") is not None
    assert {(link.get("rel"), link.get("href")) for link in document.iterfind(f"{ATOM}link")} == {
        ("self", "https://news.test/feeds/regions/cn/atom.xml"),
        ("alternate", "https://news.test/feeds/regions/cn/"),
        ("hub", "https://hub.test/"),
    }
    for entry in document.iterfind(f"{ATOM}entry"):
        assert all(entry.find(f"{ATOM}{name}") is not None for name in ("id", "title", "updated", "author"))
        assert entry.find(f"{ATOM}content").get("type") == "html"
        assert entry.find(f"{ATOM}content").get(f"{XML}base") == ARTICLE.url


def test_an_archive_document_says_what_it_is_and_where_the_others_are() -> None:
    """RFC 5005 4."""
    for element in (atom(archived=True, older="feeds/regions/cn/archive/1"),
                    channel(archived=True, older="feeds/regions/cn/archive/1")):  # fmt: skip
        links = {link.get("rel"): link.get("href").rpartition("/")[0] for link in element.iterfind(f"{ATOM}link")}
        assert element.find("{http://purl.org/syndication/history/1.0}archive") is not None
        assert links["self"] == "https://news.test/feeds/regions/cn/archive/2"
        assert links["current"] == "https://news.test/feeds/regions/cn"
        assert links["prev-archive"] == "https://news.test/feeds/regions/cn/archive/1"


def test_a_link_of_an_entry_says_what_it_is_for() -> None:
    """feedgen forgets it: without ``rel`` a picture would be a second page of the article."""
    (entry,) = atom(PICTURE).iterfind(f"{ATOM}entry")
    assert [dict(link.attrib) for link in entry.iterfind(f"{ATOM}link")] == [
        {"rel": "alternate", "type": "text/html", "href": ARTICLE.url},
        {"rel": "enclosure", "type": "image/png", "href": "https://news.test/media/0a-hall.png", "length": "4711"},
    ]


def test_a_picture_has_its_size_and_its_words() -> None:
    for entry in (atom(PICTURE).find(f"{ATOM}entry"), channel(PICTURE).find("item")):
        content = entry.find(f"{MEDIA}content")
        assert (content.get("medium"), content.get("width"), content.get("height")) == ("image", "1200", "630")
        assert content.findtext(f"{MEDIA}description") == "A hall"
        assert entry.find(f"{MEDIA}thumbnail").get("url") == "https://news.test/media/0a-hall.png"
    enclosure = channel(PICTURE).find("item/enclosure")
    assert dict(enclosure.attrib) == {"url": "https://news.test/media/0a-hall.png", "length": "4711", "type": "image/png"}


def test_an_article_in_another_language_says_so() -> None:
    (entry,) = atom(replace(ARTICLE, language="pt-BR")).iterfind(f"{ATOM}entry")
    assert {entry.find(f"{ATOM}{name}").get(f"{XML}lang") for name in ("title", "summary", "content")} == {"pt-BR"}
    assert json_feed(replace(ARTICLE, language="pt-BR"))["items"][0]["language"] == "pt-BR"


def test_an_rss_channel_has_what_readers_ask_for() -> None:
    document = channel(ARTICLE, settings=FeedSettings(ttl=15, logo="logo.png", icon="icon.png"), hubs=("https://hub.test/",))
    assert document.findtext("ttl") == "15"
    assert document.findtext("language") == "en"
    assert document.findtext("link") == "https://news.test/feeds/regions/cn/"
    assert document.findtext("image/link") == document.findtext("link")
    assert document.findtext("image/title") == document.findtext("title")
    assert document.findtext("image/url") == "https://news.test/logo.png"
    assert document.findtext("lastBuildDate") == document.findtext("pubDate") == "Sun, 01 Nov 2026 09:30:15 +0000"
    assert {link.get("rel") for link in document.iterfind(f"{ATOM}link")} == {"self", "hub"}
    guid = document.find("item/guid")
    assert (guid.text, guid.get("isPermaLink")) == (ARTICLE.id, "false")


@pytest.mark.parametrize("kind", Format)
def test_equal_articles_give_equal_bytes(kind: Format) -> None:
    articles = [
        replace(ARTICLE, id=f"tag:news.test,2026-01-01:{n}", regions=(region("DE"),), tags=("b", "a")) for n in range(5)
    ]
    assert build(*articles, kind=kind) == build(*articles, kind=kind)


@pytest.mark.parametrize("kind", XML_FORMATS)
def test_kept_entries_make_the_bytes_that_feedgen_makes_of_the_whole(kind: Format) -> None:
    """But for the line ends between entries and the stylesheet, which feedgen does not know."""
    articles = [replace(PICTURE, id=f"tag:news.test,2026-01-01:{n}", regions=(region("DE"),)) for n in range(3)]
    builder, entries = Builder(SITE, FeedSettings()), EntryBuilder(SITE, FeedSettings())
    generator = builder._generator(Head(FEED, FEED.folder, MOMENT, MOMENT), kind)
    for article in articles:
        entry = entries._atom_entry(article) if kind is Format.ATOM else entries._rss_entry(article)
        generator.add_entry(entry, order="append")
    whole = generator.atom_str() if kind is Format.ATOM else generator.rss_str()
    ours = build(*articles, kind=kind).replace(b"\n", b"").replace(builder._style(FEED.folder).strip(), b"")
    assert ours == whole.replace(b"\n", b"")


@pytest.mark.parametrize("kind", XML_FORMATS)
def test_articles_stand_in_their_order(kind: Format) -> None:
    articles = [replace(ARTICLE, id=f"tag:news.test,2026-01-01:{n}") for n in range(12)]
    assert [entry.id for entry in parsed(build(*articles, kind=kind)).entries] == [article.id for article in articles]


@pytest.mark.parametrize("kind", XML_FORMATS)
def test_a_feed_without_articles_is_valid(kind: Format) -> None:
    assert parsed(build(kind=kind)).entries == []
    assert json_feed()["items"] == []


@pytest.mark.parametrize("kind", Format)
def test_a_feed_may_carry_summaries_only(kind: Format) -> None:
    document = build(ARTICLE, kind=kind, settings=FeedSettings(content="summary"))
    assert b"At length" not in document
    assert b"In short." in document


@pytest.mark.parametrize("time", [{}, {"hour": 8, "minute": 30}], ids=["by day", "by minute"])
def test_no_two_entries_dated_alike_share_their_update(time: dict[str, int]) -> None:
    """The W3C validator warns of entries that do; what was dated to the second stays as it was given."""
    given = datetime(2026, 11, 1, tzinfo=UTC).replace(**time)
    alike = [replace(ARTICLE, id=f"tag:news.test,2026-01-01:{n}", published=given, updated=given) for n in range(9)]
    updates = [datetime.fromisoformat(one.text) for one in atom(*alike).iterfind(f"{ATOM}entry/{ATOM}updated")]
    assert len(set(updates)) == 9
    assert all(timedelta() <= one - given < timedelta(seconds=1) for one in updates)
    assert atom(ARTICLE).findtext(f"{ATOM}entry/{ATOM}updated") == "2026-11-01T09:30:15+00:00"


@pytest.mark.parametrize("kind", XML_FORMATS)
@pytest.mark.parametrize("piece", ["ü" * 500, "<b>&amp;</b>\n", "<"])
def test_a_body_that_most_parsers_refuse_is_left_to_its_page(kind: Format, piece: str) -> None:
    """Parsed as feed readers do it, without ``huge_tree``."""
    size = len(piece.encode())
    largest = replace(ARTICLE, id="tag:news.test,2026-01-01:largest", body=piece * (BODY_LIMIT // size))
    larger = replace(ARTICLE, id="tag:news.test,2026-01-01:larger", body=piece * (BODY_LIMIT // size + 1))
    document = build(largest, larger, largest, kind=kind)
    root = etree.fromstring(document)
    bodies = [one.text for one in root.iter(f"{ATOM}content", "{http://purl.org/rss/1.0/modules/content/}encoded")]
    assert bodies == [largest.body, largest.body]
    assert len([one for one in root.iter(f"{ATOM}summary", "description") if one.text == "In short."]) == 3


def test_a_body_that_is_left_to_its_page_is_in_no_format() -> None:
    (item,) = json_feed(replace(ARTICLE, body="x" * (BODY_LIMIT + 1)))["items"]
    assert (item.get("content_html"), item["content_text"]) == (None, "In short.")


@pytest.mark.parametrize("kind", Format)
def test_a_picture_of_the_site_that_is_not_written_is_not_named(kind: Format) -> None:
    """Icon and logo are written with the pages."""
    names = {"icon": "icon.png", "logo": "https://cdn.test/logo.png"}
    document = build(kind=kind, settings=FeedSettings(pages=False, **names))
    assert b"icon.png" not in document
    assert (b"https://cdn.test/logo.png" in document) == (kind is not Format.ATOM or b"<logo>" in document)
    if kind is not Format.RSS:
        assert b"https://news.test/icon.png" in build(kind=kind, settings=FeedSettings(**names))


@pytest.mark.parametrize(
    "change", [{"title": "a\x00b"}, {"body": "\ud800"}, {"authors": (Author("\x08"),)}, {"tags": ("\x0b",)}], ids=str
)
def test_what_cannot_be_said_in_a_feed_is_refused(change: dict) -> None:
    with pytest.raises(ValueError):
        EntryBuilder(SITE, FeedSettings()).build(replace(ARTICLE, **change))


any_text = st.text(st.characters(codec=None), max_size=60)


@given(any_text, any_text, any_text, any_text, any_text)
def test_any_text_makes_well_formed_feeds_that_say_it(title: str, summary: str, body: str, name: str, tag: str) -> None:
    """Invariant 25."""
    title, summary, name, tag = (words(text) or "x" for text in (title, summary, name, tag))
    article = replace(
        ARTICLE, title=title, summary=Summary(summary, written=True), body=clean(body, lambda link: absolute(link, ARTICLE.url)), authors=(Author(name),), tags=(tag,),
    )  # fmt: skip
    for kind in XML_FORMATS:
        parsed(build(article, kind=kind))
    entry, item = atom(article).find(f"{ATOM}entry"), channel(article).find("item")
    assert entry.findtext(f"{ATOM}title") == item.findtext("title") == title
    assert entry.findtext(f"{ATOM}summary") == summary
    # What stands in an RSS description is read as HTML.
    assert item.findtext("description") == html.escape(summary, quote=False)
    assert entry.findtext(f"{ATOM}author/{ATOM}name") == item.findtext("{http://purl.org/dc/elements/1.1/}creator") == name
    assert entry.find(f"{ATOM}category").get("term") == item.findtext("category") == tag
    assert (entry.findtext(f"{ATOM}content") or "") == article.body
    (said,) = json_feed(article)["items"]
    assert (said["title"], said["summary"], said["authors"], said["tags"]) == (title, summary, [{"name": name}], [tag])
    assert said.get("content_html", "") == article.body


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
    newsroom.write("huge.md", "---\ntitle: huge\ndate: 2026-01-01\n---\n" + (BODY * 100 + " &amp; <b>more</b>\n\n") * 950)
    newsroom.article("good.md", title="Good news", region="CN")
    newsroom.publish()
    for name in ("atom.xml", "rss.xml"):
        feed = newsroom.feed(name)
        assert {"Good news", "abc", "]]> <![CDATA[ &bogus; <x>", "huge"} <= {
            html.unescape(entry.title) for entry in feed.entries
        }
        document = (newsroom.root / "public/feeds" / name).read_text()
        assert len(document) > 8_000_000
        assert not [word for word in ("7*7", "include", "javascript:", "<?php", "{% raw") if word in document]
    assert [entry.title for entry in newsroom.feed("regions/cn/rss.xml").entries] == ["Good news"]
    outside = {path for path in newsroom.root.parent.rglob("*") if "passwd" in path.name}
    assert all(path.is_relative_to(newsroom.root / "public") for path in outside)
