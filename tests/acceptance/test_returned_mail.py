"""Bounces and suppressions on the command line, as an operator and a mail system meet them."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
import subprocess
from pathlib import Path

import pytest
from programs import PROGRAM, Program
from returns import SAMPLES

from newsletter.mailboxes import Maildir
from newsletter.return_path import ReturnPaths

KEY = "a key of this test alone"
BOB = "bob@member.test"


@pytest.fixture
def dateline(dateline: Program) -> Program:
    dateline.environment["DATELINE_NEWSLETTER__SECRET_KEY"] = KEY
    dateline("subscribers", "add", BOB, "--confirmed")
    return dateline


def came_back(dateline: Program, name: str) -> bytes:
    """A sample for Bob's copy."""
    with sqlite3.connect(dateline.site / "dateline.db") as database:
        ((public_id,),) = database.execute("SELECT public_id FROM subscribers")
    address = ReturnPaths(KEY, "bounces@news.test").address(public_id, 1)
    text = (SAMPLES / f"{name}.eml").read_text("utf-8")
    return text.replace("@RETURN_PATH@", address).replace("@ADDRESS@", BOB).encode("utf-8")


def pipe(dateline: Program, content: bytes, *words: str, **environment: str) -> tuple[int, str]:
    done = subprocess.run(
        [PROGRAM, "--site", dateline.site, "bounces", "process", "-", *words], input=content, capture_output=True,
        env=dateline.environment | environment, timeout=60, check=False,
    )  # fmt: skip
    return done.returncode, (done.stdout + done.stderr).decode()


def states(dateline: Program) -> list[str]:
    return [one["state"] for one in json.loads(dateline("--json", "subscribers", "list").stdout)]


def test_a_bounce_suppresses_and_lifting_brings_the_member_back(dateline: Program) -> None:
    Maildir(dateline.site / "bounces").deliver(came_back(dateline, "postfix-user-unknown"))
    told = dateline("bounces", "process", dateline.site / "bounces").stdout
    assert BOB in told and "5.1.1" in told and "1 message: 1 suppressed: hard bounce" in told
    assert states(dateline) == ["suppressed"]
    assert "is suppressed and stays out" in dateline("subscribers", "add", BOB, "--confirmed", "--again", code=1).stdout
    (one,) = json.loads(dateline("--json", "suppressions", "list").stdout)
    assert (one["email"], one["reason"], one["code"], one["expires_at"]) == (BOB, "hard bounce", "5.1.1", None)
    assert "may be mailed again" in dateline("suppressions", "lift", BOB, "--why", "wrote to us").stdout
    assert states(dateline) == ["confirmed"]
    assert "was not suppressed" in dateline("suppressions", "lift", BOB, "--why", "twice", code=1).stdout
    assert "wrote to us" in dateline("suppressions", "list", "--lifted").stdout


def test_the_source_stands_in_the_settings_too(dateline: Program) -> None:
    assert "bounces.source" in dateline("bounces", "process", code=2).stderr
    Maildir(dateline.site / "inbox").deliver(came_back(dateline, "vacation-gmail"))
    run = json.loads(dateline("bounces", "process", "--json", DATELINE_BOUNCES__SOURCE="inbox").stdout)
    assert (run["messages"], run["outcomes"]) == (1, {"nothing to act on": 1})
    assert "no Maildir and no mbox" in dateline("bounces", "process", "nowhere", code=1).stderr


def test_a_piped_message_is_taken_or_the_mail_system_is_told_to_come_again(dateline: Program, tmp_path: Path) -> None:
    content = came_back(dateline, "exim-remote-refusal")
    for name, instead in (("dateline.db", b"no database " * 1000), ("config.toml", b"[newsletter")):
        good = (dateline.site / name).rename(tmp_path / name)
        (dateline.site / name).write_bytes(instead)
        code, said = pipe(dateline, content)
        assert code == 75 and "the message was not taken" in said and "Traceback" not in said, said
        good.replace(dateline.site / name)
    assert pipe(dateline, content, DATELINE_NEWSLETTER__IN_DOUBT="nonsense")[0] == 75
    assert states(dateline) == ["confirmed"]
    code, said = pipe(dateline, content)
    assert code == 0, said
    assert states(dateline) == ["suppressed"]


def test_a_piped_letter_is_set_aside_and_the_named_recipient_counts(dateline: Program) -> None:
    code, said = pipe(dateline, came_back(dateline, "letter-from-a-reader"))
    assert code == 0 and "1 set aside" in said
    assert len(list((dateline.site / "set-aside" / "new").iterdir())) == 1
    content = came_back(dateline, "report-without-proof")
    address = came_back(dateline, "vacation-gmail").split(b"Delivered-To: ")[1].split(b"\n")[0].decode()
    assert pipe(dateline, content)[0] == 0 and states(dateline) == ["confirmed"]
    assert pipe(dateline, content, "--recipient", address)[0] == 0 and states(dateline) == ["suppressed"]


def test_the_export_holds_everything_and_no_formula(dateline: Program, tmp_path: Path) -> None:
    """Invariants 41 and 43."""
    dateline("suppressions", "add", BOB, "--why", "=HYPERLINK(1)", "--days", 30)
    dateline("suppressions", "add", "never-here@x.test", "--why", '@SUM, with\n"quotes"')
    dateline("suppressions", "lift", BOB, "--why", "+1 from the boss")
    for text in (dateline("suppressions", "export").stdout, _written(dateline, tmp_path / "s.csv")):
        rows = list(csv.DictReader(io.StringIO(text)))
        assert [row["email"] for row in rows] == ["", BOB]
        assert [row["diagnostic"] for row in rows] == ['\'@SUM, with\n"quotes"', "'=HYPERLINK(1)"]
        assert rows[1]["lifted_why"] == "'+1 from the boss" and rows[1]["expires_at"]
        assert all(not cell.startswith(("=", "+", "-", "@")) for row in rows for cell in row.values())
        assert "never-here" not in text
    assert "cannot be written" in dateline("suppressions", "export", tmp_path / "no" / "s.csv", code=1).stderr


def _written(dateline: Program, path: Path) -> str:
    dateline("suppressions", "export", path)
    return path.read_text("utf-8")


def test_an_import_says_how_many_are_suppressed(dateline: Program, tmp_path: Path) -> None:
    """Invariant 23."""
    dateline("suppressions", "add", "c@x.test")
    (tmp_path / "m.csv").write_text("email\nc@x.test\nd@x.test\n")
    counts = json.loads(dateline("--json", "subscribers", "import", tmp_path / "m.csv", "--confirmed").stdout)
    assert (counts["lines"], counts["added"], counts["suppressed"]) == (2, 1, 1)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('[bounces]\nimap_password = "x1234"', "set DATELINE_BOUNCES__IMAP_PASSWORD"),
        ('[newsletter]\nbounce_email = "a-very-long-name-indeed@example.org"', "at most 16 letters"),
        ('[newsletter]\nbounce_email = "a+b@example.org"', "no [+]"),
        ("[bounces]\nhalf_life_day = 3", "did you mean 'half_life_days'"),
    ],
)
def test_wrong_settings_are_named_and_a_password_is_not_repeated(dateline: Program, line: str, said: str) -> None:
    """Invariant 31."""
    config = dateline.site / "config.toml"
    table, _, setting = line.partition("\n")
    text = config.read_text()
    config.write_text(text.replace(table, line) if table in text else f"{text}\n{line}\n")
    error = dateline("suppressions", "list", code=2).stderr
    assert re.search(said, error) and "x1234" not in error and "config.toml:" in error, (setting, error)
