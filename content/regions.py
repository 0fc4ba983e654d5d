"""Which place an editor means by ``CN-BJ``, ``Beijing`` or ``South Korea``, and what lies around it.

The world is a tree: World, areas of UN M49, countries of ISO 3166-1, subdivisions of ISO 3166-2. It is compiled by
``data/compile.py`` from CLDR and pycountry, with the names that news uses besides from ``data/region_names.toml``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
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

    A code is understood in any letter case, alpha-3 too; a name with or without its accents; a town or a county stands for the
    first-level subdivision that it lies in (unless ``towns`` are left out), a group of states for the area that is nearest.
    Where a name is shared, what it stands for in a text counts, and the countries named beside it decide first.
    """
    wanted = [name.strip() for name in names if name.strip()]
    alone = [_resolve_one(name, frozenset(), towns) for name in wanted]
    regions: list[Region] = []
    unresolved: list[Unresolved] = []
    for number, name in enumerate(wanted):
        others = (one for other, one in enumerate(alone) if other != number)
        found = _resolve_one(name, frozenset(one.country for one in others if isinstance(one, Region)), towns)
        if isinstance(found, Unresolved):
            unresolved.append(found)
        elif found not in regions:
            regions.append(found)
    return regions, unresolved


@lru_cache(maxsize=4096)
def _resolve_one(name: str, beside: frozenset[str], towns: bool) -> Region | Unresolved:
    if (code := _code(name)) in _lines() and not code.isdigit():
        return _row(code).region
    key = fold(name)
    if (code := _by_name()[0].get(key, "")) and key not in _SHARED:
        return _row(code).region
    meanings = _meanings(key, beside, towns)
    codes = tuple(dict.fromkeys(code for _, code in meanings))
    if codes and (len(codes) == 1 or meanings[0][0] >= meanings[1][0] + CLEARLY):
        return _row(codes[0]).region
    return Unresolved(name, codes)


def _meanings(key: str, beside: frozenset[str], towns: bool) -> list[tuple[float, str]]:
    """The codes that a folded name may stand for, likeliest first, with how likely each is."""
    # Loaded only when somebody names a place that is no country.
    from content.gazetteer import Candidate, Kind, called
    from content.meanings import likely, merged

    subdivisions = _by_name()[1].get(key, ())
    named = [own for own in called(key) if towns or own.kind not in (Kind.TOWN, Kind.CAPITAL)]
    found = merged((*named, *(Candidate(Kind.SUBDIVISION, first_level(code)) for code in subdivisions)))
    said = dict.fromkeys(beside, 1.5)
    # London beside Canada is the one there, but Paris beside the United States not the small town in Texas.
    near = [own for own in found if own.country in beside and (own.kind is not Kind.TOWN or own.inhabitants >= LARGE)]
    return sorted(((likely(own, said), own.code) for own in near or found), key=lambda both: (-both[0], both[1]))


LARGE = 50
"""Inhabitants (in thousands) of a town that goes before its namesake elsewhere, when its country stands beside it."""


def first_level(code: str) -> str:
    """The subdivision that governs at the first level below the country, of a subdivision that lies in it."""
    while "-" in (above := _row(code).parent) and code[:2] not in ONLY_GROUPED:
        code = above
    return code


ONLY_GROUPED = frozenset({"CV", "DO", "ID", "MH", "PH", "UG"})
"""Countries where ISO 3166-2 has a level above the one that governs: islands, planning regions. Jakarta is not Java there."""
CLEARLY = 0.5
"""How much likelier one meaning of a name must be than the next: of two towns, by three times the inhabitants."""
_SHARED = frozenset({"georgia", "congo"})
"""Names of a country that another country, or a state, has as well."""
_ALIAS_CODES = {"UK": "GB", "EL": "GR"}


_SIGNS = {code: " " for code in range(128) if not (chr(code).isalnum() or chr(code) == "_")}


def fold(name: str) -> str:
    """A name as it is compared: without letter case, accents and signs."""
    if name.isascii():
        return " ".join(name.lower().translate(_SIGNS).split())
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
