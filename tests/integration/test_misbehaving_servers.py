"""An edition reaches everybody once through servers that refuse, stall, drop, lie and talk nonsense."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from acts import DROP, LOSE_THE_REPLY, Act, Moment, Scene
from mailroom import Desk
from ordeal import MEMBERS, NOISE, balances, copies_of, deliver, seat, states
from rogue import EXTENSIONS, Rogue

from newsletter.ledger import DeliveryState
from newsletter.transport import TransportError

VICTIM = MEMBERS[4]


@pytest.fixture
def rogue(tmp_path: Path) -> Iterator[Rogue]:
    with Rogue(tmp_path / "accepted.log") as server:
        yield server


@pytest.fixture
def desk(tmp_path: Path, rogue: Rogue) -> Desk:
    return seat(tmp_path, rogue)


def once(moment: Moment, what: str | Act, recipient: str = VICTIM) -> Callable[[Scene], str | Act | None]:
    """A plan: something happens to one recipient's message, the first time only."""

    def plan(scene: Scene) -> str | Act | None:
        hit = scene.moment is moment and scene.recipient in ("", recipient)
        return what if hit and scene.attempt == (5 if moment is Moment.MAIL else 1) else None

    return plan


@pytest.mark.parametrize(
    ("moment", "what"),
    [
        pytest.param(Moment.GREETING, "421 4.3.2 shutting down", id="421 at the greeting"),
        pytest.param(Moment.GREETING, "554 5.3.2 no service here", id="554 at the greeting"),
        pytest.param(Moment.GREETING, DROP, id="dropped at the greeting"),
        pytest.param(Moment.EHLO, DROP, id="dropped at EHLO"),
        pytest.param(Moment.MAIL, DROP, id="dropped at MAIL"),
        pytest.param(Moment.MAIL, "421 4.7.0 too many messages", id="421 at MAIL"),
        pytest.param(Moment.MAIL, "451 4.3.0 later", id="451 at MAIL"),
        pytest.param(Moment.RCPT, DROP, id="dropped at RCPT"),
        pytest.param(Moment.RCPT, "421 4.3.2 shutting down", id="421 at RCPT"),
        pytest.param(Moment.RCPT, "450 4.2.0 greylisted", id="450 at RCPT"),
        pytest.param(Moment.RCPT, "451 4.3.0 later", id="451 at RCPT"),
        pytest.param(Moment.RCPT, "452 4.5.3 too many recipients", id="452 at RCPT"),
        pytest.param(Moment.RCPT, Act(raw=NOISE), id="noise at RCPT"),
        pytest.param(Moment.DATA, DROP, id="dropped after DATA"),
        pytest.param(Moment.DATA, "421 4.3.2 shutting down", id="421 at DATA"),
        pytest.param(Moment.DATA, "451 4.3.0 later", id="451 at DATA"),
        pytest.param(Moment.BODY, DROP, id="dropped within the message"),
        pytest.param(Moment.END, DROP, id="dropped after the final dot, nothing kept"),
        pytest.param(Moment.END, "421 4.3.2 shutting down", id="421 at the end"),
        pytest.param(Moment.END, "451 4.3.0 later", id="451 at the end"),
        pytest.param(Moment.END, "452 4.3.1 disk full", id="452 at the end"),
    ],
)
def test_what_goes_wrong_once_costs_nobody_a_message(desk: Desk, rogue: Rogue, moment: Moment, what: str | Act) -> None:
    """Invariants 1, 3 and 6: everybody gets it, and one copy, for the server kept nothing that it did not say."""
    rogue.plan = once(moment, what)
    account = deliver(desk, desk.edition())
    assert rogue.copies() == copies_of(MEMBERS)
    assert account.balance == {DeliveryState.SENT: len(MEMBERS)}
    assert len({one.message_id for one in rogue.accepted()}) == len(MEMBERS)
    assert rogue.sins == []


@pytest.mark.parametrize(
    "what",
    [
        pytest.param(LOSE_THE_REPLY, id="dropped"),
        pytest.param(Act(raw=NOISE, accept=True, drop=True), id="noise"),
        pytest.param(Act(wait=2.5, accept=True, drop=True), id="silence"),
    ],
)
@pytest.mark.parametrize(("choice", "copies"), [("resend", 2), ("hold", 1)])
def test_a_lost_reply_leaves_one_message_in_doubt(tmp_path: Path, rogue: Rogue, what: Act, choice: str, copies: int) -> None:
    """Invariants 2, 3 and 8: sent again once under the same Message-ID, or held; nobody else is touched."""
    desk = seat(tmp_path, rogue, in_doubt=choice, timeout_seconds=1)
    rogue.plan = once(Moment.END, what)
    account = deliver(desk, desk.edition())
    assert rogue.copies() == copies_of(MEMBERS, **{VICTIM: copies})
    assert len({one.message_id for one in rogue.accepted()}) == len(MEMBERS)
    assert account.count(DeliveryState.IN_DOUBT) == 2 - copies
    assert balances(account) and rogue.sins == []


