"""The database is made, recognised and brought up to date."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

import dateline.migrations
import newsletter.tables  # noqa: F401 (declares its tables)
from content.article import Article, Summary
from content.database import metadata, open_sqlite, reading, writing
from content.documents import to_document
from content.errors import ArchiveError
from content.keeping import Keeper
from content.regions import region
from dateline.store import open_archive, open_store

MOMENT = datetime(2026, 11, 1, 9, 30, tzinfo=UTC)


def test_the_migrations_lead_to_the_tables_that_the_code_declares(tmp_path: Path) -> None:
    engine = open_store(tmp_path / "dateline.db")
    with reading(engine) as connection:
        differences = compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), metadata)
    assert differences == []


def test_the_newest_migration_is_the_one_that_the_program_knows() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(dateline.migrations.__file__).parent))
    assert ScriptDirectory.from_config(config).get_current_head() == dateline.migrations.HEAD


def test_a_database_is_durable_and_waits_its_turn(tmp_path: Path) -> None:
    with reading(open_store(tmp_path / "dateline.db")) as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"


def test_a_database_of_a_newer_program_is_refused_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "dateline.db"
    with writing(open_store(path)) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ArchiveError, match="newer dateline"):
        open_store(path)


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "dateline.db"
    path.write_bytes(b"not a database at all, but long enough to look like a header of one" * 20)
    with pytest.raises(ArchiveError, match=r"dateline\.db: cannot be opened"):
        open_store(path)


def test_a_database_of_the_first_version_keeps_its_articles_and_editions(tmp_path: Path) -> None:
    path = tmp_path / "dateline.db"
    article = Article(
        id="tag:news.test,2026-01-01:first", slug="first", url="https://news.test/articles/first/", title="First news",
        summary=Summary("In short.", written=True), body="<p>At length.</p>", published=MOMENT, updated=MOMENT,
        regions=(region("CN-BJ"),), section="Rules",
    )  # fmt: skip
    engine = open_sqlite(path)
    with writing(engine) as connection:
        config = Config()
        config.set_main_option("script_location", str(Path(dateline.migrations.__file__).parent))
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        row = {"id": article.id, "document": to_document(article), "moment": "2026-11-01 09:30:00.000000"}
        connection.execute(
            text(
                "INSERT INTO articles (id, slug, state, published, updated, section, title, document, source, digest, fingerprint,"
                " size, mtime_ns, ctime_ns, read_ns) VALUES (:id, 'first', 'published', :moment, :moment, 'Rules', 'First news',"
                " :document, 'articles/first.md', 'd', 'f', 1, 2, 3, 4)"
            ),
            row,
        )
        connection.execute(text("INSERT INTO article_regions VALUES (:id, 0, 'CN-BJ')"), row)
        connection.execute(
            text(
                "INSERT INTO editions (id, digest, local_date, state, subject, slot, recipients, created_at)"
                " VALUES (1, 'daily', '2026-11-02', 'sent', 's', 'x', 0, :moment)"
            ),
            row,
        )
        connection.execute(text("INSERT INTO edition_articles VALUES (1, :id, 0)"), row)
    engine.dispose()
    database = open_archive(path)
    archive = Keeper(database)
    assert archive.public(MOMENT) == [article]
    assert archive.public(MOMENT, regions=[region("142")], sections=["rules"]) == [article]
    assert archive.from_source("articles/first.md") is not None
    assert archive.mark(archive.revision) != b""
    assert database.execute("SELECT article_id FROM edition_articles").fetchall() == [(article.id,)]
    assert database.execute("PRAGMA foreign_key_check").fetchall() == []
    assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
