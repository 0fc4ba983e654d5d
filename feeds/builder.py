"""A feed as a document of Atom 1.0, RSS 2.0 or JSON Feed 1.1: feedgen's own head with kept entries between.

Equal entries give equal bytes: nothing here knows what time it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from posixpath import relpath

import orjson
from feedgen.feed import FeedGenerator

from content.settings import SiteSettings
from feeds.catalogue import Feed, Scope
from feeds.entries import Format, category, publisher
from feeds.extensions import HeadExtension, Link
from feeds.settings import FeedSettings

STYLESHEET = "feeds/feed.css"
"""What shows a raw feed to people who open it in a browser."""

JSON_FEED = "https://jsonfeed.org/version/1.1"
_DECLARATION = b"<?xml version='1.0' encoding='UTF-8'?>\n"


@dataclass(frozen=True, slots=True)
class Head:
    """What a feed's document says before its entries.

    ``updated`` and ``published`` are the newest dates of its entries. ``folder`` is where the document lies, ``older`` the
    folder of the next older archive document, if any; an ``archived`` document is a part of the feed's past (RFC 5005 4).
    """

    feed: Feed
    folder: str
    updated: datetime
    published: datetime
    older: str = ""
    archived: bool = False


class Builder:
    """Builds the documents of one site's feeds. ``hubs`` are WebSub hubs' addresses, ``stylesheet`` whether there is one."""

    def __init__(self, site: SiteSettings, settings: FeedSettings, hubs: Sequence[str] = ()) -> None:
        self.site = site
        self.settings = settings
        self.hubs = hubs

    def build(self, head: Head, kind: Format, entries: Sequence[bytes]) -> bytes:
        """The document in UTF-8, entries in the order given (RFC 4287; RSS 2.0 with its profile; JSON Feed 1.1)."""
        if kind is Format.JSON:
            opening = orjson.dumps(self._json_head(head))[:-1]
            return b"".join((opening, b',"items":[\n', b",\n".join(entries), b"\n]}\n"))
        generator = self._generator(head, kind)
        document = generator.atom_str() if kind is Format.ATOM else generator.rss_str()
        closing = b"</feed>" if kind is Format.ATOM else b"</channel></rss>"
        opening = document.removeprefix(_DECLARATION).removesuffix(closing)
        return b"".join((_DECLARATION, self._style(head.folder), opening, b"\n", *(_lines(entries)), closing, b"\n"))

    def address(self, folder: str, kind: Format) -> str:
        return self.site.absolute(f"{folder}/{kind.file_name}")

    def home(self, feed: Feed) -> str:
        """The page that says the same to people."""
        own = self.settings.pages and feed.scope is not Scope.SITE
        return self.site.absolute(feed.page if own else "")

    def picture(self, setting: str) -> str:
        """The address of the icon or the logo; empty when none is set, or when it would be written with pages and none are."""
        if setting.startswith(("http://", "https://")):
            return setting
        return self.site.absolute(setting) if setting and self.settings.pages else ""

    def _style(self, folder: str) -> bytes:
        if not self.settings.pages:
            return b""
        # Relative, because browsers take no stylesheet from elsewhere: from wherever the feeds are looked at, it is there.
        return f'<?xml-stylesheet type="text/css" href="{relpath(STYLESHEET, folder)}"?>\n'.encode()

    def _generator(self, head: Head, kind: Format) -> FeedGenerator:
        feed, site = head.feed, self.site
        generator = FeedGenerator()
        generator.id(feed.id)
        generator.title(feed.title)
        generator.subtitle(feed.subtitle or None)
        generator.description(feed.subtitle or feed.title)
        generator.updated(head.updated)
        generator.pubDate(head.published)
        generator.language(site.language)
        generator.generator(self.settings.generator)
        generator.docs("https://www.rssboard.org/rss-specification")
        generator.ttl(self.settings.ttl)
        generator.author(publisher(site))
        if site.rights:
            generator.rights(site.rights)
        if icon := self.picture(self.settings.icon):
            generator.icon(icon)
        if feed.region:
            place, name = feed.region, feed.name
            terms = category(place.code, place.scheme, name) if kind is Format.ATOM else category(name, place.scheme)
            generator.category(terms)
        generator.link(href=self.address(head.folder, kind), rel="self", type=kind.media_type)
        # RSS takes the last link for its own.
        generator.link(href=self.home(feed), rel="alternate", type="text/html")
        if logo := self.picture(self.settings.logo):
            # In RSS a picture has the title and the link of its channel.
            generator.image(url=logo, title=feed.title, link=self.home(feed))
        generator.register_extension("dateline", HeadExtension)
        generator.dateline.links, generator.dateline.archived = self._links(head, kind), head.archived
        if kind is Format.RSS:
            generator.load_extension("dc", atom=False)
        return generator

    def _links(self, head: Head, kind: Format) -> list[Link]:
        links = [Link("hub", hub) for hub in self.hubs]
        if head.archived:
            links.append(Link("current", self.address(head.feed.folder, kind), kind.media_type))
        if head.older:
            links.append(Link("prev-archive", self.address(head.older, kind), kind.media_type))
        return links

    def _json_head(self, head: Head) -> dict[str, object]:
        feed = head.feed
        facts: dict[str, object] = {
            "version": JSON_FEED,
            "title": feed.title,
            "home_page_url": self.home(feed),
            "feed_url": self.address(head.folder, Format.JSON),
            "description": feed.subtitle,
            "icon": self.picture(self.settings.logo),
            "favicon": self.picture(self.settings.icon),
            "authors": [{"name": self.site.title, "url": f"{self.site.url}/"}],
            "language": self.site.language,
            "hubs": [{"type": "WebSub", "url": hub} for hub in self.hubs],
            "next_url": self.address(head.older, Format.JSON) if head.older else "",
        }
        return {name: value for name, value in facts.items() if value}


def _lines(entries: Sequence[bytes]) -> list[bytes]:
    return [part for entry in entries for part in (entry, b"\n")]
