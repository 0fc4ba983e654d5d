"""Puts feeds, pages and pictures where readers fetch them: whole, atomically, and only what changed."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath

from content.archive import Archive
from content.article import State
from content.errors import DatelineError
from content.settings import ContentSettings, SiteSettings
from feeds.builder import Builder, Format
from feeds.catalogue import Feed, catalogue
from feeds.pages import Pages
from feeds.settings import FeedSettings


class PublishError(DatelineError):
    """The folder that readers fetch from cannot be written."""


@dataclass(slots=True)
class Outcome:
    """What a publish did. Paths are relative to the public folder."""

    feeds: int = 0
    articles: int = 0
    written: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    unchanged: int = 0
    problems: list[str] = field(default_factory=list)


class Shelf:
    """The public folder. With ``dry_run`` it only says what it would do."""

    def __init__(self, folder: Path, *, dry_run: bool = False) -> None:
        self.folder = folder
        self.dry_run = dry_run
        self.outcome = Outcome()
        self._aside = folder / ".dateline-half"

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Keeps a second publisher waiting, and clears away what a killed one left half-written."""
        if self.dry_run:
            yield
            return
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                shutil.rmtree(self._aside, ignore_errors=True)
                yield
                shutil.rmtree(self._aside, ignore_errors=True)
            finally:
                os.close(lock)
        except OSError as error:
            raise PublishError(f"{error.filename or self.folder}: cannot be written ({error.strerror})") from error

    def put(self, path: str, content: bytes) -> bool:
        """Writes a file whole or not at all, unless it holds these bytes already. Says whether it was written."""
        target = self._target(path)
        try:
            if target.stat().st_size == len(content) and target.read_bytes() == content:
                self.outcome.unchanged += 1
                return False
        except OSError:
            pass
        self.outcome.written.append(path)
        if not self.dry_run:
            half = self._half()
            half.write_bytes(content)
            self._into_place(half, target)
        return True

    def copy(self, path: str, source: Path) -> None:
        """Copies a file whose name changes with its content; one that is there already is the same."""
        target = self._target(path)
        if target.exists() or not source.is_file():
            self.outcome.unchanged += target.exists()
            return
        self.outcome.written.append(path)
        if not self.dry_run:
            half = self._half()
            shutil.copyfile(source, half)
            self._into_place(half, target)

    def remove(self, path: str) -> None:
        """Removes a file, and its folder when nothing else is in it."""
        target = self._target(path)
        if not target.is_file():
            return
        self.outcome.removed.append(path)
        if not self.dry_run:
            target.unlink()
            with suppress(OSError):
                target.parent.rmdir()

    def _half(self) -> Path:
        # On the same file system as its place, so that moving it there is one step.
        self._aside.mkdir(exist_ok=True)
        return self._aside / "half"

    @staticmethod
    def _into_place(half: Path, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        half.replace(target)

    def _target(self, path: str) -> Path:
        pure = PurePosixPath(path)
        if pure.is_absolute() or ".." in pure.parts:
            raise PublishError(f"{path!r} lies outside of the public folder")
        return self.folder / pure


class Publisher:
    """Publishes what an archive holds."""

    def __init__(
        self, root: Path, site: SiteSettings, content: ContentSettings, settings: FeedSettings, *, dry_run: bool = False
    ) -> None:
        self.site = site
        self.content = content
        self.settings = settings
        self.builder = Builder(site, settings)
        self.shelf = Shelf(root / settings.folder, dry_run=dry_run)
        self.pages = Pages(root / settings.templates, site) if settings.pages else None

    def publish(
        self,
        archive: Archive,
        now: datetime,
        stale_slugs: list[str],
        progress: Callable[[int, int], None] | None = None,
    ) -> Outcome:
        """Brings the public folder in line with the archive at ``now``.

        ``stale_slugs`` are addresses that articles have left. ``progress`` hears done and total.
        """
        with self.shelf.opened():
            feeds = list(catalogue(archive, self.site, self.settings, now))
            articles = archive.public(now)
            self.shelf.outcome.feeds, self.shelf.outcome.articles = len(feeds) * len(Format), len(articles)
            total, done = len(feeds) + len(articles), 0
            for feed in feeds:
                self._put_feed(feed)
                done += 1
                if progress:
                    progress(done, total)
            for article in articles:
                for media in article.media:
                    self.shelf.copy(media.url_path, Path(media.path))
                if self.pages:
                    path = self._page_path(article.slug)
                    self.shelf.put(path, self.pages.article(article, feeds, path))
                done += 1
                if progress:
                    progress(done, total)
            if self.pages:
                self.shelf.put("index.html", self.pages.front(articles[: self.settings.limit], feeds))
                self.shelf.put("style.css", self.pages.stylesheet())
            self._clear(archive, {article.slug for article in articles}, stale_slugs)
        return self.shelf.outcome

    def _put_feed(self, feed: Feed) -> None:
        for kind in Format:
            built = self.builder.build(feed, kind)
            path = f"{feed.folder}/{kind.file_name}"
            self.shelf.put(path, built.document)
            self.shelf.outcome.problems += [
                f"{path}: {article.title!r} was left out: {reason}" for article, reason in built.left_out
            ]

    def _clear(self, archive: Archive, live: set[str], stale_slugs: list[str]) -> None:
        gone = {one.slug for one in archive.kept() if one.state in (State.WITHDRAWN, State.DRAFT)}
        for slug in sorted((gone | set(stale_slugs)) - live):
            self.shelf.remove(self._page_path(slug))

    def _page_path(self, slug: str) -> str:
        path = self.content.article_path.format(slug=slug)
        return f"{path}index.html" if path.endswith("/") else path
