"""Members from lists of elsewhere: who is taken in, who stays out, and what is wrong with which line."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TextIO

from sqlalchemy import Engine

from content.database import writing
from content.errors import ConfigError, Problem, Severity
from newsletter.exporting import harmless, open_private
from newsletter.lists.batches import Batch, Fate
from newsletter.lists.columns import Layout
from newsletter.lists.records import records
from newsletter.lists.rows import Row, RowReader, UnknownRegions
from newsletter.lists.told import Told
from newsletter.subscribers import SubscriberError
from newsletter.suppression import Suppressions

BATCH = 1000
"""Lines a transaction: short enough that others who write wait for no longer than a blink."""
SHOWN = 25
"""Problems that are kept one by one; the rejects file has all the errors."""

Progress = Callable[[int, int], None]
"""Hears how many of how many lines are done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be imported, and on whose word: ``confirmed`` says that those who are subscribed there have agreed."""

    layouts: Sequence[Layout]
    confirmed: bool = True
    unknown_regions: UnknownRegions = "reject"


@dataclass(slots=True)
class ImportReport:
    """What became of the lines that hold anything: ``added + confirmed + merged + left + suppressed + rejected = lines``.

    A record of several lines counts as one. ``waiting`` of the added have not agreed and are not mailed. ``problems`` are the
    first ones; ``rejects`` is the file with all lines that were refused, if there are any.
    """

    lines: int = 0
    rejected: int = 0
    waiting: int = 0
    warnings: int = 0
    fates: Counter[Fate] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    rejects: Path | None = None

    @property
    def counts(self) -> dict[str, int]:
        return {"lines": self.lines, **{fate.value: self.fates[fate] for fate in Fate}, "rejected": self.rejected}

    @property
    def balances(self) -> bool:
        return self.lines == sum(self.fates.values()) + self.rejected

    def note(self, severity: Severity, layout: Layout, line: int, message: str) -> None:
        if len(self.problems) < SHOWN:
            self.problems.append(Problem(severity, Path(str(layout.file)), line, message))


def import_members(
    engine: Engine, key: str, plan: Plan, now: datetime, rejects: Path, progress: Progress = lambda done, total: None
) -> ImportReport:
    """Takes in the members of lists; a bad line goes into the file ``rejects`` with its reason, the rest goes in.

    Those who must not be mailed are recorded first, so that nobody is mailed whom a later line takes out, also when the
    import is killed. Run again, it goes on where it was and adds nobody twice. ``key`` is the site's.
    """
    with writing(engine) as connection:
        # Members whose suppression is over stand again where they stood, before a list is held against that.
        Suppressions(connection, key).expire(now)
    for layout in plan.layouts:
        if rejects.resolve() == layout.file.path.resolve():
            raise ConfigError(f"--rejects {rejects}: that is the file to be imported; name another")
    # Who is out, then the rest.
    work = [(one, out) for out in (True, False) for one in plan.layouts if one.speaks or not out]
    sizes = [layout.file.count_lines() for layout, _ in work]
    with _Rejects(rejects) as rejected:
        run = _Run(engine, key, plan, now, rejected)
        for number, (layout, out) in enumerate(work):
            before = sum(sizes[:number])
            run.take(layout, out=out, progress=partial(_tell, progress, before, sum(sizes)))
            progress(before + sizes[number], sum(sizes))
    run.report.rejects = rejects if rejected.count else None
    return run.report


def _tell(progress: Progress, before: int, total: int, lines: int) -> None:
    progress(min(before + lines, total), total)


class _Run:
    """One pass after the other over the tables."""

    def __init__(self, engine: Engine, key: str, plan: Plan, now: datetime, rejected: _Rejects) -> None:
        self._engine = engine
        self._key = key
        self._plan = plan
        self._now = now
        self._rejected = rejected
        self.report = ImportReport()

    def take(self, layout: Layout, *, out: bool, progress: Callable[[int], None]) -> None:
        """Imports those of a table who are ``out``, or all the others."""
        rows = self._rows(layout, out=out, progress=progress)
        while batch := list(islice(rows, BATCH)):
            with writing(self._engine) as connection:
                taker = Batch(connection, self._key, self._now, layout.file.name, confirmed=self._plan.confirmed)
                fates = taker.take(batch)
            # Only what is committed counts.
            self.report.fates.update(fates)
            self.report.lines += len(batch)
            waits = Told.WAITING if self._plan.confirmed else Told.SUBSCRIBED
            added = (row for row, fate in zip(batch, fates, strict=True) if fate is Fate.ADDED)
            self.report.waiting += sum(row.told >= waits for row in added)

    def _rows(self, layout: Layout, *, out: bool, progress: Callable[[int], None]) -> Iterator[Row]:
        reader = RowReader(layout, self._now, self._plan.unknown_regions)
        width = len(layout.columns) or len(layout.examples)
        heard = 0
        for record in records(layout.file.lines(), layout.delimiter, width):
            if record.line <= layout.skip:
                continue
            if record.line >= heard + BATCH:
                heard = record.line
                progress(heard)
            try:
                row = reader.read(record, out=out)
            except SubscriberError as error:
                if not out:
                    self._reject(layout, record.line, str(error), record.raw)
                continue
            if row is None:
                continue
            if row.warning:
                self.report.warnings += 1
                self.report.note(Severity.WARNING, layout, row.line, row.warning)
            yield row

    def _reject(self, layout: Layout, line: int, reason: str, raw: str) -> None:
        self.report.lines += 1
        self.report.rejected += 1
        self.report.note(Severity.ERROR, layout, line, reason)
        self._rejected.add(layout.file.name, line, reason, raw)


class _Rejects:
    """The file of the lines that were refused; made with the first of them, for its owner's eyes only."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self.count = 0

    def __enter__(self) -> _Rejects:
        return self

    def __exit__(self, *error: object) -> None:
        if self._file:
            self._file.close()

    def add(self, name: str, line: int, reason: str, raw: str) -> None:
        try:
            if self._file is None:
                self._file = open_private(self._path)
                self._writer = csv.writer(self._file, lineterminator="\n")
                self._writer.writerow(("file", "line", "reason", "raw"))
            self._writer.writerow((harmless(name), line, harmless(reason), harmless(raw)))
        except OSError as error:
            raise SubscriberError(
                f"{self._path}: the rejected lines cannot be written ({error.strerror}): name another file with --rejects"
            ) from None
        self.count += 1
