"""One person, on the command line: their consent is shown, all that is kept is given out, and erased when they ask."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from programs import PROGRAM, Program, write_article
from reception_desk import token_in
from test_digest_by_mail import server, transport

from dateline import clock
from dateline.site import Site
from newsletter.join_request import JoinRequest
from newsletter.joining import Joining, Result

__all__ = ["server"]


def ask(site: Path, email: str) -> Joining:
    """Signs up through the same door as the web form."""
    joining = Joining(Site(site).reception)
    token = joining.form_token(clock.now() - timedelta(seconds=5))
    request = JoinRequest(email, token, regions=("CN",), page="https://news.test/", client="203.0.113.77")
    assert joining.ask(request, clock.now()).value == "taken"
    return joining


def told(dateline: Program, *words: str) -> Any:
    return json.loads(dateline("subscribers", *words).stdout)


def test_the_service_sends_the_mail_that_a_sign_up_waits_for(dateline: Program, site: Path, server: Any) -> None:
    joining = ask(site, "ann@example.com")
    service = subprocess.Popen(
        [PROGRAM, "--site", site, "run"], env=dateline.environment | transport(server), stderr=subprocess.PIPE, text=True
    )
    until = time.monotonic() + 60
    while not server.handler.messages and time.monotonic() < until:
        time.sleep(0.1)
    service.send_signal(signal.SIGTERM)
    _, said = service.communicate(timeout=60)
    assert service.returncode == 0 and "Traceback" not in said, said
    ((to, mail),) = server.handler.messages
    assert to == "ann@example.com"
    assert joining.confirm(token_in(mail), clock.now(), "198.51.100.9").result is Result.JOINED
    shown = told(dateline, "show", "Ann@Example.com", "--json")
    assert shown["subscriber"]["state"] == "confirmed"
    assert [(one["event"], one["network"]) for one in shown["consents"]] == [
        ("asked", "203.0.113.0/24"), ("confirmed", "198.51.100.0/24"),
    ]  # fmt: skip
    words = dateline("subscribers", "show", "ann@example.com").stdout
    assert "confirmed" in words and "I would like to get the newsletter" in words and "CN" in words


@pytest.fixture
def ann(dateline: Program, site: Path) -> str:
    """A member who has got an edition, bounced, asked again, and whose address is in every table that has one."""
    write_article(site, region="CN")
    dateline("publish")
    list_ = site / "list.csv"
    list_.write_text("email,regions\nann@example.com,CN\n")
    dateline("subscribers", "import", list_, "--confirmed")
    dateline("subscribers", "add", "bob@example.com", "--confirmed")
    dateline("digest", "send", "daily")
    ask(site, "Ann@Example.com")
    dateline("suppressions", "add", "ann@example.com")
    dateline("suppressions", "lift", "ann@example.com", "--why", "by mistake")
    return "ann@example.com"


def test_an_imported_member_has_the_source_as_evidence(dateline: Program, ann: str) -> None:
    """Invariant 23."""
    (consent,) = told(dateline, "show", ann, "--json")["consents"]
    assert consent["event"] == "imported" and "list.csv" in consent["source"]
    (by_hand,) = told(dateline, "show", "bob@example.com", "--json")["consents"]
    assert (by_hand["event"], by_hand["source"]) == ("by hand", "command line")


def test_all_that_is_kept_about_a_person_is_given_out(dateline: Program, site: Path, ann: str) -> None:
    """Invariant 41: every row of every table that knows the address or its member is in the export."""
    whole = told(dateline, "export", ann)
    assert whole["subscriber"]["regions"] == ["CN"] and whole["consents"] and whole["waiting_mails"]
    assert [one["digest"] for one in whole["deliveries"]] == ["daily"] and whole["deliveries"][0]["state"] == "sent"
    assert [one["lifted_why"] for one in whole["suppressions"]] == ["by mistake"]
    assert "bob@example.com" not in json.dumps(whole)
    kept_in = {table for table, text in rows(site) if "ann@example.com" in text.lower()}
    assert kept_in == {"subscribers", "deliveries", "pending_mails"}
    file = site / "ann.json"
    dateline("subscribers", "export", ann, "--output", file)
    assert json.loads(file.read_text()) == whole


def test_erasing_leaves_a_hashed_suppression_and_nothing_else(dateline: Program, site: Path, ann: str) -> None:
    """Invariants 23 and 41."""
    public_id = told(dateline, "show", ann, "--json")["subscriber"]["public_id"]
    refused = dateline("subscribers", "erase", ann, code=2)
    assert "--yes" in refused.stderr and told(dateline, "show", ann, "--json")["subscriber"]["state"] == "confirmed"
    dateline("subscribers", "erase", ann, "--yes")
    everything = rows(site)
    for known in ("ann@example.com", public_id, "list.csv"):
        left = [(table, text) for table, text in everything if known in text.lower() and "bob@" not in text]
        assert left == [], known
    (suppression,) = [text for table, text in everything if table == "suppressions"]
    assert "erased" in suppression
    left = told(dateline, "export", ann)
    assert [one["reason"] for one in left["suppressions"]] == ["erased"] and not left["subscriber"] and not left["deliveries"]
    dateline("subscribers", "import", site / "list.csv", "--confirmed")
    assert "suppressed" in dateline("subscribers", "add", ann, "--confirmed", code=1).stdout
    # The edition's figures still add up, and its members are still mailed.
    assert "2" in dateline("digest", "status", "daily").stdout
    write_article(site, "2026-11-03-second.md", title="Second")
    dateline("publish")
    dateline("subscribers", "erase", "nobody@example.com", "--yes", code=1)


def test_nothing_kept_is_said_plainly(dateline: Program) -> None:
    assert "nothing is kept" in dateline("subscribers", "show", "nobody@example.com", code=1).stderr
    assert "not an email address" in dateline("subscribers", "export", "nobody", code=1).stderr


def rows(site: Path) -> list[tuple[str, str]]:
    """Every row of the database as text, with its table."""
    with sqlite3.connect(site / "dateline.db") as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return [(name, repr(row)) for name in names for row in connection.execute(f"SELECT * FROM {name}")]


def test_the_list_is_searched_and_counted(dateline: Program) -> None:
    for email in ("ann@example.com", "bob@Example.org", "cy@elsewhere.test"):
        dateline("subscribers", "add", email, "--confirmed")
    assert dateline("subscribers", "list").stdout.rstrip().endswith("3 subscribers")
    found = dateline("subscribers", "list", "--search", "EXAMPLE").stdout
    assert found.rstrip().endswith("2 of 3 subscribers") and "ann@" in found and "cy@" not in found
    assert [one["email"] for one in told(dateline, "list", "--search", "cy@", "--json")] == ["cy@elsewhere.test"]
    assert dateline("subscribers", "list", "--search", "nobody").stdout.rstrip().endswith("0 of 3 subscribers")
