"""How much does the name of a place say where it stands? Told by the words around it: a person's name, a newspaper, a
company, a sea, a dish, a dateline, a preposition, "Paris, Texas".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence, Set
from dataclasses import dataclass

from content.gazetteer import Kind, Mention, find, names, ordinary, standing_for
from content.meanings import is_well_known

_WORD = re.compile(r"[^\W\d_]+")
_WORDS = re.compile(r"\w+")
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
    "Norte Sur Sul Nord Sud Est Ouest Centro Nova Ville Most Male Of Sale Ball Deal San Santa Van University Banco "
    "Commerce Street Enterprise Industry Liberty Hope Progress Justice Energy Defense Treasury Interior El_Banco".split()
)
"""Words that are names of subdivisions or towns, and hardly ever meant so."""
_NEVER_IN = {
    "de": frozenset("Zug Essen Hof Halle Rat Gang Stade Brand Lage Bau Aue Uri Weiden".split()),
    "es": frozenset(["El Banco", "La Unión"]),
}
"""Nouns of languages that are towns, too."""
_LANGUAGES = frozenset(["English"])
"""Adjectives that speak of a language more often than of a place."""
_CIVIC = frozenset(
    "City Council Council's Municipality Municipal Prefecture Prefecture's Province County Borough Metropolitan Regional "
    "Sheriff Magistrates Crown Airport City's County's Province's "
    "mayor mayors council councillors governor police residents streets airport harbour harbor port province prefecture "
    "county district region suburb suburbs metro tram town city courts courthouse municipality".split()
)
"""Words that speak of the place whose name stands before them, with or without a possessive."""
_CIVIC_BEFORE = frozenset(
    "city cities town towns village port state province county district municipality mayor council governor people residents "
    "outskirts suburb suburbs suburban centre center streets island north south east west capital part parts region "
    "prefecture metropolis hills waters".split()
)
"""What stands before "of" and the name of a place."""
_SURE = frozenset("in near at outside across throughout downtown around central inner à bei près em cerca".split())
_COUNTRY_FIRST = frozenset(["Niger"])
"""Countries whose namesake in another is always called a state."""
_OF_STATES = frozenset("state State province Province governor".split())
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
    r"\b(?:University|College|Institute|School|Universidad|Université)(?: \w+)? (?:of|at|de) (?:the )?"
    r"(?:[A-Z]\w+(?: [A-Z]\w+)?(?:,| at| in|) )?$"
)
"""Before the name of a university, or of the town that parts it from its sisters: University of California, Berkeley."""
_BEHIND_BANK = re.compile(
    r"(\w+ )?\b(?:Bank|Banco|Banque|Radio|Voice|Club|Duke|Duchess|Earl|Prince|Princess|Air) (?:of |de |do )?$"
)


_ASIDE = re.compile(
    r"\b(?:analysts?|economists?|professors?|researchers?|consultan\w+|think[ -]tank|lawyers?|traders?|brokers?|scientists?"
    r"|headquartered|based|born|educated|listed|trained)(?: \w+){0,4} (?:in|at|from|near) (?:the )?$"
)
"""Who speaks of the news need not be where it is."""
_GOVERNING = re.compile(
    r"\b(?:[Oo]fficials|[Mm]inisters?|[Gg]overnments?|[Ll]eaders|[Dd]iplomats|[Aa]uthorities|[Ll]awmakers|[Pp]olicymakers"
    r"|[Rr]egulators?|[Ee]nvoys?|[Ee]mbass(?:y|ies)|[Pp]arliament|[Nn]egotiators) (?:in|from) $"
)
"""Before the name of a capital that stands for its government."""


def mentions(parts: Sequence[str], language: str = "en", words: Collection[str] | None = None) -> list[list[Mention]]:
    """The names of places in each part of one article, each with what it says there. Equal texts give equal mentions.

    ``words`` are those of all parts (:func:`words_of`), where they are known already.

    What a part says of a name holds in the others: who is a person, which of several towns it is.
    """
    texts = [text.replace("’", "'") for text in parts]
    cues = _PLACING | _CUES.get(language.partition("-")[0], frozenset())
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
        never = _NEVER_IN.get(language.partition("-")[0], frozenset())
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
    text = around.text
    kinds = {candidate.kind for candidate in one.candidates}
    if one.name.replace(" ", "_") in _NEVER or one.name in around.never:
        one.force = 0
        return
    before, after = text[max(0, one.start - 60) : one.start], text[one.end : one.end + 40]
    right = _AFTER.match(after)
    if before.endswith("-") and kinds <= {Kind.TOWN}:
        one.force = 0
        return
    previous, following = _word_before(before), right[1] if right else ""
    one.dateline = one.start < 2 and _DATELINE.match(after) is not None
    is_civic = _is_civic(before, previous, after, following)
    one.sure = one.dateline or is_civic or previous.lower() in _SURE
    one.cued = one.sure or previous.lower() in around.cues
    if following in _OF_STATES and any(own.kind is Kind.SUBDIVISION for own in one.candidates):
        # Niger state, Washington State, the province of that name: not the country, nor the capital.
        one.candidates = tuple(own for own in one.candidates if own.kind in (Kind.SUBDIVISION, Kind.TOWN))
    elif one.name in _COUNTRY_FIRST:
        one.candidates = tuple(own for own in one.candidates if own.kind is not Kind.SUBDIVISION)
    if after.startswith(", ") and (behind := around.spans.get(one.end + 2)):
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
        one.cued = one.sure = True
        if _ASIDE.search(before) or _BEHIND_LEARNING.search(before):
            one.force *= 0.4
        return
    _weigh_words(one, kinds, before, previous, after, following)
    if Kind.CAPITAL in kinds and one.cued and _GOVERNING.search(before):
        one.cued = False
    elif one.cued and _ASIDE.search(before):
        one.force *= 0.4
    if one.force and " " not in one.name:
        _tell_name(one, around, kinds, before, previous, following)


def _is_civic(before: str, previous: str, after: str, following: str) -> bool:
    """Whether the words around a name speak of a place's streets, council or people."""
    if following in _CIVIC:
        return True
    if after.startswith("'s ") and (word := _WORD.match(after, 3)):
        return word[0] in _CIVIC
    return previous == "of" and before[:-4].rpartition(" ")[2].lower() in _CIVIC_BEFORE


def _weigh_words(one: Mention, kinds: Set[Kind], before: str, previous: str, after: str, following: str) -> None:
    """Takes force from a name that is part of another: of a newspaper, a company, a sea, a university, a street."""
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
    elif following in _LEARNING or _BEHIND_LEARNING.search(before):
        one.force *= 0.3
    elif previous in _JOINS and (bank := _BEHIND_BANK.search(before)) and (bank[1] or "").strip() not in _SURE_BANKS:
        one.force *= 0.2
    if following in _STREETS:
        one.force *= 0.2
    if one.name in _LANGUAGES:
        one.force *= 0.3


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
    is_titled = previous in _TITLES
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
