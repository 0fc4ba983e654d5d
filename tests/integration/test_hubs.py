"""Hubs are told of changed feeds over real HTTP, by hubs that misbehave in every way."""

from __future__ import annotations

import socket
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from feeds.hubs import HubReport, Hubs
from feeds.settings import FeedSettings

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TOPIC = "https://news.test/feeds/atom.xml"
Behaviour = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.form = parse_qs(body, strict_parsing=True)
        self.server.posts.append(self)
        script = self.server.script
        with suppress(OSError):
            (script.pop(0) if script else self.server.otherwise)(self)

    def do_GET(self) -> None:
        raise AssertionError("nobody has reason to get anything from a hub")

    def log_message(self, *_: object) -> None:
        pass


def reply(status: int, body: bytes = b"", **headers: str) -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        if status != 204:
            handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return behave


def close(handler: Handler) -> None:
    handler.close_connection = True


def reset(handler: Handler) -> None:
    # SO_LINGER of 0 seconds: the connection ends with RST.
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    handler.connection.close()


def hang(handler: Handler) -> None:
    handler.server.released.wait(30)
    handler.close_connection = True


def gibberish(handler: Handler) -> None:
    handler.wfile.write(b"220 mail.test ESMTP\r\n")
    handler.close_connection = True


def drip(handler: Handler) -> None:
    """A reply whose headers never end; each byte comes before any timeout."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Patience: ")
    while not handler.server.released.wait(0.02):
        handler.wfile.write(b"x")


def endless(status: int) -> Behaviour:
    def behave(handler: Handler) -> None:
        handler.send_response(status)
        handler.end_headers()
        while not handler.server.released.is_set():
            handler.wfile.write(b"\x1b[31mall work and no play " * 4000)

    return behave


class Hub(ThreadingHTTPServer):
    """A hub on loopback. It plays its script, one behaviour a POST, then goes on as it does ``otherwise``."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.posts: list[Handler] = []
        self.script: list[Behaviour] = []
        self.otherwise: Behaviour = reply(204)
        self.released = threading.Event()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/push"

    @property
    def told(self) -> list[str]:
        """The topics of all POSTs."""
        return [topic for post in self.posts for topic in post.form["hub.url"]]

    def handle_error(self, *_: object) -> None:
        pass


class Site:
    """A publisher's side: a database file, a clock that tests move, and pauses that take no time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = NOW
        self.pauses: list[float] = []
        self.addresses: list[str] = []
        self.timeout: float = 5

    def hubs(self) -> Hubs:
        """A new object on a new connection: what another process would have."""
        connection = sqlite3.connect(self.path, isolation_level=None)
        # Shorter timeouts than an operator can set.
        settings = FeedSettings(hubs=self.addresses).model_copy(update={"hub_timeout_seconds": self.timeout})
        return Hubs(connection, settings, lambda: self.now, pause=self.pauses.append)

    def tell(self, *topics: str, budget_seconds: float = 20) -> HubReport:
        """Notes topics and tells the only hub that is due."""
        self.hubs().note(topics)
        (report,) = self.hubs().tell(budget_seconds=budget_seconds)
        return report

    def later(self, **amount: float) -> None:
        self.now += timedelta(**amount)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def running_hub() -> Iterator[Hub]:
    hub = Hub()
    thread = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield hub
    hub.released.set()
    hub.shutdown()
    hub.server_close()
    thread.join()


hub = pytest.fixture(running_hub, name="hub")
second_hub = pytest.fixture(running_hub, name="second_hub")


@pytest.fixture
def site(tmp_path: Path, hub: Hub) -> Site:
    site = Site(tmp_path / "hubs.db")
    site.addresses = [hub.address]
    return site


@pytest.fixture
def dead_address() -> Iterator[str]:
    """Where nobody listens: bound, so that nobody else gets it meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"


# What a hub hears


def test_a_hub_hears_of_changed_feeds_in_a_form(site: Site, hub: Hub) -> None:
    report = site.tell(TOPIC, "https://news.test/a?b=c&d=é")
    assert report == HubReport(hub.address, told=2, failed=0, error="", next_attempt=None)
    (post,) = hub.posts
    topics = ["https://news.test/a?b=c&d=é", TOPIC]
    assert post.form == {"hub.mode": ["publish"], "hub.url": topics, "hub.topic": topics}
    assert post.path == "/push"
    assert post.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert post.headers["User-Agent"].startswith("dateline/")


def test_the_query_of_a_hub_is_part_of_its_address(site: Site, hub: Hub) -> None:
    site.addresses = [f"{hub.address}?token=sesame"]
    assert site.tell(TOPIC).told == 1
    assert hub.posts[0].path == "/push?token=sesame"


