"""What can be ticked and picked on the page for choosing: the site's regions as a tree, languages, time zones."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from zoneinfo import available_timezones

from content.regions import WORLD, Region, lineage, region, shown_name

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
    for name in sorted(available_timezones()):
        continent, slash, town = name.partition("/")
        if slash and continent not in ("Etc", "SystemV", "posix", "right"):
            found.setdefault(continent, []).append((name, town.replace("_", " ").replace("/", ", ")))
    return found
