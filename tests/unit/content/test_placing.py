"""Which regions an article is about, from its words alone."""

from __future__ import annotations

import importlib.util
import sys
import time
import unicodedata
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from capitals import CAPITALS
from hypothesis import given
from hypothesis import strategies as st
from newsroom import Newsroom

from content.gazetteer import names
from content.placing import chosen, place
from content.reading import Reader
from content.regions import region, territories
from content.surroundings import mentions

ROOT = Path(__file__).parents[3]


def codes(title: str, *paragraphs: str, summary: str = "", language: str = "en") -> set[str]:
    body = "".join(f"<p>{text}</p>" for text in paragraphs)
    return {one.code for one in chosen(place(title, summary, body, language))}


def test_a_river_is_no_place_however_it_is_written() -> None:
    assert codes("Floods along the Jordan River", "The Jordan River burst its banks.") == set()
    assert codes("Floods along the Jordan river", "The Jordan river burst its banks.") == set()


def test_an_alliance_is_tagged_where_it_is_the_news_and_not_where_a_country_is() -> None:
    agreed = codes(
        "ASEAN ministers agree on one index for haze", "Ministers of ASEAN adopted a common index for smoke on Friday."
    )
    assert agreed == {"035"}
    watched = codes(
        "Thai and Cambodian troops pull back guns as ASEAN watches",
        "Thailand and Cambodia have moved guns away from their border, observers from ASEAN said on Friday.",
        "Thailand said that it would move more. Cambodia did not.",
    )
    assert watched == {"TH", "KH"}


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


@pytest.mark.parametrize(
    ("title", "text", "expected"),
    [
        ("Florida bans phones", "Florida banned phones on Monday. Florida schools have a year.", {"US", "US-FL"}),
        ("Virginia votes", "Virginia voted for a governor.", {"US", "US-VA"}),
        ("Victoria locks down", "Victoria locked down on Friday. Melbourne shops shut.", {"AU", "AU-VIC"}),
        ("Milan bans cars", "Milan banned cars on Monday. Milan shops protested.", {"IT", "IT-25"}),
        ("Houston floods", "Houston flooded on Monday. Dallas got off lightly.", {"US", "US-TX"}),
        ("Sydney swelters", "Sydney had 40 degrees. Sydney hospitals are full.", {"AU", "AU-NSW"}),
        ("Paris and Berlin agree", "Paris and Berlin agreed on Monday.", {"FR", "DE"}),
        ("Bali floods", "Bali flooded on Monday; Bali hotels closed.", {"ID", "ID-BA"}),
        ("Crete burns", "Crete burned on Monday.", {"GR", "GR-M"}),
        ("Tigray talks fail", "Tigray leaders left the talks.", {"ET", "ET-TI"}),
        ("Darfur talks fail", "Darfur rebels left the talks.", {"SD"}),
        ("Frankfurt shuts its airport", "Frankfurt shut its airport; Ghent did not.", {"DE", "DE-HE"}),
        ("Jakarta raises fares", "The council of Jakarta raised bus fares in Jakarta.", {"ID", "ID-JK"}),
        ("Medan raises fares", "The council of Medan raised bus fares in Medan.", {"ID", "ID-SU"}),
        ("Cebu raises fares", "The mayor of Cebu raised bus fares in Cebu.", {"PH", "PH-CEB"}),
        ("Goma shuts its port", "Boats were turned back in Goma.", {"CD", "CD-NK"}),
        ("Valencia shuts its port", "Boats were turned back in Valencia.", {"ES", "ES-VC"}),
        ("Flood in Niger State", "Dams broke in Niger State, officials in Minna said.", {"NG", "NG-NI"}),
        ("Paris Holloway sings", "Paris Holloway sang for an hour. Chad Nakamura wrote the songs.", set()),
        ("El Banco raises rates", "The bank, El Banco, said so. In San Basilio it has an office.", set()),
    ],
)  # fmt: skip
def test_states_cities_and_islands_need_no_word_on_where_they_are(title: str, text: str, expected: set[str]) -> None:
    assert codes(title, text) == expected