@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_2xx_settles_a_topic(site: Site, hub: Hub, status: int) -> None:
    hub.otherwise = reply(status)
    assert site.tell(TOPIC).told == 1
    assert site.hubs().pending() == [] and site.hubs().tell() == []


def test_many_topics_go_in_few_posts(site: Site, hub: Hub) -> None:
    topics = [f"https://news.test/feeds/{number:03}.xml" for number in range(300)]
    assert site.tell(*topics).told == 300
    assert [len(post.form["hub.url"]) for post in hub.posts] == [50] * 6
    assert sorted(hub.told) == topics
    assert len({post.client_address for post in hub.posts}) <= 6


# Trouble


@pytest.mark.parametrize("trouble", [reply(500), reply(503), reply(429), reply(408), reply(425), close, reset, gibberish])
def test_trouble_that_passes_is_not_noticed(site: Site, hub: Hub, trouble: Behaviour) -> None:
    hub.script = [trouble, trouble]
    assert site.tell(TOPIC) == HubReport(hub.address, told=1, failed=0, error="", next_attempt=None)
    assert len(hub.posts) == 3
    assert len(site.pauses) == 2 and 0.5 <= site.pauses[0] <= 1 <= site.pauses[1] <= 2


def test_a_hub_that_fails_is_told_when_it_recovers(site: Site, hub: Hub) -> None:
    hub.otherwise = reply(500, b"out of memory")
    report = site.tell(TOPIC)
    assert report == HubReport(hub.address, 0, 1, "answers 500: out of memory", NOW + timedelta(minutes=1))
    assert len(hub.posts) == 4
    (pending,) = site.hubs().pending()
    assert (pending.topics, pending.attempts, pending.error) == (1, 1, "answers 500: out of memory")

    hub.otherwise = reply(204)
    site.later(seconds=59)
    assert site.hubs().tell() == []
    site.later(seconds=1)
    (report,) = site.hubs().tell()
    assert (report.told, report.failed, report.error) == (1, 0, "")
    assert site.hubs().pending() == []


def test_the_wait_doubles_up_to_six_hours(site: Site, hub: Hub) -> None:
    hub.otherwise = reply(500)
    waits = []
    report = site.tell(TOPIC)
    for _ in range(11):
        assert report.next_attempt
        waits.append((report.next_attempt - site.now) / timedelta(minutes=1))
        site.now = report.next_attempt
        (report,) = site.hubs().tell()
    assert waits == [1, 2, 4, 8, 16, 32, 64, 128, 256, 360, 360]


def test_a_hub_in_trouble_is_left_alone_whatever_is_published(site: Site, hub: Hub) -> None:
    hub.otherwise = reply(500)
    due = site.tell(TOPIC).next_attempt
    hub.posts.clear()
    site.hubs().note([TOPIC, "https://news.test/feeds/new.xml"])
    assert site.hubs().tell() == [] and hub.posts == []
    (pending,) = site.hubs().pending()
    assert (pending.topics, pending.next_attempt) == (2, due)
    site.later(minutes=1)
    (report,) = site.hubs().tell()
    assert report.failed == 2 and report.next_attempt == site.now + timedelta(minutes=2)


def test_trouble_in_the_middle_leaves_the_rest_for_later(site: Site, hub: Hub) -> None:
    hub.script = [reply(204)]
    hub.otherwise = reply(500)
    report = site.tell(*(f"https://news.test/{number:03}" for number in range(150)))
    assert (report.told, report.failed, len(hub.posts)) == (50, 100, 5)
    hub.otherwise = reply(204)
    hub.posts.clear()
    site.later(minutes=1)
    assert site.hubs().tell()[0].told == 100 and len(hub.posts) == 2


def test_a_hub_that_is_not_there_is_reported(site: Site, dead_address: str) -> None:
    site.addresses = [dead_address]
    assert site.tell(TOPIC) == HubReport(
        dead_address, 0, 1, "cannot be reached: Connection refused", NOW + timedelta(minutes=1)
    )


def test_an_unknown_host_is_reported(site: Site) -> None:
    site.addresses = ["http://hub.invalid/?token=sesame"]
    report = site.tell(TOPIC)
    assert report.failed == 1 and report.error and "sesame" not in str(report)


def test_a_hub_that_says_nothing_is_reported(site: Site, hub: Hub) -> None:
    hub.otherwise = hang
    site.timeout = 0.05
    report = site.tell(TOPIC)
    assert (report.failed, report.error, len(hub.posts)) == (1, "did not answer within 0.05 seconds", 4)


