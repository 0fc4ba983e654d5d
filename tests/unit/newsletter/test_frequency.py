"""Who gets which edition: every one, the first of a week, none while paused; and what a weekly one carries."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, insert, select

from content.database import writing
from dateline.store import memory_store
from newsletter.ledger import EditionState, Ledger
from newsletter.members import Choices, Members
from newsletter.past import without_links
from newsletter.preferences import EVERYTHING, Frequency, Preference
from newsletter.rendering import LINKS, link_mark
from newsletter.subscribers import Subscribers
from newsletter.suppression import Suppressions
from newsletter.tables import editions, subscribers

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
MONDAY = date(2026, 11, 23)


@pytest.fixture
def connection() -> Iterator[Connection]:
    with writing(memory_store()) as opened:
        yield opened


def choose(connection: Connection, address: str, **chosen: object) -> None:
    Subscribers(connection).join(address, origin="t", now=NOW, confirmed=True)
    public_id = connection.execute(select(subscribers.c.public_id).where(subscribers.c.email == address)).scalar_one()
    facts: dict[str, object] = {"digests": ("daily",), "regions": (), "frequency": Frequency.EVERY, "paused_until": None}
    facts |= {"language": "", "time_zone": ""} | chosen
    Members(connection, Suppressions(connection, "0" * 20), ["daily"]).choose(public_id, Choices(**facts))  # type: ignore[arg-type]


def add_edition(connection: Connection, day: date, state: EditionState = EditionState.SENT) -> None:
    at = datetime(day.year, day.month, day.day, 7, tzinfo=UTC)
    row = {"digest": "daily", "local_date": day, "state": state, "subject": "s", "slot": "x", "recipients": 0, "created_at": at}
    connection.execute(insert(editions).values(**row))


@given(st.sets(st.sampled_from(["CN", "CN-GD", "142", "FR"])), st.sampled_from(Frequency))
def test_a_preference_is_told_by_its_key(regions: set[str], frequency: Frequency) -> None:
    preference = Preference(tuple(sorted(regions)), frequency)
    assert Preference.read(preference.key) == preference
    assert Preference.read(EVERYTHING) == Preference()


def test_members_are_counted_by_what_they_share(connection: Connection) -> None:
    choose(connection, "a@x.test")
    choose(connection, "b@x.test", regions=("CN",))
    choose(connection, "c@x.test", regions=("CN",))
    choose(connection, "d@x.test", regions=("CN",), frequency=Frequency.WEEKLY)
    choose(connection, "e@x.test", paused_until=MONDAY + timedelta(days=1))
    members = Subscribers(connection)
    assert members.preferences("daily", MONDAY) == [("", 1), (",CN,", 2), ("weekly,CN,", 1)]
    assert members.preferences("daily", MONDAY, weekly=False) == [("", 1), (",CN,", 2)]
    assert members.preferences("daily", MONDAY + timedelta(days=1), weekly=False) == [("", 2), (",CN,", 2)]


def test_a_week_is_opened_by_the_first_edition_that_goes_out(connection: Connection) -> None:
    ledger = Ledger(connection)
    assert ledger.opens_week("daily", MONDAY)
    add_edition(connection, MONDAY, EditionState.SKIPPED)
    add_edition(connection, MONDAY + timedelta(days=1), EditionState.CANCELLED)
    assert ledger.opens_week("daily", MONDAY + timedelta(days=2))
    add_edition(connection, MONDAY + timedelta(days=2), EditionState.PAUSED)
    assert not ledger.opens_week("daily", MONDAY + timedelta(days=6))
    assert ledger.opens_week("daily", MONDAY + timedelta(days=7)) and ledger.opens_week("other", MONDAY)


def test_a_weeks_history_ends_with_the_edition_that_opened_the_one_before(connection: Connection) -> None:
    ledger = Ledger(connection)
    assert ledger.history_of_weeks("daily", MONDAY).last is None
    for days in (-14, -12, -6, -5, -3):
        add_edition(connection, MONDAY + timedelta(days=days))
    assert ledger.history_of_weeks("daily", MONDAY).last == NOW - timedelta(days=6)
    # Where a week had none, it is the one before that.
    assert ledger.history_of_weeks("daily", MONDAY - timedelta(days=7)).last == NOW - timedelta(days=14)


def test_the_year_changes_in_the_middle_of_a_week(connection: Connection) -> None:
    add_edition(connection, date(2026, 12, 30))
    assert not Ledger(connection).opens_week("daily", date(2027, 1, 1))
    assert Ledger(connection).opens_week("daily", date(2027, 1, 4))


def test_nothing_personal_is_left_in_a_rendering_for_everybody() -> None:
    slot = "slot-0123-unsubscribe-url"
    marks = [link_mark(slot, link) for link in LINKS]
    written = "".join(f'<p>see <a href="{mark}?x=1">this</a> or {mark}<!-- {mark} --></p>' for mark in marks)
    own = '<p class="dim own">You get this because you joined.</p>tail'
    shown = without_links(f"<!doctype html><html><body>{own}{written}<a href='https://x.test/'>news</a></body></html>", slot)
    assert "slot-" not in shown and "You get this" not in shown and ">this<" not in shown
    assert "tail" in shown and 'href="https://x.test/"' in shown
