"""One open SMTP connection, as a state machine over a socket that never blocks (RFC 5321, RFC 2920).

Where the server offers pipelining, one write holds a message, its final dot and the next message's envelope: a message
costs one round trip. What comes of each delivery is told to the session's owner.
"""

from __future__ import annotations

import re
import ssl
from collections import deque
from enum import Enum, auto
from typing import Protocol

from newsletter.smtp_opening import Opened, said, words_of
from newsletter.transport import Delivery, Message

_LONGEST_REPLY = 16_384
_REPLY_LINE = re.compile(rb"([2-5]\d\d)(?:([ -])([^\r]*))?\r?")


class Step(Enum):
    """What a reply that is awaited answers."""

    MAIL = auto()
    RCPT = auto()
    DATA = auto()
    END = auto()
    """The final dot."""
    LONE_DOT = auto()
    """The end of a message that was not sent, because its recipient had been refused (RFC 2920 3.1)."""
    RSET = auto()
    QUIT = auto()


_ENVELOPE = (Step.MAIL, Step.RCPT, Step.DATA)


class Owner(Protocol):
    """Who hears what became of a session's deliveries."""

    def answered(self, session: Session, delivery: Delivery, step: Step, code: int, words: str) -> None:
        """A server's verdict on a delivery."""

    def broke(self, session: Session, unsent: list[Delivery], lost: Delivery | None, words: str, at: Step | None) -> None:
        """The connection is gone; ``unsent`` surely have not arrived, nobody knows of ``lost``.

        ``at`` is the step that the server answered with 421, if it did.
        """


