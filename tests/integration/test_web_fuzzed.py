"""Whatever is asked of the public addresses: no 5xx, no way to another site, no script, and nobody who wished for nothing is changed."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mailroom import Desk, Server
from webroom import Web, opened

from newsletter.consent import Wording
from newsletter.join_tokens import confirm_token, form_mark
from newsletter.settings import CONSENT

KINDS = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=b", "multipart/form-data", "text/plain; charset=nonsense",
         "multipart/form-data; boundary=b; charset=nonsense", "application/json", ""]  # fmt: skip
NAMES = [
    "digest",
    "region",
    "paused_until",
    "email",
    "form",
    "token",
    "sure",
    "language",
    "time_zone",
    "frequency",
    "_method",
    "page",
    "website",
]


@pytest.fixture(scope="module")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    folder = tmp_path_factory.mktemp("fuzzed")
    server = Server()
    server.address = f"maildir:{folder}/outbox"
    # So many that what is typed is looked at to the end.
    desk = Desk(folder, server, joins_per_network=1_000_000, joins_per_hour=1_000_000)
    desk.report("first", "CN")
    desk.join("ann@example.com")
    desk.send(desk.edition())
    with opened(desk, folder / "public") as running:
        yield running


def addresses(web: Web) -> list[str]:
    press, who = web.desk.press, web.one("SELECT public_id FROM subscribers")[0]
    known = [press.unsubscribe_url(who), press.preferences_url(who), press.view_url(1)]
    choose = web.path(known[1])
    leaving = press.tokens.unsubscribe(who)
    confirming = confirm_token(press.tokens, who, 1, "ann@example.com", web.desk.now)
    return [
        *map(web.path, known), f"{choose}/erase", f"{choose}/address", f"{choose}/data.json", "/members/undo", "/members/address/x",
        "/newsletter/join", "/newsletter/join", "/newsletter/join/start", "/newsletter/join/start", f"/join/confirm/{confirming}",
        f"/join/confirm/{leaving}", "/newsletter/", "/newsletter/daily/", "/newsletter/daily/atom.xml", f"/newsletter/daily/{web.desk.now.date()}/", "/healthz", "/",
    ]  # fmt: skip


TEXT = st.text(max_size=40)
PIECE = st.one_of(
    TEXT,
    st.sampled_from(["..", "", "//evil.example", "\\evil.example", "\0", "\r\nX: y", "%", "9" * 400, "{token}", "-" * 9000]),
)
FIELDS = st.lists(
    st.tuples(st.sampled_from(NAMES), st.one_of(TEXT, PIECE, st.sampled_from(["daily", "CN", "001", "2026-12-31", "yes"])))
)
BODY = st.one_of(
    st.binary(max_size=300),
    FIELDS.map(lambda fields: "&".join(f"{name}={quote(value)}" for name, value in fields).encode()),
    FIELDS.map(lambda fields: "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields
    ).encode("utf-8", "replace") + b"--b--\r\n"),
)  # fmt: skip


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nothing_that_is_asked_breaks_a_page(web: Web, data: st.DataObject) -> None:
    """Invariants 36 and 39."""
    path = data.draw(st.sampled_from(addresses(web)))
    change = data.draw(st.sampled_from(["none", "none", "append", "insert", "query"]))
    extra = quote(data.draw(PIECE), safe="/.{}")
    if change == "append":
        path += extra
    elif change == "insert":
        at = data.draw(st.integers(1, len(path)))
        path = path[:at] + extra + path[at:]
    elif change == "query":
        path += "?" + extra
    # Half of the forms bear a good mark, so that what is typed is looked at.
    body = data.draw(BODY)
    if path.startswith("/newsletter/join") and data.draw(st.booleans()):
        version, opened_at = Wording(CONSENT).version, datetime.now(UTC) - timedelta(seconds=10)
        body += f"&digest=daily&form={form_mark(web.desk.press.tokens, version, opened_at)}".encode()
    method = data.draw(st.sampled_from(["GET", "HEAD", "POST", "POST", "POST", "OPTIONS", "PUT", "BREW"]))
    headers = {
        "Content-Type": data.draw(st.sampled_from(KINDS)),
        "Host": data.draw(st.sampled_from(["news.test", "evil.example", ""])),
    }
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        reply = connection.getresponse()
        content = reply.read().decode("utf-8", "replace")
    finally:
        connection.close()
    assert reply.status < 500, (method, path, reply.status)
    target = reply.headers.get("Location", "/")
    assert re.match(r"\./|/(?![/\\])", target), (path, target)
    assert "evil.example" not in content or '<a href="//evil' not in content
    assert "<script" not in content.lower()


def test_the_fuzzed_member_is_still_there_or_left_by_her_own_link(web: Web) -> None:
    """Of all that was asked only her own link for leaving, with POST, may have done anything."""
    state, email = web.one("SELECT state, email FROM subscribers WHERE id = 1")
    assert state in ("confirmed", "left") and email == "ann@example.com"
