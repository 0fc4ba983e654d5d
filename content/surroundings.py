"""How much does the name of a place say where it stands? Told by the words around it: a person's name, a newspaper, a
company, a sea, a dish, a dateline, a preposition, "Paris, Texas".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass

from content import neighbours as beside
from content.gazetteer import Kind, Mention, find, names, ordinary, standing_for
from content.meanings import is_well_known, kinds_of

_WORD = re.compile(r"[^\W\d_]+")
_WORDS = re.compile(r"\w+")
_POSTAL = re.compile(r", ([A-Z]{2})\b")
_AFTER = re.compile(r"[ \u00a0]([\w'&-]+)")
_DATELINE = re.compile(r"\s*(?:[–—-]{1,2} |\()|, [\w. ]{2,25}?\s*(?:[–—]|--| - |\()")


def mentions(parts: Sequence[str], language: str = "en", words: Collection[str] | None = None) -> list[list[Mention]]:
    """The names of places in each part of one article, each with what it says there. Equal texts give equal mentions.

    ``words`` are those of all parts (:func:`words_of`), where they are known already.

    What a part says of a name holds in the others: who is a person, which of several towns it is.
    """
    texts = [text.replace("’", "'") for text in parts]
    cues = beside.PLACING | beside.CUES.get(language.partition("-")[0], frozenset())
    persons: set[str] = set()
    found = [_weighed(text, language, cues, persons) for text in texts]
    found = [[one for one in several if one.force > 0] for several in found]
    every = [one for several in found for one in several]
    if every:
        small = words_of(texts) if words is None else words
        qualified = {one.name: one.qualifier for one in every if one.qualifier}
        longer = _longer(every)
        for one in every:
            written_small = one.name.lower()
            if one.name in persons and not one.cued:
                one.force = 0
            elif not one.cued and written_small in small and written_small != one.name:
                # The bird, the porcelain; but who writes of the Polish may well polish something.
                one.force *= 0.5 if one.candidates[0].kind is Kind.DEMONYM else 0
            if not one.qualifier:
                one.qualifier = qualified.get(one.name) or longer.get(one.name, "")
    return [[one for one in several if one.force > 0] for several in found]


def words_of(texts: Sequence[str]) -> set[str]:
    """The words of a text, as they are written."""
    return set(_WORDS.findall("\n".join(texts)))


def _weighed(text: str, language: str, cues: Collection[str], persons: set[str]) -> list[Mention]:
    found = list(find(text, language))
    if found:
        spans = {one.start: one for one in found}
        never = beside.NEVER_IN.get(language.partition("-")[0], frozenset())
        around = _Around(text, spans, cues, persons, language[:2] != "de" and not _is_headline(text), never)
        for one in found:
            _weigh(one, around)
    return found


@dataclass(frozen=True, slots=True)
class _Around:
    """What a part's names stand in: its text, the other names by where they start, the words that speak of a place, the
    persons found so far; whether a capital letter makes a word a name there, as it does not in headlines and in German; and
    the names that are nouns in its language.
    """

    text: str
    spans: dict[int, Mention]
    cues: Collection[str]
    persons: set[str]
    says_names: bool
    never: Collection[str]


def _is_headline(text: str) -> bool:
    """Whether a short text has most of its words capitalised, and so says nothing by it."""
    if len(text) > HEADLINE or text.endswith("."):
        return False
    longer = [word for word in _WORD.findall(text) if len(word) > 3]
    return len(longer) > 2 and sum(word[0].isupper() for word in longer) > 0.7 * len(longer)


HEADLINE = 150
"""Characters that a headline may have."""


def _longer(every: Sequence[Mention]) -> dict[str, str]:
    """The codes of towns that are called in full somewhere (Santiago de Compostela), by their short names."""
    short = {one.name for one in every if " " not in one.name}
    found = {}
    for one in every:
        first, _, rest = one.name.partition(" ")
        if rest and first in short and len(one.candidates) == 1 and one.candidates[0].kind in (Kind.TOWN, Kind.CAPITAL):
            found[first] = one.candidates[0].code
    return found


def _weigh(one: Mention, around: _Around) -> None:
    """Reads what stands around a name."""
    text, kinds = around.text, kinds_of(one.candidates)
    before, after = text[max(0, one.start - 60) : one.start], text[one.end : one.end + 40]
    # What hangs on another word by a hyphen is a part of its name, unless it is well known.
    if one.name in beside.NEVER or one.name in around.never or (before.endswith("-") and kinds <= {Kind.TOWN}):
        one.force = 0
        return
    right = _AFTER.match(after)
    previous, following = _word_before(before), right[1] if right else ""
    one.dateline = one.start < 2 and _DATELINE.match(after) is not None
    one.sure = one.dateline or previous.lower() in beside.SURE or _is_civic(before, previous, after, following)
    one.cued = one.sure or previous.lower() in around.cues
    _narrow(one, around, kinds, after, following)
    if one.force and one.qualifier:
        one.cued = one.sure = True
        one.force *= 0.4 if beside.ASIDE.search(before) or _is_of_school(before) else 1.0
    elif one.force:
        _weigh_words(one, kinds, before, previous, after, following)
        if Kind.CAPITAL in kinds and one.cued and beside.GOVERNING.search(before):
            one.cued = False
        elif one.cued and beside.ASIDE.search(before):
            one.force *= 0.4
        if one.force and " " not in one.name:
            _tell_name(one, around, kinds, before, previous, following)


def _narrow(one: Mention, around: _Around, kinds: Set[Kind], after: str, following: str) -> None:
    """Leaves of a name's candidates those that what stands behind it allows; none is left of what is no place of the news."""
    if after.startswith(", ") and (behind := around.spans.get(one.end + 2)):
        one.qualifier = _qualifier(one, behind)
    elif after.startswith(", ") and (postal := _POSTAL.match(after)):
        one.qualifier = next((own.code for own in one.candidates if own.code == f"US-{postal[1]}"), "")
    if following in beside.OF_STATES and Kind.SUBDIVISION in kinds:
        # Niger state, Washington State, the province of that name: not the country, nor the capital.
        one.candidates = tuple(own for own in one.candidates if own.kind in (Kind.SUBDIVISION, Kind.TOWN))
    elif one.name in beside.COUNTRY_FIRST:
        one.candidates = tuple(own for own in one.candidates if own.kind is not Kind.SUBDIVISION)
    if Kind.NOTHING in kinds:
        # A company's name may be a town's as well (Orange); a sea is never one.
        is_company = any(own.code == "companies" for own in one.candidates)
        one.candidates = tuple(own for own in one.candidates if own.kind is not Kind.NOTHING)
        if not (is_company and one.candidates and (one.cued or one.qualifier)):
            one.force = 0


