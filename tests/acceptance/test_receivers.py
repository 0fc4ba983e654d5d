"""What the programs of receivers say of the sample site's digest: a filter of spam, and a checker of signatures."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from programs import Program, need

from newsletter.dkim import load_key


@pytest.fixture
def sample(tmp_path: Path) -> Program:
    """The sample site, published, with a key of each kind beside its config.toml."""
    place = tmp_path / "sample"
    program = Program(place)
    program("init", place)
    program("publish")
    keys = {"rsa": rsa.generate_private_key(65537, 2048), "ed25519": ed25519.Ed25519PrivateKey.generate()}
    for name, key in keys.items():
        path = place / f"{name}.pem"
        path.touch(mode=0o600)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return program


SIGNED = {
    "DATELINE_NEWSLETTER__DKIM": '[{"selector": "r1", "key_file": "rsa.pem"}, {"selector": "e1", "key_file": "ed25519.pem"}]',
    "DATELINE_NEWSLETTER__UNSUBSCRIBE_EMAIL": "leave@carrierandcable.example",
}


def message(program: Program, name: str, **environment: str) -> Path:
    path = program.site / f"{name}.eml"
    program("digest", "preview", "daily", "--eml", path, **environment)
    return path


def judged(program: Program, folder: Path, settings: dict[str, str]) -> tuple[float, str]:
    """SpamAssassin's points and its report, with the checks that need a network left out."""
    command = [need("spamassassin"), "-L", "-t", f"--prefspath={folder / 'none'}", f"--siteconfigpath={site_rules(folder)}"]
    with message(program, "digest", **settings).open("rb") as file:
        report = subprocess.run(command, stdin=file, capture_output=True, timeout=120, check=True).stdout.decode(
            "utf-8", "replace"
        )
    found = re.search(r"^Content analysis details:\s+\((-?[\d.]+) points", report, re.MULTILINE)
    assert found, report
    # It really looked: this says only what the message is.
    assert "HTML_MESSAGE" in report
    return float(found[1]), report[found.start() :]


def site_rules(folder: Path) -> Path:
    """Debian's own settings, so that no setting of this machine has a say; without what learns from mail."""
    rules = folder / "rules"
    rules.mkdir()
    for file in Path("/etc/spamassassin").glob("*.pre"):
        shutil.copy(file, rules)
    (rules / "local.cf").write_text(f"use_bayes 0\nuse_auto_whitelist 0\nbayes_path {folder / 'bayes'}\n")
    return rules


@pytest.mark.parametrize("settings", [{}, SIGNED], ids=["plain", "signed"])
def test_spamassassin_has_nothing_against_the_sample_digest(sample: Program, settings: dict[str, str], tmp_path: Path) -> None:
    points, report = judged(sample, tmp_path, settings)
    print(report)
    assert points <= 0, report


def test_spamassassin_does_tell_a_worse_message(sample: Program, tmp_path: Path) -> None:
    """White text on white: else the test above would prove nothing."""
    path = sample.site / "templates" / "digest.mjml"
    path.write_text(path.read_text("utf-8").replace("color:#5f5f5b", "color:#ffffff"), "utf-8")
    points, report = judged(sample, tmp_path, {})
    assert points > 0 and "HTML_FONT_LOW_CONTRAST" in report


def test_opendkim_verifies_both_signatures(sample: Program, tmp_path: Path) -> None:
    opendkim = need("opendkim")
    keys = [
        load_key(sample.site / f"{name}.pem", selector, "carrierandcable.example")
        for name, selector in (("rsa", "r1"), ("ed25519", "e1"))
    ]
    published = tmp_path / "published"
    published.write_text("".join(f"{key.name} {key.record}\n" for key in keys))
    config = tmp_path / "opendkim.conf"
    config.write_text(f"Mode v\nSyslog no\nTestPublicKeys {published}\n")
    command = [opendkim, "-x", config, "-vv", "-t"]
    good = message(sample, "digest", **SIGNED)
    told = subprocess.run([*command, good], capture_output=True, text=True, timeout=60, check=True).stdout
    assert re.search(r"dkim=pass \(2048-bit key\).*header.a=rsa-sha256 header.s=r1", told), told
    assert re.search(r"dkim=pass.*header.a=ed25519-sha256 header.s=e1", told), told
    bad = tmp_path / "changed.eml"
    bad.write_bytes(good.read_bytes().replace(b"List-Unsubscribe: <https://carrier", b"List-Unsubscribe: <https://barrier"))
    told = subprocess.run([*command, bad], capture_output=True, text=True, timeout=60, check=False).stdout
    assert "dkim=pass" not in told and "dkim=fail" in told, told
