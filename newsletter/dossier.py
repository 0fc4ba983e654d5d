"""What is known of one person? All of it, so that they can be shown it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, select

from newsletter.consent import Consents
from newsletter.preferences import unpacked
from newsletter.subscribers import SubscriberError, address_key
from newsletter.suppression import Suppressions
from newsletter.tables import bounces, deliveries, editions, pending_mails, subscribers, suppressions

_LISTS = ("regions", "digests")
Value = str | int | float | bool | None | list[str]
Record = dict[str, Value]


@dataclass(frozen=True, slots=True)
class Dossier:
    """All that is kept about an address, each record with the names and values that it has in the database.

    ``subscriber`` is empty where only a suppression or a waiting mail knows the address.
    """

    email: str
    subscriber_id: int | None
    subscriber: Record
    consents: list[Record]
    deliveries: list[Record]
    suppressions: list[Record]
    bounces: list[Record]
    waiting: list[Record]

    def to_dict(self) -> dict[str, object]:
        """For JSON: the record of the subscriber, then everything else under its name."""
        return {
            "email": self.email, "subscriber": self.subscriber, "consents": self.consents, "deliveries": self.deliveries,
            "suppressions": self.suppressions, "bounces": self.bounces, "waiting_mails": self.waiting,
        }  # fmt: skip


def held(connection: Connection, key: str, email: str) -> Dossier:
    """What is kept about an address; ``key`` is the site's. Raises ``SubscriberError`` when that is nothing."""
    who = address_key(email)
    hashed = Suppressions(connection, key).hash(who)
    row = connection.execute(select(subscribers).where(subscribers.c.email_key == who)).one_or_none()
    sent = (
        select(editions.c.digest, editions.c.local_date, editions.c.subject, deliveries)
        .join_from(deliveries, editions)
        .where(deliveries.c.subscriber_id == (row.id if row else None))
        .order_by(deliveries.c.id)
    )
    waiting = [one for one in connection.execute(select(pending_mails)) if address_key(one.email) == who]
    dossier = Dossier(
        row.email if row else who,
        row.id if row else None,
        _record(row) if row else {},
        _consents(connection, row.id) if row else [],
        _records(connection.execute(sent)),
        _records(connection.execute(select(suppressions).where(suppressions.c.address_hash == hashed))),
        _records(connection.execute(select(bounces).where(bounces.c.address_hash == hashed))),
        _records(waiting),
    )
    if not (row or dossier.suppressions or dossier.bounces or waiting):
        raise SubscriberError(f"{email}: nothing is kept about this address")
    return dossier


def _consents(connection: Connection, subscriber_id: int) -> list[Record]:
    return [
        {
            "event": one.event.value, "happened_at": one.happened_at.isoformat(), "source": one.source, "network": one.network,
            "text": one.wording, "text_version": one.version, "regions": list(one.choices.regions),
            "digests": list(one.choices.digests), "frequency": one.choices.frequency, "language": one.choices.language,
            "time_zone": one.choices.time_zone, "id": one.id, "asked_id": one.asked_id,
        }
        for one in Consents(connection).of(subscriber_id)
    ]  # fmt: skip


def _records(rows: Iterable[Any]) -> list[Record]:
    return [_record(row) for row in rows]


def _record(row: Any) -> Record:
    """Every column, whatever there will be: what is added to a table is not forgotten here."""
    return {name: _value(name, value) for name, value in row._mapping.items()}


def _value(name: str, value: object) -> Value:
    if name in _LISTS and isinstance(value, str):
        return list(unpacked(value))
    if isinstance(value, datetime | date):
        return value.isoformat()
    return value if isinstance(value, str | int | float | None) else str(value)
