"""Signed marks of joining: which form was that and when was it made; whose sign-up does this link confirm?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from newsletter.tokens import Purpose, Tokens

QUICKEST = timedelta(seconds=2)
"""No person reads a form and fills it in within this time."""
OLDEST = timedelta(days=1)
"""How long a form may stay open."""
_SECOND = timedelta(seconds=1)
_EVER = timedelta(days=3650)


class FormAge(StrEnum):
    """Whether a form may be taken, judged by its mark."""

    RIGHT = "right"
    QUICK = "quick"
    OLD = "old"
    STRANGE = "strange"
    """Not made here, or with a text of consent that is not the present one."""


def form_mark(tokens: Tokens, version: str, now: datetime) -> str:
    """The mark of a form that is shown now, with this version of the text of consent."""
    # A token knows whole seconds: from the next one on, so that nobody's form seems older than it is.
    return tokens.passing(Purpose.JOIN, version, now + _SECOND)


def form_age(tokens: Tokens, mark: str, version: str, now: datetime) -> FormAge:
    """What the mark of a form that came back says. Takes anything."""
    since = tokens.age(Purpose.JOIN, version, mark, now)
    if since is None or since < -_SECOND:
        return FormAge.STRANGE
    if since < QUICKEST:
        return FormAge.QUICK
    return FormAge.OLD if since > OLDEST else FormAge.RIGHT


@dataclass(frozen=True, slots=True)
class Confirming:
    """What a link for confirming says. ``address`` is a keyed hash."""

    public_id: str
    consent_id: int
    address: str
    expired: bool


def confirm_token(tokens: Tokens, public_id: str, consent_id: int, address_key: str, now: datetime) -> str:
    """A token for a link; ``address_key`` is the address as :func:`newsletter.subscribers.address_key` writes it."""
    subject = f"{public_id}~{consent_id}~{tokens.hashed(Purpose.CONFIRM, address_key)}"
    return tokens.passing(Purpose.CONFIRM, subject, now)


def read_confirm_token(tokens: Tokens, token: str, now: datetime, within: timedelta) -> Confirming | None:
    """What a token says, and whether it is older than ``within``; ``None`` for one that was not made for this purpose."""
    subject = tokens.read_passing(Purpose.CONFIRM, token, now, _EVER)
    if subject is None:
        return None
    public_id, consent_id, address = subject.split("~")
    expired = tokens.read_passing(Purpose.CONFIRM, token, now, within) is None
    return Confirming(public_id, int(consent_id), address, expired)
