"""Which places is an article about? Told from the names in its title, summary and text, with a score and the evidence.

The score is how likely a careful editor would tag the region: a logistic regression over where and how often it is named, and
how it compares with the others. Its weights (``data/place_weights.json``) are fitted to labelled texts by
``data/fit_places.py``.
"""

from __future__ import annotations

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from content.gazetteer import Candidate, Kind, Mention
from content.regions import Region, region
from content.surroundings import mentions
from content.text import plain

THRESHOLD = 0.5
"""The score from which on a region is tagged."""

AREA_HALF = 5.5
"""The weight of mentions that makes a score of a half for an area; labelled texts have too few to fit it."""
CAPITAL, DATELINE, CALLED = 0.6, 0.35, 0.1
"""What a capital says for the region that it lies in: where the words around it speak of a place, as a dateline, and else."""

_FIRST = ("title", "summary", "paragraph 1", "paragraph 2")
_AREA_WEIGHTS = {"title": 3.0, "summary": 2.0, "paragraph 1": 2.0, "paragraph 2": 1.4}
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
    cued: float = 0.0
    own: float = 0.0
    """The force of names other than that of a capital, which may be its government."""
    evidence: list[tuple[float, Evidence]] = field(default_factory=list)

    @property
    def total(self) -> float:
        return sum(self.parts.values())

    def add(self, force: float, one: _Seen) -> None:
        assert one.meant
        self.parts[one.part] = min(1.5, self.parts.get(one.part, 0.0) + force)
        self.kinds.add(one.meant.kind)
        said = Evidence(one.mention.name, one.part, one.mention.start)
        self.evidence.append((force * _AREA_WEIGHTS.get(one.part, 1.0), said))


def place(title: str, summary: str, body: str, language: str = "en") -> list[Placed]:
    """The regions that an article is about, best first: countries, then subdivisions, then areas.

    ``title`` and ``summary`` are plain text, ``body`` is clean HTML. What scores below :data:`THRESHOLD` is among them, so
    that an editor can see it.
    """
    seen, tallies = tallied(title, summary, body, language)
    paragraphs = len({one.part for one in seen}) + 1
    paragraphs = max(paragraphs, body.count("</p>"))
    scores = {code: _area_score(tally) for code, tally in tallies.items() if code.isdigit()}
    for code, facts in features(tallies, paragraphs).items():
        scores[code] = _likelihood(facts, _weights()["subdivision" if "-" in code else "country"])
    for code in [code for code in scores if "-" in code]:
        # No place is more certain than the country that it lies in.
        scores[code] = min(scores[code], scores[code[:2]])
    found = [
        Placed(region(code), round(score, 2), _strongest(tallies[code]))
        for code, score in sorted(scores.items(), key=lambda both: (both[0].isdigit(), "-" in both[0], -both[1], both[0]))
    ]
    return found


def tallied(title: str, summary: str, body: str, language: str) -> tuple[list[_Seen], dict[str, _Tally]]:
    """The names in an article, and what they say for each region, by its code."""
    seen = _seen(title, summary, body, language)
    _decide(seen)
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    for before, one, after in zip([None, *seen], seen, [*seen[1:], None], strict=False):
        if one.meant:
            _count(one, tallies, is_listed=_beside(before, one) or _beside(one, after))
    return seen, tallies


def features(tallies: Mapping[str, _Tally], paragraphs: int) -> dict[str, dict[str, float]]:
    """What the weights are for, by the codes of the countries and subdivisions that a text of so many paragraphs names."""
    totals = {code: tally.total for code, tally in tallies.items() if not code.isdigit()}
    countries = [total for code, total in totals.items() if "-" not in code]
    everything, first = sum(countries) or 1.0, max(countries, default=1.0) or 1.0
    found = {}
    for code, total in totals.items():
        tally = tallies[code]
        title, summary, opening, second = (min(1.0, tally.parts.get(part, 0.0)) for part in _FIRST)
        later = sum(force for part, force in tally.parts.items() if part not in _FIRST)
        facts = {
            "title": title, "summary": summary, "opening": opening, "second": second, "later": math.log1p(later),
            "spread": later / paragraphs, "share": total / everything, "of first": total / first,
            "opens": float(bool(title or summary or opening)), "length": math.log(paragraphs), "named": math.log1p(everything),
        }  # fmt: skip
        if "-" in code:
            around = totals[code[:2]] or 1.0
            others = [one for other, one in totals.items() if other[:3] == code[:3] and other != code]
            facts |= {
                "of country": total / around, "capital only": float(not tally.own), "cued": min(1.0, tally.cued),
                "others": max(others, default=0.0) / around, "country of first": around / first,
                "capital": float(Kind.CAPITAL in tally.kinds),
            }  # fmt: skip
        else:
            facts |= {
                "people only": float(tally.kinds <= {Kind.DEMONYM}), "towns only": float(tally.kinds <= {Kind.TOWN}),
                "capital only": float(tally.kinds <= {Kind.CAPITAL}), "is first": float(total == first),
                "alone": 1 / len(countries),
            }  # fmt: skip
        found[code] = facts
    return found


def _likelihood(facts: Mapping[str, float], weights: Mapping[str, float]) -> float:
    return 1 / (1 + math.exp(-(weights["bias"] + sum(weights[name] * value for name, value in facts.items()))))


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


