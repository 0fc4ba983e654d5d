"""Which mails about a membership are waiting, what is each to say, and do they go out whatever happens meanwhile?

The rows of ``pending_mails`` are the memory: one is there before anybody is answered and goes only when a server has taken
the message or it has no purpose any more. Who takes a row holds it for a while; what a dead process held is taken again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, delete, select, update

from content.database import reading, writing
from newsletter.consent import Consents, Event, Wording
from newsletter.identity import signing_keys_of
from newsletter.join_request import Ask
from newsletter.join_tokens import confirm_token
from newsletter.joining import ASK
from newsletter.joining_mail import Kind, Links, mail_message, render_mail
from newsletter.queue import Clock
from newsletter.reception import Reception
from newsletter.subscribers import Joined, Standing, Subscribers, address_key
from newsletter.suppression import Suppressions, without_addresses
from newsletter.tables import pending_mails, subscribers
from newsletter.tokens import Purpose
from newsletter.transport import Delivery, Message, Outcome, Reply

if TYPE_CHECKING:
    from newsletter.dkim import SigningKey

LEASE = timedelta(minutes=15)
"""How long a process may take over one message before others believe it dead."""

log = logging.getLogger("dateline.outbox")


@dataclass(frozen=True, slots=True)
class _Held:
    """A mail that this process is about to send."""

    kind: Kind
    public_id: str
    email: str
    consent_id: int
    mark: str
    """Names the message, over all attempts."""


class Outbox:
    """A :class:`newsletter.transport.Queue` of the mails that are due. For one thread at a time."""

    def __init__(self, reception: Reception, clock: Clock, stop: threading.Event | None = None) -> None:
        self._reception = reception
        self._clock = clock
        self._stop = stop or threading.Event()
        self._held: dict[int, _Held] = {}
        self.accepted = 0
        """How many messages a server has taken."""

    def next_due(self) -> datetime | None:
        """When the first mail is due that waits."""
        with reading(self._reception.engine) as connection:
            query = select(pending_mails.c.next_attempt).order_by(pending_mails.c.next_attempt).limit(1)
            return connection.execute(query).scalar()

    @cached_property
    def _keys(self) -> Sequence[SigningKey]:
        ours = self._reception
        return signing_keys_of(ours.root, ours.sender, ours.newsletter)

    # What a transport asks and tells

    def take(self) -> Delivery | None:
        if self._stop.is_set():
            return None
        now = self._clock()
        with writing(self._reception.engine) as connection:
            due = select(pending_mails).where(pending_mails.c.next_attempt <= now)
            while row := connection.execute(due.order_by(pending_mails.c.next_attempt, pending_mails.c.id).limit(1)).first():
                held = self._settled_on(connection, row, now)
                if held is None:
                    connection.execute(delete(pending_mails).where(pending_mails.c.id == row.id))
                    continue
                claim = {"attempts": row.attempts + 1, "next_attempt": now + LEASE}
                connection.execute(update(pending_mails).where(pending_mails.c.id == row.id).values(claim))
                self._held[row.id] = held
                return Delivery(row.id, held.public_id, held.email, attempts=row.attempts)
        return None

    def wait(self) -> float | None:
        due = self.next_due()
        return 0.0 if due and due <= self._clock() and not self._stop.is_set() else None

    def message(self, delivery: Delivery, *, smtputf8: bool = False) -> Message:
        ours, held, now = self._reception, self._held[delivery.id], self._clock()
        links = Links(ours.preferences_url(held.public_id), ours.unsubscribe_url(held.public_id))
        if held.kind is Kind.CONFIRM:
            token = confirm_token(ours.tokens, held.public_id, held.consent_id, address_key(held.email), now)
            links = Links(ours.confirm_url(token))
        rendering = render_mail(ours.root, ours.site, ours.newsletter, held.kind, links)
        return mail_message(
            ours.sender, held.email, rendering, held.mark, now, return_path=ours.newsletter.bounce_email or "",
            keys=self._keys,
        )  # fmt: skip

    def begin(self, deliveries: Sequence[Delivery], ahead: Sequence[Delivery] = ()) -> Collection[int]:
        # Taking it was the record, and that was durable; but they may have left or confirmed since.
        return {delivery.id for delivery in deliveries if self._is_wanted(delivery)}

    @property
    def log(self) -> Path | None:
        return None

    def settle(self, delivery: Delivery, reply: Reply) -> None:
        if reply.outcome is Outcome.DEFERRED:
            self._put_off(delivery, reply.text)
            return
        if reply.outcome is Outcome.ACCEPTED:
            self.accepted += 1
        else:
            log.warning("a mail about a membership was refused: %s", without_addresses(reply.text, delivery.email))
        self._end(delivery)

    def lose(self, delivery: Delivery, words: str) -> None:
        # As with editions: once more under the same Message-ID, or not.
        if self._reception.newsletter.resends and not delivery.attempts:
            self._put_off(delivery, words)
        else:
            log.warning("nobody knows whether a mail about a membership arrived: %s", without_addresses(words, delivery.email))
            self._end(delivery)

    def give_back(self, delivery: Delivery, *, blamed: bool = False, words: str = "") -> None:
        if blamed:
            self._put_off(delivery, words or "the connection broke")
            return
        back = {"attempts": delivery.attempts, "next_attempt": self._clock()}
        self._change(delivery, back)

    @property
    def has_sent(self) -> bool:
        return self.accepted > 0

    def is_stopped(self) -> bool:
        return self._stop.is_set()

    # What a mail is to say

    def _is_wanted(self, delivery: Delivery) -> bool:
        with reading(self._reception.engine) as connection:
            row = connection.execute(select(pending_mails).where(pending_mails.c.id == delivery.id)).one_or_none()
            held = self._settled_on(connection, row, self._clock()) if row else None
        if held is None:
            self._end(delivery)
        return held is not None

    def _settled_on(self, connection: Connection, row: Any, now: datetime) -> _Held | None:
        """What a mail that is due is to say; ``None`` when there is nothing (more) to be said."""
        if now - row.created_at > timedelta(hours=self._reception.newsletter.confirm_hours):
            log.warning("a mail about a membership could not be sent for %g h and is given up", _hours(now - row.created_at))
            return None
        if Suppressions(connection, self._reception.tokens.key).holds(row.email, now):
            return None
        row = self._decided(connection, row, now) if row.kind == ASK else row
        query = select(subscribers).where(subscribers.c.id == row.subscriber_id)
        member = connection.execute(query).one_or_none() if row.subscriber_id else None
        if member is None or member.email_key != address_key(row.email):
            return None
        fits = {
            Kind.MEMBER: [Standing.CONFIRMED], Kind.CONFIRM: [Standing.PENDING, Standing.LEFT],
        }  # fmt: skip
        if member.state not in fits[Kind(row.kind)]:
            return None
        # No two sites, nor two mails of one, share a mark; and it does not tell how many there were.
        mark = self._reception.tokens.hashed(Purpose.CONFIRM, f"mail {row.id} {row.created_at.isoformat()} {member.public_id}")
        return _Held(Kind(row.kind), member.public_id, row.email, row.consent_id or 0, mark)

    def _decided(self, connection: Connection, row: Any, now: datetime) -> Any:
        """Looks whose address a request named. A stranger becomes a subscriber who waits for his own confirmation."""
        ask = Ask.from_json(row.request)
        suppressions = Suppressions(connection, self._reception.tokens.key)
        # One whose time is over holds nobody back.
        suppressions.expire(now, suppressions.hash(row.email))
        members = Subscribers(connection, suppressions)
        joined = members.join(row.email, origin=f"form: {ask.page}", now=now, confirmed=False)
        query = select(subscribers).where(subscribers.c.email_key == address_key(row.email))
        member = connection.execute(query).one_or_none()
        decision: dict[str, object] = {"kind": Kind.MEMBER, "request": ""}
        if member is not None and joined is not Joined.SUPPRESSED:
            decision["subscriber_id"] = member.id
            if member.state != Standing.CONFIRMED:
                decision["kind"] = Kind.CONFIRM
                decision["consent_id"] = Consents(connection).record(
                    member.id, Event.ASKED, ask.asked_at, ask.page, network=ask.network,
                    wording=Wording(ask.wording), choices=ask.choices,
                )  # fmt: skip
        change = update(pending_mails).where(pending_mails.c.id == row.id).values(decision)
        return connection.execute(change.returning(*pending_mails.c)).one()

    # What became of it

    def _put_off(self, delivery: Delivery, words: str) -> None:
        waits = self._reception.newsletter.retry_minutes or [15.0]
        minutes = waits[min(delivery.attempts, len(waits) - 1)]
        log.info("a mail about a membership waits for %g minutes: %s", minutes, without_addresses(words, delivery.email))
        self._change(delivery, {"next_attempt": self._clock() + timedelta(minutes=minutes)})

    def _change(self, delivery: Delivery, values: dict[str, object]) -> None:
        with writing(self._reception.engine) as connection:
            connection.execute(update(pending_mails).where(pending_mails.c.id == delivery.id).values(values))
        self._held.pop(delivery.id, None)

    def _end(self, delivery: Delivery) -> None:
        with writing(self._reception.engine) as connection:
            connection.execute(delete(pending_mails).where(pending_mails.c.id == delivery.id))
        self._held.pop(delivery.id, None)


def _hours(span: timedelta) -> float:
    return span.total_seconds() / 3600
