"""What we sign, others find right: dkimpy, which shares no code with us, checks every signature."""

from __future__ import annotations

import re
from base64 import b64decode
from datetime import UTC, date, datetime
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from content.errors import ConfigError
from content.text import one_line
from newsletter.dkim import SigningKey, load_key, relaxed_field, relaxed_lines
from newsletter.message import Letter, Recipient, Sender
from newsletter.rendering import Rendering, link_mark

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
SLOT = "slot-0123456789abcdef01234567-unsubscribe-url"
LINK = "https://news.test/unsubscribe/" + "IjRiNzc0YTY0NDk0NTQ1MmI0MDdiYTczOSI.mV-JkkqHTmaC6R38foKU8GcaDBk" * 2
RSA = SigningKey("news.test", "r1", rsa.generate_private_key(65537, 2048))
ED25519 = SigningKey("news.test", "e1", ed25519.Ed25519PrivateKey.generate())
BOTH = (RSA, ED25519)
PUBLISHED = {f"{key.name}.": key.record.encode() for key in BOTH}
COVERED = {
    "from", "to", "subject", "date", "message-id", "reply-to", "mime-version", "content-type", "list-unsubscribe",
    "list-unsubscribe-post", "list-id", "feedback-id",
}  # fmt: skip

lines = st.text(st.characters(exclude_categories=["Cs"]), max_size=100).map(one_line)
texts = st.text(st.sampled_from(" \t.\n=aé<>" + "x" * 5), max_size=300)
links = st.text(st.sampled_from("./?&-%abc123456789"), min_size=1, max_size=200)


def letter(
    subject: str = "News",
    html: str = f"<a href='{SLOT}'>x</a>",
    text: str = f"go on {SLOT}\n",
    name: str = "N",
    keys: tuple[SigningKey, ...] = BOTH,
) -> Letter:
    sender = Sender(name, "news@news.test", "", "news.test", "leave@news.test")
    return Letter(sender, "daily", "Daily", date(2026, 11, 23), Rendering(subject, html, text, SLOT), keys)


def look_up(name: bytes, timeout: int = 5) -> bytes | None:
    return PUBLISHED.get(name.decode())


def verdicts(content: bytes) -> list[bool]:
    """What dkimpy says of each signature."""
    count = len(re.findall(rb"^DKIM-Signature:", content, re.MULTILINE))
    return [holds(content, number) for number in range(count)]


def holds(content: bytes, number: int) -> bool:
    try:
        return bool(dkim.DKIM(content).verify(idx=number, dnsfunc=look_up))
    except dkim.ValidationError:
        return False


@settings(max_examples=60)
@given(lines, lines, texts, texts, texts, links, links)
def test_both_signatures_hold_whatever_the_message_says(
    subject: str, name: str, before: str, between: str, after: str, link: str, other: str
) -> None:
    view = link_mark(SLOT, "view_url")
    made = letter(subject, f"{before}{SLOT}{between}{view}{after}", f"{after}{SLOT}{before}", name)
    content = made.address(Recipient("abc", "ann@example.com", link, view_url=other), NOW).content
    assert verdicts(content) == [True, True]


def test_each_recipient_gets_a_signature_of_his_own() -> None:
    made = letter()
    contents = [
        made.address(Recipient(who, f"{who}@example.com", f"https://news.test/{who}"), NOW).content
        for who in ("ann", "bob", "ann")
    ]
    assert [verdicts(content) for content in contents] == [[True, True]] * 3
    assert contents[0] != contents[1]


def test_a_message_to_an_address_that_is_not_ascii_is_signed_as_well() -> None:
    content = letter().address(Recipient("abc", "jürgen@bücher.example", LINK), NOW, smtputf8=True).content
    assert verdicts(content) == [True, True]


