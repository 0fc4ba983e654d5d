"""One connection to the rogue server: what it hears, what it answers, and what it holds against the client."""

from __future__ import annotations

import re
import socket
import ssl
import struct
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from acts import Act, Moment, Scene

if TYPE_CHECKING:
    from rogue import Rogue


class _DroppedError(Exception):
    pass


class Conversation:
    """One connection to the server."""

    def __init__(self, server: Rogue, connection: socket.socket, number: int) -> None:
        self._server = server
        self._number = number
        self._socket = connection
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ahead = b""
        self._message = 0
        self._is_secure = False
        self._forget()

    def _forget(self) -> None:
        self._sender: str | None = None
        self._recipients: list[str] = []

    def hold(self) -> None:
        """Talks until one of the two has had enough."""
        try:
            if self._server.tls_at_once:
                self._secure()
            self._answer(Moment.GREETING, "", "220 mx.test ESMTP")
            while line := self._read_line():
                self._obey(line)
        except (_DroppedError, OSError, ssl.SSLError, UnicodeDecodeError):
            pass
        finally:
            self._socket.close()

    def _obey(self, line: str) -> None:
        verb = line[:4].upper()
        self._server.commands[verb] += 1
        match verb:
            case "EHLO":
                self._greet(line)
            case "HELO":
                self._answer(Moment.EHLO, line, "250 mx.test")
            case "STAR":
                self._start_tls(line)
            case "MAIL":
                self._take_sender(line)
            case "RCPT":
                self._take_recipient(line)
            case "DATA":
                self._take_message(line)
            case "RSET":
                self._forget()
                self._say("250 2.0.0 forgotten")
            case "NOOP":
                self._say("250 2.0.0 ok")
            case "QUIT":
                self._say("221 2.0.0 bye")
                raise _DroppedError
            case _:
                self._sin(f"says {line!r}")
                self._say("500 5.5.2 what?")

    # The moments

    def _greet(self, line: str) -> None:
        offered = list(self._server.extensions)
        if self._server.tls and not self._is_secure and not self._server.tls_at_once:
            offered.append("STARTTLS")
        self._forget()
        self._answer(Moment.EHLO, line, "\n".join(["250 mx.test", *offered]))

    def _start_tls(self, line: str) -> None:
        if self._answer(Moment.STARTTLS, line, "220 2.0.0 go on").startswith("220"):
            self._secure()

    def _secure(self) -> None:
        assert self._server.tls
        if self._ahead:
            self._sin("sends commands in clear after STARTTLS")
        self._socket = self._server.tls.wrap_socket(self._socket, server_side=True)
        self._is_secure = True
        self._forget()

    def _take_sender(self, line: str) -> None:
        self._message += 1
        for parameter in re.findall(r"> ?(.*)", line)[0].split():
            name = parameter.partition("=")[0].upper()
            needed = {"BODY": "8BITMIME"}.get(name, name)
            if needed not in [offer.split()[0] for offer in self._server.extensions]:
                self._sin(f"uses {parameter}, which was not offered")
        if self._answer(Moment.MAIL, line, "250 2.1.0 ok").startswith("2"):
            self._sender, self._recipients = line, []

    def _take_recipient(self, line: str) -> None:
        found = re.search(r"<([^>]*)>", line)
        recipient = found[1] if found else ""
        usual = "250 2.1.5 ok" if self._sender else "503 5.5.1 MAIL first"
        if self._answer(Moment.RCPT, line, usual, recipient).startswith("2"):
            self._recipients.append(recipient)

    def _take_message(self, line: str) -> None:
        recipient = self._recipients[0] if self._recipients else ""
        usual = "354 go on" if recipient else "554 5.5.1 no valid recipients"
        if not self._answer(Moment.DATA, line, usual, recipient).startswith("354"):
            return
        if self._ahead and recipient:
            self._sin("sends the message before 354")
        within = self._scene(Moment.BODY, "", recipient)
        if isinstance(within, Act) and within.drop:
            self._socket.recv(2000)
            self._drop()
        content = self._read_message()
        if not recipient:
            # RFC 2920 3.1: the client that finds that no recipient was taken sends the dot alone.
            if content.strip():
                self._sin("sends a message to nobody")
            self._say("554 5.5.1 no valid recipients")
        else:
            self._finish(recipient, content)
        self._forget()

    def _finish(self, recipient: str, content: bytes) -> None:
        if len(self._recipients) > 1:
            self._sin("gives one member's message to several")
        self._look_at(content)
        act = _filled(self._scene(Moment.END, "", recipient), "250 2.0.0 kept")
        if act.accept or act.reply.startswith("2"):
            self._server.keep(recipient, content)
        self._perform(act)

    # What is heard

    def _read_line(self) -> str:
        while b"\n" not in self._ahead:
            more = self._socket.recv(65536)
            if not more:
                return ""
            self._ahead += more
        line, _, self._ahead = self._ahead.partition(b"\n")
        if not line.endswith(b"\r"):
            self._sin(f"ends a line without CR: {line!r}")
        if self._ahead and "PIPELINING" not in self._server.extensions:
            self._sin(f"does not wait for the answer to {line!r}")
        return line.decode("utf-8").rstrip("\r") or " "

    def _read_message(self) -> bytes:
        content, at = bytearray(b"\r\n" + self._ahead), 0
        while (end := content.find(b"\r\n.\r\n", at)) < 0:
            at = max(0, len(content) - 4)
            more = self._socket.recv(262144)
            if not more:
                raise _DroppedError
            content += more
        self._ahead = bytes(content[end + 5 :])
        if self._ahead and "PIPELINING" not in self._server.extensions:
            self._sin("does not wait for the answer to its message")
        return bytes(content[2:end]).replace(b"\r\n..", b"\r\n.")

    def _look_at(self, content: bytes) -> None:
        if re.search(rb"(?<!\r)\n|\r(?!\n)", content):
            self._sin("has a bare CR or LF in a message")
        if max(map(len, content.split(b"\r\n"))) > 998:
            self._sin("has a line of more than 998 octets in a message")
        if not content.isascii() and "8BITMIME" not in self._server.extensions:
            self._sin("sends 8-bit text to a server that takes 7 bits")

    def _sin(self, what: str) -> None:
        self._server.sins.append(f"connection {self._number}: the client {what}")

    # What is said

    def _scene(self, moment: Moment, line: str, recipient: str) -> str | Act | None:
        attempt = self._server.count(moment, recipient)
        return self._server.decide(Scene(moment, self._number, self._message, line, recipient, attempt))

    def _answer(self, moment: Moment, line: str, usual: str, recipient: str = "") -> str:
        """Asks the plan, does what it says; returns the reply that was given."""
        act = _filled(self._scene(moment, line, recipient), usual)
        self._perform(act)
        return act.reply

    def _perform(self, act: Act) -> None:
        time.sleep(act.wait)
        text = act.raw or (_reply(act.reply) if act.reply else b"")
        size = max(1, -(-len(text) // act.pieces))
        for start in range(0, len(text), size):
            self._socket.sendall(text[start : start + size])
            time.sleep(act.pause)
        if act.drop:
            self._drop()
        if act.close or act.reply.startswith("421"):
            self._leave()

    def _say(self, text: str) -> None:
        self._perform(Act(reply=text))

    def _leave(self) -> None:
        """Closes as a polite server does: what it said arrives, whatever the client had sent ahead."""
        self._socket.shutdown(socket.SHUT_WR)
        self._socket.settimeout(2)
        while self._socket.recv(65536):
            pass
        raise _DroppedError

    def _drop(self) -> None:
        """Breaks the connection so that the client gets a reset and no goodbye."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        raise _DroppedError


def _filled(planned: str | Act | None, usual: str) -> Act:
    """What is planned, with the usual reply where it says nothing of its own."""
    act = planned if isinstance(planned, Act) else Act(reply=planned or usual)
    return act if act.reply or act.raw or act.drop else replace(act, reply=usual)


def _reply(text: str) -> bytes:
    """The bytes of a reply (RFC 5321 4.2); every line but the last has a hyphen behind its code."""
    code, lines = text[:3], text[4:].split("\n")
    marks = ["-"] * (len(lines) - 1) + [" "]
    return "".join(f"{code}{mark}{line}\r\n" for mark, line in zip(marks, lines, strict=True)).encode()
