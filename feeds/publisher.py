"""Brings the public folder in line with the archive, by doing again only what changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from content.archive import Archive
from content.article import Article, State
from content.documents import version_of
from content.settings import ContentSettings, SiteSettings
from feeds.builder import Builder
from feeds.cache import Cache, digest
from feeds.catalogue import catalogue
from feeds.entries import EntryBuilder
from feeds.hubs import HubReport, Hubs
from feeds.run import Run, Step
from feeds.settings import CombinedFeedSettings, FeedSettings
from feeds.shelf import Outcome, Shelf

if TYPE_CHECKING:
    from feeds.pages import Pages


def _pages(folder: Path, site: SiteSettings, content: ContentSettings, settings: FeedSettings) -> Pages:
    from feeds.pages import Pages

    return Pages(folder, site, content, settings)


class Publisher:
    """Publishes what an archive holds."""

    def __init__(
        self,
        root: Path,
        site: SiteSettings,
        content: ContentSettings,
        settings: FeedSettings,
        combined: Sequence[CombinedFeedSettings] = (),
        *,
        dry_run: bool = False,
    ) -> None:
        self.root = root
        self.site = site
        self.content = content
        self.settings = settings
        self.combined = combined
        self.dry_run = dry_run
        self.entries = EntryBuilder(site, settings)
        self.builder = Builder(site, settings, settings.hubs)
        self.shelf = Shelf(root / settings.folder, codings=settings.precompress, dry_run=dry_run)
        self.pages = _pages(root / settings.templates, site, content, settings) if settings.pages else None
        self._cache_path = root / settings.cache
        self._own_cache: Cache | None = None

    def fingerprint(self) -> bytes:
        """Changes when files would come out different although no article changed."""
        facts = (self.entries.fingerprint, self.site, self.content, self.settings, self.combined)
        templates = self.pages.fingerprint if self.pages else b""
        return digest(repr(facts).encode(), templates)

    def preparing(self) -> Callable[[list[Article]], None]:
        """What builds the entries of articles that were just read, in whichever process it is called, for a later publish."""
        # Made here, so that several processes do not make it at once.
        self._cache().close()
        return self._prepare

    def _prepare(self, articles: list[Article]) -> None:
        if self._own_cache is None:
            self._own_cache = self._cache()
        built = []
        for article in articles:
            try:
                if article.state is not State.DRAFT:
                    built.append((self.entries.key(version_of(article)), self.entries.build(article)))
            except ValueError:
                # The publish meets it again, and says so.
                continue
        # Another publisher may have the cache for long; then the publish builds them again.
        with suppress(sqlite3.OperationalError), self._own_cache.session():
            self._own_cache.keep_entries(built)

    def publish(
        self,
        archive: Archive,
        now: datetime,
        progress: Callable[[int, int], None] = lambda done, total: None,
        step: Step = nullcontext,
    ) -> Outcome:
        """Brings the public folder in line with the archive at ``now``.

        ``progress`` hears done and total. What is written to the archive's database is written within ``step``.
        """
        with self.shelf.opened():
            cache = self._cache()
            try:
                with cache.session(keep=not self.dry_run):
                    Run(self, archive, cache, now, progress, step).go()
            finally:
                cache.close()
                self.shelf.close()
        return self.shelf.outcome

    def check(self, article: Article) -> None:
        """Renders every kind of page with an article. Raises ``DatelineError`` for what is wrong with the templates."""
        if self.pages:
            self.pages.check(article, catalogue([], self.site, self.settings, self.combined))

    def outputs(self) -> list[tuple[str, int, int]]:
        """Every file that was put into the public folder: path, bytes, time of change (ns). Archive documents are left out."""
        cache = self._cache()
        try:
            found = [*cache.files(of_articles=False).values(), *cache.files(of_articles=True).values()]
            return [(one.path, one.size, one.mtime_ns) for one in found]
        finally:
            cache.close()

    def waiting(self) -> int:
        """How many feeds some hub has still to be told of."""
        if not self.settings.hubs:
            return 0
        cache = self._cache()
        try:
            return Hubs(cache.connection, self.settings.hubs).waiting()
        finally:
            cache.close()

    def is_due(self, archive: Archive, now: datetime) -> bool:
        """Whether the time of some article has come since the last publish."""
        if not self._cache_path.exists():
            return archive.count_public(now) > 0
        cache = self._cache()
        try:
            return bool(archive.due_between(cache.progress().moment, now))
        finally:
            cache.close()

    def tell_hubs(self, now: datetime) -> list[HubReport]:
        """Tells hubs what they have not heard yet, of this publish or of earlier ones."""
        if not self.settings.hubs or self.dry_run:
            return []
        cache = self._cache()
        try:
            return Hubs(cache.connection, self.settings.hubs, self.settings.hub_timeout_seconds).tell(now)
        finally:
            cache.close()

    def _cache(self) -> Cache:
        return Cache(self._cache_path, self._place(), dry_run=self.dry_run)

    def _place(self) -> str:
        """Where the public folder lies: from the site's folder if it is within, so that both can be moved together."""
        root, folder = self.root.resolve(), self.shelf.folder.resolve()
        return str(folder.relative_to(root) if folder.is_relative_to(root) else folder)
