"""A stranger walks the whole way in Chromium: from the form on an article to a digest of her own, and out again."""

from __future__ import annotations

import email
import email.policy
import http.client
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from programs import PROGRAM, Program, wait_until_served, write_article

READING_SECONDS = 3.2
"""What a person takes for a form at the least; who is faster is asked to look again."""


class Mailbox:
    """An SMTP server's handler that keeps what it gets."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 taken"

    def wait_for(self, number: int) -> EmailMessage:
        """The message of this number, counted from one."""
        end = time.monotonic() + 20
        while len(self.messages) < number and time.monotonic() < end:
            time.sleep(0.05)
        assert len(self.messages) == number, [str(one["Subject"]) for one in self.messages]
        return self.messages[-1]


def text_of(message: EmailMessage) -> str:
    part = message.get_body(("plain",))
    assert part
    return str(part.get_content())


def link(message: EmailMessage, path: str) -> str:
    found = re.search(rf"http://\S+/{path}/\S+", text_of(message))
    assert found, text_of(message)
    return found[0]


@dataclass(frozen=True)
class Served:
    """A site with an article from China and one from France, served, with a mail server."""

    dateline: Program
    url: str
    mailbox: Mailbox

    def standing(self) -> str:
        return self.dateline("subscribers", "list").stdout


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def served(site: Path, dateline: Program, tmp_path: Path) -> Iterator[Served]:
    mailbox, port = Mailbox(), free_port()
    mail = Controller(mailbox, hostname="127.0.0.1", port=free_port())
    mail.start()
    url = f"http://127.0.0.1:{port}"
    config = site / "config.toml"
    settings = config.read_text().replace("https://news.test", url)
    settings = settings.replace("[newsletter]\n", f'[newsletter]\ntransport = "smtp://127.0.0.1:{mail.port}"\n')
    config.write_text(settings + '\n[[digest]]\nname = "late"\ntitle = "The Late Post"\n')
    today = datetime.now(UTC).date()
    write_article(site, f"{today}-halls.md", title="China opens its halls", regions="[CN]")
    write_article(site, f"{today}-vines.md", title="France counts its vines", regions="[FR]")
    dateline("publish")
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "--site", site, "serve", "--port", str(port)], stdout=log, stderr=log)
    try:
        wait_until_served(port)
        yield Served(dateline, url, mailbox)
    finally:
        process.terminate()
        assert process.wait(15) == 0
        mail.stop()
    assert "@" not in (tmp_path / "log").read_text() and "Traceback" not in (tmp_path / "log").read_text()


class Visitor:
    """A person at a browser, who uses the mouse."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def open(self, url: str) -> None:
        self.page.goto(url)
        self.look()

    def press(self, name: str) -> None:
        self.page.get_by_role("button", name=name, exact=True).click()
        self.look()

    def follow(self, name: str) -> None:
        self.page.get_by_role("link", name=name, exact=True).click()
        self.look()

    def write(self, label: str, words: str) -> None:
        self.page.get_by_label(label, exact=True).fill(words)

    def tick(self, label: str) -> None:
        self.page.get_by_label(label, exact=True).click()

    def unfold(self, name: str) -> None:
        self.page.locator("summary").filter(has_text=name).first.click()

    def look(self) -> None:
        """What this visitor makes of each page."""

    def heading(self) -> str:
        return self.page.get_by_role("heading", level=1).inner_text()


class Typist(Visitor):
    """A person who has a keyboard and nothing else."""

    def _go_to(self, name: str) -> None:
        named = "(e => [...(e.labels ?? [])].map(l => l.innerText.trim()).join() || e.innerText.trim())(document.activeElement)"
        for _ in range(150):
            self.page.keyboard.press("Tab")
            if self.page.evaluate(named).split("\n")[-1].strip() == name:
                return
        raise AssertionError(f"the Tab key never comes to {name!r}")

    def _enter(self, name: str) -> None:
        self._go_to(name)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def press(self, name: str) -> None:
        self._enter(name)

    def follow(self, name: str) -> None:
        self._enter(name)

    def write(self, label: str, words: str) -> None:
        self._go_to(label)
        self.page.keyboard.type(words)

    def tick(self, label: str) -> None:
        self._go_to(label)
        self.page.keyboard.press("Space")

    def unfold(self, name: str) -> None:
        self._go_to(name)
        self.page.keyboard.press("Enter")


class Examiner(Visitor):
    """Somebody who looks at each page with axe-core and a ruler."""

    def look(self) -> None:
        found = Axe().run(self.page).response["violations"]
        assert [f"{one['id']}: {one['nodes'][0]['html']}" for one in found] == [], self.page.url
        assert self.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), self.page.url


