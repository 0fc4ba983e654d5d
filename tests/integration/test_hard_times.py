"""What strange times and strange servers make of a sending: nobody is doubled, nobody waits for others, nothing hangs."""

from __future__ import annotations

import os
import signal
import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
from acts import Act, Moment, Scene
from mailroom import ROOT, Desk, Server
from rogue import Rogue

from content.errors import ConfigError
from content.settings import SiteSettings
from newsletter.ledger import DeliveryState, EditionState
from newsletter.sending import Sending, open_transport
from newsletter.settings import NewsletterSettings
from newsletter.smtp import SmtpTransport
from newsletter.transport import RefusedError

Make = Callable[..., Desk]


@pytest.fixture
def rogue(tmp_path: Path) -> Iterator[Rogue]:
    with Rogue(tmp_path / "accepted.log") as server:
        yield server


@pytest.fixture
def seat(tmp_path: Path, rogue: Rogue) -> Make:
    def make(**settings: object) -> Desk:
        made = Desk(tmp_path, Server(), transport=rogue.address, **settings)
        made.report("first")
        return made

    return make


def members(number: int, domain: str = "example.com") -> list[str]:
    return [f"m{n:04}@{domain}" for n in range(number)]


def test_a_ledger_that_is_locked_longer_than_a_server_may_be_silent_doubles_nobody(
    tmp_path: Path, seat: Make, rogue: Rogue
) -> None:
    """Invariants 2 and 14: replies that lay unread while we waited were no silence."""
    desk = seat(timeout_seconds=1)
    everybody = members(120)
    desk.join(*everybody)
    edition = desk.edition()
    other = sqlite3.connect(tmp_path / "dateline.db", isolation_level=None, check_same_thread=False)

    def lock(scene: Scene) -> Act | None:
        if scene.moment is Moment.END and rogue.taken == 20 and not other.in_transaction:
            other.execute("BEGIN IMMEDIATE")
            threading.Timer(3, lambda: other.execute("ROLLBACK")).start()
        return None

    rogue.plan = lock
    account = desk.send(edition)
    assert account.balance == {DeliveryState.SENT: 120} and account.sheet.doubted == 0
    assert rogue.copies() == dict.fromkeys(everybody, 1)


def test_who_left_before_their_turn_is_not_even_named_to_a_server(seat: Make, rogue: Rogue) -> None:
    """Invariant 11."""
    desk = seat()
    everybody = members(30)
    desk.join(*everybody)
    edition = desk.edition()
    for email in everybody[::2]:
        desk.leave(email)
    account = desk.send(edition)
    assert account.balance == {DeliveryState.SENT: 15, DeliveryState.SUPPRESSED: 15}
    assert rogue.commands["RCPT"] == 15 and rogue.connections <= 4


def test_a_domain_that_closes_connections_keeps_nobody_else_waiting(seat: Make, rogue: Rogue) -> None:
    """It learns from 421 too."""
    desk = seat()
    slow, fast = members(40, "slow.example"), members(200, "fast.example")
    desk.join(*(one for pair in zip(slow, fast[:40], strict=True) for one in pair), *fast[40:])
    stop = threading.Event()

    def plan(scene: Scene) -> str | None:
        if rogue.taken >= 199:
            stop.set()
        return "421 4.7.0 too much from you" if scene.moment is Moment.RCPT and "@slow." in scene.recipient else None

    rogue.plan = plan
    transport = open_transport(ROOT, desk.press.site, desk.press.newsletter)
    started = time.monotonic()
    Sending(desk.press, transport, lambda: desk.now, stop).run(desk.edition())
    assert len(set(rogue.copies()) & set(fast)) >= 199 and not set(rogue.copies()) & set(slow)
    assert time.monotonic() - started < 10 and rogue.connections < 30


def test_a_single_broken_connection_teaches_nothing(seat: Make, rogue: Rogue) -> None:
    desk = seat()
    everybody = members(150)
    desk.join(*everybody)
    rogue.plan = lambda scene: (
        Act(drop=True) if scene.moment is Moment.RCPT and scene.connection <= 4 and scene.message == 2 else None
    )
    account = desk.send(desk.edition())
    assert account.finished and rogue.copies() == dict.fromkeys(everybody, 1)
    assert rogue.connections < 16