class Session:
    """An open connection. It carries at most one message whose end is unanswered, and one envelope behind it."""

    def __init__(self, opened: Opened, owner: Owner) -> None:
        self.socket = opened.socket
        self.smtputf8 = "smtputf8" in opened.offers
        self.count = 0
        """Messages whose envelope went over this connection."""
        self.accepted = 0
        self.is_open = True
        self.is_leaving = False
        """Whether it has said goodbye."""
        self.moved_at = 0.0
        """When something last went or came, on the owner's clock."""
        self.watched = 0
        """What the owner waits for: a selector's mask."""
        self._owner = owner
        self._is_encrypted = isinstance(opened.socket, ssl.SSLSocket)
        self._pipelines = "pipelining" in opened.offers
        self._expected: deque[Step] = deque()
        self._commands: deque[tuple[Step, bytes]] = deque()
        self._out = memoryview(b"")
        self._end_at = -1
        """Bytes still to write when the final dot has gone out; -1 when there is none to come."""
        self._in = bytearray()
        self._lines: list[bytes] = []
        self._addressed: Delivery | None = None
        self._message: Message | None = None
        self._written: Delivery | None = None
        self._verdict: tuple[Step, int, str] | None = None
        self._must_reset = False
        self.wants_body = False
        """The server waits for the message whose envelope it has."""
        self.ticket = 0
        """The owner's mark for what :attr:`addressed` waits for."""

    @property
    def addressed(self) -> Delivery | None:
        """The delivery whose envelope was sent and whose message was not begun."""
        return self._addressed

    @property
    def is_idle(self) -> bool:
        return self.is_open and not self._expected and not self._commands and not self.wants_body and self._addressed is None

    @property
    def pipelines(self) -> bool:
        """Whether the next envelope may follow a message at once."""
        return self._pipelines

    @property
    def wants_to_write(self) -> bool:
        return bool(self._out)

    # What the owner asks for

    def address(self, delivery: Delivery, message: Message) -> None:
        """Sends an envelope; the connection must be idle."""
        self._write(self._envelope(delivery, message))

    def send_body(self, following: tuple[Delivery, Message] | None = None) -> None:
        """Sends the message that the server waits for, to its end; and the next envelope behind it, if there is one."""
        assert self._addressed and self._message
        self._written, message = self._addressed, self._message
        self._addressed = self._message = None
        self.wants_body = False
        self._expected.append(Step.END)
        behind = self._envelope(*following) if following else b""
        self._end_at = len(behind)
        self._write(*message.pieces, b".\r\n" + behind)

    def drop(self) -> None:
        """Closes the connection at once, without a word. Nothing may be on the wire."""
        self._addressed = self._message = None
        self.close()

    def say_goodbye(self) -> None:
        """QUIT; the connection closes with the answer."""
        self.is_leaving = True
        self._expected.append(Step.QUIT)
        self._write(b"QUIT\r\n")

    def give_up(self, words: str, at: Step | None = None) -> None:
        """Ends a connection that fell silent or broke; its owner hears what became of the deliveries."""
        if not self.is_open:
            return
        self.close()
        unsent = [self._addressed] if self._addressed else []
        lost = None
        if self._written and len(self._out) > self._end_at:
            # Without its final dot no server takes a message (RFC 5321 4.1.1.4).
            unsent.append(self._written)
        elif self._written:
            lost = self._written
        self._written = self._addressed = self._message = None
        self._owner.broke(self, unsent, lost, words, at)

    def close(self) -> None:
        """Closes the socket."""
        self.is_open = self.wants_body = False
        self.socket.close()

    # What the socket brings

    def can_write(self) -> None:
        """Goes on with writing."""
        try:
            while self._out:
                sent = self.socket.send(self._out)
                self._out = self._out[sent:]
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        # Its answer may have come before it closed.
        self.can_read()
        self.give_up(f"the connection broke ({words_of(error)})")

    def can_read(self) -> None:
        """Reads what has come and acts on every whole reply."""
        try:
            while self.is_open:
                received = self.socket.recv(65_536)
                self._in += received
                if received:
                    self._parse()
                if not received:
                    self.give_up("the server closed the connection")
                elif len(received) < 65_536 and not self._is_encrypted:
                    break
        except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
            pass
        except OSError as error:
            self.give_up(f"the connection broke ({words_of(error)})")

    def _parse(self) -> None:
        *lines, rest = bytes(self._in).split(b"\n")
        self._in = bytearray(rest)
        for line in lines:
            match = _REPLY_LINE.fullmatch(line)
            if match is None or not (self._expected or match[1] == b"421"):
                self.give_up(f"the server talks no SMTP ({line[:60].decode('ascii', 'replace')!r})")
            elif match[2] == b"-":
                self._lines.append(match[3])
            else:
                words = b" ".join((*self._lines, match[3] or b"")) if self._lines else match[3] or b""
                self._lines.clear()
                self._reply(int(match[1]), words)
            if not self.is_open:
                return
        if len(self._in) + sum(map(len, self._lines)) > _LONGEST_REPLY:
            self.give_up("the server's reply does not end")

    def _reply(self, code: int, text: bytes) -> None:
        step = self._expected.popleft() if self._expected else Step.RSET
        # What is said to a command that went well is of no interest.
        words = said(code, text) if code >= 400 or step is Step.END else ""
        match step:
            case Step.END:
                self._ended(code, words)
            case Step.MAIL | Step.RCPT:
                if code >= 300 and not self._verdict:
                    self._verdict = step, code, words or said(code, text)
                if not self._pipelines:
                    self._next_command()
            case Step.DATA:
                self._data(code, words)
            case Step.QUIT:
                self.close()
            case Step.RSET if not self._pipelines:
                self._next_command()
            case Step.RSET | Step.LONE_DOT:
                pass
        if code == 421 and self.is_open:
            self.give_up(words, step)

    def _ended(self, code: int, words: str) -> None:
        delivery, early = self._written, len(self._out) > self._end_at
        assert delivery
        if early and code < 400:
            self.give_up(f"the server answered before the message was written ({words})")
            return
        self._written = None
        self.accepted += code < 300
        self._owner.answered(self, delivery, Step.END, code, words)
        if early and self.is_open:
            # It would take the rest of the message for commands.
            self.give_up(words)

    def _data(self, code: int, words: str) -> None:
        if code == 354 and not self._verdict:
            self.wants_body = True
            return
        if code == 354:
            self._expected.append(Step.LONE_DOT)
            self._write(b".\r\n")
        else:
            self._must_reset = True
        self._judge(self._verdict or (Step.DATA, code, words))

    def _next_command(self) -> None:
        if self._verdict:
            self._commands.clear()
            self._must_reset = True
            self._judge(self._verdict)
        elif self._commands:
            step, command = self._commands.popleft()
            self._expected.append(step)
            self._write(command)

    def _judge(self, verdict: tuple[Step, int, str]) -> None:
        """The envelope was refused. What 421 refuses is the connection."""
        step, code, words = verdict
        delivery = self._addressed
        self._verdict = None
        if code == 421 or delivery is None:
            self.give_up(words, step)
            return
        self._addressed = self._message = None
        self._owner.answered(self, delivery, step, code, words)

    def _envelope(self, delivery: Delivery, message: Message) -> bytes:
        self._addressed, self._message = delivery, message
        self.count += 1
        international = "" if message.recipient.isascii() and message.sender.isascii() else " SMTPUTF8"
        if self._pipelines and not self._must_reset:
            self._expected.extend(_ENVELOPE)
            return f"MAIL FROM:<{message.sender}>{international}\r\nRCPT TO:<{message.recipient}>\r\nDATA\r\n".encode()
        commands = [
            (Step.MAIL, f"MAIL FROM:<{message.sender}>{international}\r\n".encode()),
            (Step.RCPT, f"RCPT TO:<{message.recipient}>\r\n".encode()),
            (Step.DATA, b"DATA\r\n"),
        ]
        if self._must_reset:
            commands.insert(0, (Step.RSET, b"RSET\r\n"))
            self._must_reset = False
        if self._pipelines:
            self._expected.extend(step for step, _ in commands)
            return b"".join(command for _, command in commands)
        self._commands.extend(commands[1:])
        self._expected.append(commands[0][0])
        return commands[0][1]

    def _write(self, *pieces: bytes) -> None:
        sent = 0
        if not (self._out or self._is_encrypted):
            # Most of a message's pieces are those of the message before: they are not copied together first.
            try:
                sent = self.socket.sendmsg(pieces)
            except BlockingIOError:
                pass
            except OSError as error:
                self._out = memoryview(b"".join(pieces))
                self._fail(error)
                return
            if sent == sum(map(len, pieces)):
                return
        self._out = memoryview(b"".join((self._out, *pieces)))[sent:]
        self.can_write()
