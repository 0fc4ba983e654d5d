"""What is known of one person: all of it to be shown, or all of it to be deleted."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, and_, delete, select, text, update

from newsletter.consent import Consent, Consents
from newsletter.ledger import DeliveryState
from newsletter.members import Member
from newsletter.subscribers import Standing, address_key
from newsletter.suppression import Reason, Suppressions
from newsletter.tables import OPEN_SQL, bounces, consents, deliveries, editions, pending_mails, subscribers, suppressions

_NOWHERE = "erased@erased.invalid"
"""Stands where an address was (RFC 2606: it can be nobody's)."""


@dataclass(frozen=True, slots=True)
class HeldDelivery:
    """One edition that went to a person, or was to go."""

    digest: str
    edition: date
    state: str
    changed_at: datetime
    server_said: str


@dataclass(frozen=True, slots=True)
class HeldSuppression:
    """Why a person is, or was, not mailed."""

    reason: str
    code: str
    server_said: str
    since: datetime
    until: datetime | None
    lifted_at: datetime | None


@dataclass(frozen=True, slots=True)
class HeldReturn:
    """A message that came back from a person's mailbox."""

    outcome: str
    code: str
    server_said: str
    happened_at: datetime


@dataclass(frozen=True, slots=True)
class Holding:
    """All that is kept about a member."""

    member: Member
    deliveries: tuple[HeldDelivery, ...]
    suppressions: tuple[HeldSuppression, ...]
    returned: tuple[HeldReturn, ...]
    consents: tuple[Consent, ...]


def holding(connection: Connection, addresses: Suppressions, member: Member) -> Holding:
    """What is kept about a member, all of it."""
    hashed = addresses.hash(member.email)
    sent = (
        select(editions.c.digest, editions.c.local_date, deliveries.c.state, deliveries.c.changed_at, deliveries.c.reply)
        .join_from(deliveries, editions)
        .join(subscribers, subscribers.c.id == deliveries.c.subscriber_id)
        .where(subscribers.c.public_id == member.public_id)
        .order_by(editions.c.created_at)
    )
    held = select(
        suppressions.c.reason, suppressions.c.code, suppressions.c.diagnostic, suppressions.c.created_at,
        suppressions.c.expires_at, suppressions.c.lifted_at,
    ).where(suppressions.c.address_hash == hashed)  # fmt: skip
    back = select(bounces.c.outcome, bounces.c.code, bounces.c.diagnostic, bounces.c.happened_at)
    return Holding(
        member,
        tuple(HeldDelivery(*row[:4], row[4] or "") for row in connection.execute(sent)),
        tuple(HeldSuppression(*row) for row in connection.execute(held)),
        tuple(HeldReturn(*row) for row in connection.execute(back.where(bounces.c.address_hash == hashed))),
        tuple(Consents(connection).of_member(member.public_id)),
    )


def erase(connection: Connection, addresses: Suppressions, email: str, now: datetime) -> bool:
    """Deletes all that is known of an address but its keyed hash, by which it stays out. Says whether a subscriber had it.

    An empty row stays for the deliveries that were, so that an edition's numbers still add up; it leads back to nobody, and
    the links in old messages lead to nothing. Raises ``SubscriberError`` for what is no address.
    """
    key = address_key(email)
    row = connection.execute(select(subscribers.c.id).where(subscribers.c.email_key == key)).one_or_none()
    hashed = addresses.hash(key)
    addresses.add(key, Reason.ERASED, now)
    about = suppressions.c.address_hash == hashed
    connection.execute(delete(suppressions).where(about, suppressions.c.reason != Reason.ERASED))
    connection.execute(update(suppressions).where(about).values(subscriber_id=None))
    # The message itself stays known, so that it does not count if it is read again.
    nobodys = {"address_hash": None, "edition_id": None, "counts_on": None, "diagnostic": ""}
    connection.execute(update(bounces).where(bounces.c.address_hash == hashed).values(**nobodys))
    _forget_mails(connection, key)
    if row is None:
        return False
    connection.execute(delete(consents).where(consents.c.subscriber_id == row.id))
    nobody = secrets.token_hex(12)
    connection.execute(update(subscribers).where(subscribers.c.id == row.id).values(
        public_id=nobody, email=_NOWHERE, email_key=f"{nobody}@erased.invalid", state=Standing.ERASED, state_before=None,
        regions="", digests="", frequency="every", paused_until=None, language="", time_zone="", origin="",
        new_email=None, new_email_at=None, confirmed_at=None, left_at=now, created_at=now,
    ))  # fmt: skip
    theirs = deliveries.c.subscriber_id == row.id
    connection.execute(update(deliveries).where(theirs).values(email=_NOWHERE, reply=None))
    # What a sender has in hand is stopped by itself: it asks before it begins a message.
    waiting = and_(theirs, deliveries.c.holder.is_(None), text(OPEN_SQL))
    stopped = {"state": DeliveryState.SUPPRESSED, "reply": "erased before the message was sent", "changed_at": now}
    connection.execute(update(deliveries).where(waiting).values(next_attempt=None, **stopped))
    return True


def _forget_mails(connection: Connection, key: str) -> None:
    """Takes back what still waits to be sent to an address about its membership."""
    rows = connection.execute(select(pending_mails.c.id, pending_mails.c.email)).all()
    named = [row.id for row in rows if address_key(row.email) == key]
    connection.execute(delete(pending_mails).where(pending_mails.c.id.in_(named)))
