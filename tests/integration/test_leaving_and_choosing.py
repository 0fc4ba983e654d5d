"""Members leave, choose and read past editions over HTTP, in the middle of a sending too; whatever else is asked changes nothing."""

from __future__ import annotations

import json
import logging
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import feedparser
import pytest
from mailroom import Desk, Server
from sqlalchemy import text
from webroom import MULTIPART, Web, links, opened, read

from content.database import writing
from newsletter.settings import DigestSettings
from newsletter.subscribers import Joined, Subscribers
from newsletter.suppression import Suppressions
from newsletter.tokens import Purpose

WEEKLY = DigestSettings(name="weekly", title="Weekly")
MARK = "application/x-www-form-urlencoded"


@pytest.fixture
def web(desk: Desk, tmp_path: Path) -> Iterator[Web]:
    desk.join("ann@example.com", "bob@example.com")
    with opened(desk, tmp_path / "public", WEEKLY) as running:
        yield running


def member(web: Web, address: str = "ann@example.com") -> str:
    return str(web.one(f"SELECT public_id FROM subscribers WHERE email = '{address}'")[0])


def standing(web: Web, address: str = "ann@example.com") -> str:
    return str(web.one(f"SELECT state FROM subscribers WHERE email = '{address}'")[0])


def leave_link(web: Web, address: str = "ann@example.com") -> str:
    return web.desk.press.unsubscribe_url(member(web, address))


def choose_link(web: Web, address: str = "ann@example.com") -> str:
    return web.desk.press.preferences_url(member(web, address))


def choices(**fields: object) -> dict[str, object]:
    return {"digest": ["daily", "weekly"], "frequency": "every", "paused_until": "", "language": "", "time_zone": ""} | fields


def save(web: Web, address: str = "ann@example.com", **fields: object) -> str:
    link = choose_link(web, address)
    hidden = web.get(link).form(web.path(link))
    reply = web.post(link, **hidden, **choices(**fields))
    assert reply.status == 200 and "Saved" in reply.body, reply.body
    return reply.body


# Leaving


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"List-Unsubscribe=One-Click", MARK),
        (MULTIPART, "multipart/form-data; boundary=b"),
        (b"", ""),
        (b"\xff\x00 no form at all", MARK),
        (b"--x", "multipart/form-data"),
        (b"{}", "application/json"),
    ],
    ids=["urlencoded", "multipart", "empty", "junk", "broken multipart", "another kind"],
)
def test_one_click_leaves_at_once_and_says_so_every_time(web: Web, body: bytes, kind: str) -> None:
    """Invariant 19 (RFC 8058): 200, no redirect, no cookie, idempotent."""
    for _ in range(3):
        reply = web.ask("POST", leave_link(web), body, **({"Content_Type": kind} if kind else {}))
        assert reply.status == 200
        assert not {"location", "set-cookie"} & reply.headers.keys()
        assert standing(web) == "left"
    assert standing(web, "bob@example.com") == "confirmed"


def test_an_unknown_or_altered_token_gets_200_and_takes_nobody_out(web: Web) -> None:
    """Invariants 19 and 20."""
    link, other = leave_link(web), leave_link(web, "bob@example.com")
    token = link.rpartition("/")[2]
    before = web.state()
    strange = [token[:-1], token[:-4], token[1:], "0" + token, token.swapcase(), f"{token}.x", token.partition(".")[0], "x", "%00", "é",
               f"{member(web)}.{other.rpartition('.')[2]}", "." * 300, "a" * 5000]  # fmt: skip
    for wrong in strange:
        reply = web.ask("POST", f"/unsubscribe/{quote(wrong, safe='%')}", b"List-Unsubscribe=One-Click", Content_Type=MARK)
        assert reply.status == 200, wrong
        assert web.get(f"/unsubscribe/{quote(wrong, safe='%')}").status == 404, wrong
    assert web.state() == before


