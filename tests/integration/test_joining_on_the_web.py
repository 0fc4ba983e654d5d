"""Strangers join over HTTP: what the form takes, what everybody is answered, and what a link is good for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
from mailroom import Desk, Server
from webroom import Reply, Web, opened, read

from content.database import writing
from dateline.web.choices import guessed_language, guessed_time_zone
from newsletter.consent import Wording
from newsletter.join_tokens import confirm_token, form_mark
from newsletter.postman import send_due
from newsletter.reception import Reception
from newsletter.settings import CONSENT
from newsletter.subscribers import Subscribers
from newsletter.tokens import Purpose

JOIN, START = "/newsletter/join", "/newsletter/join/start"


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Web]:
    server = Server()
    server.address = f"maildir:{tmp_path}/outbox"
    desk = Desk(tmp_path, server)
    desk.report("first", "CN")
    desk.join("ann@example.com")
    with opened(desk, tmp_path / "public") as running:
        yield running


def mark(web: Web, **ago: float) -> str:
    """The mark of a form that was shown a while ago."""
    now = datetime.now(UTC) - timedelta(**(ago or {"seconds": 10}))
    return form_mark(web.desk.press.tokens, Wording(CONSENT).version, now)


def ask(web: Web, email: str, **fields: object) -> Reply:
    given = {"email": email, "form": mark(web), "digest": "daily", "frequency": "every"} | fields
    return web.ask("POST", JOIN, given)


def waiting(web: Web) -> list[str]:
    return [line for line in web.state().splitlines() if line.startswith("pending_mails ")]


def reception(web: Web) -> Reception:
    press = web.desk.press
    return Reception(press.root, press.engine, press.site, press.newsletter, press.tokens, ("daily",))


def links_sent(web: Web, folder: Path) -> list[str]:
    send_due(reception(web), lambda: datetime.now(UTC))
    texts = [read(file.read_bytes()).get_body(("plain",)) for file in (folder / "outbox" / "new").iterdir()]
    found = [re.search(r"https://news\.test(/join/confirm/\S+)", part.get_content()) for part in texts if part]
    return [one[1] for one in found if one]


def test_a_member_a_stranger_and_a_robot_are_answered_alike(web: Web) -> None:
    """Invariant 22."""
    member, stranger, again, robot = (
        ask(web, "ann@example.com"), ask(web, "bob@example.com"), ask(web, "BOB@example.com"),
        ask(web, "robot@example.com", website="http://spam.example"),
    )  # fmt: skip
    assert {(one.status, one.body) for one in (member, stranger, again, robot)} == {(200, member.body)}
    assert "Look into your mailbox" in member.body
    assert [name for one in (member, stranger, again, robot) for name in one.headers] == list(member.headers) * 4
    assert len(waiting(web)) == 2


def test_the_first_form_shows_the_whole_one_and_takes_nothing_in(web: Web) -> None:
    before = web.state()
    reply = web.ask(
        "POST", START, {"email": '"><b>@x.example', "region": ["CN", "XX", "CN-BJ"], "page": "https://news.test/a/?who=ann"},
        Sec_Fetch_Site="cross-site", Accept_Language="de-DE,de;q=0.9",
    )  # fmt: skip
    assert reply.status == 200 and "<b>@x" not in reply.body
    assert 'value="&#34;&gt;&lt;b&gt;@x.example"' in reply.body
    assert re.findall(r'value="([^"]+)" checked> <span>', reply.body) == ["CN", "every"]
    assert '<option value="de" selected>' in reply.body and '<option value="Europe/Berlin" selected>' in reply.body
    assert 'name="page" value="https://news.test/a/"' in reply.body
    assert web.state() == before
    assert reply.headers["cache-control"] == "no-store" and "script" not in reply.headers["content-security-policy"]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"email": "no address"}, "This is no address"),
        ({"email": "a@x.example\r\nBcc: b@x.example"}, "This is no address"),
        ({"digest": "none"}, "Choose at least one newsletter"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_beside_the_form(web: Web, fields: dict[str, str], words: str) -> None:
    """Invariant 35."""
    before = web.state()
    reply = ask(web, **({"email": "bob@example.com"} | fields))
    assert reply.status == 400 and words in reply.body and web.state() == before


@pytest.mark.parametrize("ago", [{"seconds": 0.0}, {"days": 2.0}])
def test_a_form_that_nobody_can_have_read_is_shown_once_more(web: Web, ago: dict[str, float]) -> None:
    before = web.state()
    reply = ask(web, "bob@example.com", form=mark(web, **ago), frequency="weekly", region="CN")
    assert reply.status == 400 and 'value="bob@example.com"' in reply.body
    assert re.findall(r'value="([^"]+)" checked> <span>', reply.body) == ["CN", "weekly"]
    assert web.state() == before


def test_a_form_of_another_site_is_refused(web: Web) -> None:
    fields = urlencode({"email": "bob@example.com", "form": mark(web), "digest": "daily"}).encode()
    kind = "application/x-www-form-urlencoded"
    reply = web.ask("POST", JOIN, fields, Content_Type=kind, Sec_Fetch_Site="cross-site")
    assert reply.status == 403 and not waiting(web)


def test_too_many_from_one_network_are_asked_to_come_later(web: Web) -> None:
    """Invariant 21."""
    replies = [ask(web, f"reader{number}@example.com") for number in range(22)]
    assert [one.status for one in replies] == [200] * 20 + [429] * 2
    assert int(replies[-1].headers["retry-after"]) > 0
    assert len(waiting(web)) == 20


def test_the_link_confirms_by_its_button_alone(web: Web, tmp_path: Path) -> None:
    """Invariants 17 and 18."""
    ask(web, "bob@example.com", region="CN", frequency="weekly", time_zone="Asia/Tokyo", page="https://news.test/a/")
    (path,) = links_sent(web, tmp_path)
    before = web.state()
    page = web.get(path)
    assert web.ask("HEAD", path).status == 200 and web.ask("OPTIONS", path).status == 204
    assert web.ask("POST", path).status == 403
    assert page.headers["referrer-policy"] == "no-referrer" and web.state() == before
    told = web.post(path, **page.form(path))
    assert told.status == 200 and "You are a member" in told.body
    row = web.one("SELECT state, regions, frequency, time_zone FROM subscribers WHERE email = 'bob@example.com'")
    assert tuple(row) == ("confirmed", ",CN,", "weekly", "Asia/Tokyo")
    assert web.one("SELECT source FROM consents WHERE event = 'confirmed'")[0] == "https://news.test/a/"
    chosen = re.search(r'href="(/preferences/[^"]+)"', told.body)
    assert chosen and web.get(chosen[1]).status == 200
    again = web.post(path, **page.form(path))
    assert again.status == 200 and "You are a member" in again.body


def test_a_link_that_is_no_good_leads_to_a_kind_page(web: Web, tmp_path: Path) -> None:
    """Invariants 20 and 39."""
    ask(web, "bob@example.com")
    (path,) = links_sent(web, tmp_path)
    tokens, who = web.desk.press.tokens, web.one("SELECT public_id FROM subscribers WHERE email = 'bob@example.com'")[0]
    number = web.one("SELECT id FROM consents WHERE event = 'asked'")[0]
    old = confirm_token(tokens, who, number, "bob@example.com", datetime.now(UTC) - timedelta(days=4))
    other = confirm_token(
        tokens,
        web.one("SELECT public_id FROM subscribers WHERE email = 'ann@example.com'")[0],
        number,
        "bob@example.com",
        datetime.now(UTC),
    )
    before = web.state()
    for token, status in (
        (old, 410), (other, 404), (path[14:-1], 404), ("x", 404), (tokens.unsubscribe(who), 404),
        (tokens.lasting(Purpose.PREFERENCES, who), 404),
    ):  # fmt: skip
        for reply in (web.get(f"/join/confirm/{token}"), web.post(f"/join/confirm/{token}")):
            assert reply.status == status and 'href="/newsletter/join"' in reply.body, token
            assert reply.headers["cache-control"] == "no-store" and "bob" not in reply.body
    assert web.state() == before


def test_the_number_of_members_is_shown_rounded_down(tmp_path: Path) -> None:
    server = Server()
    server.address = f"maildir:{tmp_path}/outbox"
    desk = Desk(tmp_path, server)
    with writing(desk.press.engine) as connection:
        for number in range(128):
            Subscribers(connection).join(f"r{number}@example.com", origin="t", now=desk.now, confirmed=True)
    with opened(desk, tmp_path / "public") as web:
        assert "<h1>Join 120+ members</h1>" in web.get(JOIN).body


@pytest.mark.parametrize(
    ("accepted", "language", "zone"),
    [
        ("de-AT,de;q=0.9", "de", "Europe/Vienna"),
        ("en-GB,en;q=0.9", "", "Europe/London"),
        ("en-US", "", ""),
        ("zh-TW,zh;q=0.8", "zh-Hant", "Asia/Taipei"),
        ("pt-BR", "pt-BR", ""),
        ("tlh, fr;q=0.5", "fr", ""),
        ("", "", ""),
        (";;,,--\0", "", ""),
        ("*", "", ""),
    ],
)
def test_language_and_time_zone_are_guessed_where_they_can_be(accepted: str, language: str, zone: str) -> None:
    assert (guessed_language(accepted, "en-GB"), guessed_time_zone(accepted)) == (language, zone)
