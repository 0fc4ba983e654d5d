"""Which feeds exist: of the site, of places, of sections, authors and tags, and those that config.toml combines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from content.archive import SITE
from content.article import mint_id
from content.facets import Facet, FacetKey, FacetKind, named
from content.regions import Region, lineage, region, resolve, shown_name
from content.settings import SiteSettings
from feeds.settings import EVERY, CombinedFeedSettings, FeedSettings


class Scope(StrEnum):
    """What the articles of a feed have in common."""

    SITE = "site"
    REGION = "region"
    SECTION = "section"
    AUTHOR = "author"
    TAG = "tag"
    COMBINED = "combined"


_FOLDERS = {Scope.REGION: "regions", Scope.SECTION: "sections", Scope.AUTHOR: "authors", Scope.TAG: "tags"}
_WORDING = {Scope.SECTION: "{}", Scope.AUTHOR: "Articles by {}", Scope.TAG: "Articles about {}"}


@dataclass(frozen=True, slots=True)
class Feed:
    """What readers subscribe to, before it takes a format.

    ``folder`` is its place below the site (``feeds/regions/cn``), ``name`` what it is called among others (``China``).
    Its articles lie under one facet of each of ``groups``; without groups it has all. ``revision`` counts up when an
    article of it may have changed, ``changed_at`` is when that was.
    """

    scope: Scope
    id: str
    name: str
    title: str
    subtitle: str
    folder: str
    groups: tuple[tuple[FacetKey, ...], ...]
    revision: int
    changed_at: datetime
    region: Region | None = None

    @property
    def is_country(self) -> bool:
        """Whether it is that of a country."""
        return self.region is not None and self.region.code.isalpha()

    @property
    def page(self) -> str:
        """The path of the page that shows it to people, below the site."""
        return f"{self.folder}/"


def catalogue(
    facets: Iterable[Facet], site: SiteSettings, settings: FeedSettings, combined: Sequence[CombinedFeedSettings] = ()
) -> list[Feed]:
    """Every feed: the site's, then regions from the World down, sections, authors, tags, and combinations."""
    known = {facet.key: facet for facet in facets}
    feeds = [_site_feed(known, site)]
    places = [region(key.key) for key in known if key.kind is FacetKind.REGION]
    places.sort(key=lambda place: [(shown_name(wider, site.language), wider.code) for wider in reversed(lineage(place))])
    for place in places:
        facet = known[FacetKey(FacetKind.REGION, place.code)]
        feeds.append(_facet_feed(Scope.REGION, facet, site, place))
    wanted = ((Scope.SECTION, settings.sections), (Scope.AUTHOR, settings.authors), (Scope.TAG, settings.tags))
    for scope, names in wanted:
        keys = {named(FacetKind(scope), name) for name in names}
        chosen = [facet for key, facet in known.items() if key.kind == scope.value and (EVERY in names or key in keys)]
        feeds += [_facet_feed(scope, facet, site) for facet in sorted(chosen, key=lambda one: (one.key.key, one.slug))]
    return feeds + [_combined_feed(one, known, site) for one in combined]


def _site_feed(known: dict[FacetKey, Facet], site: SiteSettings) -> Feed:
    revision, changed_at = _last_change([SITE], known, site)
    return Feed(
        Scope.SITE, _id(site, "feeds"), "All the news", site.title, site.description, "feeds", (), revision, changed_at,
    )  # fmt: skip


def _facet_feed(scope: Scope, facet: Facet, site: SiteSettings, place: Region | None = None) -> Feed:
    folder = f"feeds/{_FOLDERS[scope]}/{facet.slug}"
    name = shown_name(place, site.language) if place else facet.name
    subtitle = f"News from {name}" if place else _WORDING[scope].format(name)
    revision, changed_at = _last_change([facet.key], {facet.key: facet}, site)
    return Feed(
        scope, _id(site, folder), name, f"{site.title}: {name}", subtitle, folder, ((facet.key,),), revision, changed_at, place,
    )  # fmt: skip


def _combined_feed(one: CombinedFeedSettings, known: dict[FacetKey, Facet], site: SiteSettings) -> Feed:
    groups = (
        tuple(FacetKey(FacetKind.REGION, place.code) for place in resolve(one.regions)[0]),
        tuple(named(FacetKind.SECTION, name) for name in one.sections),
        tuple(named(FacetKind.AUTHOR, name) for name in one.authors),
        tuple(named(FacetKind.TAG, name) for name in one.tags),
    )
    used = tuple(group for group in groups if group)
    revision, changed_at = _last_change([key for group in used for key in group] or [SITE], known, site)
    name = one.title or one.name.replace("-", " ").capitalize()
    folder = f"feeds/{one.name}"
    return Feed(
        Scope.COMBINED, _id(site, folder), name, f"{site.title}: {name}", one.description, folder, used, revision, changed_at,
    )  # fmt: skip


def _last_change(keys: Iterable[FacetKey], known: dict[FacetKey, Facet], site: SiteSettings) -> tuple[int, datetime]:
    found = [known[key] for key in keys if key in known]
    # No clock has a say in it: a feed changes when its news does.
    changed_at = max((facet.changed_at for facet in found), default=site.owned_from)
    return max((facet.revision for facet in found), default=0), changed_at


def _id(site: SiteSettings, path: str) -> str:
    return mint_id(site.host, site.owned_since, path)
