"""The articles kept: what was published, under which lasting id, and from which file.

It speaks SQL to the database's own connection, within the transaction that its caller began.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from pydantic import TypeAdapter

from content.article import Article, State
from content.facets import Facet, FacetKey, FacetKind, facets_of
from content.regions import Region

LIVE = (State.PUBLISHED, State.SCHEDULED)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an article in a feed: its number in the archive, its id, the hash of what it says, its dates."""

    number: int
    id: str
    version: bytes
    published: datetime
    updated: datetime


_KEPT = """SELECT a.number, a.id, a.slug, a.title, a.state, a.published, a.updated, s.source, s.digest
FROM articles a JOIN article_sources s ON s.number = a.number"""


class Archive:
    """The articles of a site, within one transaction of ``connection``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._facet_ids: dict[FacetKey, int] = {}
        self._touched: set[int] = set()
        self._revision = 0

    # What is there

    def public(
        self,
        now: datetime,
        *,
        regions: Iterable[Region] = (),
        sections: Iterable[str] = (),
        limit: int | None = None,
    ) -> list[Article]:
        """What readers may see at ``now``, newest first.

        With ``regions`` only what lies in one of them; with ``sections`` (any letter case) only those.
        """
        groups = [[FacetKey(FacetKind.REGION, place.code) for place in regions]]
        groups.append([FacetKey(FacetKind.SECTION, section.casefold()) for section in sections])
        return self.articles(one.number for one in self.newest([group for group in groups if group], now, limit))

    def newest(self, groups: Sequence[Sequence[FacetKey]], now: datetime, limit: int | None = None) -> list[Version]:
        """The newest public articles that lie under one facet of each group, newest first; without groups, of the site."""
        wanted = [[found for key in group if (found := self.facet_id(key))] for group in groups or [[SITE]]]
        if not all(wanted):
            return []
        first, *others = wanted
        conditions = "".join(
            f" AND EXISTS (SELECT 1 FROM article_facets o WHERE o.article = f.article AND o.published = f.published"
            f" AND o.facet IN ({_marks(group)}))"
            for group in others
        )
        distinct = "DISTINCT" if len(first) > 1 else ""
        query = f"""SELECT {distinct} a.number, a.id, a.version, f.published, a.updated
            FROM article_facets f JOIN articles a ON a.number = f.article
            WHERE f.facet IN ({_marks(first)}) AND f.published <= ?{conditions}
            ORDER BY f.published DESC, f.article DESC LIMIT ?"""
        values = (*first, _micros(now), *(one for group in others for one in group), -1 if limit is None else limit)
        return [_version(row) for row in self._connection.execute(query, values)]

    def versions(self, numbers: Iterable[int]) -> list[Version]:
        """The versions of articles with these numbers, in that order."""
        query = "SELECT number, id, version, published, updated FROM articles WHERE number = ?"
        rows = [self._connection.execute(query, (number,)).fetchone() for number in numbers]
        return [Version(row[0], row[1], row[2], _instant(row[3]), _instant(row[4])) for row in rows]

    def count(self, groups: Sequence[Sequence[FacetKey]], now: datetime) -> int:
        """How many :meth:`newest` would find without a limit."""
        if len(groups) > 1 or any(len(group) > 1 for group in groups):
            return len(self.newest(groups, now))
        (key,) = groups[0] if groups else (SITE,)
        query = "SELECT count(*) FROM article_facets WHERE facet = ? AND published <= ?"
        return int(self._connection.execute(query, (self.facet_id(key), _micros(now))).fetchone()[0])

    def count_public(self, now: datetime) -> int:
        return self.count([], now)

    def facets(self) -> list[Facet]:
        """Everything that articles were ever filed under; what only withdrawn ones are under stays, empty."""
        rows = self._connection.execute("SELECT kind, key, name, slug, revision, changed_at FROM facets ORDER BY kind, key")
        return [Facet(FacetKey(FacetKind(row[0]), row[1]), row[2], row[3], row[4], _moment(row[5])) for row in rows]

    def facet_id(self, key: FacetKey) -> int | None:
        if (known := self._facet_ids.get(key)) is not None:
            return known
        row = self._connection.execute("SELECT id FROM facets WHERE kind = ? AND key = ?", key).fetchone()
        if row:
            self._facet_ids[key] = row[0]
        return row[0] if row else None

    def with_ids(self, ids: Iterable[str]) -> list[Article]:
        """The articles with these ids, in that order, whatever their state; unknown ids are passed over."""
        found = []
        for one in ids:
            row = self._connection.execute("SELECT number FROM articles WHERE id = ?", (one,)).fetchone()
            found += self.articles([row[0]]) if row else []
        return found

    def articles(self, numbers: Iterable[int]) -> list[Article]:
        """The articles with these numbers, in that order, whatever their state."""
        query = """SELECT d.document, a.state FROM article_documents d JOIN articles a ON a.number = d.number
            WHERE d.number = ?"""
        rows = (self._connection.execute(query, (number,)).fetchone() for number in list(numbers))
        return [replace(from_document(row[0]), state=State(row[1])) for row in rows if row]

    def kept(self) -> Iterator[Kept]:
        """Every article that was ever kept, withdrawn ones too."""
        for row in self._connection.execute(_KEPT):
            yield _kept(row)

    def with_media(self, numbers: Iterable[int]) -> list[int]:
        """Those of the articles that have files beside them."""
        query = "SELECT number FROM article_documents WHERE number = ? AND instr(document, CAST('\"media\":[]' AS BLOB)) = 0"
        return [number for number in numbers if self._connection.execute(query, (number,)).fetchone()]

    def all_ids(self) -> list[str]:
        """The ids of every article that was ever kept."""
        return [row[0] for row in self._connection.execute("SELECT id FROM articles")]

    # What an intake asks

    def trusted(self, fingerprint: str, racy_ns: int) -> dict[str, tuple[int, int, int]]:
        """Size and both times of every file whose article is live, by source; sizes of -1 mean: look at it again.

        Only a file read by the same rules (``fingerprint``), and not within ``racy_ns`` of a change, can be known by its times.
        """
        query = """SELECT s.source, CASE WHEN s.fingerprint = ? AND max(s.mtime_ns, s.ctime_ns) < s.read_ns - ?
            THEN s.size ELSE -1 END, s.mtime_ns, s.ctime_ns FROM article_sources s JOIN articles a ON a.number = s.number
            WHERE a.state <> 'withdrawn'"""
        return {row[0]: row[1:] for row in self._connection.execute(query, (fingerprint, racy_ns))}

    def from_source(self, source: str) -> Kept | None:
        """The live article that a file holds."""
        return self._kept("WHERE s.source = ? AND a.state <> 'withdrawn'", source)

    def with_slug(self, slug: str) -> Kept | None:
        """The live article at an address."""
        return self._kept("WHERE a.slug = ? AND a.state <> 'withdrawn'", slug)

    def withdrawn_like(self, digest: str, source: str, title: str) -> Kept | None:
        """A withdrawn article of the same bytes, or of the same file and title."""
        return self._kept("WHERE s.digest = ? AND a.state = 'withdrawn'", digest) or self._kept(
            "WHERE s.source = ? AND a.title = ? AND a.state = 'withdrawn'", source, title
        )

    def count_live(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM articles WHERE state <> 'withdrawn'").fetchone()[0])

    def has_id(self, article_id: str) -> bool:
        return self._connection.execute("SELECT 1 FROM articles WHERE id = ?", (article_id,)).fetchone() is not None

    def _kept(self, condition: str, *values: str) -> Kept | None:
        row = self._connection.execute(f"{_KEPT} {condition} LIMIT 1", values).fetchone()
        return _kept(row) if row else None

    # What a publisher asks

    @property
    def revision(self) -> int:
        """The number of the last change."""
        return int(self._connection.execute("SELECT coalesce(max(revision), 0) FROM articles").fetchone()[0])

    def changed_since(self, revision: int) -> list[int]:
        """The numbers of the articles that changed after ``revision``, in the order of publication."""
        query = "SELECT number FROM articles WHERE revision > ? ORDER BY published, number"
        return [row[0] for row in self._connection.execute(query, (revision,))]

    def due_between(self, after: datetime, until: datetime) -> list[int]:
        """The numbers of live articles whose time came after ``after`` and not after ``until``."""
        query = "SELECT article FROM article_facets WHERE facet = ? AND published > ? AND published <= ? ORDER BY published"
        values = (self.facet_id(SITE), _micros(after), _micros(until))
        return [row[0] for row in self._connection.execute(query, values)]

    def next_due(self, now: datetime) -> datetime | None:
        """When the next scheduled article comes out."""
        query = "SELECT min(published) FROM article_facets WHERE facet = ? AND published > ?"
        (micros,) = self._connection.execute(query, (self.facet_id(SITE), _micros(now))).fetchone()
        return None if micros is None else _moment(micros)

    def addresses(self, now: datetime) -> tuple[list[str], dict[str, str]]:
        """Slugs of withdrawn articles, and slugs that were left with the slug that each leads to now."""
        live = "a.state IN ('published', 'scheduled') AND a.published <= ?"
        taken = f"SELECT slug FROM articles a WHERE {live}"
        text = _text(now)
        gone = self._connection.execute(
            f"""SELECT a.slug FROM articles a WHERE a.state = 'withdrawn' AND a.slug NOT IN ({taken}) UNION
            SELECT l.slug FROM left_addresses l JOIN articles a ON a.number = l.article
            WHERE a.state = 'withdrawn' AND l.slug NOT IN ({taken}) ORDER BY 1""",
            (text, text),
        )
        moved = self._connection.execute(
            f"""SELECT l.slug, a.slug FROM left_addresses l JOIN articles a ON a.number = l.article
            WHERE {live} AND l.slug NOT IN ({taken}) ORDER BY 1""",
            (text, text),
        )
        return [row[0] for row in gone], dict(moved)

    def all_versions(self) -> list[bytes]:
        """The versions of all articles as they are now."""
        return [row[0] for row in self._connection.execute("SELECT version FROM articles")]

    @property
    def connection(self) -> sqlite3.Connection:
        return self._connection

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
            """INSERT INTO article_sources (number, source, digest, fingerprint, size, mtime_ns, ctime_ns, read_ns)
            VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
            (number, *_signature(origin)),
        )
        self._file_under(number, article)

    def replace(self, number: int, article: Article, origin: Origin, now: datetime) -> None:
        """Keeps a new version of an article; the address that it leaves goes on leading to it."""
        document = to_document(article)
        (old_slug,) = self._connection.execute("SELECT slug FROM articles WHERE number = ?", (number,)).fetchone()
        if old_slug != article.slug:
            self._connection.execute("INSERT OR REPLACE INTO left_addresses (slug, article) VALUES (?, ?)", (old_slug, number))
        self._connection.execute("DELETE FROM left_addresses WHERE slug = ? AND article = ?", (article.slug, number))
        self._unfile(number)
        withdrawn_at = _text(now) if article.state is State.WITHDRAWN else None
        self._connection.execute(
            """UPDATE articles SET slug = ?, state = ?, published = ?, updated = ?, title = ?, version = ?, revision = ?,
            withdrawn_at = ? WHERE number = ?""",
            (*self._facts(article, document), withdrawn_at, number),
        )
        self._connection.execute("UPDATE article_documents SET document = ? WHERE number = ?", (document, number))
        self.note_origin(number, origin)
        self._file_under(number, article)

    def note_origin(self, number: int, origin: Origin) -> None:
        """Remembers that an article's file was looked at again and says the same."""
        self._connection.execute(
            """UPDATE article_sources SET source = ?, digest = ?, fingerprint = ?, size = ?, mtime_ns = ?, ctime_ns = ?,
            read_ns = ? WHERE number = ?""",
            (*_signature(origin), number),
        )

    def withdraw(self, number: int, now: datetime) -> None:
        """Takes an article out of every feed. Its row and its id stay."""
        self._unfile(number)
        self._connection.execute(
            "UPDATE articles SET state = 'withdrawn', withdrawn_at = ?, revision = ? WHERE number = ?",
            (_text(now), self._next_revision(), number),
        )

    def finish(self, now: datetime) -> None:
        """Notes under which facets something changed. To be called at the end of a transaction that changed articles."""
        self._connection.executemany(
            "UPDATE facets SET revision = ?, changed_at = ? WHERE id = ?",
            [(self._next_revision(), _micros(now), facet) for facet in sorted(self._touched)],
        )
        self._touched.clear()
        self._revision = 0

    def refile(self, now: datetime) -> None:
        """Files every article anew, and hashes its document: for migrations."""
        self._connection.execute("DELETE FROM article_facets")
        numbers = [row[0] for row in self._connection.execute("SELECT number FROM articles ORDER BY number")]
        for number in numbers:
            (article,) = self.articles([number])
            version = version_of(article)
            self._connection.execute("UPDATE articles SET version = ? WHERE number = ?", (version, number))
            self._file_under(number, article)
        self.finish(now)

    def _facts(self, article: Article, document: bytes) -> tuple[object, ...]:
        version = _hash(document)
        times = (_text(article.published), _text(article.updated))
        return article.slug, article.state, *times, article.title, version, self._next_revision()

    def _next_revision(self) -> int:
        if not self._revision:
            self._revision = self.revision + 1
        return self._revision

    def _file_under(self, number: int, article: Article) -> None:
        if article.state not in LIVE:
            return
        published = _micros(article.published)
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
            [(one, _micros(before.published), number) for one in ids],
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


