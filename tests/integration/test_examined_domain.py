"""What ``dateline doctor`` says of domains and mail servers that are set up rightly and wrongly, asked over real sockets."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from nameserver import NameServer

from dateline.doctor import Finding, Names
from dateline.doctor.domain import examine_domain, organisation
from dateline.doctor.server import examine_server
from newsletter.dkim import SigningKey
from newsletter.smtp_opening import SmtpServer
from newsletter.transport_address import TransportAddress

KEYS = [
    SigningKey("news.example", "r1", rsa.generate_private_key(65537, 2048)),
    SigningKey("news.example", "e1", ed25519.Ed25519PrivateKey.generate()),
]


@pytest.fixture
def names() -> Iterator[NameServer]:
    with NameServer() as server:
        for key in KEYS:
            server.records[(key.name, "TXT")] = [f'"{key.record[:200]}" "{key.record[200:]}"']
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def examined(names: NameServer, sender: str = "news.example", return_domain: str = "", server: str = "") -> dict[str, Finding]:
    found = examine_domain(Names(names.address), sender, return_domain or sender, KEYS, server)
    return {finding.subject: finding for finding in found}


def test_a_healthy_domain_has_nothing_wrong(names: NameServer) -> None:
    found = examined(names)
    assert {one.verdict.value for one in found.values()} == {"good"}, found
    assert "include:_spf.mail.test mx -all" in found["SPF"].said
    assert "aligned by DKIM and SPF" in found["DMARC"].said
    assert "mx.news.example" in found["MX news.example"].said


@pytest.mark.parametrize(
    ("name", "texts", "subject", "verdict", "said"),
    [
        ("news.example", ['"v=spf1 +all"'], "SPF", "wrong", "allows everybody"),
        ("news.example", ['"v=spf1 mx -all"', '"v=spf1 a -all"'], "SPF", "wrong", "2 v=spf1 records"),
        ("news.example", ['"v=spf1 mx"'], "SPF", "warning", "~all or -all"),
        ("news.example", ['"v=spf1 ' + "".join(f"a:{letter}.test " for letter in "abcdefghijk") + '-all"'], "SPF", "wrong", "11 look-ups"),
        ("_spf.mail.test", ['"v=spf1 ' + "".join(f"exists:{letter}.test " for letter in "abcdefghij") + '-all"'], "SPF", "wrong", "12 look-ups"),
        ("_dmarc.news.example", ['"v=DMARC1; p=none"', '"v=DMARC1; p=reject"'], "DMARC", "wrong", "2 policies"),
        ("_dmarc.news.example", ['"v=DMARC1; p=non"'], "DMARC", "wrong", "has no p="),
        ("r1._domainkey.news.example", ['"v=DKIM1; k=rsa; p="'], "DKIM r1", "wrong", "revoked"),
        ("r1._domainkey.news.example", ['"v=DKIM1; k=rsa; p=MIIBIjAN"'], "DKIM r1", "wrong", "another key"),
        ("news.example", [], "SPF", "wrong", "does not say who may send"),
    ],
)  # fmt: skip
def test_what_is_published_wrongly_is_named(
    names: NameServer, name: str, texts: list[str], subject: str, verdict: str, said: str
) -> None:
    names.records[(name, "TXT")] = texts
    found = examined(names)[subject]
    assert found.verdict.value == verdict
    assert said in found.said


def test_a_domain_without_a_mail_server_is_wrong(names: NameServer) -> None:
    del names.records[("news.example", "MX")]
    assert examined(names)["MX news.example"].verdict.value == "wrong"
    names.records[("news.example", "MX")] = ["0 ."]
    assert "null MX" in examined(names)["MX news.example"].said
    names.records[("news.example", "MX")] = ["10 gone.example."]
    assert "no mail server has an address" in examined(names)["MX news.example"].said
    del names.records[("news.example", "MX")]
    names.records[("news.example", "A")] = ["192.0.2.7"]
    assert examined(names)["MX news.example"].verdict.value == "warning"


def test_a_policy_of_the_domain_above_counts(names: NameServer) -> None:
    found = examined(names, "mail.news.example")["DMARC"]
    assert found.verdict.value == "good" and "_dmarc.news.example" in found.said
    names.records[("_dmarc.news.example", "TXT")] = ['"v=DMARC1; p=none; adkim=s"']
    assert "not aligned" in examined(names, "mail.news.example")["DMARC"].said


def test_a_return_path_elsewhere_is_looked_at_as_well(names: NameServer) -> None:
    """Receivers look for SPF at the envelope's domain, and failures come back to it."""
    found = examined(names, return_domain="bounces.example")
    assert found["SPF"].verdict.value == "wrong" and found["SPF"].publish[0].name == "bounces.example"
    assert found["MX bounces.example"].verdict.value == "wrong"
    assert found["DMARC"].verdict.value == "good" and "aligned by DKIM)" in found["DMARC"].said


def test_the_policy_must_name_the_provider_that_sends(names: NameServer) -> None:
    server = "email-smtp.eu-west-1.amazonaws.com"
    assert "include:amazonses.com" in examined(names, server=server)["SPF"].said
    assert examined(names, server=server)["SPF"].verdict.value == "warning"
    del names.records[("news.example", "TXT")]
    (record,) = examined(names, server=server)["SPF"].publish
    names.records[("news.example", "TXT")] = [f'"{record.text}"']
    assert examined(names, server=server)["SPF"].verdict.value == "good"


