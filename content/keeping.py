"""How articles come into the archive, change in it and leave it, and what it knows of their files."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from content.archive import LIVE, Archive, instant, micros, sql_text
from content.article import Article, State
from content.documents import from_document, hash_of, to_document, version_of
from content.facets import FacetKey, facets_of


@dataclass(frozen=True, slots=True)
class Origin:
    """The file that an article came from, as it was when it was read. Times are nanoseconds since 1970."""

    source: str
    digest: str
    fingerprint: str
    size: int = 0
    mtime_ns: int = 0
    ctime_ns: int = 0
    read_ns: int = 0
    beside: str = ""
    """The files that it leads to, as :func:`content.media.packed` has them."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What the archive knows of an article without opening it."""

    number: int
    id: str
    slug: str
    title: str
    state: State
    published: datetime
    updated: datetime
    source: str
    digest: str


OUTDATED = -2
"""In place of a size: the file was read by other rules."""

_KEPT = """SELECT a.number, a.id, a.slug, a.title, a.state, a.published, a.updated, s.source, s.digest
FROM articles a JOIN article_sources s ON s.number = a.number"""


class Keeper(Archive):
    """The archive for those who bring articles in. :meth:`finish` ends a transaction that changed some."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        super().__init__(connection)
        self._touched: set[int] = set()
        self._revision = 0

    # What an intake asks

    def trusted(self, fingerprint: str, racy_ns: int) -> dict[str, tuple[int, int, int]]:
        """Size and both times of every file whose article is live, by source; a size below 0 means: look at it again.

        Only a file read by the same rules (``fingerprint``, else the size is :data:`OUTDATED`), and not within ``racy_ns`` of
        a change, can be known by its times.
        """
        query = """SELECT s.source, CASE WHEN s.fingerprint <> ? THEN ?
            WHEN max(s.mtime_ns, s.ctime_ns) < s.read_ns - ? THEN s.size ELSE -1 END, s.mtime_ns, s.ctime_ns
            FROM article_sources s JOIN articles a ON a.number = s.number WHERE a.state <> 'withdrawn'"""
        return {row[0]: row[1:] for row in self._connection.execute(query, (fingerprint, OUTDATED, racy_ns))}

    def beside(self) -> list[tuple[str, str]]:
        """The live articles' files that lead to others beside them, each with those as they were when it was read."""
        query = """SELECT s.source, s.beside FROM article_sources s JOIN articles a ON a.number = s.number
            WHERE s.beside <> '' AND a.state <> 'withdrawn'"""
        return self._connection.execute(query).fetchall()

    def dated_slugs(self) -> list[tuple[str, str]]:
        """Sources and slugs of the live articles whose slugs begin with a digit, as those with a date do."""
        query = """SELECT s.source, a.slug FROM articles a JOIN article_sources s ON s.number = a.number
            WHERE a.slug GLOB '[0-9]*' AND a.state <> 'withdrawn'"""
        return self._connection.execute(query).fetchall()

    def from_source(self, source: str) -> Kept | None:
        """The live article that a file holds."""
        return self._kept("WHERE s.source = ? AND a.state <> 'withdrawn'", source)

    def with_slug(self, slug: str) -> Kept | None:
        """The live article at an address."""
        return self._kept("WHERE a.slug = ? AND a.state <> 'withdrawn'", slug)

    def by_number(self, number: int) -> Kept | None:
        return self._kept("WHERE a.number = ?", number)

    def withdrawn_like(self, digest: str, source: str, title: str) -> Kept | None:
        """A withdrawn article of the same bytes, or of the same file and title."""
        return self._kept("WHERE s.digest = ? AND a.state = 'withdrawn'", digest) or self._kept(
            "WHERE s.source = ? AND a.title = ? AND a.state = 'withdrawn'", source, title
        )

    def has_id(self, article_id: str) -> bool:
        return self._connection.execute("SELECT 1 FROM articles WHERE id = ?", (article_id,)).fetchone() is not None

    def _kept(self, condition: str, *values: str | int) -> Kept | None:
        row = self._connection.execute(f"{_KEPT} {condition} LIMIT 1", values).fetchone()
        return _kept(row) if row else None

    # What changes

    def add(self, article: Article, origin: Origin) -> None:
        """Keeps a new article; its id must be free."""
        document = to_document(article)
        cursor = self._connection.execute(
            """INSERT INTO articles (id, slug, state, published, updated, title, version, revision)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (article.id, *self._facts(article, document)),
        )
        number = cursor.lastrowid
        assert number is not None
        self._connection.execute("INSERT INTO article_documents (number, document) VALUES (?, ?)", (number, document))
        self._connection.execute(
            """INSERT INTO article_sources (number, source, digest, fingerprint, size, mtime_ns, ctime_ns, read_ns, beside)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)""",
            (number, *_signature(origin)),
        )
        self._file_under(number, article)

    def replace(self, number: int, article: Article, origin: Origin, now: datetime, *, by_settings: bool = False) -> None:
        """Keeps a new version of an article; the address that it leaves goes on leading to it.

        One that came out different ``by_settings`` alone is no correction, and takes the place of the old in the feeds' logs.
        """
        document = to_document(article)
        if by_settings:
            self._relog(number, hash_of(document))
        old_slug, withdrawn_at = self._leaving(number, now)
        if old_slug != article.slug and withdrawn_at:
            self._connection.execute("INSERT OR REPLACE INTO left_addresses (slug, article) VALUES (?, ?)", (old_slug, number))
        self._connection.execute("DELETE FROM left_addresses WHERE slug = ? AND article = ?", (article.slug, number))
        self._unfile(number)
        self._connection.execute(
            """UPDATE articles SET slug = ?, state = ?, published = ?, updated = ?, title = ?, version = ?, revision = ?,
            withdrawn_at = ? WHERE number = ?""",
            (*self._facts(article, document), None if article.state in LIVE else withdrawn_at, number),
        )
        self._connection.execute("UPDATE article_documents SET document = ? WHERE number = ?", (document, number))
        self.note_origin(number, origin)
        self._file_under(number, article)

    def _relog(self, number: int, version: bytes) -> None:
        """Puts another version in the feeds' logs for the one kept now, where that was logged."""
        logged = "version = (SELECT version FROM articles WHERE number = ?)"
        relog = f"UPDATE feed_log SET version = ? WHERE article = ? AND {logged}"  # noqa: S608
        self._connection.execute(relog, (version, number, number))

    def note_origin(self, number: int, origin: Origin) -> None:
        """Remembers that an article's file was looked at again and says the same."""
        self._connection.execute(
            """UPDATE article_sources SET source = ?, digest = ?, fingerprint = ?, size = ?, mtime_ns = ?, ctime_ns = ?,
            read_ns = ?, beside = ? WHERE number = ?""",
            (*_signature(origin), number),
        )

    def withdraw(self, number: int, now: datetime) -> None:
        """Takes an article out of every feed. Its row and its id stay."""
        _, withdrawn_at = self._leaving(number, now)
        self._unfile(number)
        self._connection.execute(
            "UPDATE articles SET state = 'withdrawn', withdrawn_at = ?, revision = ? WHERE number = ?",
            (withdrawn_at, self._next_revision(), number),
        )

    def _leaving(self, number: int, now: datetime) -> tuple[str, str | None]:
        """An article's slug, and when readers lost it if they lose it now; ``None`` when they never had it."""
        row = self._connection.execute(
            "SELECT slug, state, published, withdrawn_at FROM articles WHERE number = ?", (number,)
        ).fetchone()  # fmt: skip
        was_public = row[1] in LIVE and instant(row[2]) <= now
        return row[0], sql_text(now) if was_public else row[3]

    def finish(self, now: datetime) -> None:
        """Notes under which facets something changed. To be called at the end of a transaction that changed articles."""
        self._connection.executemany(
            "UPDATE facets SET revision = ?, changed_at = ? WHERE id = ?",
            [(self._next_revision(), micros(now), facet) for facet in sorted(self._touched)],
        )
        self._touched.clear()
        self._revision = 0

    def refile(self, now: datetime) -> None:
        """Files every article anew, and hashes its document: for migrations."""
        self._connection.execute("DELETE FROM article_facets")
        for number in self.numbers():
            (article,) = self.articles([number])
            version = version_of(article)
            self._connection.execute("UPDATE articles SET version = ? WHERE number = ?", (version, number))
            self._file_under(number, article)
        # In a migration this change cannot have a mark: their table comes later.
        self._revision = self.revision + 1
        self.finish(now)

    def _facts(self, article: Article, document: bytes) -> tuple[object, ...]:
        version = hash_of(document)
        times = (sql_text(article.published), sql_text(article.updated))
        return article.slug, article.state, *times, article.title, version, self._next_revision()

    def _next_revision(self) -> int:
        if not self._revision:
            self._revision = self.revision + 1
            mark = "INSERT OR REPLACE INTO article_changes (revision, mark) VALUES (?, randomblob(16))"
            self._connection.execute(mark, (self._revision,))
        return self._revision

    def _file_under(self, number: int, article: Article) -> None:
        if article.state not in LIVE:
            return
        published = micros(article.published)
        ids = {self._facet(key, name) for key, name in facets_of(article)}
        self._touched |= ids
        self._connection.executemany("INSERT INTO article_facets VALUES (?, ?, ?)", [(one, published, number) for one in ids])

    def _unfile(self, number: int) -> None:
        (document,) = self._connection.execute("SELECT document FROM article_documents WHERE number = ?", (number,)).fetchone()
        before = from_document(document)
        if before.state not in LIVE:
            return
        ids = [found for key, _ in facets_of(before) if (found := self.facet_id(key))]
        self._touched |= set(ids)
        self._connection.executemany(
            "DELETE FROM article_facets WHERE facet = ? AND published = ? AND article = ?",
            [(one, micros(before.published), number) for one in ids],
        )

    def _facet(self, key: FacetKey, name: str) -> int:
        """The id of a facet, made when it is new. Its slug is given once and stays."""
        if (known := self.facet_id(key)) is not None:
            return known
        slug, number = key.slug, 1
        while self._connection.execute("SELECT 1 FROM facets WHERE kind = ? AND slug = ?", (key.kind, slug)).fetchone():
            number += 1
            slug = f"{key.slug}-{number}"
        cursor = self._connection.execute(
            "INSERT INTO facets (kind, key, name, slug, revision, changed_at) VALUES (?, ?, ?, ?, 0, 0)",
            (key.kind, key.key, name, slug),
        )
        assert cursor.lastrowid is not None
        self._facet_ids[key] = cursor.lastrowid
        return cursor.lastrowid


def _kept(row: tuple[Any, ...]) -> Kept:
    number, article_id, slug, title, state, published, updated, source, digest = row
    return Kept(number, article_id, slug, title, State(state), instant(published), instant(updated), source, digest)


def _signature(origin: Origin) -> tuple[object, ...]:
    return (
        origin.source, origin.digest, origin.fingerprint, origin.size, origin.mtime_ns, origin.ctime_ns, origin.read_ns,
        origin.beside,
    )  # fmt: skip
