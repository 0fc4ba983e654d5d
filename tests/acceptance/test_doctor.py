"""``dateline doctor``, asking a name server on loopback that says what a test wants it to."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import dns.rrset
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from nameserver import NameServer
from programs import Program

from newsletter.dkim import load_key

SITE = {"DATELINE_SITE__URL": "https://news.example"}


@pytest.fixture
def names() -> Iterator[NameServer]:
    with NameServer() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def healthy(dateline: Program, names: NameServer) -> dict[str, str]:
    """The environment of a site whose two keys are made and published."""
    made = {"r1": rsa.generate_private_key(65537, 2048), "e1": ed25519.Ed25519PrivateKey.generate()}
    for selector, key in made.items():
        path = dateline.site / f"{selector}.pem"
        path.touch(mode=0o600)
        path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        record = load_key(path, selector, "news.example").record
        names.records[(f"{selector}._domainkey.news.example", "TXT")] = [f'"{record[:200]}" "{record[200:]}"']
    return {"DATELINE_NEWSLETTER__DKIM": json.dumps([{"selector": one, "key_file": f"{one}.pem"} for one in made])}


def examined(dateline: Program, names: NameServer, code: int = 0, **environment: str) -> dict[str, dict[str, Any]]:
    done = dateline("doctor", "--nameserver", names.address, "--json", code=code, **SITE, **environment)
    return {finding["subject"]: finding for finding in json.loads(done.stdout)}


def test_a_healthy_domain_has_nothing_wrong(dateline: Program, names: NameServer, healthy: dict[str, str]) -> None:
    found = examined(dateline, names, **healthy)
    # The mail server is a folder in this site.
    assert {subject: one["verdict"] for subject, one in found.items() if one["verdict"] != "good"} == {"Mail server": "warning"}
    assert "include:_spf.mail.test mx -all" in found["SPF"]["said"]
    assert "aligned by DKIM and SPF" in found["DMARC"]["said"]
    assert "mx.news.example" in found["MX news.example"]["said"]


def test_an_empty_domain_is_told_what_to_publish(dateline: Program, names: NameServer, healthy: dict[str, str]) -> None:
    names.records = {("news.example", "A"): ["192.0.2.1"]}
    found = examined(dateline, names, code=1, **healthy)
    wrong = {subject for subject, one in found.items() if one["verdict"] == "wrong"}
    assert wrong == {"SPF", "DKIM r1", "DKIM e1", "DMARC"}
    published = {record["name"]: record["text"] for subject in wrong for record in found[subject]["publish"]}
    assert published["news.example"].startswith("v=spf1 ")
    assert published["_dmarc.news.example"].startswith("v=DMARC1; p=none;")
    assert published["r1._domainkey.news.example"] == load_key(dateline.site / "r1.pem", "r1", "news.example").record
    # What it says to publish is right: published, it is found good.
    for name, text in published.items():
        names.records[(name, "TXT")] = [" ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255))]
    assert all(examined(dateline, names, **healthy)[subject]["verdict"] == "good" for subject in wrong)


def test_a_long_record_is_printed_in_strings_of_255(dateline: Program, names: NameServer, healthy: dict[str, str]) -> None:
    """RFC 1035 3.3: what a zone file takes as it is printed."""
    del names.records[("r1._domainkey.news.example", "TXT")]
    told = dateline("doctor", "--nameserver", names.address, code=1, **SITE, **healthy).stdout
    line = next(line for line in told.splitlines() if "r1._domainkey.news.example. IN TXT" in line)
    record = dns.rrset.from_text("x.", 60, "IN", "TXT", line.partition(" TXT ")[2])[0]
    assert len(record.strings) == 2 and len(record.strings[0]) == 255
    assert b"".join(record.strings).decode() == load_key(dateline.site / "r1.pem", "r1", "news.example").record


def test_a_sender_of_another_domain_is_a_warning(dateline: Program, names: NameServer) -> None:
    sender = {"DATELINE_NEWSLETTER__FROM_EMAIL": "daily@elsewhere.example"}
    found = examined(dateline, names, code=1, **sender)
    assert found["From"]["verdict"] == "warning" and "elsewhere.example" in found["From"]["said"]


def test_what_does_not_answer_is_unknown_and_not_wrong(dateline: Program, names: NameServer, healthy: dict[str, str]) -> None:
    names.broken = {"news.example", "_dmarc.news.example", "r1._domainkey.news.example"}
    found = examined(dateline, names, **healthy)
    unknown = {subject for subject, one in found.items() if one["verdict"] == "unknown"}
    assert unknown == {"SPF", "DMARC", "DKIM r1", "MX news.example"}
    assert found["DKIM r1"]["publish"][0]["text"] == load_key(dateline.site / "r1.pem", "r1", "news.example").record


def test_keys_that_cannot_be_used_are_wrong(dateline: Program, names: NameServer, healthy: dict[str, str]) -> None:
    (dateline.site / "r1.pem").chmod(0o644)
    (dateline.site / "e1.pem").unlink()
    found = examined(dateline, names, code=1, **healthy)
    assert "chmod 600" in found["Key r1"]["said"]
    assert "cannot be read" in found["Key e1"]["said"]


def test_a_wrong_nameserver_option_is_a_usage_error(dateline: Program) -> None:
    assert "is not IP[:PORT]" in dateline("doctor", "--nameserver", "dns.example", code=2).stderr
