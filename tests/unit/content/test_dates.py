"""Dates as people and programs write them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.dates import date_of_file_name, date_of_line, parse_date


@pytest.mark.parametrize(
    "text",
    [
        "2024-10-24", "2024/10/24", "20241024", "October 24, 2024", "24 Oct 2024", "Oct. 24, 2024", "October 24th, 2024", "24.10.2024",
        "24/10/2024", "10/24/2024", "10-24-2024", "Thursday, October 24, 2024", "Thu, 24 Oct 2024", "2024-W43-4", "2024-10-24T00:00:00Z",
        "24. Oktober 2024", "24 octobre 2024", "jeudi 24 octobre 2024", "24 de octubre de 2024", "24 ottobre 2024", "24 de outubro de 2024",
        "Donnerstag, 24. Oktober 2024", "24 oktober 2024", "2024年10月24日", "2024年10月24日（木）", "2024년 10월 24일",
    ],
)  # fmt: skip
def test_one_day_may_be_written_in_many_ways(text: str) -> None:
    assert parse_date(text, UTC) == datetime(2024, 10, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-10-24 09:30", "2024-10-24T07:30:00+00:00"),
        ("2024-10-24T09:30:00Z", "2024-10-24T09:30:00+00:00"),
        ("24 Oct 2024 09:30 BST", "2024-10-24T08:30:00+00:00"),
        ("Oct 24, 2024, 9:15 AM EDT", "2024-10-24T13:15:00+00:00"),
        ("Thu, 24 Oct 2024 09:30:00 -0500", "2024-10-24T14:30:00+00:00"),
        ("24. Oktober 2024, 09:30 Uhr", "2024-10-24T07:30:00+00:00"),
        ("24 octobre 2024 à 09h30", "2024-10-24T07:30:00+00:00"),
        ("2024年10月24日 9:30", "2024-10-24T07:30:00+00:00"),
        ("4.3.2024", "2024-03-03T23:00:00+00:00"),
        ("5/5/2024", "2024-05-04T22:00:00+00:00"),
    ],
)
def test_a_time_without_offset_is_the_sites_own(text: str, moment: str) -> None:
    assert parse_date(text, ZoneInfo("Europe/Berlin")).isoformat() == moment


@pytest.mark.parametrize(
    "text",
    [
        "", "yesterday", "2024", "October 2024", "2024-10", "24 October", "24-10-24", "12:30", "1729762200", "2024-13-01", "2024-02-30",
        "31. Februar 2024", "2024年13月1日", "03/04/2024", "3-4-2024", "2024-10-24 25:00", "2024-10-24T09:30:00+25:00", "0001-01-01",
        "9999-12-31", "24 Oct 2024 09:30 XYZ", "the day after 2024-10-24", "99999999999999999999-10-24", "\0", "NaN", "24 Foobar 2024",
    ],
)  # fmt: skip
def test_what_is_no_certain_day_is_refused_and_says_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"write it as 2024-10-24|between 1900 and 2199"):
        parse_date(text, UTC)


@given(st.text(max_size=40))
def test_any_text_is_a_moment_or_a_value_error(text: str) -> None:
    try:
        moment = parse_date(text, UTC)
    except ValueError:
        return
    assert moment.tzinfo is UTC


@given(st.integers(-2_200_000_000, 7_200_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_iso_dates_come_back_as_they_were(moment: datetime) -> None:
    assert parse_date(moment.isoformat(), UTC) == moment


@pytest.mark.parametrize(
    "line",
    [
        "Published October 24, 2024",
        "Last updated: 24 Oct 2024",
        "Posted on 2024-10-24",
        "Veröffentlicht am 24. Oktober 2024",
        "Publié le 24 octobre 2024",
    ],
)
def test_a_date_line_may_have_a_label(line: str) -> None:
    assert date_of_line(line, UTC) == datetime(2024, 10, 24, tzinfo=UTC)


@pytest.mark.parametrize(
    "line",
    [
        "In 2024 there were 24 auctions.",
        "October 24, 2024 was a good day for carriers in the whole of the country",
        "Room 2024",
        "2024 in review",
    ],
)
def test_a_line_with_a_year_in_it_is_no_date_line(line: str) -> None:
    assert date_of_line(line, UTC) is None


def test_an_unknown_time_zone_costs_hours_and_not_the_date() -> None:
    assert date_of_line("24 Oct 2024 09:30 IST", UTC) == datetime(2024, 10, 24, 9, 30, tzinfo=UTC)


def test_only_a_date_at_the_head_of_a_file_name_counts() -> None:
    assert date_of_file_name("2024-1-5-x", UTC) == datetime(2024, 1, 5, tzinfo=UTC)
    assert date_of_file_name("report-2024-01-05", UTC) is None
    assert date_of_file_name("2024-01-055", UTC) is None


@pytest.mark.parametrize(
    "written", ["Thursday 03/04/2024", "Mon, 03/04/2024 10:00", "10:00 03/04/2024", "03 04 2024", "3/4 2024", "03.04.24 2024"]
)
def test_a_date_that_two_countries_read_differently_is_refused_wherever_it_stands(written: str) -> None:
    with pytest.raises(ValueError, match=r"write it as 2024-10-24"):
        parse_date(written, UTC)


@pytest.mark.parametrize(
    "written", ["13/04/2024 10:00", "Sat 13/04/2024", "April 13, 2024", "2024/4/13", "13.04.2024", "13 Apr 2024"]
)
def test_a_date_that_can_only_be_read_one_way_is_read(written: str) -> None:
    assert parse_date(written, UTC).date() == date(2024, 4, 13)
