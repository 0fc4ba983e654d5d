"""Consent as evidence, mails about a membership that are to be sent, and what limits sign-ups."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import content.database

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_UNCHANGED = """
CREATE TRIGGER consents_are_never_changed BEFORE UPDATE ON consents
BEGIN SELECT RAISE(ABORT, 'evidence of consent is never changed'); END"""

# What was known of those who are members already: when, and by which way in.
_KNOWN = """
INSERT INTO consents (subscriber_id, event, happened_at, source, network)
SELECT id, CASE WHEN origin LIKE 'import:%' THEN 'imported' ELSE 'by hand' END, confirmed_at, origin, ''
FROM subscribers WHERE confirmed_at IS NOT NULL AND state <> 'erased' ORDER BY id"""


def upgrade() -> None:
    op.create_table(
        "consent_texts",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(16), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("first_used", content.database.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_consent_texts"),
        sa.UniqueConstraint("version", name="uq_consent_texts_version"),
    )
    op.create_table(
        "consents",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subscriber_id", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("happened_at", content.database.Instant(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("network", sa.String(64), nullable=False),
        sa.Column("text_id", sa.Integer()),
        sa.Column("choices", sa.Text(), server_default="{}", nullable=False),
        sa.Column("asked_id", sa.Integer()),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_consents_subscriber_id_subscribers", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["text_id"], ["consent_texts.id"], name="fk_consents_text_id_consent_texts"),
        sa.ForeignKeyConstraint(["asked_id"], ["consents.id"], name="fk_consents_asked_id_consents", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name="pk_consents"),
    )
    op.create_index("ix_consents_subscriber_id", "consents", ["subscriber_id"])
    op.execute(_UNCHANGED)
    op.execute(_KNOWN)
    op.create_table(
        "pending_mails",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("subscriber_id", sa.Integer()),
        sa.Column("consent_id", sa.Integer()),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", content.database.Instant(), nullable=False),
        sa.Column("next_attempt", content.database.Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_pending_mails_subscriber_id_subscribers", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["consent_id"], ["consents.id"], name="fk_pending_mails_consent_id_consents", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pending_mails"),
    )
    op.create_index("ix_pending_mails_next_attempt", "pending_mails", ["next_attempt"])
    op.create_index("ix_pending_mails_subscriber_id", "pending_mails", ["subscriber_id"])
    op.create_table(
        "rate_counters",
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("expires_at", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_rate_counters"),
    )
    op.create_index("ix_rate_counters_expires_at", "rate_counters", ["expires_at"])


def downgrade() -> None:
    for table in ("rate_counters", "pending_mails", "consents", "consent_texts"):
        op.drop_table(table)
