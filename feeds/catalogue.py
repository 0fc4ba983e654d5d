"""Which feeds exist, and which articles each holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time

from content.archive import Archive
from content.article import Article, mint_id
from content.regions import Region
from content.settings import SiteSettings
from feeds.settings import FeedSettings


@dataclass(frozen=True, slots=True)
class Feed:
    """What readers subscribe to, before it takes a format.

    ``folder`` is its place below the site (``feeds/regions/cn``), ``articles`` its newest ones first, ``count``
    how many it would hold without a limit, ``updated`` the aware time of its newest change.
    """

    id: str
    title: str
    subtitle: str
    folder: str
    region: Region | None
    articles: tuple[Article, ...]
    count: int
    updated: datetime


def catalogue(archive: Archive, site: SiteSettings, settings: FeedSettings, now: datetime) -> Iterator[Feed]:
    """Every feed as it stands at ``now``: the site's, then each region's by its code."""
    counted = archive.regions(now)
    yield _feed(archive, site, settings, now, None, archive.count_public(now))
    for place, count in counted.items():
        yield _feed(archive, site, settings, now, place, count)


def _feed(
    archive: Archive, site: SiteSettings, settings: FeedSettings, now: datetime, place: Region | None, count: int
) -> Feed:
    articles = tuple(archive.public(now, regions=[place] if place else (), limit=settings.limit))
    # No clock has a say in it: a feed changes when its news does.
    empty_since = archive.last_withdrawn(place) or datetime.combine(site.owned_since, time(), UTC)
    return Feed(
        id=mint_id(site.host, site.owned_since, f"feeds/regions/{place.slug}" if place else "feeds"),
        title=f"{site.title}: {place.name}" if place else site.title,
        subtitle=f"News from {place.name}" if place else site.description,
        folder=f"feeds/regions/{place.slug}" if place else "feeds",
        region=place,
        articles=articles,
        count=count,
        updated=max((article.updated for article in articles), default=empty_since),
    )