def test_leaving_can_be_taken_back_once_and_not_after_leaving_again(web: Web) -> None:
    page = web.post(leave_link(web))
    assert "You have left" in page.body
    undo = page.form("/members/undo")
    back = web.post("/members/undo", **undo)
    assert back.status == 200
    assert standing(web) == "confirmed"
    # Who has the link for leaving, such as a mail scanner, does not come to the member's other pages by it.
    assert all("preferences/" not in one.body for one in (page, back, web.get(leave_link(web))))
    assert web.post("/members/undo", **undo).status == 410
    web.post(leave_link(web))
    assert web.post("/members/undo", **undo).status == 410
    assert standing(web) == "left"


def test_what_must_not_be_mailed_is_not_brought_back_by_taking_back(web: Web) -> None:
    """Invariant 23."""
    undo = web.post(leave_link(web)).form("/members/undo")
    from newsletter.suppression import Reason

    with writing(web.desk.press.engine) as connection:
        Suppressions(connection, web.desk.press.tokens.key).add("ann@example.com", Reason.COMPLAINT, web.desk.now)
    assert web.post("/members/undo", **undo).status == 410
    assert standing(web) == "left"


def test_one_newsletter_can_be_left_alone(web: Web) -> None:
    link = leave_link(web)
    page = web.get(link).body
    assert 'value="daily"' in page and 'value="weekly"' in page
    left = web.post(link, digest="daily")
    assert "You have left Daily" in left.body
    assert web.one("SELECT state, digests FROM subscribers WHERE email LIKE 'ann%'") == ("confirmed", ",weekly,")
    assert web.post("/members/undo", **left.form("/members/undo")).status == 200
    assert web.one("SELECT state, digests FROM subscribers WHERE email LIKE 'ann%'") == ("confirmed", "")
    web.post(link, digest="daily")
    web.post(link, digest="weekly")
    assert standing(web) == "left"


def test_a_click_during_a_sending_stops_that_members_message(web: Web, server: Server) -> None:
    """Invariants 11 and 19: what is not on the wire yet does not go."""
    web.desk.join("cid@example.com", "dan@example.com")
    edition = web.desk.edition()
    link = leave_link(web, "dan@example.com")

    def click(recipient: str) -> None:
        if recipient == "ann@example.com":
            assert web.ask("POST", link, b"List-Unsubscribe=One-Click", Content_Type=MARK).status == 200

    server.before = click
    assert web.desk.send(edition).finished
    assert sorted(server.taken) == ["ann@example.com", "bob@example.com", "cid@example.com"]
    assert web.one("SELECT state, reply FROM deliveries WHERE email = 'dan@example.com'") == (
        "suppressed", "left before the message was sent",
    )  # fmt: skip


def test_who_pauses_or_leaves_that_digest_during_a_sending_is_not_mailed_after_that(web: Web, server: Server) -> None:
    """Invariant 11."""
    web.desk.join("cid@example.com", "dan@example.com")
    edition = web.desk.edition()
    until = max(datetime.now(UTC).date(), web.desk.now.date()) + timedelta(days=5)

    def choose(recipient: str) -> None:
        if recipient == "ann@example.com":
            save(web, "cid@example.com", paused_until=until.isoformat())
            web.post(leave_link(web, "dan@example.com"), digest="daily")

    server.before = choose
    assert web.desk.send(edition).finished
    assert sorted(server.taken) == ["ann@example.com", "bob@example.com"]
    told = web.one("SELECT count(*) FROM deliveries WHERE reply = 'chose not to get it before the message was sent'")
    assert told == (2,)


