"""Which words beside the name of a place speak of a place, and which of something else? For :mod:`content.surroundings`."""

from __future__ import annotations

import re

PLACING = frozenset(
    "in at near from to around outside across inside within through toward towards into off between via throughout downtown "
    "central greater north south east west northern southern eastern western northeastern northwestern southeastern "
    "southwestern northeast northwest southeast southwest rural coastal mainland upstate suburban metropolitan inner".split()
)
CUES = {
    "de": frozenset("in im bei aus nach von um nahe".split()),
    "fr": frozenset("à en dans au aux de du".split()),
    "es": frozenset("en de desde hasta a".split()),
    "it": frozenset("a in da di nel nella".split()),
    "pt": frozenset("em no na de do da".split()),
    "nl": frozenset("in te uit bij van".split()),
}
"""Words that speak of a place in other languages."""
NEVER = frozenset(
    "North South East West Northern Southern Eastern Western Central Centre Center Northeast Northwest Southeast Southwest "
    "Upper Lower March May August Bay Delta Union Islands Island Coast River Capital Metro District Region Province State "
    "Norte Sur Sul Nord Sud Est Ouest Centro Nova Ville Most Male Of Sale Ball Deal San Santa Van University Banco "
    "Commerce Street Enterprise Industry Liberty Hope Progress Justice Energy Defense Treasury Interior".split()
) | {"El Banco"}
"""Words that are names of subdivisions or towns, and hardly ever meant so."""
NEVER_IN = {
    "de": frozenset("Zug Essen Hof Halle Rat Gang Stade Brand Lage Bau Aue Uri Weiden".split()),
    "es": frozenset(["El Banco", "La Unión"]),
}
"""Nouns of languages that are towns, too."""
LANGUAGES = frozenset(["English"])
"""Adjectives that speak of a language more often than of a place."""
CIVIC = frozenset(
    "City Council Council's Municipality Municipal Prefecture Prefecture's Province County Borough Metropolitan Regional "
    "Sheriff Magistrates Crown Airport City's County's Province's "
    "mayor mayors council councillors governor police residents streets airport harbour harbor port province prefecture "
    "county district region suburb suburbs metro tram town city courts courthouse municipality".split()
)
"""Words that speak of the place whose name stands before them, with or without a possessive."""
CIVIC_BEFORE = frozenset(
    "city cities town towns village port state province county district municipality mayor council governor people residents "
    "outskirts suburb suburbs suburban centre center streets island north south east west capital part parts region "
    "prefecture metropolis hills waters".split()
)
"""What stands before "of" and the name of a place."""
SURE = frozenset("in near at outside across throughout downtown around central inner à bei près em cerca".split())
COUNTRY_FIRST = frozenset(["Niger"])
"""Countries whose namesake in another is always called a state."""
OF_STATES = frozenset("state State province Province governor".split())
STREETS = frozenset(
    "Street Road Row Avenue Lane Drive Boulevard Hotel House Hall Square Bridge Shoal Reef Court Club Prize Award Medal".split()
)
MEDIA = frozenset(
    "Times Post Daily Herald Tribune Globe Journal Gazette Chronicle Mail Sun Star Guardian Telegraph Observer Standard News "
    "Today Review Mirror Express Examiner Courier Mercury Age Bulletin Register Sentinel Argus Echo Inquirer Dispatch".split()
)
COMPANY = frozenset(
    "Airlines Airways Air Bank Mobile Telecom Telecoms Telekom Motors Motor Electric Steel Petroleum Insurance Tobacco Tower "
    "Towers Group Corp Corporation Inc Ltd Limited plc PLC Holdings Holding Capital Partners Life Pharmaceuticals Securities "
    "Technologies Systems Labs Ventures Investments AG SE SA NV GmbH Bancorp Breweries Cement Re Unicom Wireless Cellular "
    "Telecommunications Mutual Pizza Foods Business Satellite".split()
)
LEARNING = frozenset("University College Institute Polytechnic Academy School".split())
WATER = frozenset(
    "Sea Ocean Channel Strait Straits River Gulf Canal Current Trench Plate Ridge Basin Slope "
    "river rivers lake strait straits".split()
)
FOOD = frozenset(
    "food cuisine restaurant restaurants wine wines cheese chocolate whisky whiskey beer coffee tea pastry pastries toast "
    "fries salad sausage rice noodles dishes literature lessons class classes language-learning accent proverb poetry "
    "subtitles translation grammar dictionary".split()
)
TITLES = frozenset(
    "Mr Mr. Mrs Mrs. Ms Ms. Dr Dr. Prof Prof. Professor Sir Lady Lord Dame Judge Justice Sen. Rep. Gov. Capt. Captain Coach "
    "Sgt. Lt. Col. Gen. Inspector Detective Miss Señor Madame Herr Frau".split()
)
SURE_BANKS = frozenset("Central Reserve National State Federal".split())
STRONG_ENDS = frozenset("wide led backed funded run owned born-and-bred controlled occupied".split())
WEAK_ENDS = {
    "born": 0.0, "style": 0.0, "language": 0.0, "speaking": 0.0, "American": 0.0, "Americans": 0.0, "educated": 0.0,
    "trained": 0.0, "inspired": 0.0, "themed": 0.0, "listed": 0.2, "based": 0.4, "registered": 0.3, "made": 0.5,
}  # fmt: skip
JOINS = frozenset(
    "of the at de do Sea Gulf Strait Straits Bay Lake River Port Isthmus Mount Bank Banco Banque Radio Voice Club Duke Duchess "
    "Earl Prince Princess Air".split()
)
"""The last word of each of these:"""
BEHIND_WATER = re.compile(r"\b(?:Sea|Gulf|Strait|Straits|Bay|Lake|River|Port|Isthmus|Mount) (?:of )?(?:the )?$")
BEHIND_LEARNING = re.compile(
    r"\b(?:University|College|Institute|School|Universidad|Université)(?: \w+)? (?:of|at|de) (?:the )?"
    r"(?:[A-Z]\w+(?: [A-Z]\w+)?(?:,| at| in|) )?$"
)
"""Before the name of a university, or of the town that parts it from its sisters: University of California, Berkeley."""
SCHOOLS = ("Universi", "College", "Institute", "School")
BEHIND_BANK = re.compile(
    r"(\w+ )?\b(?:Bank|Banco|Banque|Radio|Voice|Club|Duke|Duchess|Earl|Prince|Princess|Air) (?:of |de |do )?$"
)


ASIDE = re.compile(
    r"\b(?:analysts?|economists?|professors?|researchers?|consultan\w+|think[ -]tank|lawyers?|traders?|brokers?|scientists?"
    r"|headquartered|based|born|educated|listed|trained)(?: \w+){0,4} (?:in|at|from|near) (?:the )?$"
)
"""Who speaks of the news need not be where it is."""
GOVERNING = re.compile(
    r"\b(?:[Oo]fficials|[Mm]inisters?|[Gg]overnments?|[Ll]eaders|[Dd]iplomats|[Aa]uthorities|[Ll]awmakers|[Pp]olicymakers"
    r"|[Rr]egulators?|[Ee]nvoys?|[Ee]mbass(?:y|ies)|[Pp]arliament|[Nn]egotiators) (?:in|from) $"
)
"""Before the name of a capital that stands for its government."""
