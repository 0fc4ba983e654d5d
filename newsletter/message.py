"""A variant's MIME bytes are made once; one subscriber's message is those bytes with his own pieces between.

RFC 5322, 2045 (quoted-printable), 2046 (multipart/alternative), 2369 and 8058 (leaving), 2919 (List-Id), 3834
(Auto-Submitted), 5321 4.5.2 (dots). What is put together here is what goes over the wire: nobody looks at it again.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.utils import format_datetime
from hashlib import blake2b
from typing import TYPE_CHECKING

from newsletter.headers import (
    HeaderError,
    address_field,
    ascii_address,
    plain_field,
    text_field,
    unicode_address,
    verbatim,
)
from newsletter.rendering import LINKS, Rendering, link_mark
from newsletter.transport import Message

if TYPE_CHECKING:
    from newsletter.dkim import SigningKey

_OWN = ("To", "Date", "Message-ID", "List-Unsubscribe")
"""The header fields that each message has for itself."""

_WIDTH = 75
# All that quoted-printable escapes: what is no printing ASCII, its own sign, and blanks that end a line.
_UNSAFE = re.compile(rb"[^\t\n -<>-~]|[ \t](?=\n|\Z)")

_FEEDBACK_ID = (5, 15)
"""How long Gmail wants the last part of a Feedback-ID, the sender."""


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
    """Who is spoken to, his own links, and where to a failure is to be reported (empty: to the sender)."""

    public_id: str
    email: str
    unsubscribe_url: str
    return_path: str = ""
    preferences_url: str = ""
    view_url: str = ""


@dataclass(frozen=True, slots=True)
class _Slot:
    """A place in the body for one of a recipient's links, escaped if the place is in HTML."""

    link: str
    in_html: bool


class Letter:
    """A variant of an edition, ready to be addressed. With keys, every message is signed (RFC 6376)."""

    def __init__(
        self, sender: Sender, digest: str, title: str, day: date, rendering: Rendering, keys: Sequence[SigningKey] = ()
    ) -> None:
        self._sender = sender
        self._edition = f"{digest}.{day.isoformat()}"
        self._from = ascii_address(sender.email)
        self._leave_by_mail = f"mailto:{ascii_address(sender.unsubscribe_email)}" if sender.unsubscribe_email else ""
        self._dated = (0, b"")
        # It depends on the content, so that equal content gives equal bytes; and no line of quoted-printable holds "=_".
        boundary = "=_dateline_" + blake2b(f"{rendering.text}\0{rendering.html}".encode(), digest_size=12).hexdigest()
        fields = [
            address_field("From", sender.name, sender.email),
            address_field("Reply-To", "", sender.reply_to or sender.email),
            text_field("Subject", rendering.subject),
            _list_id(title, digest, sender.host),
            b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
            plain_field("Feedback-ID", f"{self._edition}:{sender.host}:digest:{_sender_id(sender.host)}"),
            # A digest goes out by the clock: no vacation notice is to answer it.
            b"Auto-Submitted: auto-generated\r\n",
            b"MIME-Version: 1.0\r\n",
            f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n'.encode("ascii"),
        ]
        literals, self._slots = multipart(rendering, boundary)
        stuffed = [dot_stuffed(literal) for literal in literals]
        self._opening = b"".join(fields) + b"\r\n" + stuffed[0]
        self._following = stuffed[1:]
        self._seal = None
        if keys:
            from newsletter.dkim import Seal

            self._seal = Seal(keys, fields, _OWN, literals)

    def message_id(self, recipient: Recipient) -> str:
        """The same for one edition and subscriber over all retries, and telling nobody who it is."""
        return f"<{self._edition}.{recipient_mark(self._edition, recipient.public_id)}@{self._sender.host}>"

    def address(self, recipient: Recipient, now: datetime, *, smtputf8: bool = False) -> Message:
        """The message for one recipient, dated ``now`` (aware). Raises ``HeaderError`` for an impossible address.

        With ``smtputf8``, because the server offers it, a local part need not be ASCII (RFC 6531).
        """
        to = unicode_address(recipient.email) if smtputf8 else ascii_address(recipient.email)
        message_id = self.message_id(recipient)
        second = int(now.timestamp())
        own = [
            f"To: {to}\r\n".encode(),
            self._date(second, now),
            f"Message-ID: {message_id}\r\n".encode("ascii"),
            self._leaving(recipient),
        ]
        values = {slot: _filled(slot, recipient) for slot in set(self._slots)}
        filled = [values[slot] for slot in self._slots]
        signatures = self._seal.sign(own, filled, second) if self._seal else b""
        pieces = [signatures, *own, self._opening]
        for value, literal in zip(filled, self._following, strict=True):
            pieces += (dot_stuffed(value), literal)
        return_path = ascii_address(recipient.return_path) if recipient.return_path else self._from
        return Message(return_path, to, message_id, tuple(pieces))

    def _date(self, second: int, now: datetime) -> bytes:
        """The Date field, made once a second."""
        dated = self._dated
        if dated[0] != second:
            dated = self._dated = (second, f"Date: {format_datetime(now)}\r\n".encode("ascii"))
        return dated[1]

    def _leaving(self, recipient: Recipient) -> bytes:
        link = verbatim("List-Unsubscribe", recipient.unsubscribe_url)
        if "<" in link or ">" in link:
            raise HeaderError(f"List-Unsubscribe: {link!r} cannot stand between angle brackets")
        mail = f",\r\n <{self._leave_by_mail}?subject={recipient.public_id}>" if self._leave_by_mail else ""
        return f"List-Unsubscribe: <{link}>{mail}\r\n".encode("ascii")


