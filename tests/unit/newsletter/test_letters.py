"""A message is right to the byte, whatever stands in title, name, address or text."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, date, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.text import one_line
from newsletter.headers import HeaderError, address_field, ascii_address, plain_field, text_field
from newsletter.message import Letter, Recipient, Sender
from newsletter.rendering import Rendering

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
SLOT = "slot-0123456789abcdef01234567-unsubscribe-url"
LINK = "https://news.test/unsubscribe/" + "IjRiNzc0YTY0NDk0NTQ1MmI0MDdiYTczOSI.mV-JkkqHTmaC6R38foKU8GcaDBk" * 2
ATTACK = "=?utf-8?q?a=0D=0ABcc:_v@x.test?="

lines = st.text(st.characters(exclude_categories=["Cs"]), max_size=200).map(one_line)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=400)


def letter(subject: str = "News", html: str = f"<a href='{SLOT}'>x</a>", text: str = f"go {SLOT}\n", name: str = "N") -> Letter:
    sender = Sender(name, "news@news.test", "", "news.test")
    return Letter(sender, "daily", "Daily", date(2026, 11, 23), Rendering(subject, html, text, SLOT))


def read(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def address(made: Letter, to: str = "ann@example.com") -> EmailMessage:
    return read(made.address(Recipient("abc", to, LINK), NOW).content)


@given(lines, lines)
def test_no_title_or_name_adds_a_header_or_a_recipient(subject: str, name: str) -> None:
    """Invariant 35, on the bytes."""
    content = (
        letter(subject=subject + ATTACK, name=name + ATTACK).address(Recipient("abc", "ann@example.com", LINK), NOW).content
    )
    head = content.partition(b"\r\n\r\n")[0]
    names = [line.partition(b":")[0] for line in head.split(b"\r\n") if not line.startswith((b" ", b"\t"))]
    assert sorted(names) == sorted(set(names))
    assert b"Bcc" not in names
    message = read(content)
    assert message["To"] == "ann@example.com"
    assert ATTACK in str(message["Subject"])
    assert message["From"].addresses[0].addr_spec == "news@news.test"


@given(texts, texts, texts)
def test_both_parts_arrive_as_they_were_rendered(before: str, between: str, after: str) -> None:
    html, text = f"{before}{SLOT}{between}{SLOT}{after}", f"{after}{SLOT}{before}"
    content = letter(html=html, text=text).address(Recipient("abc", "ann@example.com", LINK), NOW).content
    assert b"\n" not in content.replace(b"\r\n", b"")
    assert b"\r" not in content.replace(b"\r\n", b"")
    body = content.partition(b"\r\n\r\n")[2]
    assert all(len(line) <= 76 for line in body.split(b"\r\n"))
    parts = [part.get_payload(decode=True) for part in read(content).iter_parts()]
    for got, meant in zip(parts, (text, html), strict=True):
        assert isinstance(got, bytes)
        wanted = meant.replace(SLOT, LINK).encode()
        assert got.replace(b"\r\n", b"\n").rstrip(b"\n") == wanted.rstrip(b"\n")


def test_a_long_link_for_leaving_is_read_back_letter_by_letter() -> None:
    message = address(letter())
    assert message["List-Unsubscribe"] == f"<{LINK}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    raw = letter().address(Recipient("abc", "ann@example.com", LINK), NOW).content
    assert b"=?" not in re.search(rb"List-Unsubscribe:.*?\r\n(?! )", raw, re.DOTALL)[0]  # type: ignore[index]


def test_the_message_id_is_one_for_edition_and_recipient_over_all_retries() -> None:
    """Invariant 3."""
    ids = {letter().address(Recipient(who, "a@example.com", LINK), moment).message_id
           for who in ("abc", "def") for moment in (NOW, NOW.replace(hour=9))}  # fmt: skip
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("written", "sent"),
    [("Ann@Example.COM", "Ann@example.com"), ("cy@bücher.example", "cy@xn--bcher-kva.example"), ("a+b@x.test", "a+b@x.test")],
)
def test_an_address_goes_out_in_ascii(written: str, sent: str) -> None:
    """Invariant 24."""
    assert ascii_address(written) == sent


@pytest.mark.parametrize(
    "wrong",
    ["", "x", "@x.test", "a@", "a b@x.test", "a@x.test\r\nBcc: b@x.test", "a@x..test", ".a@x.test", "a@-x.test", "jürgen@x.test",
     "a@x.test, b@x.test", "<a@x.test>", "a@[127.0.0.1]", "a" * 65 + "@x.test", "a\0@x.test"],
)  # fmt: skip
def test_what_is_no_address_is_one_clear_failure(wrong: str) -> None:
    with pytest.raises(HeaderError):
        ascii_address(wrong)


def test_line_ends_are_refused_everywhere() -> None:
    for make in (lambda v: text_field("X", v), lambda v: plain_field("X", v), lambda v: address_field("X", v, "a@x.test")):
        with pytest.raises(HeaderError):
            make("a\r\nBcc: b@x.test")
