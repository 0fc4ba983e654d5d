"""A header that receivers would refuse or misread is found, on the bytes of the finished message."""

from __future__ import annotations

from pathlib import Path

import pytest
from desk import MJML, TXT, Desk
from newsroom import NOW

from newsletter.checks.finding import Finding
from newsletter.checks.headers import ONCE, check_headers
from newsletter.checks.source import Source
from newsletter.checks.specimen import Setting, Specimen
from newsletter.editions import drafts


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path / "site")
    made.report()
    return made


def spoiled(desk: Desk, before: bytes, after: bytes) -> list[Finding]:
    """What is found in the headers once the finished message was changed."""
    (draft,) = drafts(desk.press, NOW)
    leave = desk.press.unsubscribe_url("0" * 24)
    letter = desk.press.letter(draft.rendering, desk.press.local_date(NOW))
    content = letter.address(desk.press.recipient("0" * 24, "ann@example.com"), NOW).content
    assert before in content
    folder = desk.root / "templates"
    setting = Setting(
        desk.press.site, desk.press.newsletter, desk.press.digest, None, 1, Source(folder / MJML), Source(folder / TXT)
    )
    assert check_headers(Specimen.of(setting, draft.articles, leave, content)) == []
    return check_headers(Specimen.of(setting, draft.articles, leave, content.replace(before, after, 1)))


@pytest.mark.parametrize("name", ONCE)
def test_each_header_must_be_there_once(desk: Desk, name: str) -> None:
    """Invariant 35: a second one is what an injected header looks like."""
    missing = spoiled(desk, f"{name}: ".encode(), b"X-Other: ")
    assert any(f"no {name} header" in one.problem for one in missing)
    twice = spoiled(desk, f"{name}: ".encode(), f"{name}: x\r\n{name}: ".encode())
    assert any(f"2 {name} headers" in one.problem for one in twice)


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (b"Subject: ", b"Subject: \xc3\xa9", "not ASCII"),
        (b"Subject: ", b"X-Long: " + b"x" * 991 + b"\r\nSubject: ", "999 octets"),
        (b"Subject: ", b"X-Bare: a\nb\r\nSubject: ", "CR or LF alone"),
        (b"\r\n--", b"\r--", "CR or LF alone"),
        (b"List-Unsubscribe: <https:", b"List-Unsubscribe: <http:", "no https address"),
        (b"List-Unsubscribe: <https://news", b"List-Unsubscribe: <https://olds", "different places"),
        (b"=One-Click", b"=Two-Clicks", "List-Unsubscribe-Post"),
        (b"To: ann@example.com", b"To: ann@example.com, bob@example.com", "To does not hold one address"),
        (b"Message-ID: <", b"Message-ID: ", "Message-ID"),
        (b"<daily.news.test>", b"<daily>", "names no list in a domain"),
        (b"Date: Mon, 23 Nov", b"Date: the 23rd of Nov", "the Date"),
    ],
)  # fmt: skip
def test_a_header_that_receivers_misread_is_found(desk: Desk, before: bytes, after: bytes, words: str) -> None:
    assert any(words in one.problem for one in spoiled(desk, before, after))


def test_a_way_out_by_mail_that_was_configured_must_be_in_the_header(desk: Desk) -> None:
    desk.set(newsletter__unsubscribe_email="leave@example.com")
    found = spoiled(desk, b"<mailto:", b"<tel:")
    assert any("leaves out newsletter.unsubscribe_email" in one.problem for one in found)
