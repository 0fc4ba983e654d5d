"""What limits sign-ups: nobody's mailbox can be filled by the form, and nobody can close the form for others cheaply."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reception_desk import CLIENT, KEY, ReceptionDesk
from sqlalchemy import select

from content.database import reading, writing
from content.errors import ConfigError
from newsletter.guard import Guard, Limits, Verdict, limited_as, load_domains
from newsletter.joining import Answer
from newsletter.networks import kept, network_of
from newsletter.rate_counters import DatabaseCounters
from newsletter.tables import rate_counters


@pytest.fixture
def desk(tmp_path: Path) -> ReceptionDesk:
    return ReceptionDesk(tmp_path, joins_per_network=100_000, joins_per_hour=100_000)


def client(number: int) -> str:
    """An address in a network of its own."""
    return f"{10 + number // 65536}.{number // 256 % 256}.{number % 256}.9"


def test_fifty_sign_ups_in_any_letter_case_lead_to_one_mail(desk: ReceptionDesk) -> None:
    """Invariant 21."""
    name = "victim"
    for number in range(50):
        spelt = "".join(letter.upper() if number >> place & 1 else letter for place, letter in enumerate(name))
        assert desk.ask(f"{spelt}@{'X' if number % 2 else 'x'}.TEST", client=client(number)) is Answer.TAKEN
        if number % 10 == 0:
            desk.send()
    desk.send()
    assert desk.mail()["To"].lower() == "victim@x.test"


def test_after_a_day_an_address_may_be_asked_for_again(desk: ReceptionDesk) -> None:
    for hours in (0, 12, 11.9, 0.2):
        desk.later(hours=hours)
        desk.ask("ann@x.test")
        desk.send()
    assert len(desk.mails()) == 2


def test_a_network_that_asks_too_often_is_told_to_come_later_and_the_others_are_not(desk: ReceptionDesk) -> None:
    """Invariant 21."""
    desk.forget_settings(joins_per_network=20, joins_per_hour=500)
    answers = [desk.ask(f"m{number}@x.test", client=f"203.0.113.{number}") for number in range(200)]
    assert answers == [Answer.TAKEN] * 20 + [Answer.LATER] * 180
    assert desk.ask("m300@x.test", client="::ffff:203.0.113.5") is Answer.LATER
    assert desk.ask("m301@x.test", client="203.0.114.5") is Answer.TAKEN
    desk.later(hours=1)
    assert desk.ask("m302@x.test", client="203.0.113.5") is Answer.TAKEN
    assert desk.send() == 22


def test_a_flood_from_everywhere_closes_the_form_for_an_hour_with_one_answer_for_all(desk: ReceptionDesk) -> None:
    """Invariant 21."""
    desk.join("member@x.test", client=client(9000))
    desk.forget_settings(joins_per_hour=50)
    desk.later(days=2)
    answers = [desk.ask(f"m{number}@x.test", client=client(number)) for number in range(80)]
    assert answers == [Answer.TAKEN] * 50 + [Answer.LATER] * 30
    # Those who were asked for already, members and strangers: no difference.
    for email in ("m0@x.test", "m79@x.test", "member@x.test", "stranger@x.test"):
        assert desk.ask(email, client=client(8000)) is Answer.LATER
    desk.later(hours=1)
    assert desk.ask("stranger@x.test", client=client(8001)) is Answer.TAKEN


def test_many_requests_for_one_address_do_not_close_the_form(desk: ReceptionDesk) -> None:
    desk.forget_settings(joins_per_hour=10)
    for number in range(100):
        assert desk.ask("victim@x.test", client=client(number)) is Answer.TAKEN
    assert desk.ask("ann@x.test", client=client(200)) is Answer.TAKEN and desk.send() == 2


def test_processes_count_together_and_miss_nothing(desk: ReceptionDesk) -> None:
    """Invariant 21, with eight threads on connections of their own as processes would have."""
    guard = Guard(KEY, Limits(network=30, site=1000))
    verdicts: list[Verdict] = []

    def ask(number: int) -> None:
        for turn in range(10):
            with writing(desk.reception.engine) as connection:
                verdicts.append(guard.admit(connection, f"m{number}-{turn}@x.test", CLIENT, desk.now))

    threads = [threading.Thread(target=ask, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(verdicts), verdicts.count(Verdict.ADMITTED)) == (80, 30)


def test_a_domain_on_the_operators_list_gets_the_same_answer_and_no_mail(desk: ReceptionDesk, tmp_path: Path) -> None:
    (tmp_path / "disposable.txt").write_text("# throw-away\nTrash.test\n\n@bin.example\n")
    desk.forget_settings(disposable_domains_file="disposable.txt")
    for email in ("a@trash.test", "b@mx.TRASH.test", "c@bin.example"):
        assert desk.ask(email) is Answer.TAKEN
    assert desk.ask("d@nottrash.test") is Answer.TAKEN
    desk.send()
    assert desk.mail()["To"] == "d@nottrash.test"


def test_a_list_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.txt: newsletter\.disposable_domains_file"):
        load_domains(tmp_path / "missing.txt")


def test_the_counters_show_neither_addresses_nor_networks(desk: ReceptionDesk) -> None:
    desk.ask("ann@x.test")
    with reading(desk.reception.engine) as connection:
        keys = " ".join(connection.execute(select(rate_counters.c.key)).scalars())
    assert keys and "ann" not in keys and "x.test" not in keys and "203.0" not in keys


@pytest.mark.parametrize(
    ("email", "counts_as"),
    [
        ("A.N.N@gmail.com", "ann@gmail.com"), ("ann+news@googlemail.com", "ann@gmail.com"), ("a.nn@x.test", "a.nn@x.test"),
        ("ann+a+b@x.test", "ann@x.test"), ("+ann@x.test", "+ann@x.test"), ("ann@Bücher.example", "ann@xn--bcher-kva.example"),
        ("a.nn@gmail.com.evil.test", "a.nn@gmail.com.evil.test"),
    ],
)  # fmt: skip
def test_spellings_of_one_mailbox_count_as_one(email: str, counts_as: str) -> None:
    assert limited_as(email) == counts_as


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("203.0.113.77", "203.0.113.0/24"), ("::ffff:203.0.113.77", "203.0.113.0/24"), ("2001:db8:1:2ff::7", "2001:db8:1:200::/56"),
        ("fe80::1%eth0", "fe80::/56"), ("", ""), ("testclient", ""), ("203.0.113.77, 10.0.0.1", ""), ("1.2.3.4\r\nX: y", ""),
    ],
)  # fmt: skip
def test_a_network_is_what_one_household_has(address: str, network: str) -> None:
    assert network_of(address) == network


def test_a_hashed_address_tells_two_machines_of_one_network_apart() -> None:
    hashes = {kept(address, "hashed", KEY) for address in ("203.0.113.77", "::ffff:203.0.113.77", "203.0.113.78")}
    assert len(hashes) == 2 and kept("203.0.113.77", "hashed", "another key of the site") not in hashes


@settings(max_examples=30)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 5000)), max_size=40))
def test_a_counter_never_lets_more_through_in_a_window_than_its_limit(acts: list[tuple[str, int]]) -> None:
    """Against a plain reckoning: a window begins with its first count."""
    from limits import RateLimitItemPerHour
    from limits.strategies import FixedWindowRateLimiter

    from dateline.store import memory_store

    begun = datetime.fromisoformat("2026-11-23T12:00:00+00:00")
    now, item = 0, RateLimitItemPerHour(3)
    expected: dict[str, tuple[int, int]] = {}
    engine = memory_store()
    for who, pause in acts:
        now += pause
        start, count = expected.get(who, (now, 0))
        start, count = (now, 0) if now - start >= 3600 else (start, count)
        expected[who] = start, count + 1
        with writing(engine) as connection:
            limiter = FixedWindowRateLimiter(DatabaseCounters(connection, begun + timedelta(seconds=now)))
            assert limiter.test(item, who) is (count < 3)
            assert limiter.hit(item, who) is (count < 3)
            assert limiter.get_window_stats(item, who).remaining == max(0, 2 - count)
    engine.dispose()
