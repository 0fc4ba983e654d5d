"""How much does the name of a place say where it stands? Told by the words around it: a person's name, a newspaper, a
company, a sea, a dish, a dateline, a preposition, "Paris, Texas".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from content.gazetteer import Kind, Mention, find, names, ordinary

_WORD = re.compile(r"[^\W\d_]+")
_POSTAL = re.compile(r", ([A-Z]{2})\b")
_AFTER = re.compile(r"[ \u00a0]([\w'&-]+)")
_DATELINE = re.compile(r"\s*(?:[–—-]{1,2} |\()|, [\w. ]{2,25}?\s*(?:[–—]|--| - |\()")

_PLACING = frozenset(
    "in at near from to around outside across inside within through toward towards into off between via throughout downtown "
    "central greater north south east west northern southern eastern western northeastern northwestern southeastern "
    "southwestern northeast northwest southeast southwest rural coastal mainland upstate suburban metropolitan inner".split()
)
_CUES = {
    "de": frozenset("in im bei aus nach von um nahe".split()),
    "fr": frozenset("à en dans au aux de du".split()),
    "es": frozenset("en de desde hasta a".split()),
    "it": frozenset("a in da di nel nella".split()),
    "pt": frozenset("em no na de do da".split()),
    "nl": frozenset("in te uit bij van".split()),
}
"""Words that speak of a place in other languages."""
_NEVER = frozenset(
    "North South East West Northern Southern Eastern Western Central Centre Center Northeast Northwest Southeast Southwest "
    "Upper Lower March May August Bay Delta Union Islands Island Coast River Capital Metro District Region Province State "
    "Norte Sur Sul Nord Sud Est Ouest Centro Nova Ville Most Male Of Sale Ball Deal".split()
)
"""Words that are names of subdivisions or towns, and hardly ever meant so."""
_LANGUAGES = frozenset(["English"])
"""Adjectives that speak of a language more often than of a place."""
_STREETS = frozenset(
    "Street Road Row Avenue Lane Drive Boulevard Hotel House Hall Square Bridge Shoal Reef Court Club Prize Award Medal".split()
)
_MEDIA = frozenset(
    "Times Post Daily Herald Tribune Globe Journal Gazette Chronicle Mail Sun Star Guardian Telegraph Observer Standard News "
    "Today Review Mirror Express Examiner Courier Mercury Age Bulletin Register Sentinel Argus Echo Inquirer Dispatch".split()
)
_COMPANY = frozenset(
    "Airlines Airways Air Bank Mobile Telecom Telecoms Telekom Motors Motor Electric Steel Petroleum Insurance Tobacco Tower "
    "Towers Group Corp Corporation Inc Ltd Limited plc PLC Holdings Holding Capital Partners Life Pharmaceuticals Securities "
    "Technologies Systems Labs Ventures Investments AG SE SA NV GmbH Bancorp Breweries Cement Re Unicom Wireless Cellular "
    "Telecommunications Mutual Pizza Foods Business Satellite".split()
)
_LEARNING = frozenset("University College Institute Polytechnic Academy School".split())
_WATER = frozenset("Sea Ocean Channel Strait Straits River Gulf Canal Current Trench Plate Ridge Basin Slope".split())
_FOOD = frozenset(
    "food cuisine restaurant restaurants wine wines cheese chocolate whisky whiskey beer coffee tea pastry pastries toast "
    "fries salad sausage rice noodles dishes literature lessons class classes language-learning accent proverb poetry "
    "subtitles translation grammar dictionary".split()
)
_TITLES = frozenset(
    "Mr Mr. Mrs Mrs. Ms Ms. Dr Dr. Prof Prof. Professor Sir Lady Lord Dame Judge Justice Sen. Rep. Gov. Capt. Captain Coach "
    "Sgt. Lt. Col. Gen. Inspector Detective Miss Señor Madame Herr Frau".split()
)
_SURE_BANKS = frozenset("Central Reserve National State Federal".split())
_STRONG_ENDS = frozenset("wide led backed funded run owned born-and-bred controlled occupied".split())
_WEAK_ENDS = {
    "born": 0.0, "style": 0.0, "language": 0.0, "speaking": 0.0, "American": 0.0, "Americans": 0.0, "educated": 0.0,
    "trained": 0.0, "inspired": 0.0, "themed": 0.0, "listed": 0.2, "based": 0.4, "registered": 0.3, "made": 0.5,
}  # fmt: skip
_JOINS = frozenset(
    "of the at de do Sea Gulf Strait Straits Bay Lake River Port Isthmus Mount Bank Banco Banque Radio Voice Club Duke Duchess "
    "Earl Prince Princess Air".split()
)
"""The last word of each of these:"""
_BEHIND_WATER = re.compile(r"\b(?:Sea|Gulf|Strait|Straits|Bay|Lake|River|Port|Isthmus|Mount) (?:of )?(?:the )?$")
_BEHIND_LEARNING = re.compile(
    r"\b(?:University|College|Institute|School|Universidad|Université)(?: \w+)? (?:of|at|de) (?:the )?$"
)
_BEHIND_BANK = re.compile(
    r"(\w+ )?\b(?:Bank|Banco|Banque|Radio|Voice|Club|Duke|Duchess|Earl|Prince|Princess|Air) (?:of |de |do )?$"
)


def mentions(parts: Sequence[str], language: str = "en") -> list[list[Mention]]:
    """The names of places in each part of one article, each with what it says there. Equal texts give equal mentions.

    What a part says of a name holds in the others: who is a person, which of several towns it is.
    """
    texts = [text.replace("’", "'") for text in parts]
    cues = _PLACING | _CUES.get(language.partition("-")[0], frozenset())
    persons: set[str] = set()
    found = [_weighed(text, language, cues, persons) for text in texts]
    found = [[one for one in several if one.force > 0] for several in found]
    every = [one for several in found for one in several]
    if every:
        small = _small({one.name for one in every if not one.cued}, "\n".join(texts))
        qualified = {one.name: one.qualifier for one in every if one.qualifier}
        longer = _longer(every)
        for one in every:
            is_single = " " not in one.name
            if one.name in persons and not one.cued:
                one.force = 0
            elif is_single and not one.cued and one.name in small:
                # The bird, the porcelain; but who writes of the Polish may well polish something.
                one.force *= 0.5 if one.candidates[0].kind is Kind.DEMONYM else 0
            if not one.qualifier:
                one.qualifier = qualified.get(one.name) or longer.get(one.name, "")
    return [[one for one in several if one.force > 0] for several in found]


def _small(named: Collection[str], text: str) -> set[str]:
    """Those of the names that a text has as ordinary words, too, in small letters."""
    likely = [name for name in named if " " not in name and name.lower() in text]
    return {name for name in likely if re.search(rf"\b{re.escape(name.lower())}\b", text)}


def _weighed(text: str, language: str, cues: Collection[str], persons: set[str]) -> list[Mention]:
    found = list(find(text, language))
    spans = {one.start: one for one in found}
    for one in found:
        _weigh(one, text, spans, cues, persons)
    return found


def _longer(every: Sequence[Mention]) -> dict[str, str]:
    """The codes of towns that are called in full somewhere (Santiago de Compostela), by their short names."""
    short = {one.name for one in every if " " not in one.name}
    found = {}
    for one in every:
        first, _, rest = one.name.partition(" ")
        if rest and first in short and len(one.candidates) == 1 and one.candidates[0].kind in (Kind.TOWN, Kind.CAPITAL):
            found[first] = one.candidates[0].code
    return found


def _weigh(one: Mention, text: str, spans: dict[int, Mention], cues: Collection[str], persons: set[str]) -> None:
    """Reads what stands around a name."""
    given, small = ordinary()
    before, after = text[max(0, one.start - 40) : one.start], text[one.end : one.end + 40]
    right = _AFTER.match(after)
    previous, following = _word_before(before), right[1] if right else ""
    is_single = " " not in one.name
    kinds = {candidate.kind for candidate in one.candidates}
    if one.name in _NEVER:
        one.force = 0
        return
    one.dateline = one.start < 2 and _DATELINE.match(after) is not None
    one.cued = previous.lower() in cues or one.dateline
    if after.startswith(", ") and (behind := spans.get(one.end + 2)):
        one.qualifier = _qualifier(one, behind)
    elif after.startswith(", ") and (postal := _POSTAL.match(after)):
        one.qualifier = next((own.code for own in one.candidates if own.code == f"US-{postal[1]}"), "")
    if Kind.NOTHING in kinds:
        # A company's name may be a town's as well (Orange); a sea is never one.
        is_company = any(own.code == "companies" for own in one.candidates)
        one.candidates = tuple(own for own in one.candidates if own.kind is not Kind.NOTHING)
        if not (is_company and one.candidates and (one.cued or one.qualifier)):
            one.force = 0
            return
    if one.qualifier:
        one.cued = True
        return
    if after.startswith("-"):
        end = _WORD.match(after, 1)
        one.force *= _WEAK_ENDS.get(end[0], 1.0 if end[0] in _STRONG_ENDS or end[0][0].isupper() else 0.4) if end else 1.0
    if (
        following in _MEDIA
        or following in _WATER
        or (previous in _JOINS and _BEHIND_WATER.search(before))
        or (Kind.DEMONYM in kinds and following in _FOOD)
    ):
        one.force = 0
    elif following in _COMPANY:
        one.force *= 0.2 if kinds & {Kind.COUNTRY, Kind.DEMONYM, Kind.SUBDIVISION} else 0
    elif following in _LEARNING or (previous in _JOINS and _BEHIND_LEARNING.search(before)):
        one.force *= 0.3
    elif previous in _JOINS and (bank := _BEHIND_BANK.search(before)) and (bank[1] or "").strip() not in _SURE_BANKS:
        one.force *= 0.2
    if is_single and one.force:
        _tell_person(one, before, previous, following, persons)
    if following in _STREETS:
        one.force *= 0.2
    if one.name in _LANGUAGES:
        one.force *= 0.3
    if not (is_single and one.force) or kinds & {Kind.COUNTRY, Kind.DEMONYM, Kind.GROUP} or one.cued:
        return
    if one.name.lower() in small or (Kind.TOWN in kinds and one.name in given):
        one.force = 0
    elif _is_strange(before, previous) or (kinds == {Kind.TOWN} and _is_name(following)):
        one.force = 0
        persons.add(one.name)


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
    return not is_first and _is_name(previous)


def _tell_person(one: Mention, before: str, previous: str, following: str, persons: set[str]) -> None:
    """Takes a name for a person's when what stands beside it says so."""
    given, small = ordinary()
    if one.candidates and one.candidates[0].kind in (Kind.DEMONYM, Kind.GROUP):
        return
    is_titled = previous in _TITLES
    is_surname = previous in given and previous.lower() not in small
    is_initial = len(previous) == 2 and previous[0].isupper() and previous[1] == "."
    is_given = (
        one.name in given and following[:1].isupper() and following.lower() not in small
        and not names().get(following) and not one.cued
    )  # fmt: skip
    if is_titled or is_surname or is_initial or is_given:
        one.force = 0
        one.cued = False
        persons.add(one.name)


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