def test_a_scanner_that_opens_every_link_of_a_mail_changes_nothing(web: Web, server: Server) -> None:
    """Invariants 17 and 36: GET, HEAD, OPTIONS and prefetches, with whatever method somebody writes into them."""
    web.desk.send(web.desk.edition())
    found = links(read(server.messages["ann@example.com"]))
    assert {"preferences", "unsubscribe", "newsletter"} <= {
        web.path(link).split("/")[1] for link in found if link.count("/") > 3
    }
    found += [f"{choose_link(web)}/{end}" for end in ("address", "erase", "data.json")]
    found += [one for link in found for one in re.findall(r'href="(/[^"]+)"', web.get(link).body)]
    before = web.state()
    for link in dict.fromkeys(found):
        for method in ("GET", "HEAD", "OPTIONS"):
            reply = web.ask(method, link, X_HTTP_Method_Override="POST", X_Method_Override="POST", Purpose="prefetch")
            assert reply.status < 500 and "location" not in reply.headers
            web.ask(method, f"{link}?_method=POST&List-Unsubscribe=One-Click&sure=yes")
            web.ask(method, link, b"_method=POST&List-Unsubscribe=One-Click", Content_Type=MARK)
        for method in ("PUT", "DELETE", "PATCH", "TRACE"):
            assert web.ask(method, link).status == 405
    assert web.state() == before


# Choosing


def test_members_with_equal_preferences_share_a_rendering_with_what_they_chose(web: Web, server: Server) -> None:
    web.desk.report("china", "CN-BJ")
    web.desk.report("france", "FR")
    web.desk.join("cid@example.com")
    page = web.get(choose_link(web)).body
    assert 'value="CN-BJ"' in page and 'value="155"' in page
    for address in ("ann@example.com", "bob@example.com"):
        body = save(web, address, region=["CN", "CN-BJ", "XX", "<b>"], digest=["daily"], language="de", time_zone="Asia/Tokyo")
        assert 'value="CN" checked' in body and 'value="CN-BJ" checked' not in body
    row = web.one("SELECT regions, digests, language, time_zone FROM subscribers WHERE email LIKE 'ann%'")
    assert row == (",CN,", ",daily,", "de", "Asia/Tokyo")
    web.desk.send(web.desk.edition())
    assert web.one("SELECT count(DISTINCT variant_id) FROM deliveries WHERE email < 'c'") == (1,)
    told = {to: read(content).get_body(("plain",)).get_content() for to, content in server.messages.items()}  # type: ignore[union-attr]
    assert "news.test/china" in told["ann@example.com"] and "news.test/france" not in told["ann@example.com"]
    assert "news.test/france" in told["cid@example.com"]


def test_who_pauses_is_not_mailed_before_that_day_and_is_afterwards(web: Web, server: Server) -> None:
    until = datetime.now(UTC).date() + timedelta(days=10)
    assert f'value="{until}"' in save(web, paused_until=until.isoformat())
    web.desk.send(web.desk.edition())
    assert server.taken == ["bob@example.com"]
    web.desk.now = datetime(until.year, until.month, until.day, 7, tzinfo=UTC)
    web.desk.report("later")
    web.desk.send(web.desk.edition())
    assert sorted(server.taken[1:]) == ["ann@example.com", "bob@example.com"]


def test_what_cannot_be_chosen_is_said_and_nothing_is_changed(web: Web) -> None:
    link = choose_link(web)
    hidden = web.get(link).form(web.path(link))
    before = web.state()
    wrong = [
        ({"digest": []}, "at least one"),
        ({"paused_until": "soon"}, "not a date"),
        ({"paused_until": "2099-01-01"}, "a year"),
    ]
    for fields, words in wrong:
        reply = web.post(link, **hidden, **choices(**fields))
        assert reply.status == 400 and words in reply.body
    assert web.state() == before


def test_a_form_that_was_not_made_here_for_this_member_is_not_taken(web: Web) -> None:
    """Invariant 20; forged forms of other sites."""
    link, other = choose_link(web), choose_link(web, "bob@example.com")
    mine, theirs = web.get(link).form(web.path(link)), web.get(other).form(web.path(other))
    erasing = web.get(link).form("/erase")
    before = web.state()
    for hidden in ({}, theirs, erasing, {"form": mine["form"][:-1]}, {"form": "é"}, {"form": ""}):
        assert web.post(link, **hidden, **choices()).status == 403
    assert web.ask("POST", link, mine | choices(), Sec_Fetch_Site="cross-site").status == 403
    assert web.post(f"{link}/erase", **mine, sure="yes").status == 403
    assert web.post(link, **mine, digest="daily", filler="x" * 70_000).status == 413
    assert web.post(leave_link(web), filler="x" * 70_000).status == 413
    assert web.state() == before


