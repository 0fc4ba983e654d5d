"""A receiving domain is sent to as fast as it takes mail, and slower where it asks for it."""

from __future__ import annotations

import pytest

from newsletter.pacing import Pacer, is_throttling


@pytest.mark.parametrize(
    "words",
    [
        "421 4.7.0 [TSS04] Messages temporarily deferred due to unexpected volume",
        "450 4.7.1 too many messages, slow down",
        "454 4.7.0 temporary failure",
        "451 4.7.500 Server busy. Your message rate is too high",
        "452 4.5.3 Too many recipients, rate limited",
        "421 busy",
        "450 later",
    ],
)
def test_a_request_for_less_is_understood(words: str) -> None:
    assert is_throttling(words)


@pytest.mark.parametrize(
    "words",
    [
        "450 4.2.0 <x@example.com>: Recipient address rejected: Greylisted",
        "450 4.7.1 Grey-listed, please try again in 300 seconds",
        "452 4.2.2 mailbox full",
        "451 4.3.0 local problem",
        "550 5.7.1 rate",
        "250 ok",
    ],
)
def test_what_speaks_of_one_mailbox_or_of_the_first_contact_slows_nobody(words: str) -> None:
    assert not is_throttling(words)


def sent_in(pacer: Pacer, domain: str, start: float, seconds: float) -> int:
    """How many messages a domain gets that takes all of them."""
    now, number = start, 0
    while now < start + seconds:
        if pacer.ready_at(domain) <= now:
            pacer.go(domain, now)
            pacer.accepted(domain, now)
            number += 1
        now += 0.001
    return number


def test_without_limits_nobody_waits() -> None:
    assert sent_in(Pacer({}), "example.com", 100.0, 1) >= 990


def test_a_limit_of_the_settings_holds_for_its_domain_alone() -> None:
    pacer = Pacer({"Example.com": 50})
    assert 45 <= sent_in(pacer, "example.com", 100.0, 1) <= 55
    assert sent_in(pacer, "example.org", 100.0, 1) >= 990


def test_a_domain_that_asks_for_less_rests_and_gets_half_and_then_slowly_more() -> None:
    pacer = Pacer({})
    before = sent_in(pacer, "example.com", 100.0, 1)
    pacer.throttled("example.com", 101.0)
    assert pacer.ready_at("example.com") >= 105.0
    assert pacer.ready_at("example.org") == 0.0
    soon = sent_in(pacer, "example.com", 106.0, 1)
    assert soon < before * 0.7
    assert sent_in(pacer, "example.com", 107.0, 5) / 5 > soon


def test_replies_to_what_was_already_on_its_way_slow_it_once() -> None:
    once, often = Pacer({}), Pacer({})
    for pacer in (once, often):
        sent_in(pacer, "example.com", 100.0, 1)
        pacer.throttled("example.com", 101.0)
    for moment in (101.01, 101.02, 101.03):
        often.throttled("example.com", moment)
    assert often.ready_at("example.com") == once.ready_at("example.com")


def test_a_domain_that_never_takes_anything_is_asked_ever_more_rarely() -> None:
    pacer, now, asked = Pacer({}), 100.0, 0
    while now < 100.0 + 3600:
        if pacer.ready_at("example.com") <= now:
            pacer.go("example.com", now)
            pacer.throttled("example.com", now)
            asked += 1
        now += 0.5
    assert 3 <= asked <= 30


def test_many_domains_are_not_remembered_for_ever() -> None:
    pacer = Pacer({"slow.example": 1.0})
    pacer.go("slow.example", 1.0)
    for number in range(100_000):
        pacer.go(f"d{number}.example", 1.0)
    assert len(pacer._paces) <= 20_001
    assert pacer.ready_at("slow.example") > 1.0
