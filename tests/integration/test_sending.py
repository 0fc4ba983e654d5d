"""An edition reaches everybody once, through servers that refuse, defer, drop and go away."""

from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from mailroom import ROOT, Desk, Server

from content.database import reading, writing
from content.templates import TemplateProblem
from newsletter.balance import balance
from newsletter.claims import Claims
from newsletter.headers import HeaderError
from newsletter.ledger import DeliveryState, EditionState, Ledger
from newsletter.queue import LedgerError
from newsletter.rendering import Renderer
from newsletter.schedule import Schedule
from newsletter.sending import Sending, open_transport
from newsletter.transport import RefusedError, TransportError

ANN, BOB, CY = "ann@example.com", "bob@example.com", "cy@example.com"


def test_an_edition_reaches_everybody_once_and_balances(desk: Desk, server: Server) -> None:
    """Invariants 4 and 5."""
    desk.join(ANN, BOB, CY)
    account = desk.send(desk.edition())
    assert account.finished and sum(account.balance.values()) == account.edition.recipients == 3
    assert sorted(server.taken) == [ANN, BOB, CY]
    assert desk.send(account.edition).sent_now == 0
    assert "already" in desk.make().reason


def test_recipients_are_frozen_when_the_edition_is_made(desk: Desk, server: Server) -> None:
    desk.join(ANN)
    edition = desk.edition()
    desk.join(BOB)
    desk.send(edition)
    assert server.taken == [ANN]


def test_who_leaves_in_the_middle_is_not_mailed_any_more(desk: Desk, server: Server) -> None:
    """Invariant 11."""
    desk.join(ANN, BOB)
    server.before = lambda recipient: desk.leave(BOB) if recipient == ANN else None
    account = desk.send(desk.edition())
    assert server.taken == [ANN]
    assert account.balance == {DeliveryState.SENT: 1, DeliveryState.SUPPRESSED: 1}
    assert account.finished


@pytest.mark.parametrize("reply", ["450 greylisted", "421 busy", "451 later", "452 full"])
def test_not_now_means_minutes_later_and_no_mark_against_the_address(desk: Desk, server: Server, reply: str) -> None:
    """Invariant 6."""
    desk.join(ANN, BOB)
    server.plan[ANN] = [reply]
    account = desk.send(desk.edition())
    assert account.balance == {DeliveryState.DEFERRED: 1, DeliveryState.SENT: 1}
    assert not account.finished
    assert account.next_attempt and account.next_attempt - desk.now >= timedelta(minutes=5)
    assert desk.send(account.edition).sent_now == 0
    desk.now += timedelta(minutes=7)
    account = desk.send(account.edition)
    assert account.finished and sorted(server.taken) == [ANN, BOB]


def test_a_refused_recipient_fails_and_the_others_are_served(desk: Desk, server: Server) -> None:
    desk.join(ANN, BOB)
    server.rcpt[ANN] = ["550 5.1.1 no such user"]
    account = desk.send(desk.edition())
    assert account.finished and server.taken == [BOB]
    assert [(one.email, one.state, one.reply) for one in account.troubles] == [
        (ANN, DeliveryState.FAILED, "550 5.1.1 no such user")
    ]


def test_an_address_that_does_not_exist_is_not_mailed_again(desk: Desk, server: Server) -> None:
    """Invariant 7: 5.1.x suppresses, a full mailbox does not at once."""
    desk.join(ANN, BOB)
    server.rcpt[ANN] = ["550 5.1.1 no such user"]
    server.rcpt[BOB] = ["552 5.2.2 mailbox full"]
    desk.send(desk.edition())
    desk.now += timedelta(days=1)
    desk.report("second")
    account = desk.send(desk.edition())
    assert server.taken == [BOB] and account.edition.recipients == 1
    assert account.edition.excluded == {"suppressed": 1}


def test_a_failure_is_to_come_back_to_an_address_that_names_its_recipient(tmp_path: Path, server: Server) -> None:
    desk = Desk(tmp_path, server, bounce_email="bounces@carrierandcable.com")
    desk.report("first")
    desk.join(ANN)
    edition = desk.edition()
    desk.send(edition)
    paths = desk.press.return_paths
    returned = paths and paths.read(server.senders[0])
    assert returned and returned.edition_id == edition.id


