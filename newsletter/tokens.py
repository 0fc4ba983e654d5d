"""Signed links: who may leave, without a login and for ever."""

from __future__ import annotations

import hmac
import secrets
from hashlib import blake2b
from pathlib import Path

from itsdangerous import BadSignature, Signer, URLSafeSerializer
from itsdangerous.encoding import base64_encode

from content.errors import ConfigError

_UNSUBSCRIBE = "dateline.unsubscribe"


class Tokens:
    """Makes and reads signed tokens. A token holds for one purpose and one subscriber and shows no address."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._leaving = Signer(key, salt=_UNSUBSCRIBE)
        # The signer derives its key anew for each token, and one is made for each message.
        self._mac = hmac.new(self._leaving.derive_key(), digestmod=Signer.default_digest_method)

    @property
    def key(self) -> str:
        """The site's key, for those who sign or hash for a purpose of their own."""
        return self._key

    def unsubscribe(self, public_id: str) -> str:
        """A token that never expires: a link in an old message must still work."""
        mac = self._mac.copy()
        mac.update(public_id.encode())
        return f"{public_id}.{base64_encode(mac.digest()).decode('ascii')}"

    def read_unsubscribe(self, token: str) -> str | None:
        """The subscriber's public id, or ``None`` for a token that was not made here for leaving."""
        try:
            return self._leaving.unsign(token).decode("ascii")
        except (BadSignature, UnicodeError):
            return self._read_older(token)

    def _read_older(self, token: str) -> str | None:
        """Tokens as they were made before 2026-11-25; they hold for ever too."""
        try:
            public_id = URLSafeSerializer(self._key, salt=_UNSUBSCRIBE).loads(token)
        except BadSignature:
            return None
        return public_id if isinstance(public_id, str) else None

    def slot(self, edition: str) -> str:
        """A mark that stands for a subscriber's link in a rendering and that no article can guess."""
        digest = blake2b(edition.encode(), key=self._key.encode()[:64], digest_size=12).hexdigest()
        return f"slot-{digest}-unsubscribe-url"


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
