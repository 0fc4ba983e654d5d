"""Where does a text name places, and which could they be? The names stand in ``data/places.tsv``.

A name is found in the longest form that is there, as whole words, in the letter case of names (or all in capitals). How much a
name says where it stands is told in :mod:`content.surroundings`; which places the whole is about, in :mod:`content.placing`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, lru_cache
from pathlib import Path

from content.regions import fold, territories


class Kind(StrEnum):
    """What a name may be the name of."""

    COUNTRY = "C"
    DEMONYM = "D"
    SUBDIVISION = "S"
    TOWN = "T"
    CAPITAL = "A"
    """A town that news also calls the government of its country by."""
    GROUP = "G"
    NOTHING = "N"
    """A newspaper, a company, a sea, a dish: the place in its name is none of the news."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a name may stand for: a region of ISO 3166 or M49; ``inhabitants`` in thousands for
    towns and subdivisions called like one, else 0."""

    kind: Kind
    code: str
    inhabitants: int = 0
    country: str = field(init=False, compare=False, repr=False)
    """The code of the country that it is or lies in; an area's own."""

    def __post_init__(self) -> None:
        # Kept, because it is asked for more often than anything else.
        object.__setattr__(self, "country", self.code.partition("-")[0])


@dataclass(slots=True)
class Mention:
    """A name in a text, from ``start`` to ``end`` (characters), and what it may stand for.

    ``force`` is what it says for its place: 1 is a plain mention, 0 none. ``cued`` tells that the words around it speak of a
    place ("in", "near"), ``qualifier`` is the code of the region that is named right behind it ("Paris, Texas"), and a
    ``dateline`` says where the reporter was; ``sure`` that the words around it can hardly speak of anything but a place.
    """

    name: str
    start: int
    end: int
    candidates: tuple[Candidate, ...]
    force: float = 1.0
    cued: bool = False
    qualifier: str = ""
    dateline: bool = False
    sure: bool = False


def names(language: str = "en") -> dict[str, list[tuple[str, str]]]:
    """Names and what they may stand for, by their first words, longest first.

    Those of ``places.tsv``, and those that countries have in ``language`` (BCP 47).
    """
    return _english() if language.partition("-")[0] == "en" else _with_foreign(language)


@cache
def _english() -> dict[str, list[tuple[str, str]]]:
    return _by_first_word(_rows())


def _rows() -> Iterator[tuple[str, str]]:
    text = Path(__file__).with_name("data").joinpath("places.tsv").read_text("utf-8")
    for line in text.splitlines():
        name, _, said = line.partition("\t")
        yield name, said


@lru_cache(maxsize=8)
def _with_foreign(language: str) -> dict[str, list[tuple[str, str]]]:
    """The names of ``places.tsv`` with those that CLDR has for countries in a language, which go first."""
    foreign = _by_first_word(_foreign(language))
    return _english() | {first: foreign[first] + _english().get(first, []) for first in foreign}


def _foreign(language: str) -> list[tuple[str, str]]:
    return [
        (name, f"{Kind.COUNTRY}:{code}")
        for code, name in territories(language).items()
        if len(code) == 2 and code.isalpha() and code not in ("EU", "EZ", "UN", "QO", "XA", "XB", "ZZ")
    ]