def _is_civic(before: str, previous: str, after: str, following: str) -> bool:
    """Whether the words around a name speak of a place's streets, council or people."""
    if following in beside.CIVIC:
        return True
    if after.startswith("'s ") and (word := _WORD.match(after, 3)):
        return word[0] in beside.CIVIC
    return previous == "of" and before[:-4].rpartition(" ")[2].lower() in beside.CIVIC_BEFORE


def _weigh_words(one: Mention, kinds: Set[Kind], before: str, previous: str, after: str, following: str) -> None:
    """Takes force from a name that is part of another: of a newspaper, a company, a sea, a university, a street."""
    if after.startswith("-") and (end := _WORD.match(after, 1)):
        usual = 1.0 if end[0] in beside.STRONG_ENDS or end[0][0].isupper() else 0.4
        one.force *= beside.WEAK_ENDS.get(end[0], usual)
    if (
        following in beside.MEDIA
        or following in beside.WATER
        or (previous in beside.JOINS and beside.BEHIND_WATER.search(before))
        or (Kind.DEMONYM in kinds and following in beside.FOOD)
    ):
        one.force = 0
    elif following in beside.COMPANY:
        one.force *= 0.2 if kinds & {Kind.COUNTRY, Kind.DEMONYM, Kind.SUBDIVISION} else 0
    elif following in beside.LEARNING or _is_of_school(before):
        one.force *= 0.3
    elif (
        previous in beside.JOINS
        and (bank := beside.BEHIND_BANK.search(before))
        and (bank[1] or "").strip() not in beside.SURE_BANKS
    ):
        one.force *= 0.2
    if following in beside.STREETS:
        one.force *= 0.2
    if one.name in beside.LANGUAGES:
        one.force *= 0.3


