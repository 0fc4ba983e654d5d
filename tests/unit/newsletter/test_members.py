"""Who is taken in, and who stays out."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, delete

from content.database import writing
from content.regions import resolve
from dateline.store import memory_store
from newsletter.subscribers import Joined, Standing, SubscriberError, Subscribers
from newsletter.suppression import Evidence, Reason, Suppressions
from newsletter.tables import subscribers
from newsletter.tokens import Tokens

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
KEY = "0123456789abcdef"


@pytest.fixture
def connection() -> Iterator[Connection]:
    with writing(memory_store()) as opened:
        yield opened


@pytest.fixture
def members(connection: Connection) -> Subscribers:
    return Subscribers(connection)


def join(members: Subscribers, email: str, confirmed: bool = True) -> Joined:
    return members.join(email, origin="test", now=NOW, confirmed=confirmed)


def test_an_address_in_any_letter_case_is_one_member(members: Subscribers) -> None:
    assert join(members, "Ann@Example.com") is Joined.ADDED
    assert join(members, "ann@EXAMPLE.com") is Joined.UNCHANGED
    assert members.count() == {Standing.CONFIRMED: 1}


def test_the_unconfirmed_wait_until_they_are_confirmed(members: Subscribers) -> None:
    join(members, "a@x.test", confirmed=False)
    assert members.preferences("daily") == []
    assert join(members, "a@x.test") is Joined.CONFIRMED
    assert members.preferences("daily") == [("", 1)]


def test_who_left_stays_out_whoever_asks(members: Subscribers) -> None:
    """Invariant 23."""
    join(members, "a@x.test")
    assert members.leave("A@x.test", NOW) and not members.leave("a@x.test", NOW)
    assert join(members, "a@x.test") is Joined.LEFT_BEFORE
    assert members.preferences("daily") == []


def test_who_left_comes_back_when_they_ask_themselves(members: Subscribers) -> None:
    join(members, "a@x.test")
    members.leave("a@x.test", NOW)
    assert members.join("A@x.test", origin="test", now=NOW, confirmed=True, again=True) is Joined.BACK
    (member,) = members.all()
    assert (member.standing, member.confirmed_at) == (Standing.CONFIRMED, NOW)


def test_what_a_member_gets_can_be_set_and_what_is_not_named_stays(members: Subscribers) -> None:
    members.join("a@x.test", origin="test", now=NOW, confirmed=True, digests=["daily"])
    (china,) = resolve(["CN"])[0]
    assert members.choose("A@X.test", regions=[china])
    assert [(one.regions, one.digests) for one in members.all()] == [(("CN",), ("daily",))]
    assert members.choose("a@x.test", regions=[], digests=[])
    assert [(one.regions, one.digests) for one in members.all()] == [((), ())]
    assert not members.choose("b@x.test", regions=[])


def test_a_link_for_leaving_cannot_be_made_up_and_shows_no_address() -> None:
    """Invariant 20."""
    tokens, others = Tokens("0123456789abcdef"), Tokens("fedcba9876543210")
    token = tokens.unsubscribe("abc123")
    assert tokens.read_unsubscribe(token) == "abc123"
    assert others.read_unsubscribe(token) is None
    for wrong in ("", token[:-1], token[::-1], token.replace(".", ""), "x" * 5000, "ü"):
        assert tokens.read_unsubscribe(wrong) is None


def test_a_suppressed_address_is_revived_by_nobody(members: Subscribers, connection: Connection) -> None:
    """Invariant 23."""
    held = Suppressions(connection, KEY)
    guarded = Subscribers(connection, held)
    join(members, "a@x.test")
    assert held.add("A@X.test", Reason.HARD_BOUNCE, NOW) and held.add("never-here@x.test", Reason.COMPLAINT, NOW)
    assert members.preferences("daily") == [] and members.count() == {Standing.SUPPRESSED: 1}
    for email in ("a@x.test", "never-here@x.test"):
        assert join(guarded, email) is Joined.SUPPRESSED
        assert guarded.join(email, origin="t", now=NOW, confirmed=True, again=True) is Joined.SUPPRESSED
    assert {one.email: one.standing for one in members.all()} == {"a@x.test": Standing.SUPPRESSED}


def test_a_suppression_outlives_its_subscriber(members: Subscribers, connection: Connection) -> None:
    """Invariant 41, the part about what stays."""
    held = Suppressions(connection, KEY)
    join(members, "a@x.test")
    held.add("a@x.test", Reason.ERASED, NOW, Evidence("", "a@x.test asked", "from a@x.test"))
    connection.execute(delete(subscribers))
    (one,) = held.all()
    assert (one.email, one.evidence.diagnostic) == ("", "...@x.test asked")
    assert join(Subscribers(connection, held), "a@x.test") is Joined.SUPPRESSED
    held.lift("a@x.test", "they came back", NOW)
    assert join(Subscribers(connection, held), "a@x.test") is Joined.ADDED


def test_without_the_key_nobody_joins_who_might_be_suppressed(members: Subscribers, connection: Connection) -> None:
    Suppressions(connection, KEY).add("a@x.test", Reason.COMPLAINT, NOW)
    with pytest.raises(SubscriberError, match="without the site's key"):
        join(members, "a@x.test")


@pytest.mark.parametrize("confirmed", [True, False])
def test_lifting_brings_back_where_somebody_stood(members: Subscribers, connection: Connection, confirmed: bool) -> None:
    held = Suppressions(connection, KEY)
    join(members, "a@x.test", confirmed=confirmed)
    held.add("a@x.test", Reason.HARD_BOUNCE, NOW)
    held.add("a@x.test", Reason.BY_HAND, NOW)
    assert held.lift("a@x.test", "a mistake", NOW) == 2
    assert [one.standing for one in members.all()] == [Standing.CONFIRMED if confirmed else Standing.PENDING]
    assert held.lift("a@x.test", "again", NOW) == 0


def test_who_is_suppressed_can_still_leave_and_stays_out_then(members: Subscribers, connection: Connection) -> None:
    held = Suppressions(connection, KEY)
    join(members, "a@x.test")
    held.add("a@x.test", Reason.SOFT_BOUNCES, NOW, until=NOW + timedelta(days=1))
    assert members.leave("a@x.test", NOW)
    assert held.expire(NOW + timedelta(days=1)) == 1
    assert [one.standing for one in members.all()] == [Standing.LEFT]