def walk(visitor: Visitor, served: Served) -> None:
    page, mailbox = visitor.page, served.mailbox
    visitor.open(f"{served.url}/")
    visitor.follow("China opens its halls")
    visitor.write("Your email address", "ann@example.com")
    visitor.press("Join")
    assert "ann" not in page.url
    page.wait_for_timeout(READING_SECONDS * 1000)
    assert page.get_by_label("Your email address").input_value() == "ann@example.com"
    assert page.get_by_label("China", exact=True).is_checked() and not page.get_by_label("All of Asia").is_checked()
    assert page.get_by_label("Your time zone").input_value() == "Asia/Tokyo"
    visitor.press("Join")
    assert visitor.heading() == "Look into your mailbox"

    confirm = link(mailbox.wait_for(1), "join/confirm")
    visitor.open(confirm)
    assert "confirmed" not in served.standing()
    visitor.press("Yes, I want to join")
    assert visitor.heading() == "You are a member"
    assert re.search(r"ann@example\.com\W+confirmed\W+CN\b", served.standing())

    visitor.follow("Look at what you get")
    visitor.unfold("Europe")
    visitor.tick("All of Europe")
    visitor.tick("China")
    visitor.press("Save")
    assert page.get_by_role("status").inner_text().startswith("Saved")

    served.dateline("digest", "send", "daily")
    digest = mailbox.wait_for(2)
    assert "France counts its vines" in text_of(digest) and "China opens its halls" not in text_of(digest)
    html = digest.get_body(("html",))
    assert html
    seen = re.search(r"http://[^\"]+/view/[^\"]+", html.get_content())
    assert seen, html.get_content()
    page.goto(seen[0])
    assert page.get_by_text("France counts its vines").first.is_visible()

    leave = str(digest["List-Unsubscribe"]).strip("<>").split(">")[0]
    visitor.open(leave)
    visitor.press("Leave")
    assert "left" in served.standing()
    visitor.press("Take it back")
    assert re.search(r"ann@example\.com\W+confirmed\b", served.standing())
    visitor.open(leave)
    visitor.press("Leave")
    assert visitor.heading() == "You have left" and "confirmed" not in served.standing()


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts and on a telephone"])
def test_a_stranger_joins_reads_and_leaves(served: Served, browser: Browser, scripts: bool) -> None:
    width = 1200 if scripts else 360
    context = browser.new_context(java_script_enabled=scripts, viewport={"width": width, "height": 740}, locale="ja-JP")
    walk(Visitor(context.new_page()), served)
    context.close()


def test_the_keyboard_alone_is_enough(served: Served, browser: Browser) -> None:
    context = browser.new_context(locale="ja-JP")
    walk(Typist(context.new_page()), served)
    context.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1200), ("dark", 360)])
def test_every_page_on_the_way_can_be_read_by_everybody(served: Served, browser: Browser, scheme: str, width: int) -> None:
    # What looks into a page is a script of the test, which the page itself forbids.
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True, locale="ja-JP"  # type: ignore[arg-type]
    )  # fmt: skip
    examiner = Examiner(context.new_page())
    walk(examiner, served)
    examiner.open(f"{served.url}/newsletter/join")
    examiner.write("Your email address", "no@address@at.all")
    # As a browser without checks of its own sends it.
    examiner.page.evaluate("document.querySelector('.members form').noValidate = true")
    examiner.press("Join")
    assert examiner.page.get_by_role("alert").is_visible()
    examiner.open(f"{served.url}/join/confirm/nobody")
    context.close()


def test_a_scanner_that_opens_every_link_of_the_mail_confirms_nothing(served: Served, browser: Browser) -> None:
    """Invariants 17 and 18."""
    page = browser.new_page()
    page.goto(f"{served.url}/newsletter/join")
    page.get_by_label("Your email address").fill("bob@example.com")
    page.wait_for_timeout(READING_SECONDS * 1000)
    page.get_by_role("button", name="Join").click()
    mail = served.mailbox.wait_for(1)
    html = mail.get_body(("html",))
    assert html
    links = set(re.findall(r"http://127[^\s\"<>]+", text_of(mail) + html.get_content()))
    assert any("/join/confirm/" in one for one in links)
    before = served.standing()
    for one in links:
        for method in ("GET", "HEAD", "OPTIONS", "POST"):
            connection = http.client.HTTPConnection(one.split("/")[2], timeout=20)
            connection.request(method, one.removeprefix(served.url) or "/")
            assert connection.getresponse().status < 500
            connection.close()
        page.goto(one)
        page.wait_for_timeout(300)
        assert page.evaluate("document.scripts.length") == 0
    page.close()
    assert served.standing() == before and "pending" in before and "confirmed" not in before


def test_the_form_is_on_every_page_until_the_settings_say_otherwise(site: Path, dateline: Program) -> None:
    write_article(site, title="China opens its halls", regions="[CN]")
    pages = ["index.html", "feeds/index.html", "regions/index.html", "feeds/regions/cn/index.html"]

    def shown() -> set[str]:
        dateline("publish")
        found = [site / "public" / page for page in pages] + list((site / "public" / "articles").rglob("index.html"))
        return set(re.findall(r'<form method="post" action="((?:\.\./)*\./|(?:\.\./)+)newsletter/join/start">', "".join(
            page.read_text() for page in found if page.exists()
        )))  # fmt: skip

    assert {"./", "../", "../../"} <= shown()
    config = site / "config.toml"
    config.write_text(config.read_text().replace("[newsletter]\n", "[newsletter]\njoin_form = false\n"))
    assert shown() == set()
