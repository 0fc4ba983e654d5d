"""A whole HTML page as an article: what its head says of it, and which part of it is the story."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import cast

from lxml import etree, html

_BY = re.compile(r"^by:?\s+", re.IGNORECASE)
_NOT_STORY = ("script", "style", "nav", "aside", "form", "noscript", "template", "button", "iframe[@hidden]")


@dataclass(frozen=True, slots=True)
class Page:
    """What an HTML page says of itself, in the field names of front matter, and its story as raw HTML."""

    fields: dict[str, str]
    body: str
    title_line: int


# Where pages say what, most telling first. Each is (field, XPath that yields strings).
_FACTS = (
    ("title", "//meta[@property='og:title']/@content"),
    ("title", "//title"),
    ("summary", "//meta[@name='description']/@content"),
    ("summary", "//meta[@property='og:description']/@content"),
    ("published", "//meta[@property='article:published_time' or @name='date' or @itemprop='datePublished']/@content"),
    ("published", "//article//time/@datetime | //time/@datetime"),
    ("updated", "//meta[@property='article:modified_time' or @itemprop='dateModified']/@content"),
    ("author", "//meta[@name='author']/@content"),
    ("author", "//*[@rel='author' or @itemprop='author' or contains(concat(' ', @class, ' '), ' byline ')]"),
    ("section", "//meta[@property='article:section']/@content"),
    ("tags", "//meta[@name='keywords' or @name='news_keywords']/@content"),
    ("canonical_url", "//link[@rel='canonical']/@href"),
    ("image", "//meta[@property='og:image']/@content"),
    ("image_alt", "//meta[@property='og:image:alt']/@content"),
    ("language", "/html/@lang"),
    ("regions", "//meta[@name='regions']/@content"),
)

_HEAD = re.compile(r"<head(?:\s[^>]*)?>", re.IGNORECASE)


def with_regions(text: str, codes: Sequence[str]) -> str | None:
    """A page that says its regions in its head; ``None`` when it has none. All else stays as it is."""
    head = _HEAD.search(text)
    said = f'<meta name="regions" content="{", ".join(codes)}">'
    return f"{text[: head.end()]}{said}{text[head.end() :]}" if head else None


def read_page(text: str) -> Page:
    """Takes an HTML document or fragment apart. Never raises: a parser for tag soup reads anything."""
    if not text.strip():
        return Page({}, "", 1)
    try:
        root = html.document_fromstring(text.encode("utf-8"), parser=html.HTMLParser(encoding="utf-8", huge_tree=True))
    except etree.ParserError:
        return Page({}, "", 1)
    story = _story(root)
    fields: dict[str, str] = {}
    title_line = 1
    # The story's own heading before any other of the page.
    for heading in (*_find(story, ".//h1"), *_find(root, "//h1")):
        if isinstance(heading, html.HtmlElement) and (said := " ".join(heading.text_content().split())):
            fields["title"], title_line = said, heading.sourceline or 1
            break
    for name, path in _FACTS:
        if name in fields:
            continue
        for found in _find(root, path):
            said = found.text_content() if isinstance(found, html.HtmlElement) else str(found)
            said = " ".join(said.split())
            if name == "author":
                said = _BY.sub("", said)
            if said:
                fields[name] = said
                if name == "title" and isinstance(found, html.HtmlElement):
                    title_line = found.sourceline or 1
                break
    return Page(fields, _markup(story, fields.get("title", "")), title_line)


def _find(root: html.HtmlElement, path: str) -> list[html.HtmlElement | str]:
    return cast("list[html.HtmlElement | str]", root.xpath(path))


def _story(root: html.HtmlElement) -> html.HtmlElement:
    candidates = cast(
        "list[html.HtmlElement]", root.xpath("//article") or root.xpath("//main") or root.xpath("//body") or [root]
    )
    return max(candidates, key=lambda element: len(element.text_content()))


def _markup(story: html.HtmlElement, title: str) -> str:
    for name in _NOT_STORY:
        for element in story.xpath(f".//{name}"):
            element.drop_tree()
    for heading in story.xpath(".//h1"):
        # The title is shown apart; a second one above the story would only repeat it.
        if " ".join(heading.text_content().split()) == title:
            heading.drop_tree()
            break
    inner = [html.tostring(child, encoding="unicode") for child in story]
    return escape(story.text or "", quote=False) + "".join(inner)