def test_a_new_address_is_used_when_its_owner_says_so(web: Web, server: Server) -> None:
    link = choose_link(web)
    reply = web.post(f"{link}/address", **web.get(link).form("/address"), email="New.Ann@Example.org")
    assert reply.status == 200 and "on its way" in reply.body
    for _ in range(100):
        if "New.Ann@example.org" in server.messages:
            break
        time.sleep(0.05)
    message = read(server.messages["New.Ann@example.org"])
    (confirm,) = links(message)
    assert "ann@example.com" not in message.as_string() and "New" not in confirm
    assert web.get(confirm).status == 200 and standing(web) == "confirmed"
    taken = web.post(confirm, **web.get(confirm).form(web.path(confirm)))
    assert taken.status == 200 and "is changed" in taken.body
    assert web.one("SELECT count(*) FROM subscribers WHERE email_key = 'new.ann@example.org'") == (1,)
    assert web.get(confirm).status == 404
    web.desk.send(web.desk.edition())
    assert "New.Ann@example.org" in server.taken and "ann@example.com" not in server.taken


def test_asking_for_an_address_tells_nothing_and_cannot_be_used_to_pester(web: Web, server: Server) -> None:
    """Invariants 21 and 22."""
    link = choose_link(web)
    told = []
    for email in ("victim@example.org", "bob@example.com", "victim@example.org", "VICTIM@example.org"):
        reply = web.post(f"{link}/address", **web.get(link).form("/address"), email=email)
        told.append((reply.status, re.sub(r'value="[^"]*"|/[\w.-]{40,}', "", reply.body)))
    time.sleep(1)
    assert len(set(told)) == 1
    assert server.taken == ["victim@example.org"]
    bad = web.post(f"{link}/address", **web.get(link).form("/address"), email="x\r\nBcc: y@example.org")
    assert bad.status == 400 and "not an email address" in bad.body
    assert len(server.taken) == 1


def test_all_that_is_kept_is_shown_and_then_deleted_but_for_a_hash(web: Web, server: Server) -> None:
    """Invariants 4 and 41."""
    edition = web.desk.edition()
    web.desk.send(edition)
    link = choose_link(web)
    held = web.get(f"{link}/data.json")
    assert held.headers["content-disposition"].startswith("attachment")
    facts = json.loads(held.body)
    assert facts["member"]["email"] == "ann@example.com" and facts["deliveries"][0]["state"] == "sent"
    form = web.get(link).form("/erase")
    assert web.post(f"{link}/erase", **form).status == 400 and "ann@" in web.state()
    assert web.post(f"{link}/erase", **form, sure="yes").status == 200
    state = web.state()
    assert "ann@" not in state and link.rpartition("/")[2].partition(".")[0] not in state
    assert web.get(link).status == 404
    assert web.post(web.desk.press.unsubscribe_url(facts["member"]["public_id"])).status == 200
    assert web.one("SELECT recipients, (SELECT count(*) FROM deliveries) FROM editions") == (2, 2)
    with writing(web.desk.press.engine) as connection:
        known = Subscribers(connection, Suppressions(connection, web.desk.press.tokens.key))
        assert known.join("Ann@example.com", origin="t", now=web.desk.now, confirmed=True) is Joined.SUPPRESSED
        assert [one.email for one in known.all()] == ["bob@example.com"]


# Tokens


