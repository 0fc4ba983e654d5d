"""Frequency, pause, language, time zone, a new address that waits; variants follow preferences and not regions alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

import content.database

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_ADDED = ("frequency", "paused_until", "language", "time_zone", "new_email", "new_email_at")


def upgrade() -> None:
    op.add_column("subscribers", sa.Column("frequency", sa.String(16), nullable=False, server_default="every"))
    op.add_column("subscribers", sa.Column("paused_until", sa.Date()))
    op.add_column("subscribers", sa.Column("language", sa.String(35), nullable=False, server_default=""))
    op.add_column("subscribers", sa.Column("time_zone", sa.String(64), nullable=False, server_default=""))
    op.add_column("subscribers", sa.Column("new_email", sa.String(320)))
    op.add_column("subscribers", sa.Column("new_email_at", content.database.Instant()))
    # Alembic has no words for this in SQLite, and both databases have the same.
    op.execute("ALTER TABLE variants RENAME COLUMN regions TO preferences")


def downgrade() -> None:
    op.execute("ALTER TABLE variants RENAME COLUMN preferences TO regions")
    for name in _ADDED:
        op.drop_column("subscribers", name)
