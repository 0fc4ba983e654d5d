"""What one publish does for people: pages, pictures, and where pages have gone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from content.archive import Version
from content.article import Article
from content.documents import version_of
from content.facets import FacetKey, facets_of
from content.media import is_of
from feeds import addresses
from feeds.cache import digest
from feeds.catalogue import Feed, Scope
from feeds.shelf import Placed
from feeds.world_map import WINDOW

if TYPE_CHECKING:
    from feeds.pages import Pages
    from feeds.run import Run

LISTED = 30
"""Articles on a feed's own page."""


class PageRun:
    """The part of a publish (``run``) that writes pages and pictures."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.archive, self.cache, self.shelf, self.now = run.archive, run.cache, run.shelf, run.now
        self.pages: Pages | None = run.pages
        self._left: set[str] = set()
        """Pictures that an article had, or may have had, and has no more."""

    def put_articles(self, progress: Callable[[int], None]) -> None:
        """Writes the pages and pictures of the articles that changed, and takes away those that are not to be seen."""
        run = self.run
        known = self.cache.files(of_articles=True) if self.pages else {}
        lost = {one.article for one in known.values() if not self.shelf.holds(Placed(one.path, one.size, one.mtime_ns))}
        by_key = {group[0]: feed for feed in run.feeds if feed.scope is not Scope.COMBINED for group in feed.groups}
        # Without pages only what has pictures is to be done.
        changed = run.changed if self.pages else self._pictured(run.changed)
        work = dict.fromkeys([*changed, *(number for number in lost if number is not None), *self._robbed()])
        seen: set[str] = set()
        for done, number in enumerate(work, start=1):
            (article,) = self.archive.articles([number])
            is_public = article.is_public(self.now)
            self._put_media(number, article, is_public=is_public)
            if self.pages:
                path = self.pages.path_of(article)
                if is_public:
                    seen.add(path)
                    made_of = digest(run.fingerprint, version_of(article))
                    if path not in known or known[path].key != made_of or number in lost:
                        page = self.pages.article(article, _feeds_of(article, run.feeds[0], by_key), path)
                        run.note(self.shelf.put({path: page}), made_of, number)
                    run.wanted.add(path)
                for old in {*self.cache.pages_of(number), *self._lost_pages(number, article)}:
                    if old != path or not is_public:
                        self.cache.forget(old)
                        if old not in seen:
                            self.shelf.remove(old)
            progress(done)
        self._put_media_away()

    def _lost_pages(self, number: int, article: Article) -> list[str]:
        """Where an article's page may lie, unknown to the cache because that was lost, and is not to be seen."""
        assert self.pages
        slugs = [article.slug, *self.archive.left_slugs(number)]
        return [self.pages.path_at(slug) for slug in slugs if not self.archive.has_public(slug, self.now)]

    def _pictured(self, numbers: Iterable[int]) -> list[int]:
        """Those of the articles that have pictures, or had some."""
        numbers = list(numbers)
        return list(dict.fromkeys([*self.archive.with_media(numbers), *self.cache.with_media(numbers)]))

    def _robbed(self) -> list[int]:
        """The articles whose pictures do not lie where they belong: they were taken away, or could not be put there."""
        return self.cache.articles_with(path for path in self.cache.media() if not self.run.holds(path))

    def _put_media(self, number: int, article: Article, *, is_public: bool) -> None:
        """Lays an article's pictures beside its page, and notes those that it has no more."""
        run = self.run
        own = {media.url_path: media for media in article.media}
        wanted = own if is_public else {}
        # An article's own besides those known of it, because the cache may have been lost.
        self._left |= {*self.cache.media_of(number), *own} - {*wanted}
        for path, media in wanted.items():
            if path in run.wanted or run.holds(path):
                run.wanted.add(path)
                continue
            source = run.publisher.root / media.path
            placed = self.shelf.copy(path, source, lambda half, media=media: is_of(half, media))  # type: ignore[misc]
            if placed:
                run.note([placed], b"")
            elif self.shelf.dry_run:
                run.wanted.add(path)
            else:
                what = f"the picture {source} of {article.title!r} is not there any more, or is another than when it was read"
                self.shelf.outcome.problems.append(f"{what}: publish again")
        self.cache.note_media(number, list(wanted))

    def _put_media_away(self) -> None:
        """Takes the pictures away that nobody has any more."""
        for path in sorted(self._left):
            if not self.cache.articles_with([path]):
                self.cache.forget(path)
                self.shelf.remove(path)

    def put_pages(self, affected: Iterable[Feed]) -> None:
        """Writes the pages that list articles and feeds."""
        run, pages = self.run, self.pages
        if not pages:
            return
        counts = {folder: state.count for folder, state in run.states.items()}
        for feed in self._listing_feeds(affected):
            newest = self.archive.newest(feed.groups, self.now, LISTED)
            beside = [(one.title, counts.get(one.folder)) for one in run.feeds if is_related(one, feed)]
            made_of = digest(run.fingerprint, repr((newest, feed.title, counts.get(feed.folder), beside)).encode())
            path = f"{feed.page}index.html"
            if not run.is_made_of(path, made_of):
                articles = self.archive.articles(one.number for one in newest)
                run.note(self.shelf.put({path: pages.feed(feed, articles, run.feeds, counts)}), made_of)
        newest = self.archive.newest([], self.now, run.settings.limit)
        fresh = self._fresh(newest)
        facts = repr((newest, [(feed.folder, feed.title, counts[feed.folder], fresh.get(feed.folder)) for feed in run.feeds]))
        made_of = digest(run.fingerprint, facts.encode())
        # A feed that has lost its last article stays for its readers, but is not offered to others.
        listed = [feed for feed in run.feeds if counts[feed.folder] or feed.scope in (Scope.SITE, Scope.COMBINED)]
        files: dict[str, Callable[[], bytes]] = {
            "index.html": lambda: pages.front(self.archive.articles(one.number for one in newest), run.feeds, counts),
            "feeds/index.html": lambda: pages.feeds(listed, counts),
            "feeds/index.opml": lambda: pages.opml(listed),
            "regions/index.html": lambda: pages.map(
                run.feeds, counts, fresh, next(iter(self.archive.articles(one.number for one in newest[:1])), None)
            ),
        }
        for path, make in files.items():
            if not run.is_made_of(path, made_of):
                run.note(self.shelf.put({path: make()}), made_of)
        for path, content in pages.assets().items():
            run.put_made(path, content)

    def _fresh(self, newest: Sequence[Version]) -> dict[str, int]:
        """How many articles of late the feed of each country has, by its folder."""
        if not newest:
            return {}
        until = newest[0].published
        return {
            feed.folder: self.archive.count_between(feed.groups[0][0], until - WINDOW, until)
            for feed in self.run.feeds
            if feed.is_country
        }

    def _listing_feeds(self, affected: Iterable[Feed]) -> list[Feed]:
        """The feeds whose pages may be other than they were: those with news, those beside others with news, those lost."""
        run = self.run
        stale = {feed.folder for feed in affected}
        counted = [feed for feed in run.feeds if feed.folder in run.recounted and feed.region]
        return [
            feed
            for feed in run.feeds
            if feed.scope is not Scope.SITE
            and (
                feed.folder in stale or any(is_related(one, feed) for one in counted) or not run.holds(f"{feed.page}index.html")
            )
        ]

    def put_addresses(self) -> None:
        """Writes down where pages have gone, for web servers to answer."""
        gone, moved = self.archive.addresses(self.now)
        path = self.run.publisher.content.article_path
        left = addresses.files(
            [f"/{path.format(slug=slug)}" for slug in gone],
            {f"/{path.format(slug=slug)}": f"/{path.format(slug=target)}" for slug, target in moved.items()},
        )
        for name, content in left.items():
            if gone or moved or (self.shelf.folder / name).exists():
                self.run.put_made(name, content)


def is_related(one: Feed, other: Feed) -> bool:
    """Whether a feed's page names another feed: its region lies around it or within."""
    from feeds.pages import lies_around

    return lies_around(one, other) or lies_around(other, one)


def _feeds_of(article: Article, of_site: Feed, by_key: dict[FacetKey, Feed]) -> list[Feed]:
    return [of_site, *(by_key[key] for key, _ in facets_of(article) if key in by_key)]