def test_a_token_opens_nothing_but_what_it_was_made_for(web: Web) -> None:
    """Invariant 20: exchanged between purposes."""
    web.desk.send(web.desk.edition())
    tokens, who, now = web.desk.press.tokens, member(web), datetime.now(UTC)
    made = {
        "unsubscribe": tokens.unsubscribe(who),
        "preferences": tokens.lasting(Purpose.PREFERENCES, who),
        "newsletter/view": tokens.lasting(Purpose.VIEW, "1"),
        "members/address": tokens.passing(Purpose.ADDRESS, f"{who}~{tokens.hashed(Purpose.ADDRESS, 'ann@example.com')}", now),
        "undo": tokens.passing(Purpose.UNDO, f"{who}~~", now),
        "form": tokens.passing(Purpose.FORM, f"choose~{who}", now),
    }
    before = web.state()
    for purpose, token in made.items():
        for path in ("unsubscribe", "preferences", "newsletter/view", "members/address"):
            status = web.get(f"/{path}/{token}").status
            assert (status == 200) == (path == purpose and path != "members/address"), (purpose, path)
            if path != purpose:
                web.post(f"/{path}/{token}", form=made["form"], **choices())
        for end in ("erase", "address"):
            if purpose != "preferences":
                web.post(f"/preferences/{token}/{end}", form=made["form"], sure="yes", email="x@example.org")
        web.post("/members/undo", token=token)
    assert web.state() == before


def test_pages_behind_a_token_are_kept_nowhere_and_framed_by_nobody(web: Web) -> None:
    """Invariant 39."""
    web.desk.send(web.desk.edition())
    pages = [leave_link(web), choose_link(web), f"{choose_link(web)}/data.json", web.desk.press.view_url(1), "/unsubscribe/nobody",
             "/preferences/nobody", "/members/address/nobody", "/newsletter/view/nobody"]  # fmt: skip
    replies = [web.ask(method, page) for page in pages for method in ("GET", "HEAD", "POST", "OPTIONS", "PUT")]
    for reply in replies:
        assert reply.headers["referrer-policy"] == "no-referrer"
        assert reply.headers["cache-control"] == "no-store"
        assert reply.headers["x-robots-tag"].startswith("noindex")
        assert reply.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in reply.headers["content-security-policy"]
        assert "script" not in reply.headers["content-security-policy"] and "<script" not in reply.body
        assert reply.headers["strict-transport-security"]
        assert "set-cookie" not in reply.headers


# The archive of editions


def test_past_editions_are_pages_with_nobodys_links_in_them(web: Web, server: Server) -> None:
    web.desk.report("china", "CN")
    web.desk.join("china@example.com", regions=("CN",))
    web.desk.send(web.desk.edition())
    day = web.desk.now.date()
    message = read(server.messages["china@example.com"])
    view = next(link for link in links(message) if "/newsletter/view/" in link)
    pages = {"edition": web.get(f"/newsletter/daily/{day}/"), "view": web.get(view)}
    for reply in pages.values():
        assert reply.status == 200
        assert not re.search(r"/(unsubscribe|preferences)/|slot-|newsletter/view/|You get this", reply.body)
        assert all(who not in reply.body for who in (member(web), member(web, "china@example.com"), "@example.com"))
        assert "sandbox" in reply.headers["content-security-policy"]
    assert "news.test/first" in pages["edition"].body and "news.test/first" not in pages["view"].body
    assert "news.test/china" in pages["view"].body
    listed = web.get("/newsletter/daily/")
    assert f'href="/newsletter/daily/{day}/"' in listed.body
    assert "/newsletter/daily/" in web.get("/newsletter/").body
    moved = web.get("/newsletter/daily")
    assert (moved.status, moved.headers["location"]) == (301, "/newsletter/daily/")
    assert web.get("/newsletter").headers["location"] == "/newsletter/"
    for nothing in (
        "nothing",
        "%2f%2fevil.example",
        "daily/2020-01-01/",
        "daily/today/",
        "nothing/",
        "nothing/atom.xml",
        f"weekly/{day}/",
        "view/2.x",
    ):
        assert web.get(f"/newsletter/{nothing}").status == 404


