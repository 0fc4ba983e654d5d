"""What an article is filed under: the site, regions with all that lie around them, its section, authors and tags."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import NamedTuple

from content.article import Article
from content.regions import lineage, region
from content.text import folded, slug_of


class FacetKind(StrEnum):
    SITE = "site"
    REGION = "region"
    SECTION = "section"
    AUTHOR = "author"
    TAG = "tag"


class FacetKey(NamedTuple):
    """One thing that articles are filed under. ``key`` is a region's code, or a name without its letter case."""

    kind: FacetKind
    key: str

    @property
    def slug(self) -> str:
        """How it would like to stand in a path; two names may want the same."""
        return region(self.key).slug if self.kind is FacetKind.REGION else _slug(self.key)


@dataclass(frozen=True, slots=True)
class Facet:
    """A facet as the archive knows it: the name that it was first written with, its slug, its last change."""

    key: FacetKey
    name: str
    slug: str
    revision: int
    changed_at: datetime


def named(kind: FacetKind, name: str) -> FacetKey:
    """The facet of a section, author or tag of this name, in whatever letter case."""
    return FacetKey(kind, folded(name))


def facets_of(article: Article) -> Iterator[tuple[FacetKey, str]]:
    """The facets of an article, each once, with the name of each."""
    yield FacetKey(FacetKind.SITE, ""), ""
    around = {wider.code: wider.name for place in article.regions for wider in lineage(place)}
    for code, name in around.items():
        yield FacetKey(FacetKind.REGION, code), name
    if article.section:
        yield named(FacetKind.SECTION, article.section), article.section
    for kind, names in ((FacetKind.AUTHOR, [one.name for one in article.authors]), (FacetKind.TAG, article.tags)):
        written = {folded(name): name for name in names}
        for key, name in written.items():
            yield FacetKey(kind, key), name


@lru_cache(maxsize=4096)
def _slug(name: str) -> str:
    return slug_of(name, 80) or hashlib.blake2b(name.encode(), digest_size=6).hexdigest()
