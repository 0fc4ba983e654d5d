"""Which places is an article about? Told from the names in its title, summary and text, with a score and the evidence.

The score is how likely a careful editor would tag the region: a logistic regression over where and how often it is named, and
how it compares with the others. Its weights (``data/place_weights.json``) are fitted to labelled texts by
``data/fit_places.py``.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from content.gazetteer import Candidate, Kind, Mention
from content.meanings import LANGUAGES, is_obscure, likely, merged
from content.regions import Region, region
from content.surroundings import mentions, words_of
from content.text import plain

if TYPE_CHECKING:
    from content.article import Article

THRESHOLD = 0.5
"""The score from which on a region is tagged."""

AREA_HALF = 5.5
"""The weight of mentions that makes a score of a half for an area; labelled texts have too few to fit it."""
CAPITAL, DATELINE, CALLED = 0.6, 0.35, 0.1
"""What a capital says for the region that it lies in: where the words around it speak of a place, as a dateline, and else."""

_FIRST = ("title", "summary", "paragraph 1", "paragraph 2")
_AREA_WEIGHTS = {"title": 3.0, "summary": 2.0, "paragraph 1": 2.0, "paragraph 2": 1.4}
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

_PARAGRAPH_END = re.compile(r"</(?:p|li|h[1-6]|blockquote|td|th|figcaption|pre|dt|dd)>|<br ?/?>")


@dataclass(frozen=True, slots=True)
class Evidence:
    """Words of the text that speak for a region: what they are, where they stand, at which character of that part."""

    words: str
    part: str
    start: int


@dataclass(frozen=True, slots=True)
class Placed:
    """A region that a text is about: its score (from :data:`THRESHOLD` on it is tagged) and the evidence, strongest first."""

    region: Region
    score: float
    evidence: tuple[Evidence, ...]


@dataclass(slots=True)
class _Seen:
    """A mention with the part that it stands in and what it was taken for."""

    mention: Mention
    part: str
    meant: Candidate | None = None

    @property
    def weight(self) -> float:
        """What it says for its place by force and part."""
        return self.mention.force * _AREA_WEIGHTS.get(self.part, 1.0)


@dataclass(slots=True)
class _Tally:
    """What speaks for one region: the force of its mentions by part of the text, where none counts more than one and a half."""

    parts: dict[str, float] = field(default_factory=dict)
    kinds: set[Kind] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    cued: float = 0.0
    has_dateline: bool = False
    inhabitants: int = 0
    """Those of the largest of its towns that are named, in thousands."""
    evidence: list[tuple[float, Evidence]] = field(default_factory=list)

    @property
    def total(self) -> float:
        return sum(self.parts.values())

    @property
    def first_parts(self) -> tuple[float, ...]:
        """What stands in the title, the summary and the first two paragraphs, each 1 at the most."""
        return tuple(min(1.0, self.parts.get(part, 0.0)) for part in _FIRST)

    def enters(self, paragraphs: int) -> float:
        """Where it is named first: 0 is at the beginning, towards 1 at the end."""
        numbers = (int(part.partition(" ")[2] or 1) - 1 for part in self.parts)
        return min(numbers, default=0) / paragraphs

    @property
    def later(self) -> float:
        return sum(force for part, force in self.parts.items() if part not in _FIRST)

    def add(self, force: float, one: _Seen) -> None:
        assert one.meant
        self.parts[one.part] = min(1.5, self.parts.get(one.part, 0.0) + force)
        self.kinds.add(one.meant.kind)
        if force > CALLED:
            self.names.add(one.mention.name)
        self.cued += one.mention.cued * one.mention.force
        self.has_dateline |= one.mention.dateline
        if one.meant.kind in (Kind.TOWN, Kind.CAPITAL):
            self.inhabitants = max(self.inhabitants, one.meant.inhabitants)
        said = Evidence(one.mention.name, one.part, one.mention.start)
        self.evidence.append((force * _AREA_WEIGHTS.get(one.part, 1.0), said))


def place(title: str, summary: str, body: str, language: str = "en") -> list[Placed]:
    """The regions that an article is about, best first: countries, then subdivisions, then areas.

    ``title`` and ``summary`` are plain text, ``body`` is clean HTML. What scores below :data:`THRESHOLD` is among them, so
    that an editor can see it.
    """
    told = tallied(title, summary, body, language)
    scores = {code: _area_score(tally) for code, tally in told.tallies.items() if code.isdigit()}
    for code, facts in features(told).items():
        scores[code] = _likelihood(facts, _weights()["subdivision" if "-" in code else "country"])
    for code in [code for code in scores if "-" in code]:
        # No place is more certain than the country that it lies in.
        scores[code] = min(scores[code], scores[code[:2]])
    return [
        Placed(region(code), score, _strongest(told.tallies[code]))
        for code, score in sorted(scores.items(), key=lambda both: (both[0].isdigit(), "-" in both[0], -both[1], both[0]))
    ]


def placed(article: Article) -> list[Placed]:
    """The regions that an article is about (:func:`place`); a summary that was taken from its body says nothing more."""
    summary = article.summary.text if article.summary.written else ""
    return place(article.title, summary, article.body, article.language)


@dataclass(slots=True)
class Told:
    """What an article tells of places: what speaks for each region, by its code; and of itself."""

    tallies: dict[str, _Tally]
    paragraphs: int
    local: float
    """How much the words speak of a town's affairs, from -1 (those of states) to 1."""
    home: Collection[str]
    """The countries that news in its language is mostly about."""


