"""The table of all members: nobody is left out, it can be imported again, and a spreadsheet runs nothing of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lists import NOW, Members

from content.database import reading
from newsletter.exporting import COLUMNS, Exported, harmless, members, write_csv
from newsletter.lists.rows import _address
from newsletter.subscribers import Joined, Standing
from newsletter.suppression import Reason


@pytest.fixture
def site(tmp_path: Path) -> Members:
    return Members(tmp_path / "site")


def written(site: Members, **filters: object) -> str:
    text = io.StringIO()
    with reading(site.engine) as connection:
        write_csv(members(connection, **filters), text)  # type: ignore[arg-type]
    return text.getvalue()


def full(site: Members) -> None:
    """Members of every standing, with every preference, and addresses like formulas."""
    site.take(
        "email,regions,digests,confirmed_at\n=cmd|x@x.test,CN;IN,daily,2020-01-02\n+1@x.test,,,\n''=1@x.test,KE,,\n"
        "ann@müller.test,,asia-weekly;daily,2021-02-03T04:05:06.789Z\n"
    )
    site.take("a@x.test\n", confirmed=False)
    for name in ("left", "bounced", "full", "complained"):
        site.join(f"{name}@x.test", now=datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC))
    site.leave("left@x.test")
    site.suppress("bounced@x.test", Reason.HARD_BOUNCE)
    site.suppress("full@x.test", Reason.SOFT_BOUNCES, NOW + timedelta(days=9))
    site.suppress("complained@x.test", Reason.SOFT_BOUNCES, NOW + timedelta(days=9))
    site.suppress("complained@x.test", Reason.COMPLAINT)


def without_origins(everybody: Mapping[str, Exported]) -> dict[str, Exported]:
    return {email: replace(one, origin="") for email, one in everybody.items()}


def test_what_is_exported_and_imported_again_is_the_same(site: Members, tmp_path: Path) -> None:
    """Invariants 23 and 41."""
    full(site)
    other = Members(tmp_path / "other")
    report = other.take(written(site), now=NOW + timedelta(minutes=1))
    assert (report.lines, report.rejected) == (9, 0)
    assert without_origins(other.all) == without_origins(site.all)
    assert other.all["left@x.test"].origin == "import: members.csv, 2026-11-23; before: form"
    assert {other.join(f"{name}@x.test") for name in ("bounced", "full", "complained")} == {Joined.SUPPRESSED}
    other.lift("bounced@x.test")
    assert other.standings["bounced@x.test"] == "confirmed"


def test_imported_again_where_it_came_from_it_changes_nothing(site: Members) -> None:
    """Invariant 40."""
    full(site)
    before = site.all
    report = site.take(written(site))
    assert (report.rejected, sum(report.fates.values())) == (0, 9)
    assert site.all == before


def test_no_cell_of_an_export_is_a_formula(site: Members) -> None:
    """Invariant 43."""
    full(site)
    rows = list(csv.reader(io.StringIO(written(site))))
    assert rows[0] == list(COLUMNS) and len(rows) == 10
    assert [row[0] for row in rows[1:4]] == ["'=cmd|x@x.test", "'+1@x.test", "''=1@x.test"]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row)


@given(st.text("'=+-@a\t", max_size=6))
def test_a_neutralised_cell_is_read_as_it_was(cell: str) -> None:
    """Invariant 43, and that it costs nobody their address."""
    assert not harmless(cell).startswith(("=", "+", "-", "@", "\t"))
    if cell == cell.strip():
        assert _address(harmless(cell)) == cell


def test_an_export_can_be_limited_to_a_standing_and_a_digest(site: Members) -> None:
    full(site)
    with reading(site.engine) as connection:
        assert [one.email for one in members(connection, [Standing.LEFT])] == ["left@x.test"]
        weekly = [one.email for one in members(connection, [Standing.CONFIRMED], "asia-weekly")]
    assert weekly == ["+1@x.test", "'=1@x.test", "ann@müller.test"]
