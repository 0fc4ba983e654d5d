"""A mail provider on loopback that speaks Postmark's batch API and misbehaves on request, and letters for it."""

from __future__ import annotations

import contextlib
import datetime
import http.server
import ipaddress
import json
import socket
import struct
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from newsletter.message import Letter, Recipient, Sender
from newsletter.rendering import Rendering
from newsletter.transport import Message, Reply

NOW = datetime.datetime(2026, 11, 23, 7, tzinfo=datetime.UTC)

Answer = tuple[int, bytes, dict[str, str]]


def ok(batch: list[dict[str, Any]]) -> Answer:
    return (
        200,
        json.dumps(
            [{"To": one["To"], "ErrorCode": 0, "Message": "OK", "MessageID": f"id-{one['To']}"} for one in batch]
        ).encode(),
        {},
    )


class Provider:
    """What the server took, and what it does to the next requests: each of ``plan`` in turn, then ``ok``."""

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        self.taken: list[dict[str, Any]] = []
        self.plan: list[Callable[[Handler, list[dict[str, Any]]], Answer | None]] = []
        self.before_reading: Callable[[Handler], bool] = lambda handler: False
        self.url = ""

    @property
    def recipients(self) -> list[str]:
        return [one["To"] for one in self.taken]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    provider: Provider

    def do_POST(self) -> None:
        provider = self.provider
        provider.requests.append(dict(self.headers) | {"path": self.path, "port": str(self.client_address[1])})
        if provider.before_reading(self):
            return
        batch = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = provider.plan.pop(0)(self, batch) if provider.plan else ok(batch)
        if answer is None:
            return
        status, content, headers = answer
        if status == 200 and content == ok(batch)[1]:
            provider.taken += batch
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(content))} | headers).items():
            self.send_header(name, value)
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(content)

    def drop(self) -> None:
        """Resets the connection."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def log_message(self, *words: object) -> None:
        pass


class ProviderServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        pass


def letters(number: int, html: str = "<p>News — “today”</p>", start: int = 0) -> list[Message]:
    slot = "slot-0123456789abcdef01234567-unsubscribe-url"
    rendering = Rendering("Señal: 5G — “now”", f"{html}<a href='{slot}'>x</a>", f"News — today {slot}\n", slot)
    letter = Letter(Sender("Ünï, Ltd", "news@news.test", "desk@news.test", "news.test", "leave@news.test"), "daily", "Daily",
                    NOW.date(), rendering)  # fmt: skip
    return [
        letter.address(Recipient(f"id{count}", f"m{count}@example.com", f"https://news.test/u/{count}"), NOW)
        for count in range(start, start + number)
    ]


def outcomes(replies: Sequence[Reply | None]) -> list[str]:
    return [reply.outcome.value if reply else "in doubt" for reply in replies]


def answering(status: int, content: object = None, **headers: str) -> Callable[[Handler, list[dict[str, Any]]], Answer]:
    written = content if isinstance(content, bytes) else json.dumps(content).encode()
    return lambda handler, batch: (status, written, {name.replace("_", "-"): value for name, value in headers.items()})


# Misbehaviour


def drops(handler: Handler, batch: list[dict[str, Any]]) -> None:
    handler.drop()


def hangs(handler: Handler, batch: list[dict[str, Any]]) -> None:
    time.sleep(2.5)


def trickles(handler: Handler, batch: list[dict[str, Any]]) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", "100000")
    handler.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(40):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.3)
    handler.close_connection = True


def goes_on_and_on(handler: Handler, batch: list[dict[str, Any]]) -> Answer:
    """A right answer, with more blanks behind it than anybody should read."""
    return 200, ok(batch)[1] + b" " * 5_000_000, {}


def is_cut_off(handler: Handler, batch: list[dict[str, Any]]) -> None:
    content = ok(batch)[1]
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content[: len(content) // 2])
    handler.close_connection = True


def certificate(folder: Path) -> Path:
    """A certificate for 127.0.0.1 that signs itself."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    today = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        .serial_number(1).not_valid_before(today - datetime.timedelta(1)).not_valid_after(today + datetime.timedelta(9))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    (folder / "cert.pem").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    (folder / "key.pem").write_bytes(key.private_bytes(*form))
    return folder / "cert.pem"
