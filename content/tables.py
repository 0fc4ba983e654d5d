"""The archive's tables, declared for the migrations and for those rooms whose tables refer to them.

The archive itself speaks SQL to the database directly (``archive.py``), so that publishing an article does not wait for
a tenth of a second of imports.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, UniqueConstraint, text

from content.database import Instant, metadata

articles = Table(
    "articles",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("id", String, nullable=False, unique=True),
    Column("slug", String, nullable=False),
    Column("state", String(16), nullable=False),
    Column("published", Instant, nullable=False),
    Column("updated", Instant, nullable=False),
    Column("withdrawn_at", Instant),
    Column("title", String, nullable=False),
    # A hash of the document: another version of the article has another.
    Column("version", LargeBinary(16), nullable=False),
    # Counts the changes of the archive; a publisher asks what changed after the one that it knows.
    Column("revision", Integer, nullable=False, index=True),
    Index("ix_articles_slug", "slug"),
)

# Each change of the archive, by its revision: a database that was lost or restored counts the same numbers for other changes.
changes = Table(
    "article_changes",
    metadata,
    Column("revision", Integer, primary_key=True),
    Column("mark", LargeBinary(16), nullable=False),
)

documents = Table(
    "article_documents",
    metadata,
    Column("number", ForeignKey("articles.number", ondelete="CASCADE"), primary_key=True),
    Column("document", LargeBinary, nullable=False),
)

# The file that an article was read from, and how to tell cheaply that the file is still the same.
sources = Table(
    "article_sources",
    metadata,
    Column("number", ForeignKey("articles.number", ondelete="CASCADE"), primary_key=True),
    Column("source", String, nullable=False),
    Column("digest", String(32), nullable=False),
    Column("fingerprint", String(16), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("mtime_ns", BigInteger, nullable=False),
    Column("ctime_ns", BigInteger, nullable=False),
    Column("read_ns", BigInteger, nullable=False),
    # The files that it leads to, such as pictures: where they lie from here, and what they were like.
    Column("beside", String, nullable=False, server_default=""),
    Index("ix_article_sources_source", "source"),
    Index("ix_article_sources_digest", "digest"),
    Index("ix_article_sources_beside", "number", sqlite_where=text("beside <> ''")),
)

# What articles are filed under: the site, a region, a section, an author, a tag. Times are microseconds since 1970.
facets = Table(
    "facets",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("kind", String(8), nullable=False),
    Column("key", String, nullable=False),
    Column("name", String, nullable=False),
    Column("slug", String, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("changed_at", BigInteger, nullable=False),
    UniqueConstraint("kind", "key"),
    UniqueConstraint("kind", "slug"),
)

article_facets = Table(
    "article_facets",
    metadata,
    Column("facet", ForeignKey("facets.id"), primary_key=True),
    Column("published", BigInteger, primary_key=True),
    Column("article", ForeignKey("articles.number", ondelete="CASCADE"), primary_key=True),
    sqlite_with_rowid=False,
)

# Addresses that articles have left, and the article that each leads to now.
left_addresses = Table(
    "left_addresses",
    metadata,
    Column("slug", String, primary_key=True),
    Column("article", ForeignKey("articles.number", ondelete="CASCADE"), nullable=False, index=True),
)

# The complete history of each feed, in the order in which its entries came (RFC 5005 4).
feed_log = Table(
    "feed_log",
    metadata,
    Column("feed", String, primary_key=True),
    Column("position", Integer, primary_key=True),
    # Both are empty where an article was withdrawn: the position stays taken.
    Column("article", ForeignKey("articles.number", ondelete="CASCADE"), index=True),
    Column("version", LargeBinary(16)),
    sqlite_with_rowid=False,
)

# Archive documents that lost an entry and are to be written again.
feed_log_stale = Table(
    "feed_log_stale",
    metadata,
    Column("feed", String, primary_key=True),
    Column("page", Integer, primary_key=True),
    sqlite_with_rowid=False,
)
