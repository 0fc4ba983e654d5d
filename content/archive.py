"""The articles kept: what was published, under which lasting id, and from which file.

It speaks SQL to the database's own connection, within the transaction that its caller began.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from content.article import Article, State
from content.documents import from_document
from content.facets import Facet, FacetKey, FacetKind
from content.regions import Region

LIVE = (State.PUBLISHED, State.SCHEDULED)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Version:
    """One version of an article in a feed: its number in the archive, its id, the hash of what it says, its dates."""

    number: int
    id: str
    version: bytes
    published: datetime
    updated: datetime


class Archive:
    """The articles of a site, within one transaction of ``connection``."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._facet_ids: dict[FacetKey, int] = {}

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
        found = self.public_versions(now, regions=regions, sections=sections, limit=limit)
        return self.articles(one.number for one in found)

    def public_versions(
        self,
        now: datetime,
        *,
        regions: Iterable[Region] = (),
        sections: Iterable[str] = (),
        limit: int | None = None,
    ) -> list[Version]:
        """The same without the articles themselves."""
        groups = [[FacetKey(FacetKind.REGION, place.code) for place in regions]]
        groups.append([FacetKey(FacetKind.SECTION, section.casefold()) for section in sections])
        return self.newest([group for group in groups if group], now, limit)

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
        values = (*first, micros(now), *(one for group in others for one in group), -1 if limit is None else limit)
        return [_version(row) for row in self._connection.execute(query, values)]

    def versions(self, numbers: Iterable[int]) -> list[Version]:
        """The versions of articles with these numbers, in that order."""
        query = "SELECT number, id, version, published, updated FROM articles WHERE number = ?"
        rows = [self._connection.execute(query, (number,)).fetchone() for number in numbers]
        return [Version(row[0], row[1], row[2], instant(row[3]), instant(row[4])) for row in rows]

    def count(self, groups: Sequence[Sequence[FacetKey]], now: datetime) -> int:
        """How many :meth:`newest` would find without a limit."""
        if len(groups) > 1 or any(len(group) > 1 for group in groups):
            return len(self.newest(groups, now))
        (key,) = groups[0] if groups else (SITE,)
        query = "SELECT count(*) FROM article_facets WHERE facet = ? AND published <= ?"
        return int(self._connection.execute(query, (self.facet_id(key), micros(now))).fetchone()[0])

    def count_between(self, key: FacetKey, after: datetime, until: datetime) -> int:
        """How many articles under a facet were published after ``after`` and not after ``until``."""
        query = "SELECT count(*) FROM article_facets WHERE facet = ? AND published > ? AND published <= ?"
        return int(self._connection.execute(query, (self.facet_id(key), micros(after), micros(until))).fetchone()[0])

    def count_public(self, now: datetime) -> int:
        return self.count([], now)

    def facets(self) -> list[Facet]:
        """Everything that articles were ever filed under; what only withdrawn ones are under stays, empty."""
        rows = self._connection.execute("SELECT kind, key, name, slug, revision, changed_at FROM facets ORDER BY kind, key")
        return [Facet(FacetKey(FacetKind(row[0]), row[1]), row[2], row[3], row[4], moment(row[5])) for row in rows]

    def facet_id(self, key: FacetKey) -> int | None:
        if (known := self._facet_ids.get(key)) is not None:
            return known
        row = self._connection.execute("SELECT id FROM facets WHERE kind = ? AND key = ?", key).fetchone()
        if row:
            self._facet_ids[key] = row[0]
        return row[0] if row else None

    def articles(self, numbers: Iterable[int]) -> list[Article]:
        """The articles with these numbers, in that order, whatever their state."""
        query = """SELECT d.document, a.state FROM article_documents d JOIN articles a ON a.number = d.number
            WHERE d.number = ?"""
        rows = (self._connection.execute(query, (number,)).fetchone() for number in list(numbers))
        return [replace(from_document(row[0]), state=State(row[1])) for row in rows if row]

    def numbers(self) -> list[int]:
        """The numbers of every article that was ever kept, withdrawn ones too."""
        return [row[0] for row in self._connection.execute("SELECT number FROM articles ORDER BY number")]

    def with_media(self, numbers: Iterable[int]) -> list[int]:
        """Those of the articles that have files beside them."""
        query = "SELECT number FROM article_documents WHERE number = ? AND instr(document, CAST('\"media\":[]' AS BLOB)) = 0"
        return [number for number in numbers if self._connection.execute(query, (number,)).fetchone()]

    # What a publisher asks

    @property
    def revision(self) -> int:
        """The number of the last change."""
        return int(self._connection.execute("SELECT coalesce(max(revision), 0) FROM articles").fetchone()[0])

    def mark(self, revision: int) -> bytes:
        """What tells a change from the one of that number in another database, or in this one before it was restored.

        It is empty when there was no such change.
        """
        row = self._connection.execute("SELECT mark FROM article_changes WHERE revision = ?", (revision,)).fetchone()
        return bytes(row[0]) if row else b""

    def changed_since(self, revision: int) -> list[int]:
        """The numbers of the articles that changed after ``revision``, in the order of publication."""
        query = "SELECT number FROM articles WHERE revision > ? ORDER BY published, number"
        return [row[0] for row in self._connection.execute(query, (revision,))]

    def due_between(self, after: datetime, until: datetime) -> list[int]:
        """The numbers of live articles whose time came after ``after`` and not after ``until``."""
        query = "SELECT article FROM article_facets WHERE facet = ? AND published > ? AND published <= ? ORDER BY published"
        values = (self.facet_id(SITE), micros(after), micros(until))
        return [row[0] for row in self._connection.execute(query, values)]

    def next_due(self, now: datetime) -> datetime | None:
        """When the next scheduled article comes out."""
        query = "SELECT min(published) FROM article_facets WHERE facet = ? AND published > ?"
        (first,) = self._connection.execute(query, (self.facet_id(SITE), micros(now))).fetchone()
        return None if first is None else moment(first)

    def addresses(self, now: datetime) -> tuple[list[str], dict[str, str]]:
        """Slugs of articles that readers had and lost, and slugs that were left with the slug that each leads to now."""
        live = "a.state IN ('published', 'scheduled') AND a.published <= ?"
        taken = f"SELECT slug FROM articles a WHERE {live}"
        text = sql_text(now)
        gone = self._connection.execute(
            f"""SELECT a.slug FROM articles a WHERE a.withdrawn_at IS NOT NULL AND a.slug NOT IN ({taken}) UNION
            SELECT l.slug FROM left_addresses l JOIN articles a ON a.number = l.article
            WHERE a.withdrawn_at IS NOT NULL AND l.slug NOT IN ({taken}) ORDER BY 1""",
            (text, text),
        )
        moved = self._connection.execute(
            f"""SELECT l.slug, a.slug FROM left_addresses l JOIN articles a ON a.number = l.article
            WHERE {live} AND l.slug NOT IN ({taken}) ORDER BY 1""",
            (text, text),
        )
        return [row[0] for row in gone], dict(moved)

    def has_public(self, slug: str, now: datetime) -> bool:
        """Whether readers may see an article at this address."""
        query = "SELECT 1 FROM articles WHERE slug = ? AND state IN ('published', 'scheduled') AND published <= ?"
        return self._connection.execute(query, (slug, sql_text(now))).fetchone() is not None

    def left_slugs(self, number: int) -> list[str]:
        """The addresses that an article has left."""
        return [row[0] for row in self._connection.execute("SELECT slug FROM left_addresses WHERE article = ?", (number,))]

    def all_versions(self) -> list[bytes]:
        """The versions of all articles as they are now."""
        return [row[0] for row in self._connection.execute("SELECT version FROM articles")]

    @property
    def connection(self) -> sqlite3.Connection:
        return self._connection


SITE = FacetKey(FacetKind.SITE, "")


def _version(row: tuple[Any, ...]) -> Version:
    return Version(row[0], row[1], row[2], moment(row[3]), instant(row[4]))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def sql_text(moment: datetime) -> str:
    """A moment as SQLAlchemy's SQLite dialect keeps it."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")


def instant(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