def _seen(title: str, summary: str, body: str, language: str) -> list[_Seen]:
    paragraphs = [text for part in _PARAGRAPH_END.split(body) if (text := plain(part))]
    parts = ["title", "summary", *(f"paragraph {number}" for number in range(1, len(paragraphs) + 1))]
    found = mentions([title, summary, *paragraphs], language)
    return [_Seen(one, part) for part, several in zip(parts, found, strict=True) for one in several]


def _decide(seen: Sequence[_Seen]) -> None:
    """Chooses for each name what it stands for: first where it is plain, then by what is beside it."""
    known: dict[str, float] = defaultdict(float)
    names = {one.mention.name for one in seen}
    is_belgian = names & {"Belgium", "Belgian", "Belgians"} or not names & {"European Union", "EU", "European Commission"}
    open_ones: list[tuple[_Seen, list[Candidate]]] = []
    for one in seen:
        merged = _merged(one.mention)
        if one.mention.name in _SEATS and not is_belgian:
            one.meant = _SEATS[one.mention.name]
        elif one.mention.qualifier:
            one.meant = Candidate(Kind.TOWN, one.mention.qualifier, 1000)
        elif len(merged) == 1 and not _is_obscure(merged[0]):
            one.meant = merged[0]
        else:
            open_ones.append((one, merged))
            continue
        if one.meant.kind is not Kind.GROUP:
            known[one.meant.code] += one.weight
            if "-" in one.meant.code:
                known[one.meant.country] += one.weight
    # What can be one thing only, and large towns, speak for their countries before the others are looked at.
    for one, merged in sorted(open_ones, key=_certainty):
        best = max(merged, key=lambda own: _likely(own, known))
        if _is_obscure(best) and not _is_credible(best, one.mention, known):
            continue
        one.meant = best
        if best.kind is not Kind.GROUP and (best.inhabitants >= 100 or best.kind is not Kind.TOWN):
            known[best.code] += one.weight
            known[best.country] += one.weight * ("-" in best.code)


def _certainty(both: tuple[_Seen, list[Candidate]]) -> tuple[bool, int, int]:
    _, merged = both
    return all(own.kind is not Kind.CAPITAL for own in merged), len(merged), -max(own.inhabitants for own in merged)


def _merged(one: Mention) -> list[Candidate]:
    """The candidates of a name, without those that lie within another of them: Mexico, Luxembourg, Beijing."""
    countries = {own.code for own in one.candidates if own.kind in (Kind.COUNTRY, Kind.DEMONYM)}
    capitals = {own.code for own in one.candidates if own.kind is Kind.CAPITAL}
    kept: dict[str, Candidate] = {}
    for own in one.candidates:
        if own.kind not in (Kind.COUNTRY, Kind.DEMONYM) and own.country in countries:
            continue
        if own.kind is Kind.SUBDIVISION and own.code in capitals:
            continue
        kept.setdefault(own.code, own)
    return list(kept.values())


def _likely(own: Candidate, known: dict[str, float]) -> float:
    prior = _PRIOR[own.kind] + (own.kind is Kind.SUBDIVISION and own.country in _FEDERATIONS) * 1.2
    if own.kind in (Kind.TOWN, Kind.CAPITAL):
        prior += math.log10(own.inhabitants + 1)
    within = 3.0 * min(1.0, known.get(own.code, 0.0)) if "-" in own.code else 0.0
    return prior + within + 2.0 * min(1.5, known.get(own.country, 0.0)) + _RARE.get(own.code, 0.0)


_SEATS = {name: Candidate(Kind.GROUP, "150") for name in ("Brussels", "Strasbourg")}
"""Towns that stand for the European Union where it is spoken of."""

_PRIOR = {
    Kind.COUNTRY: 6.0, Kind.DEMONYM: 6.0, Kind.GROUP: 6.0, Kind.SUBDIVISION: 3.0, Kind.CAPITAL: 5.0, Kind.TOWN: 0.5,
}  # fmt: skip
_FEDERATIONS = frozenset("US CA AU IN CN BR DE MX NG ES IT FR JP GB AR RU CH AT MY PK ZA".split())
"""Countries whose subdivisions are known to readers elsewhere."""

# Of two countries that share a name or an adjective, the one that news means less often.
_RARE = {"CG": -1.0, "DM": -1.0, "GW": -1.0, "GQ": -1.0, "KP": -1.0, "AS": -1.0}


def _is_obscure(own: Candidate) -> bool:
    return own.kind is Kind.TOWN or (own.kind is Kind.SUBDIVISION and own.country not in _FEDERATIONS)


def _is_credible(own: Candidate, one: Mention, known: dict[str, float]) -> bool:
    """Whether a town is known well enough, or something else in the text speaks for its country."""
    if known.get(own.code, 0) > 0 or known.get(own.country, 0) > 0:
        return own.inhabitants >= 50 or one.cued or " " in one.name or known.get(own.code, 0) > 0 or not own.inhabitants
    return own.inhabitants >= 400 or (one.cued and (own.inhabitants >= 120 or own.kind is Kind.SUBDIVISION))


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
        tally = tallies[meant.code]
        tally.cued += one.mention.cued * force
        # A capital is called for its government more often than for itself.
        if meant.kind is Kind.CAPITAL and not is_listed:
            force *= DATELINE if one.mention.dateline else CAPITAL if one.mention.cued else CALLED
        else:
            tally.own += force
        tally.add(force, one)