def test_replies_that_are_lost_always_give_nobody_a_third_copy(desk: Desk, rogue: Rogue) -> None:
    """Invariant 2."""
    rogue.plan = lambda scene: LOSE_THE_REPLY if scene.moment is Moment.END and scene.recipient == VICTIM else None
    account = deliver(desk, desk.edition())
    assert rogue.copies() == copies_of(MEMBERS, **{VICTIM: 2})
    assert account.count(DeliveryState.IN_DOUBT) == 1 and balances(account)


@pytest.mark.parametrize(
    ("extensions", "plan"),
    [
        pytest.param(EXTENSIONS, lambda scene: Act(pieces=5, pause=0.001), id="replies in several packets"),
        pytest.param(EXTENSIONS, lambda scene: Act(wait=0.01), id="slow"),
        pytest.param(("SIZE", "8BITMIME"), lambda scene: None, id="no pipelining"),
        pytest.param((), lambda scene: None, id="no extensions"),
        pytest.param(("PIPELINING",), lambda scene: None, id="pipelining, but seven bits"),
        pytest.param((), lambda scene: "502 5.5.1 unknown" if scene.line.startswith("EHLO") else None, id="HELO only"),
        pytest.param(
            EXTENSIONS,
            lambda scene: "250 ok\nand\nmore words" if scene.moment in (Moment.MAIL, Moment.RCPT, Moment.END) else None,
            id="many lines",
        ),
    ],
)
def test_a_server_that_is_odd_but_decent_gets_everything_at_once(
    tmp_path: Path, extensions: tuple[str, ...], plan: Callable[[Scene], str | Act | None]
) -> None:
    with Rogue(tmp_path / "accepted.log", plan, extensions=extensions) as server:
        desk = seat(tmp_path, server)
        account = desk.send(desk.edition())
        assert account.finished and server.copies() == copies_of(MEMBERS)
        assert server.sins == []


@pytest.mark.parametrize(
    "farewell", ["421 4.7.0 enough", Act(reply="250 kept", close=True), DROP], ids=["421", "closed", "dropped"]
)
def test_a_server_that_closes_after_every_third_message_loses_nothing(desk: Desk, rogue: Rogue, farewell: str | Act) -> None:
    """Invariant 9."""
    moment, limit = (Moment.END, 3) if isinstance(farewell, Act) and farewell.close else (Moment.MAIL, 4)
    rogue.plan = lambda scene: farewell if scene.moment is moment and scene.message >= limit else None
    account = deliver(desk, desk.edition())
    assert rogue.copies() == copies_of(MEMBERS)
    assert account.balance == {DeliveryState.SENT: len(MEMBERS)} and rogue.connections >= 3


def test_greylisting_delays_everybody_by_minutes_and_marks_nobody(desk: Desk, rogue: Rogue) -> None:
    """Invariant 6."""
    rogue.plan = lambda scene: "450 4.2.0 greylisted" if scene.moment is Moment.RCPT and scene.attempt == 1 else None
    edition = desk.edition()
    account = desk.send(edition)
    assert rogue.copies() == {} and account.balance == {DeliveryState.DEFERRED: len(MEMBERS)}
    assert account.next_attempt and account.next_attempt - desk.now >= timedelta(minutes=1)
    asked = rogue.commands["RCPT"]
    desk.send(edition)
    assert rogue.commands["RCPT"] == asked
    account = deliver(desk, edition)
    assert rogue.copies() == copies_of(MEMBERS) and account.balance == {DeliveryState.SENT: len(MEMBERS)}


@pytest.mark.parametrize(
    ("moment", "reply"), [(Moment.RCPT, "550 5.1.1 no such user"), (Moment.END, "552 5.2.2 mailbox full")], ids=["550", "552"]
)
def test_a_refusal_of_one_recipient_fails_him_alone(desk: Desk, rogue: Rogue, moment: Moment, reply: str) -> None:
    rogue.plan = lambda scene: reply if scene.moment is moment and scene.recipient == VICTIM else None
    account = desk.send(desk.edition())
    assert account.finished and balances(account)
    assert rogue.copies() == copies_of(MEMBERS, **{VICTIM: 0})
    assert [(one.email, one.state) for one in account.troubles] == [(VICTIM, DeliveryState.FAILED)]
    assert reply in account.troubles[0].reply and rogue.sins == []


