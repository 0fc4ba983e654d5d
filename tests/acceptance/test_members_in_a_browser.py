"""Chromium opens the members' pages: with scripts on but without a click nothing changes; buttons, keyboard and narrow windows do."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page
from programs import PROGRAM, Program, wait_until_served

from dateline.site import Site


@dataclass(frozen=True)
class Served:
    """A site with an edition that went out, served, and one member's links."""

    dateline: Program
    leave: str
    choose: str
    view: str
    url: str

    def standing(self) -> str:
        return self.dateline("subscribers", "list").stdout


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    url, site = f"http://127.0.0.1:{port}", tmp_path / "site"
    Program(tmp_path)("init", site)
    config = site / "config.toml"
    config.write_text(config.read_text().replace("https://carrierandcable.example", url))
    dateline = Program(site)
    dateline("publish")
    dateline("subscribers", "add", "ann@example.com", "--confirmed")
    dateline("digest", "send", "daily")
    place = Site(site)
    press = place.press(place.digest("daily"))
    with place.engine.connect() as connection:
        who = connection.exec_driver_sql("SELECT public_id FROM subscribers").scalar_one()
    place.engine.dispose()
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([PROGRAM, "--site", site, "serve", "--port", str(port)], stdout=log, stderr=log)
    try:
        wait_until_served(port)
        yield Served(dateline, press.unsubscribe_url(who), press.preferences_url(who), press.view_url(1), url)
    finally:
        process.terminate()
        process.wait(15)


def violations(page: Page) -> list[str]:
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in Axe().run(page).response["violations"]]


def test_a_scanner_with_scripts_that_clicks_nothing_changes_nothing(served: Served, browser: Browser) -> None:
    """Invariant 18."""
    before = served.standing()
    page = browser.new_page()
    for url in (served.leave, served.choose, served.view):
        page.goto(url)
        page.wait_for_timeout(500)
        assert page.evaluate("document.scripts.length") == 0
        assert page.url == url
    page.close()
    assert served.standing() == before and "confirmed" in before


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without"])
def test_a_member_leaves_takes_it_back_and_chooses(served: Served, browser: Browser, scripts: bool) -> None:
    context = browser.new_context(java_script_enabled=scripts, viewport={"width": 360, "height": 740})
    page = context.new_page()
    page.goto(served.leave)
    page.get_by_role("button", name="Leave").click()
    assert page.get_by_role("heading", name="You have left").is_visible()
    assert "left" in served.standing()
    page.get_by_role("button", name="Take it back").click()
    page.goto(served.choose)
    page.locator("summary").filter(has_text="Asia").first.click()
    page.get_by_label("All of Asia", exact=True).check()
    page.get_by_label("Once a week").check()
    page.get_by_label("Your time zone").select_option("Asia/Singapore")
    page.get_by_role("button", name="Save").click()
    assert page.get_by_role("status").inner_text().startswith("Saved")
    assert page.get_by_label("All of Asia", exact=True).is_checked() and page.get_by_label("Once a week").is_checked()
    assert re.search(r"ann@example\.com\W+confirmed\W+142\b", served.standing())
    context.close()


def test_the_keyboard_alone_is_enough_for_leaving(served: Served, browser: Browser) -> None:
    page = browser.new_page()
    page.goto(served.leave)
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "Leave":
            break
    page.keyboard.press("Enter")
    page.wait_for_selector("text=You have left")
    page.close()
    assert "left" in served.standing()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1200])
def test_every_page_can_be_read_by_everybody(served: Served, browser: Browser, scheme: str, width: int) -> None:
    """axe-core finds nothing, and nothing sticks out."""
    # What looks into a page is a script of the test, which the page itself forbids.
    context = browser.new_context(
        color_scheme=scheme, viewport={"width": width, "height": 800}, bypass_csp=True  # type: ignore[arg-type]
    )  # fmt: skip
    page = context.new_page()
    for path in (
        served.choose,
        f"{served.url}/newsletter/",
        f"{served.url}/newsletter/daily/",
        f"{served.leave}x",
        served.leave,
    ):
        page.goto(path)
        assert violations(page) == [], path
        assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"), path
    page.get_by_role("button", name="Leave").click()
    assert violations(page) == []
    context.close()
