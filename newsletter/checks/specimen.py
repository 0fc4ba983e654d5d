"""What do the checks look at: one variant's message as a member gets it, taken apart again by Python's own parser."""

from __future__ import annotations

import email
import email.policy
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from lxml import html
from lxml.html import HtmlElement

from content.article import Article
from content.settings import SiteSettings
from newsletter.checks.source import Source
from newsletter.settings import DigestSettings, NewsletterSettings


@dataclass(frozen=True, slots=True)
class Setting:
    """What is the same for all variants of a digest.

    ``public`` is the folder with the published pages, ``None`` when there is none to look into; ``members`` is how many
    would get the edition.
    """

    site: SiteSettings
    newsletter: NewsletterSettings
    digest: DigestSettings
    public: Path | None
    members: int
    mjml: Source
    txt: Source


@dataclass(frozen=True, slots=True)
class Specimen:
    """One variant's message to one member. ``leave`` is that member's own link for leaving, ``own`` are the other links."""

    setting: Setting
    articles: tuple[Article, ...]
    leave: str
    content: bytes
    message: EmailMessage
    html: str
    text: str
    page: HtmlElement
    own: tuple[str, ...] = ()

    @classmethod
    def of(
        cls, setting: Setting, articles: tuple[Article, ...], leave: str, content: bytes, own: tuple[str, ...] = ()
    ) -> Specimen:
        """Reads a message (RFC 5322) back."""
        message = email.message_from_bytes(content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        markup, text = (_part(message, kind) for kind in ("html", "plain"))
        page = html.document_fromstring(markup if markup.strip() else "<html><body></body></html>")
        return cls(setting, articles, leave, content, message, markup, text, page, own)

    @property
    def subject(self) -> str:
        return str(self.message["Subject"] or "")

    def elements(self, *tags: str) -> Iterator[HtmlElement]:
        """The page's elements of these names in order; comments, which only Outlook reads, are left out."""
        yield from self.page.iter(*tags)

    def article_of(self, element: HtmlElement) -> Article | None:
        """The article whose story ``element`` stands in, when that can be told."""
        for article in self.articles:
            if article.image and element.get("src") == article.image.url:
                return article
        by_url = {article.url: article for article in self.articles}
        around: HtmlElement | None = element
        while around is not None:
            within = {link.get("href") for link in around.iter("a")} & by_url.keys()
            # A story has a cell of the layout to itself.
            if within or around.tag in ("td", "body"):
                return by_url[str(within.pop())] if len(within) == 1 else None
            around = around.getparent()
        return None

    def place(self, element: HtmlElement) -> str:
        """The template's line and, where there is one, the article."""
        article = self.article_of(element)
        line = self.setting.mjml.place(element)
        return f"{line}, {named(article)}" if article else line


def named(article: Article) -> str:
    """How an article is called in a finding."""
    return f"article “{article.title}”"


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body([kind])
    content = part.get_content() if part else ""
    return content if isinstance(content, str) else ""
