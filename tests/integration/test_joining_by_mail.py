"""The mail that asks for confirmation, through a real SMTP server: what is on the wire, how often, and what it looks like."""

from __future__ import annotations

import email
import email.policy
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from mailroom import Server
from reception_desk import ROOT, ReceptionDesk, token_in

from newsletter.joining import Answer, Result
from newsletter.tables import pending_mails


class Mailbox(Server):
    """A server that keeps what it takes, byte for byte."""

    def __init__(self) -> None:
        super().__init__()
        self.contents: list[bytes] = []
        self.recipients: list[list[str]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        reply = await super().handle_DATA(server, session, envelope)
        if reply.startswith(("250", "drop")):
            self.contents.append(envelope.content)
            self.recipients.append(envelope.rcpt_tos)
        return reply

    def mail(self) -> EmailMessage:
        (only,) = self.contents
        message = email.message_from_bytes(only, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message


@pytest.fixture
def server() -> Iterator[Mailbox]:
    handler = Mailbox()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    handler.address = f"smtp://127.0.0.1:{port}"
    yield handler
    controller.stop()


@pytest.fixture
def desk(tmp_path: Path, server: Mailbox) -> ReceptionDesk:
    return ReceptionDesk(tmp_path, transport=server.address, joins_per_network=100_000, joins_per_hour=100_000)


def client(number: int) -> str:
    """An address in a network of its own."""
    return f"{10 + number // 65536}.{number // 256 % 256}.{number % 256}.9"


def test_a_stranger_joins_by_mail(desk: ReceptionDesk, server: Mailbox) -> None:
    assert desk.ask("ann@bücher.example") is Answer.TAKEN and desk.send() == 1
    assert server.taken == ["ann@xn--bcher-kva.example"]
    assert desk.confirm(token_in(server.mail())).result is Result.JOINED
    assert desk.standing("ann@bücher.example") == "confirmed"


def test_the_header_on_the_wire_has_these_fields_and_no_others(desk: ReceptionDesk, server: Mailbox) -> None:
    """Invariant 35, on the bytes."""
    desk.ask("ann@x.test", page="https://news.test/a%0d%0aBcc:%20bob@x.test", regions=("CN",))
    desk.send()
    head = server.contents[0].replace(b"\r\n", b"\n").partition(b"\n\n")[0].decode("ascii")
    names = [line.partition(":")[0] for line in head.split("\n") if not line.startswith(" ")]
    assert names == [
        "To", "Date", "Message-ID", "From", "Reply-To", "Subject", "Auto-Submitted", "MIME-Version", "Content-Type",
    ]  # fmt: skip
    assert server.recipients == [["ann@x.test"]] and b"bob" not in server.contents[0]
    mail = server.mail()
    assert mail["Auto-Submitted"] == "auto-generated" and mail["From"] == "The Daily Test <newsletter@news.test>"


def test_both_parts_can_be_read_and_lead_to_the_same_place(desk: ReceptionDesk, server: Mailbox) -> None:
    desk.ask("ann@x.test")
    desk.send()
    mail = server.mail()
    html = mail.get_body(["html"])
    assert html and f"/join/confirm/{token_in(mail)}" in html.get_content()
    assert max(map(len, server.contents[0].splitlines())) <= 78


def test_a_mail_is_signed_where_the_digest_is(tmp_path: Path, desk: ReceptionDesk, server: Mailbox) -> None:
    from base64 import b64encode

    import dkim
    from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    key = generate_private_key(65537, 2048)
    (tmp_path / "dkim.pem").touch(mode=0o600)
    (tmp_path / "dkim.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    desk.forget_settings(dkim=[{"selector": "news", "key_file": "dkim.pem"}])
    desk.ask("ann@x.test")
    desk.send()
    record = b"v=DKIM1; k=rsa; p=" + b64encode(public)
    assert dkim.verify(server.contents[0], dnsfunc=lambda name, timeout=5: record)
    broken = server.contents[0].replace(b"Please confirm", b"Please, confirm")
    assert not dkim.verify(broken, dnsfunc=lambda name, timeout=5: record)


def test_ten_thousand_sign_ups_for_one_address_from_everywhere_lead_to_one_mail(desk: ReceptionDesk, server: Mailbox) -> None:
    """Invariant 21."""
    driver = desk.reception.engine.raw_connection()
    # What is asked here is how many mails there are, not whether they outlive a power cut.
    driver.cursor().execute("PRAGMA synchronous = OFF")
    driver.close()
    started = desk.now
    spellings = [
        "victim@gmail.com",
        "v.i.ctim@gmail.com",
        "victim+{}@gmail.com",
        "VICTIM@GoogleMail.com",
        "vic.tim+{}@googlemail.com",
    ]
    for number in range(10_000):
        assert desk.ask(spellings[number % 5].format(number), client=client(number)) is Answer.TAKEN
        if number % 1000 == 0:
            desk.send()
        desk.later(seconds=8)
    assert desk.now - started < timedelta(days=1)
    desk.send()
    assert len(server.contents) == 1 and desk.count(pending_mails) == 0


def test_a_greylisted_mail_arrives_later_and_once(desk: ReceptionDesk, server: Mailbox) -> None:
    """Invariant 6."""
    server.plan["ann@x.test"] = ["451 4.7.1 greylisted", "421 4.3.2 closing"]
    desk.ask("ann@x.test")
    assert desk.send() == 0 and desk.send() == 0
    for _ in range(4):
        desk.later(minutes=20)
        desk.send()
    assert server.taken == ["ann@x.test"] and desk.count(pending_mails) == 0


def test_a_lost_reply_makes_one_double_at_most_and_under_the_same_message_id(desk: ReceptionDesk, server: Mailbox) -> None:
    """Invariants 2 and 3."""
    server.plan["ann@x.test"] = ["drop", "drop", "drop"]
    desk.ask("ann@x.test")
    for _ in range(5):
        desk.send()
        desk.later(hours=1)
    assert len(server.ids) == 2 and len(set(server.ids)) == 1 and desk.count(pending_mails) == 0


def test_many_are_sent_in_one_go(desk: ReceptionDesk, server: Mailbox) -> None:
    for number in range(60):
        desk.ask(f"m{number}@x.test")
    assert desk.send() == 60 and sorted(server.taken) == sorted(f"m{number}@x.test" for number in range(60))


@pytest.mark.parametrize(("scheme", "width"), [("light", 1000), ("light", 360), ("dark", 1000), ("dark", 360)])
def test_the_mail_fits_every_screen_and_can_be_read_in_every_light(
    desk: ReceptionDesk, server: Mailbox, scheme: str, width: int
) -> None:  # fmt: skip
    """In Chromium: nothing sticks out sideways, and axe finds no fault (contrast, names of links, headings)."""
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    desk.ask("ann@x.test")
    desk.send()
    html = server.mail().get_body(["html"])
    assert html
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 900})
        page.set_content(html.get_content())
        wide = page.evaluate("document.documentElement.scrollWidth")
        # The rules about landmarks are for pages of a site; what a mail program shows around a mail has them.
        found = Axe().run(page, options={"rules": {"region": {"enabled": False}, "landmark-one-main": {"enabled": False}}})
        browser.close()
    assert wide <= width
    assert found.response["violations"] == [], found.generate_report()


_ASKING = """
import sys
from pathlib import Path
from reception_desk import ReceptionDesk
desk = ReceptionDesk(Path(sys.argv[1]), joins_per_network=100_000, joins_per_hour=100_000)
for number in range(100_000):
    assert desk.ask(f"m{number}@x.test").value == "taken"
    print(number, flush=True)
"""


def test_a_request_that_was_answered_outlives_a_kill(desk: ReceptionDesk, server: Mailbox, tmp_path: Path) -> None:
    """Invariants 1 and 42: everybody who was told to look into their mailbox gets the mail, and nobody twice."""
    answered: list[str] = []
    for _ in range(3):
        path = os.pathsep.join([str(ROOT / "tests"), str(ROOT)])
        asking = subprocess.Popen(
            [sys.executable, "-c", _ASKING, tmp_path], stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": path}
        )
        assert asking.stdout
        answered += [asking.stdout.readline() for _ in range(40)]
        asking.kill()
        answered += asking.stdout.readlines()
        asking.wait()
    with desk.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar() == "ok"
    desk.later(seconds=1)
    desk.send()
    # The same addresses are asked for in each turn: one mail each.
    expected = {f"m{int(number)}@x.test" for number in answered if number.strip()}
    assert len(answered) >= 120 and expected <= set(server.taken) and len(server.taken) == len(set(server.taken))
