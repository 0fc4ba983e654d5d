"""Which places is an article about? Told from the names in its title, summary and text, with a score and the evidence."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from content.gazetteer import Candidate, Kind, Mention, mentions
from content.regions import Region, region
from content.text import plain

THRESHOLD = 1.0
"""The score from which on a region is tagged."""

COUNTRY_SCALE, SUBDIVISION_SCALE, GROUP_SCALE = 2.2, 1.75, 6.5
"""The weight of mentions that makes a score of 1, for each level."""
USUAL, LEAST, MOST, LATE = 10.0, 0.5, 1.0, 0.8
CAPITAL, DATELINE = 0.4, 0.3
"""What a capital says for the region that it lies in, where the words around it speak of a place, and as a dateline."""
SHARE = 0.17
"""A country that has less than this share of the weight of the first one is a passing mention."""

TITLE, SUMMARY, OPENING, SECOND = 3.0, 2.0, 2.0, 1.4
_OPENING = frozenset(["title", "summary", "paragraph 1"])
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
    weight: float
    meant: Candidate | None = None


@dataclass(slots=True)
class _Tally:
    weight: float = 0.0
    seen: list[tuple[float, Evidence]] = field(default_factory=list)
    opens: bool = False
    """Whether it is named in title, summary or first paragraph."""
    early: bool = False
    """Whether it is named there or in the second paragraph."""
    parts: dict[str, int] = field(default_factory=dict)

    def add(self, weight: float, one: _Seen) -> None:
        # The third mention in one paragraph says nothing new.
        times = self.parts.get(one.part, 0)
        self.parts[one.part] = times + 1
        weight /= 1 + times
        self.weight += weight
        self.opens |= one.part in _OPENING
        self.early |= one.part in _OPENING or one.part == "paragraph 2"
        self.seen.append((weight, Evidence(one.mention.name, one.part, one.mention.start)))


def place(title: str, summary: str, body: str, language: str = "en") -> list[Placed]:
    """The regions that an article is about, best first within countries, then subdivisions, then areas.

    ``title`` and ``summary`` are plain text, ``body`` is clean HTML. What scores below :data:`THRESHOLD` is among them, so
    that an editor can see it.
    """
    seen = _seen(title, summary, body, language)
    _decide(seen)
    tallies: dict[str, _Tally] = defaultdict(_Tally)
    for before, one, after in zip([None, *seen], seen, [*seen[1:], None], strict=False):
        if one.meant:
            _count(one, tallies, is_listed=_beside(before, one) or _beside(one, after))
    return _scored(tallies)


def chosen(placed: Iterable[Placed], threshold: float = THRESHOLD) -> tuple[Region, ...]:
    """The regions that score high enough to be tagged."""
    return tuple(one.region for one in placed if one.score >= threshold)


def explained(placed: Iterable[Placed], threshold: float = THRESHOLD) -> str:
    """The regions that would be tagged, each with its strongest evidence, in a line for an editor."""
    reasons = [
        f"{one.region.code} ({one.region.name}: {one.evidence[0].words!r} in the {one.evidence[0].part})"
        for one in placed
        if one.score >= threshold and one.evidence
    ]
    return ", ".join(reasons)


def _seen(title: str, summary: str, body: str, language: str) -> list[_Seen]:
    paragraphs = [text for part in _PARAGRAPH_END.split(body) if (text := plain(part))]
    parts = [("title", title, TITLE), ("summary", summary, SUMMARY)]
    for number, text in enumerate(paragraphs, start=1):
        parts.append((f"paragraph {number}", text, {1: OPENING, 2: SECOND}.get(number, 1.0)))
    found = mentions([text for _, text, _ in parts], language)
    return [
        _Seen(one, part, weight * one.force) for (part, _, weight), several in zip(parts, found, strict=True) for one in several
    ]


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
    meant, weight = one.meant, one.weight
    if meant.kind is Kind.GROUP:
        tallies[meant.code].add(weight, one)
        return
    factor = {Kind.DEMONYM: 0.85, Kind.SUBDIVISION: 0.9, Kind.TOWN: 0.85}.get(meant.kind, 1.0)
    tallies[meant.country].add(weight * factor, one)
    if "-" in meant.code:
        # A capital is called for its government more often than for itself.
        local = factor
        if meant.kind is Kind.CAPITAL and not is_listed:
            local = DATELINE if one.mention.dateline else CAPITAL if one.mention.cued else 0.1
        tallies[meant.code].add(weight * local, one)


def _scored(tallies: dict[str, _Tally]) -> list[Placed]:
    by_country = [tally.weight for code, tally in tallies.items() if code.isalpha()]
    # A long text with many names mentions more of them in passing; in a short one a single name may be all there is.
    plenty = min(MOST, max(LEAST, sum(by_country) / USUAL))
    first = max(by_country, default=1.0)
    found: list[tuple[int, Placed]] = []
    scores: dict[str, float] = {}
    for code, tally in sorted(tallies.items(), key=lambda both: len(both[0])):
        scale = GROUP_SCALE if code.isdigit() else SUBDIVISION_SCALE if "-" in code else COUNTRY_SCALE
        # Within a country that the text is about, a place is looked for less far up.
        early = tally.opens or ("-" in code and tally.early and scores.get(code[:2], 0) >= THRESHOLD)
        score = tally.weight / (scale * (plenty if early else max(plenty, LATE)))
        if code.isalpha():
            score = min(score, tally.weight / (first * SHARE))
        scores[code] = score
    for code, tally in tallies.items():
        score = scores[code]
        within = [own for other, own in scores.items() if other.startswith(f"{code}-") and tallies[other].opens]
        if code.isalpha():
            score = max([score, *within])
        elif "-" in code and score >= THRESHOLD > max([scores[code[:2]], *(scores[code] for _ in range(tally.opens))]):
            # A place is not certain where its country is not.
            score = scores[code[:2]]
        evidence = tuple(said for _, said in sorted(tally.seen, key=lambda both: -both[0])[:6])
        level = 2 if code.isdigit() else 1 if "-" in code else 0
        found.append((level, Placed(region(code), round(score, 2), evidence)))
    return [one for _, one in sorted(found, key=lambda both: (both[0], -both[1].score, both[1].region.code))]
