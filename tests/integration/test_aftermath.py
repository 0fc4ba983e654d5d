"""What comes after a sending that went wrong: killed, stopped, paused, cancelled; and how that is seen."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from acts import Act, Moment, Scene, answering_after
from ordeal import seat
from publication import DIGEST, Publication, environment, lay_out
from rogue import Rogue

from content.database import reading
from dateline import clock
from dateline.cli.delivery_reports import COLUMNS, write_csv
from newsletter import holder
from newsletter.ledger import EndedError, Ledger

MEMBERS = [f"m{number:03}@example.com" for number in range(60)]
SUM, CONNECTIONS = len(MEMBERS), 4


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Rogue]:
    with Rogue(tmp_path / "accepted.log", answering_after(0.1)) as rogue:
        yield rogue


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("laid-out") / "site", MEMBERS)


@pytest.fixture
def site(tmp_path: Path, laid_out: Path, server: Rogue) -> Publication:
    root = shutil.copytree(laid_out, tmp_path / "site")
    return Publication(root, articles=1, transport=server.address, connections=CONNECTIONS)


@contextmanager
def running(command: Sequence[str]) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            yield process
        finally:
            process.kill()


def kill_a_sender(site: Publication, server: Rogue) -> int:
    """Sends, and kills the sender while messages are on the wire; returns how many that were."""
    with running(site.command("digest", "send", DIGEST)) as process:
        assert server.wait_for(10, 20)
        process.kill()
        process.wait()
    return ask(site, "SELECT count(*) FROM deliveries WHERE state = 'sending'")


def ask(site: Publication, question: str) -> Any:
    with closing(sqlite3.connect(site.database, timeout=30)) as connection:
        return connection.execute(question).fetchone()[0]


def status(site: Publication) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(site.run("digest", "status", DIGEST, "--json").stdout)
    return told


# A killed sender


def test_an_edition_whose_sender_was_killed_can_be_cancelled_to_the_last_recipient(site: Publication, server: Rogue) -> None:
    """Invariants 4 and 8: who may have got it is not said to have been left out."""
    on_the_wire = kill_a_sender(site, server)
    assert on_the_wire
    said = site.run("digest", "cancel", DIGEST, "--yes").stdout
    told = status(site)
    balance = told["balance"]
    assert told["left"] == 0 and told["finished"] is True and sum(balance.values()) == SUM
    assert balance["in doubt"] == on_the_wire and set(balance) == {"sent", "in doubt", "suppressed"}
    assert f"{balance['suppressed']} recipients will not get it" in said and "may have got it" in said
    assert ask(site, "SELECT finished_at IS NOT NULL FROM editions")


def test_a_sender_that_dies_after_the_edition_was_cancelled_leaves_nothing_open(site: Publication, server: Rogue) -> None:
    """The cancelling leaves a living sender what it holds, and the schedule's look round ends that when it has died."""
    with running(site.command("digest", "send", DIGEST)) as process:
        assert server.wait_for(10, 20)
        halt(site, process)
        site.run("digest", "cancel", DIGEST, "--yes")
        assert status(site)["left"] > 0 and not ask(site, "SELECT finished_at IS NOT NULL FROM editions")
        process.kill()
        process.wait()
    with running(site.command("run")):
        deadline = time.monotonic() + 20
        while status(site)["left"] and time.monotonic() < deadline:
            time.sleep(0.2)
    told = status(site)
    assert told["left"] == 0 and told["finished"] is True and told["state"] == "cancelled"
    assert ask(site, "SELECT finished_at IS NOT NULL FROM editions")


def halt(site: Publication, process: subprocess.Popen[str]) -> None:
    """Stops a sender, but not within a commit: nobody else could write while it stands still."""
    for _ in range(200):
        process.send_signal(signal.SIGSTOP)
        try:
            with closing(sqlite3.connect(site.database, timeout=0, isolation_level=None)) as database:
                database.execute("BEGIN IMMEDIATE")
                database.execute("ROLLBACK")
        except sqlite3.OperationalError:
            process.send_signal(signal.SIGCONT)
            time.sleep(0.01)
        else:
            return
    raise AssertionError("the sender is always within a commit")


def test_cancelling_once_more_ends_what_a_sender_left_that_died_since(site: Publication, server: Rogue) -> None:
    with running(site.command("digest", "send", DIGEST)) as process:
        assert server.wait_for(10, 20)
        halt(site, process)
        site.run("digest", "cancel", DIGEST, "--yes")
        process.kill()
        process.wait()
    site.run("digest", "cancel", DIGEST, "--yes")
    ended = ask(site, "SELECT finished_at FROM editions")
    assert status(site)["left"] == 0 and ended
    site.run("digest", "cancel", DIGEST, "--yes")
    assert ask(site, "SELECT finished_at FROM editions") == ended


