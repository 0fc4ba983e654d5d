"""Forgets a person: all that is known of them goes, but for a keyed hash that keeps their address from being mailed again."""

from __future__ import annotations

import secrets
from datetime import datetime

from sqlalchemy import Connection, delete, exists, select, update

from newsletter.ledger import DeliveryState
from newsletter.subscribers import Standing, SubscriberError, address_key
from newsletter.suppression import Reason, Suppressions
from newsletter.tables import bounces, consents, deliveries, pending_mails, subscribers, suppressions


def erase(connection: Connection, key: str, subscriber_id: int, now: datetime) -> None:
    """Erases a subscriber within a transaction that writes; ``key`` is the site's.

    Deliveries stay as figures of their editions, without an address. Raises ``SubscriberError`` when there is no such one.
    """
    row = connection.execute(select(subscribers).where(subscribers.c.id == subscriber_id)).one_or_none()
    if row is None or row.state == Standing.ERASED:
        raise SubscriberError(f"there is no subscriber of number {subscriber_id}, or it is erased already")
    _keep_the_hash(connection, key, row.email, now)
    _forget_mail(connection, subscriber_id, row.email_key, now)
    connection.execute(delete(consents).where(consents.c.subscriber_id == subscriber_id))
    mine = subscribers.c.id == subscriber_id
    if connection.execute(select(exists().where(deliveries.c.subscriber_id == subscriber_id))).scalar():
        # The row stands for the deliveries that were; an old link leads to it no more.
        blank: dict[str, object] = {
            column.name: None if column.nullable else ""
            for column in subscribers.c
            if column.nullable or column.server_default is not None
        }
        blank |= {
            "public_id": secrets.token_hex(12), "email": "", "email_key": f"erased {subscriber_id}", "state": Standing.ERASED,
            "regions": "", "digests": "", "origin": "", "created_at": now,
        }  # fmt: skip
        connection.execute(update(subscribers).where(mine).values(blank))
    else:
        connection.execute(delete(subscribers).where(mine))


def _keep_the_hash(connection: Connection, key: str, email: str, now: datetime) -> None:
    """The one thing that stays; what else was known of the address's mail goes, evidence and all."""
    kept = Suppressions(connection, key)
    kept.add(email, Reason.ERASED, now)
    hashed = kept.hash(email)
    others = (suppressions.c.address_hash == hashed, suppressions.c.reason != Reason.ERASED)
    connection.execute(delete(suppressions).where(*others))
    connection.execute(update(suppressions).where(suppressions.c.address_hash == hashed).values(subscriber_id=None))
    # Their own digests stay: a message that is read again must still be known.
    about = update(bounces).where(bounces.c.address_hash == hashed)
    connection.execute(about.values(address_hash=None, edition_id=None, diagnostic="", counts_on=None))


def _forget_mail(connection: Connection, subscriber_id: int, email_key: str, now: datetime) -> None:
    theirs = deliveries.c.subscriber_id == subscriber_id
    waiting = deliveries.c.state.in_([DeliveryState.PENDING, DeliveryState.DEFERRED])
    # What nobody holds is settled here; what a sender holds, it settles itself when it finds nobody there.
    gone = {"state": DeliveryState.SUPPRESSED, "next_attempt": None, "changed_at": now}
    connection.execute(update(deliveries).where(theirs, waiting, deliveries.c.holder.is_(None)).values(gone))
    connection.execute(update(deliveries).where(theirs).values(email="", reply=None))
    rows = connection.execute(select(pending_mails.c.id, pending_mails.c.email)).all()
    named = [row.id for row in rows if address_key(row.email) == email_key]
    connection.execute(delete(pending_mails).where(pending_mails.c.id.in_(named)))
