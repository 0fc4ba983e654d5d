"""A single message about somebody's own affairs, such as a new address: plain text, to one person, recorded nowhere."""

from __future__ import annotations

import secrets
from datetime import datetime
from email.utils import format_datetime
from pathlib import Path

from content.errors import DatelineError
from content.settings import SiteSettings
from newsletter.headers import address_field, ascii_address, plain_field, text_field
from newsletter.message import dot_stuffed, quoted_printable
from newsletter.settings import NewsletterSettings
from newsletter.transport import Message, Outcome, Single

_OWN = ("To", "Date", "Message-ID")


class NoticeError(DatelineError):
    """A notice that could not be sent."""


class Notices:
    """Writes notices in a site's name and sends them by its transport."""

    def __init__(self, root: Path, site: SiteSettings, newsletter: NewsletterSettings) -> None:
        self._root = root
        self._site = site
        self._newsletter = newsletter
        self._email = newsletter.from_email or f"newsletter@{site.host}"

    def send(self, to: str, subject: str, text: str, now: datetime) -> None:
        """Sends a notice. Raises ``NoticeError``, or another ``DatelineError`` where no server can be reached."""
        # Loaded by who sends.
        from newsletter.sending import open_transport

        message = self.message(to, subject, text, now)
        queue = Single(lambda smtputf8: message)
        transport = open_transport(self._root, self._site, self._newsletter)
        try:
            transport.run(queue)
        finally:
            transport.close()
        if queue.reply.outcome is not Outcome.ACCEPTED:
            raise NoticeError(f"a notice was not taken by the mail server: {queue.reply.text}")

    def message(self, to: str, subject: str, text: str, now: datetime) -> Message:
        """The message, signed if the site signs. Raises ``HeaderError`` for an impossible address."""
        recipient = ascii_address(to)
        message_id = f"<notice.{secrets.token_hex(16)}@{self._site.host}>"
        own = [
            f"To: {recipient}\r\n".encode("ascii"),
            f"Date: {format_datetime(now)}\r\n".encode("ascii"),
            plain_field("Message-ID", message_id),
        ]
        shared = [
            address_field("From", self._newsletter.from_name or self._site.title, self._email),
            address_field("Reply-To", "", self._newsletter.reply_to or self._email),
            text_field("Subject", subject),
            b"Auto-Submitted: auto-generated\r\n",
            b"MIME-Version: 1.0\r\n",
            b'Content-Type: text/plain; charset="utf-8"\r\n',
            b"Content-Transfer-Encoding: quoted-printable\r\n",
        ]
        body = quoted_printable(text.rstrip("\n") + "\n")
        signatures = self._signatures(shared, own, body, int(now.timestamp()))
        return Message(
            ascii_address(self._email), recipient, message_id, (signatures, *own, *shared, b"\r\n", dot_stuffed(body))
        )

    def _signatures(self, shared: list[bytes], own: list[bytes], body: bytes, seconds: int) -> bytes:
        ours = self._newsletter
        if not ours.dkim:
            return b""
        from newsletter.dkim import Seal, load_key

        domain = ours.dkim_domain or self._email.rpartition("@")[2]
        keys = [load_key(self._root / one.key_file, one.selector, domain) for one in ours.dkim]
        return Seal(keys, shared, _OWN, [body]).sign(own, [], seconds)
