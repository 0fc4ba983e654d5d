"""``dateline run`` does by itself what has to be done: sends what is due and reads what came back."""

from __future__ import annotations

import mailbox
import signal
import subprocess
import time
from pathlib import Path

from acts import Moment
from publication import Publication, environment
from rogue import Rogue

NO_SUCH_USER = """\
From: MAILER-DAEMON@mx.example.com
To: {to}
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

I could not deliver it.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com

Final-Recipient: rfc822; ann@example.com
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user
--b--
"""


def test_what_came_back_is_read_without_being_asked(tmp_path: Path) -> None:
    returned = mailbox.Maildir(tmp_path / "returned")
    senders: list[str] = []
    with Rogue(tmp_path / "accepted.log") as server:
        server.plan = lambda scene: senders.append(scene.line) if scene.moment is Moment.MAIL else None
        site = Publication(tmp_path / "site", articles=1, transport=server.address, bounce_email="bounces@carrierandcable.com")
        config = site.root / "config.toml"
        config.write_text(config.read_text() + f'\n[bounces]\nsource = "{tmp_path / "returned"}"\n')
        site.publish()
        site.join("ann@example.com")
        site.send()
        returned.add(NO_SUCH_USER.format(to=senders[0].partition("<")[2].rstrip(">")))
        command = site.command("run")
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment()) as service:
            end = time.monotonic() + 30
            while "ann@" not in site.run("suppressions", "list").stdout and time.monotonic() < end:
                time.sleep(0.2)
            service.send_signal(signal.SIGTERM)
            said = service.communicate(timeout=30)[1]
        assert service.returncode == 0
    assert "ann@example.com" in site.run("suppressions", "list").stdout, said
    assert "read bounces: 1 suppressed" in said
