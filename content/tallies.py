"""What does an article tell of each region that it names, in figures? Where, how often, by which names, and beside what.

A logistic regression makes a score of them (:mod:`content.placing`); ``data/fit_places.py`` fits its weights.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Set
from dataclasses import dataclass, field

from content.gazetteer import Candidate, Kind, Mention

CAPITAL, DATELINE, CALLED = 0.6, 0.35, 0.1
"""What a capital says for the region that it lies in: where the words around it speak of a place, as a dateline, and else."""

FIRST = ("title", "summary", "paragraph 1", "paragraph 2")
PART_WEIGHTS = {"title": 3.0, "summary": 2.0, "paragraph 1": 2.0, "paragraph 2": 1.4}
LOCAL = frozenset(
    "council councillors councillor mayor mayors ward wards borough neighbourhood neighbourhoods neighborhood residents "
    "neighbours street streets avenue tram trams metro bus buses commuters municipal municipality city town village district "
    "suburb downtown library school schools pupils hospital court judge market museum station bridge harbour quay park "
    "firefighters shopkeepers landlords tenants county sheriff parish pavement sidewalk stadium pool "
    "Bürgermeister Bürgermeisterin Oberbürgermeister Oberbürgermeisterin Stadt Rathaus Straße Bezirk Altstadt Stadtrat Bahnhof "
    "Anwohner Gemeinde Linie Viertel mairie maire quartier rue ville musée gare métro tramway habitants commune préfecture "
    "alcalde alcaldesa alcaldía ayuntamiento calle barrio barrios colonia vecinos ciudad municipio prefeitura prefeito rua "
    "bairro moradores cidade sindaco comune via quartiere città gemeente wethouder straat".split()
)
NATIONAL = frozenset(
    "minister ministers ministry government governments parliament president premier treaty ambassador embassy sanctions "
    "tariff tariffs exports imports export import border diplomats diplomatic bilateral summit foreign federal cabinet "
    "lawmakers senate troops army missile missiles nuclear treasury budget economy inflation sovereignty "
    "Regierung Bundesregierung Minister Ministerin Ministerium Parlament Präsident Staatsvertrag Botschafter Export "
    "gouvernement ministre ministres ministère parlement président ambassadeur ambassadeurs gobierno ministro ministra "
    "ministerio parlamento presidente embajador governo".split()
)
"""Words that tell the affairs of a town from those of states."""


@dataclass(slots=True)
class Seen:
    """A mention with the part that it stands in and what it was taken for."""

    mention: Mention
    part: str
    meant: Candidate | None = None

    @property
    def weight(self) -> float:
        """What it says for its place by force and part."""
        return self.mention.force * PART_WEIGHTS.get(self.part, 1.0)


@dataclass(slots=True)
class Tally:
    """What speaks for one region: the force of its mentions by part of the text, where none counts more than one and a half."""

    parts: dict[str, float] = field(default_factory=dict)
    kinds: set[Kind] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    cued: float = 0.0
    has_dateline: bool = False
    inhabitants: int = 0
    """Those of the largest of its towns that are named, in thousands."""
    seen: list[tuple[float, Seen]] = field(default_factory=list)

    @property
    def total(self) -> float:
        return sum(self.parts.values())

    @property
    def first_parts(self) -> tuple[float, ...]:
        """What stands in the title, the summary and the first two paragraphs, each 1 at the most."""
        return tuple(min(1.0, self.parts.get(part, 0.0)) for part in FIRST)

    def enters(self, paragraphs: int) -> float:
        """Where it is named first: 0 is at the beginning, towards 1 at the end."""
        numbers = (int(part.partition(" ")[2] or 1) - 1 for part in self.parts)
        return min(numbers, default=0) / paragraphs

    @property
    def later(self) -> float:
        return sum(force for part, force in self.parts.items() if part not in FIRST)

    def add(self, force: float, one: Seen) -> None:
        assert one.meant
        self.parts[one.part] = min(1.5, self.parts.get(one.part, 0.0) + force)
        self.kinds.add(one.meant.kind)
        if force > CALLED:
            self.names.add(one.mention.name)
        self.cued += one.mention.cued * one.mention.force
        self.has_dateline |= one.mention.dateline
        if one.meant.kind in (Kind.TOWN, Kind.CAPITAL):
            self.inhabitants = max(self.inhabitants, one.meant.inhabitants)
        self.seen.append((force * PART_WEIGHTS.get(one.part, 1.0), one))


@dataclass(slots=True)
class Told:
    """What an article tells of places: what speaks for each region, by its code; and of itself."""

    tallies: dict[str, Tally]
    paragraphs: int
    local: float
    """How much the words speak of a town's affairs, from -1 (those of states) to 1."""
    home: Collection[str]
    """The countries that news in its language is mostly about."""


