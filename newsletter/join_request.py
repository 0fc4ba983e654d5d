"""What did somebody type into the form? Every field is data from a stranger: checked, and refused by name."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from content.errors import DatelineError
from content.regions import resolve
from newsletter.consent import Choices
from newsletter.preferences import Frequency
from newsletter.subscribers import SubscriberError, address_key

FREQUENCIES = tuple(one.value for one in Frequency)
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{1,8}){0,4}")
_LONGEST_PAGE = 2000
_MANY = 500
"""Regions or digests that one request may name."""


class JoinError(DatelineError):
    """A field of the form that cannot be taken; ``field`` is its name."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


@dataclass(frozen=True, slots=True)
class JoinRequest:
    """A sign-up as it comes in. Empty regions or digests mean all; an empty ``trap`` is how people leave that field.

    ``page`` is the address of the page with the form, ``client`` the network address of who sent it, ``form_token`` the mark
    that the form was made with.
    """

    email: str
    form_token: str
    regions: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    frequency: str = ""
    language: str = ""
    time_zone: str = ""
    page: str = ""
    client: str = ""
    trap: str = ""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request that was found in order, as it waits for its mail.

    ``network`` is what is kept of the client's address, ``wording`` the text that the form showed.
    """

    asked_at: datetime
    page: str
    network: str
    wording: str
    choices: Choices

    def to_json(self) -> str:
        """As it is kept."""
        whole = {
            "at": self.asked_at.isoformat(), "page": self.page, "network": self.network, "wording": self.wording,
            "choices": self.choices.to_json(),
        }  # fmt: skip
        return json.dumps(whole, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Ask:
        """Reads :meth:`to_json`."""
        found = json.loads(text)
        choices = Choices.from_json(found["choices"])
        at = datetime.fromisoformat(found["at"])
        return cls(at, found["page"], found["network"], found["wording"], choices)


def checked_address(email: str) -> str:
    """The address as it was typed, without blanks around it. Raises ``JoinError`` for what no mail can reach.

    That is told openly, since it follows from the letters alone.
    """
    try:
        address_key(email)
    except SubscriberError as error:
        raise JoinError("email", str(error)) from None
    return email.strip()


def checked_choices(request: JoinRequest, digests: Collection[str]) -> Choices:
    """What is wanted. ``digests`` are those there are. Raises ``JoinError`` naming the field."""
    if max(len(request.regions), len(request.digests)) > _MANY:
        raise JoinError("regions", f"at most {_MANY} regions and digests can be chosen")
    places, unknown = resolve(request.regions)
    if unknown:
        raise JoinError("regions", f"{unknown[0].name[:80]!r} is no region that is known here: choose from the list")
    for name in request.digests:
        if name not in digests:
            raise JoinError("digests", f"there is no digest {name[:80]!r}: choose from the list")
    if request.frequency and request.frequency not in FREQUENCIES:
        raise JoinError("frequency", f"{request.frequency[:80]!r} is no frequency: choose one of {', '.join(FREQUENCIES)}")
    if request.language and not _LANGUAGE.fullmatch(request.language):
        raise JoinError("language", f"{request.language[:80]!r} is no language tag such as 'en' or 'pt-BR'")
    return Choices(
        tuple(sorted({place.code for place in places})), tuple(sorted(set(request.digests))), request.frequency,
        request.language, _zone(request.time_zone),
    )  # fmt: skip


def checked_page(page: str) -> str:
    """The page that a form was on, without what follows ``?`` and ``#``, which may tell of the visitor."""
    if not page:
        return ""
    try:
        parts = urlsplit(page)
    except ValueError:
        parts = urlsplit("")
    if not page.isprintable() or len(page) > _LONGEST_PAGE or parts.scheme not in ("http", "https") or not parts.hostname:
        raise JoinError("page", "the page is no web address: it must begin with https:// or http:// and be on one line")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{parts.path}"


@cache
def time_zone_names() -> frozenset[str]:
    """All time zones there are. Asked of the system once: that takes some milliseconds."""
    return frozenset(available_timezones())


def _zone(name: str) -> str:
    # Asked of the list and not of the files: a name must not become a path.
    if name and name not in time_zone_names():
        raise JoinError("time_zone", f"{name[:80]!r} is no time zone such as 'Europe/London'")
    return name
