"""An edition can be watched, paused, resumed, cancelled and tried again, while another process sends it."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from acts import Act, Moment, answering_after
from publication import DIGEST, Publication, environment, lay_out
from rogue import Rogue

from newsletter.ledger import DeliveryState

MEMBERS = [f"m{number:03}@example.com" for number in range(120)]
VICTIM, SUM = MEMBERS[7], len(MEMBERS)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Rogue]:
    with Rogue(tmp_path / "accepted.log", answering_after(0.05)) as rogue:
        yield rogue


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return lay_out(tmp_path_factory.mktemp("laid-out") / "site", MEMBERS)


@pytest.fixture
def site(tmp_path: Path, laid_out: Path, server: Rogue) -> Publication:
    root = shutil.copytree(laid_out, tmp_path / "site")
    return Publication(root, articles=1, transport=server.address, connections=4)


@contextmanager
def sending(site: Publication) -> Iterator[subprocess.Popen[str]]:
    """While ``digest send`` runs in a process of its own."""
    command = site.command("digest", "send", DIGEST)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment()) as process:
        try:
            yield process
        finally:
            process.kill()


def status(site: Publication) -> dict[str, object]:
    told: dict[str, object] = json.loads(site.run("digest", "status", DIGEST, "--json").stdout)
    return told


def counts(told: dict[str, object]) -> dict[str, int]:
    balance = told["balance"]
    assert isinstance(balance, dict) and told["balanced"] is True
    assert sum(balance.values()) == told["recipients"]
    return balance


def test_a_paused_edition_stops_within_moments_and_goes_on_when_resumed(site: Publication, server: Rogue) -> None:
    with sending(site) as process:
        assert server.wait_for(10, 20)
        site.run("digest", "pause", DIGEST)
        assert process.wait(20) == 1
    taken = server.taken
    assert taken < SUM and all(number == 1 for number in server.copies().values())
    told = status(site)
    assert told["state"] == "paused" and told["note"] == "by hand" and counts(told) == {"sent": taken, "pending": SUM - taken}
    done = site.run("digest", "send", DIGEST, codes=[1])
    assert "is paused" in done.stdout and server.taken == taken
    site.run("digest", "resume", DIGEST)
    site.send()
    assert server.copies() == dict.fromkeys(MEMBERS, 1)
    assert counts(status(site)) == {"sent": SUM} and status(site)["state"] == "sent"


def test_a_cancelled_edition_excludes_who_has_not_got_it(site: Publication, server: Rogue) -> None:
    """Invariant 4."""
    with sending(site) as process:
        assert server.wait_for(10, 20)
        site.run("digest", "cancel", DIGEST, "--yes")
        process.wait(20)
    told = status(site)
    taken = server.taken
    assert told["state"] == "cancelled" and counts(told) == {"sent": taken, "suppressed": SUM - taken}
    assert told["excluded"] == {"the edition was cancelled": SUM - taken}
    site.run("digest", "resume", DIGEST, codes=[1])
    assert "was cancelled" in site.run("digest", "send", DIGEST).stdout
    assert server.taken == taken


def test_progress_is_seen_while_another_process_sends(site: Publication, server: Rogue) -> None:
    with sending(site) as process:
        assert server.wait_for(60, 20)
        server.plan = lambda scene: Act(wait=0.4) if scene.moment is Moment.END else None
        for _ in range(10):
            told = status(site)
            (sender,) = told["senders"]  # type: ignore[misc]
            if sender["rate"]:
                break
        assert process.poll() is None
        assert sender["rate"] > 0 and sender["sent"] >= 20 and told["seconds_left"] and told["state"] == "sending"
        shown = site.run("digest", "status").stdout
        assert "a second" in shown and "time left" in shown
        server.plan = lambda scene: None
        process.wait(30)
    assert status(site)["senders"] == [] and status(site)["finished"] is True


def test_who_was_refused_is_named_and_can_be_tried_again(site: Publication, server: Rogue) -> None:
    server.plan = lambda scene: (
        "554 5.6.0 content refused" if scene.moment is Moment.END and scene.recipient == VICTIM and scene.attempt == 1 else None
    )
    site.send(codes=[1])
    told = status(site)
    assert counts(told) == {"sent": SUM - 1, "failed": 1}
    assert told["troubles"] == [{"email": VICTIM, "state": "failed", "reply": "554 5.6.0 content refused", "times_in_doubt": 0}]
    shown = site.run("digest", "status", DIGEST)
    assert VICTIM in shown.stderr and "554 5.6.0" in shown.stderr
    site.run("digest", "retry", DIGEST, codes=[2])
    assert "1 recipient" in site.run("digest", "retry", DIGEST, "--failed").stdout
    site.send()
    assert server.copies() == dict.fromkeys(MEMBERS, 1)


def test_the_whole_balance_is_to_be_had_as_csv(site: Publication, server: Rogue, tmp_path: Path) -> None:
    """Invariant 43: what begins like a formula is none."""
    server.plan = lambda scene: "550 5.1.1 no such user" if scene.moment is Moment.RCPT and scene.recipient == VICTIM else None
    site.join("=cmd@example.com")
    site.send(codes=[1])
    site.run("digest", "status", DIGEST, "--csv", tmp_path / "sheet.csv")
    with (tmp_path / "sheet.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == SUM + 1 and {row["state"] for row in rows} == {DeliveryState.SENT, DeliveryState.FAILED}
    (failed,) = [row for row in rows if row["state"] == "failed"]
    assert failed["email"] == VICTIM and failed["reply"] == "550 5.1.1 no such user"
    assert "'=cmd@example.com" in {row["email"] for row in rows}


def test_two_processes_share_an_edition(site: Publication, server: Rogue) -> None:
    """Invariant 12."""
    with sending(site) as first, sending(site) as second:
        assert {first.wait(40), second.wait(40)} <= {0, 1}
    site.send()
    assert server.copies() == dict.fromkeys(MEMBERS, 1)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["pause", DIGEST], "there is no edition yet"),
        (["status", DIGEST, "--date", "2026-02-30"], "is no date"),
        (["status", "weekly"], "there is no digest 'weekly'"),
        (["resume", DIGEST, "--date", "2020-01-01"], "there is no edition of 2020-01-01"),
    ],
)
def test_what_is_not_there_is_said(site: Publication, words: list[str], said: str) -> None:
    assert said in site.run("digest", *words, codes=[2]).stderr


def test_what_waits_is_said_and_can_be_sent_now(site: Publication, server: Rogue) -> None:
    server.plan = lambda scene: "450 4.2.1 this mailbox is busy" if scene.moment is Moment.RCPT and scene.attempt == 1 else None
    site.run("digest", "send", DIGEST, codes=[1])
    done = site.run("digest", "send", DIGEST, codes=[1])
    assert f"{SUM} of {SUM} wait" in done.stdout and "retry daily --deferred" in done.stdout
    assert "waits for another attempt" in site.run("digest", "status", DIGEST).stdout
    told = json.loads(site.run("digest", "retry", DIGEST, "--deferred", "--json").stdout)
    assert told["balance"] == {"pending": SUM}
    site.send()
    assert server.copies() == dict.fromkeys(MEMBERS, 1)


def test_who_was_put_off_for_our_own_fault_waits_no_longer_than_until_resume(site: Publication, server: Rogue) -> None:
    """Invariant 7."""
    server.plan = lambda scene: "550 5.7.1 bad reputation" if scene.moment is Moment.END else None
    done = site.run("digest", "send", DIGEST, codes=[1])
    assert "refuses us" in done.stderr and server.taken == 0
    server.plan = lambda scene: None
    told = json.loads(site.run("digest", "resume", DIGEST, "--json").stdout)
    assert told["state"] == "sending" and told["balance"] == {"pending": SUM}
    site.send()
    assert server.copies() == dict.fromkeys(MEMBERS, 1)


def test_an_edition_that_nobody_sends_is_called_interrupted(site: Publication, server: Rogue) -> None:
    with sending(site) as process:
        assert server.wait_for(10, 20)
        process.kill()
        process.wait(10)
    assert "interrupted: nobody sends it now" in site.run("digest", "status", DIGEST).stdout


def test_a_server_that_is_away_among_several_is_named(site: Publication, server: Rogue) -> None:
    config = site.root / "config.toml"
    text = config.read_text()
    servers = "\n".join(f'[[newsletter.server]]\nurl = "{url}"\n' for url in (server.address, "smtp://127.0.0.1:9"))
    config.write_text(text.replace("[[digest]]", f"{servers}\n[[digest]]", 1))
    done = site.run("digest", "send", DIGEST)
    assert "smtp://127.0.0.1:9: cannot connect" in done.stderr and "stand in" in done.stderr
    assert server.copies() == dict.fromkeys(MEMBERS, 1)


def test_a_provider_without_a_token_is_told_before_anything_is_made(site: Publication) -> None:
    """Invariant 31."""
    site.configure(transport="postmark:")
    assert "API_TOKEN" in site.run("digest", "send", DIGEST, codes=[2]).stderr
    assert site.recipients() == 0
