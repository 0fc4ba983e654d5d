"""One publish, from what changed to the last file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from content.archive import Archive, Version
from content.facets import FacetKey, facets_of
from feeds.builder import Head
from feeds.cache import Cache, FeedState, Progress, Written, digest
from feeds.catalogue import Feed, Scope, catalogue
from feeds.entries import Entry, Format, distinct
from feeds.history import PAGE, FeedLog
from feeds.hubs import Hubs
from feeds.page_run import PageRun
from feeds.shelf import Placed

if TYPE_CHECKING:
    from feeds.publisher import Publisher

Step = Callable[[], AbstractContextManager[None]]
"""Opens a transaction of the archive's database that writes."""


BEHIND = timedelta(hours=1)
"""A publish takes no longer than this to read its articles."""


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
        self.archive, self.cache, self.progress, self.step = archive, cache, progress, step
        self.revision = archive.revision
        if not _is_of(cache.progress(), archive):
            cache.disown()
        self.before = cache.progress()
        self.now = _not_behind(now, self.before.moment)
        self.fingerprint = publisher.fingerprint()
        self.archives = digest(self.site.url.encode())
        self.states = cache.feed_states()
        self.files = cache.files(of_articles=False)
        self.feeds = catalogue(archive.facets(), self.site, self.settings, publisher.combined)
        changed_rules = self.fingerprint != self.before.fingerprint or self.now < self.before.moment
        self.everything = changed_rules or not self._intact(self.feeds[0])
        self.changed = self._changed()
        self.wanted: set[str] = set()
        """The files that are as they should be, or that were written."""
        self.recounted: set[str] = set()
        """The folders of feeds that have more or fewer articles than before."""
        self._filed: dict[int, frozenset[FacetKey]] = {}
        self._refused: set[bytes] = set()

    def go(self) -> None:
        outcome = self.shelf.outcome
        affected = [feed for feed in self.feeds if self._is_affected(feed)]
        with self.step():
            logs = {feed.folder: self._log(feed) for feed in affected if self._has_history(feed)}
        total = len(affected) + len(self.changed)
        touched = 0
        for number, feed in enumerate(affected, start=1):
            touched += self._put_feed(feed, logs.get(feed.folder))
            self.progress(number, total)
        self.feeds = [feed for feed in self.feeds if feed.folder in self.states]
        outcome.feeds = len(self.feeds) * len(Format)
        outcome.articles = self.archive.count_public(self.now)
        outcome.unchanged += (len(self.feeds) - touched) * len(Format)
        pages = PageRun(self)
        pages.put_articles(lambda done: self.progress(len(affected) + done, total))
        pages.put_pages(affected)
        pages.put_addresses()
        with self.step():
            for log in logs.values():
                log.settled()
        if self.everything:
            self._put_away()
        self._tidy()
        self.cache.note_progress(
            Progress(self.revision, self.archive.mark(self.revision), self.now, self.fingerprint, self.archives)
        )

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
        return all(self.holds(path) for path in self._paths(feed))

    def holds(self, path: str) -> bool:
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
        if state.count != count:
            self.recounted.add(feed.folder)
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
        written = state.pages if self.archives == self.before.archives else 0
        there = self.shelf.folders(f"{feed.folder}/archive")
        lost = [number for number in range(1, written + 1) if str(number) not in there]
        for number in sorted({*log.stale(), *lost, *range(written + 1, full + 1)} - {full + 1}):
            self._put_page(feed, log, number)
        tail = full + 1
        for number in sorted(int(name) for name in there if name.isdecimal() and int(name) > (tail if rest else full)):
            # Of a log that is lost.
            self._remove_page(feed.folder, number)
        if rest and (self._has_page(feed, tail) or not set(log.page(tail)) <= {one.number for one in current}):
            self._put_page(feed, log, tail)
            return self._page_folder(feed, tail)
        return self._page_folder(feed, full) if full else ""

    def _put_page(self, feed: Feed, log: FeedLog, number: int) -> None:
        versions = self.archive.versions(log.page(number))
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
        if note and all(self.is_made_of(path, made_of) for path in paths.values()):
            return False
        if note and self.settings.hubs:
            Hubs(self.cache.connection, self.settings.hubs).note(self.builder.address(head.folder, kind) for kind in Format)
        entries = self._entries(versions)
        documents = {path: self.builder.build(head, kind, [one.of(kind) for one in entries]) for kind, path in paths.items()}
        before = len(self.shelf.outcome.written)
        placed = self.shelf.put(documents)
        if note:
            self.note(placed, made_of)
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

    def put_made(self, path: str, content: bytes) -> None:
        """Writes a file that says itself what it was made of."""
        self.note(self.shelf.put({path: content}), digest(content))

    def is_made_of(self, path: str, made_of: bytes) -> bool:
        """Whether a file lies there and was made of this; then it is kept."""
        known = path in self.files and self.files[path].key == made_of and self.holds(path)
        if known:
            self.wanted.add(path)
        return known

    def note(self, placed: Iterable[Placed], made_of: bytes, article: int | None = None) -> None:
        """Notes files that were put, so that they are known to be there and to be ours."""
        for one in placed:
            self.wanted.add(one.path)
            written = Written(one.path, made_of, one.size, one.mtime_ns, article)
            self.cache.note(written)
            if article is None:
                self.files[one.path] = written

    # What is over

    def _put_away(self) -> None:
        """Takes away what settings of before had written and those of today do not."""
        folders = {feed.folder: feed for feed in self.feeds}
        with self.step():
            for folder, state in list(self.states.items()):
                feed = folders.get(folder)
                if feed is None or not self._has_history(feed):
                    self._put_archives_away(folder, state)
                if feed is None:
                    self.cache.forget_feed(folder)
        for path in [*self.files, *self.cache.files(of_articles=True)]:
            if path not in self.wanted:
                self.shelf.remove(path)
                self.cache.forget(path)

    def _put_archives_away(self, folder: str, state: FeedState) -> None:
        log = FeedLog(self.archive.connection, folder)
        for number in range(1, max(state.pages, log.full_pages) + 2):
            self._remove_page(folder, number)
        log.drop()
        self.cache.note_feed(folder, FeedState(state.count, 0))

    def _remove_page(self, folder: str, number: int) -> None:
        for kind in Format:
            self.shelf.remove(f"{folder}/archive/{number}/{kind.file_name}")

    def _tidy(self) -> None:
        if self.cache.count_entries() > 1000 + self.archive.count_public(self.now) * 5 // 4:
            self.cache.prune(self.entries.key(version) for version in self.archive.all_versions())


def _not_behind(now: datetime, before: datetime) -> datetime:
    """The time of a publish: never just before that of the last one, which may have begun later and been quicker.

    Where the last one is far ahead, the clock was wrong then.
    """
    return before if timedelta(0) < before - now < BEHIND else now


def _is_of(progress: Progress, archive: Archive) -> bool:
    """Whether it was this archive that a publish came so far with, and not one that was lost, or is older than it was."""
    return archive.mark(progress.revision) == progress.mark
