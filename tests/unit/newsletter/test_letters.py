"""A message is right to the byte, whatever stands in title, name, address or text."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, date, datetime
from email.message import EmailMessage
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.text import one_line
from newsletter.headers import HeaderError, address_field, ascii_address, plain_field, text_field, unicode_address
from newsletter.message import Letter, Recipient, Sender
from newsletter.rendering import Rendering, link_mark

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
SLOT = "slot-0123456789abcdef01234567-unsubscribe-url"
LINK = "https://news.test/unsubscribe/" + "IjRiNzc0YTY0NDk0NTQ1MmI0MDdiYTczOSI.mV-JkkqHTmaC6R38foKU8GcaDBk" * 2
ATTACK = "=?utf-8?q?a=0D=0ABcc:_v@x.test?="

lines = st.text(st.characters(exclude_categories=["Cs"]), max_size=200).map(one_line)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"), max_size=400)


def letter(
    subject: str = "News", html: str = f"<a href='{SLOT}'>x</a>", text: str = f"go {SLOT}\n", name: str = "N", leave: str = ""
) -> Letter:
    sender = Sender(name, "news@news.test", "", "news.test", leave)
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


def unstuffed(wire: bytes) -> bytes:
    """What a server makes of what comes after DATA, line by line (RFC 5321 4.5.2)."""
    lines = wire.split(b"\r\n")
    assert lines.pop() == b""
    assert b"." not in lines
    assert all(line.startswith(b"..") for line in lines if line.startswith(b"."))
    return b"".join(line.removeprefix(b".") + b"\r\n" for line in lines)


# Made of what is hard: dots and "From " at the beginning of lines, and lines of just the longest length.
dotted = st.lists(
    st.sampled_from([".", "..", "\n", " ", "=", "a", "é", "xxxxx", "From ", "\nFrom ", "\n.", "y" * 66]), max_size=60
).map("".join)
links = st.text(st.sampled_from("./?&=-%'abc123456789"), min_size=1, max_size=300).filter(lambda link: "=?" not in link)


@given(dotted, dotted, dotted, links, links)
def test_dots_at_the_beginning_of_lines_arrive_as_they_are(
    before: str, between: str, after: str, link: str, other: str
) -> None:
    """Also where a link or what follows one begins with a dot, and in every slot."""
    view = link_mark(SLOT, "view_url")
    text, html = f"{before}{SLOT}{between}{view}{after}", f"{between}{view}{after}{SLOT}{before}"
    message = letter(html=html, text=text).address(Recipient("abc", "ann@example.com", link, view_url=other), NOW)
    content = unstuffed(b"".join(message.pieces))
    assert content == message.content
    assert not any(line.startswith(b"From ") for line in content.split(b"\r\n"))
    assert all(len(line) <= 76 for line in content.partition(b"\r\n\r\n")[2].split(b"\r\n"))
    parts = [part.get_payload(decode=True) for part in read(content).iter_parts()]
    wanted = (text.replace(SLOT, link).replace(view, other), html.replace(view, escape(other)).replace(SLOT, escape(link)))
    for got, meant in zip(parts, wanted, strict=True):
        assert isinstance(got, bytes)
        assert got.decode().replace("\r\n", "\n").rstrip("\n") == meant.rstrip("\n")


def test_a_link_is_escaped_in_html_alone() -> None:
    made = letter().address(Recipient("abc", "ann@example.com", "https://x.test/?a=1&b='2'"), NOW)
    text, html = [part.get_content() for part in read(made.content).iter_parts()]
    assert "https://x.test/?a=1&b='2'" in text
    assert "https://x.test/?a=1&amp;b=&#x27;2&#x27;" in html


def test_a_link_that_a_template_asks_for_and_nobody_has_is_a_clear_failure() -> None:
    with pytest.raises(HeaderError, match="view_url"):
        address(letter(text=f"{SLOT} {link_mark(SLOT, 'view_url')}"))


def test_every_header_stands_once_and_says_what_receivers_ask_for() -> None:
    message = address(letter(leave="leave@news.test"))
    assert sorted(message.keys()) == sorted(set(message.keys()))
    assert message["List-Unsubscribe"] == f"<{LINK}>, <mailto:leave@news.test?subject=abc>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["List-Id"] == "Daily <daily.news.test>"
    assert message["Auto-Submitted"] == "auto-generated"
    campaign, customer, kind, sender = message["Feedback-ID"].split(":")
    assert (campaign, customer, kind) == ("daily.2026-11-23", "news.test", "digest")
    assert 5 <= len(sender) <= 15
    assert message["Date"].datetime == NOW


def test_a_message_is_dated_when_it_is_addressed() -> None:
    made, later = letter(), NOW.replace(hour=9)
    dates = [
        read(made.address(Recipient("abc", "ann@example.com", LINK), moment).content)["Date"].datetime
        for moment in (NOW, later, NOW)
    ]
    assert dates == [NOW, later, NOW]


def test_failures_are_reported_to_the_return_path() -> None:
    made = letter()
    assert made.address(Recipient("abc", "ann@example.com", LINK), NOW).sender == "news@news.test"
    assert made.address(Recipient("abc", "ann@example.com", LINK, "bounce+abc@news.test"), NOW).sender == "bounce+abc@news.test"
    with pytest.raises(HeaderError):
        made.address(Recipient("abc", "ann@example.com", LINK, "a@x.test>\r\nRCPT TO:<b@x.test"), NOW)


@pytest.mark.parametrize(
    "link",
    [
        "https://x.test/a\r\nBcc:b@x.test",
        "https://x.test/=?utf-8?q?a?=",
        "https://x.test/a b",
        "https://x.test/>,<b",
        "https://bücher.test/",
    ],
)
def test_a_link_adds_no_header(link: str) -> None:
    """Invariant 35."""
    with pytest.raises(HeaderError):
        letter().address(Recipient("abc", "ann@example.com", link), NOW)


def test_a_local_part_that_is_not_ascii_goes_out_where_the_server_takes_it() -> None:
    """Invariant 24; RFC 6532 3.2: the address stands in the header as it is."""
    recipient = Recipient("abc", "jürgen@bücher.example", LINK)
    with pytest.raises(HeaderError, match="SMTPUTF8"):
        letter().address(recipient, NOW)
    made = letter().address(recipient, NOW, smtputf8=True)
    assert made.recipient == "jürgen@xn--bcher-kva.example"
    assert "To: jürgen@xn--bcher-kva.example\r\n".encode() in made.content


@pytest.mark.parametrize(
    "wrong",
    [
        "jür gen@x.test",
        "jür,gen@x.test",
        "ü\r\nBcc: b@x.test",
        "ü\u2028@x.test",
        "ü..b@x.test",
        "=?ü?=@x.test",
        "ü" * 33 + "@x.test",
    ],
)
def test_what_is_no_address_is_none_with_smtputf8_either(wrong: str) -> None:
    with pytest.raises(HeaderError):
        unicode_address(wrong)


local_parts = st.text(st.sampled_from("ab.+-_'=?\"\\ ,:;<>()@\r\n\0é"), max_size=12)


@given(
    local_parts,
    st.sampled_from(["x.test", "X.Test", "bücher.example", "x.test>", "x.test\n", "[1.2.3.4]", "x", ""]),
    st.booleans(),
)
def test_an_address_that_is_taken_is_read_back_as_one(local: str, domain: str, smtputf8: bool) -> None:
    """Invariant 35: whatever an address holds, it is refused or is one mailbox, in the envelope as in the header."""
    try:
        message = letter().address(Recipient("abc", f"{local}@{domain}", LINK), NOW, smtputf8=smtputf8)
    except HeaderError:
        return
    assert message.recipient.rpartition("@")[0] == local
    assert f"\r\nTo: {message.recipient}\r\n" in f"\r\n{message.content.decode()}"
    if message.recipient.isascii():
        (mailbox,) = read(message.content)["To"].addresses
        assert mailbox.addr_spec == message.recipient


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
     "a@x.test, b@x.test", "=?utf-8?q?a?=@x.test", "a@x.test\n", "a@" + "x." * 127 + "test", "<a@x.test>", "a@[127.0.0.1]", "a" * 65 + "@x.test", "a\0@x.test"],
)  # fmt: skip
def test_what_is_no_address_is_one_clear_failure(wrong: str) -> None:
    with pytest.raises(HeaderError):
        ascii_address(wrong)


def test_line_ends_are_refused_everywhere() -> None:
    for make in (lambda v: text_field("X", v), lambda v: plain_field("X", v), lambda v: address_field("X", v, "a@x.test")):
        with pytest.raises(HeaderError):
            make("a\r\nBcc: b@x.test")
