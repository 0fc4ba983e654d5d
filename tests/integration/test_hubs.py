"""WebSub hubs on loopback: obliging, busy, broken and gone."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from content.sqlite import connect
from feeds.hubs import TOGETHER, Hubs

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
TOPIC = "https://news.test/feeds/atom.xml"


class Hub:
    """A hub that answers as told: ``answers`` are statuses and headers, the last one for ever."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, dict[str, str]]] = [(204, {})]
        self.heard: list[dict[str, list[str]]] = []
        self.before: Callable[[], None] = lambda: None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = self.rfile.read(int(self.headers["Content-Length"])).decode()
                outer.before()
                outer.heard.append(parse_qs(form))
                status, headers = outer.answers.pop(0) if len(outer.answers) > 1 else outer.answers[0]
                if not status:
                    self.connection.close()
                    return
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *words: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hub?key=secret"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def topics(self) -> list[str]:
        return [topic for form in self.heard for topic in form["hub.url"]]


@pytest.fixture
def hub() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


@pytest.fixture
def other() -> Iterator[Hub]:
    hub = Hub()
    yield hub
    hub.server.shutdown()
    hub.server.server_close()


@pytest.fixture
def shelf(tmp_path: Path) -> Callable[..., Hubs]:
    """Hubs over one file, as one run after another opens them."""
    return lambda *hubs: Hubs(connect(tmp_path / "cache.db"), [hub.url if isinstance(hub, Hub) else hub for hub in hubs], 1)


def test_a_hub_hears_once_of_each_feed_that_changed(hub: Hub, shelf: Callable[..., Hubs]) -> None:
    """WebSub 7: a form with hub.mode and the topic's address."""
    hubs = shelf(hub)
    hubs.note([TOPIC, TOPIC])
    hubs.note([TOPIC, "https://news.test/feeds/rss.xml"])
    (report,) = hubs.tell(NOW)
    assert (report.told, report.waiting, report.error) == (2, 0, "")
    assert "secret" not in report.hub
    (form,) = hub.heard
    assert form["hub.mode"] == ["publish"]
    assert form["hub.url"] == form["hub.topic"] == [TOPIC, "https://news.test/feeds/rss.xml"]
    assert hubs.tell(NOW) == []
    assert len(hub.heard) == 1


def test_many_feeds_are_told_in_few_requests(hub: Hub, shelf: Callable[..., Hubs]) -> None:
    hubs = shelf(hub)
    topics = [f"https://news.test/feeds/{number:03}.xml" for number in range(3 * TOGETHER - 10)]
    hubs.note(topics)
    assert hubs.tell(NOW)[0].told == len(topics)
    assert len(hub.heard) == 3
    assert hub.topics == topics


@pytest.mark.parametrize("first", [500, 503, 0], ids=["an error", "unavailable", "a closed connection"])
def test_a_hub_that_stumbles_is_asked_again_at_once(hub: Hub, shelf: Callable[..., Hubs], first: int) -> None:
    hub.answers = [(first, {}), (202, {})]
    hubs = shelf(hub)
    hubs.note([TOPIC])
    assert hubs.tell(NOW)[0].error == ""
    assert len(hub.heard) == 2


def test_what_a_failing_hub_did_not_hear_is_told_by_a_later_run(hub: Hub, shelf: Callable[..., Hubs]) -> None:
    hub.answers = [(404, {})]
    hubs = shelf(hub)
    hubs.note([TOPIC])
    (report,) = hubs.tell(NOW)
    assert (report.told, report.waiting) == (0, 1)
    assert report.error == "it answers 404 Not Found"
    assert report.next_attempt == NOW + timedelta(minutes=1)
    hub.answers = [(200, {})]
    assert shelf(hub).tell(NOW + timedelta(seconds=59)) == []
    (report,) = shelf(hub).tell(NOW + timedelta(seconds=61))
    assert (report.told, report.error) == (1, "")
    assert shelf(hub).waiting() == 0


def test_the_wait_grows_with_every_failure(shelf: Callable[..., Hubs]) -> None:
    hubs, now, waits = shelf("http://127.0.0.1:9/nobody-listens"), NOW, []
    hubs.note([TOPIC])
    for _ in range(4):
        (report,) = hubs.tell(now, budget=0.2)
        assert report.next_attempt
        assert report.error == "it cannot be reached"
        waits.append((report.next_attempt - now).total_seconds())
        now = report.next_attempt
    assert waits == [60, 300, 1800, 7200]


@pytest.mark.parametrize("seconds", ["3600", None], ids=["in seconds", "as a date"])
def test_a_busy_hub_says_when_to_come_back(hub: Hub, shelf: Callable[..., Hubs], seconds: str | None) -> None:
    """RFC 9110 10.2.3."""
    date = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime(time.time() + 3600))
    hub.answers = [(429, {"Retry-After": seconds or date})]
    hubs = shelf(hub)
    hubs.note([TOPIC])
    (report,) = hubs.tell(NOW)
    assert report.next_attempt
    assert 3500 < (report.next_attempt - NOW).total_seconds() < 3700
    assert len(hub.heard) == 1


def test_a_hub_that_has_moved_is_not_followed(hub: Hub, other: Hub, shelf: Callable[..., Hubs]) -> None:
    hub.answers = [(302, {"Location": other.url})]
    hubs = shelf(hub)
    hubs.note([TOPIC])
    assert "set its new address" in hubs.tell(NOW)[0].error
    assert other.heard == []


def test_a_silent_hub_takes_no_longer_than_allowed_and_does_not_hold_up_another(
    hub: Hub, other: Hub, shelf: Callable[..., Hubs]
) -> None:
    hub.before = lambda: time.sleep(1.5)
    hubs = shelf(hub, other)
    hubs.note([TOPIC])
    begun = time.monotonic()
    slow, quick = hubs.tell(NOW, budget=0.5)
    assert time.monotonic() - begun < 1.4
    assert slow.error == "it does not answer in time"
    assert quick.told == 1


def test_a_change_while_a_hub_is_being_told_is_told_again(hub: Hub, shelf: Callable[..., Hubs]) -> None:
    hubs = shelf(hub)
    hubs.note([TOPIC])
    hub.before = lambda: shelf(hub).note([TOPIC])
    hubs.tell(NOW)
    hub.before = lambda: None
    assert hubs.waiting() == 1
    assert hubs.tell(NOW)[0].told == 1


def test_a_run_that_dies_before_telling_leaves_it_to_the_next(hub: Hub, shelf: Callable[..., Hubs]) -> None:
    shelf(hub).note([TOPIC])
    assert shelf(hub).tell(NOW)[0].told == 1


def test_a_hub_that_is_no_longer_configured_is_forgotten(hub: Hub, other: Hub, shelf: Callable[..., Hubs]) -> None:
    shelf(hub, other).note([TOPIC])
    assert [report.told for report in shelf(other).tell(NOW)] == [1]
    assert shelf(hub).tell(NOW) == []
    assert hub.heard == []
