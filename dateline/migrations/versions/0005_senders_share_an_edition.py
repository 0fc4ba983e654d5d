"""Senders have rows of their own; an edition can be paused, and knows whom it left out."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import content.database

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

OPEN = "state IN ('pending', 'sending', 'deferred')"


def upgrade() -> None:
    op.create_table(
        "senders",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("edition_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("started_at", content.database.Instant(timezone=True), nullable=False),
        sa.Column("boot", sa.String(length=64), nullable=False),
        sa.Column("lease_until", sa.Float(), nullable=True),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("rate", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["edition_id"], ["editions.id"], name=op.f("fk_senders_edition_id_editions")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_senders")),
    )
    op.create_index("ix_senders_edition_id", "senders", ["edition_id"])
    op.add_column("editions", sa.Column("note", sa.Text(), nullable=False, server_default=""))
    op.add_column("editions", sa.Column("excluded", sa.Text(), nullable=False, server_default="{}"))
    # Whatever an older sender had written or not: one that died with a message on the wire leaves it in doubt.
    op.execute("UPDATE deliveries SET state = 'pending' WHERE state = 'sending' AND NOT written")
    op.execute("UPDATE deliveries SET state = 'in doubt', doubts = 1, reply = 'its sender died' WHERE state = 'sending'")
    op.drop_index("ix_deliveries_edition_id_state_next_attempt", "deliveries")
    with op.batch_alter_table("deliveries") as batch:
        batch.drop_column("written")
        batch.drop_column("lease_until")
        batch.drop_column("holder")
    with op.batch_alter_table("deliveries") as batch:
        batch.add_column(sa.Column("holder", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("ahead", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch.create_foreign_key(op.f("fk_deliveries_holder_senders"), "senders", ["holder"], ["id"])
    op.create_index(
        "ix_deliveries_open", "deliveries", ["edition_id", "holder", "next_attempt"],
        sqlite_where=sa.text(OPEN), postgresql_where=sa.text(OPEN),
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_deliveries_open", "deliveries")
    with op.batch_alter_table("deliveries") as batch:
        batch.drop_constraint(op.f("fk_deliveries_holder_senders"), type_="foreignkey")
        batch.drop_column("holder")
        batch.drop_column("ahead")
    with op.batch_alter_table("deliveries") as batch:
        batch.add_column(sa.Column("holder", sa.String(), nullable=True))
        batch.add_column(sa.Column("lease_until", sa.Float(), nullable=True))
        batch.add_column(sa.Column("written", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_deliveries_edition_id_state_next_attempt", "deliveries", ["edition_id", "state", "next_attempt"])
    op.drop_column("editions", "excluded")
    op.drop_column("editions", "note")
    op.drop_table("senders")
