"""How does a stranger become a member? By asking, and by confirming out of the mailbox that was named.

Asking looks at nothing but what was typed: whose address it is, is found out after the answer, by whoever empties the
outbox (:mod:`newsletter.outbox`). So the answer, and the time it takes, cannot tell a member from a stranger; and since the
request is in the database before anybody is answered, none is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, insert, select, update

from content.database import reading, writing
from content.regions import region
from newsletter.consent import Choices, Consent, Consents, Event
from newsletter.guard import Verdict
from newsletter.join_request import Ask, JoinRequest, checked_address, checked_choices, checked_page
from newsletter.join_tokens import Confirming, FormAge, form_age, form_mark, read_confirm_token
from newsletter.networks import kept
from newsletter.reception import Reception
from newsletter.subscribers import Joined, Standing, Subscribers, address_key
from newsletter.suppression import Suppressions
from newsletter.tables import pending_mails, subscribers
from newsletter.tokens import Purpose

ASK = "ask"
"""A mail of which is not known yet what it is to say, because nobody has looked whose address it goes to."""


class Answer(StrEnum):
    """What is answered to a request."""

    TAKEN = "taken"
    """See your mailbox. The same whoever has the address, and for robots that gave themselves away."""
    AGAIN = "again"
    """Show the form again, with its fields filled in: it was sent too quickly, or lay open too long."""
    LATER = "later"
    """Too many sign-ups at the moment; the same for everybody."""


class Result(StrEnum):
    """What a link for confirming leads to."""

    READY = "ready"
    """Nothing happened yet: the button confirms."""
    JOINED = "joined"
    ALREADY = "already"
    """They are a member, perhaps since the button was pressed the first time."""
    EXPIRED = "expired"
    """The link is too old: ask again."""
    LEFT = "left"
    """They left after they had asked: ask again."""
    INVALID = "invalid"
    """No link of ours, or its request or address is not there any more, or must not be mailed."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What became of a link; ``public_id`` is the member's where there is one."""

    result: Result
    public_id: str = ""


class Joining:
    """The way in. Every call is a transaction of its own."""

    def __init__(self, reception: Reception) -> None:
        self._reception = reception

    def form_token(self, now: datetime) -> str:
        """The mark for a form that is shown now."""
        return form_mark(self._reception.tokens, self._reception.wording.version, now)

    def ask(self, request: JoinRequest, now: datetime) -> Answer:
        """Takes a request. Raises ``JoinError`` naming a field whose letters are wrong, which says nothing about anybody."""
        ours = self._reception
        email = checked_address(request.email)
        choices = checked_choices(request, ours.digests)
        page = checked_page(request.page)
        if form_age(ours.tokens, request.form_token, ours.wording.version, now) is not FormAge.RIGHT:
            return Answer.AGAIN
        network = kept(request.client, ours.newsletter.consent_address, ours.tokens.key)
        with writing(ours.engine) as connection:
            verdict = ours.guard.admit(connection, email, request.client, now)
            if verdict is Verdict.ADMITTED and not request.trap:
                _keep(connection, email, Ask(now, page, network, ours.wording.text, choices))
        return Answer.LATER if verdict is Verdict.LATER else Answer.TAKEN

    def look(self, token: str, now: datetime) -> Confirmation:
        """What a link would lead to; changes nothing, however often it is followed."""
        with reading(self._reception.engine) as connection:
            return self._judge(connection, self._read(token, now), now)[0]

    def confirm(self, token: str, now: datetime, client: str = "") -> Confirmation:
        """Makes a member of who pressed the button behind a link; pressed twice, it stays at that.

        ``client`` is the network address that the press came from.
        """
        ours = self._reception
        facts = self._read(token, now)
        with writing(ours.engine) as connection:
            judged, row, asked = self._judge(connection, facts, now)
            if judged.result is not Result.READY or asked is None:
                return judged
            suppressions = Suppressions(connection, ours.tokens.key)
            joined = Subscribers(connection, suppressions).join(
                row.email, origin=f"form: {asked.source}", now=now, confirmed=True, again=True, evidence=None
            )
            if joined not in (Joined.CONFIRMED, Joined.BACK):
                return Confirmation(Result.INVALID)
            _choose(connection, row.id, row.email, asked.choices)
            network = kept(client, ours.newsletter.consent_address, ours.tokens.key)
            Consents(connection).record(row.id, Event.CONFIRMED, now, asked.source, network=network, asked_id=asked.id)
            return Confirmation(Result.JOINED, row.public_id)

    def _read(self, token: str, now: datetime) -> Confirming | None:
        ours = self._reception
        return read_confirm_token(ours.tokens, token, now, timedelta(hours=ours.newsletter.confirm_hours))

    def _judge(
        self, connection: Connection, facts: Confirming | None, now: datetime
    ) -> tuple[Confirmation, Any, Consent | None]:  # fmt: skip
        """What a link is worth, with the subscriber's row and the request that it confirms."""
        ours = self._reception
        row = facts and connection.execute(select(subscribers).where(subscribers.c.public_id == facts.public_id)).one_or_none()
        # The address may have been changed since, and then whoever reads the old one's mail is somebody else.
        if not facts or not row or row.state == Standing.ERASED or _hashed(ours, row) != facts.address:
            return Confirmation(Result.INVALID), None, None
        asked = Consents(connection).asked(row.id, facts.consent_id)
        if not asked or row.state == Standing.SUPPRESSED or Suppressions(connection, ours.tokens.key).holds(row.email, now):
            return Confirmation(Result.INVALID), row, None
        if row.state == Standing.CONFIRMED:
            return Confirmation(Result.ALREADY, row.public_id), row, asked
        if row.state == Standing.LEFT and row.left_at and row.left_at >= asked.happened_at:
            return Confirmation(Result.LEFT), row, asked
        if facts.expired:
            return Confirmation(Result.EXPIRED), row, asked
        return Confirmation(Result.READY, row.public_id), row, asked


def _hashed(reception: Reception, row: Any) -> str:
    return reception.tokens.hashed(Purpose.CONFIRM, row.email_key)


def _keep(connection: Connection, email: str, ask: Ask) -> None:
    row = {
        "kind": ASK, "email": email, "request": ask.to_json(), "attempts": 0, "created_at": ask.asked_at,
        "next_attempt": ask.asked_at,
    }  # fmt: skip
    connection.execute(insert(pending_mails).values(row))


def _choose(connection: Connection, subscriber_id: int, email: str, choices: Choices) -> None:
    """Sets what was asked for."""
    Subscribers(connection).choose(
        address_key(email), regions=[region(code) for code in choices.regions], digests=choices.digests
    )
    said = {"frequency": choices.frequency, "language": choices.language, "time_zone": choices.time_zone}
    # What was not said stays as it is.
    values = {name: value for name, value in said.items() if value}
    if values:
        connection.execute(update(subscribers).where(subscribers.c.id == subscriber_id).values(values))
