"""One SMTP connection, byte by byte: what it writes, and what it makes of what comes back (RFC 5321, RFC 2920)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from newsletter.smtp_opening import Opened
from newsletter.smtp_session import Session, Step
from newsletter.transport import Delivery, Message

ANN, BOB = Delivery(1, "a", "ann@example.com"), Delivery(2, "b", "bob@example.com")
BODY = b"Subject: x\r\n\r\n..hidden\r\nplain\r\n"


def message(delivery: Delivery, content: bytes = BODY) -> Message:
    return Message("news@news.test", delivery.email, f"<{delivery.id}@news.test>", (content[:5], content[5:]))


@dataclass
class Heard:
    """Whom a session tells."""

    answers: list[tuple[int, Step, int]] = field(default_factory=list)
    broken: list[tuple[list[int], int | None, str]] = field(default_factory=list)

    def answered(self, session: Session, delivery: Delivery, step: Step, code: int, words: str) -> None:
        self.answers.append((delivery.id, step, code))

    def broke(self, session: Session, unsent: list[Delivery], lost: Delivery | None, words: str, at: Step | None) -> None:
        self.broken.append(([one.id for one in unsent], lost and lost.id, words))


class Peer:
    """The server's end of the connection, played by hand."""

    def __init__(self, *offers: str) -> None:
        ours, self.end = socket.socketpair()
        ours.setblocking(False)
        self.end.settimeout(2)
        self.heard = Heard()
        self.session = Session(Opened(ours, offers), self.heard)

    def got(self) -> bytes:
        return self.end.recv(1 << 20)

    def says(self, *lines: str) -> None:
        self.end.sendall("".join(f"{line}\r\n" for line in lines).encode())
        self.session.can_read()

    def close(self) -> None:
        self.end.close()
        self.session.close()


@pytest.fixture
def pipelining() -> Iterator[Peer]:
    peer = Peer("pipelining")
    yield peer
    peer.close()


@pytest.fixture
def stepwise() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.close()


def test_a_message_and_the_next_envelope_are_one_write_and_one_round_trip(pipelining: Peer) -> None:
    session, heard = pipelining.session, pipelining.heard
    session.address(ANN, message(ANN))
    assert pipelining.got() == b"MAIL FROM:<news@news.test>\r\nRCPT TO:<ann@example.com>\r\nDATA\r\n"
    pipelining.says("250 ok", "250 ok", "354 go on")
    assert session.wants_body and session.addressed is ANN
    session.send_body((BOB, message(BOB)))
    assert pipelining.got() == (
        b"Subject: x\r\n\r\n..hidden\r\nplain\r\n.\r\nMAIL FROM:<news@news.test>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n"
    )
    pipelining.says("250 2.0.0 queued as 1", "250 ok", "250 ok", "354 go on")
    assert heard.answers == [(1, Step.END, 250)]
    assert session.wants_body and session.addressed is BOB and not session.is_idle


def test_without_pipelining_each_command_waits_for_the_answer_before_it(stepwise: Peer) -> None:
    session = stepwise.session
    session.address(ANN, message(ANN))
    assert stepwise.got() == b"MAIL FROM:<news@news.test>\r\n"
    stepwise.says("250 ok")
    assert stepwise.got() == b"RCPT TO:<ann@example.com>\r\n"
    stepwise.says("250 ok")
    assert stepwise.got() == b"DATA\r\n"
    stepwise.says("354 go on")
    session.send_body()
    assert stepwise.got().endswith(b"\r\nplain\r\n.\r\n")
    stepwise.says("250 queued")
    assert stepwise.heard.answers == [(1, Step.END, 250)] and session.is_idle


@pytest.mark.parametrize("data", ["354 go on anyway", "554 no valid recipients", "503 need RCPT"])
def test_a_refused_recipient_gets_nothing_and_the_next_one_is_served(pipelining: Peer, data: str) -> None:
    """RFC 2920 3.1: what a server wants after a refused recipient is a lone dot."""
    session = pipelining.session
    session.address(ANN, message(ANN))
    pipelining.got()
    pipelining.says("250 ok", "550 5.1.1 no such user", data)
    assert pipelining.heard.answers == [(1, Step.RCPT, 550)] and not session.wants_body
    if data.startswith("354"):
        assert pipelining.got() == b".\r\n"
        pipelining.says("554 no valid recipients")
    assert session.is_idle
    session.address(BOB, message(BOB))
    assert pipelining.got().endswith(b"MAIL FROM:<news@news.test>\r\nRCPT TO:<bob@example.com>\r\nDATA\r\n")