def test_a_hub_that_speaks_no_http_is_reported(site: Site, hub: Hub) -> None:
    hub.otherwise = gibberish
    assert site.tell(TOPIC).error == "cannot be reached: the connection broke"


# Retry-After


def test_a_short_retry_after_is_waited_for(site: Site, hub: Hub) -> None:
    hub.script = [reply(429, Retry_After="3")]
    assert site.tell(TOPIC).told == 1
    assert site.pauses == [3]


@pytest.mark.parametrize(
    ("header", "wait"),
    [("1800", timedelta(minutes=30)), ("6", timedelta(minutes=1)), ("999999999", timedelta(hours=6)), ("9" * 400, timedelta(hours=6)),
     (format_datetime(NOW + timedelta(hours=2), usegmt=True), timedelta(hours=2)),
     (format_datetime(NOW + timedelta(days=2), usegmt=True), timedelta(hours=6))],
)  # fmt: skip
@pytest.mark.parametrize("status", [429, 503])
def test_a_long_retry_after_is_left_to_a_later_run(site: Site, hub: Hub, status: int, header: str, wait: timedelta) -> None:
    hub.otherwise = reply(status, Retry_After=header)
    assert site.tell(TOPIC).next_attempt == NOW + wait
    assert len(hub.posts) == 1 and site.pauses == []


def test_a_retry_after_that_makes_no_sense_is_ignored(site: Site, hub: Hub) -> None:
    hub.script = [reply(429, Retry_After="when the cows come home")]
    assert site.tell(TOPIC).told == 1
    assert 0.5 <= site.pauses[0] <= 1


# Refusals


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 413])
def test_a_refusal_is_reported_and_retried_slowly(site: Site, hub: Hub, status: int) -> None:
    hub.otherwise = reply(status, b"no such\r\n  topic\x1b[31m\n")
    report = site.tell(TOPIC)
    assert report == HubReport(hub.address, 0, 1, f"answers {status}: no such topic [31m", NOW + timedelta(hours=1))
    assert len(hub.posts) == 1
    site.later(hours=1)
    assert site.hubs().tell()[0].next_attempt == site.now + timedelta(hours=2)


def test_a_refusal_keeps_back_neither_other_topics_nor_news(site: Site, hub: Hub) -> None:
    hub.script = [reply(400)]
    first = [f"https://news.test/{number:03}" for number in range(70)]
    report = site.tell(*first)
    assert (report.told, report.failed) == (20, 50)
    report = site.tell(first[0], "https://news.test/new")
    assert (report.told, report.failed, report.next_attempt) == (2, 0, NOW + timedelta(hours=1))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(site: Site, hub: Hub, second_hub: Hub, status: int) -> None:
    hub.otherwise = reply(status, Location=second_hub.address)
    report = site.tell(TOPIC)
    assert (report.failed, report.error) == (1, f"answers {status}: it has moved; its new address belongs in feeds.hubs")
    assert len(hub.posts) == 1 and second_hub.posts == []


def test_an_endless_reply_is_not_read(site: Site, hub: Hub) -> None:
    hub.script = [endless(200), endless(403)]
    assert site.tell(TOPIC).told == 1
    report = site.tell(TOPIC)
    assert report.error.startswith("answers 403: [31mall work") and len(report.error) < 220


# Secrets


@pytest.mark.parametrize(
    "trouble", [reply(500, b"sesame"), reply(404, b"token=sesame"), reply(302, Location="/?sesame"), close, hang]
)
@pytest.mark.parametrize("secret", ["?token=sesame", "@"])
def test_what_is_secret_in_an_address_is_never_shown(site: Site, hub: Hub, trouble: Behaviour, secret: str) -> None:
    hub.otherwise = trouble
    site.timeout = 0.02
    site.addresses = [hub.address.replace("//", "//user:sesame@") if secret == "@" else hub.address + secret]
    report = site.tell(TOPIC)
    assert (report.hub, report.failed) == (hub.address, 1)
    assert "sesame" not in repr((report, site.hubs().pending()))


def test_a_dead_hub_does_not_give_its_secret_away(site: Site, dead_address: str) -> None:
    site.addresses = [f"{dead_address}?token=sesame"]
    assert "sesame" not in repr((site.tell(TOPIC), site.hubs().pending()))


# Several hubs, and time


