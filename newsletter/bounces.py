"""What becomes of a bounce, a complaint, or a wish to leave: counted once, whatever is killed and however often it is read.

A message is settled in one transaction that also notes its digest; only then does its mailbox let go of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from hashlib import sha256

from sqlalchemy import Connection, Engine, insert, select

from content.database import writing
from content.settings import SiteSettings
from newsletter.bounce_reading import Failure, Kind, Report, read
from newsletter.diagnosis import Cause, Diagnosis, diagnose
from newsletter.return_path import ReturnPaths
from newsletter.settings import BounceSettings, NewsletterSettings
from newsletter.subscribers import Subscribers, address_key
from newsletter.suppression import Evidence, Reason, Suppressions, without_addresses
from newsletter.tables import bounces
from newsletter.tokens import Tokens
from newsletter.whom import Marks, Person, by_subject

_BELIEVED = timedelta(days=30)
"""How far back a report may date itself; one found in an old mailbox was true when it was written."""


class Outcome(StrEnum):
    """What a message led to."""

    SUPPRESSED = "suppressed: hard bounce"
    PAUSED = "suppressed for a time: soft bounces"
    COMPLAINED = "suppressed: complaint"
    COUNTED = "soft bounce, counted"
    NOT_COUNTED = "soft bounce, one was counted that day"
    OURS = "refused by policy, not held against the address"
    LEFT = "left"
    HARMLESS = "nothing to act on"
    SET_ASIDE = "set aside"


@dataclass(frozen=True, slots=True)
class Taken:
    """What one message led to, in whose name, and by what words. ``seen_before`` when it was settled earlier."""

    outcome: Outcome
    words: str
    email: str = ""
    code: str = ""
    diagnostic: str = ""
    seen_before: bool = False


def open_bounces(
    engine: Engine, site: SiteSettings, newsletter: NewsletterSettings, rules: BounceSettings, tokens: Tokens
) -> Bounces:
    """What takes in the bounces of a site."""
    before, _, after = newsletter.unsubscribe_path.partition("{token}")
    paths = ReturnPaths(tokens.key, newsletter.bounce_email or "")
    return Bounces(engine, tokens.key, rules, Marks(paths, tokens, site.absolute(before), after, site.host))


class Bounces:
    """Takes messages in that came to the bounce address. ``key`` is the site's."""

    def __init__(self, engine: Engine, key: str, rules: BounceSettings, marks: Marks) -> None:
        self._engine = engine
        self._key = key
        self._rules = rules
        self._marks = marks

    def take(self, content: bytes, now: datetime, envelope_to: str = "") -> Taken:
        """Settles one message. What is set aside had no effect and may be tried again.

        ``envelope_to`` is the address that it came to, where the mail system tells that apart from the message.
        """
        digest = sha256(content.replace(b"\r\n", b"\n").rstrip()).hexdigest()
        report = read(content)
        with writing(self._engine) as connection:
            there = connection.execute(
                select(bounces.c.outcome, bounces.c.code).where(bounces.c.digest == digest)
            ).one_or_none()
            if there:
                return Taken(Outcome(there.outcome), "seen before", code=there.code, seen_before=True)
            step = _Step(connection, self._key, self._rules, now, digest)
            return step.settle(report, self._whom(report, envelope_to, connection))

    def refused(self, connection: Connection, email: str, edition_id: int, said: str, now: datetime) -> Taken:
        """Settles a server's final refusal met while sending (5xx; what is only deferred counts nowhere) by the same rules.

        All within the sender's own transaction.
        """
        digest = sha256(f"{edition_id}/{address_key(email)}/{said}".encode()).hexdigest()
        there = connection.execute(select(bounces.c.outcome).where(bounces.c.digest == digest)).scalar()
        if there:
            return Taken(Outcome(there), "seen before", email, seen_before=True)
        step = _Step(connection, self._key, self._rules, now, digest)
        return step.fail(Person("", email, edition_id), diagnose(said), now, "")

    def expire(self, now: datetime) -> int:
        """Lifts the suppressions whose time is over. Says how many."""
        with writing(self._engine) as connection:
            return Suppressions(connection, self._key).expire(now)

    def _whom(self, report: Report, envelope_to: str, connection: Connection) -> Person | None:
        if report.kind is Kind.LEAVING:
            return by_subject(report.subject, connection)
        if report.kind in (Kind.FAILURE, Kind.COMPLAINT):
            return self._marks.find(f"<{envelope_to}>\n{report.text}", connection)
        return None


