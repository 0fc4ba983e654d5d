"""A message's pieces, written to a real server as they are, arrive as the message that was meant."""

from __future__ import annotations

import smtplib
import socket
from datetime import UTC, date, datetime
from typing import Any

import dkim
from aiosmtpd.controller import Controller
from cryptography.hazmat.primitives.asymmetric import ed25519

from newsletter.dkim import SigningKey
from newsletter.message import Letter, Recipient, Sender
from newsletter.rendering import Rendering

SLOT = "slot-0123456789abcdef01234567-unsubscribe-url"
DOTS = ".\n..\n.x\nFrom here on\n" + "." * 200 + f"\n{SLOT}\n.\n"


class Keeper:
    """An SMTP server's handler that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[str], bytes]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content))
        return "250 taken"


def test_the_pieces_and_a_lone_dot_are_all_that_a_server_needs() -> None:
    """Invariants 24 and 35: one envelope recipient, unchanged bytes, and a signature that holds behind the server."""
    key = SigningKey("news.test", "e1", ed25519.Ed25519PrivateKey.generate())
    rendering = Rendering("Dots", f"<pre>{DOTS}</pre>", DOTS, SLOT)
    letter = Letter(Sender("N", "news@news.test", "", "news.test"), "daily", "Daily", date(2026, 11, 23), rendering, [key])
    recipients = [Recipient("a", "ann@example.com", ".a" * 90, "back@news.test"), Recipient("b", "jürgen@bücher.example", "..")]
    messages = [letter.address(one, datetime.now(UTC), smtputf8=True) for one in recipients]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(Keeper(), hostname="127.0.0.1", port=port, enable_SMTPUTF8=True, decode_data=False)
    controller.start()
    try:
        with smtplib.SMTP("127.0.0.1", port) as server:
            server.ehlo()
            server.command_encoding = "utf-8"
            for message in messages:
                assert server.mail(message.sender, ["SMTPUTF8"])[0] == 250
                assert server.rcpt(message.recipient)[0] == 250
                assert server.docmd("DATA")[0] == 354
                server.send(b"".join(message.pieces) + b".\r\n")
                assert server.getreply()[0] == 250
    finally:
        controller.stop()
    assert controller.handler.got == [(one.sender, [one.recipient], one.content) for one in messages]
    for _, _, content in controller.handler.got:
        assert dkim.verify(content, dnsfunc=lambda name, timeout=5: key.record.encode())
