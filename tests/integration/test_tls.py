"""Where TLS is asked for, nothing goes out without it, whatever the server shows or hides."""

from __future__ import annotations

from pathlib import Path

import pytest
from acts import DROP, Act, Moment
from certificates import Authority
from mailroom import Desk
from ordeal import MEMBERS, NOISE, copies_of, seat, states
from rogue import Rogue

from newsletter.ledger import DeliveryState
from newsletter.transport import TransportError


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("at_once", [False, True], ids=["starttls", "smtps"])
def test_a_good_certificate_is_enough(tmp_path: Path, authority: Authority, at_once: bool) -> None:
    with Rogue(tmp_path / "accepted.log", tls=authority.server(), tls_at_once=at_once) as server:
        desk = secured(tmp_path, server, authority, at_once=at_once)
        assert desk.send(desk.edition()).finished
        assert server.copies() == copies_of(MEMBERS) and server.sins == []


@pytest.mark.parametrize("at_once", [False, True], ids=["starttls", "smtps"])
@pytest.mark.parametrize("fault", ["self-signed", "another host's", "expired"])
def test_a_bad_certificate_sends_nothing(tmp_path: Path, authority: Authority, fault: str, at_once: bool) -> None:
    """Invariant 10."""
    context = {
        "self-signed": lambda: authority.server(by_itself=True),
        "another host's": lambda: authority.server(host="elsewhere.test"),
        "expired": lambda: authority.server(days=-1),
    }[fault]()
    with Rogue(tmp_path / "accepted.log", tls=context, tls_at_once=at_once) as server:
        told = refuse(secured(tmp_path, server, authority, at_once=at_once), server)
    reason = {"self-signed": "self-signed certificate", "another host's": "mismatch", "expired": "certificate has expired"}
    assert reason[fault] in told and "CERTIFICATE_VERIFY_FAILED" not in told
    assert ("newsletter.ca_file" in told) == (fault == "self-signed")


def test_a_port_without_tls_is_told_apart_from_bad_tls(tmp_path: Path, authority: Authority) -> None:
    with Rogue(tmp_path / "accepted.log") as server:
        told = refuse(secured(tmp_path, server, authority, at_once=True), server)
    assert "this port speaks no TLS at once; try smtp+starttls://" in told


@pytest.mark.parametrize("trick", ["stripped", "refused", "noise", "dropped"])
def test_tls_that_is_kept_from_us_sends_nothing(tmp_path: Path, authority: Authority, trick: str) -> None:
    """Invariant 10: whoever sits between us and the server gets nothing in clear."""
    what: dict[str, str | Act] = {
        "refused": "454 4.7.0 TLS not available",
        "noise": Act(raw=b"220 go on\r\n" + NOISE * 20, pieces=4, pause=0.05),
        "dropped": DROP,
    }
    tls = None if trick == "stripped" else authority.server()
    with Rogue(tmp_path / "accepted.log", tls=tls) as server:
        server.plan = lambda scene: what.get(trick) if scene.moment is Moment.STARTTLS else None
        refuse(secured(tmp_path, server, authority, at_once=False), server)


def secured(folder: Path, server: Rogue, authority: Authority, *, at_once: bool) -> Desk:
    scheme = "smtps" if at_once else "smtp+starttls"
    address = server.address.replace("smtp:", f"{scheme}:")
    return seat(folder, server, transport=address, ca_file=authority.file, timeout_seconds=5)


def refuse(desk: Desk, server: Rogue) -> str:
    """What the sending says of the server, which gets nothing."""
    edition = desk.edition()
    with pytest.raises(TransportError) as caught:
        desk.send(edition)
    assert server.commands["MAIL"] == 0 and server.commands["AUTH"] == 0 and server.copies() == {}
    assert states(desk, edition) == {DeliveryState.PENDING}
    return str(caught.value)