def tallied(title: str, summary: str, body: str, language: str) -> Told:
    """The names in an article, and what they say for each region."""
    paragraphs = [text for part in _PARAGRAPH_END.split(body) if (text := _words(part.replace("<p>", "")))]
    texts = [in_one_form(text) for text in (title, summary, *paragraphs)]
    words = words_of(texts)
    seen = _seen(texts, language, words)
    _decide(seen, language)
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    for before, one, after in zip([None, *seen], seen, [*seen[1:], None], strict=False):
        if one.meant:
            _count(one, tallies, is_listed=_beside(before, one) or _beside(one, after))
    home = LANGUAGES.get(language.partition("-")[0], ())
    return Told(tallies, max(1, len(paragraphs)), _locality(words), home)


def _words(part: str) -> str:
    """The plain words of a part of clean HTML; most have no markup within."""
    return plain(part) if "<" in part or "&" in part else " ".join(part.split())


def in_one_form(text: str) -> str:
    """A text as names are looked up in it: its accented letters in one form (NFC), without the hyphens that are not seen."""
    return text if text.isascii() else unicodedata.normalize("NFC", text).replace("\u00ad", "")


def _locality(words: Set[str]) -> float:
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


def _of_country(tally: _Tally, told: Told, facts: dict[str, float], *, is_home: bool) -> dict[str, float]:
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


def _of_subdivision(tally: _Tally, told: Told, facts: dict[str, float], *, is_home: bool) -> dict[str, float]:
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


def _likelihood(facts: Mapping[str, float], weights: Mapping[str, float]) -> float:
    total = weights["bias"]
    for name, value in facts.items():
        if value:
            total += weights[name] * value
    return 1 / (1 + math.exp(-total))


def _area_score(tally: _Tally) -> float:
    weight = sum(force * _AREA_WEIGHTS.get(part, 1.0) for part, force in tally.parts.items())
    return weight / (weight + AREA_HALF)


def _strongest(tally: _Tally) -> tuple[Evidence, ...]:
    return tuple(said for _, said in sorted(tally.evidence, key=lambda both: -both[0])[:6])


@cache
def _weights() -> dict[str, dict[str, float]]:
    weights: dict[str, dict[str, float]] = json.loads(
        Path(__file__).with_name("data").joinpath("place_weights.json").read_text()
    )
    return weights


def chosen(placed: Iterable[Placed], threshold: float = THRESHOLD) -> tuple[Region, ...]:
    """The regions that score high enough to be tagged."""
    return tuple(one.region for one in placed if one.score >= threshold)


def _called(part: str) -> str:
    return part if part.startswith("paragraph") else f"the {part}"


def explained(placed: Iterable[Placed], threshold: float = THRESHOLD) -> str:
    """The regions that would be tagged, each with its strongest evidence, in a line for an editor."""
    reasons = [
        f"{one.region.code} ({one.region.name}: {one.evidence[0].words!r} in {_called(one.evidence[0].part)})"
        for one in placed
        if one.score >= threshold and one.evidence
    ]
    return ", ".join(reasons)


