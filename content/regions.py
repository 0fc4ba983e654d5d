"""Which place an editor means by ``CN-BJ``, ``Beijing`` or ``South Korea``.

ISO 3166-1 and 3166-2 come from pycountry, names of countries from CLDR through Babel, and the names that
news uses besides from ``data/region_names.toml``.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

COUNTRY_SCHEME = "urn:iso:std:iso:3166:-1"
SUBDIVISION_SCHEME = "urn:iso:std:iso:3166:-2"
"""The standards' own URNs (RFC 5141), as category schemes in feeds."""


@dataclass(frozen=True, slots=True, order=True)
class Region:
    """A country (``CN``) or one of its subdivisions (``CN-BJ``), with its English name."""

    code: str
    name: str

    @property
    def country(self) -> str:
        """The ISO 3166-1 alpha-2 code of the country that it is or lies in."""
        return self.code.partition("-")[0]

    @property
    def scheme(self) -> str:
        """The URN of the standard that its code comes from."""
        return SUBDIVISION_SCHEME if "-" in self.code else COUNTRY_SCHEME

    @property
    def slug(self) -> str:
        """The code as it stands in a path: ``cn-bj``."""
        return self.code.lower()

    def contains(self, other: Region) -> bool:
        """Whether ``other`` is this place or lies in it."""
        return other.code == self.code or other.country == self.code


@dataclass(frozen=True, slots=True)
class Unresolved:
    """A name that stands for no region, or for several: ``candidates`` are the codes it could mean."""

    name: str
    candidates: tuple[str, ...] = ()


def region(code: str) -> Region:
    """The region with this ISO 3166 code, in any letter case. Raises ``KeyError`` when there is none."""
    return _by_code()[code.strip().upper()]


def enclosing(place: Region) -> Region | None:
    """The country of a subdivision; ``None`` for a country."""
    return region(place.country) if "-" in place.code else None


def resolve(names: Iterable[str]) -> tuple[list[Region], list[Unresolved]]:
    """The regions that names or codes stand for, in their order and once each, and what could not be told.

    A code is understood in any letter case, alpha-3 too; a name with or without its accents. Where a name
    is shared by places in several countries, the countries named beside it decide.
    """
    wanted = [name.strip() for name in names if name.strip()]
    certain = {found.country for name in wanted if (found := _resolve_one(name, ())) and isinstance(found, Region)}
    regions: list[Region] = []
    unresolved: list[Unresolved] = []
    for name in wanted:
        found = _resolve_one(name, certain)
        if isinstance(found, Unresolved):
            unresolved.append(found)
        elif found not in regions:
            regions.append(found)
    return regions, unresolved


def _resolve_one(name: str, beside: Collection[str]) -> Region | Unresolved:
    by_code = _by_code()
    if (code := _ALIAS_CODES.get(name.upper(), name.upper())) in by_code:
        return by_code[code]
    key = _fold(name)
    countries, subdivisions = _by_name()
    candidates = subdivisions.get(key, ())
    if len(near := [code for code in candidates if code[:2] in beside]) == 1 and key in _COUNTRY_OR_STATE:
        return by_code[near[0]]
    if key in countries:
        return by_code[countries[key]]
    if len(near) == 1:
        return by_code[near[0]]
    if len(candidates) == 1:
        return by_code[candidates[0]]
    return Unresolved(name, tuple(candidates))


_ALIAS_CODES = {"UK": "GB", "EL": "GR"}
# Names of a country that are also a state's; the country beside them tells which.
_COUNTRY_OR_STATE = frozenset({"georgia"})

# Words for the kind of subdivision, as ISO 3166-2 has them behind (or before) the name.
_KIND_BEHIND = re.compile(
    r"(?: Shi| Sheng| Zizhiqu| SAR|-teukbyeolsi|-gwangyeoksi|-do|-teukbyeoljachido|-teukbyeoljachisi"
    r"| Province| Oblast| oblast'?| oblast’| Governorate| Region| County| Prefecture| Raya)$"
)


def _fold(name: str) -> str:
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    letters = "".join(c for c in decomposed if not unicodedata.combining(c)).replace("ı", "i").replace("ʻ", "")
    return " ".join(re.sub(r"[^\w]+", " ", letters).split())


@cache
def _news_names() -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    table = tomllib.loads(files("content").joinpath("data/region_names.toml").read_text("utf-8"))
    return table["countries"], table["subdivisions"]


@cache
def _by_code() -> dict[str, Region]:
    import pycountry
    from babel import Locale

    english = Locale("en").territories
    country_names, subdivision_names = _news_names()
    found: dict[str, Region] = {}
    for country in pycountry.countries:
        shown = country_names.get(country.alpha_2, [english.get(country.alpha_2, country.name)])[0]
        found[country.alpha_2] = found[country.alpha_3] = Region(country.alpha_2, shown)
    # User-assigned in ISO 3166-1, yet what everybody uses.
    found["XK"] = Region("XK", "Kosovo")
    for part in pycountry.subdivisions:
        shown = subdivision_names.get(part.code, [_KIND_BEHIND.sub("", _first_name(part.name))])[0]
        found[part.code] = Region(part.code, shown)
    return found


def _first_name(name: str) -> str:
    """The first of several names, without the signs of romanisation that English news leaves out (Mahārāshtra)."""
    decomposed = unicodedata.normalize("NFD", name.partition(" [")[0].partition(" (")[0])
    return unicodedata.normalize("NFC", re.sub("[\u0304\u0323\u0331\u02bb\u02bc]", "", decomposed))


@cache
def _by_name() -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
    import pycountry

    country_names, subdivision_names = _news_names()
    countries: dict[str, str] = {}
    for country in pycountry.countries:
        spellings = [getattr(country, field, "") for field in ("name", "official_name", "common_name")]
        spellings += [_by_code()[country.alpha_2].name, *country_names.get(country.alpha_2, [])]
        for spelling in filter(None, spellings):
            countries[_fold(spelling)] = country.alpha_2
    countries["kosovo"] = "XK"
    subdivisions: dict[str, tuple[str, ...]] = {}
    for part in pycountry.subdivisions:
        spellings = [part.name, *re.split(r" \[|\] *| \(|\)", part.name), _by_code()[part.code].name]
        spellings += subdivision_names.get(part.code, [])
        for key in {_fold(spelling) for spelling in spellings if spelling.strip()}:
            subdivisions[key] = (*subdivisions.get(key, ()), part.code)
    for news, names in ((code, names) for code, names in subdivision_names.items()):
        for spelling in names:
            # What news calls by this name: Mexico City, not the others that share a part of it.
            subdivisions[_fold(spelling)] = (news,)
    return countries, subdivisions