def test_after_a_refusal_without_pipelining_the_transaction_is_reset(stepwise: Peer) -> None:
    session = stepwise.session
    session.address(ANN, message(ANN))
    stepwise.got()
    stepwise.says("250 ok")
    stepwise.got()
    stepwise.says("450 4.2.1 greylisted")
    assert stepwise.heard.answers == [(1, Step.RCPT, 450)] and session.is_idle
    session.address(BOB, message(BOB))
    assert stepwise.got() == b"RSET\r\n"
    stepwise.says("250 ok")
    assert stepwise.got() == b"MAIL FROM:<news@news.test>\r\n"


def test_421_before_a_message_gives_it_back(pipelining: Peer) -> None:
    session = pipelining.session
    session.address(ANN, message(ANN))
    pipelining.says("250 ok", "421 4.7.0 too many connections")
    assert pipelining.heard.broken == [([1], None, "421 4.7.0 too many connections")] and not session.is_open


def test_a_connection_lost_behind_the_final_dot_is_in_doubt_and_the_next_is_not(pipelining: Peer) -> None:
    session = pipelining.session
    session.address(ANN, message(ANN))
    pipelining.says("250 ok", "250 ok", "354 go on")
    session.send_body((BOB, message(BOB)))
    pipelining.end.close()
    session.can_read()
    ((unsent, lost, _),) = pipelining.heard.broken
    assert lost == 1 and unsent == [2]


def test_a_connection_lost_before_the_final_dot_was_written_has_surely_not_delivered(pipelining: Peer) -> None:
    session = pipelining.session
    session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    session.address(ANN, message(ANN, b"Subject: x\r\n\r\n" + b"long line\r\n" * 200_000))
    pipelining.says("250 ok", "250 ok", "354 go on")
    session.send_body((BOB, message(BOB)))
    assert session.wants_to_write
    pipelining.end.recv(1000)
    pipelining.end.close()
    session.can_write()
    ((unsent, lost, _),) = pipelining.heard.broken
    assert sorted(unsent) == [1, 2] and lost is None


def test_an_answer_in_the_middle_of_a_message_is_believed_and_the_connection_given_up(pipelining: Peer) -> None:
    session = pipelining.session
    session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    session.address(ANN, message(ANN, b"Subject: x\r\n\r\n" + b"long line\r\n" * 200_000))
    pipelining.says("250 ok", "250 ok", "354 go on")
    session.send_body()
    pipelining.says("552 5.3.4 message too big")
    assert pipelining.heard.answers == [(1, Step.END, 552)] and not session.is_open


def test_a_positive_answer_before_the_message_ended_is_not_believed(pipelining: Peer) -> None:
    session = pipelining.session
    session.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    session.address(ANN, message(ANN, b"Subject: x\r\n\r\n" + b"long line\r\n" * 200_000))
    pipelining.says("250 ok", "250 ok", "354 go on")
    session.send_body()
    pipelining.says("250 taken")
    assert pipelining.heard.answers == [] and pipelining.heard.broken[0][:2] == ([1], None)


@pytest.mark.parametrize("garbage", ["hello", "HTTP/1.1 200 OK", "99 x", "2500 x", "\x00\x01"])
def test_garbage_ends_the_connection_and_what_was_written_is_in_doubt(pipelining: Peer, garbage: str) -> None:
    session = pipelining.session
    session.address(ANN, message(ANN))
    pipelining.says("250 ok", "250 ok", "354 go on")
    session.send_body()
    pipelining.says(garbage)
    ((unsent, lost, words),) = pipelining.heard.broken
    assert (unsent, lost) == ([], 1) and "no SMTP" in words and not session.is_open


def test_replies_of_many_lines_and_in_small_pieces_are_one_reply(pipelining: Peer) -> None:
    session = pipelining.session
    session.address(ANN, message(ANN))
    for piece in ("2", "50-first\r", "\n250-second\r\n250", " last\r\n250 ok\r\n35", "4 go\r\n"):
        assert not session.wants_body
        pipelining.end.sendall(piece.encode())
        session.can_read()
    assert session.wants_body


def test_a_reply_without_end_is_not_collected_for_ever(pipelining: Peer) -> None:
    pipelining.session.address(ANN, message(ANN))
    pipelining.end.sendall(b"250-" + b"x" * 70_000)
    pipelining.session.can_read()
    assert "does not end" in pipelining.heard.broken[0][2]


def test_a_server_that_says_goodbye_while_nothing_is_on_its_way_costs_nobody_anything(pipelining: Peer) -> None:
    pipelining.says("421 4.4.2 idle for too long")
    assert pipelining.heard.broken == [([], None, "421 4.4.2 idle for too long")]


def test_a_connection_is_left_with_quit(pipelining: Peer) -> None:
    pipelining.session.say_goodbye()
    assert pipelining.got() == b"QUIT\r\n" and pipelining.session.is_leaving
    pipelining.says("221 bye")
    assert not pipelining.session.is_open and pipelining.heard.broken == []
