"""The articles kept: what was published, under which lasting id, and from which file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from pydantic import TypeAdapter
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from content.article import Article, State
from content.database import Instant, metadata
from content.regions import Region, region

articles = Table(
    "articles",
    metadata,
    Column("id", String, primary_key=True),
    Column("slug", String, nullable=False),
    Column("state", String(16), nullable=False),
    Column("published", Instant, nullable=False),
    Column("updated", Instant, nullable=False),
    Column("withdrawn_at", Instant),
    Column("section", String, nullable=False),
    Column("title", String, nullable=False),
    Column("document", LargeBinary, nullable=False),
    # The file that it was read from, and how to tell cheaply that the file is still the same.
    Column("source", String, nullable=False),
    Column("digest", String(32), nullable=False),
    Column("fingerprint", String(16), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),
    Column("read_ns", BigInteger, nullable=False),
    Index("ix_articles_state_published", "state", "published"),
    Index("ix_articles_source", "source"),
    Index("ix_articles_slug", "slug"),
)

article_regions = Table(
    "article_regions",
    metadata,
    Column("article_id", ForeignKey("articles.id", ondelete="CASCADE"), primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("code", String(8), nullable=False, index=True),
)

_document: TypeAdapter[Article] = TypeAdapter(Article)
LIVE = (State.PUBLISHED, State.SCHEDULED)


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

    id: str
    slug: str
    title: str
    state: State
    published: datetime
    updated: datetime
    origin: Origin


class Archive:
    """The articles of a site, within one transaction of ``connection``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

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
        query = select(articles.c.document, articles.c.state).where(_public_at(now))
        if codes := [place.code for place in regions]:
            query = query.where(articles.c.id.in_(select(article_regions.c.article_id).where(_lies_in(codes))))
        if names := [section.lower() for section in sections]:
            query = query.where(func.lower(articles.c.section).in_(names))
        query = query.order_by(articles.c.published.desc(), articles.c.id).limit(limit)
        return [_article(row) for row in self._connection.execute(query)]

    def count_public(self, now: datetime) -> int:
        return self._connection.execute(select(func.count()).select_from(articles).where(_public_at(now))).scalar_one()

    def regions(self, now: datetime) -> dict[Region, int]:
        """The regions in use and how many public articles lie in each, countries of subdivisions included.

        A region whose last article was withdrawn stays, with 0: its feed's readers are still there.
        """
        query = (
            select(article_regions.c.code, articles.c.id, articles.c.state)
            .join(articles)
            .where(or_(_public_at(now), articles.c.state == State.WITHDRAWN))
        )
        members: dict[str, set[str]] = {}
        for code, article_id, state in self._connection.execute(query):
            for within in {code, code.partition("-")[0]}:
                found = members.setdefault(within, set())
                if state != State.WITHDRAWN:
                    found.add(article_id)
        return {region(code): len(ids) for code, ids in sorted(members.items())}

    def last_withdrawn(self, place: Region | None = None) -> datetime | None:
        """When an article (of a region) was last withdrawn."""
        query = select(func.max(articles.c.withdrawn_at)).where(articles.c.state == State.WITHDRAWN)
        if place:
            query = query.where(articles.c.id.in_(select(article_regions.c.article_id).where(_lies_in([place.code]))))
        return self._connection.execute(query).scalar()

    def with_ids(self, ids: Iterable[str]) -> list[Article]:
        """The articles with these ids, in that order, whatever their state; unknown ids are passed over."""
        wanted = list(ids)
        query = select(articles.c.document, articles.c.state).where(articles.c.id.in_(wanted))
        found = {article.id: article for article in map(_article, self._connection.execute(query))}
        return [found[one] for one in wanted if one in found]

    def kept(self) -> Iterator[Kept]:
        """Every article that was ever kept, withdrawn ones too."""
        columns = [column for column in articles.c if column.name not in ("document", "section", "withdrawn_at")]
        for row in self._connection.execute(select(*columns)):
            origin = Origin(row.source, row.digest, row.fingerprint, row.size, row.mtime_ns, row.ctime_ns, row.read_ns)
            yield Kept(row.id, row.slug, row.title, State(row.state), row.published, row.updated, origin)

    # What changes

    def add(self, article: Article, origin: Origin) -> None:
        """Keeps a new article; its id must be free."""
        self._connection.execute(insert(articles).values(id=article.id, **_values(article, origin)))
        self._set_regions(article)

    def replace(self, article: Article, origin: Origin) -> None:
        """Keeps a new version of an article."""
        self._connection.execute(
            update(articles)
            .where(articles.c.id == article.id)
            .values(**_values(article, origin), withdrawn_at=article.updated if article.state is State.WITHDRAWN else None)
        )
        self._connection.execute(delete(article_regions).where(article_regions.c.article_id == article.id))
        self._set_regions(article)

    def note_origin(self, article_id: str, origin: Origin) -> None:
        """Remembers that an article's file was looked at again and says the same."""
        self._connection.execute(update(articles).where(articles.c.id == article_id).values(**_origin_values(origin)))

    def withdraw(self, article_id: str, now: datetime) -> None:
        """Takes an article out of every feed. Its row and its id stay."""
        self._connection.execute(
            update(articles).where(articles.c.id == article_id).values(state=State.WITHDRAWN, withdrawn_at=now)
        )

    def _set_regions(self, article: Article) -> None:
        rows = [
            {"article_id": article.id, "position": position, "code": place.code}
            for position, place in enumerate(article.regions)
        ]
        if rows:
            self._connection.execute(insert(article_regions), rows)


def _public_at(now: datetime) -> ColumnElement[bool]:
    return and_(articles.c.state.in_(LIVE), articles.c.published <= now)


def _lies_in(codes: list[str]) -> ColumnElement[bool]:
    return or_(*(or_(article_regions.c.code == code, article_regions.c.code.like(f"{code}-%")) for code in codes))


def _article(row: Any) -> Article:
    return replace(_document.validate_json(row.document), state=State(row.state))


def _values(article: Article, origin: Origin) -> dict[str, object]:
    return {
        "slug": article.slug,
        "state": article.state,
        "published": article.published,
        "updated": article.updated,
        "section": article.section,
        "title": article.title,
        "document": _document.dump_json(article),
        **_origin_values(origin),
    }


def _origin_values(origin: Origin) -> dict[str, object]:
    return asdict(origin)
