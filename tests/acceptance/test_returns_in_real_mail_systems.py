"""A real Postfix bounces, a real Dovecot keeps: what comes back is found there and acted on."""

from __future__ import annotations

import json
import os
import smtplib
import sqlite3
from pathlib import Path

import pytest
from mail_systems import dovecot, postfix, wait_for
from programs import Program
from returns import SAMPLES

from newsletter.return_path import ReturnPaths

KEY = "a key of this test alone"
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="starting mail servers needs root")


@pytest.fixture
def dateline(dateline: Program) -> Program:
    dateline.environment["DATELINE_NEWSLETTER__SECRET_KEY"] = KEY
    return dateline


def return_path(dateline: Program, email: str) -> str:
    with sqlite3.connect(dateline.site / "dateline.db") as database:
        ((public_id,),) = database.execute("SELECT public_id FROM subscribers WHERE email = ?", (email,))
    return ReturnPaths(KEY, "bounces@news.test").address(public_id, 1)


def states(dateline: Program) -> dict[str, str]:
    return {one["email"]: one["state"] for one in json.loads(dateline("--json", "subscribers", "list").stdout)}


def new(folder: Path) -> list[Path]:
    return list((folder / "new").iterdir()) if (folder / "new").is_dir() else []


def test_postfix_bounces_an_unknown_user_who_is_then_suppressed(dateline: Program) -> None:
    """Invariant 7."""
    members = ("ann@member.test", "nobody-here@member.test")
    for member in members:
        dateline("subscribers", "add", member, "--confirmed")
    with postfix("ann@member.test", "bounces@news.test") as server:
        with smtplib.SMTP("127.0.0.1", server.port, timeout=20) as wire:
            for member in members:
                message = f"From: newsletter@news.test\r\nTo: {member}\r\nSubject: Daily\r\n\r\nNews.\r\n"
                wire.sendmail(return_path(dateline, member), [member], message)
        bounces, ann = server.box("bounces@news.test"), server.box("ann@member.test")
        assert wait_for(lambda: bool(new(bounces) and new(ann))), (server.root / "log").read_text()
        assert f"Return-Path: <{return_path(dateline, members[0])}>" in new(ann)[0].read_text()
        run = json.loads(dateline("--json", "bounces", "process", bounces).stdout)
        assert run["outcomes"] == {"suppressed: hard bounce": 1}
        assert run["notable"][0]["email"] == members[1] and run["notable"][0]["code"] == "5.1.1"
        assert new(bounces) == [] and len(list((bounces / ".Processed" / "cur").iterdir())) == 1
    assert states(dateline) == {members[0]: "confirmed", members[1]: "suppressed"}


def sample(dateline: Program, name: str, email: str) -> bytes:
    text = (SAMPLES / f"{name}.eml").read_text("utf-8")
    return text.replace("@RETURN_PATH@", return_path(dateline, email)).replace("@ADDRESS@", email).encode("utf-8")


MOVES = ""
UIDPLUS = "imap_capability = IMAP4rev1 UIDPLUS"
NEITHER = "imap_capability = IMAP4rev1"


@pytest.mark.parametrize(
    ("scheme", "more"),
    [("imaps", MOVES), ("imap", UIDPLUS), ("imaps", NEITHER)],
    ids=["imaps-move", "starttls-uidplus", "imaps-neither"],
)
def test_bounces_in_an_imap_folder_are_taken_and_moved(dateline: Program, scheme: str, more: str) -> None:
    import imaplib
    import ssl

    for email in ("a@member.test", "b@member.test"):
        dateline("subscribers", "add", email, "--confirmed")
    names = {
        "postfix-user-unknown": "a@member.test",
        "vacation-gmail": "b@member.test",
        "letter-from-a-reader": "b@member.test",
    }
    with dovecot(more) as server:
        context = ssl.create_default_context(cafile=str(server.ca_file))
        mail = imaplib.IMAP4_SSL("127.0.0.1", server.port, ssl_context=context)
        mail.login("news", "let-me-in")
        for name, email in names.items():
            mail.append("INBOX", "", "", sample(dateline, name, email).replace(b"\n", b"\r\n"))  # type: ignore[arg-type]
        settings = {"DATELINE_NEWSLETTER__CA_FILE": str(server.ca_file), "DATELINE_BOUNCES__IMAP_PASSWORD": "let-me-in"}
        port = server.port if scheme == "imaps" else server.starttls_port
        at = f"{scheme}://news@127.0.0.1:{port}/INBOX"
        run = json.loads(dateline("--json", "bounces", "process", at, **settings).stdout)
        assert run["outcomes"] == {"suppressed: hard bounce": 1, "nothing to act on": 1, "set aside": 1}
        assert states(dateline) == {"a@member.test": "suppressed", "b@member.test": "confirmed"}
        assert json.loads(dateline("--json", "bounces", "process", at, **settings).stdout)["messages"] == 0
        held = {"INBOX": 0, "INBOX.Processed": 2, "INBOX.Set-aside": 1} if more != NEITHER else {"INBOX": 3}
        for folder, number in held.items():
            assert mail.select(f'"{folder}"', readonly=True)[1] == [str(number).encode()], (server.root / "log").read_text()
        mail.logout()


def test_a_server_that_cannot_be_trusted_never_sees_the_password(dateline: Program) -> None:
    """Invariant 10, for reading."""
    with dovecot() as server:
        for scheme, port in (("imaps", server.port), ("imap", server.starttls_port)):
            at = f"{scheme}://news@127.0.0.1:{port}/INBOX"
            told = dateline("bounces", "process", at, code=1, DATELINE_BOUNCES__IMAP_PASSWORD="let-me-in").stderr
            assert "TLS failed" in told and "let-me-in" not in told
        settings = {"DATELINE_NEWSLETTER__CA_FILE": str(server.ca_file), "DATELINE_BOUNCES__IMAP_PASSWORD": "wrong-one"}
        told = dateline("bounces", "process", f"imaps://news@127.0.0.1:{server.port}/INBOX", code=1, **settings).stderr
        assert "uthentication failed" in told and "wrong-one" not in told
        settings["DATELINE_BOUNCES__IMAP_PASSWORD"] = "let-me-in"
        told = dateline("bounces", "process", f"imaps://news@127.0.0.1:{server.port}/Nowhere", code=1, **settings).stderr
        assert "Nowhere" in told