def test_who_is_in_doubt_is_named_before_another_sender_comes(site: Publication, server: Rogue) -> None:
    """Invariant 8."""
    on_the_wire = kill_a_sender(site, server)
    told = status(site)
    assert len(told["in_doubt"]) == told["doubted"] == on_the_wire
    assert {one["state"] for one in told["in_doubt"]} == {"sending"}
    shown = site.run("digest", "status", DIGEST).stderr
    for one in told["in_doubt"]:
        assert f"{one['email']}: in doubt (its sender died)" in shown
    server.plan = lambda scene: None
    site.send()
    after = status(site)
    assert {one["email"] for one in after["in_doubt"]} == {one["email"] for one in told["in_doubt"]}
    assert {(one["state"], one["times_in_doubt"]) for one in after["in_doubt"]} == {("sent", 1)}


def test_who_is_in_doubt_comes_before_the_many_that_are_only_late(site: Publication, server: Rogue) -> None:
    late = MEMBERS[:30]

    def plan(scene: Scene) -> str | Act | None:
        if scene.moment is Moment.END and scene.recipient == MEMBERS[-1]:
            return Act(drop=True, accept=True)
        if scene.moment is Moment.RCPT and scene.recipient == MEMBERS[-2]:
            return "550 5.2.0 no"
        return "450 4.2.0 greylisted" if scene.moment is Moment.RCPT and scene.recipient in late else None

    server.plan = plan
    site.configure(transport=server.address, connections=CONNECTIONS, in_doubt="hold")
    site.run("digest", "send", DIGEST, codes=[1])
    named = site.run("digest", "status", DIGEST).stderr.splitlines()
    assert MEMBERS[-1] in named[0] and "in doubt" in named[0] and MEMBERS[-2] in named[1] and "failed" in named[1]
    assert len(named) == 2 + 20 + 1 and all("deferred" in line for line in named[2:])
    assert "... and 10 more deferred" in named[-1] and "--csv" in named[-1]
    assert len(status(site)["troubles"]) == 32


# Senders in containers


def test_a_process_number_says_nothing_in_another_namespace() -> None:
    """Invariant 12: two containers of one hostname count their processes each from 1."""
    now, name = clock.now(), holder.my_name()
    soon = now.timestamp() + 60
    assert holder.is_gone(name, soon, now), "no sender of ours has that name"
    host, pid, started, namespace, lot = name.split(":")
    elsewhere = ":".join([host, pid, started, namespace + "1", lot])
    assert not holder.is_gone(elsewhere, soon, now)
    assert holder.is_gone(elsewhere, now.timestamp() - 1, now)
    assert not holder.is_gone(":".join([host, "999999", "1", namespace + "1", lot]), soon, now)


