"""Is this feed valid? Atom by the grammar of RFC 4287 and what it cannot say, RSS by the Advisory Board's profile, JSON Feed 1.1.

Each gives all that is wrong, what the W3C's validator only warns of included.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import urlsplit

from lxml import etree, html

GRAMMAR = etree.RelaxNG(etree.parse(Path(__file__).with_name("atom.rng")))
ATOM, XML = "{http://www.w3.org/2005/Atom}", "{http://www.w3.org/XML/1998/namespace}"
HISTORY = "{http://purl.org/syndication/history/1.0}"
MEDIA, GEORSS = "{http://search.yahoo.com/mrss/}", "{http://www.georss.org/georss}"
DC, CONTENT = "{http://purl.org/dc/elements/1.1/}", "{http://purl.org/rss/1.0/modules/content/}"
RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
RFC_822 = re.compile(r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}")
TAG_URI = re.compile(r"tag:[a-z0-9.-]+(@[a-z0-9.-]+)?,\d{4}(-\d\d(-\d\d)?)?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*")
MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
RELATIONS = {"self", "alternate", "hub", "prev-archive", "current", "enclosure", "related", "via"}


def errors(document: bytes) -> list[str]:
    """All that is wrong with a feed, whichever of the three formats it has."""
    if document.lstrip()[:1] == b"{":
        return json_errors(document)
    try:
        root = etree.fromstring(document, etree.XMLParser(resolve_entities=False))
    except etree.XMLSyntaxError as error:
        return [f"not well-formed: {error}"]
    return atom_errors(root) if root.tag == f"{ATOM}feed" else rss_errors(root)


def _absolute(url: str | None) -> bool:
    parts = urlsplit(url or "")
    return (
        bool(url)
        and url.isascii()
        and not re.search(r"[\s<>\"{}|\\^`]", url)
        and parts.scheme in ("http", "https")
        and bool(parts.netloc)
    )


def _markup(text: str, where: str) -> list[str]:
    """What is wrong with HTML that a reader would show."""
    if not text.strip():
        return [f"{where}: empty content"]
    found = []
    for element in html.fragment_fromstring(text, create_parent="div").iter():
        if not isinstance(element.tag, str):
            continue
        if element.tag in ("script", "style", "iframe", "object", "embed", "form", "meta", "link"):
            found.append(f"{where}: <{element.tag}> is a danger to readers")
        for name, value in element.attrib.items():
            if name.startswith("on") or name == "style":
                found.append(f"{where}: the attribute {name} is a danger to readers")
            if name in ("href", "src", "cite") and not re.match(r"(https?|mailto|tel):", value):
                found.append(f"{where}: {name}={value!r} is relative")
    return found


def _media(entry: etree._Element, where: str) -> list[str]:
    found = []
    for element in entry.iter(f"{MEDIA}content", f"{MEDIA}thumbnail"):
        if not _absolute(element.get("url")):
            found.append(f"{where}: media without an address")
        found += [f"{where}: media {name}" for name in ("width", "height") if not (element.get(name) or "1").isdecimal()]
        if element.get("type") and not MEDIA_TYPE.fullmatch(element.get("type")):
            found.append(f"{where}: media type {element.get('type')!r}")
    for point in entry.iterfind(f"{GEORSS}point"):
        latitude, longitude = map(float, (point.text or "").split())
        if abs(latitude) > 90 or abs(longitude) > 180:
            found.append(f"{where}: {point.text} is nowhere")
    if len(entry.findall(f"{GEORSS}featureName")) > 1:
        found.append(f"{where}: two names of one place")
    return found


def atom_errors(root: etree._Element) -> list[str]:
    found = []
    if not GRAMMAR.validate(root):
        return [f"grammar, line {one.line}: {one.message}" for one in GRAMMAR.error_log]
    found += [
        f"unknown namespace in {one.tag}"
        for one in root.iter()
        if isinstance(one.tag, str) and not one.tag.startswith((ATOM, HISTORY, MEDIA, GEORSS))
    ]
    if not LANGUAGE.fullmatch(root.get(f"{XML}lang", "")):
        found.append("xml:lang of the feed")
    found += _atom_links(root, "feed")
    links = {link.get("rel") for link in root.iterfind(f"{ATOM}link")}
    found += [f"feed: no link {name!r}" for name in ("self", "alternate") if name not in links]
    if (root.find(f"{HISTORY}archive") is not None) != ("current" in links):
        found.append("RFC 5005 4: an archive document, and it alone, has a link 'current'")
    ids, updates = [], []
    for entry in root.iterfind(f"{ATOM}entry"):
        where = f"entry {entry.findtext(f'{ATOM}id')}"
        ids.append(entry.findtext(f"{ATOM}id"))
        updates.append(entry.findtext(f"{ATOM}updated"))
        found += _atom_entry(entry, where)
    found += ["two entries have one id"] * (len(ids) != len(set(ids)))
    found += ["two entries have one time of update"] * (len(updates) != len(set(updates)))
    if updates and datetime.fromisoformat(root.findtext(f"{ATOM}updated")) < max(map(datetime.fromisoformat, updates)):
        found.append("an entry is newer than its feed")
    return found


def _atom_entry(entry: etree._Element, where: str) -> list[str]:
    found = _atom_links(entry, where) + _media(entry, where)
    if not TAG_URI.fullmatch(entry.findtext(f"{ATOM}id")):
        found.append(f"{where}: not a tag URI (RFC 4151)")
    times = [entry.findtext(f"{ATOM}{name}") for name in ("published", "updated")]
    found += [f"{where}: the date {time}" for time in times if not RFC_3339.fullmatch(time or "")]
    if datetime.fromisoformat(times[0]) > datetime.fromisoformat(times[1]):
        found.append(f"{where}: updated before it was published")
    if not entry.findall(f"{ATOM}author"):
        found.append(f"{where}: no author")
    for author in entry.iterfind(f"{ATOM}author"):
        if not (author.findtext(f"{ATOM}name") or "").strip() or not _absolute(
            author.findtext(f"{ATOM}uri") or "https://x.test"
        ):
            found.append(f"{where}: its author")
    for name in ("title", "summary"):
        element = entry.find(f"{ATOM}{name}")
        if element is not None and not (element.text or "").strip():
            found.append(f"{where}: {name} is empty")
    for one in entry.iterfind(f"{ATOM}category"):
        if not one.get("term") or one.get("scheme") == "" or one.get("label") == "":
            found.append(f"{where}: an empty category")
    content = entry.find(f"{ATOM}content")
    if content is None and entry.find(f"{ATOM}summary") is None:
        found.append(f"{where}: neither content nor summary")
    return found + (_markup(content.text or "", where) if content is not None else [])


def _atom_links(element: etree._Element, where: str) -> list[str]:
    found, seen = [], set()
    for link in element.iterfind(f"{ATOM}link"):
        relation = link.get("rel", "alternate")
        if relation not in RELATIONS or not _absolute(link.get("href")):
            found.append(f"{where}: link {relation} to {link.get('href')!r}")
        if not MEDIA_TYPE.fullmatch(link.get("type", "a/b")) or not link.get("length", "0").isdecimal():
            found.append(f"{where}: link {relation} has type {link.get('type')!r} and length {link.get('length')!r}")
        key = (relation, link.get("type"), link.get("hreflang"))
        if key in seen and relation in ("alternate", "self"):
            found.append(f"{where}: two links {key}")
        seen.add(key)
    return found


ONCE = ("title", "link", "description", "language", "copyright", "docs", "generator", "image", "lastBuildDate", "pubDate", "ttl",
        "guid", "enclosure", "source", "author", "comments", f"{CONTENT}encoded")  # fmt: skip


def rss_errors(root: etree._Element) -> list[str]:
    channel = root[0]
    if root.tag != "rss" or root.get("version") != "2.0" or channel.tag != "channel" or len(root) != 1:
        return ["not RSS 2.0"]
    found = [
        f"the channel has no {name}" for name in ("title", "link", "description") if not (channel.findtext(name) or "").strip()
    ]
    found += _rss_once(channel, "channel")
    links = {link.get("rel") for link in channel.iterfind(f"{ATOM}link")}
    found += ["the channel has no atom:link to itself"] * ("self" not in links)
    found += [
        f"the link {one.get('href')!r}"
        for one in channel.iterfind(f"{ATOM}link")
        if not _absolute(one.get("href")) or one.get("rel") not in RELATIONS
    ]
    if not LANGUAGE.fullmatch(channel.findtext("language") or "en") or not (channel.findtext("ttl") or "1").isdecimal():
        found.append("language or ttl")
    image = channel.find("image")
    if image is not None:
        if image.findtext("title") != channel.findtext("title") or image.findtext("link") != channel.findtext("link"):
            found.append("the image has not its channel's title and link")
        if not _absolute(image.findtext("url")):
            found.append("the image's address")
    guids = [item.findtext("guid") for item in channel.iterfind("item")]
    found += ["two items have one guid"] * (len(guids) != len(set(guids)))
    for date in channel.iter("pubDate", "lastBuildDate"):
        if not RFC_822.fullmatch(date.text or "") or parsedate_to_datetime(date.text).strftime("%a") != date.text[:3]:
            found.append(f"the date {date.text!r}")
    for item in channel.iterfind("item"):
        found += _rss_item(item, f"item {item.findtext('guid')}")
    return found


def _rss_once(element: etree._Element, where: str) -> list[str]:
    return [f"{where}: {name} stands twice" for name in ONCE if len(element.findall(name)) > 1]


def _rss_item(item: etree._Element, where: str) -> list[str]:
    found = _rss_once(item, where) + _media(item, where)
    found += [
        f"{where}: no {name}"
        for name in ("title", "link", "description", "guid", "pubDate", f"{DC}creator")
        if not (item.findtext(name) or "").strip()
    ]
    if not _absolute(item.findtext("link")) or item.find("guid").get("isPermaLink") != "false":
        found.append(f"{where}: link or guid")
    for enclosure in item.iterfind("enclosure"):
        if not (
            _absolute(enclosure.get("url"))
            and (enclosure.get("length") or "").isdecimal()
            and MEDIA_TYPE.fullmatch(enclosure.get("type") or "")
        ):
            found.append(f"{where}: enclosure {dict(enclosure.attrib)}")
    found += [
        f"{where}: an empty category"
        for one in item.iterfind("category")
        if not (one.text or "").strip() or one.get("domain") == ""
    ]
    found += [
        f"{where}: unknown element {one.tag}"
        for one in item
        if one.tag
        not in (
            *ONCE,
            "category",
            f"{DC}creator",
            f"{MEDIA}content",
            f"{MEDIA}thumbnail",
            f"{GEORSS}point",
            f"{GEORSS}featureName",
        )
    ]
    found += _markup(item.findtext("description") or "", f"{where}: description")
    full = item.findtext(f"{CONTENT}encoded")
    return found + (_markup(full, where) if full is not None else [])


FEED_KEYS = {"version": str, "title": str, "home_page_url": str, "feed_url": str, "description": str, "user_comment": str, "next_url": str,
             "icon": str, "favicon": str, "authors": list, "language": str, "expired": bool, "hubs": list, "items": list}  # fmt: skip
ITEM_KEYS = {"id": str, "url": str, "external_url": str, "title": str, "content_html": str, "content_text": str, "summary": str,
             "image": str, "banner_image": str, "date_published": str, "date_modified": str, "authors": list, "tags": list,
             "language": str, "attachments": list}  # fmt: skip


def json_errors(document: bytes) -> list[str]:
    feed = json.loads(document)
    found = _keys(feed, FEED_KEYS, "feed")
    if feed.get("version") != "https://jsonfeed.org/version/1.1" or not feed.get("title") or "items" not in feed:
        found.append("version, title and items are required")
    found += [
        f"feed: {name} {feed[name]!r}"
        for name in ("home_page_url", "feed_url", "next_url", "icon", "favicon")
        if name in feed and not _absolute(feed[name])
    ]
    found += ["next_url leads to the feed itself"] * (feed.get("next_url") == feed.get("feed_url", ""))
    found += [f"hub {hub}" for hub in feed.get("hubs", []) if set(hub) != {"type", "url"}]
    ids = [item.get("id") for item in feed["items"]]
    found += ["two items have one id"] * (len(ids) != len(set(ids)))
    for item in feed["items"]:
        where = f"item {item.get('id')}"
        found += _keys(item, ITEM_KEYS, where)
        if not item.get("id") or not ("content_html" in item or "content_text" in item):
            found.append(f"{where}: id and content are required")
        found += [
            f"{where}: {name}" for name in ("date_published", "date_modified") if not RFC_3339.fullmatch(item.get(name, ""))
        ]
        found += [f"{where}: {name}" for name in ("url", "image") if name in item and not _absolute(item[name])]
        found += [f"{where}: language" for _ in "x" if not LANGUAGE.fullmatch(item.get("language", "en"))]
        for one in item.get("attachments", []):
            if (
                not _absolute(one.get("url"))
                or not MEDIA_TYPE.fullmatch(one.get("mime_type", ""))
                or not isinstance(one.get("size_in_bytes", 0), int)
            ):
                found.append(f"{where}: attachment {one}")
        found += _markup(item["content_html"], where) if "content_html" in item else []
    for author in [*feed.get("authors", []), *(one for item in feed["items"] for one in item.get("authors", []))]:
        if not author or not set(author) <= {"name", "url", "avatar"} or not all(author.values()):
            found.append(f"author {author}")
    return found


def _keys(table: dict, known: dict[str, type], where: str) -> list[str]:
    found = []
    for name, value in table.items():
        if name.startswith("_"):
            found += [f"{where}: the extension {name} is no object"] * (not isinstance(value, dict))
        elif name not in known or not isinstance(value, known[name]) or value in ("", None, []) and name != "items":
            found.append(f"{where}: {name} = {value!r}")
    return found
