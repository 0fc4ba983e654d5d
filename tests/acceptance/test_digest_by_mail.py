"""The digest leaves through real SMTP servers and arrives whole, once, and readable."""

from __future__ import annotations

import email
import email.policy
import json
import re
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from programs import PROGRAM, Program, need, write_article


class Mailbox:
    """An SMTP server's handler that keeps what it gets."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, EmailMessage]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append((envelope.rcpt_tos[0], message))
        return "250 taken"


@pytest.fixture
def server() -> Iterator[Controller]:
    controller = Controller(Mailbox(), hostname="127.0.0.1", port=free_port())
    controller.start()
    yield controller
    controller.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def transport(server: Controller) -> dict[str, str]:
    return {"DATELINE_NEWSLETTER__TRANSPORT": f"smtp://127.0.0.1:{server.port}"}


def publish_some(dateline: Program, site: Path) -> None:
    write_article(site, "2026-11-02-first.md", title="'Ministry opens “four areas” & more'", regions="[CN, CN-BJ]")
    write_article(site, "2026-11-03-second.md", title="=?utf-8?q?a=0D=0ABcc:_v@x.test?=", region="India")
    dateline("publish")


def test_the_digest_arrives_with_both_parts_and_a_link_for_leaving(dateline: Program, site: Path, server: Controller) -> None:
    publish_some(dateline, site)
    for address in ("ann@example.com", "bob@example.net", "cy@bücher.example"):
        dateline("subscribers", "add", address, "--confirmed")
    dateline("subscribers", "add", "waiting@example.com")
    done = dateline("digest", "send", "daily", **transport(server))
    assert "3 sent" in done.stdout
    got = server.handler.messages
    assert sorted(to for to, _ in got) == ["ann@example.com", "bob@example.net", "cy@xn--bcher-kva.example"]
    assert len({message["Message-ID"] for _, message in got}) == 3
    for to, message in got:
        assert message.get_content_type() == "multipart/alternative"
        text, html = message.get_body(["plain"]), message.get_body(["html"])
        assert text and html
        assert message["To"] == to
        assert message["Bcc"] is None
        assert "=?utf-8?q?a=0D=0ABcc:_v@x.test?=" in message["Subject"]
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        link = re.fullmatch(r"<(https://news\.test/unsubscribe/[\w.\-]+)>", message["List-Unsubscribe"])
        assert link and link[1] in text.get_content() and link[1] in html.get_content()
        for name in ("Date", "From", "Reply-To", "List-Id", "Message-ID", "Subject"):
            assert len(message.get_all(name)) == 1
        assert "Ministry opens “four areas” & more" in text.get_content()
        assert "1 Test Street" in text.get_content()


def test_a_second_send_sends_to_nobody(dateline: Program, site: Path, server: Controller) -> None:
    """Invariant 34."""
    publish_some(dateline, site)
    dateline("subscribers", "add", "ann@example.com", "--confirmed")
    dateline("digest", "send", "daily", **transport(server))
    told = json.loads(dateline("digest", "send", "daily", "--json", **transport(server)).stdout)
    assert told["sent_now"] == 0
    assert len(server.handler.messages) == 1


def test_a_test_message_is_no_edition(dateline: Program, site: Path, server: Controller) -> None:
    publish_some(dateline, site)
    dateline("digest", "send", "daily", "--test-to", "editor@example.com", **transport(server))
    assert server.handler.messages[0][1]["Subject"].startswith("[Test] ")
    assert json.loads(dateline("digest", "list", "--json").stdout)[0]["last_edition"] is None


def test_preview_opens_no_connection(dateline: Program, site: Path, tmp_path: Path) -> None:
    """Invariant 32: the transport named here would refuse."""
    publish_some(dateline, site)
    html, text, eml = tmp_path / "d.html", tmp_path / "d.txt", tmp_path / "d.eml"
    dateline("digest", "preview", "daily", "--html", html, "--text", text, "--eml", eml,
             DATELINE_NEWSLETTER__TRANSPORT="smtp://127.0.0.1:1")  # fmt: skip
    assert html.read_text("utf-8").lstrip().lower().startswith("<!doctype html>")
    assert "Ministry opens" in text.read_text("utf-8")
    message = email.message_from_bytes(eml.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert message.get_body(["html"]).get_content().replace("\r\n", "\n").strip() == html.read_text("utf-8").strip()


def test_a_server_that_is_away_loses_nobody(dateline: Program, site: Path, server: Controller) -> None:
    publish_some(dateline, site)
    dateline("subscribers", "add", "ann@example.com", "--confirmed")
    away = dateline("digest", "send", "daily", code=1, DATELINE_NEWSLETTER__TRANSPORT="smtp://127.0.0.1:1")
    assert "cannot connect" in away.stderr
    dateline("digest", "send", "daily", **transport(server))
    assert [to for to, _ in server.handler.messages] == ["ann@example.com"]


def test_members_get_the_news_of_their_regions(dateline: Program, site: Path, server: Controller) -> None:
    publish_some(dateline, site)
    dateline("subscribers", "add", "all@example.com", "--confirmed")
    dateline("subscribers", "add", "china@example.com", "--confirmed", "--region", "CN")
    dateline("subscribers", "add", "chile@example.com", "--confirmed", "--region", "CL")
    dateline("digest", "send", "daily", **transport(server))
    texts = {to: message.get_body(["plain"]).get_content() for to, message in server.handler.messages}
    assert set(texts) == {"all@example.com", "china@example.com"}
    assert "Bcc" in texts["all@example.com"] and "Bcc" not in texts["china@example.com"]


def test_explain_gives_each_article_a_reason(dateline: Program, site: Path) -> None:
    publish_some(dateline, site)
    write_article(site, "draft.md", title="Not yet", draft="true")
    dateline("publish")
    told = {row["title"]: row for row in json.loads(dateline("digest", "explain", "daily", "--json").stdout)}
    assert told["Not yet"]["included"] is False and "draft" in told["Not yet"]["reason"]
    assert told["Ministry opens “four areas” & more"]["included"] is True


def test_smtp_sink_takes_two_thousand_and_every_message_id_is_its_own(dateline: Program, site: Path, tmp_path: Path) -> None:
    sink = need("smtp-sink")
    publish_some(dateline, site)
    addresses = "".join(f"member{number}@example.com\n" for number in range(2000))
    (tmp_path / "members.csv").write_text("email\n" + addresses)
    dateline("subscribers", "import", tmp_path / "members.csv", "--confirmed")
    port, dump = free_port(), tmp_path / "dump"
    dump.mkdir(mode=0o777)
    # -d: a file for each message; a user that root may become.
    command = [sink, "-u", "nobody", "-d", "m.", f"127.0.0.1:{port}", "64"]
    tmp_path.chmod(0o755)
    dump.chmod(0o777)
    with subprocess.Popen(command, cwd=dump) as process:
        try:
            time.sleep(1)
            told = json.loads(dateline("digest", "send", "daily", "--json",
                                       DATELINE_NEWSLETTER__TRANSPORT=f"smtp://127.0.0.1:{port}").stdout)  # fmt: skip
        finally:
            process.terminate()
            process.wait(timeout=10)
    assert (told["sent_now"], told["finished"], told["balance"]) == (2000, True, {"sent": 2000})
    ids, recipients = set(), set()
    for path in dump.iterdir():
        message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        ids.add(message["Message-ID"])
        recipients.add(message["To"])
    assert (len(ids), len(recipients)) == (2000, 2000)


def test_run_sends_what_is_due_and_stops_on_sigterm(dateline: Program, site: Path, server: Controller) -> None:
    """Invariant 33."""
    publish_some(dateline, site)
    dateline("subscribers", "add", "ann@example.com", "--confirmed")
    config = site / "config.toml"
    # Due at every minute: whenever the test runs, an edition of today is late by less than its window.
    config.write_text(config.read_text().replace('cron = "0 7 * * *"', 'cron = "* * * * *"'))
    environment = dateline.environment | transport(server)
    with subprocess.Popen([PROGRAM, "--site", site, "run"], env=environment, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not server.handler.messages and time.monotonic() < deadline:
            time.sleep(0.1)
        process.send_signal(signal.SIGTERM)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 0, told
    assert [to for to, _ in server.handler.messages] == ["ann@example.com"]
    assert "Traceback" not in told
    again = json.loads(dateline("digest", "send", "daily", "--json", **transport(server)).stdout)
    assert again["sent_now"] == 0


def test_a_key_that_is_lost_is_not_replaced_once_messages_are_out(dateline: Program, site: Path) -> None:
    """Invariant 20: their links for leaving work for ever."""
    publish_some(dateline, site)
    dateline("subscribers", "add", "ann@example.com", "--confirmed")
    dateline("digest", "send", "daily")
    (site / "dateline.key").unlink()
    refused = dateline("digest", "preview", "daily", code=2)
    assert "restore it from your backup" in refused.stderr
    assert not (site / "dateline.key").exists()
    (site / "dateline.key").write_text("another secret, long enough\n")
    dateline("digest", "preview", "daily")


def test_the_demonstration_leaves_a_site_with_members_alone(dateline: Program, site: Path) -> None:
    publish_some(dateline, site)
    dateline("subscribers", "add", "ann@example.com", "--confirmed")
    assert "this site has members" in dateline("demo", code=2).stderr
    assert json.loads(dateline("subscribers", "list", "--json").stdout)[0]["email"] == "ann@example.com"
