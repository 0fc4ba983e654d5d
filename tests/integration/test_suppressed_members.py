"""Who is suppressed is no recipient, whenever the suppression comes; who is free again is one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from mailroom import NOW, Desk, Server

from content.database import writing
from newsletter.suppression import Reason, Suppressions


def suppress(desk: Desk, address: str, days: float | None = None) -> None:
    with writing(desk.press.engine) as connection:
        until = None if days is None else desk.now + timedelta(days=days)
        Suppressions(connection, desk.press.tokens.key).add(address, Reason.BY_HAND, desk.now, until=until)


@pytest.fixture
def members(desk: Desk) -> list[str]:
    addresses = [f"m{number}@example.com" for number in range(4)]
    desk.join(*addresses)
    return addresses


def test_a_suppressed_member_is_no_recipient(desk: Desk, server: Server, members: list[str]) -> None:
    suppress(desk, members[1])
    edition = desk.edition()
    assert edition.recipients == 3
    assert desk.send(edition).finished
    assert sorted(server.taken) == [members[0], members[2], members[3]]


def test_a_member_suppressed_in_the_middle_of_a_sending_is_not_mailed_after_that(
    desk: Desk, server: Server, members: list[str]
) -> None:
    """Invariant 11, for those whom a bounce takes out."""
    edition = desk.edition()

    def before(recipient: str) -> None:
        if recipient == members[0]:
            suppress(desk, members[3])

    server.before = before
    assert desk.send(edition).finished
    assert sorted(server.taken) == members[:3]


def test_a_suppression_that_is_over_makes_a_recipient_again(desk: Desk, server: Server, members: list[str]) -> None:
    suppress(desk, members[0], days=1)
    suppress(desk, members[1], days=3)
    desk.now = NOW + timedelta(days=1)
    edition = desk.edition()
    desk.send(edition)
    assert sorted(server.taken) == [members[0], members[2], members[3]]