def _by_first_word(rows: Iterable[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for row in rows:
        first = row[0].partition(" ")[0]
        if not first.isalpha():
            match = _WORD.match(first)
            if not match:
                continue
            first = match[0]
        found[first].append(row)
    for several in found.values():
        if len(several) > 1:
            several.sort(key=lambda one: -len(one[0]))
    return dict(found)


@cache
def _candidates(said: str) -> tuple[Candidate, ...]:
    found = []
    for one in said.split("|"):
        kind, code, *inhabitants = one.split(":")
        found.append(Candidate(Kind(kind), code, int(inhabitants[0]) if inhabitants else 0))
    return tuple(found)


@cache
def ordinary() -> tuple[frozenset[str], frozenset[str]]:
    """Given names, and words that are written in small letters."""
    given, words = Path(__file__).with_name("data").joinpath("ordinary_words.txt").read_text("utf-8").splitlines()
    return frozenset(given.split()), frozenset(words.split())


MANY = 6
"""Names with one first word, from which on a regular expression finds the longest faster."""

_WORD = re.compile(r"[^\W\d_]+")
_LOUD = re.compile(r"\b[A-ZÀ-ÖØ-Þ]{4,}\b")


@lru_cache(maxsize=4096)
def standing_for(word: str) -> tuple[Candidate, ...]:
    """What a name of one word, as it is written, may stand for."""
    said = next((said for name, said in names().get(word, ()) if name == word), "")
    return _candidates(said) if said else ()


def called(folded: str) -> tuple[Candidate, ...]:
    """What a name may be the name of, given without letter case and accents (:func:`content.regions.fold`)."""
    found = (own for said in _by_folded(folded.isascii()).get(folded, ()) for own in _candidates(said))
    return tuple(dict.fromkeys(own for own in found if own.kind not in (Kind.DEMONYM, Kind.NOTHING)))


@cache
def _by_folded(is_ascii: bool) -> dict[str, list[str]]:
    """What names may stand for. Those with accents stand in the table without them, too, and are folded only for others."""
    found: dict[str, list[str]] = defaultdict(list)
    for name, said in _rows():
        if name.isascii() == is_ascii:
            found[name.lower() if is_ascii and name.isalpha() else fold(name)].append(said)
    return found


def find(text: str, language: str = "en") -> Iterator[Mention]:
    """The names of places in a piece of text (with plain apostrophes), in their order; none overlaps another.

    Countries are known by their names in ``language`` (BCP 47), too.
    """
    if language.partition("-")[0] in UNSPACED:
        yield from _within(text, language)
        return
    known, loud, end = names(language), "", 0
    for word in _starts(text.isascii()).finditer(text):
        start, first = word.start(), word[0]
        if start < end or (start and text[start - 1] in "@#/_."):
            continue
        hit = _standing(several, first, language, text, start) if (several := known.get(first)) else None
        if hit is None and first.isupper() and len(first) > 3 and (several := _english().get(first.capitalize())):
            loud = loud or _LOUD.sub(lambda found: found[0].capitalize(), text)
            hit = _standing(several, first.capitalize(), "en", loud, start)
        if hit:
            end = start + len(hit[0])
            yield Mention(hit[0], start, end, _candidates(hit[1]))


UNSPACED = frozenset({"zh", "ja", "th", "lo", "km", "my"})
"""Languages that part words by no blank: the names of countries are found within what stands between two signs."""


def _within(text: str, language: str) -> Iterator[Mention]:
    """The names of countries in a text without blanks, and what is written in capitals there, as in other texts."""
    pattern, said = _unspaced(language)
    found = [Mention(hit[0], hit.start(), hit.end(), _candidates(said[hit[0]])) for hit in pattern.finditer(text)]
    yield from sorted([*found, *find(text)], key=lambda one: one.start)


@cache
def _unspaced(language: str) -> tuple[re.Pattern[str], dict[str, str]]:
    """Matches the names of countries in a language, those in katakana only where no more of it follows; and what they mean."""
    said = {name: meaning for name, meaning in _foreign(language) if not name.isascii()}
    names_of = "|".join(re.escape(name) for name in sorted(said, key=len, reverse=True))
    return re.compile(rf"(?<![ァ-ヶー])(?:{names_of})(?![ァ-ヶー])" if said else r"(?!)"), said


def _standing(several: Sequence[tuple[str, str]], first: str, language: str, text: str, start: int) -> tuple[str, str] | None:
    """The longest name beginning with the word ``first`` that stands in a text as whole words, and what it may stand for."""
    if len(several) > MANY:
        pattern, by_name = _longest(first, language)
        found = pattern.match(text, start)
        return by_name[found[0]] if found else None
    for one in several:
        if text.startswith(one[0], start):
            behind = text[start + len(one[0]) : start + len(one[0]) + 1]
            if not (behind.isalnum() or behind == "_"):
                return one
    return None


@lru_cache(maxsize=4096)
def _longest(first: str, language: str) -> tuple[re.Pattern[str], dict[str, tuple[str, str]]]:
    """Matches the longest of many names with one first word; and what each of them may stand for."""
    several = names(language)[first]
    # What is known by a name first goes before what has it, too.
    by_name = {one[0]: one for one in reversed(several)}
    return re.compile(rf"(?:{'|'.join(re.escape(name) for name, _ in several)})(?!\w)"), by_name


@cache
def _starts(is_ascii: bool) -> re.Pattern[str]:
    """Matches the words that may begin a name: those with a capital, or in a script that has none, and a few more."""
    small = "|".join(sorted(word for word in names() if word[0].islower() and word.isascii()))
    if is_ascii:
        return re.compile(rf"(?<![A-Za-z])(?:[A-Z][A-Za-z]*|(?:{small})\b)")
    return re.compile(rf"(?<![^\W\d_])(?:[^\W\d_a-zß-öø-ÿ][^\W\d_]*|(?:{small})\b)")