def test_an_address_that_does_not_exist_is_not_mailed_again(desk: Desk, rogue: Rogue) -> None:
    """Invariant 7: 5.1.x suppresses the address."""
    asked: list[str] = []

    def plan(scene: Scene) -> str | None:
        if scene.moment is Moment.RCPT:
            asked.append(scene.recipient)
        return "550 5.1.1 no such user" if scene.moment is Moment.RCPT and scene.recipient == VICTIM else None

    rogue.plan = plan
    deliver(desk, desk.edition())
    assert asked.count(VICTIM) == 1
    desk.now += timedelta(days=1)
    desk.report("second")
    deliver(desk, desk.edition())
    assert asked.count(VICTIM) == 1 and rogue.copies()[MEMBERS[0]] == 2


def test_a_server_that_goes_on_with_a_refused_recipient_gets_no_message_for_nobody(desk: Desk, rogue: Rogue) -> None:
    """RFC 2920 3.1: 354 may come although every recipient was refused; then the final dot goes alone."""

    def plan(scene: Scene) -> str | None:
        if scene.moment is Moment.RCPT and scene.recipient == VICTIM:
            return "550 5.1.1 no such user"
        return "354 go on, whoever that is for" if scene.moment is Moment.DATA else None

    rogue.plan = plan
    account = desk.send(desk.edition())
    assert account.count(DeliveryState.FAILED) == 1 and account.count(DeliveryState.SENT) == len(MEMBERS) - 1
    assert rogue.copies() == copies_of(MEMBERS, **{VICTIM: 0})
    assert rogue.sins == []


def test_a_policy_refusal_stops_the_edition_and_marks_nobody(desk: Desk, rogue: Rogue) -> None:
    """Invariant 7: 5.7.x is our fault."""
    desk.join(*(f"more{number}@example.com" for number in range(60)))
    rogue.plan = lambda scene: "550 5.7.1 your reputation is bad" if scene.moment is Moment.RCPT else None
    edition = desk.edition()
    with pytest.raises(TransportError, match=r"5\.7\.1"):
        desk.send(edition)
    assert rogue.copies() == {} and rogue.commands["RCPT"] < 40
    assert states(desk, edition) <= {DeliveryState.PENDING, DeliveryState.DEFERRED}


def test_a_message_that_is_too_large_for_the_server_is_not_called_sent(tmp_path: Path) -> None:
    """The server says its limit (RFC 1870) and refuses at MAIL."""
    plan = lambda scene: "552 5.3.4 message too large" if scene.moment is Moment.MAIL else None  # noqa: E731
    with Rogue(tmp_path / "accepted.log", plan, extensions=("PIPELINING", "SIZE 1000", "8BITMIME")) as server:
        desk = seat(tmp_path, server)
        edition = desk.edition()
        try:
            desk.send(edition)
        except TransportError as error:
            assert "552" in str(error)  # noqa: PT017
        assert server.copies() == {} and DeliveryState.SENT not in states(desk, edition)


def test_a_slow_recipient_domain_keeps_nobody_else_waiting(desk: Desk, rogue: Rogue) -> None:
    slow = [f"a{number}@slow.test" for number in range(3)]
    behind = [f"z{number}@example.com" for number in range(40)]
    desk.join(*slow)
    desk.join(*behind)
    rogue.plan = lambda scene: Act(wait=1.0) if scene.moment is Moment.RCPT and scene.recipient in slow else None
    account = desk.send(desk.edition())
    order = [one.recipient for one in rogue.accepted()]
    assert account.finished and sorted(order) == sorted([*MEMBERS, *slow, *behind])
    assert set(order[-3:]) == set(slow)


def test_a_server_that_is_gone_for_a_while_costs_nothing(tmp_path: Path) -> None:
    """Invariant 14."""
    with Rogue(tmp_path / "accepted.log") as server:
        desk = seat(tmp_path, server, timeout_seconds=2)
        edition = desk.edition()
        server.plan = lambda scene: DROP if server.taken >= 5 else None
        with pytest.raises(TransportError):
            deliver(desk, edition)
        server.plan = lambda scene: None
        account = deliver(desk, edition)
        assert server.copies() == copies_of(MEMBERS) and balances(account)
