"""A variant's MIME bytes are made once; one subscriber's message is those bytes with his own pieces between.

RFC 5322, 2045 (quoted-printable), 2046 (multipart/alternative), 2369 and 8058 (leaving), 2919 (List-Id).
"""

from __future__ import annotations

from binascii import b2a_qp
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import format_datetime
from hashlib import blake2b

from newsletter.headers import address_field, ascii_address, plain_field, text_field
from newsletter.rendering import Rendering
from newsletter.transport import Message


@dataclass(frozen=True, slots=True)
class Sender:
    """Who speaks. ``host`` names messages and the list.

    Answers go to ``reply_to`` or else to ``email``; ``unsubscribe_email`` may be empty.
    """

    name: str
    email: str
    reply_to: str
    host: str
    unsubscribe_email: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who is spoken to, and his link for leaving."""

    public_id: str
    email: str
    unsubscribe_url: str


class Letter:
    """A variant of an edition, ready to be addressed."""

    def __init__(self, sender: Sender, digest: str, title: str, day: date, rendering: Rendering) -> None:
        self._sender = sender
        self._edition = f"{digest}.{day.isoformat()}"
        boundary = "=_dateline_" + blake2b(rendering.html.encode(), digest_size=12).hexdigest()
        self._pieces = _body(rendering, boundary)
        self._head = b"".join([
            address_field("From", sender.name, sender.email),
            address_field("Reply-To", "", sender.reply_to or sender.email),
            text_field("Subject", rendering.subject),
            _list_id(title, digest, sender.host),
            b"MIME-Version: 1.0\r\n",
            f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'.encode("ascii"),
        ])  # fmt: skip

    def message_id(self, recipient: Recipient) -> str:
        """The same for one edition and subscriber over all retries, and telling nobody who it is."""
        return f"<{self._edition}.{recipient_mark(self._edition, recipient.public_id)}@{self._sender.host}>"

    def address(self, recipient: Recipient, now: datetime) -> Message:
        """The message for one recipient, dated ``now`` (aware). Raises ``HeaderError`` for an impossible address."""
        message_id = self.message_id(recipient)
        leaving = [f"<{recipient.unsubscribe_url}>"]
        if self._sender.unsubscribe_email:
            leaving.append(f"<mailto:{ascii_address(self._sender.unsubscribe_email)}?subject={recipient.public_id}>")
        own = b"".join([
            address_field("To", "", recipient.email),
            plain_field("Date", *format_datetime(now).split(" ")),
            plain_field("Message-ID", message_id),
            plain_field("List-Unsubscribe", *(f"{part}," for part in leaving[:-1]), leaving[-1]),
            b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
        ])  # fmt: skip
        link = _quoted_printable(recipient.unsubscribe_url)
        content = own + self._head + b"\r\n" + link.join(self._pieces)
        return Message(ascii_address(self._sender.email), ascii_address(recipient.email), message_id, content)


def recipient_mark(edition: str, public_id: str) -> str:
    """What stands for a subscriber in the Message-ID of ``edition`` (its digest and date); a bounce can be told by it."""
    return blake2b(f"{edition}/{public_id}".encode(), digest_size=15).hexdigest()


def _list_id(title: str, digest: str, host: str) -> bytes:
    identifier = f"<{digest}.{host}>"
    field = text_field("List-Id", title).rstrip(b"\r\n")
    return field + f"\r\n {identifier}\r\n".encode("ascii")


def _body(rendering: Rendering, boundary: str) -> list[bytes]:
    """Both parts, cut where the recipient's link goes."""
    mark = f"--{boundary}"
    pieces = [b""]
    for kind, content in (("plain", rendering.text), ("html", rendering.html)):
        head = f'{mark}\r\nContent-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
        literals = [_quoted_printable(part) for part in content.split(rendering.slot)]
        # A soft line break on either side of the slot: what is put in can be of any length.
        opened = [literals[0], *(b"=\r\n" + literal for literal in literals[1:])]
        closed = [literal + b"=\r\n" for literal in opened[:-1]] + opened[-1:]
        pieces[-1] += head.encode("ascii") + closed[0]
        pieces += closed[1:]
        pieces[-1] += b"" if pieces[-1].endswith(b"\r\n") else b"\r\n"
    pieces[-1] += f"{mark}--\r\n".encode("ascii")
    return pieces


def _quoted_printable(text: str) -> bytes:
    """RFC 2045 6.7: lines of at most 76 characters ending in CR LF, room for a soft break behind the last."""
    raw = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8")
    lines = b2a_qp(raw, istext=True).split(b"\n")
    if len(lines[-1]) > 75:
        cut = 70 if lines[-1][68:70].find(b"=") == -1 else 68 + lines[-1][68:70].find(b"=")
        lines[-1:] = [lines[-1][:cut] + b"=", lines[-1][cut:]]
    return b"\r\n".join(lines)
