"""The validators that other tests rely on find what they are to find."""

from __future__ import annotations

import pytest
from test_feed_documents import PICTURE, build
from validity import errors

from feeds.entries import Format

MUTATIONS = [
    (Format.ATOM, b"<updated>2026-11-01T09:30:15+00:00</updated>", b"<updated>yesterday</updated>"),
    (Format.ATOM, b"<id>tag:news.test,2026-01-01:first</id>", b"<id>first</id>"),
    (Format.ATOM, b"<id>tag:news.test,2026-01-01:first</id>", b""),
    (Format.ATOM, b' rel="self"', b' rel="me"'),
    (Format.ATOM, b"&lt;p&gt;", b"&lt;script&gt;x&lt;/script&gt;&lt;p&gt;"),
    (Format.ATOM, b"&lt;p&gt;", b'&lt;p onclick="x"&gt;'),
    (Format.ATOM, b"&lt;p&gt;", b'&lt;a href="/x"&gt;x&lt;/a&gt;&lt;p&gt;'),
    (Format.ATOM, b"<title>First news</title>", b"<title>First news</title><title>Again</title>"),
    (Format.ATOM, b"<published>2026-11-01", b"<published>2027-11-01"),
    (Format.ATOM, b"<entry>", b'<entry><x xmlns="urn:unknown"/>'),
    (Format.ATOM, b'width="1200"', b'width="wide"'),
    (Format.RSS, b'<guid isPermaLink="false">', b"<guid>"),
    (Format.RSS, b"<pubDate>Sun, 01 Nov 2026", b"<pubDate>Mon, 01 Nov 2026"),
    (Format.RSS, b"<pubDate>Sun, 01 Nov 2026", b"<pubDate>1 Nov 26"),
    (Format.RSS, b'length="4711"', b'length="many"'),
    (Format.RSS, b"<link>https://news.test/articles/first/</link>", b"<link>/articles/first/</link>"),
    (Format.RSS, b' rel="self"', b' rel="alternate"'),
    (Format.RSS, b"<title>First news</title>", b"<title></title>"),
    (Format.RSS, b"<title>First news</title>", b"<title>First news</title><subtitle>x</subtitle>"),
    (Format.RSS, b"<dc:creator>The Daily Test</dc:creator>", b""),
    (Format.JSON, b'"id":"tag:news.test,2026-01-01:first",', b""),
    (Format.JSON, b"version/1.1", b"version/2"),
    (Format.JSON, b'"date_published":"2026-11-01T', b'"date_published":"2026-11-01 '),
    (Format.JSON, b'"mime_type":"image/png",', b""),
    (Format.JSON, b'"title":"First news"', b'"title":1'),
    (Format.JSON, b'"language":', b'"lang":'),
]


@pytest.mark.parametrize("kind", Format)
def test_a_good_feed_has_no_errors(kind: Format) -> None:
    assert errors(build(PICTURE, kind=kind)) == []


@pytest.mark.parametrize(("kind", "good", "bad"), MUTATIONS)
def test_a_spoilt_feed_has(kind: Format, good: bytes, bad: bytes) -> None:
    document = build(PICTURE, kind=kind)
    assert good in document
    assert errors(document.replace(good, bad, 1)) != []
