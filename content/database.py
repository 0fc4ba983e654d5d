"""The one database of a site for those who reach it through SQLAlchemy: how it is opened, and how it keeps times."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection
from typing import Any, cast

from sqlalchemy import Connection, DateTime, Dialect, Engine, MetaData, QueuePool, TypeDecorator, create_engine, event

from content.sqlite import BUSY_SECONDS, PRAGMAS

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
"""All tables of all rooms; each room declares its own."""


class Instant(TypeDecorator[datetime]):
    """An aware datetime, kept in UTC and given back in UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be kept")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def stored(moment: datetime) -> str:
    """An aware datetime as :class:`Instant` keeps it in SQLite, for statements that go to the database directly."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def open_sqlite(path: Path) -> Engine:
    """An engine on a SQLite file in WAL mode that survives a power cut (``synchronous=FULL``).

    Transactions that will write must be begun with :func:`writing`, so that two of them queue up
    instead of failing half-way. There is no limit to connections: each sending keeps one as long as it lasts.
    """
    engine = create_engine(
        f"sqlite:///{path}", connect_args={"timeout": BUSY_SECONDS}, poolclass=QueuePool, max_overflow=-1
    )  # fmt: skip

    @event.listens_for(engine, "connect")
    def _prepare(connection: SQLiteConnection, record: Any) -> None:
        # SQLAlchemy begins transactions (below); the driver's own guess at them would come too late for a reader.
        connection.isolation_level = None
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        immediate = connection.get_execution_options().get("dateline_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")

    return engine


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes; committed at the end, rolled back on an error."""
    with engine.connect().execution_options(dateline_writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that sees one state of the database throughout."""
    with engine.connect() as connection, connection.begin():
        yield connection


def raw(connection: Connection) -> SQLiteConnection:
    """The database's own connection underneath, in the same transaction; the archive takes it."""
    driver = connection.connection.dbapi_connection
    return cast(SQLiteConnection, driver)
