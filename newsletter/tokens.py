"""Signed links: who may do what, without a login.

A token holds for one purpose and one subject (a subscriber, a variant), shows no address, and is compared in constant time.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import cache
from hashlib import blake2b, sha1
from pathlib import Path

from itsdangerous import BadSignature, Signer, URLSafeSerializer
from itsdangerous.encoding import base64_encode

from content.errors import ConfigError

_SUBJECT = re.compile(r"[A-Za-z0-9_~,-]{0,200}")
_SECONDS = re.compile(r"[0-9a-f]{1,12}")


class Purpose(StrEnum):
    """What a token is good for. One of one purpose is worthless for any other."""

    UNSUBSCRIBE = "unsubscribe"
    PREFERENCES = "preferences"
    VIEW = "view"
    """A variant of an edition, in the browser."""
    UNDO = "undo"
    """Taking back that somebody left."""
    ADDRESS = "address"
    """A new address, confirmed by who reads its mail."""
    FORM = "form"
    """A form that this site itself made, against forged ones."""
    JOIN = "join"
    """A form for joining: when it was made, and with which text of consent."""
    CONFIRM = "confirm"
    """A sign-up, confirmed by who reads the address's mail."""


class Tokens:
    """Makes and reads signed tokens. What is signed with ``old`` keys (the oldest first) holds as well; nothing new is."""

    def __init__(self, key: str, old: Sequence[str] = ()) -> None:
        self._keys = [*old, key]
        self._signer = cache(self._made_signer)
        # The signer derives its key anew for each token, and several are made for each message.
        self._derived = cache(lambda salt: self._signer(salt).derive_key())

    @property
    def key(self) -> str:
        """The site's first key, for those who hash: it stays when keys change, or what was hashed could not be found again."""
        return self._keys[0]

    # Tokens that hold for ever: a link in an old message must still work

    def lasting(self, purpose: Purpose, subject: str) -> str:
        """A token that never expires. ``subject`` is made of letters, digits and ``_~,-``."""
        if not _SUBJECT.fullmatch(subject):
            raise ValueError(f"{subject!r} cannot stand in a link")
        mac = hmac.digest(self._derived(purpose.value), subject.encode(), "sha1")
        return f"{subject}.{base64_encode(mac).decode('ascii')}"

    def read_lasting(self, purpose: Purpose, token: str) -> str | None:
        """The subject, or ``None`` for a token that was not made here for this purpose."""
        try:
            return self._signer(purpose.value).unsign(token).decode("ascii")
        except (BadSignature, UnicodeError):
            return None

    def unsubscribe(self, public_id: str) -> str:
        """A subscriber's token for leaving."""
        return self.lasting(Purpose.UNSUBSCRIBE, public_id)

    def read_unsubscribe(self, token: str) -> str | None:
        """The subscriber's public id, or ``None`` for a token that was not made here for leaving."""
        return self.read_lasting(Purpose.UNSUBSCRIBE, token) or self._read_older(token)

    def _read_older(self, token: str) -> str | None:
        """Tokens as they were made before 2026-11-25; they hold for ever too."""
        try:
            public_id = URLSafeSerializer(self._keys, salt="dateline.unsubscribe").loads(token)
        except (BadSignature, UnicodeError):
            return None
        return public_id if isinstance(public_id, str) else None

    # Tokens that pass

    def passing(self, purpose: Purpose, subject: str, now: datetime) -> str:
        """A token that knows when it was made; who reads it says how old it may be."""
        if not _SUBJECT.fullmatch(subject):
            raise ValueError(f"{subject!r} cannot stand in a link")
        return self._signer(f"{purpose}.passing").sign(f"{subject}.{int(now.timestamp()):x}").decode("ascii")

    def age(self, purpose: Purpose, subject: str, token: str, now: datetime) -> timedelta | None:
        """How long ago a passing token was made for just this subject; ``None`` for any other."""
        found = self._read_passing(purpose, token)
        if found is None or not hmac.compare_digest(found[0].encode(), subject.encode()):
            return None
        return now - found[1]

    def read_passing(self, purpose: Purpose, token: str, now: datetime, within: timedelta) -> str | None:
        """The subject, or ``None`` for a token that was not made here for this purpose, or is older than ``within``."""
        found = self._read_passing(purpose, token)
        # A minute for clocks that differ.
        if found is None or not -timedelta(minutes=1) <= now - found[1] <= within:
            return None
        return found[0]

    def _read_passing(self, purpose: Purpose, token: str) -> tuple[str, datetime] | None:
        try:
            subject, _, seconds = self._signer(f"{purpose}.passing").unsign(token).decode("ascii").rpartition(".")
        except (BadSignature, UnicodeError):
            return None
        return (subject, datetime.fromtimestamp(int(seconds, 16), UTC)) if _SECONDS.fullmatch(seconds) else None

    # Hashes

    def hashed(self, purpose: Purpose, text: str) -> str:
        """What stands for a text in a token without showing it, such as an address."""
        return blake2b(
            text.encode(), key=self._keys[-1].encode()[:64], person=purpose.encode()[:16], digest_size=15
        ).hexdigest()

    def slot(self, edition: str) -> str:
        """A mark that stands for a subscriber's link in a rendering and that no article can guess."""
        digest = blake2b(edition.encode(), key=self._keys[-1].encode()[:64], digest_size=12).hexdigest()
        return f"slot-{digest}-unsubscribe-url"

    def _made_signer(self, salt: str) -> Signer:
        return Signer(self._keys, salt=f"dateline.{salt}", digest_method=sha1)


def load_key(path: Path, *, create: bool) -> str:
    """The key in a file; with ``create``, a new one is made (readable by its owner only) when there is none."""
    try:
        key = path.read_text("ascii").strip()
    except FileNotFoundError:
        if not create:
            raise ConfigError(f"{path}: there is no key in this file, and links cannot be signed without one") from None
        key = secrets.token_urlsafe(32)
        try:
            path.touch(mode=0o600)
            path.write_text(key + "\n", "ascii")
        except OSError as error:
            raise ConfigError(f"{path}: a new key cannot be written ({error.strerror})") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: the key cannot be read ({error})") from None
    if len(key) < 16:
        raise ConfigError(f"{path}: the key must have at least 16 characters")
    return key


def load_old_keys(path: Path) -> list[str]:
    """Keys that were the site's once, one a line, the oldest first. Raises ``ConfigError`` for a file without any."""
    try:
        keys = [line.strip() for line in path.read_text("ascii").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: newsletter.old_secret_keys_file cannot be read ({error})") from None
    if not keys or any(len(key) < 16 for key in keys):
        raise ConfigError(f"{path}: must hold keys of at least 16 characters, one a line, the oldest first")
    return keys
