"""The archive knows the files that articles lead to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("article_sources", sa.Column("beside", sa.String(), nullable=False, server_default=""))
    op.create_index("ix_article_sources_beside", "article_sources", ["number"], sqlite_where=sa.text("beside <> ''"))


def downgrade() -> None:
    op.drop_index("ix_article_sources_beside", "article_sources")
    op.drop_column("article_sources", "beside")