@pytest.mark.parametrize("trouble", [hang, drip])
def test_a_hub_that_hangs_delays_no_other_and_nobody_beyond_the_budget(
    site: Site, hub: Hub, second_hub: Hub, trouble: Behaviour
) -> None:
    second_hub.otherwise = trouble
    site.addresses = [second_hub.address, hub.address]
    site.hubs().note([TOPIC])
    begun = time.monotonic()
    hung, well = site.hubs().tell(budget_seconds=0.15)
    assert time.monotonic() - begun < 0.15 + 0.3
    assert (well.told, well.error) == (1, "")
    assert (hung.told, hung.failed, hung.next_attempt) == (0, 1, NOW + timedelta(minutes=1)) and hung.error
    second_hub.otherwise = reply(204)
    site.later(minutes=1)
    (report,) = site.hubs().tell()
    assert (report.hub, report.told) == (second_hub.address, 1)
    assert hub.told == [TOPIC]


def test_a_dead_hub_fails_alone(site: Site, hub: Hub, dead_address: str) -> None:
    site.addresses = [dead_address, hub.address]
    site.hubs().note([TOPIC])
    assert [(one.told, one.failed) for one in site.hubs().tell()] == [(0, 1), (1, 0)]
    assert [one.hub for one in site.hubs().pending()] == [dead_address]


def test_hubs_that_differ_in_their_query_only_are_two(site: Site, hub: Hub) -> None:
    site.addresses = [f"{hub.address}?a", f"{hub.address}?b"]
    site.hubs().note([TOPIC])
    assert [(one.told, one.next_attempt) for one in site.hubs().tell()] == [(1, None), (1, None)]


def test_nothing_is_posted_once_the_budget_is_spent(site: Site, hub: Hub) -> None:
    report = site.tell(TOPIC, budget_seconds=0)
    assert (report.told, report.failed) == (0, 1) and "next run" in report.error
    site.later(minutes=1)
    assert site.hubs().tell()[0].told == 1


def test_a_pause_longer_than_the_budget_is_not_begun(site: Site, hub: Hub) -> None:
    hub.otherwise = reply(429, Retry_After="4")
    assert site.tell(TOPIC, budget_seconds=3).failed == 1
    assert site.pauses == []


def test_a_slow_hub_is_told_the_rest_by_later_runs(site: Site, hub: Hub) -> None:
    def slowly(handler: Handler) -> None:
        time.sleep(0.1)
        reply(204)(handler)

    hub.otherwise = slowly
    report = site.tell(*(f"https://news.test/{number:03}" for number in range(200)), budget_seconds=0.25)
    assert 0 < report.told < 200 and report.told + report.failed == 200
    hub.otherwise = reply(204)
    site.later(minutes=1)
    assert site.hubs().tell()[0].told == report.failed


# Durability


def test_a_crash_between_noting_and_telling_loses_nothing(site: Site, hub: Hub) -> None:
    site.hubs().note([TOPIC])  # and the process is gone
    site.later(days=30)
    (report,) = site.hubs().tell()
    assert report.told == 1 and hub.told == [TOPIC]


def test_a_crash_while_telling_tells_again(site: Site, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Hubs, "_settle", crash)
        site.tell(TOPIC)
    assert site.hubs().tell()[0].told == 1
    assert hub.told == [TOPIC, TOPIC]


@pytest.mark.parametrize("status", [204, 500])
def test_a_topic_that_changes_while_a_hub_is_told_stays(site: Site, hub: Hub, status: int) -> None:
    def change(handler: Handler) -> None:
        site.hubs().note([TOPIC])
        reply(status)(handler)

    hub.otherwise = change
    site.tell(TOPIC, "https://news.test/other")
    hub.otherwise = reply(204)
    site.later(minutes=1)
    (report,) = site.hubs().tell()
    assert report.told == (1 if status == 204 else 2)
    assert site.hubs().pending() == []


def test_a_topic_told_and_noted_by_another_process_meanwhile_stays(site: Site, hub: Hub) -> None:
    def overtake(handler: Handler) -> None:
        site.hubs().tell()
        site.hubs().note([TOPIC])
        reply(204)(handler)

    hub.script = [overtake]
    site.tell(TOPIC)
    assert [one.topics for one in site.hubs().pending()] == [1]


def test_a_removed_hub_is_told_nothing(site: Site, hub: Hub, second_hub: Hub) -> None:
    site.addresses = [hub.address, second_hub.address]
    site.hubs().note([TOPIC])
    site.addresses = [hub.address]
    assert [one.hub for one in site.hubs().tell()] == [hub.address]
    assert second_hub.posts == []
    site.addresses = [hub.address, second_hub.address]
    assert site.hubs().tell() == [] and site.hubs().pending() == []


def test_a_wait_written_by_a_wrong_clock_does_not_last(site: Site, hub: Hub) -> None:
    site.now = NOW + timedelta(days=36500)
    site.hubs().note([TOPIC])
    site.now = NOW
    assert site.hubs().tell()[0].told == 1
