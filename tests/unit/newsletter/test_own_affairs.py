"""What a member may do about herself, and what becomes of it when she has bounced, left or was erased in between."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, select, text

from content.database import writing
from dateline.store import memory_store
from newsletter.erasing import erase, holding
from newsletter.members import BETWEEN_ADDRESSES, Members
from newsletter.subscribers import Joined, Standing, SubscriberError, Subscribers
from newsletter.suppression import Evidence, Reason, Suppressions
from newsletter.tables import subscribers

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


class Scene:
    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.suppressions = Suppressions(connection, "0" * 20)
        self.everybody = Subscribers(connection, self.suppressions)
        self.members = Members(connection, self.suppressions, ["daily", "weekly"])

    def join(self, email: str, *, confirmed: bool = True) -> str:
        assert self.everybody.join(email, origin="t", now=NOW, confirmed=confirmed) is Joined.ADDED
        query = select(subscribers.c.public_id).where(subscribers.c.email == email)
        return str(self.connection.execute(query).scalar_one())

    def standing(self, public_id: str) -> Standing:
        found = self.members.find(public_id)
        assert found
        return found.standing


@pytest.fixture
def scene() -> Iterator[Scene]:
    with writing(memory_store()) as opened:
        yield Scene(opened)


def test_who_bounced_gives_another_address_and_is_mailed_there(scene: Scene) -> None:
    ann = scene.join("ann@old.test")
    scene.suppressions.add("ann@old.test", Reason.HARD_BOUNCE, NOW)
    assert scene.members.ask_for_address(ann, "ann@new.test", NOW)
    found = scene.members.take_address(ann, "ann@new.test", NOW)
    assert (found.email, found.standing) == ("ann@new.test", Standing.CONFIRMED)
    assert scene.suppressions.holds("ann@old.test", NOW) and not scene.suppressions.holds("ann@new.test", NOW)
    # Lifting what held the old one changes nothing for her.
    scene.suppressions.lift("ann@old.test", "mended", NOW)
    assert scene.standing(ann) is Standing.CONFIRMED


def test_an_address_that_is_suppressed_or_anothers_is_not_taken(scene: Scene) -> None:
    """Invariant 23."""
    ann = scene.join("ann@x.test")
    scene.join("bob@x.test")
    scene.suppressions.add("gone@x.test", Reason.COMPLAINT, NOW)
    assert not scene.members.ask_for_address(ann, "gone@x.test", NOW)
    with pytest.raises(SubscriberError, match="cannot be taken"):
        scene.members.take_address(ann, "gone@x.test", NOW)
    assert scene.members.ask_for_address(ann, "BOB@x.test", NOW + BETWEEN_ADDRESSES)
    with pytest.raises(SubscriberError, match="cannot be taken"):
        scene.members.take_address(ann, "bob@x.test", NOW)
    with pytest.raises(SubscriberError, match="not waiting"):
        scene.members.take_address(ann, "cid@x.test", NOW)


def test_only_who_is_on_the_list_asks_for_an_address_and_seldom(scene: Scene) -> None:
    ann, bob = scene.join("ann@x.test"), scene.join("bob@x.test", confirmed=False)
    assert scene.members.ask_for_address(ann, "a@y.test", NOW)
    assert not scene.members.ask_for_address(ann, "b@y.test", NOW + timedelta(minutes=9))
    assert not scene.members.ask_for_address(bob, "c@y.test", NOW)
    assert not scene.members.ask_for_address("nobody", "c@y.test", NOW)


def test_who_never_confirmed_leaves_and_does_not_come_in_by_taking_that_back(scene: Scene) -> None:
    bob = scene.join("bob@x.test", confirmed=False)
    left = scene.members.leave(bob, NOW)
    assert left and not left.undo
    assert scene.standing(bob) is Standing.LEFT and scene.members.undo(left.undo, NOW) is None


@pytest.mark.parametrize("subject", ["", "~", "~~", "nobody~~", "nobody~daily~", "~daily~", "a~b~c~d"])
def test_what_stands_for_nobody_takes_nothing_back(scene: Scene, subject: str) -> None:
    ann = scene.join("ann@x.test")
    scene.members.leave(ann, NOW)
    assert scene.members.undo(subject, NOW) is None
    assert scene.standing(ann) is Standing.LEFT


def test_erasing_leaves_no_word_of_a_person_and_a_stranger_is_only_kept_out(scene: Scene) -> None:
    """Invariant 41."""
    ann = scene.join("ann.very-own@x.test")
    told = Evidence("5.1.1", "mailbox of ann.very-own@x.test is gone", "Subject: to Ann Very-Own", NOW)
    scene.suppressions.add("ann.very-own@x.test", Reason.HARD_BOUNCE, NOW, told)
    member = scene.members.find(ann)
    assert member
    held = holding(scene.connection, scene.suppressions, member)
    assert held.member == member and [one.reason for one in held.suppressions] == ["hard bounce"]
    assert erase(scene.connection, scene.suppressions, "Ann.Very-Own@X.test", NOW)
    names = scene.connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table'")).scalars().all()
    rows = "\n".join(repr(row) for name in names for row in scene.connection.execute(text(f"SELECT * FROM {name}")))
    assert "very-own" not in rows.lower() and ann not in rows
    assert scene.members.find(ann) is None and scene.everybody.count() == {}
    assert not erase(scene.connection, scene.suppressions, "stranger@x.test", NOW)
    for email in ("ann.very-own@x.test", "stranger@x.test"):
        assert scene.everybody.join(email, origin="t", now=NOW, confirmed=True) is Joined.SUPPRESSED
