"""Who becomes a member, by which steps, and what strangers can learn or do on the way."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from reception_desk import PAGE, ReceptionDesk, token_in
from sqlalchemy import event

from newsletter.consent import Choices, Event
from newsletter.join_request import JoinError
from newsletter.joining import Answer, Result
from newsletter.member_count import MemberCount, members_shown
from newsletter.postman import tidy
from newsletter.suppression import Reason, Suppressions
from newsletter.tables import consent_texts, pending_mails, rate_counters


@pytest.fixture
def desk(tmp_path: Path) -> ReceptionDesk:
    return ReceptionDesk(tmp_path)


def suppress(desk: ReceptionDesk, email: str) -> None:
    with desk.writing() as connection:
        Suppressions(connection, desk.reception.tokens.key).add(email, Reason.COMPLAINT, desk.now)


def test_a_stranger_is_a_member_after_asking_and_confirming_and_not_before(desk: ReceptionDesk) -> None:
    assert desk.ask("ann@x.test", regions=("CN", "JP"), digests=("daily",)) is Answer.TAKEN
    assert desk.send() == 1 and desk.standing("ann@x.test") == "pending"
    confirmed = desk.confirm(token_in(desk.mail()))
    member = desk.member("ann@x.test")
    assert member and (confirmed.result, confirmed.public_id) == (Result.JOINED, member.public_id)
    assert (member.standing, member.regions, member.digests) == ("confirmed", ("CN", "JP"), ("daily",))


def test_following_the_link_changes_nothing_and_confirming_twice_changes_nothing_more(desk: ReceptionDesk) -> None:
    """Invariant 17."""
    desk.ask("ann@x.test")
    desk.send()
    token = token_in(desk.mail())
    for _ in range(5):
        assert desk.joining.look(token, desk.now).result is Result.READY
    assert desk.standing("ann@x.test") == "pending"
    assert [desk.confirm(token).result for _ in range(3)] == [Result.JOINED, Result.ALREADY, Result.ALREADY]
    assert [one.event for one in desk.evidence("ann@x.test")] == [Event.ASKED, Event.CONFIRMED]


def test_the_answer_is_the_same_whoever_has_the_address(desk: ReceptionDesk) -> None:
    """Invariant 22: the same words, the same statements to the database, and nearly the same time."""
    desk.forget_settings(joins_per_network=10_000, joins_per_hour=10_000)
    desk.join("member@x.test")
    desk.join("left@x.test")
    with desk.members() as members:
        members.leave("left@x.test", desk.now)
    desk.ask("waiting@x.test")
    desk.send()
    suppress(desk, "suppressed@x.test")
    desk.later(days=2)
    asked: dict[str, tuple[Answer, tuple[str, ...]]] = {}
    times: dict[str, list[float]] = {}
    statements: list[str] = []

    def hear(connection: Any, cursor: Any, statement: str, *others: Any) -> None:
        statements.append(statement)

    event.listen(desk.reception.engine, "before_cursor_execute", hear)
    for turn in range(15):
        for who in ("member", "left", "waiting", "suppressed", "unknown"):
            email = f"{who}@x.test" if who != "unknown" else f"unknown{turn}@x.test"
            request = desk.request(email)
            statements.clear()
            begun = time.perf_counter()
            answer = desk.joining.ask(request, desk.now)
            times.setdefault(who, []).append(time.perf_counter() - begun)
            asked[who] = answer, tuple(statements)
        desk.later(days=2)
    assert set(asked.values()) == {asked["unknown"]}
    assert asked["unknown"][0] is Answer.TAKEN and not any("subscribers" in one for one in asked["unknown"][1])
    typical = [median(spent) for spent in times.values()]
    assert max(typical) < 5 * min(typical), typical


def test_a_member_who_asks_again_is_told_so_by_mail_at_most_once_a_day_and_keeps_what_they_chose(desk: ReceptionDesk) -> None:
    desk.join("ann@x.test", regions=("CN",))
    for _ in range(40):
        desk.later(hours=1)
        desk.ask("Ann@X.test", regions=("IN",))
        desk.send()
    told = desk.mails()[1:]
    assert len(told) == 1 and "already" in told[0]["Subject"]
    member = desk.member("ann@x.test")
    assert member and member.regions == ("CN",)


def test_a_member_finds_the_link_to_their_preferences_in_that_mail(desk: ReceptionDesk) -> None:
    desk.join("ann@x.test")
    desk.later(days=2)
    desk.ask("ann@x.test")
    desk.send()
    member = desk.member("ann@x.test")
    body = desk.mails()[-1].get_body(["html"])
    assert member and body and desk.reception.preferences_url(member.public_id) in body.get_content()


def test_who_left_comes_back_by_confirming_anew_and_not_by_an_old_link(desk: ReceptionDesk) -> None:
    """Invariant 23."""
    old = desk.join("ann@x.test", regions=("CN",))
    desk.later(hours=30)
    with desk.members() as members:
        members.leave("ann@x.test", desk.now)
    assert desk.confirm(old).result is Result.LEFT
    desk.later(minutes=1)
    desk.ask("ann@x.test", regions=("IN",))
    desk.send()
    assert desk.standing("ann@x.test") == "left"
    assert desk.confirm(token_in(desk.mails()[-1])).result is Result.JOINED
    member = desk.member("ann@x.test")
    assert member and (member.standing, member.regions) == ("confirmed", ("IN",))


def test_a_suppressed_address_gets_no_mail_and_no_link_brings_it_in(desk: ReceptionDesk) -> None:
    """Invariant 23."""
    desk.ask("ann@x.test")
    desk.send()
    token = token_in(desk.mail())
    suppress(desk, "ann@x.test")
    assert desk.confirm(token).result is Result.INVALID
    desk.later(days=1, hours=1)
    assert desk.ask("ann@x.test") is Answer.TAKEN and desk.ask("new@x.test") is Answer.TAKEN
    suppress(desk, "new@x.test")
    assert desk.send() == 0 and desk.count(pending_mails) == 0
    assert (desk.standing("ann@x.test"), desk.standing("new@x.test")) == ("suppressed", "unknown")


def test_an_address_whose_suppression_is_over_may_join_though_no_edition_was_made_since(desk: ReceptionDesk) -> None:
    desk.join("ann@x.test")
    with desk.writing() as connection:
        Suppressions(connection, desk.reception.tokens.key).add(
            "ann@x.test", Reason.SOFT_BOUNCES, desk.now, until=desk.now + timedelta(days=28)
        )
    desk.later(days=27)
    desk.ask("ann@x.test")
    assert desk.send() == 0
    desk.later(days=2)
    desk.ask("ann@x.test")
    assert desk.send() == 1 and desk.standing("ann@x.test") == "confirmed"


def test_a_link_holds_for_its_time_and_the_settings_say_how_long(desk: ReceptionDesk) -> None:
    desk.ask("ann@x.test")
    desk.send()
    token = token_in(desk.mail())
    desk.later(hours=71)
    assert desk.joining.look(token, desk.now).result is Result.READY
    desk.later(hours=2)
    assert desk.confirm(token).result is Result.EXPIRED and desk.standing("ann@x.test") == "pending"


def test_a_link_that_was_altered_exchanged_or_made_for_something_else_is_worth_nothing(desk: ReceptionDesk) -> None:
    """Invariant 20."""
    desk.ask("ann@x.test")
    desk.ask("bob@x.test")
    desk.send()
    ann, bob = sorted(token_in(mail) for mail in desk.mails())
    said, others = re.split(r"([~.])", ann), re.split(r"([~.])", bob)
    assert len(said) == len(others) == 9
    mixed = {"".join([*others[:place], said[place], *others[place + 1 :]]) for place in range(9)} - {bob}
    member = desk.member("ann@x.test")
    assert member and len(mixed) == 4, "but for the time of day, which both have in common"
    made = desk.reception.tokens.unsubscribe(member.public_id)
    altered = [ann[:end] for end in range(len(ann))] + [f"{ann}x", "é", made]
    altered += [ann[:place] + ("A" if ann[place] != "A" else "B") + ann[place + 1 :] for place in range(0, len(ann) - 1, 7)]
    altered += [desk.joining.form_token(desk.now), "\0" * 50, "." * 300]
    for token in [*mixed, *altered]:
        assert desk.confirm(token).result is Result.INVALID, token
    assert {desk.standing("ann@x.test"), desk.standing("bob@x.test")} == {"pending"}
    assert desk.reception.tokens.read_unsubscribe(ann) is None
    assert "ann" not in ann and "x.test" not in ann


def test_a_link_is_dead_once_the_address_has_changed(desk: ReceptionDesk) -> None:
    """Invariant 20."""
    from sqlalchemy import update

    from newsletter.tables import subscribers

    desk.ask("ann@x.test")
    desk.send()
    with desk.writing() as connection:
        connection.execute(update(subscribers).values(email="b@x.test", email_key="b@x.test"))
    assert desk.confirm(token_in(desk.mail())).result is Result.INVALID


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "ann@x.test\r\nBcc: bob@x.test"), ("email", "ann@x.test\nbob@x.test"), ("email", "=?utf-8?q?a=0d=0a?=@x.test"),
        ("email", "ann@x.test,bob@x.test"), ("email", "ann@x.test\0"), ("email", ""), ("email", "a" * 400 + "@x.test"),
        ("page", f"{PAGE}\r\nBcc: bob@x.test"), ("page", "javascript:alert(1)"), ("page", "https://[x"), ("page", f"{PAGE}{'a' * 3000}"),
        ("regions", ("CN\r\nBcc: x",)), ("regions", ("Xanadu",)), ("digests", ("daily\r\n",)), ("digests", ("../x",)),
        ("frequency", "hourly"), ("frequency", "every\n"), ("language", "en\r\nBcc: x"), ("language", "e"),
        ("time_zone", "../../etc/passwd"), ("time_zone", "Europe/London\n"), ("regions", ("CN",) * 501),
    ],
)  # fmt: skip
def test_a_field_that_is_no_such_thing_is_refused_by_its_name(desk: ReceptionDesk, field: str, value: object) -> None:
    """Invariant 35."""
    email = str(value) if field == "email" else "ann@x.test"
    with pytest.raises(JoinError) as refused:
        desk.ask(email, **({field: value} if field != "email" else {}))
    assert refused.value.field == field and str(refused.value)
    assert desk.count(pending_mails) == 0


def test_an_international_domain_works_and_a_local_part_that_is_not_ascii_is_one_clear_failure(desk: ReceptionDesk) -> None:
    """Invariant 24."""
    assert desk.ask(" ann@bücher.example ") is Answer.TAKEN
    desk.send()
    assert desk.mail()["To"] == "ann@xn--bcher-kva.example"
    assert desk.confirm(token_in(desk.mail())).result is Result.JOINED
    with pytest.raises(JoinError, match="SMTPUTF8"):
        desk.ask("jörg@x.test")


def test_the_page_is_kept_without_what_tells_of_the_visitor(desk: ReceptionDesk) -> None:
    desk.join("ann@x.test", page=f"{PAGE}?utm_source=x&email=ann@x.test#top")
    assert desk.evidence("ann@x.test")[0].source == PAGE


def test_nothing_that_the_visitor_typed_but_the_address_is_in_the_mail(desk: ReceptionDesk) -> None:
    """Invariant 35."""
    desk.ask("ann@x.test", page="https://evil.test/win-a-prize", language="qq", regions=("CN-GD",))
    desk.send()
    whole = desk.mail().as_string()
    for typed in ("evil", "prize", "qq", "CN-GD", "Guangdong"):
        assert typed not in whole
    assert whole.count("ann@x.test") == 1


@pytest.mark.parametrize(
    ("seconds", "answer"), [(0, Answer.AGAIN), (1.9, Answer.AGAIN), (3, Answer.TAKEN), (86_000, Answer.TAKEN), (86_500, Answer.AGAIN)]
)  # fmt: skip
def test_a_form_is_taken_when_a_person_could_have_filled_it_in(desk: ReceptionDesk, seconds: float, answer: Answer) -> None:
    token = desk.joining.form_token(desk.now - timedelta(seconds=seconds))
    assert desk.ask("ann@x.test", form_token=token) is answer
    assert desk.count(pending_mails) == (answer is Answer.TAKEN)


def test_a_form_without_our_mark_or_with_another_text_of_consent_is_shown_again(desk: ReceptionDesk) -> None:
    token = desk.request("ann@x.test").form_token
    for wrong in ("", "x", token[:-1], f"{token}x", "é"):
        assert desk.ask("ann@x.test", form_token=wrong) is Answer.AGAIN
    desk.forget_settings(consent_text="Yes, every day, please.")
    assert desk.ask("ann@x.test", form_token=token) is Answer.AGAIN
    assert desk.count(pending_mails) == 0


def test_a_robot_that_fills_in_the_trap_gets_the_answer_that_people_get_and_no_mail(desk: ReceptionDesk) -> None:
    assert desk.ask("ann@x.test", trap="http://pills.test") is Answer.TAKEN
    assert desk.send() == 0


def test_the_evidence_says_when_where_from_and_by_which_text_and_stays_when_choices_change(desk: ReceptionDesk) -> None:
    """Invariant 23."""
    asked_at = desk.now
    desk.ask("ann@x.test", regions=("CN",), frequency="weekly", language="en-GB", time_zone="Europe/London")
    desk.later(hours=5)
    desk.send()
    desk.later(hours=5)
    desk.confirm(token_in(desk.mail()))
    asked, confirmed = before = desk.evidence("ann@x.test")
    assert (asked.event, asked.happened_at, asked.source, asked.network) == (Event.ASKED, asked_at, PAGE, "203.0.113.0/24")
    assert asked.wording == desk.reception.newsletter.consent_text and asked.version == desk.reception.wording.version
    assert asked.choices == Choices(("CN",), (), "weekly", "en-GB", "Europe/London")
    assert (confirmed.event, confirmed.happened_at, confirmed.network) == (Event.CONFIRMED, desk.now, "198.51.100.0/24")
    assert confirmed.asked_id == asked.id
    with desk.members() as members:
        members.choose("ann@x.test", regions=[], digests=["weekly"])
        members.leave("ann@x.test", desk.now)
    assert desk.evidence("ann@x.test") == before


def test_a_text_of_consent_is_kept_once_and_an_older_one_stays_with_those_who_saw_it(desk: ReceptionDesk) -> None:
    desk.join("ann@x.test")
    desk.join("bob@x.test")
    assert desk.count(consent_texts) == 1
    first = desk.reception.newsletter.consent_text
    desk.ask("cy@x.test")
    # The text changes between the answer and the mail: what counts is what was shown.
    desk.forget_settings(consent_text="Something else.")
    desk.send()
    desk.join("di@x.test")
    assert [desk.evidence(f"{who}@x.test")[0].wording for who in ("ann", "cy", "di")] == [first, first, "Something else."]


@pytest.mark.parametrize(
    ("how", "kept"), [("truncated", "2001:db8:1:200::/56"), ("none", ""), ("hashed", None)]
)  # fmt: skip
def test_of_the_network_address_as_much_is_kept_as_the_settings_say(desk: ReceptionDesk, how: str, kept: str | None) -> None:
    desk.forget_settings(consent_address=how)
    desk.join("ann@x.test", client="2001:db8:1:2ff::7")
    network = desk.evidence("ann@x.test")[0].network
    assert network == kept if kept is not None else len(network) == 64 and "2001" not in network


def test_a_sign_up_that_nobody_confirms_is_forgotten_after_a_while(desk: ReceptionDesk) -> None:
    desk.join("ann@x.test")
    desk.ask("bob@x.test")
    with desk.members() as members:
        members.join("cy@x.test", origin="test", now=desk.now, confirmed=False)
    desk.send()
    desk.later(days=29)
    assert tidy(desk.reception, desk.now) == 0
    desk.later(days=2)
    assert desk.count(rate_counters) == 0, "a window of a day has run out long ago"
    assert tidy(desk.reception, desk.now) == 1
    assert [desk.standing(f"{who}@x.test") for who in ("ann", "bob", "cy")] == ["confirmed", "unknown", "pending"]


@pytest.mark.parametrize(
    ("number", "shown"),
    [(0, ""), (99, ""), (100, "100+"), (129, "120+"), (1234, "1,200+"), (56_432, "56,000+"), (56_000, "56,000+"), (1_999_999, "1,900,000+")],
)  # fmt: skip
def test_the_number_of_members_is_rounded_down(number: int, shown: str) -> None:
    assert members_shown(number) == shown


def test_the_number_of_members_is_the_real_one_and_counted_once_a_minute(desk: ReceptionDesk) -> None:
    with desk.members() as members:
        for number in range(130):
            members.join(f"m{number}@x.test", origin="test", now=desk.now, confirmed=number < 120)
    count = MemberCount(desk.reception.engine)
    assert (count.number(), count.shown()) == (120, "120+")
    statements: list[str] = []
    event.listen(desk.reception.engine, "before_cursor_execute", lambda *given: statements.append(given[2]))
    assert count.shown() == "120+" and statements == []
