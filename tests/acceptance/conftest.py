"""A site in a temporary folder, and a web server on loopback."""

from __future__ import annotations

import functools
import http.server
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from programs import CONFIG, ROOT, Program, need

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CORPORA = ROOT.parent / "shared" / "corpora"


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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=need("chromium"), args=["--no-sandbox"])
        yield opened
        opened.close()


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
