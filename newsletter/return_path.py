"""Whose message came back: each delivery's envelope sender names its subscriber and edition, signed.

An envelope sender that tells the recipient is known as VERP. Ours is ``bounces+WHO-EDITION-SIGNATURE@example.org``, in
small letters and digits alone, because mail systems change the case of addresses.
"""

from __future__ import annotations

import base64
import hmac
import re
from dataclasses import dataclass
from hashlib import blake2b, sha256

LONGEST_NAME = 16
"""Octets before the ``+``: with who, edition and signature behind it a local part stays within 64 (RFC 5321 4.5.3.1.1)."""

_PURPOSE = b"dateline.return"
_SIGNATURE_BYTES = 10
_TOKEN = re.compile(r"([0-9a-z]{1,32})-([0-9a-f]{1,8})([a-z2-7]{16})")
_IN_TEXT = re.compile(r"[+]([0-9a-z]{1,32}-[0-9a-f]{1,8}[a-z2-7]{16})@", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Returned:
    """Whose message came back, and of which edition it was."""

    public_id: str
    edition_id: int


class ReturnPaths:
    """Makes and reads return paths under the site's ``key``. A token holds for this purpose alone and shows no address."""

    def __init__(self, key: str, bounce_email: str) -> None:
        name, _, host = bounce_email.rpartition("@")
        self._head, self._tail = f"{name.lower()}+", f"@{host}"
        # Started once: a copy of it costs a fifth of starting anew, and one is made for each message.
        self._signer = blake2b(key=sha256(key.encode()).digest(), person=_PURPOSE, digest_size=_SIGNATURE_BYTES)

    def address(self, public_id: str, edition_id: int) -> str:
        """The envelope sender of one delivery. ``public_id`` is made of small letters and digits."""
        who = f"{public_id}-{edition_id:x}"
        return f"{self._head}{who}{self._signature(who)}{self._tail}"

    def read(self, address: str) -> Returned | None:
        """Whom a return path names; ``None`` for one that was not made here, or was altered."""
        token = address.rpartition("@")[0].rpartition("+")[2]
        return self._read(token)

    def find(self, text: str) -> Returned | None:
        """The first genuine return path within a text, such as the headers of a message."""
        return next((found for token in _IN_TEXT.findall(text) if (found := self._read(token))), None)

    def _read(self, token: str) -> Returned | None:
        parts = _TOKEN.fullmatch(token.lower())
        if parts is None:
            return None
        public_id, edition, signature = parts.groups()
        if not hmac.compare_digest(self._signature(f"{public_id}-{edition}"), signature):
            return None
        return Returned(public_id, int(edition, 16))

    def _signature(self, who: str) -> str:
        signer = self._signer.copy()
        signer.update(who.encode("ascii"))
        return base64.b32encode(signer.digest()).decode("ascii").lower()
