"""What ``dateline doctor`` says of the machine that it runs on."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dateline.doctor import Finding
from dateline.doctor.machine import examine_machine
from dateline.site import Site

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


def examined(folder: Path, *, url: str = "https://news.example", now: datetime = NOW, **settings: str) -> dict[str, Finding]:
    lines = [f'{name} = "{value}"' for name, value in settings.items()]
    (folder / "config.toml").write_text("\n".join([f'[site]\nurl = "{url}"', "[newsletter]", *lines]))
    os.utime(folder / "config.toml", (NOW.timestamp(), NOW.timestamp()))
    return {finding.subject: finding for finding in examine_machine(Site(folder), "news.example", now)}


def test_a_machine_in_order_has_nothing_wrong(tmp_path: Path) -> None:
    found = examined(tmp_path, postal_address="1 Test Street")
    assert {one.verdict.value for one in found.values()} == {"good"}, found
    assert not (tmp_path / "dateline.key").exists()


def test_a_publisher_without_an_address_is_warned(tmp_path: Path) -> None:
    assert examined(tmp_path)["Postal address"].verdict.value == "warning"


def test_a_link_for_leaving_that_is_not_https_is_wrong(tmp_path: Path) -> None:
    assert examined(tmp_path, url="http://news.example")["Links"].verdict.value == "wrong"


@pytest.mark.parametrize(
    ("host", "verdict"), [("www.news.example", "good"), ("news.example", "good"), ("other.example", "warning")]
)
def test_a_sender_of_another_domain_than_the_site_is_a_warning(tmp_path: Path, host: str, verdict: str) -> None:
    assert examined(tmp_path, url=f"https://{host}")["From"].verdict.value == verdict


def test_secrets_that_everybody_may_read_are_wrong(tmp_path: Path) -> None:
    for name in ("dateline.key", "smtp.password"):
        (tmp_path / name).write_text("a secret of some length\n")
        (tmp_path / name).chmod(0o644)
    settings = {"smtp_user": "me", "smtp_password_file": "smtp.password", "transport": "smtps://mail.example"}
    found = examined(tmp_path, **settings)
    assert {found[subject].verdict.value for subject in ("Link key", "SMTP password")} == {"wrong"}
    for name in ("dateline.key", "smtp.password"):
        (tmp_path / name).chmod(0o600)
    found = examined(tmp_path, **settings)
    assert {found[subject].verdict.value for subject in ("Link key", "SMTP password")} == {"good"}


def test_a_key_that_is_named_and_missing_is_wrong(tmp_path: Path) -> None:
    found = examined(tmp_path, secret_key_file="gone.key", ca_file="gone.pem")
    assert "gone.key" in found["Link key"].said and found["Link key"].verdict.value == "wrong"
    assert found["CA file"].verdict.value == "wrong"
    (tmp_path / "gone.pem").write_text("nothing of use")
    assert "holds no certificates in PEM form" in examined(tmp_path, ca_file="gone.pem")["CA file"].said


@pytest.mark.parametrize(("now", "verdict"), [
    (NOW, "good"), (NOW - timedelta(minutes=1), "good"), (NOW - timedelta(days=1), "wrong"), (datetime(1970, 1, 1, tzinfo=UTC), "wrong"),
])  # fmt: skip
def test_a_clock_that_is_behind_is_wrong(tmp_path: Path, now: datetime, verdict: str) -> None:
    assert examined(tmp_path, now=now)["Clock"].verdict.value == verdict
