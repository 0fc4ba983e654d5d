"""Who is asking, which form is read, what the log may keep: the parts of the web by themselves."""

from __future__ import annotations

import shutil
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from content.settings import SiteSettings
from content.templates import TemplateProblem
from dateline.config import Settings
from dateline.site import defaults
from dateline.web.access import shown_path
from dateline.web.choices import region_tree
from dateline.web.pages import Pages
from dateline.web.rehearsal import rehearse
from dateline.web.server import server
from dateline.web.settings import ServeSettings
from newsletter.settings import DigestSettings

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    request = Request(scope, receive)
    client = request.client.host if request.client else ""
    await PlainTextResponse(f"{client} {request.url.scheme}")(scope, receive, send)


@contextmanager
def served(settings: ServeSettings) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = server(echo, settings)
        thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
        thread.start()
        while not running.started:
            time.sleep(0.01)
        try:
            yield listening.getsockname()[1]
        finally:
            running.should_exit = True
            thread.join(15)


def who(port: int, **headers: str) -> str:
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", headers={k.replace("_", "-"): v for k, v in headers.items()})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return str(reply.read().decode())


@pytest.mark.parametrize(
    ("trusted", "told", "seen"),
    [
        ([], "203.0.113.9", "127.0.0.1 http"),
        (["10.0.0.0/8"], "203.0.113.9", "127.0.0.1 http"),
        (["127.0.0.1/32"], "203.0.113.9", "203.0.113.9 https"),
        (["127.0.0.0/8", "10.0.0.0/8"], "198.51.100.1, 203.0.113.9, 10.1.2.3", "203.0.113.9 https"),
    ],
)
def test_only_trusted_proxies_say_who_is_asking(trusted: list[str], told: str, seen: str) -> None:
    """What stands left of the last proxy that is trusted was written by whoever liked to."""
    with served(ServeSettings(trusted_proxies=trusted)) as port:
        assert who(port, X_Forwarded_For=told, X_Forwarded_Proto="https") == seen


@pytest.mark.parametrize("wrong", ["*", "localhost", "10.0.0.1/8", "", "999.1.1.1"])
def test_what_is_no_network_is_no_proxy(wrong: str) -> None:
    with pytest.raises(ValueError, match="is no network"):
        ServeSettings(trusted_proxies=[wrong])


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/unsubscribe/71d434960d33ee57e58081d7.6XDCYRTFrntDNNkpryMC8fUNfFg", "/unsubscribe/..."),
        ("/preferences/71d4.6XDCYRTFrntDNNkpryMC8fUNfFg/data.json", "/preferences/.../data.json"),
        ("/ann@example.com/x", "/.../x"),
        ("/media/hall-0123456789abcdef0123.png", "/media/hall-0123456789abcdef0123.png"),
        ("/feeds/\nGET /evil 200", "/feeds/%0AGET%20/evil%20200"),
    ],
)
def test_the_access_log_keeps_no_token_no_address_and_no_line_end(path: str, kept: str) -> None:
    assert shown_path(path) == kept


def test_the_tree_of_regions_holds_what_the_site_has_and_what_was_ticked() -> None:
    tree = region_tree(["CN-BJ", "FR"], {"CN-GD"}, "en")
    assert [one.name for one in tree] == ["Asia", "Europe"]
    asia = tree[0]
    china = asia.within[0].within[0]
    assert asia.is_open and china.is_open and china.code == "CN" and not china.ticked
    assert [(one.code, one.ticked) for one in china.within] == [("CN-BJ", False), ("CN-GD", True)]
    assert not tree[1].is_open


@pytest.mark.parametrize(
    "name", ["leave.html", "left.html", "preferences.html", "address.html", "address.txt", "notice.html", "digests.html",
             "editions.html", "edition_bar.html", "join.html", "confirm.html", "_choices.html"],
)  # fmt: skip
def test_a_broken_template_of_a_members_page_is_found_beforehand(tmp_path: Path, name: str) -> None:
    shutil.copytree(defaults() / "templates", tmp_path / "templates")
    settings = Settings(digest=[DigestSettings(name="daily", title="Daily")])
    rehearse(tmp_path, settings, NOW)
    template = tmp_path / "templates" / "members" / name
    # What stands outside of the blocks of a page is never looked at.
    opening = "{% block main %}" if "{% extends" in template.read_text() else ""
    template.write_text(template.read_text().replace(opening, opening + "{{ nothing.at_all }}", 1))
    with pytest.raises(TemplateProblem, match=name):
        rehearse(tmp_path, settings, NOW)


def test_what_is_written_on_a_page_stays_text() -> None:
    """Invariant 38."""
    pages = Pages(defaults() / "templates", SiteSettings(title="<b>{{ 7 * 7 }}", url="https://news.test/sub"))
    body = bytes(pages.notice(200, "<script>alert(1)</script>", "{{ site }}", link="javascript:x").body).decode()
    assert "<script>" not in body and "<b>" not in body and "{{ site }}" in body and "{{ 7 * 7 }}" in body
    assert 'href="/sub/style.css"' in body
