"""A site on disk with news and members, driven by the command line: for tests and benchmarks of the sending."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from newsletter.settings import NewsletterSettings

ROOT = Path(__file__).parents[1]
PROGRAM = Path(sys.executable).parent / "dateline"
DIGEST = "daily"

CONFIG = """\
[site]
title = "The Daily Test"
url = "https://news.test"
owned_since = 2026-01-01

[feeds]
pages = false

[newsletter]
templates = {templates}
postal_address = "1 Test Street"
{newsletter}

[[digest]]
name = "{digest}"
title = "The Daily Test, daily"
limit = {articles}
"""

SENTENCE = (
    "The regulator said on Thursday that carriers may share their masts in the country's north from next year on, "
    "which two of the three had asked for. "
)


def environment() -> dict[str, str]:
    """Ours without the settings that a developer may have set, and with this checkout first."""
    own = {key: value for key, value in os.environ.items() if not key.startswith("DATELINE_")}
    return own | {"PYTHONPATH": str(ROOT)}


class Publication:
    """A site in ``root``. ``settings`` are those of ``[newsletter]``."""

    def __init__(self, root: Path, *, articles: int = 3, **settings: object) -> None:
        self.root = root
        self._articles = articles
        (root / "articles").mkdir(parents=True, exist_ok=True)
        self.configure(**settings)

    @property
    def database(self) -> Path:
        return self.root / "dateline.db"

    def configure(self, **settings: object) -> None:
        """Writes config.toml. Settings that this version does not know are left out."""
        known = {key: value for key, value in settings.items() if key in NewsletterSettings.model_fields}
        lines = "\n".join(f"{key} = {json.dumps(value)}" for key, value in known.items())
        text = CONFIG.format(
            templates=json.dumps(str(ROOT / "templates")), newsletter=lines, digest=DIGEST, articles=self._articles
        )
        (self.root / "config.toml").write_text(text)

    def command(self, *words: object) -> list[str]:
        return [str(PROGRAM), "--site", str(self.root), *map(str, words)]

    def run(self, *words: object, codes: Iterable[int] = (0,), timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Runs ``dateline``; its exit code must be one of ``codes``, and it must not end with a traceback."""
        done = subprocess.run(
            self.command(*words), capture_output=True, text=True, timeout=timeout, env=environment(), check=False
        )
        assert done.returncode in codes and "Traceback" not in done.stderr, (
            f"dateline {' '.join(map(str, words))}: exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        )
        return done

    def publish(self, summary_length: int = 200) -> None:
        """Writes today's articles and takes them in; each has a summary of about that many characters."""
        moment = datetime.now(UTC) - timedelta(hours=2)
        summary = (SENTENCE * (summary_length // len(SENTENCE) + 1))[:summary_length].strip()
        for number in range(self._articles):
            front = f"title: News number {number} of the day\ndate: {moment.isoformat()}\nsummary: {json.dumps(summary)}\n"
            (self.root / "articles" / f"news-{number}.md").write_text(f"---\n{front}---\n{SENTENCE * 3}\n")
        self.run("publish")

    def join(self, *addresses: str) -> None:
        """Makes confirmed members of these addresses."""
        self.join_all(addresses)

    def join_all(self, addresses: Iterable[str]) -> None:
        """The same for very many of them."""
        file = self.root / "members.csv"
        with file.open("w") as out:
            out.write("email\n")
            out.writelines(f"{address}\n" for address in addresses)
        self.run("subscribers", "import", file, "--confirmed", timeout=3000)

    def message(self) -> bytes:
        """A member's message as it would go out now."""
        file = self.root / "sample.eml"
        self.run("digest", "preview", DIGEST, "--eml", file)
        return file.read_bytes()

    def send(self, *, codes: Iterable[int] = (0,), timeout: float = 600) -> Mapping[str, object]:
        """Sends the digest; what the program says of it."""
        done = self.run("digest", "send", DIGEST, "--json", codes=codes, timeout=timeout)
        told: dict[str, object] = json.loads(done.stdout) if done.stdout.strip() else {}
        return told

    # What the database says, asked without the program.

    def balance(self, database: Path | None = None) -> dict[str, int]:
        """How many deliveries of the only edition are in each state."""
        return dict(self._ask("SELECT state, count(*) FROM deliveries GROUP BY state", database))

    def recipients(self, database: Path | None = None) -> int:
        """How many recipients the only edition has; 0 before it is made."""
        return sum(number for (number,) in self._ask("SELECT recipients FROM editions", database))

    def is_sent(self) -> bool:
        return self._ask("SELECT state FROM editions") == [("sent",)]

    def in_doubt(self) -> set[str]:
        """Who may have got the message from a sender that died: those whom ``digest status`` lists as in doubt."""
        return {email for (email,) in self._ask("SELECT email FROM deliveries WHERE doubts > 0")}

    def is_intact(self, database: Path | None = None) -> bool:
        return self._ask("PRAGMA integrity_check", database) == [("ok",)]

    def _ask(self, question: str, database: Path | None = None) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(database or self.database, timeout=30)) as connection:
            return connection.execute(question).fetchall()


def lay_out(root: Path, members: Iterable[str]) -> Path:
    """Makes a site with news and members, to be copied; returns its folder."""
    made = Publication(root, articles=1)
    made.publish()
    made.join(*members)
    return made.root
