"""Addresses that must not be mailed again, and the messages that say so."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import content.database

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_HOLDS = sa.text("lifted_at IS NULL")


def upgrade() -> None:
    op.add_column("subscribers", sa.Column("state_before", sa.String(16)))
    op.create_table(
        "suppressions",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("address_hash", sa.String(64), nullable=False),
        sa.Column("subscriber_id", sa.Integer()),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("diagnostic", sa.Text(), nullable=False),
        sa.Column("excerpt", sa.Text(), nullable=False),
        sa.Column("happened_at", content.database.Instant(), nullable=False),
        sa.Column("created_at", content.database.Instant(), nullable=False),
        sa.Column("expires_at", content.database.Instant()),
        sa.Column("lifted_at", content.database.Instant()),
        sa.Column("lifted_why", sa.Text()),
        sa.ForeignKeyConstraint(
            ["subscriber_id"], ["subscribers.id"], name="fk_suppressions_subscriber_id_subscribers", ondelete="SET NULL"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_suppressions"),
    )
    op.create_index(
        "uq_suppressions_address_hash_reason", "suppressions", ["address_hash", "reason"],
        unique=True, sqlite_where=_HOLDS, postgresql_where=_HOLDS,
    )  # fmt: skip
    op.create_index("ix_suppressions_address_hash", "suppressions", ["address_hash"])
    op.create_index("ix_suppressions_subscriber_id", "suppressions", ["subscriber_id"])
    op.create_table(
        "bounces",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("address_hash", sa.String(64)),
        sa.Column("edition_id", sa.Integer()),
        sa.Column("outcome", sa.String(32), nullable=False),
        sa.Column("code", sa.String(16), nullable=False),
        sa.Column("diagnostic", sa.Text(), nullable=False),
        sa.Column("happened_at", content.database.Instant(), nullable=False),
        sa.Column("created_at", content.database.Instant(), nullable=False),
        sa.Column("counts_on", sa.Date()),
        sa.PrimaryKeyConstraint("id", name="pk_bounces"),
        sa.UniqueConstraint("digest", name="uq_bounces_digest"),
        sa.UniqueConstraint("address_hash", "counts_on", name="uq_bounces_address_hash_counts_on"),
    )


def downgrade() -> None:
    op.drop_table("bounces")
    op.drop_table("suppressions")
    op.execute("UPDATE subscribers SET state = 'left' WHERE state = 'suppressed'")
    op.drop_column("subscribers", "state_before")