def test_senders_of_two_namespaces_on_one_host_share_an_edition(site: Publication, server: Rogue) -> None:
    """Invariant 12."""
    apart = ["unshare", "-p", "-f", "--mount-proc"]
    try:
        subprocess.run([*apart, "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no PID namespace can be made here")
    with running(site.command("digest", "send", DIGEST)) as first:
        assert server.wait_for(10, 20)
        with running([*apart, *site.command("digest", "send", DIGEST)]) as second:
            assert {first.wait(40), second.wait(40)} <= {0, 1}
    server.plan = lambda scene: None
    site.send()
    assert server.copies() == dict.fromkeys(MEMBERS, 1)
    assert ask(site, "SELECT sum(doubts) FROM deliveries") == 0


# Trying again


def refuse_one(scene: Scene) -> str | None:
    return "550 5.2.0 no" if scene.moment is Moment.RCPT and scene.recipient == MEMBERS[0] else None


def test_trying_the_failed_again_leaves_a_paused_edition_paused(site: Publication, server: Rogue) -> None:
    server.plan = lambda scene: refuse_one(scene) or answering_after(0.1)(scene)
    with running(site.command("digest", "send", DIGEST)) as process:
        assert server.wait_for(10, 20)
        site.run("digest", "pause", DIGEST)
        process.wait(20)
    taken = server.taken
    said = site.run("digest", "retry", DIGEST, "--failed").stdout
    assert "1 recipient" in said and "stays paused (by hand)" in said and "resume" in said
    told = status(site)
    assert told["state"] == "paused" and told["note"] == "by hand" and "failed" not in told["balance"]
    site.run("digest", "send", DIGEST, codes=[1])
    assert server.taken == taken
    server.plan = lambda scene: None
    site.run("digest", "resume", DIGEST)
    site.send()
    assert server.copies() == dict.fromkeys(MEMBERS, 1)


def test_nobody_is_tried_again_of_a_cancelled_edition(tmp_path: Path, server: Rogue) -> None:
    desk = seat(tmp_path, server)
    edition = desk.edition()
    server.plan = lambda scene: "550 5.2.0 no" if scene.moment is Moment.RCPT else None
    desk.send(edition)
    with desk.press.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE editions SET state = 'cancelled'")
    with reading(desk.press.engine) as connection, pytest.raises(EndedError, match="was cancelled, and that is for good"):
        Ledger(connection).retry(edition, ["failed"], desk.now)  # type: ignore[list-item]


def test_who_asks_to_try_a_cancelled_edition_again_is_told_why_not(site: Publication, server: Rogue) -> None:
    server.plan = lambda scene: refuse_one(scene) or answering_after(0.1)(scene)
    with running(site.command("digest", "send", DIGEST)) as process:
        assert server.wait_for(10, 20)
        site.run("digest", "cancel", DIGEST, "--yes")
        process.wait(20)
    before = status(site)
    assert before["balance"]["failed"] == 1
    assert "was cancelled, and that is for good" in site.run("digest", "retry", DIGEST, "--failed", codes=[1]).stderr
    assert status(site) == before


# Stopping


def wait_until_it_catches(process: subprocess.Popen[str], number: signal.Signals) -> None:
    status_file, deadline = Path(f"/proc/{process.pid}/status"), time.monotonic() + 20
    while time.monotonic() < deadline:
        (caught,) = [line for line in status_file.read_text().splitlines() if line.startswith("SigCgt")]
        if int(caught.split()[1], 16) >> (number - 1) & 1:
            return
        time.sleep(0.02)
    raise AssertionError(f"the sender never came to catch {number.name}")


def test_a_sending_that_is_stopped_before_it_begins_says_so(site: Publication, server: Rogue) -> None:
    """Invariant 33. Another process keeps the database, so that the edition is being made when the signal comes."""
    with closing(sqlite3.connect(site.database, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with running(site.command("digest", "send", DIGEST)) as process:
            wait_until_it_catches(process, signal.SIGTERM)
            process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            other.execute("ROLLBACK")
            out, _ = process.communicate(timeout=30)
    assert process.returncode == 1 and "stopped before sending: the edition of" in out and "send again" in out
    assert server.taken == 0
    server.plan = lambda scene: None
    site.send()
    assert server.copies() == dict.fromkeys(MEMBERS, 1)


# Watching


def test_a_watched_sending_is_told_as_one_object_a_line(site: Publication, server: Rogue) -> None:
    server.plan = lambda scene: Act(wait=0.2) if scene.moment is Moment.END else None
    with running(site.command("digest", "send", DIGEST)) as process:
        assert server.wait_for(5, 20)
        told = site.run("digest", "status", DIGEST, "--watch", "--json").stdout
        process.wait(30)
    watched = [json.loads(line) for line in told.splitlines()]
    assert len(watched) >= 2 and watched[0]["senders"] and not watched[-1]["senders"]
    assert watched[-1]["state"] == "sent" and watched[-1]["balance"] == {"sent": SUM}
    sent = [one["balance"].get("sent", 0) for one in watched]
    assert sent == sorted(sent)


def test_who_reads_the_balance_slowly_keeps_no_transaction_open(tmp_path: Path, server: Rogue) -> None:
    """The write-ahead log can be emptied in the middle of it, which an open reader would prevent."""
    desk = seat(tmp_path, server)
    edition = desk.edition()
    with desk.press.engine.begin() as connection:
        connection.exec_driver_sql(
            "WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 2599) "
            "INSERT INTO subscribers (id, public_id, email, email_key, state, regions, digests, origin, created_at) "
            "SELECT i, 'p' || i, i || '@x.test', i || '@x.test', 'confirmed', '', '', 'test', '2026-11-01 00:00:00' FROM n"
        )
        connection.exec_driver_sql(
            "INSERT INTO deliveries (edition_id, subscriber_id, variant_id, email, state, attempts, doubts, ahead, changed_at) "
            "SELECT edition_id, subscribers.id, variants.id, email, 'sent', 1, 0, 0, '2026-11-23 07:00:00' "
            "FROM subscribers, variants WHERE subscribers.id >= 100"
        )
    # Another edition's deliveries lie behind, which are none of this one's.
    desk.now += timedelta(days=1)
    desk.report("second")
    desk.edition()
    pipe = tmp_path / "sheet"
    os.mkfifo(pipe)
    writer = threading.Thread(target=write_csv, args=[desk.press, edition, str(pipe)])
    writer.start()
    with pipe.open(newline="") as file:
        head = file.readline()
        # The writer fills the pipe and waits for us.
        time.sleep(0.5)
        assert writer.is_alive()
        with closing(sqlite3.connect(tmp_path / "dateline.db")) as other:
            other.execute("UPDATE deliveries SET attempts = attempts")
            other.commit()
            is_busy = other.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        rows = list(csv.reader([head, *file]))[1:]
    writer.join()
    assert not is_busy
    assert len(rows) == 2512 and len({row[0] for row in rows}) == 2512


def test_a_digest_whose_balance_is_empty_has_a_csv_with_a_heading_only(tmp_path: Path, server: Rogue) -> None:
    desk = seat(tmp_path, server)
    edition = desk.edition()
    with desk.press.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM deliveries")
    write_csv(desk.press, edition, str(tmp_path / "sheet.csv"))
    with (tmp_path / "sheet.csv").open(newline="") as file:
        assert list(csv.reader(file)) == [COLUMNS]