def test_a_refusal_of_us_pauses_the_edition_and_holds_nothing_against_anybody(
    desk: Desk, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    """Invariant 7."""
    members = [f"m{number}@example.com" for number in range(9)]
    desk.join(*members)
    for member in members:
        server.plan[member] = ["550 5.7.1 your reputation is bad"] * 9
    edition = desk.edition()
    with pytest.raises(RefusedError, match="refuses us"):
        desk.send(edition)
    assert server.taken == []
    assert "is paused" in caplog.text and "resume daily" in caplog.text
    server.plan.clear()
    assert desk.send(edition).sent_now == 0, "nobody has said yet that it may go on"
    with writing(desk.press.engine) as connection:
        assert Ledger(connection).unfinished("daily", desk.now) == []
        assert Ledger(connection).change(edition, EditionState.SENDING, only=[EditionState.PAUSED])
    desk.send(edition)
    desk.now += timedelta(hours=1)
    assert desk.send(edition).balance == {DeliveryState.SENT: 9}
    assert sorted(server.taken) == sorted(members)


def test_one_mailbox_that_refuses_us_keeps_nobody_waiting(desk: Desk, server: Server) -> None:
    desk.join(ANN, BOB)
    server.rcpt[ANN] = ["550 5.7.1 members only"] * 9
    edition = desk.edition()
    for _ in range(8):
        account = desk.send(edition)
        desk.now += timedelta(hours=13)
        if account.finished:
            break
    assert server.taken == [BOB]
    assert account.finished and account.count(DeliveryState.FAILED) == 1


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
@pytest.mark.parametrize(("method", "call"), [("claim", 2), ("record", 1), ("record", 2), ("record", 4), ("recover", 1)])
def test_a_sending_that_breaks_off_loses_and_doubles_nobody(
    desk: Desk, server: Server, method: str, call: int, error: type[BaseException]
) -> None:
    """Invariant 14: within one process, which goes on living."""
    members = [f"m{number}@example.com" for number in range(9)]
    desk.join(*members)
    edition = desk.edition()
    calls = 0
    unbroken = getattr(Claims, method)

    def breaking(*arguments: object, **named: object) -> object:
        nonlocal calls
        calls += 1
        if calls == call:
            raise error
        return unbroken(*arguments, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Claims, method, breaking)
        with pytest.raises(error):
            desk.send(edition)
    assert desk.send(edition).finished
    # What was on the wire when it broke off is in doubt, and was taken.
    assert set(server.taken) == set(members)
    doubled = len(server.taken) - len(members)
    assert doubled <= desk.press.newsletter.connections
    with reading(desk.press.engine) as connection:
        assert doubled <= balance(connection, edition, desk.now).doubted


def test_a_locked_database_is_waited_for_and_said(tmp_path: Path, server: Server) -> None:
    """Invariant 14."""
    desk = Desk(tmp_path, server)
    desk.report("first")
    members = [f"m{number}@example.com" for number in range(40)]
    desk.join(*members)
    edition = desk.edition()
    said: list[str] = []
    other = sqlite3.connect(tmp_path / "dateline.db", isolation_level=None, check_same_thread=False)

    def lock(recipient: str) -> None:
        if recipient == members[7]:
            server.before = lambda recipient: None
            other.execute("BEGIN IMMEDIATE")
            threading.Timer(2.5, lambda: other.execute("ROLLBACK")).start()

    server.before = lock
    transport = open_transport(ROOT, desk.press.site, desk.press.newsletter)
    account = Sending(desk.press, transport, lambda: desk.now, say=said.append).run(edition)
    assert account.balance == {DeliveryState.SENT: 40}
    assert sorted(server.taken) == sorted(members)
    assert "locked" in said[0] and "going on" in said[-1]


def test_a_database_that_stays_locked_ends_the_sending(tmp_path: Path, server: Server) -> None:
    """Invariant 14: it stops with an error, and a later sending goes on."""
    desk = Desk(tmp_path, server, patience_seconds=0.5)
    desk.report("first")
    members = [f"m{number}@example.com" for number in range(40)]
    desk.join(*members)
    edition = desk.edition()
    other = sqlite3.connect(tmp_path / "dateline.db", isolation_level=None, check_same_thread=False)

    def lock(recipient: str) -> None:
        if recipient == members[7]:
            server.before = lambda recipient: None
            other.execute("BEGIN IMMEDIATE")

    server.before = lock
    with pytest.raises(LedgerError, match="nothing is lost"):
        desk.send(edition)
    other.execute("ROLLBACK")
    account = desk.send(edition)
    assert account.finished and set(server.taken) == set(members)
    assert len(server.taken) - len(members) <= desk.press.newsletter.connections


def test_what_is_left_of_one_edition_does_not_keep_the_next_waiting(desk: Desk, server: Server) -> None:
    desk.join(ANN, BOB)
    server.rcpt[ANN] = ["452 mailbox full"] * 2
    first = desk.edition()
    desk.send(first)
    with reading(desk.press.engine) as connection:
        assert Ledger(connection).unfinished("daily", desk.now) == []
        assert [one.id for one in Ledger(connection).unfinished("daily", desk.now + timedelta(hours=1))] == [first.id]
    desk.now += timedelta(days=1)
    desk.report("second")
    second = desk.edition()
    assert desk.send(second).count(DeliveryState.SENT) == 2 or server.taken.count(BOB) == 2
    with reading(desk.press.engine) as connection:
        assert [one.id for one in Ledger(connection).unfinished("daily", desk.now)] == [first.id]


def test_an_edition_that_failed_to_be_made_is_made_by_a_later_look(desk: Desk, server: Server) -> None:
    desk.join(ANN)
    schedule = Schedule([desk.press], lambda: open_transport(ROOT, desk.press.site, desk.press.newsletter), lambda: desk.now)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Renderer, "render", lambda *arguments: (_ for _ in ()).throw(TemplateProblem("a wrong template")))
        schedule.catch_up()
    assert server.taken == []
    desk.now += timedelta(minutes=5)
    schedule.catch_up()
    schedule.catch_up()
    assert server.taken == [ANN]