class _Step:
    """The settling of one message within one transaction."""

    def __init__(self, connection: Connection, key: str, rules: BounceSettings, now: datetime, digest: str) -> None:
        self._connection = connection
        self._suppressions = Suppressions(connection, key)
        self._rules = rules
        self._now = now
        self._digest = digest

    def settle(self, report: Report, person: Person | None) -> Taken:
        if report.kind is Kind.STRANGE:
            return Taken(Outcome.SET_ASIDE, report.words)
        if report.kind is Kind.HARMLESS:
            return self._note(Taken(Outcome.HARMLESS, report.words), None, self._now)
        if person is None:
            return Taken(Outcome.SET_ASIDE, f"{report.words} that proves no connection with a member's message")
        happened = self._when(report)
        match report.kind:
            case Kind.LEAVING:
                Subscribers(self._connection).leave(person.email, self._now)
                return self._note(Taken(Outcome.LEFT, report.words, person.email), person, happened)
            case Kind.COMPLAINT:
                evidence = Evidence("", report.words, report.excerpt, happened)
                self._suppressions.add(person.email, Reason.COMPLAINT, self._now, evidence)
                return self._note(Taken(Outcome.COMPLAINED, report.words, person.email), person, happened)
            case _:
                return self.fail(person, _of(person, report.failures).diagnosis, happened, report.excerpt)

    def fail(self, person: Person, why: Diagnosis, happened: datetime, excerpt: str) -> Taken:
        """What a failed delivery does to its address."""
        evidence = Evidence(why.code, why.words, excerpt, happened)
        counts_on = None
        match why.cause:
            case Cause.OURS:
                outcome = Outcome.OURS
            case Cause.GONE:
                outcome = Outcome.SUPPRESSED
                self._suppressions.add(person.email, Reason.HARD_BOUNCE, self._now, evidence)
            case Cause.PASSING:
                hashed = self._suppressions.hash(person.email)
                counts_on = self._day(hashed, happened)
                outcome = Outcome.COUNTED if counts_on else Outcome.NOT_COUNTED
                if counts_on and self._score(hashed, happened) >= self._rules.threshold:
                    outcome = Outcome.PAUSED
                    until = self._now + timedelta(days=self._rules.pause_days)
                    self._suppressions.add(person.email, Reason.SOFT_BOUNCES, self._now, evidence, until)
        taken = Taken(outcome, why.cause.value, person.email, why.code, without_addresses(why.words, person.email))
        return self._note(taken, person, happened, counts_on)

    def _day(self, hashed: str, happened: datetime) -> date | None:
        """The day (UTC) that a soft bounce counts for; ``None`` when one counted for that day already."""
        query = select(bounces.c.id).where(bounces.c.address_hash == hashed, bounces.c.counts_on == happened.date())
        return happened.date() if self._connection.execute(query).first() is None else None

    def _score(self, hashed: str, happened: datetime) -> float:
        """What is held against an address now, this bounce included: each counts half as much after a half-life.

        What lay before a suppression was last lifted is forgiven.
        """
        forgiven = self._suppressions.last_lifted(hashed)
        query = select(bounces.c.happened_at).where(bounces.c.address_hash == hashed, bounces.c.counts_on.is_not(None))
        held = [*self._connection.execute(query).scalars(), happened]
        ages = [(self._now - at).total_seconds() / 86400 for at in held if not forgiven or at > forgiven]
        return float(sum(0.5 ** (age / self._rules.half_life_days) for age in ages))

    def _when(self, report: Report) -> datetime:
        """When a report was written, as far as it can be believed."""
        sent = report.sent_at
        return sent if sent and self._now - _BELIEVED < sent <= self._now else self._now

    def _note(self, taken: Taken, person: Person | None, happened: datetime, counts_on: date | None = None) -> Taken:
        self._connection.execute(insert(bounces).values(
            digest=self._digest, address_hash=self._suppressions.hash(person.email) if person else None,
            edition_id=person.edition_id if person else None, outcome=taken.outcome, code=taken.code[:16],
            diagnostic=(taken.diagnostic or taken.words)[:1000], happened_at=happened, created_at=self._now,
            counts_on=counts_on,
        ))  # fmt: skip
        return taken


def _of(person: Person, failures: tuple[Failure, ...]) -> Failure:
    """The failure that is this person's; where none bears the address (it was forwarded), the mildest of all."""
    own = [failure for failure in failures if address_key(person.email) in failure.addresses]
    order = (Cause.OURS, Cause.PASSING, Cause.GONE)
    return min(own or failures, key=lambda failure: order.index(failure.diagnosis.cause))
