"""What the server answers to requests that nothing was published for."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any

import pytest

from dateline.web.app import application
from dateline.web.files import PublicFiles
from dateline.web.settings import ServeSettings


def ask(folder: Path, path: str, url: str = "https://news.test", query: bytes = b"") -> tuple[int, dict[str, str]]:
    """Status and headers of the answer to a GET."""
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": b"", "query_string": query, "headers": [],
        "root_path": "", "scheme": "https", "server": ("news.test", 443), "client": None, "http_version": "1.1",
    }  # fmt: skip
    files = PublicFiles(folder, url, "The Daily Test", ServeSettings(), [])
    asyncio.run(application(files)(scope, receive, send))
    return sent[0]["status"], {name.decode(): value.decode() for name, value in sent[0]["headers"]}


@pytest.fixture
def public(tmp_path: Path) -> Path:
    folder = tmp_path / "public"
    (folder / "feeds").mkdir(parents=True)
    (folder / "index.html").write_text("<h1>Front</h1>")
    return folder


@pytest.mark.parametrize("path", ["/" + "a" * 5000, "/" + "a/" * 3000, "/" + "ü" * 200, "/a\0b", "/\udcff"])
def test_a_path_that_no_file_can_have_is_not_found(public: Path, path: str) -> None:
    assert ask(public, path)[0] == 404


def test_a_page_whose_packed_form_could_have_no_name_is_served(public: Path) -> None:
    name = "a" * 250 + ".html"
    (public / name).write_text("<h1>Long</h1>")
    assert ask(public, f"/{name}")[0] == 200


@pytest.mark.parametrize(("url", "path", "target"), [
    ("https://news.test/news", "/news", "./news/"), ("https://news.test/a/news", "/a/news", "./news/?a=1"),
    ("https://news.test/news", "/news/feeds", "./feeds/"), ("https://news.test", "/feeds", "./feeds/"),
])  # fmt: skip
def test_a_folder_without_its_slash_leads_to_the_one_with(public: Path, url: str, path: str, target: str) -> None:
    status, headers = ask(public, path, url, target.partition("?")[2].encode())
    assert (status, headers["location"]) == (301, target)


@pytest.mark.parametrize("path", ["", "/", "/new", "/newsroom", "/a"])
def test_what_lies_outside_the_site_is_not_found(public: Path, path: str) -> None:
    assert ask(public, path, "https://news.test/news")[0] == 404


def test_the_front_page_lies_at_the_sites_address(public: Path) -> None:
    assert ask(public, "/news/", "https://news.test/news")[0] == 200
    assert ask(public, "/")[0] == 200
    assert ask(public, "")[0] == 404
