"""The complete history of a feed in archive documents (RFC 5005 4) that never change once they are full.

Entries are logged in the order in which they came; each fifty make a document. A correction of an article whose document
is full is logged as a new entry, so that the old document stays as it was; only a withdrawal takes something out of it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence

from content.archive import Version

PAGE = 50
"""Entries of one archive document."""


class FeedLog:
    """What came into one feed, in a transaction of ``connection`` that may write."""

    def __init__(self, connection: sqlite3.Connection, feed: str) -> None:
        self._connection = connection
        self._feed = feed

    @property
    def length(self) -> int:
        """How many entries ever came, those taken out included."""
        query = "SELECT coalesce(max(position) + 1, 0) FROM feed_log WHERE feed = ?"
        return int(self._connection.execute(query, (self._feed,)).fetchone()[0])

    @property
    def full_pages(self) -> int:
        return self.length // PAGE

    def append(self, versions: Iterable[Version]) -> None:
        """Logs what is new, or was corrected after its document was full; ``versions`` come oldest first."""
        length = self.length
        for one in versions:
            query = "SELECT position, version FROM feed_log WHERE feed = ? AND article = ? ORDER BY position DESC LIMIT 1"
            last = self._connection.execute(query, (self._feed, one.number)).fetchone() if length else None
            if last and last[1] == one.version:
                continue
            if last and last[0] >= length - length % PAGE:
                update = "UPDATE feed_log SET version = ? WHERE feed = ? AND position = ?"
                self._connection.execute(update, (one.version, self._feed, last[0]))
            else:
                row = (self._feed, length, one.number, one.version)
                self._connection.execute("INSERT INTO feed_log (feed, position, article, version) VALUES (?, ?, ?, ?)", row)
                length += 1

    def fill(self, versions: Sequence[Version]) -> None:
        """Logs everything at once, oldest first, into an empty log."""
        rows = ((self._feed, position, one.number, one.version) for position, one in enumerate(versions))
        self._connection.executemany("INSERT INTO feed_log (feed, position, article, version) VALUES (?, ?, ?, ?)", rows)

    def take_out(self, articles: Iterable[int]) -> None:
        """Takes out what must not be seen any more; its documents are stale until :meth:`settled`."""
        for article in articles:
            query = "SELECT position FROM feed_log WHERE feed = ? AND article = ?"
            for (position,) in self._connection.execute(query, (self._feed, article)).fetchall():
                page = position // PAGE + 1
                self._connection.execute("INSERT OR IGNORE INTO feed_log_stale VALUES (?, ?)", (self._feed, page))
                # The position stays taken, so that no other entry moves into another document.
                gone = "UPDATE feed_log SET article = NULL, version = NULL WHERE feed = ? AND position = ?"
                self._connection.execute(gone, (self._feed, position))

    def stale(self) -> list[int]:
        """The numbers of the pages that lost an entry and are to be written again."""
        rows = self._connection.execute("SELECT page FROM feed_log_stale WHERE feed = ? ORDER BY page", (self._feed,))
        return [row[0] for row in rows]

    def settled(self) -> None:
        """The stale pages were written."""
        self._connection.execute("DELETE FROM feed_log_stale WHERE feed = ?", (self._feed,))

    def drop(self) -> None:
        """Forgets all: there is no such feed, or its history is not written, any more."""
        for table in ("feed_log", "feed_log_stale"):
            self._connection.execute(f"DELETE FROM {table} WHERE feed = ?", (self._feed,))  # noqa: S608

    def page(self, number: int) -> tuple[int, ...]:
        """The articles of a page (from 1), newest first; an article that it has twice stands where it came last."""
        query = """SELECT article FROM feed_log WHERE feed = ? AND position >= ? AND position < ? AND article IS NOT NULL
            ORDER BY position DESC"""
        rows = self._connection.execute(query, (self._feed, (number - 1) * PAGE, number * PAGE))
        return tuple(dict.fromkeys(row[0] for row in rows))
