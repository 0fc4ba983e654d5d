"""The pages of articles and feeds, the front page and the list of all feeds, from the site's templates."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from content.article import Article, Image
from content.dates import shown_date
from content.errors import DatelineError
from content.regions import lineage, shown_name
from content.settings import ContentSettings, SiteSettings
from feeds.builder import STYLESHEET, Builder
from feeds.catalogue import Feed, Scope
from feeds.entries import Format
from feeds.opml import opml
from feeds.settings import FeedSettings
from feeds.world_map import map_view

if TYPE_CHECKING:
    from content.templates import Templates


class PageError(DatelineError):
    """A file beside the templates is missing."""


@dataclass(frozen=True, slots=True)
class SiteView:
    """The publication, as templates see it."""

    title: str
    url: str
    description: str
    language: str
    home_url: str
    icon_url: str


@dataclass(frozen=True, slots=True)
class RegionView:
    name: str
    code: str
    page_url: str


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
    """A feed to follow: its names, its page and an address for each format. ``level`` is its depth in the tree of regions."""

    title: str
    name: str
    subtitle: str
    page_url: str
    atom_url: str
    rss_url: str
    json_url: str
    count: int
    level: int
    updated_text: str = ""


@dataclass(frozen=True, slots=True)
class GroupView:
    """Feeds of one kind, for the list of all feeds."""

    title: str
    feeds: list[FeedView]


@dataclass(frozen=True, slots=True)
class LinkView:
    """One document for autodiscovery."""

    title: str
    url: str
    type: str


@dataclass(frozen=True, slots=True)
class JoinView:
    """The form for the newsletter on a page: where it is sent, and the page's own address."""

    action: str
    page_url: str


_GROUPS = {
    Scope.SITE: "Everything", Scope.COMBINED: "Collections", Scope.REGION: "Regions", Scope.SECTION: "Sections",
    Scope.AUTHOR: "Authors", Scope.TAG: "Tags",
}  # fmt: skip
INDEX, OPML, MAP = "feeds/", "feeds/index.opml", "regions/"