def _is_of_school(before: str) -> bool:
    # The words first, because the pattern takes ten times as long.
    return any(word in before for word in beside.SCHOOLS) and beside.BEHIND_LEARNING.search(before) is not None


def _tell_name(one: Mention, around: _Around, kinds: Set[Kind], before: str, previous: str, following: str) -> None:
    """Takes a name of one word for a person's, or for an ordinary word, when it looks like that."""
    given, small = ordinary()
    _tell_person(one, around, previous, following)
    if not one.force or kinds & {Kind.COUNTRY, Kind.DEMONYM, Kind.GROUP}:
        return
    is_known = is_well_known(one.candidates)
    if one.cued:
        # In San Basilio, from Van Ness: the place is called by both names, and is another.
        if not is_known and around.says_names and _is_name(following):
            one.force = 0
        return
    if one.name.lower() in small or (one.name in given and not is_known):
        one.force = 0
    elif not around.says_names:
        one.force *= is_known
    elif _is_strange(before, previous) or (not is_known and _is_name(following)):
        one.force = 0
        around.persons.add(one.name)


def _word_before(before: str) -> str:
    """The word that a blank parts from what comes behind; empty where a sign parts them, too."""
    if before[-1:] not in (" ", "\u00a0"):
        return ""
    word = before[:-1].rpartition(" ")[2].lstrip("(\"“'‘[—–")
    return "" if word[-1:] in ",;:!?)" else word


def _is_name(word: str) -> bool:
    """Whether a word is a name, and none of a place."""
    return word[:1].isupper() and word[1:].islower() and word.lower() not in ordinary()[1] and word not in names()


def _is_strange(before: str, previous: str) -> bool:
    """Whether the word before is a name of something else: then both are one name, as of a person."""
    is_first = not before[: -len(previous) - 1].strip() or before[: -len(previous) - 1].rstrip()[-1:] in '.!?:"“'
    return not is_first and not previous.endswith(".") and _is_name(previous)


def _tell_person(one: Mention, around: _Around, previous: str, following: str) -> None:
    """Takes a name for a person's when what stands beside it says so."""
    given, small = ordinary()
    if one.candidates and one.candidates[0].kind in (Kind.DEMONYM, Kind.GROUP):
        return
    is_titled = previous in beside.TITLES
    is_surname = previous in given and previous.lower() not in small
    is_initial = len(previous) == 2 and previous[0].isupper() and previous[1] == "."
    is_given = (
        one.name in given and around.says_names and following[:1].isupper() and following.lower() not in small
        and not is_well_known(standing_for(following)) and not one.cued
    )  # fmt: skip
    if is_titled or is_surname or is_initial or is_given:
        one.force = 0
        one.cued = False
        around.persons.add(one.name)


def _qualifier(one: Mention, behind: Mention) -> str:
    """The code among a name's candidates that lies in what is named behind it; empty when none does."""
    wider = {own.code for own in behind.candidates if own.kind in (Kind.COUNTRY, Kind.SUBDIVISION)}
    for own in one.candidates:
        if own.kind in (Kind.TOWN, Kind.CAPITAL, Kind.SUBDIVISION) and (own.code in wider or own.country in wider):
            return own.code
    # A town too small to be known is where it is said to be; so is one whose namesakes lie elsewhere.
    if all(own.kind is Kind.TOWN and own.inhabitants < 500 for own in one.candidates) and len(wider) == 1:
        return next(iter(wider))
    return ""
