"""Mails about a membership go out whatever happens meanwhile, once, and to nobody who must not have them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from reception_desk import ROOT, ReceptionDesk, token_in

from content.templates import TemplateProblem
from newsletter.joining import Result
from newsletter.joining_mail import check_mails
from newsletter.outbox import Outbox
from newsletter.postman import Postman, send_due
from newsletter.suppression import Reason, Suppressions
from newsletter.tables import pending_mails
from newsletter.transport import Delivery, Message, Outcome, Reply


@pytest.fixture
def desk(tmp_path: Path) -> ReceptionDesk:
    return ReceptionDesk(tmp_path)


class Hand:
    """A transport that does with each message what it is told, by the contract of a queue."""

    def __init__(self, act: Callable[[Outbox, Delivery], None]) -> None:
        self.act = act
        self.seen: list[Message] = []

    def run(self, outbox: Outbox) -> None:
        while delivery := outbox.take():
            self.seen.append(outbox.message(delivery))
            if delivery.id in outbox.begin([delivery]):
                self.act(outbox, delivery)


def defer(outbox: Outbox, delivery: Delivery) -> None:
    outbox.settle(delivery, Reply(Outcome.DEFERRED, "450 4.2.0 <ann@x.test> greylisted"))


def test_a_deferred_mail_is_tried_again_under_the_same_message_id_until_it_is_taken(desk: ReceptionDesk) -> None:
    """Invariants 3 and 6."""
    desk.ask("ann@x.test")
    hand = Hand(defer)
    for minutes in (0, 4.9, 0.2, 14, 1, 60):
        desk.later(minutes=minutes)
        hand.run(desk.outbox)
    assert len(hand.seen) == 4 and len({message.message_id for message in hand.seen}) == 1
    desk.later(hours=5)
    assert desk.send() == 1 and desk.mail()["Message-ID"] == hand.seen[0].message_id
    assert desk.confirm(token_in(desk.mail())).result is Result.JOINED and desk.count(pending_mails) == 0


def test_what_the_server_said_is_logged_without_the_address(desk: ReceptionDesk, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    desk.ask("ann@x.test")
    Hand(defer).run(desk.outbox)
    assert "greylisted" in caplog.text and "ann@" not in caplog.text


def test_a_mail_that_nobody_takes_is_given_up_when_its_link_would_have_run_out(desk: ReceptionDesk) -> None:
    desk.ask("ann@x.test")
    for _ in range(80):
        Hand(defer).run(desk.outbox)
        desk.later(hours=1)
    assert desk.send() == 0 and desk.count(pending_mails) == 0


def test_a_refused_mail_is_not_tried_again(desk: ReceptionDesk) -> None:
    desk.ask("ann@x.test")
    Hand(lambda outbox, delivery: outbox.settle(delivery, Reply(Outcome.REFUSED, "550 no such user"))).run(desk.outbox)
    desk.later(hours=1)
    assert desk.send() == 0 and desk.count(pending_mails) == 0


def test_a_mail_in_doubt_is_sent_once_more_or_not_as_the_settings_say(desk: ReceptionDesk) -> None:
    hand = Hand(lambda outbox, delivery: outbox.lose(delivery, "the line went dead"))
    for in_doubt, times in (("resend", 2), ("hold", 1)):
        desk.forget_settings(in_doubt=in_doubt)
        desk.ask(f"{in_doubt}@x.test")
        hand.seen.clear()
        for _ in range(5):
            hand.run(desk.outbox)
            desk.later(hours=1)
        assert len(hand.seen) == times and desk.count(pending_mails) == 0


def test_what_a_dead_process_held_is_taken_by_the_next_one_after_a_while(desk: ReceptionDesk) -> None:
    """Invariant 1: nothing is lost."""
    desk.ask("ann@x.test")
    assert desk.outbox.take() is not None
    assert desk.send() == 0
    desk.later(minutes=16)
    assert desk.send() == 1 and desk.mail()["To"] == "ann@x.test"


def test_what_was_surely_not_sent_goes_at_once(desk: ReceptionDesk) -> None:
    desk.ask("ann@x.test")
    outbox = desk.outbox
    delivery = outbox.take()
    assert delivery
    outbox.give_back(delivery)
    assert desk.send() == 1


def test_who_confirmed_left_or_was_suppressed_before_the_message_began_gets_none(desk: ReceptionDesk) -> None:
    """Invariant 11."""
    desk.ask("ann@x.test")
    outbox = desk.outbox
    delivery = outbox.take()
    assert delivery and outbox.message(delivery)
    with desk.writing() as connection:
        Suppressions(connection, desk.reception.tokens.key).add("ann@x.test", Reason.COMPLAINT, desk.now)
    assert outbox.begin([delivery]) == set() and desk.count(pending_mails) == 0


@pytest.mark.parametrize(("name", "spoilt"), [("confirm.mjml", "<mj-nonsense"), ("confirm.txt", "{{ visitor.email }}")])
def test_a_broken_template_is_found_by_the_check_and_costs_no_mail(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, spoilt: str
) -> None:
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    desk = ReceptionDesk(tmp_path, templates="templates")
    ours = desk.reception
    check_mails(ours.root, ours.site, ours.newsletter)
    sound = (tmp_path / "templates" / name).read_text()
    (tmp_path / "templates" / name).write_text(sound.replace("{% if kind", f"{spoilt}{{% if kind", 1))
    with pytest.raises(TemplateProblem, match=re.escape(name)):
        check_mails(ours.root, ours.site, ours.newsletter)
    desk.ask("ann@x.test")
    Postman(ours, lambda: desk.now).round()
    assert name in caplog.text and desk.count(pending_mails) == 1
    (tmp_path / "templates" / name).write_text(sound)
    desk.later(minutes=20)
    assert desk.send() == 1


def test_two_postmen_send_each_mail_once(desk: ReceptionDesk) -> None:
    """Invariant 12."""
    for number in range(10):
        desk.ask(f"m{number}@x.test")
    both = desk.outbox, desk.outbox
    taken = [outbox.take() for outbox in both * 6]
    assert sorted(delivery.email for delivery in taken if delivery) == [f"m{number}@x.test" for number in range(10)]


def test_the_postman_sends_when_rung_for_and_leaves_the_rest_when_told_to_stop(desk: ReceptionDesk) -> None:
    import time

    postman = Postman(desk.reception, lambda: desk.now)
    postman.start()
    desk.ask("ann@x.test")
    postman.ring()
    until = time.monotonic() + 20
    while not desk.mails() and time.monotonic() < until:
        time.sleep(0.02)
    postman.stop()
    assert desk.mail()["To"] == "ann@x.test"
    desk.ask("bob@x.test")
    postman.ring()
    postman.round()
    assert len(desk.mails()) == 1 and desk.count(pending_mails) == 1
    assert send_due(desk.reception, lambda: desk.now) == 1


def test_a_server_that_is_away_is_logged_and_the_mail_waits(desk: ReceptionDesk, caplog: pytest.LogCaptureFixture) -> None:
    desk.ask("ann@x.test")
    desk.forget_settings(transport="smtp://127.0.0.1:1", timeout_seconds=1)
    Postman(desk.reception, lambda: desk.now).round()
    assert "mails about memberships wait" in caplog.text and desk.count(pending_mails) == 1
    desk.forget_settings(transport="maildir:outbox")
    assert desk.send() == 1
