"""Which place an editor means by ``CN-BJ``, ``Beijing`` or ``South Korea``, and what lies around it.

The world is a tree: World, areas of UN M49, countries of ISO 3166-1, subdivisions of ISO 3166-2. It is compiled by
``data/compile.py`` from CLDR and pycountry, with the names that news uses besides from ``data/region_names.toml``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

AREA_SCHEME = "https://unstats.un.org/unsd/methodology/m49/"
"""UN M49 has no URN; its own page names the scheme."""
COUNTRY_SCHEME = "urn:iso:std:iso:3166:-1"
SUBDIVISION_SCHEME = "urn:iso:std:iso:3166:-2"
"""The standards' own URNs (RFC 5141), as category schemes in feeds."""

WORLD = "001"


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """An area (``142``), a country (``CN``) or a subdivision (``CN-BJ``), with its English name."""

    code: str
    name: str

    @property
    def scheme(self) -> str:
        """The URI of the standard that its code comes from."""
        if self.code.isdigit():
            return AREA_SCHEME
        return SUBDIVISION_SCHEME if "-" in self.code else COUNTRY_SCHEME

    @property
    def country(self) -> str:
        """The ISO 3166-1 alpha-2 code of the country that it is or lies in; an area's own code."""
        return self.code.partition("-")[0]

    @property
    def slug(self) -> str:
        """Its name in a path: ``cn-bj``, ``eastern-asia``."""
        return _row(self.code).slug

    def contains(self, other: Region) -> bool:
        """Whether ``other`` is this place or lies in it."""
        return self in lineage(other)


@lru_cache(maxsize=8192)
def shown_name(place: Region, language: str) -> str:
    """A region's name for readers of ``language`` (BCP 47), from CLDR; subdivisions have English names in every language."""
    if language.partition("-")[0].lower() == "en":
        return place.name
    return territories(language).get(place.code, place.name)


@lru_cache(maxsize=8)
def territories(language: str) -> dict[str, str]:
    """The names of countries and areas in a language (BCP 47), from CLDR; none where CLDR does not know it."""
    # Loaded only when a site speaks another language than ours.
    from babel import Locale, UnknownLocaleError

    try:
        return dict(Locale.parse(language, sep="-").territories)
    except (UnknownLocaleError, ValueError):
        return {}


def point_of(place: Region) -> tuple[float, float] | None:
    """A point that stands for a region, that of its largest town: degrees north and east (WGS 84); ``None`` for areas."""
    return _points().get(place.code)


@cache
def _points() -> dict[str, tuple[float, float]]:
    text = Path(__file__).with_name("data").joinpath("points.tsv").read_text("utf-8")
    rows = (line.split("\t") for line in text.splitlines())
    return {code: (float(north), float(east)) for code, north, east in rows}


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A name that stands for no region, or for several: ``candidates`` are the codes it could mean."""

    name: str
    candidates: tuple[str, ...] = ()


def region(code: str) -> Region:
    """The region with this code of ISO 3166 or M49, in any letter case. Raises ``KeyError`` when there is none."""
    return _row(_code(code)).region


def _code(written: str) -> str:
    """The code that is meant; ``UK`` and three letters mean two."""
    key = written.strip().upper()
    return _ALIAS_CODES.get(key, key) if len(key) != 3 else _alpha_3().get(key, key)


@lru_cache(maxsize=8192)
def lineage(place: Region) -> tuple[Region, ...]:
    """A region and all that lie around it, up to the World."""
    found = []
    code = place.code
    while code:
        row = _row(code)
        found.append(row.region)
        code = row.parent
    return tuple(found)


def resolve(names: Iterable[str], *, towns: bool = True) -> tuple[list[Region], list[Unresolved]]:
    """The regions that names or codes stand for, in their order and once each, and what could not be told.

    A code is understood in any letter case, alpha-3 too; a name with or without its accents; a town stands for the subdivision
    that it lies in, unless ``towns`` are left out. Where a name is shared by places in several countries, the countries
    named beside it decide.
    """
    wanted = [name.strip() for name in names if name.strip()]
    certain = {found.country for name in wanted if (found := _resolve_one(name, (), towns)) and isinstance(found, Region)}
    regions: list[Region] = []
    unresolved: list[Unresolved] = []
    for name in wanted:
        found = _resolve_one(name, certain, towns)
        if isinstance(found, Unresolved):
            unresolved.append(found)
        elif found not in regions:
            regions.append(found)
    return regions, unresolved


def _resolve_one(name: str, beside: Collection[str], towns: bool) -> Region | Unresolved:
    if (code := _code(name)) in _lines() and not code.isdigit():
        return _row(code).region
    key = fold(name)
    countries, subdivisions = _by_name()
    candidates = subdivisions.get(key, ())
    if len(near := [code for code in candidates if code[:2] in beside]) == 1 and key in _COUNTRY_OR_STATE:
        return _row(near[0]).region
    if key in countries:
        return _row(countries[key]).region
    if len(near) == 1:
        return _row(near[0]).region
    if len(candidates) == 1:
        return _row(candidates[0]).region
    return Unresolved(name, tuple(candidates)) if candidates or not towns else _resolve_town(name, beside)


def _resolve_town(name: str, beside: Collection[str]) -> Region | Unresolved:
    """The subdivision, or the country, that the town of this name lies in, if one is much larger than its namesakes."""
    # Loaded only when somebody names a town.
    from content.gazetteer import towns

    found = towns(name)
    likely = [one for one in found if one.country in beside] or found
    if likely and (len(likely) == 1 or likely[0].inhabitants >= 4 * likely[1].inhabitants):
        return _row(likely[0].code).region
    return Unresolved(name, tuple(dict.fromkeys(one.code for one in likely)))


_ALIAS_CODES = {"UK": "GB", "EL": "GR"}
# Names of a country that are also a state's; the country beside them tells which.
_COUNTRY_OR_STATE = frozenset({"georgia"})


def fold(name: str) -> str:
    """A name as it is compared: without letter case, accents and signs."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(c for c in decomposed if not unicodedata.combining(c)).replace("ı", "i").replace("ʻ", "")
    return " ".join(re.sub(r"[^\w]+", " ", letters).split())


@dataclass(frozen=True, slots=True)
class _Row:
    region: Region
    parent: str
    slug: str
    spellings: str


@cache
def _lines() -> dict[str, str]:
    """The lines of the table by code; each is taken apart only when somebody asks for it."""
    text = Path(__file__).with_name("data").joinpath("regions.tsv").read_text("utf-8")
    return {line[: line.index("\t")]: line for line in text.splitlines()}


@cache
def _row(code: str) -> _Row:
    _, name, parent, slug, _, spellings = _lines()[code].split("\t")
    return _Row(Region(code, name), parent, slug, spellings)


@cache
def _alpha_3() -> dict[str, str]:
    return {line.split("\t")[4]: code for code, line in _lines().items() if len(code) == 2}


@cache
def _by_name() -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    """Codes of countries and areas, and of subdivisions, by folded spelling."""
    wider: dict[str, str] = {}
    subdivisions: dict[str, tuple[str, ...]] = {}
    for code in _lines():
        for spelling in _row(code).spellings.split("|"):
            if "-" in code:
                subdivisions[spelling] = (*subdivisions.get(spelling, ()), code)
            else:
                # Countries stand behind the areas and win: Micronesia.
                wider[spelling] = code
    return wider, subdivisions
