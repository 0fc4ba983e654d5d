"""Articles have numbers and versions; what they are filed under, their files and the feeds' histories have tables."""

from __future__ import annotations

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

import content.database
from content.keeping import Keeper

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "articles_new",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("published", content.database.Instant(timezone=True), nullable=False),
        sa.Column("updated", content.database.Instant(timezone=True), nullable=False),
        sa.Column("withdrawn_at", content.database.Instant(timezone=True), nullable=True),
        sa.Column("title", sa.String(), nullable=False),
        sa.Column("version", sa.LargeBinary(length=16), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_articles")),
        sa.UniqueConstraint("id", name=op.f("uq_articles_id")),
    )
    _create_others()
    op.execute(
        "INSERT INTO articles_new SELECT rowid, id, slug, state, published, updated, withdrawn_at, title, x'', 1 FROM articles"
    )
    op.execute("CREATE TABLE carried AS SELECT * FROM edition_articles")
    op.execute("CREATE TABLE papers AS SELECT rowid AS number, document FROM articles")
    op.execute(
        """CREATE TABLE files AS SELECT rowid AS number, source, digest, fingerprint, size, mtime_ns, ctime_ns, read_ns
        FROM articles"""
    )
    op.execute("DELETE FROM edition_articles")
    op.drop_table("article_regions")
    op.drop_table("articles")
    op.rename_table("articles_new", "articles")
    op.create_index("ix_articles_slug", "articles", ["slug"])
    op.create_index("ix_articles_revision", "articles", ["revision"])
    for target, source in (("edition_articles", "carried"), ("article_documents", "papers"), ("article_sources", "files")):
        op.execute(f"INSERT INTO {target} SELECT * FROM {source}")  # noqa: S608
        op.drop_table(source)
    Keeper(content.database.raw(op.get_bind())).refile(datetime.now(UTC))


def _create_others() -> None:
    op.create_table(
        "article_documents",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["articles.number"], name=op.f("fk_article_documents_number"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_article_documents")),
    )
    op.create_table(
        "article_sources",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("fingerprint", sa.String(length=16), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("mtime_ns", sa.BigInteger(), nullable=False),
        sa.Column("ctime_ns", sa.BigInteger(), nullable=False),
        sa.Column("read_ns", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["number"], ["articles.number"], name=op.f("fk_article_sources_number"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_article_sources")),
    )
    op.create_index("ix_article_sources_source", "article_sources", ["source"])
    op.create_index("ix_article_sources_digest", "article_sources", ["digest"])
    op.create_table(
        "facets",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("changed_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_facets")),
        sa.UniqueConstraint("kind", "key", name=op.f("uq_facets_kind_key")),
        sa.UniqueConstraint("kind", "slug", name=op.f("uq_facets_kind_slug")),
    )
    op.create_table(
        "article_facets",
        sa.Column("facet", sa.Integer(), nullable=False),
        sa.Column("published", sa.BigInteger(), nullable=False),
        sa.Column("article", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["facet"], ["facets.id"], name=op.f("fk_article_facets_facet")),
        sa.ForeignKeyConstraint(["article"], ["articles.number"], name=op.f("fk_article_facets_article"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("facet", "published", "article", name=op.f("pk_article_facets")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "left_addresses",
        sa.Column("slug", sa.String(), nullable=False),
        sa.Column("article", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["article"], ["articles.number"], name=op.f("fk_left_addresses_article"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("slug", name=op.f("pk_left_addresses")),
    )
    op.create_index("ix_left_addresses_article", "left_addresses", ["article"])
    op.create_table(
        "feed_log",
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("article", sa.Integer(), nullable=True),
        sa.Column("version", sa.LargeBinary(length=16), nullable=True),
        sa.ForeignKeyConstraint(["article"], ["articles.number"], name=op.f("fk_feed_log_article"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("feed", "position", name=op.f("pk_feed_log")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_feed_log_article", "feed_log", ["article"])
    op.create_table(
        "feed_log_stale",
        sa.Column("feed", sa.String(), nullable=False),
        sa.Column("page", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("feed", "page", name=op.f("pk_feed_log_stale")),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    raise NotImplementedError("the first tables cannot hold what these do; restore the backup made before the upgrade")
