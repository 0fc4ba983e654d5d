"""SQLite by the standard library alone: how the archive and the publisher's cache are opened and written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

BUSY_SECONDS = 30
"""How long a writer waits for another before it gives up."""

PRAGMAS = ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON")
"""What is kept survives a power cut."""


def connect(path: Path | str, pragmas: tuple[str, ...] = PRAGMAS) -> sqlite3.Connection:
    """A connection in autocommit mode; transactions are begun by :func:`writing` and :func:`reading`."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    for pragma in pragmas:
        connection.execute(f"PRAGMA {pragma}")
    return connection


@contextmanager
def writing(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that writes; committed at the end, rolled back on an error."""
    # Claimed at once, so that two writers queue up instead of failing half-way.
    yield from _transaction(connection, "BEGIN IMMEDIATE")


@contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """A transaction that sees one state of the database throughout."""
    yield from _transaction(connection, "BEGIN")


def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    try:
        yield
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")
