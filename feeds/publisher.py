"""Brings the public folder in line with the archive, by doing again only what changed."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from content.archive import Archive
from content.article import Article, State
from content.documents import version_of
from content.settings import ContentSettings, SiteSettings
from content.sqlite import BUSY_SECONDS
from feeds.builder import Builder
from feeds.cache import Cache, digest, discard, is_damage
from feeds.catalogue import catalogue
from feeds.entries import EntryBuilder
from feeds.hubs import HubReport, Hubs
from feeds.run import Run, Step
from feeds.settings import CombinedFeedSettings, FeedSettings
from feeds.shelf import Outcome, Shelf

if TYPE_CHECKING:
    from feeds.pages import Pages

ENTRIES_PATIENCE = 1.0
"""Seconds to wait for a place in the cache for entries, which can be built later as well."""
HUBS_PATIENCE = 5.0
"""Seconds to wait for the cache before hubs are left to a later run."""


def _pages(folder: Path, site: SiteSettings, content: ContentSettings, settings: FeedSettings, join_path: str) -> Pages:
    from feeds.pages import Pages

    return Pages(folder, site, content, settings, join_path)


class Publisher:
    """Publishes what an archive holds. ``join_path`` is as in :class:`feeds.pages.Pages`."""

    def __init__(
        self,
        root: Path,
        site: SiteSettings,
        content: ContentSettings,
        settings: FeedSettings,
        combined: Sequence[CombinedFeedSettings] = (),
        *,
        dry_run: bool = False,
        join_path: str = "",
    ) -> None:
        self.root = root
        self.site = site
        self.content = content
        self.settings = settings
        self.combined = combined
        self.dry_run = dry_run
        self.join_path = join_path
        self.entries = EntryBuilder(site, settings)
        self.builder = Builder(site, settings, settings.hubs)
        self.shelf = Shelf(root / settings.folder, codings=settings.precompress, dry_run=dry_run)
        self.pages = _pages(root / settings.templates, site, content, settings, join_path) if settings.pages else None
        self._cache_path = root / settings.cache
        self._own_cache: Cache | None = None

    def fingerprint(self) -> bytes:
        """Changes when files would come out different although no article changed."""
        facts = (self.entries.fingerprint, self.site, self.content, self.settings, self.combined, self.join_path)
        templates = self.pages.fingerprint if self.pages else b""
        return digest(repr(facts).encode(), templates)

    def preparing(self) -> Callable[[list[Article]], None]:
        """What builds the entries of articles that were just read, in whichever process it is called, for a later publish."""
        # Made here, so that several processes do not make it at once.
        self._cache().close()
        return self._prepare

    def _prepare(self, articles: list[Article]) -> None:
        built = []
        for article in articles:
            try:
                if article.state is not State.DRAFT:
                    built.append((self.entries.key(version_of(article)), self.entries.build(article)))
            except ValueError:
                # The publish meets it again, and says so.
                continue
        # Another publisher may have the cache for long, or it is damaged; then the publish builds them again.
        with suppress(sqlite3.DatabaseError):
            self._own_cache = self._own_cache or self._cache(ENTRIES_PATIENCE)
            with self._own_cache.session():
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
        with self.shelf.opened(), closing(self.shelf):
            try:
                self._publish(archive, now, progress, step)
            except sqlite3.DatabaseError as error:
                if not is_damage(error):
                    raise
                self._lose_cache()
                self.shelf.start_over()
                self._publish(archive, now, progress, step)
        return self.shelf.outcome

    def _publish(self, archive: Archive, now: datetime, progress: Callable[[int, int], None], step: Step) -> None:
        with closing(self._cache()) as cache, cache.session(keep=not self.dry_run):
            Run(self, archive, cache, now, progress, step).go()

    def _lose_cache(self) -> None:
        if self.dry_run:
            self._cache_path = Path(":memory:")
        else:
            discard(self._cache_path)

    def check(self, article: Article) -> None:
        """Renders every kind of page with an article. Raises ``DatelineError`` for what is wrong with the templates."""
        if self.pages:
            self.pages.check(article, catalogue([], self.site, self.settings, self.combined))

    def outputs(self) -> list[tuple[str, int, int]]:
        """Every file that was put into the public folder: path, bytes, time of change (ns). Archive documents are left out."""
        with closing(self._cache()) as cache:
            found = [*cache.files(of_articles=False).values(), *cache.files(of_articles=True).values()]
            return [(one.path, one.size, one.mtime_ns) for one in found]

    def waiting(self) -> int:
        """How many feeds some hub has still to be told of."""
        if not self.settings.hubs:
            return 0
        with closing(self._cache()) as cache:
            return Hubs(cache.connection, self.settings.hubs).waiting()

    def is_due(self, archive: Archive, now: datetime) -> bool:
        """Whether the time of some article has come since the last publish."""
        if not self._cache_path.exists():
            return archive.count_public(now) > 0
        with closing(self._cache()) as cache:
            return bool(archive.due_between(cache.progress().moment, now))

    def tell_hubs(self, now: datetime) -> list[HubReport]:
        """Tells hubs what they have not heard yet, of this publish or of earlier ones."""
        if not self.settings.hubs or self.dry_run:
            return []
        with closing(self._cache(HUBS_PATIENCE)) as cache:
            return Hubs(cache.connection, self.settings.hubs, self.settings.hub_timeout_seconds).tell(now)

    def _cache(self, patience: float = BUSY_SECONDS) -> Cache:
        return Cache(self._cache_path, self._place(), dry_run=self.dry_run, patience=patience)

    def _place(self) -> str:
        """Where the public folder lies: from the site's folder if it is within, so that both can be moved together."""
        root, folder = self.root.resolve(), self.shelf.folder.resolve()
        return str(folder.relative_to(root) if folder.is_relative_to(root) else folder)
