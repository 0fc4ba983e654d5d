"""The newsletter's tables: members, editions, and the ledger of deliveries."""

from __future__ import annotations

from sqlalchemy import (
    DDL,
    Boolean,
    Column,
    Date,
    Float,
    ForeignKey,
    Index,
    Integer,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)

import content.tables  # noqa: F401 (declares the tables that these refer to)
from content.database import Instant, metadata

subscribers = Table(
    "subscribers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("public_id", String(32), nullable=False, unique=True),
    Column("email", String(320), nullable=False),
    # The address as everybody types it the same way: one row a mailbox.
    Column("email_key", String(320), nullable=False, unique=True),
    Column("state", String(16), nullable=False),
    # Preferences as sorted codes and names with commas around them; empty means all.
    Column("regions", String, nullable=False, default=""),
    Column("digests", String, nullable=False, default=""),
    Column("frequency", String(16), nullable=False, server_default="every"),
    # The first local date of an edition that may go to them again.
    Column("paused_until", Date),
    # Empty: as the site has it.
    Column("language", String(35), nullable=False, server_default=""),
    Column("time_zone", String(64), nullable=False, server_default=""),
    # An address that was asked for and not yet confirmed, and when.
    Column("new_email", String(320)),
    Column("new_email_at", Instant),
    Column("origin", String, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("confirmed_at", Instant),
    Column("left_at", Instant),
    # Where a suppressed subscriber stood, for the day on which the suppression is lifted.
    Column("state_before", String(16)),
    Index("ix_subscribers_state_regions", "state", "regions"),
)

editions = Table(
    "editions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", String(63), nullable=False),
    Column("local_date", Date, nullable=False),
    Column("state", String(16), nullable=False),
    Column("subject", Text, nullable=False),
    Column("slot", String(64), nullable=False),
    Column("recipients", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    # Why it is paused or was cancelled, in words.
    Column("note", Text, nullable=False, server_default=""),
    # Who was left out when it was made: reason and number, as JSON.
    Column("excluded", Text, nullable=False, server_default="{}"),
    # Whatever the clocks and the schedulers do: one edition of a digest a local date.
    UniqueConstraint("digest", "local_date"),
)

edition_articles = Table(
    "edition_articles",
    metadata,
    Column("edition_id", ForeignKey("editions.id"), primary_key=True),
    Column("article_id", ForeignKey("articles.id"), primary_key=True, index=True),
    Column("position", Integer, nullable=False),
)

variants = Table(
    "variants",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("edition_id", ForeignKey("editions.id"), nullable=False),
    # The key of a preference: regions and frequency.
    Column("preferences", String, nullable=False),
    Column("subject", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("text", Text, nullable=False),
    UniqueConstraint("edition_id", "preferences", name="uq_variants_edition_id_regions"),
)

senders = Table(
    "senders",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("edition_id", ForeignKey("editions.id"), nullable=False, index=True),
    # Machine, process and when that was started, so that others can see whether it lives.
    Column("name", String, nullable=False),
    Column("started_at", Instant, nullable=False),
    # Which start of the machine it belongs to; empty where that cannot be told.
    Column("boot", String(64), nullable=False, default=""),
    # Until when it is believed without a sign of life (seconds since 1970). Null when it has ended.
    Column("lease_until", Float),
    Column("sent", Integer, nullable=False, default=0),
    # Messages a second, of late.
    Column("rate", Float, nullable=False, default=0),
)

OPEN_SQL = "state IN ('pending', 'sending', 'deferred')"
"""The states that an edition is not finished with; queries must say it in these words to be quick."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("edition_id", ForeignKey("editions.id"), nullable=False),
    Column("subscriber_id", ForeignKey("subscribers.id"), nullable=False),
    Column("variant_id", ForeignKey("variants.id"), nullable=False),
    Column("email", String(320), nullable=False),
    Column("state", String(16), nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("next_attempt", Instant),
    # The sender that has it, or had it last.
    Column("holder", ForeignKey("senders.id")),
    # The next one on its connection. Where the machine lost power, it may have been sent without another trace.
    Column("ahead", Boolean, nullable=False, default=False),
    # How often nobody could say whether it had arrived.
    Column("doubts", Integer, nullable=False, default=0),
    Column("reply", Text),
    Column("changed_at", Instant, nullable=False),
    UniqueConstraint("edition_id", "subscriber_id"),
    # What is left to do: small, and untouched while a message goes from one state of work to another.
    Index(
        "ix_deliveries_open",
        "edition_id",
        "holder",
        "next_attempt",
        sqlite_where=text(OPEN_SQL),
        postgresql_where=text(OPEN_SQL),
    ),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("id", Integer, primary_key=True),
    # The address under the site's key: it outlives the subscriber and shows nobody's address.
    Column("address_hash", String(64), nullable=False),
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="SET NULL"), index=True),
    Column("reason", String(16), nullable=False),
    # The evidence, with every address taken out of it.
    Column("code", String(16), nullable=False),
    Column("diagnostic", Text, nullable=False),
    Column("excerpt", Text, nullable=False),
    Column("happened_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("lifted_at", Instant),
    Column("lifted_why", Text),
    # Lifted ones stay as history; of those that hold, one a reason.
    Index(
        "uq_suppressions_address_hash_reason", "address_hash", "reason", unique=True,
        sqlite_where=text("lifted_at IS NULL"), postgresql_where=text("lifted_at IS NULL"),
    ),
    Index("ix_suppressions_address_hash", "address_hash"),
)  # fmt: skip

bounces = Table(
    "bounces",
    metadata,
    Column("id", Integer, primary_key=True),
    # The message itself, by its bytes: whatever is read twice counts once.
    Column("digest", String(64), nullable=False, unique=True),
    Column("address_hash", String(64)),
    Column("edition_id", Integer),
    Column("outcome", String(32), nullable=False),
    Column("code", String(16), nullable=False),
    Column("diagnostic", Text, nullable=False),
    Column("happened_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
    # The day on which it counts against the address; empty when it does not.
    Column("counts_on", Date),
    UniqueConstraint("address_hash", "counts_on"),
)

consent_texts = Table(
    "consent_texts",
    metadata,
    Column("id", Integer, primary_key=True),
    # A digest of the text: whoever changes the text has a new version, without having to remember to say so.
    Column("version", String(16), nullable=False, unique=True),
    Column("text", Text, nullable=False),
    Column("first_used", Instant, nullable=False),
)

consents = Table(
    "consents",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("event", String(16), nullable=False),
    Column("happened_at", Instant, nullable=False),
    # The page with the form, or the file of an import.
    Column("source", Text, nullable=False),
    # Truncated, hashed or empty, as the settings said at the time.
    Column("network", String(64), nullable=False),
    Column("text_id", ForeignKey("consent_texts.id")),
    # What was asked for, as JSON.
    Column("choices", Text, nullable=False, server_default="{}"),
    # A confirmation says which request it confirms.
    Column("asked_id", ForeignKey("consents.id", ondelete="CASCADE")),
)

UNCHANGED_SQL = """
CREATE TRIGGER consents_are_never_changed BEFORE UPDATE ON consents
BEGIN SELECT RAISE(ABORT, 'evidence of consent is never changed'); END"""
"""Rows are added, and go with their person; there is no other way."""
event.listen(consents, "after_create", DDL(UNCHANGED_SQL).execute_if(dialect="sqlite"))  # type: ignore[no-untyped-call]

pending_mails = Table(
    "pending_mails",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("email", String(320), nullable=False),
    # The request as it came in, as JSON, until somebody has looked whose address it is.
    Column("request", Text, nullable=False),
    Column("subscriber_id", ForeignKey("subscribers.id", ondelete="CASCADE"), index=True),
    Column("consent_id", ForeignKey("consents.id", ondelete="CASCADE")),
    Column("attempts", Integer, nullable=False, default=0),
    Column("created_at", Instant, nullable=False),
    # While a process has it, this is when others may take it for dead.
    Column("next_attempt", Instant, nullable=False, index=True),
)

rate_counters = Table(
    "rate_counters",
    metadata,
    # A keyed hash: whose address or network is counted shows nowhere.
    Column("key", String(200), primary_key=True),
    Column("count", Integer, nullable=False),
    # Seconds since 1970.
    Column("expires_at", Float, nullable=False, index=True),
)
