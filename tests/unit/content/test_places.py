"""Which place an editor means."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsroom import BODY, Newsroom

from content.gazetteer import _candidates, names
from content.regions import _lines, lineage, region, resolve


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("CN", "CN"), ("cn", "CN"), ("chn", "CN"), ("CN-BJ", "CN-BJ"), ("cn-bj", "CN-BJ"), ("China", "CN"), ("Beijing", "CN-BJ"), ("shanghai", "CN-SH"),
        ("Hainan", "CN-HI"), ("UK", "GB"), ("EL", "GR"), ("no", "NO"), ("South Korea", "KR"), ("Republic of Korea", "KR"), ("turkey", "TR"),
        ("Türkiye", "TR"), ("Côte d’Ivoire", "CI"), ("cote d'ivoire", "CI"), ("São Paulo", "BR-SP"), ("sao paulo", "BR-SP"), ("Georgia", "GE"),
        ("Hong Kong", "HK"), ("Taiwan", "TW"), ("Mexico City", "MX-CMX"), ("New York", "US-NY"), ("CA", "CA"), ("Kosovo", "XK"),
        ("Maharashtra", "IN-MH"), ("Bayern", "DE-BY"), ("Bavaria", "DE-BY"), ("the Netherlands", "NL"), ("Guangdong Sheng", "CN-GD"), (" Norway ", "NO"),
    ],
)  # fmt: skip
def test_a_place_is_known_by_code_and_by_name(written: str, code: str) -> None:
    found, unknown = resolve([written])
    assert ([place.code for place in found], unknown) == ([code], [])


@pytest.mark.parametrize(
    ("written", "codes"),
    [
        ("Hanover", "DE-NI"), ("Hanover, Germany", "DE-NI DE"), ("Portland", "US-OR"), ("Guadalajara", "MX-JAL"),
        ("Congo", "CD"), ("Washington", "US-DC"), ("Washington state", "US-WA"), ("Santiago", "CL-RM"),
        ("Santiago, Dominican Republic", "DO-25 DO"), ("Milan", "IT-25"), ("Naples", "IT-72"), ("Naples, US", "US-FL US"),
        ("Rome", "IT-62"), ("Barcelona", "ES-CT"), ("Paris", "FR-IDF"), ("Paris, US", "FR-IDF US"), ("London", "GB-ENG"),
        ("London, Canada", "CA-ON CA"), ("Leeds", "GB-ENG"), ("Belfast", "GB-NIR"), ("Glasgow", "GB-SCT"),
        ("Vancouver", "CA-BC"), ("Manchester", "GB-ENG"), ("Hyderabad", "IN-TS"), ("Victoria", "AU-VIC"), ("Gaza", "PS"),
        ("shenzhen", "CN-GD"), ("MUMBAI", "IN-MH"), ("EU", "150"), ("European Union", "150"), ("ASEAN", "035"),
        ("Middle East", "145"), ("Latin America", "419"), ("Moscow", "RU-MOW"), ("Buenos Aires", "AR-C"), ("Lima", "PE-LMA"),
        ("Jakarta", "ID-JK"), ("Bali", "ID-BA"), ("Kent", "GB-ENG"), ("Seine-et-Marne", "FR-IDF"), ("Łódź", "PL-10"),
    ],
)  # fmt: skip
def test_a_name_stands_for_what_it_would_in_a_text(written: str, codes: str) -> None:
    found, unknown = resolve(written.split(", "))
    assert ([place.code for place in found], unknown) == (codes.split(), [])


def test_subdivisions_of_one_country_have_different_names() -> None:
    names = Counter((code[:2], region(code).name) for code in _lines() if "-" in code)
    assert [name for name, count in names.items() if count > 1] == []
    assert [region(code).name for code in ("RU-MOW", "RU-MOS", "AR-C", "AR-B")] == [
        "Moscow", "Moscow Province", "Buenos Aires", "Buenos Aires Province",
    ]  # fmt: skip


def test_every_code_in_the_table_of_names_is_one_of_a_region() -> None:
    codes = {own.code for several in names().values() for _, said in several for own in _candidates(said)}
    assert sorted(codes - {"companies", "media", "things", "waters"} - _lines().keys()) == []


def test_a_name_that_two_countries_share_is_not_guessed() -> None:
    found, (unknown,) = resolve(["Punjab"])
    assert found == []
    assert set(unknown.candidates) == {"IN-PB", "PK-PB"}


@pytest.mark.parametrize(("beside", "code"), [("India", "IN-PB"), ("PK", "PK-PB")])
def test_the_country_beside_a_shared_name_decides(beside: str, code: str) -> None:
    assert code in [place.code for place in resolve(["Punjab", beside])[0]]
    assert code in [place.code for place in resolve([beside, "Punjab"])[0]]


def test_both_countries_beside_a_shared_name_decide_nothing() -> None:
    assert [one.name for one in resolve(["Punjab", "India", "Pakistan"])[1]] == ["Punjab"]


def test_georgia_beside_the_united_states_is_the_state() -> None:
    assert [place.code for place in resolve(["Georgia", "US"])[0]] == ["US-GA", "US"]


def test_a_place_named_twice_counts_once() -> None:
    assert [place.code for place in resolve(["China", "CN", "chn", "CHINA"])[0]] == ["CN"]


def test_a_subdivision_lies_in_its_country() -> None:
    assert lineage(region("CN-BJ"))[:3] == (region("CN-BJ"), region("CN"), region("030"))
    assert lineage(region("001")) == (region("001"),)
    assert region("CN").contains(region("CN-BJ"))
    assert not region("CN-BJ").contains(region("CN"))
    assert not region("IN").contains(region("ID-JK"))


@given(st.text(max_size=30))
def test_any_name_is_a_place_or_unknown(name: str) -> None:
    found, unknown = resolve([name])
    assert len(found) + len(unknown) == bool(name.strip())


def test_an_unknown_place_is_kept_as_a_tag_with_a_warning(newsroom: Newsroom) -> None:
    reading = newsroom.reading("a.md", f"---\ntitle: T\nregions: [CN-GD, Xanadu, Punjab]\n---\n{BODY}")
    assert reading.article
    assert [place.code for place in reading.article.regions] == ["CN-GD"]
    assert reading.article.tags == ("Xanadu", "Punjab")
    xanadu, punjab = reading.problems
    assert (xanadu.line, punjab.line) == (3, 3)
    assert "'Xanadu' is not known and is kept as a tag" in xanadu.message
    assert "IN-PB or PK-PB" in punjab.message


def test_a_town_stands_for_the_subdivision_that_it_lies_in(newsroom: Newsroom) -> None:
    regions, unresolved = resolve(["Shenzhen", "Karaj", "Mysuru", "Taipei", "Chicago"])
    assert [place.code for place in regions] == ["CN-GD", "IR-30", "IN-KA", "TW-TPE", "US-IL"]
    assert unresolved == []


def test_a_town_with_namesakes_is_told_by_the_country_beside_it_or_not_at_all() -> None:
    assert [place.code for place in resolve(["CA", "Hamilton"])[0]] == ["CA", "CA-ON"]
    assert [place.code for place in resolve(["NZ", "Hamilton"])[0]] == ["NZ", "NZ-WKO"]
    regions, unresolved = resolve(["Springfield"])
    assert regions == []
    assert "US-MO" in unresolved[0].candidates
