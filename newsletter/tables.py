"""The newsletter's tables: members, editions, and the ledger of deliveries."""

from __future__ import annotations

from sqlalchemy import (
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
    Column("regions", String, nullable=False),
    Column("subject", Text, nullable=False),
    Column("html", Text, nullable=False),
    Column("text", Text, nullable=False),
    UniqueConstraint("edition_id", "regions"),
)

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
    # Who is at it, and until when that is believed without a sign of life (seconds since 1970).
    Column("holder", String),
    Column("lease_until", Float),
    # Whether the message's last byte may have reached the server, and how often that was left unanswered.
    Column("written", Boolean, nullable=False, default=False),
    Column("doubts", Integer, nullable=False, default=0),
    Column("reply", Text),
    Column("changed_at", Instant, nullable=False),
    UniqueConstraint("edition_id", "subscriber_id"),
    Index("ix_deliveries_edition_id_state_next_attempt", "edition_id", "state", "next_attempt"),
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
