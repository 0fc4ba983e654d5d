"""The sink that benchmarks trust counts what arrives, however the network cuts it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from postoffice import MissingError, Tally, build_fast_sink, fast_sink

ENVELOPE = b"MAIL FROM:<a@news.test>\r\nRCPT TO:<%s>\r\nDATA\r\n"
MESSAGES = {
    "plain@example.com": b"Subject: x\r\n\r\nhello\r\n.\r\n",
    "empty@example.com": b".\r\n",
    "dots@example.com": b"..\r\n...\r\n.. .\r\n\r\n..hidden\r\n.\r\n",
    "nearly@example.com": b"\n.\n\r.\r\r\n.\n\r\n. \r\nx\r\n.\r\n",
}


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        return build_fast_sink(tmp_path_factory.mktemp("sink"))
    except MissingError as error:
        pytest.skip(str(error))


@contextmanager
def talking(tally: Tally) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", tally.port), 10) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield connection


def listen(connection: socket.socket) -> bytes:
    said = b""
    while more := connection.recv(65536):
        said += more
    return said


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 11, 64, 100_000])
def test_messages_are_told_apart_wherever_the_network_cuts_them(program: Path, tmp_path: Path, size: int) -> None:
    """All commands and messages in one stream: what follows a final dot is the next envelope (RFC 2920 3.1)."""
    log = tmp_path / "recipients.log"
    stream = b"EHLO test\r\n"
    for recipient, message in MESSAGES.items():
        stream += ENVELOPE % recipient.encode() + message
    with fast_sink(program, log=log) as tally, talking(tally) as connection:
        for start in range(0, len(stream), size):
            connection.sendall(stream[start : start + size])
        connection.sendall(b"QUIT\r\n")
        said = listen(connection)
    assert log.read_text().split() == list(MESSAGES)
    assert tally.messages == said.count(b"250 2.0.0 taken") == len(MESSAGES)
    assert tally.bytes == sum(map(len, MESSAGES.values()))
    assert b"500" not in said and said.endswith(b"221 2.0.0 bye\r\n")


def test_a_message_without_its_final_dot_is_not_counted(program: Path) -> None:
    with fast_sink(program) as tally:
        with talking(tally) as connection:
            connection.sendall(ENVELOPE % b"a@example.com" + b"Subject: x\r\n\r\nhello\r\n.\r")
            connection.shutdown(socket.SHUT_WR)
            listen(connection)
        with talking(tally) as connection:
            connection.sendall(b"DATA\r\nQUIT\r\n")
            assert b"503" in listen(connection)
    assert tally.messages == 0
