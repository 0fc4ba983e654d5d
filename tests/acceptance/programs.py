"""The program as its users run it, and what its tests need to set the scene."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).parent / "dateline"


class Program:
    """``dateline`` as a subprocess, in a folder, with nothing of our environment but the path."""

    def __init__(self, site: Path) -> None:
        self.site = site
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("DATELINE_")}

    def __call__(self, *words: object, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [PROGRAM, "--site", self.site, *map(str, words)], capture_output=True, text=True, timeout=120,
            env=self.environment | environment, check=False,
        )  # fmt: skip
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == code, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done


CONFIG = """\
[site]
title = "The Daily Test"
url = "https://news.test"
owned_since = 2026-01-01
timezone = "Europe/Berlin"

[newsletter]
postal_address = "1 Test Street"

[[digest]]
name = "daily"
title = "Daily"
cron = "0 7 * * *"
"""


def write_article(site: Path, name: str = "2026-11-02-first.md", **fields: str) -> Path:
    """An article file with front matter; ``body`` is its text."""
    body = fields.pop("body", "The news is here. It is short and it is good, and it goes on for a second sentence.")
    front = "\n".join(f"{key}: {value}" for key, value in ({"title": "First news"} | fields).items())
    path = site / "articles" / name
    path.write_text(f"---\n{front}\n---\n{body}\n")
    return path


def need(program: str) -> str:
    """The path of a program; without it the test is skipped, but fails in CI."""
    found = shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        message = f"{program} is not installed (`make test` as root on Debian installs it)"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return found


def wait_until_served(port: int) -> None:
    """Waits until something listens on a port of this machine."""
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise AssertionError("the site is not served")
