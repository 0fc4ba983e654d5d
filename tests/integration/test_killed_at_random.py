"""Whatever is killed, locked or full: nobody is missed, and copies are few, bounded and listed."""

from __future__ import annotations

import atexit
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from acts import Act, Moment, answering_after
from publication import DIGEST, Publication, environment
from rogue import Rogue
from stable import Sender, Stable

from newsletter.settings import NewsletterSettings

CONNECTIONS = 4 if "connections" in NewsletterSettings.model_fields else 1
SEND = ("digest", "send", DIGEST, "--json")


@dataclass(frozen=True, slots=True)
class Stage:
    """A site whose digest is due, the server that it sends to, and where its senders come from."""

    site: Publication
    server: Rogue
    stable: Stable
    members: list[str]

    def start(self) -> Sender:
        return self.stable.start("--site", self.site.root, *SEND)

    def finish(self) -> None:
        """Sends what is left, as an operator does after a bad night."""
        for _ in range(3):
            self.site.send(codes=(0, 1))
            if self.site.is_sent():
                return
        raise AssertionError(f"the edition is not finished: {self.site.balance()}")

    def check(self, kills: int, connections: int = CONNECTIONS) -> None:
        """Nobody missed, doubles bounded and listed; prints the counts."""
        copies = self.server.copies()
        doubled = {recipient for recipient, number in copies.items() if number > 1}
        missed = set(self.members) - set(copies)
        listed = self.site.in_doubt()
        print(f"{len(self.members)} recipients, {kills} kills, {connections} connections at the most at a time:"
              f" {len(missed)} missed, {len(doubled)} doubled, {len(listed)} listed as in doubt")  # fmt: skip
        assert not missed and set(copies) == set(self.members)
        assert max(copies.values()) <= 2
        assert len(doubled) <= connections * kills
        assert doubled <= listed
        assert len({one.message_id for one in self.server.accepted()}) == len(self.members)
        assert self.server.sins == []
        assert self.site.is_intact()
        balance = self.site.balance()
        # Who was on the wire of two senders that died is left in doubt rather than mailed a third time.
        assert set(balance) <= {"sent", "in doubt"} and balance.get("in doubt", 0) <= len(listed)
        assert sum(balance.values()) == self.site.recipients() == len(self.members)


@cache
def published() -> Path:
    """A site with today's news and no members, to be copied."""
    site = Publication(Path(tempfile.mkdtemp(prefix="dateline-test-")), articles=1)
    atexit.register(shutil.rmtree, site.root)
    site.publish()
    return site.root


@contextmanager
def staged(folder: Path, members: int, root: Path | None = None) -> Iterator[Stage]:
    addresses = [f"m{number}@example.com" for number in range(members)]
    with Rogue(folder / "accepted.log") as server, Stable(folder, environment()) as stable:
        root = shutil.copytree(published(), root or folder / "site")
        site = Publication(root, articles=1, transport=server.address, connections=CONNECTIONS)
        site.join(*addresses)
        yield Stage(site, server, stable, addresses)


def is_whole(site: Publication) -> bool:
    """The database is sound, and an edition that exists has all its deliveries."""
    return site.is_intact() and sum(site.balance().values()) == site.recipients()


