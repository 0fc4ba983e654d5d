"""A site with members and news, and a real SMTP server that misbehaves on request."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from mailroom import Desk, Server


@pytest.fixture
def server() -> Iterator[Server]:
    handler = Server()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    handler.address = f"smtp://127.0.0.1:{port}"  # type: ignore[attr-defined]
    yield handler
    controller.stop()


@pytest.fixture
def desk(tmp_path: Path, server: Server) -> Desk:
    made = Desk(tmp_path, server)
    made.report("first")
    return made
