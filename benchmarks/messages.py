"""How fast one recipient's message is put together and signed, against Python's EmailMessage and dkimpy, in one run.

The message is a digest of 59 kB with the recipient's link in text and HTML. EmailMessage gets what every program has that
renders once and mails many: the texts with the link put in. dkimpy signs the finished message with the same keys.

``python benchmarks/messages.py [ROUNDS]`` prints microseconds of processor time a message and the ratios with their spread.
Machines are noisy: read the ratios.
"""

from __future__ import annotations

import statistics
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from email.message import EmailMessage
from email.utils import format_datetime

import dkim
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from newsletter.dkim import SigningKey
from newsletter.message import Letter, Recipient, Sender
from newsletter.rendering import Rendering

SLOT = "slot-0123456789abcdef01234567-unsubscribe-url"
TEXT = "The ministry said on Wednesday that foreign firms may own\ndata centres in four areas.\n\n" * 60 + f"Leave: {SLOT}\n"
STORY = (
    '<p class="txt" style="margin:7px 0 0;font:400 16px/24px Georgia,serif;color:#333331">Foreign firms may own data centres '
    "outright in a pilot that starts in January – the regulator’s four areas are first.</p>\n"
)
HTML = STORY * 222 + f'<a href="{SLOT}">Unsubscribe</a>\n'
SENDER = Sender("The News", "news@news.example", "", "news.example", "leave@news.example")
HEADERS = [b"from", b"to", b"subject", b"date", b"message-id", b"list-unsubscribe", b"list-unsubscribe-post"]


def main(rounds: int = 5) -> None:
    recipients = [
        Recipient(f"{number:024x}", f"member{number}@example.com", f"https://news.example/unsubscribe/{'x' * 60}{number}")
        for number in range(2000)
    ]
    rsa_key, ed_key = rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()
    plain, by_rsa, by_ed = (
        letter(keys) for keys in ((), (SigningKey("news.example", "r", rsa_key),), (SigningKey("news.example", "e", ed_key),))
    )
    whole = plain.address(recipients[0], datetime.now(UTC)).content
    pem = rsa_key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    seed = b64encode(ed_key.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))
    print(f"a message of {len(whole) / 1000:.0f} kB, microseconds of processor time")
    compare("put together; EmailMessage", recipients, 100, addressed(plain), email_message, rounds)
    compare("signed by RSA-2048; dkimpy", recipients, 20, addressed(by_rsa), dkimpy(whole, pem, b"rsa-sha256"), rounds)
    compare("signed by Ed25519; dkimpy", recipients, 20, addressed(by_ed), dkimpy(whole, seed, b"ed25519-sha256"), rounds)


def letter(keys: Sequence[SigningKey]) -> Letter:
    return Letter(SENDER, "daily", "Daily", date(2026, 11, 23), Rendering("Daily: four areas", HTML, TEXT, SLOT), keys)


def addressed(made: Letter) -> Callable[[Recipient], object]:
    return lambda recipient: made.address(recipient, datetime.now(UTC))


def email_message(recipient: Recipient) -> bytes:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "The News <news@news.example>", recipient.email, "Daily: four areas"
    message["Date"], message["Message-ID"] = format_datetime(datetime.now(UTC)), f"<{recipient.public_id}@news.example>"
    message["List-Unsubscribe"] = f"<{recipient.unsubscribe_url}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(TEXT.replace(SLOT, recipient.unsubscribe_url))
    message.add_alternative(HTML.replace(SLOT, recipient.unsubscribe_url), subtype="html")
    return message.as_bytes()


def dkimpy(whole: bytes, key: bytes, algorithm: bytes) -> Callable[[Recipient], object]:
    """It is given the finished message: the time for making it is not counted against it."""
    relaxed = (b"relaxed", b"relaxed")

    def sign(recipient: Recipient) -> bytes:
        return dkim.sign(whole, b"s", b"news.example", key, None, relaxed, algorithm, HEADERS)  # type: ignore[no-any-return]

    return sign


Work = Callable[[Recipient], object]


def compare(what: str, recipients: Sequence[Recipient], few: int, ours: Work, peer: Work, rounds: int) -> None:
    mine, theirs = [], []
    for _ in range(rounds):
        mine.append(timed(ours, recipients))
        theirs.append(timed(peer, recipients[:few]))
    ratios = [their / own for own, their in zip(mine, theirs, strict=True)]
    own, their, ratio = (statistics.median(numbers) for numbers in (mine, theirs, ratios))
    print(f"{what:28} {own:6.1f} ({1e6 / own:,.0f} a second); peer {their:7.1f}; ", end="")
    print(f"ratio {ratio:.1f} (spread {min(ratios):.1f} to {max(ratios):.1f})")


def timed(work: Callable[[Recipient], object], recipients: Sequence[Recipient]) -> float:
    begun = time.process_time()
    for recipient in recipients:
        work(recipient)
    return (time.process_time() - begun) / len(recipients) * 1e6


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
