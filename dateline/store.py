"""Opens a site's database, brought up to date."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from content.errors import ArchiveError
from content.sqlite import connect
from dateline.migrations import HEAD

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine


def open_store(path: Path) -> Engine:
    """The database in a file, made when it is missing. Raises ``ArchiveError`` when that cannot be."""
    from sqlalchemy.exc import DatabaseError

    from content.database import open_sqlite, reading, writing

    try:
        engine = open_sqlite(path)
        with reading(engine) as connection:
            revision = _revision(connection)
        if revision != HEAD:
            with writing(engine) as connection:
                # Another process may have done it while this one waited for its turn.
                if _revision(connection) != HEAD:
                    _migrate(connection)
    except DatabaseError as error:
        raise ArchiveError(f"{path}: cannot be opened as a database ({error.orig})") from None
    return engine


def open_archive(path: Path) -> sqlite3.Connection:
    """The same database for the archive, which speaks to it directly. Raises ``ArchiveError`` as :func:`open_store`."""
    try:
        if path.exists():
            connection = connect(path)
            try:
                if connection.execute("SELECT version_num FROM alembic_version").fetchone() == (HEAD,):
                    return connection
            except sqlite3.DatabaseError:
                pass
            connection.close()
    except sqlite3.DatabaseError as error:
        raise ArchiveError(f"{path}: cannot be opened as a database ({error})") from None
    open_store(path).dispose()
    return connect(path)


def memory_store() -> Engine:
    """An empty database that is gone when the program ends, for looking without touching."""
    from sqlalchemy.pool import StaticPool

    import newsletter.tables  # noqa: F401 (declares its tables)
    from content.database import metadata, open_sqlite, writing

    engine = open_sqlite(Path(":memory:"))
    engine.pool = StaticPool(engine.pool._creator)
    with writing(engine) as connection:
        metadata.create_all(connection)
    return engine


def _revision(connection: Connection) -> str | None:
    from sqlalchemy import inspect, text

    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return revision


def _migrate(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise ArchiveError(f"the database was made by a newer dateline; upgrade this one ({error})") from None
