"""An article as bytes: how the archive keeps it, and how it travels between processes."""

from __future__ import annotations

import hashlib
from functools import cache

from pydantic import TypeAdapter

from content.article import Article


def to_document(article: Article) -> bytes:
    """An article as the archive keeps it."""
    return _document().dump_json(article)


def from_document(document: bytes) -> Article:
    return _document().validate_json(document)


def version_of(article: Article) -> bytes:
    """The hash of what an article says, as the archive keeps it: 16 bytes."""
    return hash_of(to_document(article))


def hash_of(document: bytes) -> bytes:
    return hashlib.blake2b(document, digest_size=16).digest()


@cache
def _document() -> TypeAdapter[Article]:
    """How an article is kept: made when the first is read or written."""
    return TypeAdapter(Article)
