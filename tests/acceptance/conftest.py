"""A site in a temporary folder, the program as its users run it, and a web server on loopback."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORPORA = ROOT.parent / "shared" / "corpora"
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


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A small site: settings, the project's own templates, and an empty folder for articles."""
    folder = tmp_path / "site"
    (folder / "articles").mkdir(parents=True)
    (folder / "config.toml").write_text(CONFIG)
    shutil.copytree(ROOT / "templates", folder / "templates")
    return folder


@pytest.fixture
def dateline(site: Path) -> Program:
    return Program(site)


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


@pytest.fixture
def corpora() -> Path:
    """The folder of real articles that lies beside the checkout."""
    if not CORPORA.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"{CORPORA} is missing")
        pytest.skip(f"the corpora of real articles are not beside this checkout ({CORPORA})")
    return CORPORA


@pytest.fixture
def served(site: Path) -> Iterator[str]:
    """The address at which the site's public folder is served while the test runs."""
    handler = functools.partial(_Quiet, directory=str(site / "public"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *words: object) -> None:
        pass
