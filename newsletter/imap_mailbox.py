"""Bounces in a folder of an IMAP server (RFC 3501; MOVE: RFC 6851, UIDPLUS: RFC 4315), over verified TLS."""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from newsletter.mailboxes import ASIDE, PROCESSED, Mail, MailboxError

_SETTLED = "$DatelineSettled"
"""Marks what cannot be moved, on servers without MOVE and UIDPLUS."""
_NEAR = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class ImapAddress:
    """``imaps://user@host[:port]/folder`` (TLS from the start) or ``imap://`` (STARTTLS)."""

    scheme: str
    host: str
    port: int
    user: str
    folder: str

    @classmethod
    def parse(cls, url: str) -> ImapAddress:
        """Reads a URL. Raises ``MailboxError`` with what is expected; a password has no place in it."""
        try:
            parts = urlsplit(url)
            port = parts.port or (993 if parts.scheme == "imaps" else 143)
        except ValueError:
            raise MailboxError("the port of an IMAP server must be a number up to 65535") from None
        if parts.password is not None:
            raise MailboxError("a password does not belong into the address: set DATELINE_BOUNCES__IMAP_PASSWORD")
        if parts.scheme not in ("imap", "imaps") or not parts.hostname or not parts.username:
            raise MailboxError("an IMAP folder is written imaps://USER@HOST[:PORT]/FOLDER")
        return cls(parts.scheme, parts.hostname, port, unquote(parts.username), unquote(parts.path.strip("/")) or "INBOX")

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}/{self.folder}"


class ImapMailbox:
    """A :class:`newsletter.mailboxes.Mailbox` on an IMAP server. Connects when it is made."""

    def __init__(self, at: ImapAddress, password: str, *, timeout: float = 60, ca_file: Path | None = None) -> None:
        self.at = at
        try:
            self._server = self._connect(timeout, ca_file)
            self._server.login(at.user, password)
            self._need(self._server.select(self._quoted(at.folder)))
            # What a server can do, it may say only to those who are logged in.
            self._abilities = self._need(self._server.capability())[0].decode("ascii", "replace").upper().split()
            self._delimiter = self._find_delimiter()
        except ssl.SSLError as error:
            raise MailboxError(f"{at}: TLS failed ({error.reason or error}); no password was sent") from None
        except (imaplib.IMAP4.error, OSError) as error:
            raise MailboxError(f"{at}: {_said(error)}") from None
        self._made: set[str] = set()

    def messages(self) -> Iterator[Mail]:
        try:
            moves = self._moves()
            found = self._need(self._server.uid("SEARCH", "ALL" if moves else f"UNKEYWORD {_SETTLED}"))
            for uid in (found[0] or b"").decode("ascii").split():
                parts = self._need(self._server.uid("FETCH", uid, "(BODY.PEEK[])"))
                content = next((bytes(part[1]) for part in parts if isinstance(part, tuple)), None)
                if content is not None:
                    yield Mail(uid, content)
        except (imaplib.IMAP4.error, OSError) as error:
            raise MailboxError(f"{self.at}: {_said(error)}") from None

    def file(self, mail: Mail, *, aside: bool) -> None:
        folder = f"{self.at.folder}{self._delimiter}{ASIDE if aside else PROCESSED}"
        try:
            if not self._moves():
                self._need(self._server.uid("STORE", mail.name, "+FLAGS.SILENT", f"({_SETTLED})"))
                return
            if folder not in self._made:
                self._server.create(self._quoted(folder))  # Says NO when it is there.
                self._made.add(folder)
            if not aside:
                self._need(self._server.uid("STORE", mail.name, "+FLAGS.SILENT", r"(\Seen)"))
            if "MOVE" in self._abilities:
                self._need(self._server.uid("MOVE", mail.name, self._quoted(folder)))
                return
            self._need(self._server.uid("COPY", mail.name, self._quoted(folder)))
            self._need(self._server.uid("STORE", mail.name, "+FLAGS.SILENT", r"(\Deleted)"))
            self._need(self._server.uid("EXPUNGE", mail.name))
        except (imaplib.IMAP4.error, OSError) as error:
            raise MailboxError(f"{self.at}: message {mail.name} cannot be moved to {folder}: {_said(error)}") from None

    def close(self) -> None:
        with suppress(imaplib.IMAP4.error, OSError):
            self._server.logout()

    def _connect(self, timeout: float, ca_file: Path | None) -> imaplib.IMAP4:
        context = ssl.create_default_context()
        if ca_file:
            context.load_verify_locations(ca_file)
        if self.at.scheme == "imaps":
            return imaplib.IMAP4_SSL(self.at.host, self.at.port, ssl_context=context, timeout=timeout)
        server = imaplib.IMAP4(self.at.host, self.at.port, timeout=timeout)
        if "STARTTLS" in server.capabilities:
            server.starttls(context)
        elif self.at.host not in _NEAR:
            server.shutdown()
            raise imaplib.IMAP4.error("the server offers no STARTTLS, and the password would go over the wire in clear")
        return server

    def _moves(self) -> bool:
        return "MOVE" in self._abilities or "UIDPLUS" in self._abilities

    def _find_delimiter(self) -> str:
        """What stands between a folder and those within it, here."""
        listed = self._need(self._server.list('""', '""'))
        found = re.search(rb'\) "(.)"', listed[0] or b"")
        return found[1].decode("ascii") if found else "/"

    def _need(self, answer: tuple[str, Any]) -> list[Any]:
        """The parts of a good answer: bytes, nothing, or pairs with a literal."""
        status, parts = answer
        if status != "OK":
            raise imaplib.IMAP4.error(b" ".join(part for part in parts if isinstance(part, bytes)).decode("utf-8", "replace"))
        return list(parts)

    @staticmethod
    def _quoted(folder: str) -> str:
        """A folder's name as a quoted string in modified UTF-7 (RFC 3501 5.1.3)."""
        encoded = re.sub(r"[^\x20-\x7e]+|&", lambda found: _utf7(found[0]), folder)
        return '"' + encoded.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _utf7(text: str) -> str:
    import base64

    if text == "&":
        return "&-"
    return "&" + base64.b64encode(text.encode("utf-16-be")).decode("ascii").rstrip("=").replace("/", ",") + "-"


def _said(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