def wait_and_kill(stage: Stage, senders: list[Sender], lot: random.Random, left: int) -> Sender:
    """Kills one of the senders, with ``left`` kills to come for what is left of the edition.

    After a number of messages drawn by lot, and a moment later; or, now and then, while it starts.
    """
    share = (len(stage.members) - len(stage.server.copies())) // (left + 1)
    number = lot.randint(-share // 4, share * 4 // 3)
    if number > 0:
        stage.server.wait_for(stage.server.taken + number, 10)
        time.sleep(lot.uniform(0, 0.004))
    else:
        time.sleep(lot.uniform(0, 0.15))
    victim = lot.choice(senders)
    victim.kill()
    return victim


# It is while the server thinks that many are killed.
takes_its_time = answering_after(0.002)


def draw() -> random.Random:
    seed = int(os.environ.get("KILL_SEED", "0")) or random.randrange(1, 10**6)
    print(f"KILL_SEED={seed}")
    return random.Random(seed)


def test_a_sender_killed_a_hundred_times_misses_nobody(tmp_path: Path) -> None:
    """Invariants 1, 2, 3, 4 and 42."""
    lot, kills = draw(), 0
    with staged(tmp_path, 3000) as stage:
        stage.server.plan = takes_its_time
        while kills < 100:
            sender = wait_and_kill(stage, [stage.start()], lot, 100 - kills)
            kills += sender.wait() == -signal.SIGKILL
            assert is_whole(stage.site)
            assert not stage.site.is_sent(), "the edition was finished before all the kills: give it more members"
        stage.finish()
        stage.check(kills)


def test_two_senders_killed_in_turn_share_the_work_and_miss_nobody(tmp_path: Path) -> None:
    """Invariants 1, 2, 12 and 42."""
    lot, kills = draw(), 0
    with staged(tmp_path, 1500) as stage:
        senders: list[Sender] = []
        stage.server.plan = takes_its_time
        while kills < 40 and not stage.site.is_sent():
            # One that found nothing to take over goes home by itself.
            senders = [one for one in senders if not one.has_ended()]
            senders += [stage.start() for _ in range(2 - len(senders))]
            victim = wait_and_kill(stage, senders, lot, 40 - kills)
            kills += victim.wait() == -signal.SIGKILL
            assert is_whole(stage.site)
        # The last few may come when all is sent.
        assert kills >= 30
        for sender in senders:
            sender.wait()
        stage.finish()
        stage.check(kills)


def test_a_database_that_is_locked_for_seconds_loses_and_doubles_nothing(tmp_path: Path) -> None:
    """Invariant 14."""
    with staged(tmp_path, 400) as stage:
        sender = stage.start()
        for messages in (50, 200):
            assert stage.server.wait_for(messages, 20)
            with closing(sqlite3.connect(stage.site.database, timeout=10, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                time.sleep(1.2)
        assert sender.wait() == 0, sender.said
        stage.check(kills=0)


def test_a_disk_that_fills_stops_nobody_for_good(tmp_path: Path) -> None:
    """Invariants 1, 2 and 14: it waits and says so, or it stops with an exit code; with room it goes on."""
    with small_disk(tmp_path / "disk") as disk, staged(tmp_path, 600, disk / "site") as stage:
        sender = stage.start()
        assert stage.server.wait_for(20, 20)
        with filled(disk):
            patience = time.monotonic() + 3
            while time.monotonic() < patience and not sender.has_ended():
                time.sleep(0.02)
            stuck = stage.server.taken
            code = sender.wait() if sender.has_ended() else None
        print(f"the disk was full after 20 messages and something; {stuck} were sent by then, exit code {code}")
        assert stuck < len(stage.members), "the disk was never too small"
        if code is None:
            code = sender.wait()
            assert code == 0 and stage.site.is_sent(), sender.said
        else:
            assert code > 0 and "Traceback" not in sender.said, sender.said
        assert is_whole(stage.site)
        if not stage.site.is_sent():
            stage.finish()
        stage.check(kills=1)


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    place.mkdir()
    if os.geteuid() != 0:
        pytest.skip("a small disk is mounted by root only")
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", place], capture_output=True, text=True, check=False
    )
    if done.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", place], check=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """While somebody writes to the disk all that fits on it."""
    stop = threading.Event()

    def fill() -> None:
        with (disk / "filler").open("wb", buffering=0) as file:
            while not stop.is_set():
                try:
                    file.write(bytes(4096))
                except OSError:
                    time.sleep(0.002)

    thread = threading.Thread(target=fill)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
        (disk / "filler").unlink()


def test_a_backup_taken_in_the_middle_of_a_send_can_be_sent_on(tmp_path: Path) -> None:
    """Invariant 42: only what went out after the backup began goes out again, and nobody gets a third copy."""
    with staged(tmp_path, 500) as stage:
        sender = stage.start()
        assert stage.server.wait_for(200, 20)
        before = stage.server.copies()
        backup = tmp_path / "backup.db"
        back_up(stage.site.database, backup)
        sender.kill()
        sender.wait()
        assert stage.site.is_intact(backup)
        balance = stage.site.balance(backup)
        assert sum(balance.values()) == stage.site.recipients(backup) == len(stage.members)
        for file in stage.site.root.glob("dateline.db*"):
            file.unlink()
        backup.rename(stage.site.database)
        stage.finish()
        copies = stage.server.copies()
        again = {recipient for recipient in before if copies[recipient] > 1}
        print(f"backup with {balance}; {sum(n - 1 for n in copies.values())} copies, {len(again)} of what was sent before")
        assert set(copies) == set(stage.members) and max(copies.values()) <= 2
        assert len(again) <= CONNECTIONS and is_whole(stage.site)


def back_up(source: Path, target: Path) -> None:
    with closing(sqlite3.connect(source)) as live, closing(sqlite3.connect(target)) as copy:
        live.backup(copy)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_sender_that_is_asked_to_stop_finishes_what_is_on_the_wire(tmp_path: Path, number: signal.Signals) -> None:
    """Invariant 33."""
    with staged(tmp_path, 500) as stage:
        with subprocess.Popen(
            stage.site.command(*SEND), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as sender:
            assert stage.server.wait_for(100, 20)
            sender.send_signal(number)
            asked = time.monotonic()
            _, complaints = sender.communicate(timeout=30)
        assert time.monotonic() - asked < 10 and "Traceback" not in complaints
        assert 100 <= len(stage.server.copies()) < len(stage.members), "it did not stop in the middle"
        assert stage.site.balance()["sent"] == len(stage.server.copies()) and is_whole(stage.site)
        stage.finish()
        stage.check(kills=0)


def test_a_sender_asked_to_stop_while_the_server_keeps_silent_doubles_nobody(tmp_path: Path) -> None:
    """Invariant 33: the reply to what is on the wire is awaited."""
    with staged(tmp_path, 60) as stage:
        sender = stage.start()
        assert stage.server.wait_for(10, 20)
        stage.server.plan = lambda scene: Act(wait=0.5) if scene.moment is Moment.END else None
        time.sleep(0.2)
        sender.kill(signal.SIGTERM)
        sender.wait(30)
        stage.server.plan = lambda scene: None
        assert len(stage.server.copies()) < len(stage.members) and is_whole(stage.site)
        stage.finish()
        stage.check(kills=0)