SITE = FacetKey(FacetKind.SITE, "")


def to_document(article: Article) -> bytes:
    """An article as the archive keeps it."""
    return _document().dump_json(article)


def from_document(document: bytes) -> Article:
    return _document().validate_json(document)


def version_of(article: Article) -> bytes:
    """The hash of what an article says, as the archive keeps it: 16 bytes."""
    return _hash(to_document(article))


def _hash(document: bytes) -> bytes:
    return hashlib.blake2b(document, digest_size=16).digest()


def _kept(row: tuple[Any, ...]) -> Kept:
    number, article_id, slug, title, state, published, updated, source, digest = row
    return Kept(number, article_id, slug, title, State(state), _instant(published), _instant(updated), source, digest)


def _version(row: tuple[Any, ...]) -> Version:
    return Version(row[0], row[1], row[2], _moment(row[3]), _instant(row[4]))


@cache
def _document() -> TypeAdapter[Article]:
    """How an article is kept: made when the first is read or written."""
    return TypeAdapter(Article)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _signature(origin: Origin) -> tuple[object, ...]:
    return (
        origin.source, origin.digest, origin.fingerprint, origin.size, origin.mtime_ns, origin.ctime_ns, origin.read_ns,
    )  # fmt: skip


def _text(moment: datetime) -> str:
    """A moment as SQLAlchemy's SQLite dialect keeps it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
