"""An article as an entry of Atom, RSS and JSON feeds: built once, by feedgen, and serialised so that it can be kept.

Equal articles give equal bytes: nothing here knows what time it is.
"""

from __future__ import annotations

import hashlib
import html
import mimetypes
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

import orjson
from feedgen.entry import FeedEntry
from feedgen.ext.dc import DcEntryExtension
from feedgen.ext.media import MediaEntryExtension
from lxml import etree

from content.article import Article, Author, Image
from content.regions import Region, point_of, shown_name
from content.settings import SiteSettings
from content.text import folded
from feeds.extensions import ATOM_NAMESPACES, RSS_NAMESPACES, EntryExtension, Link
from feeds.settings import FeedSettings

ENTRY_VERSION = 5
"""Goes up when the same article makes another entry, so that kept ones are built anew."""


BODY_LIMIT = 9_000_000
"""Bytes beyond which a body is left to the article's page: libxml2, and with it most feed readers, refuses a whole feed
for one text of more than 10 MB (``XML_MAX_TEXT_LENGTH``), unless it is told otherwise."""


class Format(StrEnum):
    ATOM = "atom"
    RSS = "rss"
    JSON = "json"

    @property
    def file_name(self) -> str:
        return "feed.json" if self is Format.JSON else f"{self.value}.xml"

    @property
    def media_type(self) -> str:
        return "application/feed+json" if self is Format.JSON else f"application/{self.value}+xml"

    @property
    def label(self) -> str:
        """Its name for people."""
        return {"atom": "Atom", "rss": "RSS", "json": "JSON Feed"}[self.value]


@dataclass(frozen=True, slots=True)
class Entry:
    """One article's entry, as the bytes that stand in a feed of each format."""

    atom: bytes
    rss: bytes
    json: bytes

    def of(self, kind: Format) -> bytes:
        return (self.atom, self.rss, self.json)[_ORDER[kind]]


_ORDER = {kind: number for number, kind in enumerate(Format)}


class _Wrapper:
    """Serialises an entry as it stands in a feed, whose head declares the namespaces."""

    def __init__(self, namespaces: dict[str, str]) -> None:
        self._namespaces = namespaces
        self._before = len(etree.tostring(self._around())) - len("/>") + len(">")

    def _around(self) -> etree._Element:
        return etree.Element("x", nsmap=self._namespaces)

    def serialise(self, entry: etree._Element) -> bytes:
        around = self._around()
        around.append(entry)
        return etree.tostring(around, encoding="utf-8")[self._before : -len("</x>")]


