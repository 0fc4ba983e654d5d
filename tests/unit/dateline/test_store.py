"""The database is made, recognised and brought up to date."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

import dateline.migrations
import newsletter.tables  # noqa: F401 (declares its tables)
from content.database import metadata, reading, writing
from content.errors import ArchiveError
from dateline.store import open_store


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