@pytest.mark.parametrize(
    ("title", "code"),
    [
        ("Kenya Cuts Mobile Fees", "KE"), ("Israel Strikes Depot", "IL"), ("Chad Votes Sunday", "TD"),
        ("India Approves Merger", "IN"), ("Georgia Rejects Bill", "GE"), ("KENYA VOTES", "KE"),
        ("Jordan Imposes New Tariffs", "JO"), ("Chad Mayor Quits After Vote", "TD"),
    ],
)  # fmt: skip
def test_the_capitals_of_a_headline_make_no_person_of_a_country(title: str, code: str) -> None:
    assert codes(title) == {code}
    assert code in codes(title, f"The plan is {region(code).name}'s own, and it pleased nobody.")


@pytest.mark.parametrize("code", sorted(CAPITALS))
def test_a_capital_speaks_for_its_country(code: str) -> None:
    capital = CAPITALS[code]
    # What larger namesakes have, too, needs its country beside it.
    named = region(code).name if code in ("AG", "SC") else capital
    found = place(f"{capital} raises its budget", "", f"<p>Ministers in {capital} said so.</p><p>{named} had put it off.</p>")
    assert found[0].region.code == code
    assert found[0].score >= 0.5


@pytest.mark.parametrize("language", ["ar", "he", "hi", "fa", "ka", "bn", "ko", "ru", "el", "ja", "zh", "th"])
def test_countries_are_found_in_scripts_without_capitals(language: str) -> None:
    name = territories(language)["FR"]
    assert codes(name, f"{name} {name}. {name} – {name}", language=language) == {"FR"}


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ja", "政府はフランスとの協定を発表した。"),
        ("zh", "政府周三宣布与法国达成协议。"),
        ("th", "รัฐบาลประกาศข้อตกลงกับฝรั่งเศสเมื่อวันพุธ"),
    ],
)
def test_countries_are_found_where_no_blank_parts_words(language: str, text: str) -> None:
    assert codes(text, text, language=language) == {"FR"}


def test_a_country_is_not_found_within_a_longer_word_in_katakana() -> None:
    assert codes("マリーナを開く", "新しいマリーナが開いた。", language="ja") == set()


def test_accents_in_either_form_and_hidden_hyphens_hide_no_name() -> None:
    text = "Voters in São Paulo and in Côte d’Ivoire went to the polls in São Paulo."
    assert codes("São Paulo votes", text) == codes(*(unicodedata.normalize("NFD", one) for one in ("São Paulo votes", text)))
    assert codes("Bo\u00adli\u00advia votes", "Polls opened in Bo\u00adli\u00advia.") == {"BO"}


def test_a_text_of_very_many_names_is_placed_in_proportion_to_its_length() -> None:
    some = [name for several in names().values() for name, _ in several if name.isascii() and " " not in name][:6000]

    def seconds(count: int) -> float:
        body = "".join(f"<p>{name} voted on it.</p>" for name in some[:count])
        begun = time.process_time()
        place("All of them vote", "", body)
        return time.process_time() - begun

    seconds(400)
    # Fifteen times the text in some fifteen times the work, with room for a busy machine; it was more than two hundred.
    assert min(seconds(6000), seconds(6000)) < 80 * max(seconds(400), seconds(400))


def test_scores_are_compared_as_they_are_and_not_as_they_are_shown() -> None:
    (found,) = place("", "", "<p>The plan is from Bolivia.</p>")
    assert chosen([replace(found, score=0.4996)]) == ()


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


@pytest.mark.parametrize("field", ["regions:", "country:", "regions: ''"])
def test_a_field_left_blank_says_nothing_of_regions(newsroom: Newsroom, field: str) -> None:
    reading = newsroom.reading("a.md", f"---\ntitle: Kenya fines two carriers\n{field}\n---\n{TEXT}")
    assert reading.article is not None
    assert [place.code for place in reading.article.regions] == ["KE"]
    assert reading.regions_named is None


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


@pytest.mark.parametrize(("level", "precision", "recall"), [("countries", 0.95, 0.93), ("subdivisions", 0.91, 0.87)])
def test_the_labelled_texts_are_placed_as_well_as_before(
    benchmark: ModuleType, level: str, precision: float, recall: float
) -> None:
    labelled = benchmark.texts(benchmark.LABELLED)
    assert len(labelled) == 414
    tagged = [(text, benchmark.ours(text)) for text in labelled]
    right, missed, extra = benchmark.counts(tagged, benchmark.LEVELS[level])
    assert right / (right + extra) >= precision
    assert right / (right + missed) >= recall
