"""Opening a connection to an SMTP server: greeting, TLS that is verified, login. Done by the standard library's smtplib."""

from __future__ import annotations

import smtplib
import socket
import ssl
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path

from newsletter.transport import TransportError
from newsletter.transport_address import TransportAddress

_SEND_BUFFER = 1 << 18
"""Bytes that the system may take at once, so that most messages go out in one step."""

_UNKNOWN_ISSUERS = (18, 19, 20, 21)
"""What OpenSSL says (X509_V_ERR_...) of certificates that nobody whom this system knows has issued."""


class AwayError(TransportError):
    """The server cannot be reached or wants no connection just now; another try, or another server, may do."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """One server to send through.

    ``weight`` is its share of the connections among several; ``rate`` in messages a second, 0 for as fast as it goes.
    """

    address: TransportAddress
    user: str = ""
    password: str = field(default="", repr=False)
    weight: float = 1.0
    connections: int = 4
    messages: int = 500
    rate: float = 0.0


@dataclass(frozen=True, slots=True)
class Opened:
    """An open, greeted, perhaps encrypted and logged in connection, and what the server offers (RFC 5321 4.1.1.1)."""

    socket: socket.socket
    offers: Collection[str]


def open_connection(server: SmtpServer, hello: str, timeout: float, ca_file: Path | None) -> Opened:
    """Connects. Where TLS was asked for, nothing goes on without it.

    Raises ``AwayError`` when the server cannot be reached, ``TransportError`` when it cannot be trusted or refuses us.
    """
    at = server.address
    try:
        client = _connected(server, hello, timeout, ca_file)
    except smtplib.SMTPNotSupportedError as error:
        raise TransportError(
            f"{at}: the server does not offer what the transport asks for ({error}); nothing was sent"
        ) from None
    except smtplib.SMTPAuthenticationError as error:
        raise TransportError(
            f"{at}: the server refuses user and password ({said(error.smtp_code, error.smtp_error)})"
        ) from None
    except smtplib.SMTPResponseException as error:
        kind = AwayError if error.smtp_code < 500 else TransportError
        raise kind(f"{at}: the server does not let us in ({said(error.smtp_code, error.smtp_error)})") from None
    except ssl.SSLError as error:
        raise TransportError(f"{at}: {why_untrusted(error, at)}; nothing was sent") from None
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise AwayError(f"{at}: cannot connect ({words_of(error)})") from None
    assert client.sock
    connection, client.sock = client.sock, None
    if client.file:
        client.file.close()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
    connection.setblocking(False)
    return Opened(connection, frozenset(client.esmtp_features))


def _connected(server: SmtpServer, hello: str, timeout: float, ca_file: Path | None) -> smtplib.SMTP:
    at = server.address
    context = ssl.create_default_context() if at.scheme != "smtp" else None
    if context and ca_file:
        context.load_verify_locations(ca_file)
    client: smtplib.SMTP
    if at.scheme == "smtps":
        assert context
        client = smtplib.SMTP_SSL(at.host, at.port, local_hostname=hello, timeout=timeout, context=context)
    else:
        client = smtplib.SMTP(at.host, at.port, local_hostname=hello, timeout=timeout)
    try:
        if at.scheme == "smtp+starttls":
            _encrypt(client, context)
        client.ehlo_or_helo_if_needed()
        if server.user:
            client.login(server.user, server.password)
    except BaseException:
        client.close()
        raise
    return client


def _encrypt(client: smtplib.SMTP, context: ssl.SSLContext | None) -> None:
    code, words = client.starttls(context=context)
    if code != 220:
        # smtplib takes a refusal for an answer, and would go on in clear.
        raise smtplib.SMTPNotSupportedError(f"STARTTLS: {said(code, words)}")


def why_untrusted(error: ssl.SSLError, at: TransportAddress) -> str:
    """Why TLS did not come about, and what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message.rstrip(".")
        own = error.verify_code in _UNKNOWN_ISSUERS
        hint = "; name the certificate that it is to be trusted by in newsletter.ca_file, if it is your own" if own else ""
        return f"its certificate does not hold ({reason}){hint}"
    if error.library == "PEM" or error.reason == "NO_CERTIFICATE_OR_CRL_FOUND":
        return f"newsletter.ca_file holds no certificates in PEM form ({error.reason})"
    if at.scheme == "smtps" and error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"):
        return "this port speaks no TLS at once; try smtp+starttls://"
    return f"TLS failed ({error.reason or error})"


def said(code: int, words: bytes | str) -> str:
    """A reply in one line."""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"{code} {' '.join(text.split())}".rstrip()


def words_of(error: BaseException) -> str:
    """What an error says, in one line."""
    return " ".join(str(error).split()) or type(error).__name__
