"""A digest is due once for each time on the wall, whatever the clocks do (invariant 13)."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.cron import LocalCron, parse_cron

START = datetime.fromisoformat("2024-01-01")


def fires(line: str, zone: str, start: str, count: int) -> list[str]:
    trigger, moment, found = LocalCron(line, ZoneInfo(zone)), None, []
    now = datetime.fromisoformat(start).replace(tzinfo=UTC)
    for _ in range(count):
        moment = trigger.get_next_fire_time(moment, now)
        assert moment
        now = moment
        found.append(f"{moment:%m-%d %H:%M}")
    return found


def test_a_time_in_the_gap_comes_after_it_and_one_in_the_fold_comes_once() -> None:
    assert fires("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00", 3) == ["03-28 02:30", "03-29 03:30", "03-30 02:30"]
    assert fires("30 2 * * *", "Europe/Berlin", "2026-10-24T00:00", 3) == ["10-24 02:30", "10-25 02:30", "10-26 02:30"]


def test_a_midnight_that_does_not_exist_still_has_its_edition() -> None:
    assert fires("0 0 * * *", "Africa/Cairo", "2026-04-22T12:00", 3) == ["04-23 00:00", "04-24 01:00", "04-25 00:00"]
    assert fires("0 0 * * *", "America/Sao_Paulo", "2018-11-02T12:00", 3) == ["11-03 00:00", "11-04 01:00", "11-05 00:00"]


@pytest.mark.parametrize(
    ("days", "first"), [("0", "11-22"), ("7", "11-22"), ("1-5", "11-23"), ("5-1", "11-21"), ("sat", "11-21"), ("6,0", "11-21")]
)
def test_weekdays_are_counted_as_cron_counts_them(days: str, first: str) -> None:
    # 2026-11-20 is a Friday; its own seven o'clock is over.
    assert fires(f"0 7 * * {days}", "UTC", "2026-11-20T12:00", 1) == [f"{first} 07:00"]


@pytest.mark.parametrize("line", ["", "* * *", "61 * * * *", "0 7 * * 8", "0 7 * * fun", "a b c d e", "0 7 * * * *"])
def test_a_wrong_line_is_refused(line: str) -> None:
    with pytest.raises(ValueError, match="cron"):
        parse_cron(line)


@settings(max_examples=40)
@given(
    st.sampled_from(["Europe/Berlin", "America/New_York", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    st.integers(0, 23), st.integers(0, 59), st.datetimes(START, START.replace(year=2027)),
)  # fmt: skip
def test_every_local_date_is_due_exactly_once(zone: str, hour: int, minute: int, start: datetime) -> None:
    trigger, moment, now = LocalCron(f"{minute} {hour} * * *", ZoneInfo(zone)), None, start.replace(tzinfo=UTC)
    dates = []
    for _ in range(40):
        moment = trigger.get_next_fire_time(moment, now)
        assert moment
        dates.append(moment.date())
    assert all(later - earlier == timedelta(days=1) for earlier, later in itertools.pairwise(dates))


def test_a_late_start_finds_what_is_due_within_its_window_only() -> None:
    trigger, now = LocalCron("0 7 * * *", ZoneInfo("UTC")), datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert trigger.last_due(now, timedelta(hours=6)) == datetime(2026, 11, 23, 7, tzinfo=UTC)
    assert trigger.last_due(now, timedelta(hours=4)) is None