def test_policies_that_include_each_other_come_to_an_end(names: NameServer) -> None:
    names.records[("_spf.mail.test", "TXT")] = ['"v=spf1 include:news.example include:_spf.mail.test ~all"']
    assert examined(names)["SPF"].verdict.value == "good"


@pytest.mark.parametrize(
    ("domain", "registered"),
    [
        ("a.b.news.example", "news.example"),
        ("news.example", "news.example"),
        ("mail.paper.co.uk", "paper.co.uk"),
        ("t.co", "t.co"),
    ],
)
def test_the_registered_part_of_a_domain_is_found(domain: str, registered: str) -> None:
    assert organisation(domain) == registered


def certificate(folder: Path, *, days: int, host: str = "localhost") -> Path:
    """A self-made certificate and its key, in one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)]), datetime.now(UTC)
    alternatives = x509.SubjectAlternativeName([x509.DNSName(host), x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=days, hours=1)).add_extension(alternatives, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True).sign(key, SHA256())
    )  # fmt: skip
    path = folder / f"{host}-{days}.pem"
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(made.public_bytes(Encoding.PEM) + secret)
    return path


def server_seen(
    pem: Path | None, *, trusted: bool, scheme: str, ca_file: Path | None = None, user: str = "", **options: Any
) -> Finding:
    context = None
    if pem:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(pem)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    late, at_once = (None, context) if scheme == "smtps" else (context, None)
    controller = Controller(object(), hostname="127.0.0.1", port=port, tls_context=late, ssl_context=at_once, **options)
    controller.start()
    try:
        at = TransportAddress.parse(f"{scheme}://localhost:{port}")
        login = SmtpServer(at, user, "let-me-in") if user else None
        return examine_server(at, ca_file or (pem if trusted else None), "news.example", datetime.now(UTC), login)
    finally:
        controller.stop()


@pytest.mark.parametrize("scheme", ["smtp+starttls", "smtps"])
@pytest.mark.parametrize(
    ("days", "trusted", "verdict", "said"),
    [
        (90, True, "good", "TLSv1.3"),
        (5, True, "warning", "in 5 days"),
        (90, False, "wrong", "does not hold"),
        (-1, True, "wrong", "expired"),
    ],
)
def test_the_mail_servers_certificate_is_looked_at(
    tmp_path: Path, scheme: str, days: int, trusted: bool, verdict: str, said: str
) -> None:
    found = server_seen(certificate(tmp_path, days=days), trusted=trusted, scheme=scheme)
    assert found.verdict.value == verdict, found
    assert said in found.said


def test_a_certificate_for_another_host_is_wrong(tmp_path: Path) -> None:
    assert (
        server_seen(certificate(tmp_path, days=90, host="elsewhere.example"), trusted=True, scheme="smtps").verdict.value
        == "wrong"
    )


def test_a_server_that_offers_no_tls_is_wrong_when_tls_is_asked_for() -> None:
    """Invariant 10."""
    assert "does not offer STARTTLS" in server_seen(None, trusted=False, scheme="smtp+starttls").said
    assert server_seen(None, trusted=False, scheme="smtp").verdict.value == "good"


def test_a_server_that_is_away_is_wrong() -> None:
    found = examine_server(TransportAddress.parse("smtp://127.0.0.1:1"), None, "news.example", datetime.now(UTC))
    assert found.verdict.value == "wrong" and "cannot be reached" in found.said


@pytest.mark.parametrize(
    ("user", "verdict", "words"), [("news", "good", "takes user and password"), ("guest", "wrong", "refuses")]
)
def test_a_login_is_tried_and_the_password_is_not_shown(tmp_path: Path, user: str, verdict: str, words: str) -> None:
    """Invariant 31."""

    def allow(server: object, session: object, envelope: object, mechanism: str, given: LoginPassword) -> AuthResult:
        return AuthResult(success=(given.login, given.password) == (b"news", b"let-me-in"), handled=False)

    pem = certificate(tmp_path, days=90)
    found = server_seen(pem, trusted=True, scheme="smtp+starttls", user=user, authenticator=allow)
    assert found.verdict.value == verdict and words in found.said
    assert "let-me-in" not in repr(found)


def test_a_login_where_there_is_none_is_wrong() -> None:
    found = server_seen(None, trusted=False, scheme="smtp", user="news")
    assert found.verdict.value == "wrong" and "logging in fails" in found.said


def test_a_file_of_authorities_that_holds_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    pem = certificate(tmp_path, days=90)
    for name, words in (("ca.pem", "holds no certificates"), ("absent.pem", "No such file")):
        found = server_seen(pem, trusted=False, scheme="smtps", ca_file=tmp_path / name)
        assert found.verdict.value == "wrong" and "newsletter.ca_file" in found.said and words in found.said


def test_a_port_without_tls_is_told_what_to_try() -> None:
    found = server_seen(None, trusted=False, scheme="smtps")
    assert found.verdict.value == "wrong" and "try smtp+starttls://" in found.said
