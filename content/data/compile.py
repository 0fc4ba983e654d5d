"""Compiles ``regions.tsv`` from CLDR's territory containment, ISO 3166 as pycountry has it, and ``region_names.toml``.

A line is a region: code, English name, code of the region around it, slug, ISO 3166-1 alpha-3 code, and the spellings that
stand for it, folded and parted by bars. A spelling that several subdivisions share stands with each.

Run when one of them is renewed, with the folders of npm's packages ``cldr-core`` and ``cldr-subdivisions-full``:
``python -m content.data.compile CORE SUBDIVISIONS``. Nothing of this runs in the program itself.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import unicodedata
from collections import Counter
from pathlib import Path

import pycountry
from babel import Locale
from slugify import slugify

from content.regions import fold

HERE = Path(__file__).parent
WORLD = "001"
# Levels of M49 that CLDR has as groupings beside its own tree.
GROUPINGS = {"202": "002", "419": "019"}
# Where M49's English name is clearer than CLDR's.
AREA_NAMES = {WORLD: "World", "419": "Latin America and the Caribbean", "057": "Micronesia (region)", "029": "Caribbean"}

# Countries that have given their codes to other subdivisions since CLDR took them up, or whose names there nobody uses.
RENUMBERED = frozenset({"IR", "MA", "NP", "UA"})
MISTAKEN = frozenset({"RS-25", "GB-PTE", "UG-331"})

# Words for the kind of subdivision, as ISO 3166-2 has them behind the name.
_KIND_BEHIND = re.compile(
    r"(?: Shi| Sheng| Zizhiqu| SAR|-teukbyeolsi|-gwangyeoksi|-do|-teukbyeoljachido|-teukbyeoljachisi"
    r"| Province| Oblast| oblast'?| oblast’| Governorate| Region| County| Prefecture| Raya)$"
)


def parents(containment: Path) -> dict[str, str]:
    """The parent of each M49 area and each country."""
    table = json.loads(containment.read_text("utf-8"))["supplemental"]["territoryContainment"]
    found: dict[str, str] = dict(GROUPINGS)
    for area in table:
        if area.isdigit() and "_grouping" not in table[area]:
            for part in table[area]["_contains"]:
                if part.isdigit() or len(part) == 2:
                    found.setdefault(part, area)
    for area in GROUPINGS:
        for part in table[area]["_contains"]:
            found[part] = area
    return found


def first_name(name: str) -> str:
    """The first of several names, without the signs of romanisation that English news leaves out (Mahārāshtra)."""
    decomposed = unicodedata.normalize("NFD", name.partition(" [")[0].partition(" (")[0])
    return unicodedata.normalize("NFC", re.sub("[\u0304\u0323\u0331\u02bb\u02bc]", "", decomposed))


def english_names(subdivisions: Path) -> dict[str, str]:
    """CLDR's English names of subdivisions, by their codes in ISO 3166-2, where it means the same by them."""
    said = json.loads((subdivisions / "subdivisions" / "en" / "en.json").read_text("utf-8"))
    named = said["subdivisions"]["localeDisplayNames"]["subdivisions"]
    found = {}
    for part in pycountry.subdivisions:
        name = named.get(part.code.replace("-", "").lower(), "")
        if name and part.country_code not in RENUMBERED and part.code not in MISTAKEN:
            found[part.code] = first_name(re.sub(r" ?\(.*\)|[²³]|, [A-Z]\w+$", "", name))
    return found


def rows(containment: Path, named: dict[str, str]) -> list[tuple[str, str, str, str, str, str]]:
    above = parents(containment)
    english = Locale("en").territories
    table = tomllib.loads((HERE / "region_names.toml").read_text("utf-8"))
    news: dict[str, list[str]] = {**table["countries"], **table["subdivisions"]}
    # What news calls by a name is that place alone: Mexico City, not the others that share a part of it.
    owned = {fold(spelling): code for code, names in table["subdivisions"].items() for spelling in names}
    found = []
    for area in sorted({WORLD, *(area for area in above.values()), *(area for area in above if area.isdigit())}):
        name = AREA_NAMES.get(area, english[area])
        found.append((area, name, above.get(area, ""), slugify(name), "", fold(name)))
    countries = [(one.alpha_2, one.alpha_3, _spellings(one)) for one in pycountry.countries]
    # User-assigned in ISO 3166-1, yet what everybody uses.
    for code, alpha_3, names in sorted([*countries, ("XK", "XKX", ["Kosovo"])]):
        shown = news.get(code, [english.get(code, names[0])])[0]
        keys = {fold(spelling) for spelling in (*names, shown, *news.get(code, []))}
        found.append((code, shown, above.get(code, WORLD), code.lower(), alpha_3, "|".join(sorted(keys))))
    shown_names = subdivision_names(named, news)
    for part in sorted(pycountry.subdivisions, key=lambda one: str(one.code)):
        usual = named.get(part.code) or first_name(part.name)
        shown = shown_names[part.code]
        names = [
            part.name,
            first_name(part.name),
            usual,
            *re.split(r" \[|\] *| \(|\)", part.name),
            shown,
            *news.get(part.code, []),
        ]
        keys = {key for key in map(fold, names) if key and owned.get(key, part.code) == part.code}
        around = part.parent_code or part.country_code
        found.append((part.code, shown, around, part.code.lower(), "", "|".join(sorted(keys))))
    return found


def subdivision_names(named: dict[str, str], news: dict[str, list[str]]) -> dict[str, str]:
    """The name of each subdivision, by code: without the word for its kind, unless another of its country has the same.

    Moscow is the city, and Moscow Oblast lies around it.
    """
    parts = {part.code: part for part in pycountry.subdivisions}
    usual = {code: named.get(code) or first_name(part.name) for code, part in parts.items()}
    short = {code: news.get(code, [_KIND_BEHIND.sub("", name)])[0] for code, name in usual.items()}
    with_kind = {code: f"{name} ({parts[code].type.lower()})" for code, name in short.items()}
    found = dict(short)
    for clearer in (usual, with_kind):
        shared = Counter((code[:2], name) for code, name in found.items())
        for code, name in found.items():
            if shared[code[:2], name] > 1 and code not in news:
                found[code] = clearer[code]
    return found


def _spellings(country: object) -> list[str]:
    return [name for field in ("name", "official_name", "common_name") if (name := getattr(country, field, ""))]


def main(core: str, subdivisions: str) -> None:
    containment = Path(core) / "supplemental" / "territoryContainment.json"
    lines = ["\t".join(row) + "\n" for row in rows(containment, english_names(Path(subdivisions)))]
    (HERE / "regions.tsv").write_text("".join(lines), "utf-8")
    print(f"{len(lines)} regions")


if __name__ == "__main__":
    main(*sys.argv[1:])
