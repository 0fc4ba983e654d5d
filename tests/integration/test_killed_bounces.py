"""A reader of bounces that is killed at any moment loses no message and counts none twice (invariants 15 and 42)."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

from mailroom import ROOT
from returns import NOW, Returns
from sqlalchemy import select, text

from content.database import reading, writing
from dateline.store import open_store
from newsletter.mailboxes import Maildir
from newsletter.processing import process
from newsletter.subscribers import Standing, Subscribers
from newsletter.tables import subscribers

MEMBERS, KILLS = 600, 15

PROGRAM = f"""
import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT / "tests")!r})
from returns import KEY, NOW
from dateline.store import open_store
from newsletter.bounces import Bounces
from newsletter.mailboxes import Maildir
from newsletter.processing import process
from newsletter.return_path import ReturnPaths
from newsletter.settings import BounceSettings
from newsletter.tokens import Tokens
from newsletter.whom import Marks
folder = Path(sys.argv[1])
marks = Marks(ReturnPaths(KEY, "bounces@news.test"), Tokens(KEY), "https://news.test/unsubscribe/", "", "news.test")
taker = Bounces(open_store(folder / "dateline.db"), KEY, BounceSettings(), marks)
print("ready", flush=True)
process(taker, Maildir(folder / "bounces"), lambda: NOW)
"""


def test_killed_at_random_moments_it_settles_each_message_once(tmp_path: Path) -> None:
    returns = Returns(open_store(tmp_path / "dateline.db"))
    with writing(returns.engine) as connection:
        members = Subscribers(connection)
        for number in range(MEMBERS):
            members.join(f"m{number}@member.test", origin="test", now=NOW, confirmed=True)
        rows = connection.execute(select(subscribers.c.email, subscribers.c.public_id).where(subscribers.c.id > 2)).all()
    maildir = Maildir(tmp_path / "bounces")
    kinds = ("postfix-user-unknown", "postfix-mailbox-full", "letter-from-a-reader")
    for number, (email, public_id) in enumerate(rows):
        mark = {"@RETURN_PATH@": returns.return_paths.address(public_id, 31), "@ADDRESS@": email}
        maildir.deliver(returns.sample(kinds[number % 3], **mark))
    killed = 0
    for _ in range(KILLS):
        command = [sys.executable, "-c", PROGRAM, str(tmp_path)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, env=os.environ | {"PYTHONPATH": ""}) as reader:
            assert reader.stdout
            reader.stdout.readline()
            time.sleep(random.uniform(0.0, 0.15))
            if reader.poll() is None:
                reader.send_signal(signal.SIGKILL)
                killed += 1
        with reading(returns.engine) as connection:
            assert connection.execute(text("PRAGMA integrity_check")).scalar() == "ok"
    left = len(list((maildir.folder / "new").iterdir()))
    process(returns.bounces, maildir, lambda: NOW)
    filed = [len(list((maildir.folder / name / "cur").iterdir())) for name in (".Processed", ".Set-aside")]
    with reading(returns.engine) as connection:
        standings = Subscribers(connection).count()
    print(f"{killed} kills, {left} messages left after them; filed {filed}, counted {returns.counted()}, {standings}")
    third = MEMBERS // 3
    assert killed and filed == [2 * third, third]
    assert returns.counted() == third
    assert standings == {Standing.SUPPRESSED: third, Standing.CONFIRMED: 2 * third + 2}
    assert len(returns.suppressions(lifted=True)) == third
