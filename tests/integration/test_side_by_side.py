"""The schedule looks after each digest by itself, by the time that it is when it comes to it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from acts import Act, Moment, Scene
from mailroom import ROOT, Desk
from ordeal import seat
from rogue import Rogue

from content.database import reading
from newsletter.editions import Press
from newsletter.ledger import Ledger
from newsletter.schedule import Schedule
from newsletter.sending import open_transport

CONNECTIONS = 4


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Rogue]:
    with Rogue(tmp_path / "accepted.log") as rogue:
        yield rogue


def schedule_of(desk: Desk, *presses: Press) -> Schedule:
    everything = presses or (desk.press,)
    return Schedule(everything, lambda: open_transport(ROOT, desk.press.site, desk.press.newsletter), lambda: desk.now)


def test_a_slow_digest_holds_up_no_other(tmp_path: Path, server: Rogue) -> None:
    """The daily one waits for its server, and the weekly one goes out meanwhile, at its hour and at a look round."""
    hold = threading.Event()

    def plan(scene: Scene) -> Act | None:
        if scene.moment is Moment.END and scene.connection <= CONNECTIONS:
            hold.wait(20)
        return None

    server.plan = plan
    desk = seat(tmp_path, server)
    weekly = replace(desk.press, digest=desk.press.digest.model_copy(update={"name": "weekly", "title": "Weekly"}))
    schedule = schedule_of(desk, desk.press, weekly)
    slow = threading.Thread(target=schedule.run_due, args=[desk.press])
    slow.start()
    try:
        deadline = time.monotonic() + 10
        while server.commands["DATA"] < CONNECTIONS and time.monotonic() < deadline:
            time.sleep(0.02)
        started = time.monotonic()
        schedule.catch_up()
        assert slow.is_alive() and time.monotonic() - started < 15
        with reading(weekly.engine) as connection:
            last = Ledger(connection).last("weekly")
        assert last and last.state == "sent" and server.taken == last.recipients
    finally:
        hold.set()
        slow.join()


def test_what_waits_for_its_turn_asks_for_the_time_when_it_has_it(tmp_path: Path, server: Rogue) -> None:
    """A date that comes while the one before is being sent is not judged by the time at which it began to wait."""
    gate = threading.Event()

    def plan(scene: Scene) -> None:
        gate.wait(20)

    server.plan = plan
    desk = seat(tmp_path, server)
    schedule = schedule_of(desk)
    first = threading.Thread(target=schedule.run_due, args=[desk.press])
    first.start()
    deadline = time.monotonic() + 10
    while not server.connections and time.monotonic() < deadline:
        time.sleep(0.02)
    second = threading.Thread(target=schedule.run_due, args=[desk.press])
    second.start()
    time.sleep(0.3)
    desk.report("second")
    desk.now += timedelta(days=1)
    gate.set()
    first.join()
    second.join()
    with reading(desk.press.engine) as connection:
        last = Ledger(connection).last("daily")
    assert last and last.local_date == desk.press.local_date(desk.now)


def test_a_clock_that_was_ahead_once_silences_no_digest(
    tmp_path: Path, server: Rogue, caplog: pytest.LogCaptureFixture
) -> None:
    """Invariant 13."""
    server.plan = lambda scene: None
    desk = seat(tmp_path, server)
    schedule = schedule_of(desk)
    desk.now += timedelta(days=30)
    schedule.run_due(desk.press)
    members = server.taken
    desk.now -= timedelta(days=30)
    with caplog.at_level(logging.WARNING, "dateline.schedule"):
        for day in range(4):
            desk.now += timedelta(days=1)
            desk.report(f"news of day {day}")
            schedule.catch_up()
            schedule.catch_up()
    assert members and server.taken == 5 * members
    assert len([record for record in caplog.records if "a clock was or is wrong" in record.message]) == 1
