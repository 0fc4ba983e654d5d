"""How well articles are placed: precision and recall on labelled texts, beside a plain search for the names of countries.

``python benchmarks/regions.py [FOLDER]... [--wrong] [--speed]``; without folders, the labelled set in ``tests/places``. A text
is Markdown whose front matter says which regions a careful editor would set (``expect``) and which may be set or not
(``optional``). Where PyPI's ``flashgeotext`` is installed, its countries are measured on the same texts. ``--wrong`` lists what
was missed or should not have been tagged; ``--speed`` tags 10,000 articles of 400 words and prints time and memory.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import re
import resource
import time
from collections.abc import Callable
from pathlib import Path

from content.data.labelled import Text, texts
from content.placing import chosen, place
from content.regions import _lines, region
from content.text import plain

LABELLED = Path(__file__).parent.parent / "tests" / "places"


def ours(text: Text) -> set[str]:
    return {one.code for one in chosen(place(text.title, text.summary, text.body, text.language))}


def naive(text: Text) -> set[str]:
    """Every country whose English name stands in the text."""
    said = f"{text.title} {text.summary} {plain(text.body)}"
    return {code for code in _lines() if len(code) == 2 and re.search(rf"\b{re.escape(region(code).name)}\b", said)}


def flashgeotext(text: Text) -> set[str]:
    import pycountry
    from flashgeotext.geotext import GeoText

    said = f"{text.title} {text.summary} {plain(text.body)}"
    found = GeoText().extract(said)["countries"]
    return {one.alpha_2 for name in found for one in [pycountry.countries.get(name=name)] if one}


LEVELS: dict[str, Callable[[str], bool]] = {
    "countries": str.isalpha,
    "subdivisions": lambda code: "-" in code,
    "areas": str.isdigit,
}


def counts(tagged: list[tuple[Text, set[str]]], is_of: Callable[[str], bool]) -> tuple[int, int, int]:
    """How many codes of a level were tagged rightly, missed, and tagged wrongly."""
    right = missed = extra = 0
    for text, found in tagged:
        got = {code for code in found if is_of(code)} - text.optional
        want = {code for code in text.expect if is_of(code)}
        right, missed, extra = right + len(got & want), missed + len(want - got), extra + len(got - want)
    return right, missed, extra


def measure(name: str, tagger: Callable[[Text], set[str]], labelled: list[Text], *, wrong: bool) -> None:
    tagged = [(text, tagger(text)) for text in labelled]
    for level, is_of in LEVELS.items():
        right, missed, extra = counts(tagged, is_of)
        if right + extra:
            print(f"  {name:14}{level:14} precision {right / (right + extra):.3f}  recall {right / max(1, right + missed):.3f}"
                  f"  ({right} right, {missed} missed, {extra} too many)")  # fmt: skip
    if wrong:
        for text, found in tagged:
            missing, extra_codes = text.expect - found, found - text.expect - text.optional
            if missing or extra_codes:
                print(f"    {text.name}: missed {sorted(missing)}, too many {sorted(extra_codes)}")


def speed(labelled: list[Text]) -> None:
    chance = random.Random(1)
    paragraphs = [part for text in labelled for part in re.findall(r"<p>.*?</p>", text.body, re.DOTALL)]
    articles = []
    for _ in range(10_000):
        body: list[str] = []
        left = 400
        while left > 0:
            words = chance.choice(paragraphs)[3:-4].split()[:left]
            body.append(f"<p>{' '.join(words)}</p>")
            left -= len(words)
        articles.append(("A title about Kenya", "", "".join(body)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begun = time.process_time()
    place("Kenya", "", "")
    loaded = time.process_time()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    for article in articles:
        place(*article)
    print(f"  the gazetteer loads in {(loaded - begun) * 1000:.0f} ms and takes {memory / 1024:.0f} MB;"
          f" 10,000 articles in {time.process_time() - loaded:.1f} s of one processor")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path, default=[LABELLED])
    parser.add_argument("--wrong", action="store_true")
    parser.add_argument("--speed", action="store_true")
    given = parser.parse_args()
    for folder in given.folders:
        labelled = texts(folder)
        print(f"{folder}: {len(labelled)} texts")
        if given.speed:
            speed(labelled)
        measure("dateline", ours, labelled, wrong=given.wrong)
        measure("plain search", naive, labelled, wrong=False)
        if importlib.util.find_spec("flashgeotext"):
            measure("flashgeotext", flashgeotext, labelled, wrong=False)


if __name__ == "__main__":
    main()
