"""What can be ticked and picked on the pages for joining and choosing: the site's regions as a tree, languages, time zones.

What somebody most likely wants is guessed from what the browser says of its languages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache

from content.regions import WORLD, Region, lineage, region, shown_name
from newsletter.join_request import time_zone_names

LANGUAGES = (
    "ar", "bn", "cs", "da", "de", "el", "en", "es", "fa", "fi", "fr", "he", "hi", "hu", "id", "it", "ja", "ko", "ms", "nb",
    "nl", "pl", "pt", "pt-BR", "ro", "ru", "sv", "sw", "th", "tr", "uk", "ur", "vi", "zh-Hans", "zh-Hant",
)  # fmt: skip
"""Languages to choose from (BCP 47)."""


@dataclass(frozen=True, slots=True)
class OptionView:
    """One thing to be chosen."""

    value: str
    label: str
    chosen: bool


@dataclass(frozen=True, slots=True)
class OptionGroupView:
    label: str
    options: tuple[OptionView, ...]


@dataclass(frozen=True, slots=True)
class RegionChoiceView:
    """A region to be ticked, and those within it. ``is_open`` where one of these is ticked."""

    code: str
    name: str
    ticked: bool
    is_open: bool
    within: tuple[RegionChoiceView, ...]


def region_tree(used: Iterable[str], ticked: Collection[str], language: str) -> list[RegionChoiceView]:
    """The regions with these codes as a tree, by name; those that are ``ticked`` are in it in any case."""
    known: dict[str, Region] = {}
    for code in (*used, *ticked):
        known |= {place.code: place for place in lineage(region(code)) if place.code != WORLD}
    below: dict[str, list[Region]] = {}
    for place in known.values():
        below.setdefault(lineage(place)[1].code, []).append(place)

    def views(code: str) -> tuple[RegionChoiceView, ...]:
        found = []
        for place in sorted(below.get(code, ()), key=lambda one: shown_name(one, language)):
            within = views(place.code)
            is_open = any(one.ticked or one.is_open for one in within)
            found.append(RegionChoiceView(place.code, shown_name(place, language), place.code in ticked, is_open, within))
        return tuple(found)

    return list(views(WORLD))


def languages(chosen: str, site_language: str) -> list[OptionView]:
    """The languages by their own names; the first stands for the site's."""
    options = [OptionView(code, name, code == chosen) for code, name in _languages()]
    return [OptionView("", f"As the site: {_name_of(site_language)}", not chosen), *options]


def time_zones(chosen: str) -> list[OptionGroupView]:
    """All time zones, by continent."""
    return [
        OptionGroupView(label, tuple(OptionView(name, town, name == chosen) for name, town in zones))
        for label, zones in _time_zones().items()
    ]


def chosen_regions(codes: tuple[str, ...]) -> tuple[str, ...]:
    """The regions that there are among codes; one that lies in another of them says nothing more."""
    found = {}
    for code in codes[:500]:
        try:
            place = region(code)
        except KeyError:
            continue
        found[place.code] = place
    # The world is no choice but all of them.
    found = {} if WORLD in found else found
    return tuple(sorted(code for code, one in found.items() if not any(w.contains(one) for c, w in found.items() if c != code)))


def guessed_language(accepted: str, site_language: str) -> str:
    """The language to offer to somebody whose browser asks for ``accepted`` (Accept-Language); empty: the site's."""
    known = {code.casefold(): code for code in LANGUAGES}
    for tag in _accepted(accepted):
        parts = tag.casefold().split("-")
        script = "zh-hant" if parts[0] == "zh" and {"tw", "hk", "mo", "hant"} & set(parts) else "zh-hans"
        found = known.get(tag.casefold()) or known.get(parts[0]) or (known[script] if parts[0] == "zh" else "")
        if parts[0] == site_language.casefold().split("-")[0]:
            return ""
        if found:
            return found
    return ""


def guessed_time_zone(accepted: str) -> str:
    """The time zone of the country that the browser's first language names; empty where it names none, or one with several."""
    # The last part: what stands before may be a script.
    country = next(iter(_accepted(accepted)), "").upper().split("-")[-1]
    return _zone_of(country) if len(country) == 2 else ""


def _accepted(header: str) -> list[str]:
    """The tags of an Accept-Language, in the order in which they stand, which is that of browsers' wishes."""
    tags = [part.partition(";")[0].strip() for part in header[:500].split(",")]
    return [tag for tag in tags if "-" in tag or tag.isalpha()][:20]


@cache
def _zones_by_country() -> dict[str, list[str]]:
    from babel.core import get_global

    found: dict[str, list[str]] = {}
    for zone, country in get_global("zone_territories").items():
        found.setdefault(country, []).append(zone)
    # Of a country with a small zone beside the main one (Germany: Busingen), the main one is what Windows calls by a name.
    main = set(get_global("windows_zone_mapping").values())
    return {country: [zone for zone in zones if len(zones) == 1 or zone in main] for country, zones in found.items()}


def _zone_of(country: str) -> str:
    zones = _zones_by_country().get(country, [])
    return zones[0] if len(zones) == 1 and zones[0] in time_zone_names() else ""


@cache
def _languages() -> list[tuple[str, str]]:
    return sorted(((code, _name_of(code)) for code in LANGUAGES), key=lambda one: one[1].casefold())


@cache
def _name_of(language: str) -> str:
    # Loaded by the first who looks at the page.
    from babel import Locale, UnknownLocaleError

    try:
        name = Locale.parse(language, sep="-").get_display_name()
    except (UnknownLocaleError, ValueError):
        name = None
    return f"{name[:1].upper()}{name[1:]}" if name else language


@cache
def _time_zones() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(time_zone_names()):
        continent, slash, town = name.partition("/")
        if slash and continent not in ("Etc", "SystemV", "posix", "right"):
            found.setdefault(continent, []).append((name, town.replace("_", " ").replace("/", ", ")))
    return found