def test_a_digest_has_a_feed_of_its_editions(web: Web) -> None:
    web.desk.send(web.desk.edition())
    reply = web.get("/newsletter/daily/atom.xml")
    feed = feedparser.parse(reply.body)
    assert not feed.bozo and reply.headers["content-type"].startswith("application/atom+xml")
    (entry,) = feed.entries
    assert entry.link == f"https://news.test/newsletter/daily/{web.desk.now.date()}/" and "first" in entry.content[0].value
    again = web.ask("GET", "/newsletter/daily/atom.xml", If_None_Match=reply.headers["etag"])
    assert (again.status, again.body) == (304, "")


# When things are not well


def test_a_locked_database_asks_for_patience_and_feeds_are_served_all_the_same(desk: Desk, tmp_path: Path) -> None:
    """Invariant 14."""
    desk.join("ann@example.com")
    with opened(desk, tmp_path / "public", busy_seconds=0.2) as web:
        link = leave_link(web)
        with desk.press.engine.connect().execution_options(dateline_writes=True) as holding, holding.begin():
            reply = web.ask("POST", link, b"List-Unsubscribe=One-Click", Content_Type=MARK)
            assert (reply.status, reply.headers["retry-after"]) == (503, "5")
            assert web.get(link).status == 200
            started = time.monotonic()
            assert web.get("/").status == 200 and time.monotonic() - started < 1
        assert standing(web) == "confirmed"
        assert web.post(link).status == 200 and standing(web) == "left"


def test_the_access_log_names_nobody_and_holds_no_token(desk: Desk, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    desk.join("ann@example.com")
    with caplog.at_level(logging.INFO), opened(desk, tmp_path / "public", access_log=True) as web:
        link = leave_link(web)
        for url in (
            link,
            f"{link}/more",
            f"/wrong{web.path(link)}",
            f"{choose_link(web)}/data.json?x=ann@example.com",
            "/a@b.example/",
        ):
            web.get(url)
        web.get("/")
        who = member(web)
    lines = [record.getMessage() for record in caplog.records if record.name == "dateline.access"]
    assert len(lines) == 6 and lines[0].startswith("GET /unsubscribe/... 200") and lines[-1].startswith("GET / 200")
    whole = "\n".join(lines)
    assert who not in whole and "@" not in whole and "127.0.0.1" not in whole and link.rpartition(".")[2] not in whole


def test_the_choice_of_a_week_brings_the_best_since_the_last(web: Web, server: Server) -> None:
    """One edition in each ISO week, with what the others got meanwhile."""
    save(web, frequency="weekly")
    monday = datetime(2026, 11, 23, 7, tzinfo=UTC)
    for number in range(10):
        web.desk.now = monday + timedelta(days=number)
        web.desk.report(f"n{number}")
        web.desk.send(web.desk.edition())
        for to, content in list(server.messages.items()):
            if to == "ann@example.com":
                told = read(content).get_body(("plain",)).get_content()  # type: ignore[union-attr]
                found = set(re.findall(r"news\.test/(n\d|first)\b", told))
                assert number in (0, 7), number
                # The first edition takes all there is; the next of theirs all that came after it.
                assert found == ({"first", "n0"} if number == 0 else {f"n{one}" for one in range(1, 8)})
        server.messages.clear()
    assert server.taken.count("ann@example.com") == 2 and server.taken.count("bob@example.com") == 10
    assert web.one("SELECT count(*) FROM editions") == (10,)


def test_consent_is_what_the_database_says_and_not_what_a_query_carries(web: Web) -> None:
    """Quotes, percent signs and other signs of SQL in a token find nobody."""
    before = web.state()
    for strange in ("' OR 1=1 --", "%", "_", "\\", "a' UNION SELECT * FROM subscribers --"):
        for path in ("unsubscribe", "preferences", "newsletter/view", "members/address"):
            assert web.get(f"/{path}/{quote(strange)}").status == 404
    with writing(web.desk.press.engine) as connection:
        connection.execute(text("SELECT 1"))
    assert web.state() == before
