"""Which regions an article is about, from its words alone."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsroom import Newsroom

from content.placing import chosen, place
from content.reading import Reader
from content.surroundings import mentions

ROOT = Path(__file__).parents[3]


def codes(title: str, *paragraphs: str, summary: str = "", language: str = "en") -> set[str]:
    body = "".join(f"<p>{text}</p>" for text in paragraphs)
    return {one.code for one in chosen(place(title, summary, body, language))}


def test_a_pilot_in_four_places_is_placed_there_and_not_where_the_quoted_are() -> None:
    found = codes(
        "Foreign firms may own data centres in four areas",
        "China opened its data-centre market to foreign owners on Wednesday in a pilot that is open in Beijing, Shanghai, Hainan "
        "and Shenzhen, the Ministry of Industry and Information Technology said, according to Xinhua.",
        "The ministry will take applications from January, China Daily reported. Firms may own the centres outright.",
        "HSBC and Tesla are among the companies that have asked for licences, a person who knows of the plans said.",
        "The Chinese ministry said the four areas were chosen for their power and their cables.",
    )
    assert found == {"CN", "CN-BJ", "CN-SH", "CN-HI", "CN-GD"}


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        ("Georgia votes on a new constitution", "Tbilisi expects a high turnout as Georgia votes.", {"GE"}),
        ("Georgia adopts a water plan", "Lawmakers in Atlanta approved it; other US states may follow.", {"US", "US-GA"}),
        ("Jordan signs for the club", "Michael Jordan, a striker, signed on Monday. Jordan scored twice last year.", set()),
        ("Chad Smith drums again", "The drummer Chad Smith returned to the stage; Chad said it felt good.", set()),
        ("How to roast a turkey", "A turkey needs four hours. Turkey meat dries out quickly.", set()),
        ("Storm in Paris, Texas", "Roofs were lost in Paris, Texas, on Sunday night.", {"US", "US-TX"}),
        ("Stabbing in Reading, UK", "Three people died in a park in Reading.", {"GB", "GB-ENG"}),
        ("A nice library", "Reading is nice. Mobile phones are banned, and orange juice is served.", set()),
        ("Ships meet in the South China Sea", "The South China Sea was calm, sailors said.", set()),
        ("A tale of two chairs", "The New York Times and China Daily reviewed the chairs.", set()),
        ("Niger closes its border", "No truck may enter Niger from Friday, Niamey said.", {"NE"}),
        ("São Paulo opens a metro line", "The line in Sao Paulo opened in Brazil's largest city.", {"BR", "BR-SP"}),
        ("Hong Kong and China agree on a cable", "Hong Kong and Chinese officials signed in Hong Kong; China Mobile builds it.", {"HK", "CN"}),
        ("Puerto Rico restores power", "Crews in Puerto Rico restored power on the US island.", {"PR", "US"}),
        ("Taiwan tests a cable", "Taiwan said the test went well. Taiwanese firms laid it.", {"TW"}),
        ("Kosovo joins the plan", "Kosovo signed, and Serbian officials in Serbia protested.", {"XK", "RS"}),
        ("Scotland bans a plastic", "Scottish ministers said shops in Scotland have a year.", {"GB", "GB-SCT"}),
        ("LAGOS BANS GENERATORS", "LAGOS, Nigeria -- The state banned generators.", {"NG", "NG-LA"}),
    ],
)  # fmt: skip
def test_what_looks_like_a_place_is_told_from_what_is_one(title: str, text: str, expected: set[str]) -> None:
    assert codes(title, text) == expected


def test_countries_are_known_by_their_names_in_the_language_of_the_article() -> None:
    text = "Österreich und die Schweiz haben sich geeinigt. Frankreich will folgen, heißt es in Österreich."
    assert {"AT", "CH"} <= codes("Österreich und Schweiz einigen sich", text, language="de")
    assert codes("Österreich und Schweiz einigen sich", text) == set()


def test_a_language_that_has_many_names_with_one_first_word_knows_them_all() -> None:
    text = "Les Îles Cook ont voté. Le parlement des Îles Cook siège demain, les Îles Salomon aussi."
    assert "CK" in codes("Les Îles Cook votent", text, language="fr")


def test_the_two_congos_are_told_apart() -> None:
    text = "Two operators in the Democratic Republic of Congo merged. Regulators agreed."
    assert codes("Two operators merge", text) == {"CD"}


def test_a_text_of_nothing_but_hidden_names_has_no_regions() -> None:
    assert codes("Reuters on the South China Sea", "Xinhua, the China Daily and the Indian Ocean.") == set()


def test_a_country_that_is_named_in_passing_is_not_tagged() -> None:
    found = codes(
        "Kenya cuts mobile fees", "The regulator in Nairobi cut the fees for calls in Kenya.", "Kenya's carriers protested.",
        "An analyst at a bank in Germany said it was early.", "The Kenyan parliament will debate the fees.",
    )  # fmt: skip
    assert found == {"KE"}


def test_each_region_comes_with_a_score_and_the_words_that_speak_for_it() -> None:
    (found, *_) = place("Bolivia votes", "", "<p>Polls opened in Bolivia.</p><p>Bolivian miners voted early.</p>")
    assert (found.region.code, found.score >= 0.5) == ("BO", True)
    assert [(one.words, one.part, one.start) for one in found.evidence] == [
        ("Bolivia", "title", 0), ("Bolivia", "paragraph 1", 16), ("Bolivian", "paragraph 2", 0),
    ]  # fmt: skip


@given(st.text(max_size=400), st.text(max_size=100))
def test_any_text_has_its_mentions_where_it_says(text: str, title: str) -> None:
    (found,) = mentions([text])
    for one in found:
        assert text[one.start : one.end].replace("’", "'").lower() == one.name.lower()
    place(title, text, f"<p>{text}</p>")


# Reading


TEXT = "The regulator fined two carriers in Kenya, and Kenya's courts agreed."


def test_an_article_that_names_no_regions_gets_those_it_is_about(newsroom: Newsroom) -> None:
    newsroom.article(body=TEXT, title="Kenya fines two carriers")
    newsroom.take()
    assert [place.code for place in newsroom.only().regions] == ["KE"]


@pytest.mark.parametrize("regions", ["[UG]", "[]"])
def test_what_the_editor_says_of_regions_always_wins(newsroom: Newsroom, regions: str) -> None:
    newsroom.article(body=TEXT, title="Kenya fines two carriers", regions=regions)
    newsroom.take()
    assert [place.code for place in newsroom.only().regions] == [code for code in [regions[1:-1]] if code]


def test_regions_may_be_suggested_instead(newsroom: Newsroom) -> None:
    newsroom.content = newsroom.content.model_copy(update={"regions": "suggest"})
    reading = newsroom.reading("a.md", f"---\ntitle: Kenya fines two carriers\n---\n{TEXT}")
    assert reading.article is not None
    assert reading.article.regions == ()
    (hint,) = reading.problems
    assert (hint.severity, "KE (Kenya: 'Kenya' in the title)" in hint.message) == ("hint", True)


def test_other_rules_for_regions_are_other_readings(newsroom: Newsroom) -> None:
    off = newsroom.content.model_copy(update={"regions": "off"})
    other = Reader(newsroom.site, off, newsroom.authors, newsroom.now)
    assert other.fingerprint != newsroom.reader.fingerprint


# The labelled set


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    specification = importlib.util.spec_from_file_location("regions_benchmark", ROOT / "benchmarks" / "regions.py")
    assert specification and specification.loader
    module = importlib.util.module_from_spec(specification)
    sys.modules[specification.name] = module
    specification.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("level", "precision", "recall"), [("countries", 0.95, 0.91), ("subdivisions", 0.93, 0.80)])
def test_the_labelled_texts_are_placed_as_well_as_before(
    benchmark: ModuleType, level: str, precision: float, recall: float
) -> None:
    labelled = benchmark.texts(benchmark.LABELLED)
    assert len(labelled) >= 120
    tagged = [(text, benchmark.ours(text)) for text in labelled]
    right, missed, extra = benchmark.counts(tagged, benchmark.LEVELS[level])
    assert right / (right + extra) >= precision
    assert right / (right + missed) >= recall
