"""Tells WebSub hubs which feeds changed (W3C WebSub 7), and goes on telling until they have heard it."""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from content.waiting import retry_after

if TYPE_CHECKING:
    import requests

TRIES = 3
"""How often a hub is asked in one run."""
TOGETHER = 50
"""Topics in one request."""
WAITS = (60, 300, 1800, 7200, 21600)
"""Seconds until the next run that may ask again a hub that failed, by the number of failed runs."""

_TABLE = """CREATE TABLE IF NOT EXISTS hub_topics (hub TEXT NOT NULL, topic TEXT NOT NULL, noted INTEGER NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0, next_attempt REAL NOT NULL DEFAULT 0, PRIMARY KEY (hub, topic)) WITHOUT ROWID"""


@dataclass(frozen=True, slots=True)
class HubReport:
    """What came of telling one hub. ``told`` and ``waiting`` count topics; ``error`` is empty when all went well."""

    hub: str
    told: int
    waiting: int
    error: str = ""
    next_attempt: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Answer:
    """How a hub answered. ``retry_after`` is in seconds; ``final`` says that asking again at once is of no use."""

    error: str = ""
    retry_after: float = 0
    final: bool = False


class Hubs:
    """The hubs of a site, and what each has still to be told, kept by ``connection`` (in autocommit mode).

    ``timeout`` is how long a hub may keep silent, in seconds.
    """

    def __init__(self, connection: sqlite3.Connection, hubs: Sequence[str], timeout: float = 10) -> None:
        self._connection = connection
        self._hubs = list(dict.fromkeys(hubs))
        self._timeout = timeout
        connection.execute(_TABLE)

    def note(self, topics: Iterable[str]) -> None:
        """Notes, before the feeds are written, that their readers are to hear of it: told twice is better than never."""
        # Another process may tell and note meanwhile: each note is told apart from every other.
        number = random.getrandbits(62)
        self._connection.executemany(
            """INSERT INTO hub_topics (hub, topic, noted) VALUES (?, ?, ?)
            ON CONFLICT (hub, topic) DO UPDATE SET noted = excluded.noted""",
            [(hub, topic, number) for topic in topics for hub in self._hubs],
        )

    def waiting(self) -> int:
        """How many topics some hub has still to be told."""
        return int(self._connection.execute("SELECT count(*) FROM hub_topics").fetchone()[0])

    def tell(self, now: datetime, *, budget: float = 20) -> list[HubReport]:
        """Tells every hub what it has not heard, all hubs at once, and gives up after ``budget`` seconds.

        Nothing is raised when a hub fails, or when another process has the notes: that is reported, and tried again when the
        next attempt is due.
        """
        try:
            return self._tell(now, budget)
        except sqlite3.OperationalError as error:
            return self._postponed(now, str(error))

    def _postponed(self, now: datetime, reason: str) -> list[HubReport]:
        """All that waits, when what was told cannot be noted."""
        query = "SELECT count(*) FROM hub_topics WHERE hub = ?"
        waiting = {hub: int(self._connection.execute(query, (hub,)).fetchone()[0]) for hub in self._hubs}
        what = f"what it was told cannot be noted ({reason})"
        return [HubReport(_shown(hub), 0, count, what, now) for hub, count in waiting.items() if count]

    def _tell(self, now: datetime, budget: float) -> list[HubReport]:
        marks = ", ".join("?" * len(self._hubs))
        self._connection.execute(f"DELETE FROM hub_topics WHERE hub NOT IN ({marks})", self._hubs)  # noqa: S608
        due = {hub: self._due(hub, now) for hub in self._hubs}
        due = {hub: topics for hub, topics in due.items() if topics}
        if not due:
            return []
        deadline = time.monotonic() + budget
        with ThreadPoolExecutor(len(due)) as pool:
            heard = pool.map(lambda hub: self._tell_hub(hub, due[hub], deadline), due)
            return [self._settle(hub, topics, *answer, now) for (hub, topics), answer in zip(due.items(), heard, strict=True)]

    def _due(self, hub: str, now: datetime) -> dict[str, int]:
        query = "SELECT topic, noted FROM hub_topics WHERE hub = ? AND next_attempt <= ? ORDER BY topic"
        return dict(self._connection.execute(query, (hub, now.timestamp())).fetchall())

    def _tell_hub(self, hub: str, topics: dict[str, int], deadline: float) -> tuple[list[str], _Answer]:
        """The topics that the hub took, and its last answer."""
        import requests

        names, told, answer, refused = list(topics), [], _Answer(), _Answer()
        with requests.Session() as session:
            for start in range(0, len(names), TOGETHER):
                batch = names[start : start + TOGETHER]
                answer = self._ask(session, hub, batch, deadline)
                if not answer.error:
                    told += batch
                elif answer.final:
                    # It refuses these; the others may be welcome.
                    refused = answer
                else:
                    break
        return told, answer if answer.error else refused

    def _ask(self, session: requests.Session, hub: str, topics: list[str], deadline: float) -> _Answer:
        answer = _Answer("there was no time left")
        for attempt in range(TRIES):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            answer = _post(session, hub, topics, min(self._timeout, left))
            wait = answer.retry_after or 0.3 * 2**attempt * random.uniform(0.5, 1.5)  # noqa: S311
            if not answer.error or answer.final or attempt == TRIES - 1 or wait > deadline - time.monotonic():
                break
            time.sleep(wait)
        return answer

    def _settle(self, hub: str, topics: dict[str, int], told: list[str], answer: _Answer, now: datetime) -> HubReport:
        # What was noted again meanwhile stays to be told again.
        self._connection.executemany(
            "DELETE FROM hub_topics WHERE hub = ? AND topic = ? AND noted = ?", [(hub, one, topics[one]) for one in told]
        )
        left = [topic for topic in topics if topic not in told]
        if not left:
            return HubReport(_shown(hub), len(told), 0)
        query = "SELECT max(failures) FROM hub_topics WHERE hub = ?"
        failures = int(self._connection.execute(query, (hub,)).fetchone()[0])
        again = now.timestamp() + max(WAITS[min(failures, len(WAITS) - 1)], answer.retry_after)
        self._connection.execute(
            "UPDATE hub_topics SET failures = ?, next_attempt = ? WHERE hub = ?", (failures + 1, again, hub)
        )
        return HubReport(_shown(hub), len(told), len(left), answer.error, datetime.fromtimestamp(again, UTC))