def with_links(part: str, rendering: Rendering, recipient: Recipient) -> str:
    """A part of a rendering as this recipient sees it, for looking at."""
    for link in LINKS:
        part = part.replace(link_mark(rendering.slot, link), getattr(recipient, link))
    return part


def recipient_mark(edition: str, public_id: str) -> str:
    """What stands for a subscriber in the Message-ID of ``edition`` (its digest and date); a bounce can be told by it."""
    return blake2b(f"{edition}/{public_id}".encode(), digest_size=15).hexdigest()


def _list_id(title: str, digest: str, host: str) -> bytes:
    identifier = f"<{digest}.{host}>"
    field = text_field("List-Id", title).rstrip(b"\r\n")
    return field + f"\r\n {identifier}\r\n".encode("ascii")


def _sender_id(host: str) -> str:
    """What Gmail counts complaints under: the same for all that this site sends."""
    shortest, longest = _FEEDBACK_ID
    letters = re.sub(r"[^a-z0-9]", "", host.lower())
    return letters[:longest] if len(letters) >= shortest else f"{letters}dateline"


def multipart(rendering: Rendering, boundary: str) -> tuple[list[bytes], list[_Slot]]:
    """Both parts of a body, cut where the recipient's links go. Every slot has a line, or several, of its own."""
    mark = f"--{boundary}"
    marks = {link_mark(rendering.slot, link): link for link in LINKS}
    cut = re.compile("(" + "|".join(sorted(map(re.escape, marks), key=len, reverse=True)) + ")")
    pieces, slots = [b""], []
    for kind, content in (("plain", rendering.text), ("html", rendering.html)):
        head = f'{mark}\r\nContent-Type: text/{kind}; charset="utf-8"\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n'
        texts = cut.split(content)
        slots += [_Slot(marks[found], kind == "html") for found in texts[1::2]]
        literals = [quoted_printable(part) for part in texts[::2]]
        # A soft line break on either side of the slot: what is put in can be of any length.
        opened = [literals[0], *(b"=\r\n" + literal for literal in literals[1:])]
        closed = [literal + b"=\r\n" for literal in opened[:-1]] + opened[-1:]
        pieces[-1] += head.encode("ascii") + closed[0]
        pieces += closed[1:]
        pieces[-1] += b"" if pieces[-1].endswith(b"\r\n") else b"\r\n"
    pieces[-1] += f"{mark}--\r\n".encode("ascii")
    return pieces, slots


def _filled(slot: _Slot, recipient: Recipient) -> bytes:
    """What a recipient has in a slot, in quoted-printable."""
    link: str = getattr(recipient, slot.link)
    if not link:
        raise HeaderError(f"the template asks for {slot.link}, and there is none for {recipient.email!r}")
    if slot.in_html and any(sign in link for sign in "&<>\"'"):
        link = html.escape(link)
    if link.isascii() and link.isprintable() and "=" not in link and " " not in link:
        raw = link.encode("ascii")
        return b"=\r\n".join([raw[start : start + _WIDTH] for start in range(0, len(raw), _WIDTH)])
    return quoted_printable(link)


def dot_stuffed(piece: bytes) -> bytes:
    """A piece that begins at the beginning of a line, with a dot before every line's first dot (RFC 5321 4.5.2)."""
    if b"\n." in piece:
        piece = piece.replace(b"\n.", b"\n..")
    return b"." + piece if piece.startswith(b".") else piece


def quoted_printable(text: str) -> bytes:
    """RFC 2045 6.7: lines of at most 75 characters ending in CR LF, so that a soft line break fits behind the last.

    ``binascii.b2a_qp`` makes longer ones where a blank ends a line.
    """
    raw = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8")
    escaped = _UNSAFE.sub(lambda found: b"=%02X" % found[0][0], raw)
    return b"\r\n".join(piece for line in escaped.split(b"\n") for piece in _folded(line))


def _folded(line: bytes) -> Iterator[bytes]:
    """The lines of quoted-printable that an encoded line needs."""
    start = 0
    while True:
        # Mailboxes in one file put a sign before a line that begins so, signature or not (RFC 6376 5.3).
        opening = b"=46rom" if line.startswith(b"From ", start) else b""
        start += 4 if opening else 0
        cut = start + _WIDTH - len(opening)
        if len(line) <= cut:
            yield opening + line[start:]
            return
        # Not within the three characters that stand for one.
        cut -= next((back for back in (1, 2) if line[cut - back] == ord("=")), 0)
        yield opening + line[start:cut] + b"="
        start = cut