def _seen(texts: Sequence[str], language: str, words: Set[str]) -> list[_Seen]:
    parts = ["title", "summary", *(f"paragraph {number}" for number in range(1, len(texts) - 1))]
    found = mentions(texts, language, words)
    return [_Seen(one, part) for part, several in zip(parts, found, strict=True) for one in several]


def _decide(seen: Sequence[_Seen], language: str) -> None:
    """Chooses for each name what it stands for: first where it is plain, then by what is beside it."""
    known: dict[str, float] = defaultdict(float)
    names = {one.mention.name for one in seen}
    is_belgian = names & {"Belgium", "Belgian", "Belgians"} or not names & {"European Union", "EU", "European Commission"}
    open_ones: list[tuple[_Seen, tuple[Candidate, ...]]] = []
    for one in seen:
        several = merged(one.mention.candidates)
        if one.mention.name in _SEATS and not is_belgian:
            one.meant = _SEATS[one.mention.name]
        elif one.mention.qualifier:
            one.meant = Candidate(Kind.TOWN, one.mention.qualifier, 1000)
        elif len(several) == 1 and not is_obscure(several[0]):
            one.meant = several[0]
        else:
            open_ones.append((one, several))
            continue
        if one.meant.kind is not Kind.GROUP:
            known[one.meant.code] += one.weight
            if "-" in one.meant.code:
                known[one.meant.country] += one.weight
    # What can be one thing only, and large towns, speak for their countries before the others are looked at.
    for one, several in sorted(open_ones, key=_certainty):
        best = max(several, key=lambda own: likely(own, known, language))
        if is_obscure(best) and not _is_credible(best, one.mention, known, language):
            continue
        one.meant = best
        if best.kind is not Kind.GROUP and (best.inhabitants >= 100 or best.kind is not Kind.TOWN or one.mention.cued):
            known[best.code] += one.weight
            known[best.country] += one.weight * ("-" in best.code)


def _certainty(both: tuple[_Seen, tuple[Candidate, ...]]) -> tuple[bool, int, int]:
    _, several = both
    return all(own.kind is not Kind.CAPITAL for own in several), len(several), -max(own.inhabitants for own in several)


_SEATS = {name: Candidate(Kind.GROUP, "150") for name in ("Brussels", "Strasbourg")}
"""Towns that stand for the European Union where it is spoken of."""


def _is_credible(own: Candidate, one: Mention, known: Mapping[str, float], language: str) -> bool:
    """Whether a town is known well enough, or something else in the text speaks for it."""
    if one.sure or known.get(own.code, 0) > 0:
        return True
    if known.get(own.country, 0) > 0 and (own.inhabitants >= 50 or " " in one.name or not own.inhabitants):
        return True
    is_only = len(one.candidates) == 1 or len({other.code for other in one.candidates}) == 1
    least = 100 if is_only or language != "en" else 400
    return own.inhabitants >= least or (one.cued and own.inhabitants >= 50)


def _beside(first: _Seen | None, second: _Seen | None) -> bool:
    """Whether two places of one country stand in a list, as in "Beijing, Shanghai and Shenzhen"."""
    if not (first and second and first.meant and second.meant and first.part == second.part):
        return False
    gap = second.mention.start - first.mention.end
    both = first.meant, second.meant
    is_of_one = first.meant.country == second.meant.country and first.meant.code != second.meant.code
    return gap <= len(", and ") and is_of_one and all("-" in one.code for one in both)


def _count(one: _Seen, tallies: dict[str, _Tally], *, is_listed: bool) -> None:
    assert one.meant
    meant, force = one.meant, one.mention.force
    if meant.kind is Kind.GROUP:
        tallies[meant.code].add(force, one)
        return
    tallies[meant.country].add(force, one)
    if "-" in meant.code:
        # A capital is called for its government more often than for itself.
        if meant.kind is Kind.CAPITAL and not is_listed:
            force *= DATELINE if one.mention.dateline else CAPITAL if one.mention.cued else CALLED
        tallies[meant.code].add(force, one)
