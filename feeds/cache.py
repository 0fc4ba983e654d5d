"""What the publisher knows from its last run: entries that were built, files that were written, how far it came.

All of it can be made again: losing this file costs time, nothing else. One process at a time uses it, under the lock on the
public folder.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from content.sqlite import BUSY_SECONDS, connect
from feeds.entries import Entry

# Survives a killed process, not a power cut; after that a damaged file is thrown away.
_PRAGMAS = ("journal_mode=WAL", "synchronous=OFF", "page_size=16384")
_LAYOUT = 2
_TABLES = """
CREATE TABLE IF NOT EXISTS entries (key BLOB PRIMARY KEY, atom BLOB NOT NULL, rss BLOB NOT NULL, json BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, key BLOB NOT NULL, size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL,
    article INTEGER) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS files_of_articles ON files (article) WHERE article IS NOT NULL;
CREATE TABLE IF NOT EXISTS media (path TEXT, article INTEGER, PRIMARY KEY (path, article)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS media_of_articles ON media (article);
CREATE TABLE IF NOT EXISTS feeds (folder TEXT PRIMARY KEY, count INTEGER NOT NULL, pages INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS progress (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Written:
    """A file of the public folder: from what it was made (``key``), its bytes, its time of change, its article's number."""

    path: str
    key: bytes
    size: int
    mtime_ns: int
    article: int | None = None


@dataclass(frozen=True, slots=True)
class FeedState:
    """How many articles a feed has, and how many full archive documents of it are written."""

    count: int
    pages: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a publish came: the archive's last change, the time, and by which rules files and archives were made.

    ``mark`` is that of the change: with another, the same revision is one of another database.
    """

    revision: int
    mark: bytes
    moment: datetime
    fingerprint: bytes
    archives: bytes


class Cache:
    """The cache in the file ``path``, for the public folder at ``place``; ``":memory:"`` is one that is soon forgotten.

    With ``dry_run`` the file is never changed: one that cannot be used as it is counts as lost. ``patience`` is how long to
    wait for another process that writes, in seconds.
    """

    def __init__(self, path: Path, place: str, *, dry_run: bool = False, patience: float = BUSY_SECONDS) -> None:
        self.path = path
        self._pragmas = (f"busy_timeout={patience * 1000:.0f}", *_PRAGMAS)
        self._whose = repr((_LAYOUT, place))
        self._connection = self._open_dry() if dry_run else self._open()

    def _open_dry(self) -> sqlite3.Connection:
        try:
            if self.path.exists():
                connection = connect(self.path, ())
                if self._is_ours(connection):
                    return connection
                connection.close()
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError:
            pass
        self.path = Path(":memory:")
        return self._prepared()

    def _open(self) -> sqlite3.Connection:
        try:
            return self._prepared()
        except sqlite3.OperationalError:
            # Busy, or a full disk: the file itself may be in order, and another process may use it.
            raise
        except sqlite3.DatabaseError:
            discard(self.path)
            return self._prepared()

    def _prepared(self) -> sqlite3.Connection:
        connection = connect(self.path, self._pragmas)
        connection.executescript(_TABLES)
        if not self._is_ours(connection):
            for table in ("entries", "files", "media", "feeds", "progress"):
                connection.execute(f"DROP TABLE {table}")
            connection.executescript(_TABLES)
            connection.execute("INSERT INTO progress VALUES ('layout', ?)", (self._whose,))
        return connection

    def _is_ours(self, connection: sqlite3.Connection) -> bool:
        if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'progress'").fetchone():
            return False
        known = connection.execute("SELECT value FROM progress WHERE name = 'layout'").fetchone()
        return known is not None and known[0] == self._whose

    @property
    def connection(self) -> sqlite3.Connection:
        return self._connection

    def close(self) -> None:
        self._connection.close()

    @contextmanager
    def session(self, *, keep: bool = True) -> Iterator[None]:
        """What is noted within holds when all of it was done; without ``keep`` nothing of it does."""
        self._connection.execute("BEGIN IMMEDIATE")
        done = False
        try:
            yield
            done = keep
        finally:
            # Some errors have ended it already.
            if self._connection.in_transaction:
                self._connection.execute("COMMIT" if done else "ROLLBACK")

    # Entries

    def entry(self, key: bytes) -> Entry | None:
        """The kept entry with this key."""
        row = self._connection.execute("SELECT atom, rss, json FROM entries WHERE key = ?", (key,)).fetchone()
        return Entry(*row) if row else None

    def keep_entries(self, built: Sequence[tuple[bytes, Entry]]) -> None:
        """Keeps entries under their keys, which say what they were built from."""
        rows = [(key, entry.atom, entry.rss, entry.json) for key, entry in built]
        self._connection.executemany("INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?)", rows)

    def count_entries(self) -> int:
        return int(self._connection.execute("SELECT count(*) FROM entries").fetchone()[0])

    def prune(self, alive: Iterable[bytes]) -> None:
        """Forgets the entries whose keys are not ``alive``."""
        self._connection.execute("CREATE TEMP TABLE alive (key BLOB PRIMARY KEY)")
        self._connection.executemany("INSERT OR IGNORE INTO alive VALUES (?)", ((key,) for key in alive))
        self._connection.execute("DELETE FROM entries WHERE key NOT IN (SELECT key FROM alive)")
        self._connection.execute("DROP TABLE alive")

    # Files

    def files(self, *, of_articles: bool) -> dict[str, Written]:
        """What was written, by path: the pages of articles, or everything else."""
        condition = "article IS NOT NULL" if of_articles else "article IS NULL"
        rows = self._connection.execute(f"SELECT path, key, size, mtime_ns, article FROM files WHERE {condition}")
        return {row[0]: Written(*row) for row in rows}

    def pages_of(self, article: int) -> list[str]:
        return [row[0] for row in self._connection.execute("SELECT path FROM files WHERE article = ?", (article,))]

    def note(self, *files: Written) -> None:
        rows = [(one.path, one.key, one.size, one.mtime_ns, one.article) for one in files]
        self._connection.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?, ?, ?)", rows)

    def forget(self, path: str) -> None:
        self._connection.execute("DELETE FROM files WHERE path = ?", (path,))

    # Pictures and other files beside articles

    def media(self) -> list[str]:
        """All files that articles have beside them, whether they could be put there or not."""
        return [row[0] for row in self._connection.execute("SELECT DISTINCT path FROM media")]

    def media_of(self, article: int) -> list[str]:
        return [row[0] for row in self._connection.execute("SELECT path FROM media WHERE article = ?", (article,))]

    def articles_with(self, paths: Iterable[str]) -> list[int]:
        """The numbers of the articles that have one of these files."""
        query = "SELECT article FROM media WHERE path = ?"
        return [row[0] for path in paths for row in self._connection.execute(query, (path,))]

    def with_media(self, articles: Iterable[int]) -> list[int]:
        """Those of the articles that had files beside them."""
        query = "SELECT 1 FROM media WHERE article = ?"
        return [number for number in articles if self._connection.execute(query, (number,)).fetchone()]

    def note_media(self, article: int, paths: Iterable[str]) -> None:
        self._connection.execute("DELETE FROM media WHERE article = ?", (article,))
        self._connection.executemany("INSERT INTO media VALUES (?, ?)", [(path, article) for path in paths])

    # Feeds

    def feed_states(self) -> dict[str, FeedState]:
        rows = self._connection.execute("SELECT folder, count, pages FROM feeds")
        return {row[0]: FeedState(row[1], row[2]) for row in rows}

    def note_feed(self, folder: str, state: FeedState) -> None:
        self._connection.execute("INSERT OR REPLACE INTO feeds VALUES (?, ?, ?)", (folder, state.count, state.pages))

    def forget_feed(self, folder: str) -> None:
        self._connection.execute("DELETE FROM feeds WHERE folder = ?", (folder,))

    # Progress

    def progress(self) -> Progress:
        found = dict(self._connection.execute("SELECT name, value FROM progress").fetchall())
        moment = datetime.fromtimestamp(found.get("moment", 0), UTC)
        marks = (found.get(name, b"") for name in ("fingerprint", "archives"))
        return Progress(found.get("revision", 0), found.get("mark", b""), moment, *marks)

    def note_progress(self, progress: Progress) -> None:
        facts = {
            "revision": progress.revision, "mark": progress.mark, "moment": progress.moment.timestamp(),
            "fingerprint": progress.fingerprint, "archives": progress.archives,
        }  # fmt: skip
        self._connection.executemany("INSERT OR REPLACE INTO progress VALUES (?, ?)", facts.items())

    def disown(self) -> None:
        """Forgets what the archive's numbers meant, because it is another archive now.

        Which files and feeds are there stays known, so that those that are over can be taken away; so do the entries, which
        are kept under what they say.
        """
        self._connection.execute("UPDATE files SET key = x'', article = NULL")
        self._connection.execute("DELETE FROM media")
        self._connection.execute("DELETE FROM progress WHERE name <> 'layout'")


def discard(path: Path) -> None:
    """Throws the cache in a file away."""
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)


def is_damage(error: sqlite3.Error) -> bool:
    """Whether an error says that a database is damaged, rather than busy or wrongly asked."""
    return type(error) is sqlite3.DatabaseError


def digest(*parts: bytes) -> bytes:
    """A hash of 16 bytes over all parts, each with its length."""
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return found.digest()
