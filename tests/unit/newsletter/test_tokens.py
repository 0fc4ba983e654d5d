"""Signed links hold for one purpose, one subject and as long as they should; keys can change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.errors import ConfigError
from newsletter.suppression import Suppressions
from newsletter.tokens import Purpose, Tokens, load_old_keys

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
OLD, KEY, OTHER = "the-oldest-key-0000", "0123456789abcdef0123", "another-key-altogether"
TOKENS = Tokens(KEY)


def test_a_token_is_read_for_its_own_purpose_alone() -> None:
    """Invariant 20."""
    for made in Purpose:
        lasting, passing = TOKENS.lasting(made, "abc"), TOKENS.passing(made, "abc", NOW)
        for read in Purpose:
            assert TOKENS.read_lasting(read, lasting) == ("abc" if read is made else None)
            assert TOKENS.read_passing(read, passing, NOW, timedelta(1)) == ("abc" if read is made else None)
            # Of the other kind it is nothing either.
            assert TOKENS.read_lasting(read, passing) is None
            assert TOKENS.read_passing(read, lasting, NOW, timedelta(1)) is None
    assert Tokens(OTHER).read_lasting(Purpose.VIEW, TOKENS.lasting(Purpose.VIEW, "abc")) is None


@given(st.text(max_size=120))
def test_no_text_is_taken_for_a_token(written: str) -> None:
    """Invariant 20."""
    for purpose in Purpose:
        assert TOKENS.read_lasting(purpose, written) is None
        assert TOKENS.read_passing(purpose, written, NOW, timedelta(9999)) is None
    assert TOKENS.read_unsubscribe(written) is None


@given(st.integers(0, 200), st.sampled_from("abcXYZ019._-~"))
def test_an_altered_token_stands_for_nobody_else(at: int, sign: str) -> None:
    """Invariant 20."""
    token = TOKENS.lasting(Purpose.PREFERENCES, "71d434960d33ee57e58081d7")
    at %= len(token)
    altered = token[:at] + sign + token[at + 1 :]
    assert TOKENS.read_lasting(Purpose.PREFERENCES, altered) in (None, "71d434960d33ee57e58081d7")
    if at < 24:
        assert (TOKENS.read_lasting(Purpose.PREFERENCES, altered) is None) == (altered != token)


def test_a_passing_token_ends_and_a_lasting_one_does_not() -> None:
    passing = TOKENS.passing(Purpose.UNDO, "abc", NOW)
    assert TOKENS.read_passing(Purpose.UNDO, passing, NOW + timedelta(minutes=59), timedelta(hours=1)) == "abc"
    assert TOKENS.read_passing(Purpose.UNDO, passing, NOW + timedelta(minutes=61), timedelta(hours=1)) is None
    assert TOKENS.read_passing(Purpose.UNDO, passing, NOW - timedelta(hours=1), timedelta(hours=1)) is None
    assert TOKENS.age(Purpose.UNDO, "abc", passing, NOW + timedelta(seconds=3)) == timedelta(seconds=3)
    assert TOKENS.age(Purpose.UNDO, "abd", passing, NOW) is None


def test_links_made_under_an_old_key_hold_and_new_ones_are_signed_with_the_new(tmp_path: Path) -> None:
    before, after = Tokens(OLD), Tokens(KEY, [OLD])
    old = before.unsubscribe("abc")
    assert after.read_unsubscribe(old) == "abc"
    assert after.read_passing(Purpose.UNDO, before.passing(Purpose.UNDO, "abc", NOW), NOW, timedelta(1)) == "abc"
    assert before.read_unsubscribe(after.unsubscribe("abc")) is None
    assert TOKENS.read_unsubscribe(after.unsubscribe("abc")) == "abc"
    path = tmp_path / "old.keys"
    path.write_text(f"{OLD}\n\n{OTHER}\n")
    assert load_old_keys(path) == [OLD, OTHER]
    path.write_text("short\n")
    with pytest.raises(ConfigError, match="at least 16"):
        load_old_keys(path)


def test_an_address_that_was_suppressed_is_known_again_after_a_change_of_keys() -> None:
    """Invariant 23."""
    from content.database import writing
    from dateline.store import memory_store
    from newsletter.suppression import Reason

    with writing(memory_store()) as connection:
        Suppressions(connection, Tokens(OLD).key).add("a@x.test", Reason.ERASED, NOW)
        assert Suppressions(connection, Tokens(KEY, [OLD]).key).holds("a@x.test", NOW)


@pytest.mark.parametrize("subject", ["a b", "é", "a@x.test", "a/b", "a.b", "x" * 201])
def test_what_would_show_an_address_or_break_a_link_is_not_signed(subject: str) -> None:
    """Invariant 20."""
    with pytest.raises(ValueError, match="cannot stand in a link"):
        TOKENS.lasting(Purpose.VIEW, subject)
