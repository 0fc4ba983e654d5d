"""Who is taken in, who stays out, and what an import says of each line."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection

from content.database import writing
from dateline.store import memory_store
from newsletter.subscribers import Joined, Standing, SubscriberError, Subscribers, import_csv
from newsletter.tokens import Tokens

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


@pytest.fixture
def connection() -> Iterator[Connection]:
    with writing(memory_store()) as opened:
        yield opened


@pytest.fixture
def members(connection: Connection) -> Subscribers:
    return Subscribers(connection)


def join(members: Subscribers, email: str, confirmed: bool = True) -> Joined:
    return members.join(email, origin="test", now=NOW, confirmed=confirmed)


def test_an_address_in_any_letter_case_is_one_member(members: Subscribers) -> None:
    assert join(members, "Ann@Example.com") is Joined.ADDED
    assert join(members, "ann@EXAMPLE.com") is Joined.UNCHANGED
    assert members.count() == {Standing.CONFIRMED: 1}


def test_the_unconfirmed_wait_until_they_are_confirmed(members: Subscribers) -> None:
    join(members, "a@x.test", confirmed=False)
    assert members.preferences("daily") == []
    assert join(members, "a@x.test") is Joined.CONFIRMED
    assert members.preferences("daily") == [("", 1)]


def test_who_left_stays_out_whoever_asks(members: Subscribers, tmp_path: Path) -> None:
    """Invariant 23."""
    join(members, "a@x.test")
    assert members.leave("A@x.test", NOW) and not members.leave("a@x.test", NOW)
    assert join(members, "a@x.test") is Joined.LEFT_BEFORE
    path = tmp_path / "m.csv"
    path.write_text("email\na@x.test\n")
    assert import_csv(members, path, NOW, confirmed=True).left_before == 1
    assert members.preferences("daily") == []


@pytest.mark.parametrize("text", ["email,name\n{}", "Name;E-Mail\n{}", "\ufeffEmail Address\n{}", "{}"])
def test_the_usual_columns_are_understood(members: Subscribers, tmp_path: Path, text: str) -> None:
    rows = "Ann;a@x.test\nBob;b@x.test" if ";" in text else "a@x.test,Ann\nb@x.test,Bob"
    path = tmp_path / "m.csv"
    path.write_text(text.format(rows), "utf-8")
    assert import_csv(members, path, NOW, confirmed=True).added == 2


def test_a_bad_line_is_named_and_the_sums_are_right(members: Subscribers, tmp_path: Path) -> None:
    """Invariant 40, in small."""
    path = tmp_path / "m.csv"
    path.write_text('email,regions\na@x.test,CN|IN\nnonsense,\n"b@x.test\r\nBcc: c@x.test",\nA@X.test,\nd@x.test,Atlantis\n\n')
    report = import_csv(members, path, NOW, confirmed=True)
    errors = [problem.line for problem in report.problems if problem.severity == "error"]
    assert report.lines == report.added + report.unchanged + len(errors) == 5
    assert errors == [3, 5] and (report.added, report.unchanged) == (2, 1)
    assert [one.regions for one in members.all()] == [("CN", "IN"), ()]
    assert import_csv(members, path, NOW, confirmed=True).added == 0


def test_a_file_without_addresses_is_refused_with_its_columns(members: Subscribers, tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("name,phone\nAnn,1\n")
    with pytest.raises(SubscriberError, match="columns are name, phone"):
        import_csv(members, path, NOW, confirmed=True)


def test_a_link_for_leaving_cannot_be_made_up_and_shows_no_address() -> None:
    """Invariant 20."""
    tokens, others = Tokens("0123456789abcdef"), Tokens("fedcba9876543210")
    token = tokens.unsubscribe("abc123")
    assert tokens.read_unsubscribe(token) == "abc123"
    assert others.read_unsubscribe(token) is None
    for wrong in ("", token[:-1], token[::-1], token.replace(".", ""), "x" * 5000, "ü"):
        assert tokens.read_unsubscribe(wrong) is None