class EntryBuilder:
    """Builds the entries of one site."""

    def __init__(self, site: SiteSettings, settings: FeedSettings) -> None:
        self.site = site
        self.settings = settings
        self._atom, self._rss = _Wrapper(ATOM_NAMESPACES), _Wrapper(RSS_NAMESPACES)
        facts = (ENTRY_VERSION, site.title, site.url, site.language, site.timezone, settings.content)
        self.fingerprint = hashlib.blake2b(repr(facts).encode(), digest_size=16).digest()
        """Changes when the same articles would make other entries."""

    def key(self, version: bytes) -> bytes:
        """Under what the entry of an article's version is kept."""
        return hashlib.blake2b(version, digest_size=16, key=self.fingerprint).digest()

    def build(self, article: Article) -> Entry:
        """The article's entry in each format. Raises ``ValueError`` when it cannot be said in one of them."""
        return Entry(
            self._atom.serialise(self._atom_entry(article).atom_entry()),
            self._rss.serialise(self._rss_entry(article).rss_entry()),
            orjson.dumps(self._json_item(article)),
        )

    def _is_full(self, article: Article) -> bool:
        """Whether the entry carries the article's body, or its summary alone."""
        if not article.body or self.settings.content != "full":
            return False
        # No character takes more than four bytes.
        return len(article.body) * 4 <= BODY_LIMIT or len(article.body.encode("utf-8", "replace")) <= BODY_LIMIT

    def _entry(self, article: Article) -> FeedEntry:
        entry = FeedEntry()
        entry.id(article.id)
        entry.title(article.title)
        entry.published(article.published.replace(microsecond=0))
        entry.updated(distinct(article.updated, article.id, self.site.zone))
        entry.register_extension("media", MediaEntryExtension)
        entry.register_extension("dateline", EntryExtension)
        if article.regions:
            # One entry has one place: the most exact one of the first country.
            first = article.regions[0]
            within = next((place for place in article.regions if place.country == first.country and "-" in place.code), first)
            entry.dateline.place, entry.dateline.point = self._name(within), point_of(within)
        entry.dateline.links = [Link("alternate", article.url, "text/html")]
        if article.image:
            self._picture(entry, article, article.image)
        for link in entry.dateline.links:
            entry.link(href=link.href, rel=link.rel, type=link.type, length=str(link.length or 0))
        return entry

    def _picture(self, entry: FeedEntry, article: Article, image: Image) -> None:
        facts = {"width": image.width and str(image.width), "height": image.height and str(image.height)}
        size = {name: value for name, value in facts.items() if value}
        media_type = _image_type(image)
        if media_type:
            entry.dateline.links.append(Link("enclosure", image.url, media_type, _bytes(article, image)))
        entry.dateline.alt = image.alt
        entry.media.content({"url": image.url, "medium": "image", "group": None} | _with_type(media_type) | size)
        entry.media.thumbnail({"url": image.url, "group": None} | size)

    def _atom_entry(self, article: Article) -> FeedEntry:
        entry = self._entry(article)
        # Entries travel without their feed: each says who answers for it (RFC 4287 4.2.1).
        entry.author([_person(author) for author in article.authors] or [publisher(self.site)])
        full = self._is_full(article)
        if article.summary.text or not full:
            entry.summary(article.summary.text or article.title)
        if full:
            entry.content(article.body, type="html")
        entry.dateline.base = article.url
        if article.language != self.site.language:
            entry.dateline.language = article.language
        places = [category(place.code, place.scheme, self._name(place)) for place in article.regions]
        entry.category([*places, *({"term": word} for word in _words(article))])
        return entry

    def _rss_entry(self, article: Article) -> FeedEntry:
        entry = self._entry(article)
        entry.register_extension("dc", DcEntryExtension, atom=False)
        # RSS's own author is an email address; dc:creator is a name.
        entry.dc.dc_creator([author.name for author in article.authors] or [self.site.title])
        # What stands in an RSS description is read as HTML.
        entry.description(html.escape(article.summary.text or article.title, quote=False), isSummary=True)
        if self._is_full(article):
            entry.content(article.body)
        # The name for people, the code for programs; the domain says of both what they are.
        places = [category(word, place.scheme) for place in article.regions for word in (self._name(place), place.code)]
        entry.category([*places, *({"term": word} for word in _words(article))])
        return entry

    def _name(self, place: Region) -> str:
        return shown_name(place, self.site.language)

    def _json_item(self, article: Article) -> dict[str, object]:
        text = (
            {"content_html": article.body}
            if self._is_full(article)
            else {"content_text": article.summary.text or article.title}
        )
        regions = [{"code": place.code, "name": self._name(place), "scheme": place.scheme} for place in article.regions]
        item: dict[str, object] = {
            "id": article.id,
            "url": article.url,
            "title": article.title,
            **text,
            "summary": article.summary.text,
            "date_published": article.published.replace(microsecond=0),
            "date_modified": article.updated,
            "authors": [json_author(author) for author in article.authors] or [json_author(Author(self.site.title))],
            "tags": [*(self._name(place) for place in article.regions), *_words(article)],
            "language": article.language,
            "_dateline": {"regions": regions} if regions else None,
        }
        if article.image:
            item["image"] = article.image.url
            if media_type := _image_type(article.image):
                size = _bytes(article, article.image)
                attachment = {"url": article.image.url, "mime_type": media_type} | ({"size_in_bytes": size} if size else {})
                item["attachments"] = [attachment]
        return {name: value for name, value in item.items() if value}


def distinct(updated: datetime, article_id: str, zone: ZoneInfo) -> datetime:
    """The time of an update, in a feed where no two entries should share one.

    Articles dated by day or by minute, or read at the same moment, would: only the day, the minute or the second is a fact.
    The fraction of the second, which is none, then tells them apart.
    """
    # Long ago the hours of a zone did not begin with those of UTC.
    by_minute = not updated.astimezone(zone).second
    if not (by_minute or updated.microsecond):
        return updated
    digest = hashlib.blake2b(article_id.encode("utf-8", "replace"), digest_size=4).digest()
    return updated.replace(microsecond=int.from_bytes(digest) % 1_000_000)


def category(term: str, scheme: str, label: str = "") -> dict[str, str]:
    return {"term": term, "scheme": scheme} | ({"label": label} if label else {})


def publisher(site: SiteSettings) -> dict[str, str]:
    """Who answers for what names no author."""
    return {"name": site.title, "uri": f"{site.url}/"}


def json_author(author: Author) -> dict[str, str]:
    return {"name": author.name} | ({"url": author.url} if author.url else {})


def _words(article: Article) -> list[str]:
    """Section and tags, each once in whatever letter case."""
    words: dict[str, str] = {}
    for word in filter(None, (article.section, *article.tags)):
        words.setdefault(folded(word), word)
    return list(words.values())


def _person(author: Author) -> dict[str, str]:
    facts = {"name": author.name, "email": author.email, "uri": author.url}
    return {key: value for key, value in facts.items() if value}


def _image_type(image: Image) -> str:
    guessed = image.type or mimetypes.guess_type(image.url)[0] or ""
    return guessed if guessed.startswith("image/") else ""


def _with_type(media_type: str) -> dict[str, str]:
    return {"type": media_type} if media_type else {}


def _bytes(article: Article, image: Image) -> int:
    """The picture's length in bytes when it is our own; 0 means unknown, as the RSS profile has it."""
    return next((media.size for media in article.media if image.url.endswith(f"/{media.url_path}")), 0)