def test_a_server_that_wants_fewer_connections_gets_fewer(seat: Make, rogue: Rogue) -> None:
    desk = seat(connections=6, messages_per_connection=20)
    everybody = members(120)
    desk.join(*everybody)
    busy: set[int] = set()

    def plan(scene: Scene) -> str | None:
        if scene.moment is Moment.GREETING:
            if len(busy) >= 2:
                return "554 5.7.1 too many connections"
            busy.add(scene.connection)
        if scene.moment is Moment.END and scene.message == 20:
            busy.discard(scene.connection)
        return None

    rogue.plan = plan
    account = desk.send(desk.edition())
    assert account.finished and rogue.copies() == dict.fromkeys(everybody, 1)


def test_one_strict_domain_pauses_no_edition(seat: Make, rogue: Rogue) -> None:
    """Invariant 7, with a sense of proportion."""
    desk = seat(retry_minutes=[5])
    strict, others = members(5, "strict.example"), members(40)
    desk.join(*others, *strict)
    rogue.plan = lambda scene: (
        "550 5.7.1 we take no newsletters" if scene.moment is Moment.RCPT and "@strict." in scene.recipient else None
    )
    edition = desk.edition()
    account = desk.send(edition)
    assert account.edition.state is EditionState.SENDING
    assert account.balance == {DeliveryState.SENT: 40, DeliveryState.DEFERRED: 5}
    desk.now = account.next_attempt or desk.now
    while not account.finished:
        account = desk.send(edition)
        desk.now = account.next_attempt or desk.now
    assert account.balance == {DeliveryState.SENT: 40, DeliveryState.FAILED: 5}


def test_refusals_by_several_domains_pause_it(seat: Make, rogue: Rogue) -> None:
    """Invariant 7."""
    desk = seat()
    desk.join(*members(10), *members(10, "a.example"), *members(10, "b.example"))
    rogue.plan = lambda scene: "550 5.7.26 unauthenticated" if scene.moment is Moment.END and rogue.taken > 4 else None
    with pytest.raises(RefusedError, match=r"5\.7\.26"):
        desk.send(desk.edition())


def test_a_limit_for_a_domain_is_kept_and_others_go_first(seat: Make, rogue: Rogue) -> None:
    desk = seat(domain_rates={"slow.example": 20})
    slow, fast = members(30, "slow.example"), members(300, "fast.example")
    desk.join(*slow, *fast)
    order: list[str] = []
    rogue.plan = lambda scene: order.append(scene.recipient) if scene.moment is Moment.END else None
    started = time.monotonic()
    account = desk.send(desk.edition())
    took = time.monotonic() - started
    assert account.finished and account.balance == {DeliveryState.SENT: 330}
    assert 1.2 <= took < 8
    assert sum("@slow." in one for one in order[:150]) <= 25


def test_two_editions_at_once_share_a_servers_rate(seat: Make, rogue: Rogue) -> None:
    desk = seat(rate_per_second=20)
    desk.join(*members(20))
    first = desk.edition()
    desk.now += timedelta(days=1)
    desk.report("second")
    second = desk.edition()
    started = time.monotonic()
    with ThreadPoolExecutor(2) as pool:
        accounts = list(pool.map(desk.send, [first, second]))
    assert [one.finished for one in accounts] == [True, True] and rogue.taken == 40
    assert time.monotonic() - started >= 1.8


def test_a_great_many_of_one_slow_domain_keep_nobody_waiting(seat: Make, rogue: Rogue) -> None:
    desk = seat(domain_rates={"slow.example": 5})
    desk.join(*members(1600, "slow.example"), *members(20, "fast.example"))
    stop = threading.Event()

    def plan(scene: Scene) -> None:
        if scene.moment is Moment.END and sum("@fast." in one for one in rogue.copies()) >= 19:
            stop.set()

    rogue.plan = plan
    transport = open_transport(ROOT, desk.press.site, desk.press.newsletter)
    started = time.monotonic()
    account = Sending(desk.press, transport, lambda: desk.now, stop).run(desk.edition())
    assert time.monotonic() - started < 15
    assert account.count(DeliveryState.DEFERRED) == 0, "nobody asked for fewer: they only wait"
    assert account.count(DeliveryState.PENDING) > 1500


