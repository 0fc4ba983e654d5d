"""Each change of the archive has a mark that no other database gives it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "article_changes",
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("mark", sa.LargeBinary(16), nullable=False),
        sa.PrimaryKeyConstraint("revision", name="pk_article_changes"),
    )
    op.execute(
        "INSERT INTO article_changes (revision, mark) SELECT max(revision), randomblob(16) FROM articles HAVING count(*) > 0"
    )


def downgrade() -> None:
    op.drop_table("article_changes")
