"""A site that lists of members are imported into, for tests."""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from content.database import reading, writing
from dateline.store import memory_store
from newsletter.exporting import Exported, members
from newsletter.importing import ImportReport, Plan, import_members
from newsletter.lists.columns import layouts, parse_map
from newsletter.subscribers import Joined, Subscribers
from newsletter.suppression import Evidence, Reason, Suppressions

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
KEY = "0123456789abcdef"


class Members:
    """The members of a site, with files in the folder ``root``."""

    def __init__(self, root: Path, engine: Engine | None = None) -> None:
        root.mkdir(exist_ok=True)
        self.root = root
        self.rejects = root / "rejects.csv"
        self.engine = engine or memory_store()

    def take(
        self, content: str | bytes | Path, *map_: str, name: str = "members.csv", now: datetime = NOW, **choices: object
    ) -> ImportReport:
        path = content if isinstance(content, Path) else self.root / name
        if isinstance(content, str):
            path.write_text(content, "utf-8")
        elif isinstance(content, bytes):
            path.write_bytes(content)
        plan = Plan(layouts(path, parse_map(map_)), **choices)  # type: ignore[arg-type]
        report = import_members(self.engine, KEY, plan, now, self.rejects)
        assert report.balances, report
        return report

    def join(self, email: str, *, confirmed: bool = True, now: datetime = NOW) -> Joined:
        with writing(self.engine) as connection:
            held = Suppressions(connection, KEY)
            return Subscribers(connection, held).join(email, origin="form", now=now, confirmed=confirmed)

    def leave(self, email: str) -> None:
        with writing(self.engine) as connection:
            assert Subscribers(connection).leave(email, NOW)

    def suppress(self, email: str, reason: Reason, until: datetime | None = None) -> None:
        with writing(self.engine) as connection:
            Suppressions(connection, KEY).add(email, reason, NOW, Evidence(), until)

    def lift(self, email: str) -> None:
        with writing(self.engine) as connection:
            assert Suppressions(connection, KEY).lift(email, "a mistake", NOW)

    @property
    def all(self) -> dict[str, Exported]:
        with reading(self.engine) as connection:
            return {one.email: one for one in members(connection)}

    @property
    def standings(self) -> dict[str, str]:
        return {email: one.standing.value for email, one in self.all.items()}

    @property
    def rejected(self) -> list[tuple[int, str, str]]:
        """Line, reason and text of what was refused."""
        if not self.rejects.exists():
            return []
        with self.rejects.open(encoding="utf-8", newline="") as file:
            return [(int(row["line"]), row["reason"], row["raw"]) for row in csv.DictReader(file)]
