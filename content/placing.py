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
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from content.gazetteer import Candidate, Kind, Mention
from content.meanings import LANGUAGES, is_obscure, likely, merged
from content.regions import Region, region
from content.surroundings import mentions, words_of
from content.tallies import CALLED, CAPITAL, DATELINE, PART_WEIGHTS, Seen, Tally, Told, features, locality
from content.text import plain

if TYPE_CHECKING:
    from content.article import Article

THRESHOLD = 0.5
"""The score from which on a region is tagged."""

AREA_HALF, AREA_BESIDE = 3.5, 0.35
"""The weight of mentions that makes a score of a half for an area, and how much of the weight of the country named most comes
to it: news of one country names its alliances, too. Labelled texts have too few areas to fit more."""
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


def place(title: str, summary: str, body: str, language: str = "en") -> list[Placed]:
    """The regions that an article is about, best first: countries, then subdivisions, then areas.

    ``title`` and ``summary`` are plain text, ``body`` is clean HTML. What scores below :data:`THRESHOLD` is among them, so
    that an editor can see it.
    """
    told = tallied(title, summary, body, language)
    most = max((_weight(tally) for code, tally in told.tallies.items() if code.isalpha()), default=0.0)
    scores = {code: _area_score(tally, most) for code, tally in told.tallies.items() if code.isdigit()}
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


def tallied(title: str, summary: str, body: str, language: str) -> Told:
    """The names in an article, and what they say for each region."""
    paragraphs = [text for part in _PARAGRAPH_END.split(body) if (text := _words(part.replace("<p>", "")))]
    texts = [in_one_form(text) for text in (title, summary, *paragraphs)]
    words = words_of(texts)
    seen = _seen(texts, language, words)
    _decide(seen, language)
    tallies: dict[str, Tally] = defaultdict(Tally)
    for before, one, after in zip([None, *seen], seen, [*seen[1:], None], strict=False):
        if one.meant:
            _count(one, tallies, is_listed=_beside(before, one) or _beside(one, after))
    home = LANGUAGES.get(language.partition("-")[0], ())
    return Told(tallies, max(1, len(paragraphs)), locality(words), home)


def _words(part: str) -> str:
    """The plain words of a part of clean HTML; most have no markup within."""
    return plain(part) if "<" in part or "&" in part else " ".join(part.split())


def in_one_form(text: str) -> str:
    """A text as names are looked up in it: its accented letters in one form (NFC), without the hyphens that are not seen."""
    return text if text.isascii() else unicodedata.normalize("NFC", text).replace("\u00ad", "")


def _likelihood(facts: Mapping[str, float], weights: Mapping[str, float]) -> float:
    total = weights["bias"]
    for name, value in facts.items():
        if value:
            total += weights[name] * value
    return 1 / (1 + math.exp(-total))


def _area_score(tally: Tally, most: float) -> float:
    weight = _weight(tally)
    return weight / (weight + AREA_HALF + AREA_BESIDE * most)


def _weight(tally: Tally) -> float:
    return sum(force * PART_WEIGHTS.get(part, 1.0) for part, force in tally.parts.items())


def _strongest(tally: Tally) -> tuple[Evidence, ...]:
    strongest = sorted(tally.seen, key=lambda both: -both[0])[:6]
    return tuple(Evidence(one.mention.name, one.part, one.mention.start) for _, one in strongest)


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


def _seen(texts: Sequence[str], language: str, words: Set[str]) -> list[Seen]:
    parts = ["title", "summary", *(f"paragraph {number}" for number in range(1, len(texts) - 1))]
    found = mentions(texts, language, words)
    return [Seen(one, part) for part, several in zip(parts, found, strict=True) for one in several]


def _decide(seen: Sequence[Seen], language: str) -> None:
    """Chooses for each name what it stands for: first where it is plain, then by what is beside it."""
    known: dict[str, float] = defaultdict(float)
    names = {one.mention.name for one in seen}
    is_belgian = names & {"Belgium", "Belgian", "Belgians"} or not names & {"European Union", "EU", "European Commission"}
    open_ones: list[tuple[Seen, tuple[Candidate, ...]]] = []
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


def _certainty(both: tuple[Seen, tuple[Candidate, ...]]) -> tuple[bool, int, int]:
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


def _beside(first: Seen | None, second: Seen | None) -> bool:
    """Whether two places of one country stand in a list, as in "Beijing, Shanghai and Shenzhen"."""
    if not (first and second and first.meant and second.meant and first.part == second.part):
        return False
    gap = second.mention.start - first.mention.end
    both = first.meant, second.meant
    is_of_one = first.meant.country == second.meant.country and first.meant.code != second.meant.code
    return gap <= len(", and ") and is_of_one and all("-" in one.code for one in both)


def _count(one: Seen, tallies: dict[str, Tally], *, is_listed: bool) -> None:
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
