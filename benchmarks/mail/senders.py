"""Who sends in ``delivery.py``, and what each needs for it: every sender is a program of its own that is measured whole."""

from __future__ import annotations

import email
import email.policy
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from postoffice import find
from publication import DIGEST, ROOT, Publication, environment

HERE = Path(__file__).parent
IMPORTED = 20_000
"""Members that are imported as a CSV file; those beyond are added in the database, for which nobody wants to wait."""


@dataclass(frozen=True, slots=True)
class Run:
    """One sender's run: messages, seconds of sending alone and of the whole program, CPU seconds, peak memory in MB."""

    messages: int
    seconds: float
    whole: float
    cpu: float
    peak: float

    @property
    def rate(self) -> float:
        return self.messages / self.seconds


@dataclass(frozen=True, slots=True)
class Task:
    """What is to be sent: the same for all."""

    port: int
    messages: int
    connections: int


Sender = Callable[[Task], Run]


def measure(words: list[str], messages: int, read_seconds: Callable[[str], float] | None = None) -> Run:
    """Runs a program to its end. Raises ``RuntimeError`` with what it said when it fails."""
    with tempfile.TemporaryFile("w+") as out:
        start = time.perf_counter()
        process = subprocess.Popen(words, stdout=out, stderr=subprocess.STDOUT, env=environment())
        _, status, used = os.wait4(process.pid, 0)
        whole = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        out.seek(0)
        said = out.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)}: exit {process.returncode}: {said[-2000:]}")
    seconds = read_seconds(said) if read_seconds else whole
    return Run(messages, seconds, whole, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _seconds(said: str) -> float:
    return float(json.loads(said.splitlines()[-1])["seconds"])


class Newsroom:
    """The site that sends, its digest's message close to ``size`` bytes, and that message's parts for the others."""

    def __init__(self, folder: Path, size: int) -> None:
        self.folder = folder
        # So many articles that a summary's length, the same for all, brings the message close to the size.
        self.site = Publication(folder / "site", articles=max(1, min(25, size // 2400)))
        lengths = [60, 240]
        sizes = [self._size(length) for length in lengths]
        slope = (sizes[1] - sizes[0]) / (lengths[1] - lengths[0])
        self._size(max(10, round(lengths[0] + (size - sizes[0]) / slope)))
        self.message = self.site.message()
        self._write_parts()
        self._blank = folder / "blank.db"
        shutil.copy(self.site.database, self._blank)
        self._members = 0

    def _size(self, summary_length: int) -> int:
        self.site.publish(summary_length)
        return len(self.site.message())

    def _write_parts(self) -> None:
        parsed = email.message_from_bytes(self.message, policy=email.policy.default)
        for part in parsed.walk():
            if part.get_content_maintype() == "text":
                name = "part.html" if part.get_content_subtype() == "html" else "part.txt"
                (self.folder / name).write_text(part.get_content())
        (self.folder / "message.eml").write_bytes(self.message)

    def prepare(self, members: int) -> None:
        """Gives the site so many confirmed members, and no edition."""
        full = self.folder / f"members-{members}.db"
        if not full.exists():
            self._replace_database(self._blank)
            self.site.join_all(f"m{number}@example.com" for number in range(min(members, IMPORTED)))
            _multiply_members(self.site.database, members)
            _gather(self.site.database)
            shutil.copy(self.site.database, full)
        self._replace_database(full)

    def _replace_database(self, source: Path) -> None:
        for file in self.site.root.glob("dateline.db*"):
            file.unlink()
        shutil.copy(source, self.site.database)

    def send(self, task: Task) -> Run:
        """``dateline digest send`` to ``task.messages`` members, with its ledger."""
        self.prepare(task.messages)
        self.site.configure(transport=f"smtp://127.0.0.1:{task.port}", connections=task.connections)
        file = self.folder / "seconds.json"
        words = [sys.executable, str(HERE / "ours.py"), str(self.site.root), DIGEST, str(file)]
        run = measure(words, task.messages, lambda said: _seconds(file.read_text()))
        balance = self.site.balance()
        if balance != {"sent": task.messages}:
            raise RuntimeError(f"of {task.messages} messages were {balance}")
        return run


def _multiply_members(database: Path, members: int) -> None:
    """Adds copies of a member under new addresses until there are so many."""
    with closing(sqlite3.connect(database)) as connection:
        columns = [row[1] for row in connection.execute("PRAGMA table_info(subscribers)") if row[1] != "id"]
        own = {
            "public_id": "printf('x%020d', n)",
            "email": "'m' || n || '@example.com'",
            "email_key": "'m' || n || '@example.com'",
        }
        picked = ", ".join(own.get(name, name) for name in columns)
        connection.execute(
            "WITH RECURSIVE more(n) AS (SELECT :first UNION ALL SELECT n + 1 FROM more WHERE n + 1 < :members) "
            f"INSERT INTO subscribers ({', '.join(columns)}) SELECT {picked} FROM more, "
            "(SELECT * FROM subscribers ORDER BY id LIMIT 1) WHERE :first < :members",
            {"first": IMPORTED, "members": members},
        )
        connection.commit()


def _gather(database: Path) -> None:
    """Brings what SQLite keeps beside the file into it, so that the file alone can be copied."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def smtp_source(size: int) -> Sender:
    """Postfix's own load generator in C, which keeps its connections as we do."""
    program = find("smtp-source", "postfix")

    def send(task: Task) -> Run:
        options = ["-d", "-s", str(task.connections), "-l", str(size), "-m", str(task.messages)]
        words = [program, *options, "-f", "news@news.test", "-t", "reader@example.com", f"127.0.0.1:{task.port}"]
        return measure(words, task.messages)

    return send


def plain(folder: Path) -> Sender:
    """EmailMessage and smtplib, one connection."""

    def send(task: Task) -> Run:
        words = [sys.executable, str(HERE / "plain.py"), str(task.port), str(task.messages), str(folder)]
        return measure(words, task.messages, _seconds)

    return send


def install_nodemailer(folder: Path) -> Path:
    """nodemailer by npm, in a folder that goes away. Raises ``MissingError`` or ``RuntimeError`` where that cannot be."""
    npm, node = find("npm", "npm"), find("node", "nodejs")
    place = folder / "nodemailer"
    shutil.copytree(ROOT / "benchmarks" / "nodemailer", place, ignore=shutil.ignore_patterns("node_modules"))
    words = [npm, "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(place)]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode or not (place / "node_modules" / "nodemailer").exists():
        raise RuntimeError(f"npm could not install nodemailer: {(done.stderr or done.stdout).strip()[-300:]}")
    return Path(node)


def nodemailer(node: Path, folder: Path, kind: str) -> Sender:
    """nodemailer's pool, its messages ``composed`` by it or given ``raw``."""

    def send(task: Task) -> Run:
        script = folder / "nodemailer" / "send.js"
        words = [str(node), str(script), str(task.port), str(task.messages), str(task.connections), kind, str(folder)]
        return measure(words, task.messages, _seconds)

    return send