def tarpit() -> tuple[socket.socket, str]:
    """A server that never comes to the end of its greeting."""
    listener = socket.create_server(("127.0.0.1", 0))

    def greet() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=drip, args=(connection,), daemon=True).start()

    def drip(connection: socket.socket) -> None:
        with connection:
            for _ in range(200):
                try:
                    connection.sendall(b"220-wait\r\n")
                except OSError:
                    return
                time.sleep(0.1)

    threading.Thread(target=greet, daemon=True).start()
    return listener, f"smtp://127.0.0.1:{listener.getsockname()[1]}"


def test_a_stop_is_heard_while_a_server_greets_without_end(tmp_path: Path) -> None:
    """Invariant 33."""
    listener, address = tarpit()
    with listener:
        desk = Desk(tmp_path, Server(), transport=address, timeout_seconds=20)
        desk.report("first")
        desk.join(*members(3))
        stop = threading.Event()
        threading.Timer(0.5, stop.set).start()
        started = time.monotonic()
        transport = open_transport(ROOT, desk.press.site, desk.press.newsletter)
        account = Sending(desk.press, transport, lambda: desk.now, stop).run(desk.edition())
    assert time.monotonic() - started < 4 and account.balance == {DeliveryState.PENDING: 3}


def test_a_greeting_without_end_is_a_server_that_is_away(tmp_path: Path) -> None:
    listener, address = tarpit()
    with listener:
        desk = Desk(tmp_path, Server(), transport=address, timeout_seconds=1)
        desk.report("first")
        desk.join(*members(3))
        with pytest.raises(Exception, match="to let us in"):
            desk.send(desk.edition())


def test_a_sender_whose_helper_dies_goes_on(seat: Make, rogue: Rogue) -> None:
    desk = seat()
    everybody = members(200)
    desk.join(*everybody)
    transport = open_transport(ROOT, desk.press.site, desk.press.newsletter)
    assert isinstance(transport, SmtpTransport)

    def plan(scene: Scene) -> None:
        if scene.moment is Moment.END and rogue.taken == 50:
            process = transport._syncer._process
            assert process
            os.kill(process.pid, signal.SIGTERM)
        if scene.moment is Moment.END and rogue.taken == 100:
            process = transport._syncer._process
            assert process and process.poll() is None, "a service manager's SIGTERM is not for it"
            os.kill(process.pid, signal.SIGKILL)

    rogue.plan = plan
    account = Sending(desk.press, transport, lambda: desk.now).run(desk.edition())
    assert account.finished and account.sheet.doubted == 0
    assert rogue.copies() == dict.fromkeys(everybody, 1)


def test_the_outbox_folder_keeps_a_domains_pace_too(tmp_path: Path) -> None:
    desk = Desk(tmp_path, Server(), transport=f"maildir:{tmp_path / 'outbox'}", domain_rates={"example.com": 20})
    desk.report("first")
    desk.join(*members(12))
    account = desk.send(desk.edition())
    assert account.finished and len(list((tmp_path / "outbox" / "new").iterdir())) == 12


def test_connections_are_dealt_out_by_weight_and_each_server_has_its_own_login() -> None:
    settings = NewsletterSettings.model_validate({
        "connections": 4, "smtp_user": "global", "smtp_password": "gp",
        "server": [
            {"url": "smtps://own:ownpass@one.example", "weight": 3},
            {"url": "smtps://two.example", "weight": 1},
            {"url": "smtps://three.example", "weight": 1, "connections": 9},
        ],
    })  # fmt: skip
    transport = open_transport(ROOT, SiteSettings(title="Test", url="https://news.test"), settings)
    assert isinstance(transport, SmtpTransport)
    one, two, three = [line.server for line in transport._lines.all]
    assert (one.connections, two.connections, three.connections) == (7, 2, 9)
    assert (one.user, one.password) == ("own", "ownpass") and (two.user, two.password) == ("global", "gp")


def test_a_missing_file_of_certificates_is_named_at_once(seat: Make) -> None:
    """Invariant 31."""
    desk = seat(ca_file="nope.pem")
    with pytest.raises(ConfigError, match=r"ca_file: there is no file .*nope\.pem"):
        open_transport(ROOT, desk.press.site, desk.press.newsletter)


@pytest.mark.parametrize("url", ["smtp://host:0", "smtp://ho st", "smtp://host/path", "smtp://"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="must"):
        NewsletterSettings(transport=url)


def test_a_domains_rate_is_for_a_domain() -> None:
    with pytest.raises(ValueError, match="domain"):
        NewsletterSettings.model_validate({"domain_rates": {"@example.com": 5}})
