"""Which of the places that share a name does it stand for? Asked of names in a text and of those that an editor writes down.

A country goes before a known subdivision, that before a town, and a larger town before a smaller; what else is named decides
between them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache

from content.gazetteer import Candidate, Kind

_PRIOR = {
    Kind.COUNTRY: 6.0, Kind.DEMONYM: 6.0, Kind.GROUP: 6.0, Kind.SUBDIVISION: 3.0, Kind.CAPITAL: 5.0, Kind.TOWN: 0.5,
}  # fmt: skip
_SMALL_CAPITAL = 2.0
"""A capital of fewer than :data:`KNOWN_CAPITAL` thousand is not what its larger namesakes are: Victoria, St. John's."""
KNOWN_CAPITAL = 60
KNOWN = 500
"""Inhabitants (in thousands) of a place that is known by its name alone."""
LARGE = 300
"""Inhabitants (in thousands) of a town whose name is not taken for a person's."""
FEDERATIONS = frozenset(
    (
        "US",
        "CA",
        "AU",
        "IN",
        "CN",
        "BR",
        "DE",
        "MX",
        "NG",
        "ES",
        "IT",
        "FR",
        "JP",
        "GB",
        "AR",
        "RU",
        "CH",
        "AT",
        "MY",
        "PK",
        "ZA",
        "ID",
    )
)
"""Countries whose subdivisions are known to readers elsewhere."""

# Of two countries that share a name or an adjective, the one that news means less often.
_RARE = {"CG": -1.0, "DM": -1.0, "GW": -1.0, "GQ": -1.0, "KP": -1.0, "AS": -1.0}

LANGUAGES = {
    "de": ("DE", "AT", "CH"), "fr": ("FR", "BE", "CH", "CA"), "es": ("ES", "MX", "AR", "CO", "CL", "PE"), "it": ("IT", "CH"),
    "pt": ("BR", "PT"), "nl": ("NL", "BE"), "da": ("DK",), "sv": ("SE", "FI"), "nb": ("NO",), "no": ("NO",), "fi": ("FI",),
    "pl": ("PL",), "cs": ("CZ",), "hu": ("HU",), "ro": ("RO", "MD"), "tr": ("TR",), "id": ("ID",), "vi": ("VN",),
}  # fmt: skip
"""Countries that news in a language is mostly about."""


@lru_cache(maxsize=8192)
def merged(candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """The candidates of a name, without those that lie within another of them: Mexico, Luxembourg, Beijing."""
    countries = {own.code for own in candidates if own.kind in (Kind.COUNTRY, Kind.DEMONYM)}
    capitals = {own.code for own in candidates if own.kind is Kind.CAPITAL}
    kept: dict[str, Candidate] = {}
    for own in candidates:
        if own.kind not in (Kind.COUNTRY, Kind.DEMONYM) and own.country in countries:
            continue
        if own.kind is Kind.SUBDIVISION and own.code in capitals:
            continue
        kept.setdefault(own.code, own)
    return tuple(kept.values())


def likely(own: Candidate, known: Mapping[str, float], language: str = "en") -> float:
    """How likely a name stands for this candidate; ``known`` says how much else speaks for regions, by code."""
    prior = _PRIOR[own.kind]
    if own.kind is Kind.SUBDIVISION:
        prior += 1.2 * (1 if own.country in FEDERATIONS else -1) + 1.2 * (own.inhabitants >= KNOWN)
    elif own.kind is Kind.TOWN or own.kind is Kind.CAPITAL:
        if own.kind is Kind.CAPITAL and own.inhabitants < KNOWN_CAPITAL:
            prior = _SMALL_CAPITAL
        prior += math.log10(own.inhabitants + 1)
    if own.country in LANGUAGES.get(language, ()):
        prior += 1.0
    within = 1.2 * min(1.0, known.get(own.code, 0.0)) if "-" in own.code else 0.0
    return prior + within + 2.0 * min(1.5, known.get(own.country, 0.0)) + _RARE.get(own.code, 0.0)


def is_obscure(own: Candidate) -> bool:
    """Whether readers elsewhere would not know the place without being told where it lies."""
    if own.kind is Kind.SUBDIVISION:
        return own.country not in FEDERATIONS and own.inhabitants < KNOWN
    return own.kind is Kind.TOWN


@lru_cache(maxsize=8192)
def is_well_known(candidates: tuple[Candidate, ...]) -> bool:
    """Whether one of the candidates is a country, a known subdivision, a capital or a large city."""
    return any(not is_obscure(own) or own.inhabitants >= LARGE for own in candidates)


@lru_cache(maxsize=8192)
def kinds_of(candidates: tuple[Candidate, ...]) -> frozenset[Kind]:
    """The kinds of place that a name may stand for."""
    return frozenset(own.kind for own in candidates)
