"""Who agreed to what, when, where from and by which text? Rows are added and never changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, insert, select

from newsletter.tables import consent_texts, consents, subscribers


class Event(StrEnum):
    """What happened to a consent."""

    ASKED = "asked"
    """Somebody typed the address into a form. Whoever that was: it is no consent yet."""
    CONFIRMED = "confirmed"
    """Whoever reads mail to the address pressed the button behind the link."""
    IMPORTED = "imported"
    """It was given elsewhere, as the operator says; the source is the file."""
    BY_HAND = "by hand"
    """The operator recorded it on the command line."""


@dataclass(frozen=True, slots=True)
class Choices:
    """What somebody wants to get. Codes of regions and names of digests: none means all; empty text: not said."""

    regions: tuple[str, ...] = ()
    digests: tuple[str, ...] = ()
    frequency: str = ""
    language: str = ""
    time_zone: str = ""

    def to_json(self) -> str:
        """As it is kept: what is not empty."""
        return json.dumps({name: value for name, value in asdict(self).items() if value}, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> Choices:
        """Reads :meth:`to_json`."""
        found: dict[str, Any] = json.loads(text)
        return cls(
            tuple(found.get("regions", ())), tuple(found.get("digests", ())), found.get("frequency", ""),
            found.get("language", ""), found.get("time_zone", ""),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Wording:
    """The text that people agree to. Another text is another version."""

    text: str

    @property
    def version(self) -> str:
        return sha256(self.text.encode()).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Consent:
    """One piece of evidence. ``network`` is what was kept of the client's address; ``asked_id`` what was confirmed."""

    id: int
    event: Event
    happened_at: datetime
    source: str
    network: str = ""
    wording: str = ""
    version: str = ""
    choices: Choices = field(default_factory=Choices)
    asked_id: int | None = None


class Consents:
    """The evidence of a site, within one transaction of ``connection``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def record(
        self, subscriber_id: int, event: Event, now: datetime, source: str, *, network: str = "",
        wording: Wording | None = None, choices: Choices | None = None, asked_id: int | None = None,
    ) -> int:  # fmt: skip
        """Adds a piece of evidence and returns its id."""
        row = {
            "subscriber_id": subscriber_id, "event": event, "happened_at": now, "source": source, "network": network,
            "text_id": self._text(wording, now) if wording else None, "choices": (choices or Choices()).to_json(),
            "asked_id": asked_id,
        }  # fmt: skip
        return int(self._connection.execute(insert(consents).values(row).returning(consents.c.id)).scalar_one())

    def of(self, subscriber_id: int) -> Iterator[Consent]:
        """All that is recorded of a subscriber, the oldest first."""
        query = (
            select(consents, consent_texts.c.text, consent_texts.c.version)
            .outerjoin(consent_texts)
            .where(consents.c.subscriber_id == subscriber_id)
            .order_by(consents.c.id)
        )
        for row in self._connection.execute(query):
            yield _consent(row)

    def of_member(self, public_id: str) -> Iterator[Consent]:
        """The same by public id."""
        number = self._connection.execute(select(subscribers.c.id).where(subscribers.c.public_id == public_id)).scalar()
        return self.of(number) if number is not None else iter(())

    def asked(self, subscriber_id: int, consent_id: int) -> Consent | None:
        """The request of this number, if it is this subscriber's."""
        found = (one for one in self.of(subscriber_id) if one.id == consent_id and one.event is Event.ASKED)
        return next(found, None)

    def _text(self, wording: Wording, now: datetime) -> int:
        query = select(consent_texts.c.id).where(consent_texts.c.version == wording.version)
        there = self._connection.execute(query).scalar()
        if there is not None:
            return int(there)
        row = {"version": wording.version, "text": wording.text, "first_used": now}
        return int(self._connection.execute(insert(consent_texts).values(row).returning(consent_texts.c.id)).scalar_one())


def _consent(row: Any) -> Consent:
    return Consent(
        row.id, Event(row.event), row.happened_at, row.source, row.network, row.text or "", row.version or "",
        Choices.from_json(row.choices), row.asked_id,
    )  # fmt: skip
