"""What feedgen has no words for, said through its extension mechanism.

Namespaces stand once, at the head of a document; the entries within use their prefixes.
"""

from __future__ import annotations

from dataclasses import dataclass

from feedgen.ext.base import BaseEntryExtension, BaseExtension
from lxml import etree

XML = "{http://www.w3.org/XML/1998/namespace}"
ATOM = "http://www.w3.org/2005/Atom"
HISTORY = "http://purl.org/syndication/history/1.0"
MEDIA = "http://search.yahoo.com/mrss/"
GEORSS = "http://www.georss.org/georss"
DC = "http://purl.org/dc/elements/1.1/"
CONTENT = "http://purl.org/rss/1.0/modules/content/"

ATOM_NAMESPACES = {"fh": HISTORY, "georss": GEORSS, "media": MEDIA}
RSS_NAMESPACES = ATOM_NAMESPACES | {"atom": ATOM, "content": CONTENT, "dc": DC}


@dataclass(frozen=True, slots=True)
class Link:
    """A link (RFC 4287 4.2.7). feedgen lets no ``hub`` pass in a head, and forgets what an entry's links are for."""

    rel: str
    href: str
    type: str = ""
    length: int | None = None

    def facts(self) -> dict[str, str]:
        """Its attributes; those that are unknown are left out."""
        known = {"rel": self.rel, "type": self.type, "href": self.href, "length": str(self.length or "")}
        return {name: value for name, value in known.items() if value}


class HeadExtension(BaseExtension):  # type: ignore[misc]
    """Links of a feed, its archive marker (RFC 5005 4), and the namespaces of its entries."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.archived = False

    def extend_ns(self) -> dict[str, str]:
        return ATOM_NAMESPACES

    def extend_atom(self, feed: etree._Element) -> etree._Element:
        for link in self.links:
            etree.SubElement(feed, "link", link.facts())
        if self.archived:
            etree.SubElement(feed, f"{{{HISTORY}}}archive")
        return feed

    def extend_rss(self, rss: etree._Element) -> etree._Element:
        channel = rss[0]
        for link in self.links:
            etree.SubElement(channel, f"{{{ATOM}}}link", link.facts())
        if self.archived:
            etree.SubElement(channel, f"{{{HISTORY}}}archive")
        return rss


class EntryExtension(BaseEntryExtension):  # type: ignore[misc]
    """What an entry's links are for, the language and base address of its text (RFC 4287 2), its place (GeoRSS Simple)."""

    def __init__(self) -> None:
        self.language = ""
        self.base = ""
        self.place = ""
        self.point: tuple[float, float] | None = None
        self.alt = ""
        self.links: list[Link] = []

    def extend_atom(self, entry: etree._Element) -> etree._Element:
        for bare, link in zip(entry.findall("link"), self.links, strict=True):
            for fact, value in link.facts().items():
                bare.set(fact, value)
        for name in ("title", "summary", "content"):
            element = entry.find(name)
            if element is not None and self.language:
                element.set(f"{XML}lang", self.language)
            if element is not None and name == "content":
                element.set(f"{XML}base", self.base)
        return self._extend(entry)

    def extend_rss(self, item: etree._Element) -> etree._Element:
        return self._extend(item)

    def _extend(self, element: etree._Element) -> etree._Element:
        if self.place:
            etree.SubElement(element, f"{{{GEORSS}}}featureName").text = self.place
        if self.point:
            etree.SubElement(element, f"{{{GEORSS}}}point").text = f"{self.point[0]} {self.point[1]}"
        picture = element.find(f"{{{MEDIA}}}content")
        if picture is not None and self.alt:
            described = etree.SubElement(picture, f"{{{MEDIA}}}description", type="plain")
            described.text = self.alt
        return element
