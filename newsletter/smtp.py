"""Sending over SMTP (RFC 5321): one connection kept open, TLS verified, every reply understood."""

from __future__ import annotations

import re
import smtplib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

from newsletter.transport import LostReplyError, Message, Outcome, Reply, TransportAddress, TransportError, nothing

_POLICY = re.compile(r"^5\.7\.\d+")
"""Enhanced status codes (RFC 3463) that mean us, not the recipient."""
_IN_A_ROW = 3
"""Messages that fail for a reason that is not their recipients', before the sending stops: one may be unlucky."""
_STUFFING = re.compile(rb"(?m)^\.")


class _ClosingError(smtplib.SMTPServerDisconnected):
    """421: the server wants no more over this connection."""


class SmtpTransport:
    """A :class:`newsletter.transport.Transport` to one SMTP server.

    ``ca_file`` holds certificates to trust besides the system's. Where TLS was asked for, nothing is ever sent
    without it.
    """

    def __init__(
        self,
        address: TransportAddress,
        *,
        hello: str,
        user: str = "",
        password: str = "",
        timeout: float = 60,
        ca_file: Path | None = None,
    ) -> None:
        self.address = address
        self._hello = hello
        self._user = user or address.user
        self._password = password or address.password
        self._timeout = timeout
        self._ca_file = ca_file
        self._server: smtplib.SMTP | None = None
        self._failures = 0

    def send(self, message: Message, before_the_end: Callable[[], None] = nothing) -> Reply:
        for fresh in (False, True):
            fresh = fresh or self._server is None
            server = self._server or self._connect()
            try:
                reply = self._envelope(server, message)
            except (smtplib.SMTPServerDisconnected, OSError) as error:
                # Nothing of the message was written yet: a server may close a connection after so many messages.
                self._drop()
                if fresh and isinstance(error, _ClosingError):
                    return self._failure(_words(error))
                if fresh:
                    raise TransportError(f"{self.address}: the connection broke ({_words(error)})") from None
                continue
            return reply or self._data(server, message, before_the_end)
        raise AssertionError("unreachable")

    def close(self) -> None:
        if self._server:
            try:
                self._server.quit()
            except (smtplib.SMTPException, OSError):
                self._server.close()
        self._server = None

    def _drop(self) -> None:
        if self._server:
            self._server.close()
        self._server = None

    def _connect(self) -> smtplib.SMTP:
        at, secure = self.address, self.address.scheme != "smtp"
        try:
            context = ssl.create_default_context() if secure else None
            if context and self._ca_file:
                context.load_verify_locations(self._ca_file)
            if at.scheme == "smtps":
                assert context
                server: smtplib.SMTP = smtplib.SMTP_SSL(
                    at.host, at.port, local_hostname=self._hello, timeout=self._timeout, context=context
                )
            else:
                server = smtplib.SMTP(at.host, at.port, local_hostname=self._hello, timeout=self._timeout)
            try:
                if at.scheme == "smtp+starttls":
                    server.starttls(context=context)
                server.ehlo_or_helo_if_needed()
                # The final dot follows the message at once, instead of waiting for the message to be acknowledged.
                if server.sock:
                    server.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                if self._user:
                    server.login(self._user, self._password)
            except BaseException:
                server.close()
                raise
        except smtplib.SMTPNotSupportedError as error:
            raise TransportError(
                f"{at}: the server does not offer what the transport asks for ({error}); nothing was sent"
            ) from None
        except smtplib.SMTPAuthenticationError as error:
            raise TransportError(
                f"{at}: the server refuses user and password ({_said(error.smtp_code, error.smtp_error)})"
            ) from None
        except ssl.SSLError as error:
            raise TransportError(f"{at}: TLS failed ({error.reason or error}); nothing was sent") from None
        except (smtplib.SMTPException, OSError) as error:
            raise TransportError(f"{at}: cannot connect ({_words(error)})") from None
        self._server = server
        return server

    def _envelope(self, server: smtplib.SMTP, message: Message) -> Reply | None:
        """MAIL, RCPT and DATA. ``None`` when the server wants the message now."""
        code, words = server.mail(message.sender)
        if code == 421:
            raise _ClosingError(_said(code, words))
        if code >= 500:
            raise TransportError(f"{self.address}: the server refuses the sender {message.sender} ({_said(code, words)})")
        if code < 400:
            code, words = server.rcpt(message.recipient)
            if code == 421:
                raise _ClosingError(_said(code, words))
        if code < 400:
            code, words = server.docmd("DATA")
            if code == 354:
                return None
        reply = self._reply(code, words)
        try:
            server.rset()
        except (smtplib.SMTPException, OSError):
            # It said what it had to say; the next message goes over another connection.
            self._drop()
        return reply

    def _data(self, server: smtplib.SMTP, message: Message, before_the_end: Callable[[], None]) -> Reply:
        stuffed = _STUFFING.sub(b"..", message.content)
        end = b".\r\n" if stuffed.endswith(b"\r\n") else b"\r\n.\r\n"
        try:
            server.send(stuffed)
        except (smtplib.SMTPServerDisconnected, OSError) as error:
            # Without its final dot no server takes a message (RFC 5321 4.1.1.4).
            self._drop()
            return self._failure(f"the connection broke within the message ({_words(error)})")
        try:
            before_the_end()
        except BaseException:
            # A connection in the middle of a message is good for nothing else.
            self._drop()
            raise
        try:
            server.send(end)
            code, words = server.getreply()
        except (smtplib.SMTPException, OSError) as error:
            self._drop()
            raise LostReplyError(f"{self.address}: no reply after the message was written ({_words(error)})") from None
        if code == 421:
            self._drop()
        return self._reply(code, words)

    def _reply(self, code: int, words: bytes) -> Reply:
        said = _said(code, words)
        if code >= 500 and _POLICY.match(words.decode("utf-8", "replace")):
            return self._failure(f"the server refuses us, not the recipient ({said})")
        self._failures = 0
        if 200 <= code < 300:
            return Reply(Outcome.ACCEPTED, said)
        return Reply(Outcome.DEFERRED if 400 <= code < 500 else Outcome.REFUSED, said)

    def _failure(self, said: str) -> Reply:
        """A message that failed by no fault of its recipient: to be tried again, or, after several, the end of the sending."""
        self._failures += 1
        if self._failures >= _IN_A_ROW:
            raise TransportError(f"{self.address}: {said}")
        return Reply(Outcome.DEFERRED, said)


def _said(code: int, words: bytes | str) -> str:
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"{code} {' '.join(text.split())}"


def _words(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