class Pages:
    """Renders pages from the templates in ``folder``. Templates are sandboxed and see only these views.

    ``join_path`` is where, below the site, the form for the newsletter is sent; without one there is no form.
    """

    def __init__(
        self, folder: Path, site: SiteSettings, content: ContentSettings, settings: FeedSettings, join_path: str = ""
    ) -> None:
        self._join_path = join_path
        self.site = site
        self.folder = folder
        self.content = content
        self.settings = settings
        self.builder = Builder(site, settings)
        self._own = re.compile(rf'(<a [^>]*?href="|<img [^>]*?src="){re.escape(site.url)}/')
        icon = self.builder.picture(settings.icon)
        self._site_view = SiteView(site.title, site.url, site.description, site.language, f"{site.url}/", icon)

    @cached_property
    def fingerprint(self) -> bytes:
        """Changes with any file of the templates' folder, or below it."""
        found = hashlib.blake2b(digest_size=16)
        for path in sorted(path for path in self.folder.rglob("*") if path.is_file()):
            found.update(f"{path.relative_to(self.folder)}\0{path.stat().st_size}\0".encode())
            found.update(path.read_bytes())
        return found.digest()

    @cached_property
    def _templates(self) -> Templates:
        # Loaded when there is something to render.
        from content.templates import Templates

        return Templates(self.folder, autoescape=True)

    def check(self, article: Article, feeds: Sequence[Feed]) -> None:
        """Renders every kind of page once. Raises ``TemplateProblem`` or ``PageError`` for the first that is wrong."""
        counts = {feed.folder: 1 for feed in feeds}
        self.article(article, feeds, self.path_of(article))
        self.feed(feeds[0], [article], feeds, counts)
        self.front([article], feeds, counts)
        self.feeds(feeds, counts)
        self.map(feeds, counts, counts, article)
        self.assets()

    def path_of(self, article: Article) -> str:
        """Where an article's page lies, below the public folder."""
        return self.path_at(article.slug)

    def path_at(self, slug: str) -> str:
        """Where the page of an article with this address lies."""
        path = self.content.article_path.format(slug=slug)
        return f"{path}index.html" if path.endswith("/") else path

    def article(self, article: Article, feeds: Sequence[Feed], path: str) -> bytes:
        """The page of an article at ``path`` below the site; ``feeds`` are those that it is in."""
        return self._render("article.html", path, article=self._view(article), links=self._links(feeds))

    def feed(self, feed: Feed, articles: Sequence[Article], feeds: Sequence[Feed], counts: Mapping[str, int]) -> bytes:
        """The page that shows a feed to people: its newest articles, how to follow it, and the regions around and within."""
        updated = max((article.updated for article in articles), default=feed.changed_at)
        return self._render(
            "feed.html", f"{feed.page}index.html",
            feed=self._feed_view(feed, counts, shown_date(updated.astimezone(self.site.zone), self.site.language)),
            articles=[self._view(article) for article in articles], links=self._links([feed]),
            wider=[self._feed_view(one, counts) for one in feeds if lies_around(one, feed)],
            narrower=[self._feed_view(one, counts) for one in feeds if lies_around(feed, one, next_only=True)],
            index_url=self.site.absolute(INDEX),
        )  # fmt: skip

    def front(self, articles: Sequence[Article], feeds: Sequence[Feed], counts: Mapping[str, int]) -> bytes:
        """The front page: the newest articles, and the feeds of the site and of countries that have news."""
        shown = [feed for feed in feeds if feed.scope is Scope.SITE or (_on_front(feed) and counts[feed.folder])]
        return self._render(
            "index.html", "index.html", articles=[self._view(article) for article in articles],
            feeds=[self._feed_view(feed, counts) for feed in shown], links=self._links(feeds[:1]),
        )  # fmt: skip

    def feeds(self, feeds: Sequence[Feed], counts: Mapping[str, int]) -> bytes:
        """The page that lists all feeds."""
        groups = [
            GroupView(title, [self._feed_view(feed, counts) for feed in found]) for title, found in self._grouped(feeds).items()
        ]
        return self._render(
            "feeds.html", f"{INDEX}index.html", groups=groups, opml_url=self.site.absolute(OPML), links=self._links(feeds[:1])
        )

    def map(self, feeds: Sequence[Feed], counts: Mapping[str, int], fresh: Mapping[str, int], newest: Article | None) -> bytes:
        """The map of where the news of late comes from; ``fresh`` are articles of late by the feeds' folders."""
        until = (newest.published if newest else self.site.owned_from).astimezone(self.site.zone)
        addresses = {
            feed.folder: [self.site.absolute(feed.page), *(self._address(feed, kind) for kind in Format)] for feed in feeds
        }
        return self._render(
            "map.html", f"{MAP}index.html", map=map_view(feeds, fresh, counts, addresses), links=self._links(feeds[:1]),
            until_text=shown_date(until, self.site.language),
        )  # fmt: skip

    def opml(self, feeds: Sequence[Feed]) -> bytes:
        """The same list for feed readers."""
        return opml(self.site.title, self._grouped(feeds), lambda feed: self._address(feed, Format.ATOM), self.builder.home)

    def assets(self) -> dict[str, bytes]:
        """Stylesheets, and the icon and logo when they lie beside the templates, by path below the site."""
        pictures = (self.settings.icon, self.settings.logo)
        own = [name for name in pictures if name and not name.startswith(("http://", "https://"))]
        return {
            "style.css": self._file("style.css"),
            STYLESHEET: self._file("feed.css"),
            **{name: self._file(name) for name in own},
        }

    def _file(self, name: str) -> bytes:
        try:
            return (self.folder / name).read_bytes()
        except OSError as error:
            raise PageError(
                f"{error.filename}: cannot be read ({error.strerror}); `dateline init` lays out a new site to copy it from"
            ) from None

    def _render(self, name: str, path: str, **views: object) -> bytes:
        root = "../" * path.count("/") or "./"
        given: dict[str, object] = {
            "site": self._site_view, "stylesheet_url": f"{root}style.css", "feeds_url": self.site.absolute(INDEX),
            "map_url": self.site.absolute(MAP),
        }  # fmt: skip
        if self._join_path:
            given["join"] = JoinView(root + self._join_path, self.site.absolute(path.removesuffix("index.html")))
        page = self._templates.render(name, given | views)
        # What people click and see is relative, so that the pages work from any place they are looked at.
        return self._own.sub(lambda match: match[1] + root, page).encode("utf-8")

    def _grouped(self, feeds: Iterable[Feed]) -> dict[str, list[Feed]]:
        feeds = list(feeds)
        groups = {title: [feed for feed in feeds if feed.scope is scope] for scope, title in _GROUPS.items()}
        return {title: found for title, found in groups.items() if found}

    def _address(self, feed: Feed, kind: Format) -> str:
        return self.builder.address(feed.folder, kind)

    def _feed_view(self, feed: Feed, counts: Mapping[str, int], updated_text: str = "") -> FeedView:
        level = len(lineage(feed.region)) - 1 if feed.region else 0
        atom, rss, json = (self._address(feed, kind) for kind in Format)
        return FeedView(
            feed.title, feed.name, feed.subtitle, self.site.absolute("" if feed.scope is Scope.SITE else feed.page),
            atom, rss, json, counts.get(feed.folder, 0), level, updated_text,
        )  # fmt: skip

    def _links(self, feeds: Iterable[Feed]) -> list[LinkView]:
        return [
            LinkView(f"{feed.title} ({kind.label})", self._address(feed, kind), kind.media_type)
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
            regions=[RegionView(shown_name(place, language), place.code, self.site.absolute(f"feeds/regions/{place.slug}/"))
                     for place in article.regions],
            published_iso=published.isoformat(), published_text=date_text, date_text=date_text,
            updated_iso=updated.isoformat(),
            updated_text=shown_date(updated, language) if corrected else "",
            reading_text=f"{article.reading_minutes} min read", language=article.language, image=article.image,
            sources=[SourceView(source.name, source.url) for source in article.sources],
        )  # fmt: skip


def lies_around(wider: Feed, feed: Feed, *, next_only: bool = False) -> bool:
    """Whether one feed's region lies around another's; with ``next_only`` only where nothing that could lies between."""
    if not (wider.region and feed.region) or wider.region == feed.region:
        return False
    around = lineage(feed.region)
    return wider.region in (around[1:2] if next_only else around)


def _on_front(feed: Feed) -> bool:
    return feed.scope is Scope.COMBINED or feed.is_country
