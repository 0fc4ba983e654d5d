"""Tables in a terminal of 80 columns, as an operator has it."""

from __future__ import annotations

import os
import pty
import subprocess
from pathlib import Path

import pytest
from programs import PROGRAM, Program, write_article

DIGESTS = """
[[digest]]
name = "asia-weekly"
title = "Carrier & Cable: the Week in Asia"
cron = "0 9 * * fri"
timezone = "Asia/Singapore"
regions = ["CN", "IN", "JP", "ID", "MY", "PH", "SG", "VN"]

[[digest]]
name = "policy-monthly"
title = "Policy and Regulation, Month by Month, for Everybody Who Has to Know of It"
cron = "30 6 1 * *"
sections = ["Policy"]
regions = ["GB", "US"]
"""


def in_terminal(site: Path, *words: str, columns: int = 80) -> list[str]:
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": str(columns), "TERM": "dumb", "NO_COLOR": "1"}
    done = subprocess.run([PROGRAM, "--site", site, *words], stdout=theirs, env=environment, timeout=120, check=True)
    os.close(theirs)
    assert done.returncode == 0
    said = b""
    try:
        while piece := os.read(ours, 1 << 16):
            said += piece
    except OSError:
        pass  # Linux says so that nobody writes any more.
    os.close(ours)
    return [line.rstrip() for line in said.decode().splitlines() if line.strip()]


@pytest.mark.parametrize("sent", [False, True])
def test_a_digest_takes_at_most_two_lines_of_the_list(site: Path, dateline: Program, sent: bool) -> None:
    with (site / "config.toml").open("a") as file:
        file.write(DIGESTS)
    if sent:
        write_article(site, section="Policy", region="China")
        dateline("publish")
        dateline("subscribers", "add", "reader@example.com", "--confirmed")
        for name in ("daily", "asia-weekly"):
            dateline("digest", "send", name)
    lines = in_terminal(site, "digest", "list")[2:]
    assert max(map(len, lines)) <= 80
    starts = [number for number, line in enumerate(lines) if line.split()[0] in ("daily", "asia-weekly", "policy-monthly")]
    assert len(starts) == 3
    heights = [end - start for start, end in zip(starts, [*starts[1:], len(lines)], strict=True)]
    assert max(heights) <= 2, "\n".join(lines)
    assert "China, India" in " ".join(lines) and "+6" in " ".join(lines) and "everything" in " ".join(lines)
    assert "(sent)" in " ".join(lines) if sent else "(sent)" not in " ".join(lines)
