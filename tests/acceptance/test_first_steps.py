"""What someone does first: the demonstration, a new site, and an installation from the wheel."""

from __future__ import annotations

import mailbox
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import feedparser
from programs import PROGRAM, ROOT, Program


def test_the_demonstration_publishes_and_delivers_and_says_what_to_open(tmp_path: Path) -> None:
    place = tmp_path / "new"
    done = Program(place)("demo")
    assert "Published 11 articles" in done.stdout
    for name in ("public/index.html", "public/feeds/atom.xml", "public/feeds/rss.xml", "outbox/new"):
        assert str(place / name) in done.stdout
        assert (place / name).exists()
    messages = list(mailbox.Maildir(place / "outbox", create=False))
    assert sorted(message["To"] for message in messages) == ["asia-desk@example.com", "reader@example.com"]
    assert all(message.is_multipart() for message in messages)
    again = Program(place)("demo")
    assert "was sent to 2 already" in again.stdout
    assert len(list(mailbox.Maildir(place / "outbox", create=False))) == 2


def test_the_demonstration_mails_nobody_whatever_the_environment_says(tmp_path: Path) -> None:
    Program(tmp_path / "new")("demo", DATELINE_NEWSLETTER__TRANSPORT="smtp://127.0.0.1:1")
    assert len(list(mailbox.Maildir(tmp_path / "new" / "outbox", create=False))) == 2


def test_init_lays_out_a_site_that_publishes_and_overwrites_nothing(tmp_path: Path) -> None:
    place = tmp_path / "mine"
    (place / "articles").mkdir(parents=True)
    (place / "articles" / "mine.md").write_text("# My own\n\nA story of mine that stays.\n")
    program = Program(place)
    subprocess.run([PROGRAM, "init", place], check=True, timeout=60, capture_output=True)
    assert (place / "articles" / "mine.md").read_text().startswith("# My own")
    program("publish")
    assert len(feedparser.parse((place / "public/feeds/atom.xml").read_bytes()).entries) == 12
    again = subprocess.run([PROGRAM, "init", place], capture_output=True, text=True, timeout=60, check=False)
    assert again.returncode == 2 and "already" in again.stderr


def test_the_wheel_carries_the_defaults_and_works_without_the_checkout(tmp_path: Path) -> None:
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(build, cwd=ROOT, check=True, timeout=120, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in ("config.toml", "templates/digest.mjml", "templates/digest.txt", "articles/images/data-centre.png"):
        assert f"dateline/defaults/{name}" in names
    assert not any(name.startswith(("tests/", "benchmarks/")) for name in names)
    unpacked, place = tmp_path / "unpacked", tmp_path / "place"
    zipfile.ZipFile(wheel).extractall(unpacked)
    run = "import sys; sys.path.insert(0, sys.argv.pop(1)); from dateline.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", run, unpacked, "--site", place, "demo"],
                          cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (place / "outbox" / "new").is_dir()


def test_help_is_quick_because_heavy_parts_are_not_loaded() -> None:
    """No clock is asked here: what makes help slow is what it imports."""
    code = "import sys; from dateline.cli import app; print(','.join(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    heavy = {"sqlalchemy", "pydantic", "feedgen", "lxml", "jinja2", "apscheduler", "mjml", "pycountry", "alembic", "requests"}
    assert not heavy & set(loaded.strip().split(","))


def test_every_command_has_help() -> None:
    begun = time.monotonic()
    for words in ("", "init", "check", "publish", "digest", "digest send", "subscribers import", "schedule", "run", "demo"):
        done = subprocess.run([PROGRAM, *words.split(), "--help"], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 and "Usage:" in done.stdout
        assert time.monotonic() - begun < 120
