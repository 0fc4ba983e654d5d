"""How the commands speak: facts on stdout (tables, or JSON for scripts), complaints and progress on stderr."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from content.errors import Problem
    from dateline.site import Progress

SHOWN = 25
"""Problems that are shown one by one; `dateline check` shows all."""


def say(text: str) -> None:
    """A fact, on stdout."""
    print(text)


def complain(text: str) -> None:
    """What is wrong, on stderr."""
    print(f"dateline: {text}" if "\n" not in text else text, file=sys.stderr)


def print_json(value: Any, *, on_one_line: bool = False) -> None:
    """A value for a script, on stdout."""
    text = json.dumps(value, ensure_ascii=False, indent=None if on_one_line else 2, default=str)
    # A file's name need not be UTF-8; its strange bytes are escaped as JSON escapes them.
    print(text.encode("utf-8", "backslashreplace").decode("utf-8"), flush=on_one_line)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[object]], title: str = "") -> None:
    """A table, on stdout. Its columns keep their order; long cells wrap."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # As text, because square brackets in a name are no markup.
    table = Table(*columns, title=Text(title) if title else None, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    # Piped, a table may be as wide as it needs: what reads it has no edge to keep within.
    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table)


def print_problems(problems: Sequence[Problem], limit: int | None = SHOWN) -> None:
    """Problems with files, errors before warnings, on stderr."""
    weights = ("error", "warning", "hint")
    ordered = sorted(problems, key=lambda problem: weights.index(problem.severity))
    shown = ordered if limit is None else ordered[:limit]
    for problem in shown:
        print(problem, file=sys.stderr)
    if left := len(ordered) - len(shown):
        print(f"... and {left} more; `dateline check` shows all", file=sys.stderr)


@contextmanager
def progress() -> Iterator[Progress]:
    """A progress bar on stderr when that is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield lambda what, done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description:<12}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        tasks: dict[str, Any] = {}

        def hear(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=total)
            bar.update(tasks[what], completed=done, total=total)

        yield hear


class _JsonLines(logging.Formatter):
    """A log record as one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry = {"time": moment, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            entry["exception"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False)


def log_to_stderr(*, as_json: bool) -> None:
    """Sends our log to stderr, of APScheduler only what is wrong."""
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines() if as_json else logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("apscheduler").setLevel(logging.WARNING)


def harmless_cell(value: object) -> str:
    """A cell of a CSV that no spreadsheet takes for a formula."""
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def shown_time(moment: datetime | None, zone: Any = None) -> str:
    """A moment in the terminal: to the minute, with its zone."""
    return f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M %Z}" if moment else "-"


def short_date(day: date, today: date) -> str:
    """``26 Nov``, with the year when it is another than today's."""
    return f"{day.day} {day:%b}" + (f" {day.year}" if day.year != today.year else "")


def counted(number: int, one: str, many: str = "") -> str:
    """``1 article``, ``2 articles``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
