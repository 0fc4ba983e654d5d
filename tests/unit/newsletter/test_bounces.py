"""What each kind of returned mail leads to, in the styles of the mail systems that write it (``tests/bounces``)."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from returns import BOB, CAROL, KEY, NOW, SAMPLES, Returns

from content.database import reading, writing
from dateline.store import memory_store
from newsletter.bounce_reading import LONGEST, Kind, read
from newsletter.bounces import Outcome
from newsletter.diagnosis import Cause, diagnose
from newsletter.return_path import Returned, ReturnPaths
from newsletter.subscribers import Standing
from newsletter.suppression import Reason, Suppressions

HARD, SOFT, OURS = Outcome.SUPPRESSED, Outcome.COUNTED, Outcome.OURS
EXPECTED = {
    "postfix-user-unknown": (HARD, "5.1.1"),
    "postfix-headers-only": (HARD, "5.1.1"),
    "postfix-mailbox-full": (SOFT, "5.2.2"),
    "postfix-expired": (SOFT, "4.4.1"),
    "postfix-host-not-found": (SOFT, "5.4.4"),
    "postfix-policy": (OURS, "5.7.1"),
    "postfix-greylisted-too-long": (OURS, "4.7.1"),
    "postfix-delayed": (Outcome.HARMLESS, ""),
    "postfix-relayed": (Outcome.HARMLESS, ""),
    "sendmail-user-unknown": (HARD, "5.1.1"),
    "sendmail-warning": (Outcome.HARMLESS, ""),
    "exchange-recipient-not-found": (HARD, "5.1.10"),
    "exchange-access-denied": (HARD, "5.4.1"),
    "exchange-over-quota": (SOFT, "5.2.2"),
    "exchange-group-restricted": (OURS, "5.7.133"),
    "gmail-does-not-exist": (HARD, "5.1.1"),
    "gmail-disabled": (HARD, "5.2.1"),
    "gmail-receiving-too-fast": (SOFT, "5.2.1"),
    "gmail-unauthenticated": (OURS, "5.7.26"),
    "opensmtpd-error": (HARD, "5.0.0"),
    "yahoo-no-account": (HARD, "5.0.0"),
    "exim-unrouteable": (HARD, ""),
    "exim-remote-refusal": (HARD, "5.1.1"),
    "exim-retry-timeout": (SOFT, "4.2.2"),
    "exim-delay-warning": (Outcome.HARMLESS, ""),
    "qmail-no-mailbox": (HARD, "5.1.1"),
    "qmail-remote-full": (SOFT, "5.2.2"),
    "report-of-two-recipients": (SOFT, "5.2.2"),
    "forwarded-and-failed-there": (HARD, "5.1.1"),
    "arf-yahoo": (Outcome.COMPLAINED, ""),
    "arf-fraud": (Outcome.COMPLAINED, ""),
    "arf-redacted-link-left": (Outcome.COMPLAINED, ""),
    "arf-redacted-message-id-left": (Outcome.COMPLAINED, ""),
    "arf-redacted-all": (Outcome.SET_ASIDE, ""),
    "arf-not-spam": (Outcome.HARMLESS, ""),
    "vacation-gmail": (Outcome.HARMLESS, ""),
    "vacation-outlook-german": (Outcome.HARMLESS, ""),
    "challenge": (Outcome.HARMLESS, ""),
    "read-receipt": (Outcome.HARMLESS, ""),
    "leave-by-mail": (Outcome.LEFT, ""),
    "letter-from-a-reader": (Outcome.SET_ASIDE, ""),
    "newsletter-of-others": (Outcome.SET_ASIDE, ""),
    "forged-report": (Outcome.SET_ASIDE, ""),
    "report-without-proof": (Outcome.SET_ASIDE, ""),
}
STANDINGS = {HARD: Standing.SUPPRESSED, Outcome.COMPLAINED: Standing.SUPPRESSED, Outcome.LEFT: Standing.LEFT}


@pytest.fixture
def returns() -> Returns:
    return Returns(memory_store())


def test_every_sample_is_expected_to_lead_to_something() -> None:
    assert {path.stem for path in SAMPLES.glob("*.eml")} == set(EXPECTED)


@pytest.mark.parametrize("name", EXPECTED)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["lf", "crlf"])
def test_each_mail_systems_words_are_understood(returns: Returns, name: str, ending: bytes) -> None:
    """Invariants 7, 15 and 16: what is gone or complained of is suppressed; delays, receipts and forgeries change nothing."""
    taken = returns.bounces.take(returns.sample(name).replace(b"\n", ending), NOW)
    outcome, code = EXPECTED[name]
    assert (taken.outcome, taken.code) == (outcome, code), taken
    assert returns.standing(BOB) is STANDINGS.get(outcome, Standing.CONFIRMED)
    assert returns.standing(CAROL) is Standing.CONFIRMED
    assert len(returns.suppressions()) == (STANDINGS.get(outcome) is Standing.SUPPRESSED)


def test_a_complaint_suppresses_for_good_also_with_the_address_redacted(returns: Returns) -> None:
    """Invariant 16."""
    returns.take("arf-redacted-link-left")
    (one,) = returns.suppressions()
    assert (one.reason, one.email, one.expires_at) == (Reason.COMPLAINT, BOB, None)
    returns.later(days=36500)
    assert returns.bounces.expire(returns.now) == 0
    assert returns.standing() is Standing.SUPPRESSED


def test_a_report_counts_at_most_once_a_day(returns: Returns) -> None:
    """Invariant 15."""
    assert returns.arrive("postfix-mailbox-full", NOW).outcome is Outcome.COUNTED
    assert returns.arrive("postfix-mailbox-full", NOW + timedelta(hours=5)).outcome is Outcome.NOT_COUNTED
    assert returns.arrive("exchange-over-quota", NOW + timedelta(hours=6)).outcome is Outcome.NOT_COUNTED
    assert returns.counted() == 1
    assert returns.arrive("postfix-mailbox-full", NOW + timedelta(days=1)).outcome is Outcome.COUNTED
    assert returns.counted() == 2


def test_the_very_same_message_counts_once_however_its_lines_end(returns: Returns) -> None:
    assert not returns.take("postfix-mailbox-full").seen_before
    again = returns.bounces.take(returns.sample("postfix-mailbox-full").replace(b"\n", b"\r\n"), NOW + timedelta(days=3))
    assert (again.seen_before, again.outcome, returns.counted()) == (True, Outcome.COUNTED, 1)


def test_a_full_mailbox_day_after_day_pauses_the_address_and_then_gives_it_another_chance(returns: Returns) -> None:
    outcomes = [returns.arrive("postfix-mailbox-full", NOW + timedelta(days=day)).outcome for day in range(4)]
    assert outcomes == [Outcome.COUNTED] * 3 + [Outcome.PAUSED]
    (one,) = returns.suppressions()
    assert (one.reason, one.expires_at) == (Reason.SOFT_BOUNCES, NOW + timedelta(days=31))
    assert one.evidence.code == "5.2.2" and "Quota exceeded" in one.evidence.diagnostic
    assert returns.bounces.expire(NOW + timedelta(days=30)) == 0
    assert returns.bounces.expire(NOW + timedelta(days=31)) == 1
    assert returns.standing() is Standing.CONFIRMED
    # What was held against it is forgiven: it takes as many again.
    assert returns.arrive("postfix-mailbox-full", NOW + timedelta(days=32)).outcome is Outcome.COUNTED


def test_who_is_given_another_chance_by_hand_starts_afresh(returns: Returns) -> None:
    for day in range(4):
        returns.arrive("postfix-mailbox-full", NOW + timedelta(days=day))
    assert returns.lift() == 1
    assert returns.arrive("postfix-mailbox-full", NOW + timedelta(days=4)).outcome is Outcome.COUNTED


def test_of_a_report_of_several_recipients_the_members_own_line_counts(returns: Returns) -> None:
    content = returns.sample("report-of-two-recipients", **{"@ADDRESS@": "x@other.test"})
    mine = content.replace(b"carol@elsewhere.test", BOB.encode())
    assert returns.bounces.take(mine, NOW).outcome is Outcome.SUPPRESSED


def test_where_no_line_is_the_members_the_mildest_counts(returns: Returns) -> None:
    content = returns.sample("report-of-two-recipients", **{"@ADDRESS@": "x@other.test"})
    assert returns.bounces.take(content, NOW).outcome is Outcome.COUNTED


def test_soft_bounces_far_apart_never_add_up(returns: Returns) -> None:
    """Twelve in a year, one every thirty days, weigh less than three in a row."""
    outcomes = {returns.arrive("postfix-mailbox-full", NOW + timedelta(days=30 * month)).outcome for month in range(12)}
    assert outcomes == {Outcome.COUNTED}


def test_reports_found_late_count_for_the_days_on_which_they_were_written(returns: Returns) -> None:
    found = NOW + timedelta(days=6)
    for day in range(4):
        written = f"Date: {NOW + timedelta(days=day):%a, %d %b %Y %H}"
        content = returns.sample("postfix-mailbox-full").replace(b"Date: Mon, 23 Nov 2026 07", written.encode())
        returns.bounces.take(content, found)
    assert returns.counted() == 4


def test_a_report_from_the_future_or_long_ago_counts_for_today(returns: Returns) -> None:
    for year in (b"2031", b"1999", b"99999999"):
        returns.bounces.take(
            returns.sample("postfix-mailbox-full").replace(b"Date: Mon, 23 Nov 2026", b"Date: Mon, 23 Nov " + year), NOW
        )
    assert returns.counted() == 1


def test_a_hard_bounce_on_the_day_of_a_soft_one_still_suppresses(returns: Returns) -> None:
    returns.take("postfix-mailbox-full")
    assert returns.take("postfix-user-unknown").outcome is Outcome.SUPPRESSED
    assert returns.standing() is Standing.SUPPRESSED


def test_who_left_before_the_bounce_came_has_still_left_when_it_is_lifted(returns: Returns) -> None:
    returns.take("leave-by-mail")
    returns.take("postfix-user-unknown")
    assert (returns.standing(), len(returns.suppressions())) == (Standing.LEFT, 1)
    assert returns.lift() == 1
    assert returns.standing() is Standing.LEFT


def test_evidence_keeps_the_servers_words_and_no_address(returns: Returns) -> None:
    returns.take("postfix-user-unknown")
    (one,) = returns.suppressions()
    assert "User unknown in virtual mailbox table" in one.evidence.diagnostic
    assert "I'm sorry to have to inform you" in one.evidence.excerpt
    kept = one.evidence.diagnostic + one.evidence.excerpt
    assert "bob" not in kept.lower() and "@member.test" in kept


def test_a_refusal_met_while_sending_goes_by_the_same_rules(returns: Returns) -> None:
    """Invariant 7: 5.1.x suppresses the address; 5.7.x is our fault, the address stays."""
    with writing(returns.engine) as connection:
        ours = returns.bounces.refused(connection, BOB, 31, "550 5.7.1 Message blocked", NOW)
        gone = returns.bounces.refused(connection, CAROL, 31, "550 5.1.1 No such user", NOW)
        again = returns.bounces.refused(connection, CAROL, 31, "550 5.1.1 No such user", NOW)
    assert (ours.outcome, gone.outcome, again.seen_before) == (Outcome.OURS, Outcome.SUPPRESSED, True)
    assert (returns.standing(BOB), returns.standing(CAROL)) == (Standing.CONFIRMED, Standing.SUPPRESSED)


def test_the_address_that_the_mail_system_names_is_enough_of_a_proof(returns: Returns) -> None:
    content = returns.sample("report-without-proof")
    assert returns.bounces.take(content, NOW).outcome is Outcome.SET_ASIDE
    envelope = returns.return_paths.address("b0b" * 8, 31)
    assert returns.bounces.take(content, NOW, envelope).outcome is Outcome.SUPPRESSED


def test_a_token_is_read_in_any_letter_case_and_a_changed_one_is_none() -> None:
    """Invariant 15: a forged return token is ignored."""
    paths, others = ReturnPaths(KEY, "bounces@news.test"), ReturnPaths("another key altogether", "bounces@news.test")
    address = paths.address("0123456789abcdef01234567", 16_000_000)
    assert len(address.partition("@")[0]) <= 64 and address == address.lower()
    for same in (address, address.upper(), address.replace("news.test", "mx.news.test")):
        assert paths.read(same) == Returned("0123456789abcdef01234567", 16_000_000)
    assert others.read(address) is None
    name = address.partition("@")[0]
    for at in range(name.index("+") + 1, len(name)):
        wrong = name[:at] + ("a" if name[at] != "a" else "b") + name[at + 1 :]
        assert paths.read(f"{wrong}@news.test") is None
    for wrong in ("", "bounces@news.test", "bounces+@news.test", "bounces+ü@news.test", "x" * 100_000):
        assert paths.read(wrong) is None


@given(st.text("0123456789abcdefghijklmnopqrstuvwxyz", min_size=1, max_size=24), st.integers(1, 2**31))
def test_what_a_return_path_is_made_of_is_read_from_it(public_id: str, edition_id: int) -> None:
    paths = ReturnPaths(KEY, "bounces@news.test")
    address = paths.address(public_id, edition_id)
    assert paths.read(address) == paths.find(f"Delivered-To: {address}\n") == Returned(public_id, edition_id)


@given(st.binary(max_size=400), st.sampled_from(sorted(EXPECTED)), st.data())
def test_no_message_however_strange_stops_the_reading(junk: bytes, name: str, data: st.DataObject) -> None:
    content = (SAMPLES / f"{name}.eml").read_bytes()
    at = data.draw(st.integers(0, len(content)))
    cut = data.draw(st.integers(0, 200))
    for message in (junk, content[:at] + junk + content[at + cut :]):
        assert read(message).kind in Kind


def test_a_message_longer_than_any_report_is_set_aside_unread() -> None:
    assert read(b"x" * (LONGEST + 1)).kind is Kind.STRANGE


@pytest.mark.parametrize(
    ("words", "status", "cause", "code"),
    [
        ("550 5.1.1 User unknown", "", Cause.GONE, "5.1.1"),
        ("550 no such user", "5.0.0", Cause.GONE, "5.0.0"),
        ("550 5.1.1 no such user", "5.0.0", Cause.GONE, "5.1.1"),
        ("550 5.7.1 rejected", "5.1.1", Cause.OURS, "5.7.1"),
        ("552 5.1.1 mailbox full", "", Cause.PASSING, "5.1.1"),
        ("550 5.1.1 blocked, see our policy", "", Cause.OURS, "5.1.1"),
        ("550 5.1.8 sender's domain does not exist", "", Cause.OURS, "5.1.8"),
        ("552 5.3.4 message too big", "", Cause.OURS, "5.3.4"),
        ("554 5.6.0 bad content", "", Cause.OURS, "5.6.0"),
        ("452 4.2.2 over quota", "", Cause.PASSING, "4.2.2"),
        ("450 4.2.1 user unknown for now", "", Cause.PASSING, "4.2.1"),
        ("550 5.5.0 Requested action not taken: mailbox unavailable", "", Cause.GONE, "5.5.0"),
        ("554 delivery error", "", Cause.PASSING, "554"),
        ("", "5.1.2", Cause.GONE, "5.1.2"),
        ("", "", Cause.PASSING, ""),
        ("refused by 10.5.1.1 after 550 tries", "", Cause.PASSING, "550"),
        ("550 5.1.1 <spam@quota.test>: unknown user, see https://x.test/policy", "", Cause.GONE, "5.1.1"),
    ],
)
def test_a_servers_words_and_code_tell_the_cause(words: str, status: str, cause: Cause, code: str) -> None:
    found = diagnose(words, status)
    assert (found.cause, found.code) == (cause, code)


def test_suppressing_again_changes_nothing_but_a_later_end(returns: Returns) -> None:
    with writing(returns.engine) as connection:
        held = Suppressions(connection, KEY)
        assert held.add(BOB, Reason.BY_HAND, NOW, until=NOW + timedelta(days=2))
        assert not held.add(BOB.upper(), Reason.BY_HAND, NOW, until=NOW + timedelta(days=1))
        assert not held.add(BOB, Reason.BY_HAND, NOW, until=NOW + timedelta(days=9))
        assert held.add(BOB, Reason.COMPLAINT, NOW)
    assert [(one.reason, one.expires_at) for one in returns.suppressions()] == [
        (Reason.COMPLAINT, None),
        (Reason.BY_HAND, NOW + timedelta(days=9)),
    ]
    # One of two is over: the other still holds.
    assert returns.bounces.expire(NOW + timedelta(days=9)) == 1
    assert returns.standing() is Standing.SUPPRESSED
    assert returns.lift() == 1
    assert returns.standing() is Standing.CONFIRMED
    assert len(returns.suppressions(lifted=True)) == 2 and returns.suppressions() == []


def test_a_suppression_that_is_over_can_be_had_anew(returns: Returns) -> None:
    with writing(returns.engine) as connection:
        held = Suppressions(connection, KEY)
        held.add(BOB, Reason.BY_HAND, NOW, until=NOW + timedelta(days=1))
        assert not held.holds(BOB, NOW + timedelta(days=2))
        assert held.add(BOB, Reason.BY_HAND, NOW + timedelta(days=2))
        assert held.holds(BOB, NOW + timedelta(days=2))
    assert returns.standing() is Standing.SUPPRESSED


def test_suppression_knows_an_address_in_any_case_and_only_under_its_key(returns: Returns) -> None:
    with reading(returns.engine) as connection:
        ours, others = Suppressions(connection, KEY), Suppressions(connection, "another key altogether")
        assert ours.hash("bob@MEMBER.test") == ours.hash(BOB) != others.hash(BOB)
        assert "bob" not in ours.hash(BOB)


@pytest.mark.parametrize(
    "junk", [b"k\xf6nnte \xff\xfe", b"nul \0 here", "ключ 键".encode(), b"=?utf-8?q?=00=0D=0A?=", b"=?utf-7?q?+2AA-?="]
)
def test_strange_letters_in_a_report_are_kept_as_far_as_they_can_be(returns: Returns, junk: bytes) -> None:
    content = returns.sample("postfix-user-unknown").replace(b"virtual mailbox table", junk)
    assert returns.bounces.take(content, NOW).outcome is Outcome.SUPPRESSED
    assert "\0" not in returns.suppressions()[0].evidence.diagnostic


def test_text_in_a_charset_of_half_letters_is_kept_as_far_as_it_can_be(returns: Returns) -> None:
    plain = b"Content-Type: text/plain; charset=us-ascii\n\n"
    content = returns.sample("postfix-user-unknown").replace(plain, b"Content-Type: text/plain; charset=utf-7\n\nsorry +2AA- ")
    assert returns.bounces.take(content, NOW).outcome is Outcome.SUPPRESSED
    assert returns.suppressions()[0].evidence.excerpt.startswith("sorry ? This is the mail system")


@pytest.mark.parametrize(
    "filling", [b"a" * 3_000_000, b"a@" * 1_500_000, b"<a " * 1_000_000, b" \n" * 1_500_000, b"550 5.1." * 400_000]
)
@pytest.mark.parametrize("name", ["postfix-user-unknown", "exim-unrouteable", "arf-yahoo", "letter-from-a-reader"])
def test_a_hostile_message_takes_no_more_than_moments(returns: Returns, name: str, filling: bytes) -> None:
    content = returns.sample(name)
    for place in (b"Diagnostic-Code: smtp; 550", b"\n\n"):
        started = time.process_time()
        returns.bounces.take(content.replace(place, place + filling, 1), NOW)
        assert time.process_time() - started < 10


def test_automatic_mail_that_answers_nothing_is_left_for_people(returns: Returns) -> None:
    content = b"From: stats@x.test\nAuto-Submitted: auto-generated\nSubject: Your weekly numbers\n\nMany.\n"
    assert returns.bounces.take(content, NOW).outcome is Outcome.SET_ASIDE
    assert returns.bounces.take(b"In-Reply-To: <1@news.test>\n" + content, NOW).outcome is Outcome.HARMLESS
