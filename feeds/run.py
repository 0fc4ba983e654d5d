"""One publish, from what changed to the last file."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from content.archive import Archive, Version
from content.documents import version_of
from content.facets import FacetKey, facets_of
from feeds import addresses
from feeds.builder import Head
from feeds.cache import Cache, FeedState, Progress, Written
from feeds.catalogue import Feed, Scope, catalogue
from feeds.entries import Entry, Format, distinct
from feeds.history import PAGE, FeedLog
from feeds.hubs import Hubs
from feeds.shelf import Placed

if TYPE_CHECKING:
    from feeds.publisher import Publisher

Step = Callable[[], AbstractContextManager[None]]
"""Opens a transaction of the archive's database that writes."""


class Run:
    """One publish, from what changed to the last file."""

    def __init__(
        self,
        publisher: Publisher,
        archive: Archive,
        cache: Cache,
        now: datetime,
        progress: Callable[[int, int], None],
        step: Step,
    ) -> None:
        self.publisher, self.site, self.settings = publisher, publisher.site, publisher.settings
        self.entries, self.builder, self.pages, self.shelf = (
            publisher.entries, publisher.builder, publisher.pages, publisher.shelf,
        )  # fmt: skip
        self.archive, self.cache, self.now, self.progress, self.step = archive, cache, now, progress, step
        self.revision = archive.revision
        self.before = cache.progress()
        self.fingerprint = publisher.fingerprint()
        self.archives = digest(self.site.url.encode())
        self.states = cache.feed_states()
        self.files = cache.files(of_articles=False)
        self.feeds = catalogue(archive.facets(), self.site, self.settings, publisher.combined)
        self.everything = (
            self.fingerprint != self.before.fingerprint or now < self.before.moment or not self._intact(self.feeds[0])
        )
        self.changed = self._changed()
        self._filed: dict[int, frozenset[FacetKey]] = {}
        self._refused: set[bytes] = set()

    def go(self) -> None:
        outcome = self.shelf.outcome
        affected = [feed for feed in self.feeds if self._is_affected(feed)]
        with self.step():
            logs = {feed.folder: self._log(feed) for feed in affected if self._has_history(feed)}
        total = len(affected) + len(self.changed)
        touched = []
        for number, feed in enumerate(affected, start=1):
            if self._put_feed(feed, logs.get(feed.folder)):
                touched.append(feed)
            self.progress(number, total)
        self.feeds = [feed for feed in self.feeds if feed.folder in self.states]
        outcome.feeds = len(self.feeds) * len(Format)
        outcome.articles = self.archive.count_public(self.now)
        outcome.unchanged += (len(self.feeds) - len(touched)) * len(Format)
        self._put_articles(lambda done: self.progress(len(affected) + done, total))
        if self.pages:
            self._put_pages(touched)
        self._put_addresses()
        with self.step():
            for log in logs.values():
                log.settled()
        self._tidy()
        self.cache.note_progress(Progress(self.revision, self.now, self.fingerprint, self.archives))

    # What is to be done

    def _changed(self) -> list[int]:
        """The articles that changed since the last publish, or whose time has come since."""
        if self.everything:
            return self.archive.changed_since(0)
        due = self.archive.due_between(self.before.moment, self.now)
        return list(dict.fromkeys([*self.archive.changed_since(self.before.revision), *due]))

    def _is_affected(self, feed: Feed) -> bool:
        if self.everything or feed.revision > self.before.revision:
            return True
        return any(self._is_in(number, feed) for number in self.changed) or not self._intact(feed)

    def _is_in(self, number: int, feed: Feed) -> bool:
        """Whether a changed article is to be seen in a feed."""
        if number not in self._filed:
            (article,) = self.archive.articles([number])
            public = article.is_public(self.now)
            self._filed[number] = frozenset(key for key, _ in facets_of(article)) if public else frozenset()
        filed = self._filed[number]
        return bool(filed) and all(any(key in filed for key in group) for group in feed.groups)

    def _intact(self, feed: Feed) -> bool:
        """Whether a feed's files lie where they were put; a feed without news that was never there lies nowhere."""
        if feed.folder not in self.states:
            return feed.scope is not Scope.SITE
        return all(self._holds(path) for path in self._paths(feed))

    def _holds(self, path: str) -> bool:
        known = self.files.get(path)
        return known is not None and self.shelf.holds(Placed(path, known.size, known.mtime_ns))

    def _paths(self, feed: Feed) -> list[str]:
        return [f"{feed.folder}/{kind.file_name}" for kind in Format]

    # Feeds

    def _has_history(self, feed: Feed) -> bool:
        wanted = self.settings.archives
        return wanted == "all" or (wanted == "site" and feed.scope is Scope.SITE)

    def _log(self, feed: Feed) -> FeedLog:
        """Brings a feed's history up to date."""
        log = FeedLog(self.archive.connection, feed.folder)
        if not log.length:
            log.fill(self.archive.newest(feed.groups, self.now)[::-1])
            return log
        members = [number for number in self.changed if self._is_in(number, feed)]
        log.take_out(set(self.changed) - set(members))
        log.append(self.archive.versions(members))
        return log

    def _put_feed(self, feed: Feed, log: FeedLog | None) -> bool:
        """Writes a feed's documents; says whether they changed."""
        limit = self.settings.limit
        versions = self.archive.newest(feed.groups, self.now, limit)
        count = len(versions) if len(versions) < limit else self.archive.count(feed.groups, self.now)
        if not count and not self._is_wanted_empty(feed):
            return False
        state = self.states.get(feed.folder, FeedState(0, 0))
        older = self._put_history(feed, log, state, versions) if log else ""
        self.states[feed.folder] = FeedState(count, log.full_pages if log else 0)
        self.cache.note_feed(feed.folder, self.states[feed.folder])
        updated, published = self._dates(feed, versions)
        head = Head(feed, feed.folder, updated, published, older)
        return self._put_documents(head, versions, note=True)

    def _is_wanted_empty(self, feed: Feed) -> bool:
        """An empty feed is kept up for the readers it had, but none is opened for news that is not out yet."""
        declared = feed.scope in (Scope.SITE, Scope.COMBINED)
        return declared or feed.folder in self.states or (self.shelf.folder / self._paths(feed)[0]).exists()

    def _put_history(self, feed: Feed, log: FeedLog, state: FeedState, current: Sequence[Version]) -> str:
        """Writes the archive documents that are new or lost an entry; the folder of the newest, empty when there is none."""
        full, rest = divmod(log.length, PAGE)
        written = state.pages if self.archives == self.before.archives and self._has_page(feed, state.pages) else 0
        for number in sorted({*log.stale(), *range(written + 1, full + 1)} - {full + 1}):
            self._put_page(feed, log, number)
        tail = full + 1
        if rest and (self._has_page(feed, tail) or not set(log.page(tail).articles) <= {one.number for one in current}):
            self._put_page(feed, log, tail)
            return self._page_folder(feed, tail)
        return self._page_folder(feed, full) if full else ""

    def _put_page(self, feed: Feed, log: FeedLog, number: int) -> None:
        versions = self.archive.versions(log.page(number).articles)
        updated, published = self._dates(feed, versions)
        older = self._page_folder(feed, number - 1) if number > 1 else ""
        head = Head(feed, self._page_folder(feed, number), updated, published, older, archived=True)
        self._put_documents(head, versions, note=False)

    def _page_folder(self, feed: Feed, number: int) -> str:
        return f"{feed.folder}/archive/{number}"

    def _has_page(self, feed: Feed, number: int) -> bool:
        return number == 0 or (self.shelf.folder / self._page_folder(feed, number) / Format.ATOM.file_name).exists()

    def _put_documents(self, head: Head, versions: Sequence[Version], *, note: bool) -> bool:
        made_of = digest(self.fingerprint, repr(head).encode(), *(one.version for one in versions))
        paths = {kind: f"{head.folder}/{kind.file_name}" for kind in Format}
        if note and all(self._is_made_of(path, made_of) for path in paths.values()):
            return False
        if note and self.settings.hubs:
            Hubs(self.cache.connection, self.settings.hubs).note(self.builder.address(head.folder, kind) for kind in Format)
        entries = self._entries(versions)
        documents = {path: self.builder.build(head, kind, [one.of(kind) for one in entries]) for kind, path in paths.items()}
        before = len(self.shelf.outcome.written)
        placed = self.shelf.put(documents)
        if note:
            self._note(placed, made_of)
        return len(self.shelf.outcome.written) > before

    def _dates(self, feed: Feed, versions: Sequence[Version]) -> tuple[datetime, datetime]:
        updated = (distinct(one.updated, one.id, self.site.zone) for one in versions)
        return max(updated, default=feed.changed_at), max((one.published for one in versions), default=feed.changed_at)

    def _entries(self, versions: Sequence[Version]) -> list[Entry]:
        """The versions' kept entries, built now if they are not there; what cannot be built is left out."""
        found = {one.number: self.cache.entry(self.entries.key(one.version)) for one in versions}
        missing = [one for one in versions if found[one.number] is None and one.version not in self._refused]
        for one, article in zip(missing, self.archive.articles(one.number for one in missing), strict=True):
            try:
                entry = found[one.number] = self.entries.build(article)
                self.cache.keep_entries([(self.entries.key(one.version), entry)])
            except ValueError as error:
                self._refused.add(one.version)
                self.shelf.outcome.problems.append(f"{article.title!r} was left out of the feeds: {error}")
        return [entry for entry in found.values() if entry is not None]

    # Pages

    def _put_articles(self, progress: Callable[[int], None]) -> None:
        """Writes the pages and pictures of the articles that changed, and takes away those that are not to be seen."""
        known = self.cache.files(of_articles=True) if self.pages else {}
        lost = [one.article for one in known.values() if not self.shelf.holds(Placed(one.path, one.size, one.mtime_ns))]
        by_key = {group[0]: feed for feed in self.feeds if feed.scope is not Scope.COMBINED for group in feed.groups}
        seen: set[str] = set()
        # Without pages only what has pictures is to be done.
        changed = self.changed if self.pages else self.archive.with_media(self.changed)
        work = list(dict.fromkeys([*changed, *(number for number in lost if number is not None)]))
        for done, number in enumerate(work, start=1):
            (article,) = self.archive.articles([number])
            path = self.pages.path_of(article) if self.pages else ""
            if article.is_public(self.now):
                seen.add(path)
                for media in article.media:
                    self.shelf.copy(media.url_path, Path(media.path))
                if self.pages:
                    made_of = digest(self.fingerprint, version_of(article))
                    if path not in known or known[path].key != made_of or number in lost:
                        feeds = [self.feeds[0], *(by_key[key] for key, _ in facets_of(article) if key in by_key)]
                        self._note(self.shelf.put({path: self.pages.article(article, feeds, path)}), made_of, number)
            for old in self.cache.pages_of(number):
                if old != path or not article.is_public(self.now):
                    self.cache.forget(old)
                    if old not in seen:
                        self.shelf.remove(old)
            progress(done)

    def _put_pages(self, touched: Iterable[Feed]) -> None:
        """Writes the pages that list articles and feeds."""
        assert self.pages
        counts = {folder: state.count for folder, state in self.states.items()}
        for feed in self.feeds:
            path = f"{feed.page}index.html"
            if feed.scope is not Scope.SITE and (self.everything or feed in touched or not self._holds(path)):
                articles = self.archive.articles(one.number for one in self.archive.newest(feed.groups, self.now, LISTED))
                self._put_made(path, self.pages.feed(feed, articles, self.feeds, counts))
        newest = self.archive.newest([], self.now, self.settings.limit)
        facts = repr((newest, [(feed.folder, feed.title, counts[feed.folder]) for feed in self.feeds])).encode()
        made_of = digest(self.fingerprint, facts)
        pages = self.pages
        files: dict[str, Callable[[], bytes]] = {
            "index.html": lambda: pages.front(self.archive.articles(one.number for one in newest), self.feeds, counts),
            "feeds/index.html": lambda: pages.feeds(self.feeds, counts),
            "feeds/index.opml": lambda: pages.opml(self.feeds),
        }
        for path, make in files.items():
            if not self._is_made_of(path, made_of):
                self._note(self.shelf.put({path: make()}), made_of)
        for path, content in self.pages.assets().items():
            self._put_made(path, content)

    def _put_addresses(self) -> None:
        """Writes down where pages have gone, for web servers to answer."""
        gone, moved = self.archive.addresses(self.now)
        path = self.publisher.content.article_path
        left = addresses.files(
            [f"/{path.format(slug=slug)}" for slug in gone],
            {f"/{path.format(slug=slug)}": f"/{path.format(slug=target)}" for slug, target in moved.items()},
        )
        for name, content in left.items():
            if gone or moved or (self.shelf.folder / name).exists():
                self._put_made(name, content)

    def _put_made(self, path: str, content: bytes) -> None:
        self._note(self.shelf.put({path: content}), digest(content))

    def _is_made_of(self, path: str, made_of: bytes) -> bool:
        return path in self.files and self.files[path].key == made_of and self._holds(path)

    def _note(self, placed: Iterable[Placed], made_of: bytes, article: int | None = None) -> None:
        self.cache.note(*(Written(one.path, made_of, one.size, one.mtime_ns, article) for one in placed))

    def _tidy(self) -> None:
        if self.cache.count_entries() > 1000 + self.archive.count_public(self.now) * 5 // 4:
            self.cache.prune(self.entries.key(version) for version in self.archive.all_versions())


LISTED = 30
"""Articles on a feed's own page."""


def digest(*parts: bytes) -> bytes:
    """A hash of 16 bytes over all parts, each with its length."""
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return found.digest()
