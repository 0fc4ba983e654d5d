"""Signed marks of joining: which form was that and when was it made; whose sign-up does this link confirm?"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from itsdangerous import BadSignature, Signer

_FORM = "dateline.form"
_CONFIRM = "dateline.confirm"
_ADDRESS = b"dateline.confirm.address\0"

QUICKEST = timedelta(seconds=2)
"""No person reads a form and fills it in within this time."""
OLDEST = timedelta(days=1)
"""How long a form may stay open."""


class FormAge(StrEnum):
    """Whether a form may be taken, judged by its token."""

    RIGHT = "right"
    QUICK = "quick"
    OLD = "old"
    STRANGE = "strange"
    """Not made here, or with a text of consent that is not the present one."""


class FormTokens:
    """Marks of forms: when they were made, and which text of consent they show."""

    def __init__(self, key: str) -> None:
        self._signer = Signer(key, salt=_FORM)

    def make(self, version: str, now: datetime) -> str:
        """The mark of a form that is shown now."""
        return self._signer.sign(f"{int(now.timestamp() * 1000)}.{version}").decode("ascii")

    def age(self, token: str, version: str, now: datetime) -> FormAge:
        """What the mark of a form that came back says. Takes anything."""
        made, _, shown = (_signed(self._signer, token) or "").partition(".")
        if not made:
            return FormAge.STRANGE
        since = now - datetime.fromtimestamp(int(made) / 1000, UTC)
        if shown != version or since < timedelta(0):
            return FormAge.STRANGE
        if since < QUICKEST:
            return FormAge.QUICK
        return FormAge.OLD if since > OLDEST else FormAge.RIGHT


@dataclass(frozen=True, slots=True)
class Confirming:
    """What a link for confirming says. ``address`` is a keyed hash."""

    public_id: str
    consent_id: int
    expires: datetime
    address: str


class ConfirmTokens:
    """Marks in links that confirm a sign-up: for this purpose, one request, one address, and some time."""

    def __init__(self, key: str) -> None:
        self._key = key.encode()
        self._signer = Signer(key, salt=_CONFIRM)

    def make(self, public_id: str, consent_id: int, address_key: str, expires: datetime) -> str:
        """A token; ``address_key`` is the address as :func:`newsletter.subscribers.address_key` writes it."""
        parts = (public_id, str(consent_id), str(int(expires.timestamp())), self.mark(address_key))
        return self._signer.sign(".".join(parts)).decode("ascii")

    def read(self, token: str) -> Confirming | None:
        """What a token says, expired or not; ``None`` for one that was not made here for this purpose."""
        value = _signed(self._signer, token)
        if value is None:
            return None
        public_id, consent_id, expires, address = value.split(".")
        return Confirming(public_id, int(consent_id), datetime.fromtimestamp(int(expires), UTC), address)

    def mark(self, address_key: str) -> str:
        """What stands for an address in a token."""
        return hmac.digest(self._key, _ADDRESS + address_key.encode(), "sha256").hex()[:16]


def _signed(signer: Signer, token: str) -> str | None:
    """What a token says, if it is letter by letter as it was made: a signature has more than one spelling in Base64."""
    try:
        value = signer.unsign(token)
    except (BadSignature, UnicodeError):
        return None
    return value.decode("ascii") if hmac.compare_digest(signer.sign(value), token.encode()) else None