def test_a_letter_that_cannot_be_addressed_records_nothing(desk: Desk) -> None:
    desk.join(ANN)
    desk.press = replace(desk.press, newsletter=desk.press.newsletter.model_copy(update={"unsubscribe_path": "\u00fc/{token}"}))
    with pytest.raises(HeaderError):
        desk.edition()
    with reading(desk.press.engine) as connection:
        assert Ledger(connection).last("daily") is None


def test_a_server_that_closes_often_loses_nothing(desk: Desk, server: Server) -> None:
    """Invariant 9: it says 421 at every third recipient, once."""
    members = [f"m{number}@example.com" for number in range(12)]
    desk.join(*members)
    for member in members[1::3]:
        server.rcpt[member] = ["421 enough for one connection"]
    account = desk.send(desk.edition())
    assert account.finished and sorted(server.taken) == sorted(members)


@pytest.mark.parametrize(("choice", "copies"), [("resend", 2), ("hold", 1)])
def test_a_reply_that_is_lost_leaves_one_message_in_doubt(tmp_path: Path, server: Server, choice: str, copies: int) -> None:
    """Invariants 3 and 8."""
    desk = Desk(tmp_path, server, in_doubt=choice)
    desk.report("first")
    desk.join(ANN, BOB)
    server.plan[ANN] = ["drop"]
    account = desk.send(desk.edition())
    assert account.finished and server.taken.count(ANN) == copies and server.taken.count(BOB) == 1
    assert len(set(server.ids)) == 2
    assert account.count(DeliveryState.IN_DOUBT) == 2 - copies


def test_tls_that_is_stripped_sends_nothing(tmp_path: Path, server: Server) -> None:
    """Invariant 10."""
    plain = server.address  # type: ignore[attr-defined]
    desk = Desk(tmp_path, server, transport=plain.replace("smtp:", "smtp+starttls:"))
    desk.report("first")
    desk.join(ANN)
    with pytest.raises(TransportError, match="nothing was sent"):
        desk.send(desk.edition())
    assert server.taken == []


def test_two_senders_share_an_edition_and_double_nobody(desk: Desk, server: Server) -> None:
    """Invariant 12."""
    members = [f"m{number}@example.com" for number in range(60)]
    desk.join(*members)
    edition = desk.edition()
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: desk.send(edition), range(2)))
    assert sorted(server.taken) == sorted(members)


def test_two_makers_make_one_edition(desk: Desk) -> None:
    """Invariant 12."""
    desk.join(ANN)
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: desk.make(), range(4)))
    assert sum(one.edition is not None for one in made) == 1


def test_members_with_equal_regions_share_a_variant_and_get_their_news(desk: Desk, server: Server) -> None:
    desk.report("china", "CN-BJ")
    desk.join(ANN)
    desk.join(BOB, regions=("CN",))
    desk.join(CY, regions=("FR",))
    account = desk.send(desk.edition())
    assert sorted(server.taken) == [ANN, BOB] and account.edition.recipients == 2


def test_a_scheduled_date_without_news_is_noted_and_a_run_by_hand_may_take_it(desk: Desk, server: Server) -> None:
    desk.join(ANN)
    desk.send(desk.edition())
    desk.now += timedelta(days=1)
    assert "skipped" in desk.make(scheduled=True).reason
    desk.report("second")
    assert "skipped" in desk.make(scheduled=True).reason
    assert desk.make().edition
