"""The members' web of a desk, served by a real uvicorn on loopback."""

from __future__ import annotations

import email
import email.policy
import http.client
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from mailroom import ROOT, Desk
from sqlalchemy import text

from content.database import reading
from dateline.web import desk as front
from dateline.web.app import application
from dateline.web.files import PublicFiles
from dateline.web.pages import Pages
from dateline.web.server import server
from dateline.web.settings import ServeSettings
from newsletter.notice import Notices
from newsletter.reception import Reception
from newsletter.settings import DigestSettings

MULTIPART = (
    b"--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n"
)  # fmt: skip


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: str

    def form(self, action: str) -> dict[str, str]:
        """The hidden fields of the form whose action ends so."""
        found = re.search(rf'<form method="post" action="[^"]*{re.escape(action)}">(.*?)</form>', self.body, re.DOTALL)
        assert found, self.body
        return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', found[1]))


class Web:
    """Asks the server. Nothing is followed and nothing is remembered: no redirects, no cookies."""

    def __init__(self, desk: Desk, port: int) -> None:
        self.desk, self.port = desk, port

    def path(self, url: str) -> str:
        assert url.startswith(self.desk.press.site.url), url
        return url.removeprefix(self.desk.press.site.url)

    def ask(self, method: str, url: str, body: bytes | dict[str, Any] = b"", **headers: str) -> Reply:
        if isinstance(body, dict):
            body = urlencode(body, doseq=True).encode()
            headers.setdefault("Content_Type", "application/x-www-form-urlencoded")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            path = self.path(url) if url.startswith("http") else url
            connection.request(method, path, body or None, {name.replace("_", "-"): value for name, value in headers.items()})
            reply = connection.getresponse()
            named = {name.lower(): value for name, value in reply.getheaders()}
            return Reply(reply.status, named, reply.read().decode("utf-8", "replace"))
        finally:
            connection.close()

    def get(self, url: str) -> Reply:
        return self.ask("GET", url)

    def post(self, url: str, **fields: Any) -> Reply:
        return self.ask("POST", url, fields)

    def state(self) -> str:
        """All that the database knows, for saying that nothing has changed."""
        with reading(self.desk.press.engine) as connection:
            names = connection.execute(text("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY 1")).scalars().all()
            return "\n".join(f"{name} {row!r}" for name in names for row in connection.execute(text(f"SELECT * FROM {name}")))

    def one(self, words: str) -> Any:
        with reading(self.desk.press.engine) as connection:
            return connection.execute(text(words)).one()


@contextmanager
def opened(desk: Desk, folder: Path, *digests: DigestSettings, busy_seconds: float = 8, **settings: Any) -> Iterator[Web]:
    """The web of a desk, with more digests if given."""
    folder.mkdir(exist_ok=True)
    (folder / "index.html").write_text("<!doctype html><title>front</title>")
    press = desk.press
    place = front.Desk(
        press.engine, press.site, press.newsletter, (press.digest, *digests), press.tokens,
        Pages(ROOT / "templates", press.site), Notices(ROOT, press.site, press.newsletter).send,
        Reception(folder.parent, press.engine, press.site, press.newsletter, press.tokens, ("daily", *(one.name for one in digests))),
    )  # fmt: skip
    front.hurry(press.engine, busy_seconds)
    ours = ServeSettings(**settings)
    files = PublicFiles(folder, press.site.url, press.site.title, ours, [])
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = server(application(files, place, access_log=ours.access_log), ours)
        thread = threading.Thread(target=running.run, args=([listening],), daemon=True)
        thread.start()
        while not running.started:
            time.sleep(0.01)
        try:
            yield Web(desk, listening.getsockname()[1])
        finally:
            running.should_exit = True
            thread.join(15)


def read(content: bytes) -> EmailMessage:
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message


def links(message: EmailMessage) -> list[str]:
    """Every link in a message: in its header, its text and its HTML."""
    found = re.findall(r"<(https:[^>]+)>", message["List-Unsubscribe"] or "")
    for kind in ("plain", "html"):
        if part := message.get_body((kind,)):
            found += re.findall(r"https://news\.test[^\s\"<>)]*", part.get_content())
    return list(dict.fromkeys(found))