def _post(session: requests.Session, hub: str, topics: list[str], timeout: float) -> _Answer:
    """One notification. Hubs read ``hub.url`` or ``hub.topic``; both are sent (WebSub leaves the words to the hub)."""
    import requests

    form = [("hub.mode", "publish"), *(("hub.url", topic) for topic in topics), *(("hub.topic", topic) for topic in topics)]
    agent = {"User-Agent": f"dateline/{version('dateline')}"}
    try:
        with session.post(hub, data=form, timeout=timeout, allow_redirects=False, stream=True, headers=agent) as reply:
            status = reply.status_code
            if status < 300:
                return _Answer()
            if status < 400:
                return _Answer(f"it answers {status}: it has moved; set its new address", final=True)
            try_again = status in (408, 425, 429) or status >= 500
            reason = f"{status} {reply.reason or ''}".strip()
            return _Answer(f"it answers {reason}", retry_after(reply.headers.get("Retry-After", "")), final=not try_again)
    except requests.RequestException as error:
        return _Answer(_explained(error), final=isinstance(error, (requests.URLRequired, ValueError)))


def _explained(error: requests.RequestException) -> str:
    import requests

    if isinstance(error, requests.Timeout):
        return "it does not answer in time"
    if isinstance(error, requests.exceptions.SSLError):
        return "its certificate cannot be trusted"
    return (
        "it cannot be reached"
        if isinstance(error, requests.ConnectionError)
        else f"it cannot be asked ({type(error).__name__})"
    )


def _shown(hub: str) -> str:
    """A hub's address without what may be a secret in it."""
    parts = urlsplit(hub)
    return f"{parts.scheme}://{parts.hostname or ''}{f':{parts.port}' if parts.port else ''}{parts.path}"