def locality(words: Set[str]) -> float:
    own, theirs = len(words & LOCAL), len(words & NATIONAL)
    return (own - theirs) / (own + theirs + 3)


def features(told: Told) -> dict[str, dict[str, float]]:
    """What the weights are for, by the codes of the countries and subdivisions that a text names."""
    totals = {code: tally.total for code, tally in told.tallies.items() if not code.isdigit()}
    countries = [total for code, total in totals.items() if "-" not in code]
    everything, first = sum(countries) or 1.0, max(countries, default=1.0) or 1.0
    # The two that are named most in each country, so that each knows the most of the others.
    largest: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    for code, total in totals.items():
        if "-" in code:
            largest[code[:2]] = sorted((*largest[code[:2]], total))[1:]
    found = {}
    for code, total in totals.items():
        facts = {"share": total / everything, "alone": 1 / len(countries)}
        if "-" in code:
            around = totals[code[:2]] or 1.0
            second, most = largest[code[:2]]
            facts |= {
                "of country": total / around, "others": (second if total == most else most) / around,
                "country of first": around / first,
            }  # fmt: skip
            found[code] = _of_subdivision(told.tallies[code], told, facts, is_home=code[:2] in told.home)
        else:
            facts |= {"of first": total / first, "named": math.log1p(everything)}
            found[code] = _of_country(told.tallies[code], told, facts, is_home=code in told.home)
    return found


def _of_country(tally: Tally, told: Told, facts: dict[str, float], *, is_home: bool) -> dict[str, float]:
    title, summary, opening, second = tally.first_parts
    alone, names, is_capital = facts["alone"], math.log1p(len(tally.names)), float(tally.kinds <= {Kind.CAPITAL})
    enters, is_named = tally.enters(told.paragraphs), bool(tally.kinds & {Kind.COUNTRY, Kind.DEMONYM})
    facts |= {
        "unnamed": float(not is_named), "unnamed, enters": (not is_named) * enters, "unnamed, alone": (not is_named) * alone,
        "summary": summary, "opening": opening, "second": second, "opens": max(title, summary, opening),
        "cued": min(1.0, tally.cued), "dateline": float(tally.has_dateline), "names": names, "local": told.local,
        "people only": float(tally.kinds <= {Kind.DEMONYM}), "capital": float(Kind.CAPITAL in tally.kinds),
        "enters": enters, "capital only": is_capital, "capital only, alone": is_capital * alone,
        "alone, local": alone * told.local, "alone, second": alone * second,
    }  # fmt: skip
    if tally.kinds <= {Kind.TOWN}:
        facts |= {
            "towns only": 1.0, "towns only, alone": alone, "towns only, home": float(is_home), "towns only, names": names,
            "towns only, local": told.local, "towns only, title": title, "towns only, opening": opening,
            "towns only, size": math.log10(tally.inhabitants + 1),
        }  # fmt: skip
    return facts


def _of_subdivision(tally: Tally, told: Told, facts: dict[str, float], *, is_home: bool) -> dict[str, float]:
    title, summary, opening, second = tally.first_parts
    alone, spread = facts["alone"], tally.later / told.paragraphs
    parts = sum(force > CALLED for force in tally.parts.values())
    facts |= {
        "title": title, "summary": summary, "opening": opening, "second": second, "spread": spread,
        "enters": tally.enters(told.paragraphs),
        "dateline": float(tally.has_dateline), "size": math.log10(tally.inhabitants + 1),
        "capital": float(Kind.CAPITAL in tally.kinds), "capital only, spread": (tally.kinds <= {Kind.CAPITAL}) * spread,
        "alone, opens": alone * max(title, summary, opening), "alone, parts": alone * math.log1p(parts),
        "alone, second": alone * second,
    }  # fmt: skip
    if tally.kinds <= {Kind.TOWN}:
        facts |= {
            "towns only": 1.0, "towns only, home": float(is_home), "towns only, local": told.local,
            "towns only, title": title, "towns only, opening": opening,
        }  # fmt: skip
    return facts
