"""A newsroom in a temporary folder: its files, its archive in memory, its public folder."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import feedparser
from lxml import etree
from sqlalchemy import Connection

import content.tables  # noqa: F401 (declares the archive's tables)
from content.archive import Archive
from content.article import Article
from content.database import metadata, open_sqlite, raw, writing
from content.intake import Intake, Report
from content.keeping import Keeper
from content.reading import Reader, Reading
from content.settings import AuthorSettings, ContentSettings, SiteSettings
from feeds.publisher import Publisher
from feeds.settings import CombinedFeedSettings, FeedSettings
from feeds.shelf import Outcome

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
BODY = "The regulator said on Thursday that the rules will change next year, and carriers cheered."


class Newsroom:
    """What editors do to files, and what comes of it. ``now`` is the time on its clock."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.articles = root / "articles"
        self.articles.mkdir(parents=True)
        self.now = NOW
        self.site = SiteSettings(title="The Daily Test", url="https://news.test")
        self.content = ContentSettings()
        self.feeds = FeedSettings(pages=False)
        self.combined: list[CombinedFeedSettings] = []
        self.authors = {"mei-tanaka": AuthorSettings(name="Mei Tanaka", biography="Covers cables.")}
        self.open_database()

    @property
    def database(self) -> Path:
        return self.root / "dateline.db"

    def open_database(self) -> None:
        self.engine = open_sqlite(self.database)
        with writing(self.engine) as connection:
            metadata.create_all(connection)

    def lose_database(self) -> None:
        self.engine.dispose()
        for end in ("", "-wal", "-shm"):
            self.database.with_name(self.database.name + end).unlink(missing_ok=True)
        self.open_database()

    def save_database(self) -> bytes:
        self.engine.dispose()
        return self.database.read_bytes()

    def restore_database(self, saved: bytes) -> None:
        self.lose_database()
        self.engine.dispose()
        self.database.write_bytes(saved)
        self.open_database()

    def move_to(self, root: Path) -> None:
        self.engine.dispose()
        self.root = self.root.rename(root)
        self.articles = root / "articles"
        self.open_database()

    def dump_cache(self) -> list[str]:
        with closing(sqlite3.connect(self.root / "dateline-cache.db")) as cache:
            return list(cache.iterdump())

    @contextmanager
    def holding_cache(self) -> Iterator[None]:
        """As if another process were writing to the cache."""
        with closing(sqlite3.connect(self.root / "dateline-cache.db", isolation_level=None)) as cache:
            cache.execute("BEGIN IMMEDIATE")
            yield

    # Files

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.articles / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
        return path

    def article(self, name: str = "first.md", body: str = BODY, **fields: str) -> Path:
        """A Markdown file with YAML front matter; it has a title unless told otherwise."""
        lines = [f"{key}: {value}" for key, value in ({"title": "First news"} | fields).items()]
        return self.write(name, "\n".join(["---", *lines, "---", body, ""]))

    # Reading

    @property
    def reader(self) -> Reader:
        return Reader(self.site, self.content, self.authors, self.now)

    def reading(self, name: str, text: str | bytes) -> Reading:
        return self.reader.read(self.write(name, text))

    def read(self, name: str, text: str | bytes) -> Article:
        """The article that a file becomes; it must become one."""
        reading = self.reading(name, text)
        assert reading.article is not None, reading.problems
        return reading.article

    def errors(self, name: str, text: str | bytes) -> list[tuple[int, str]]:
        """Line and text of each error of a file."""
        return [(problem.line, problem.message) for problem in self.reading(name, text).errors]

    # Archive and feeds

    @contextmanager
    def archive(self) -> Iterator[Archive]:
        with writing(self.engine) as connection:
            yield Archive(raw(connection))

    def take(self, *paths: Path, withdraw_many: bool = False, apart: Sequence[Path] = ()) -> Report:
        with writing(self.engine) as connection:
            return self.take_within(connection, *paths, withdraw_many=withdraw_many, apart=apart)

    def take_within(
        self, connection: Connection, *paths: Path, withdraw_many: bool = False, apart: Sequence[Path] = ()
    ) -> Report:
        intake = Intake(Keeper(raw(connection)), self.reader, self.root, withdraw_many=withdraw_many, apart=apart)
        return intake.take(paths or [self.articles])

    def public(self) -> list[Article]:
        with self.archive() as archive:
            return archive.public(self.now)

    def only(self) -> Article:
        (article,) = self.public()
        return article

    def publish(self, *, dry_run: bool = False) -> tuple[Report, Outcome]:
        report = self.take()
        with self.archive() as archive:
            return report, self.publisher(dry_run=dry_run).publish(archive, self.now)

    def publisher(self, *, dry_run: bool = False) -> Publisher:
        return Publisher(self.root, self.site, self.content, self.feeds, self.combined, dry_run=dry_run)

    def later(self, **amount: float) -> None:
        self.now += timedelta(**amount)

    def feed(self, name: str = "atom.xml") -> feedparser.FeedParserDict:
        """A published feed, which must be well-formed."""
        return parsed((self.root / "public" / "feeds" / name).read_bytes())


def parsed(document: bytes) -> feedparser.FeedParserDict:
    """A feed as feed readers see it; both parsers must take it without complaint."""
    etree.fromstring(document, parser=etree.XMLParser(resolve_entities=False))
    feed = feedparser.parse(document, response_headers={"content-type": "application/xml; charset=utf-8"})
    assert not feed.bozo, feed.get("bozo_exception")
    return feed
