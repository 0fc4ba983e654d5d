"""An article's page and the front page, from the site's templates."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from content.article import Article, Image
from content.dates import shown_date
from content.errors import DatelineError
from content.settings import SiteSettings
from feeds.builder import Format
from feeds.catalogue import Feed


class PageError(DatelineError):
    """A template is missing or wrong."""


@dataclass(frozen=True, slots=True)
class SiteView:
    """The publication, as templates see it."""

    title: str
    url: str
    description: str
    language: str
    home_url: str


@dataclass(frozen=True, slots=True)
class RegionView:
    name: str
    code: str
    feed_url: str


@dataclass(frozen=True, slots=True)
class AuthorView:
    name: str
    biography: str
    url: str


@dataclass(frozen=True, slots=True)
class SourceView:
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class ArticleView:
    """An article, as the page templates see it. Everything but ``body`` is plain text."""

    title: str
    summary: str
    body: Markup
    url: str
    section: str
    byline: str
    tags: list[str]
    authors: list[AuthorView]
    regions: list[RegionView]
    published_iso: str
    published_text: str
    date_text: str
    updated_iso: str
    updated_text: str
    reading_text: str
    language: str
    image: Image | None
    sources: list[SourceView]


@dataclass(frozen=True, slots=True)
class FeedView:
    """A feed to follow: a title and an address for each format."""

    title: str
    atom_url: str
    rss_url: str
    count: int


@dataclass(frozen=True, slots=True)
class LinkView:
    """One document for autodiscovery."""

    title: str
    url: str
    type: str


class Pages:
    """Renders pages from the templates in ``folder``. Templates are sandboxed and see only these views."""

    def __init__(self, folder: Path, site: SiteSettings) -> None:
        self.site = site
        self.folder = folder
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._own = re.compile(rf'(<a [^>]*?href="|<img [^>]*?src="){re.escape(site.url)}/')
        self._site_view = SiteView(site.title, site.url, site.description, site.language, f"{site.url}/")

    def article(self, article: Article, feeds: list[Feed], path: str) -> bytes:
        """The page of an article at ``path`` below the site; ``feeds`` are all there are, of which it names its own."""
        own = [feed for feed in feeds if feed.region is None or any(feed.region.contains(place) for place in article.regions)]
        root = "../" * path.count("/") or "./"
        return self._render("article.html", root, article=self._view(article), feeds=self._links(own))

    def front(self, articles: list[Article], feeds: list[Feed]) -> bytes:
        """The front page: the newest articles and the feeds that have news."""
        shown = [
            FeedView("All the news" if feed.region is None else feed.region.name, *self._addresses(feed), feed.count)
            for feed in feeds
            if feed.count or feed.region is None
        ]
        return self._render("index.html", "./", articles=[self._view(article) for article in articles], feeds=shown)

    def stylesheet(self) -> bytes:
        try:
            return (self.folder / "style.css").read_bytes()
        except OSError as error:
            raise PageError(
                f"{error.filename}: cannot be read ({error.strerror}); `dateline init` lays out a new one"
            ) from None

    def _render(self, name: str, root: str, **views: object) -> bytes:
        try:
            template = self._environment.get_template(name)
            page = template.render(site=self._site_view, stylesheet_url=f"{root}style.css", **views)
        except TemplateError as error:
            where = f"{self.folder / (getattr(error, 'filename', None) or name)}"
            line = getattr(error, "lineno", None)
            raise PageError(f"{where}{f':{line}' if line else ''}: {error.message}") from None
        # What people click and see is relative, so that the pages work from any place they are looked at.
        return self._own.sub(lambda match: match[1] + root, page).encode("utf-8")

    def _addresses(self, feed: Feed) -> tuple[str, str]:
        atom, rss = (self.site.absolute(f"{feed.folder}/{kind.file_name}") for kind in (Format.ATOM, Format.RSS))
        return atom, rss

    def _links(self, feeds: list[Feed]) -> list[LinkView]:
        return [
            LinkView(f"{feed.title} ({kind.name.title() if kind is Format.ATOM else 'RSS'})",
                     self.site.absolute(f"{feed.folder}/{kind.file_name}"), kind.media_type)
            for feed in feeds for kind in Format
        ]  # fmt: skip

    def _view(self, article: Article) -> ArticleView:
        zone, language = self.site.zone, self.site.language
        published, updated = article.published.astimezone(zone), article.updated.astimezone(zone)
        corrected = updated.date() != published.date()
        date_text = shown_date(published, language)
        return ArticleView(
            title=article.title, summary=article.summary.text, url=article.url,
            body=Markup(article.body),  # noqa: S704 (cleaned when it was read)
            section=article.section, byline=article.byline, tags=list(article.tags),
            authors=[AuthorView(author.name, author.biography, author.url) for author in article.authors],
            regions=[RegionView(place.name, place.code, self.site.absolute(f"feeds/regions/{place.slug}/atom.xml"))
                     for place in article.regions],
            published_iso=published.isoformat(), published_text=date_text, date_text=date_text,
            updated_iso=updated.isoformat(),
            updated_text=shown_date(updated, language) if corrected else "",
            reading_text=f"{article.reading_minutes} min read", language=article.language, image=article.image,
            sources=[SourceView(source.name, source.url) for source in article.sources],
        )  # fmt: skip
