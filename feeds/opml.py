"""All feeds as one OPML 2.0 document, which feed readers import."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from lxml import etree

from feeds.catalogue import Feed


def opml(
    title: str, groups: Mapping[str, Sequence[Feed]], address: Callable[[Feed], str], page: Callable[[Feed], str]
) -> bytes:
    """The document in UTF-8: an outline for every group, in it one for every feed (OPML 2.0, Subscription lists).

    ``address`` is where a feed's document lies, ``page`` where people read it. It has no date: equal feeds give equal bytes.
    """
    root = etree.Element("opml", version="2.0")
    head = etree.SubElement(root, "head")
    etree.SubElement(head, "title").text = title
    body = etree.SubElement(root, "body")
    for name, feeds in groups.items():
        group = etree.SubElement(body, "outline", text=name)
        for feed in feeds:
            # Every Atom feed is "rss" here: the type says that it is a feed.
            facts = {"type": "rss", "version": "ATOM", "text": feed.title, "title": feed.title, "htmlUrl": page(feed)}
            etree.SubElement(group, "outline", facts, xmlUrl=address(feed))
    return etree.tostring(root, pretty_print=True, encoding="utf-8", xml_declaration=True)
