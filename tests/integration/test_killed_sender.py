"""A sender that is killed at any moment loses nobody (invariants 1 and 2)."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from mailroom import ROOT, Desk, Server

from content.database import reading
from newsletter.ledger import Ledger

MEMBERS, KILLS = 400, 12

PROGRAM = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(Path(__file__).parent)!r})
from mailroom import Desk, Server
from content.database import reading
from newsletter.ledger import Ledger
server = Server()
server.address = sys.argv[2]
desk = Desk(Path(sys.argv[1]), server)
with reading(desk.press.engine) as connection:
    editions = Ledger(connection).unfinished("daily", desk.now)
print("ready", flush=True)
for edition in editions:
    desk.send(edition)
"""


def test_nobody_is_missed_and_at_most_one_a_connection_is_doubled_a_kill(desk: Desk, server: Server, tmp_path: Path) -> None:
    members = [f"m{number}@example.com" for number in range(MEMBERS)]
    desk.join(*members)
    edition = desk.edition()
    command = [sys.executable, "-c", PROGRAM, str(tmp_path), server.address]  # type: ignore[attr-defined]
    killed = 0
    for _ in range(KILLS):
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": ""}) as sender:
            assert sender.stdout
            sender.stdout.readline()
            time.sleep(random.uniform(0.0, 0.12))
            if sender.poll() is None:
                sender.send_signal(signal.SIGKILL)
                killed += 1
    with reading(desk.press.engine) as connection:
        unfinished = Ledger(connection).unfinished("daily", desk.now)
    if unfinished:
        assert desk.send(edition).finished
    copies = Counter(server.taken)
    doubled = sum(number - 1 for number in copies.values())
    print(f"{killed} kills, {len(members) - len(copies)} missed, {doubled} doubled")
    assert set(copies) == set(members)
    assert max(copies.values()) <= 2
    assert doubled <= killed * desk.press.newsletter.connections
    assert len(set(server.ids)) == MEMBERS