def test_the_signatures_cover_what_receivers_look_at_and_from_twice() -> None:
    content = letter().address(Recipient("abc", "ann@example.com", LINK), NOW).content
    for listed in re.findall(rb" h=(.*?);", content, re.DOTALL):
        names = re.sub(rb"\s", b"", listed).decode().split(":")
        assert set(names) >= COVERED
        assert names.count("from") == 2


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"To: ann@", b"To: bob@"),
        (b"Subject: News", b"Subject: Olds"),
        (b"From: N ", b"From: Evil <e@x.test>\r\nFrom: N "),
        (b"List-Unsubscribe: <https", b"List-Unsubscribe: <http"),
        (b"List-Unsubscribe-Post: List", b"List-Unsubscribe-Post: Fist"),
        (b"go on", b"come on"),
        (b"</a>", b"</b>"),
    ],
)
def test_a_change_on_the_way_breaks_both(old: bytes, new: bytes) -> None:
    content = letter().address(Recipient("abc", "ann@example.com", LINK), NOW).content
    assert content.count(old) == 1
    assert verdicts(content.replace(old, new)) == [False, False]


def test_blanks_and_folding_changed_on_the_way_break_none() -> None:
    content = letter().address(Recipient("abc", "ann@example.com", LINK), NOW).content
    changed = content.replace(b"Subject: News", b"SUBJECT:\r\n  News ").replace(b"go on", b"go   on") + b"\r\n\r\n"
    assert b"go   on" in changed and b"SUBJECT:" in changed
    assert verdicts(changed) == [True, True]


def test_the_dots_for_the_wire_are_not_signed() -> None:
    message = letter(text=f".\n..\n{SLOT}\n.x", html=f".{SLOT}.").address(Recipient("abc", "ann@example.com", ".."), NOW)
    assert b"\r\n...\r\n" in b"".join(message.pieces)
    assert verdicts(message.content) == [True, True]


def test_lines_are_folded() -> None:
    content = letter().address(Recipient("abc", "ann@example.com", LINK), NOW).content
    head = content.partition(b"\r\nTo: ")[0]
    assert head.count(b"DKIM-Signature:") == 2
    assert max(len(line) for line in head.split(b"\r\n")) <= 78


@pytest.mark.parametrize(
    ("field", "canonical"),
    [(b"SUBJect: AbC\r\n", b"subject:AbC\r\n"), (b"B : Y\t\r\n\tZ  \r\n", b"b:Y Z\r\n"), (b"A:X\r\n", b"a:X\r\n")],
)
def test_fields_are_relaxed_as_the_standard_shows(field: bytes, canonical: bytes) -> None:
    """RFC 6376 3.4.5."""
    assert relaxed_field(field) == canonical


def test_lines_are_relaxed_as_the_standard_shows() -> None:
    """RFC 6376 3.4.5."""
    assert relaxed_lines(b" C \r\nD \t E\r\n") == b" C\r\nD E\r\n"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    return written(tmp_path / "dkim.pem", rsa.generate_private_key(65537, 2048))


def written(
    path: Path, key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey, password: bytes = b""
) -> Path:
    path.touch(mode=0o600)
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock))
    return path


def test_keys_are_read_from_files_as_openssl_writes_them(tmp_path: Path) -> None:
    for name, key in (("rsa", RSA.private), ("ed25519", ED25519.private)):
        loaded = load_key(written(tmp_path / name, key), "s", "news.test")
        assert (loaded.kind, loaded.name) == (name, "s._domainkey.news.test")
        assert loaded.record == (RSA if name == "rsa" else ED25519).record
    assert len(b64decode(ED25519.public)) == 32


def test_a_key_that_is_replaced_is_read_again(key_file: Path) -> None:
    before = load_key(key_file, "s", "news.test").public
    written(key_file, ed25519.Ed25519PrivateKey.generate())
    assert load_key(key_file, "s", "news.test").public != before


def test_a_key_that_others_may_read_is_refused(key_file: Path) -> None:
    key_file.chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_key(key_file, "s", "news.test")


def test_what_is_no_key_for_dkim_is_refused_with_a_reason(tmp_path: Path) -> None:
    text = tmp_path / "text.pem"
    text.touch(mode=0o600)
    text.write_text("nothing")
    wrong = {
        text: "is no private key",
        written(tmp_path / "locked.pem", RSA.private, b"secret"): "without a password",
        written(tmp_path / "ec.pem", ec.generate_private_key(ec.SECP256R1())): "another kind",
        tmp_path / "missing.pem": "cannot be read",
    }
    for path, reason in wrong.items():
        with pytest.raises(ConfigError, match=reason):
            load_key(path, "s", "news.test")
