"""What editors write above an article, in the spellings of many tools."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsroom import BODY, Newsroom

from content.article import Author, State
from content.front_matter import FrontMatterError, split


def yaml(*lines: str, body: str = BODY) -> str:
    return "\n".join(["---", *lines, "---", body, ""])


def test_norway_is_a_country_and_not_a_refusal(newsroom: Newsroom) -> None:
    article = newsroom.read("a.md", yaml("title: NO", "country: NO", "tags: [on, off, 1.10, 0x1F, 2024-01-01]"))
    assert article.title == "NO"
    assert [place.code for place in article.regions] == ["NO"]
    assert article.tags == ("on", "off", "1.10", "0x1F", "2024-01-01")


@pytest.mark.parametrize("field", ["summary", "excerpt", "standfirst", "dek", "description", "Summary", "EXCERPT"])
def test_a_summary_may_go_by_any_usual_name(newsroom: Newsroom, field: str) -> None:
    summary = newsroom.read("a.md", yaml("title: T", f"{field}: Said *so*.")).summary
    assert (summary.text, summary.written) == ("Said *so*.", True)


@pytest.mark.parametrize("field", ["date", "published", "publishdate", "pubdate", "published_at"])
def test_a_date_may_go_by_any_usual_name(newsroom: Newsroom, field: str) -> None:
    reading = newsroom.reading("a.md", yaml("title: T", f"{field}: 2024-10-24"))
    assert reading.dated
    assert reading.article
    assert reading.article.published.isoformat() == "2024-10-24T00:00:00+00:00"


@pytest.mark.parametrize("field", ["updated", "lastmod", "modified", "last_modified_at"])
def test_a_correction_may_go_by_any_usual_name(newsroom: Newsroom, field: str) -> None:
    article = newsroom.read("a.md", yaml("title: T", "date: 2024-10-24", f"{field}: 2024-10-26"))
    assert article.updated.isoformat() == "2024-10-26T00:00:00+00:00"


@pytest.mark.parametrize(
    "line", ["author: Ann Lee and Bo Ek", "authors: [Ann Lee, Bo Ek]", "authors: ann-lee; bo-ek", "byline: Ann Lee, Bo Ek"]
)
def test_authors_may_be_written_in_many_ways(newsroom: Newsroom, line: str) -> None:
    article = newsroom.read("a.md", yaml("title: T", line))
    assert [author.name for author in article.authors] == ["Ann Lee", "Bo Ek"]
    assert article.byline == "Ann Lee and Bo Ek"


def test_an_author_may_have_address_page_and_biography(newsroom: Newsroom) -> None:
    text = yaml(
        "title: T",
        "authors:",
        "  - Ann Lee <ann@news.test>",
        "  - name: Bo Ek",
        "    bio: Writes.",
        "    url: /bo",
        "  - mei-tanaka",
    )
    assert newsroom.read("a.md", text).authors == (
        Author("Ann Lee", email="ann@news.test"),
        Author("Bo Ek", "Writes.", url="https://news.test/bo"),
        Author("Mei Tanaka", "Covers cables."),
    )


def test_a_suffix_belongs_to_its_name(newsroom: Newsroom) -> None:
    article = newsroom.read("a.md", yaml("title: T", "author: John Doe, Jr., Ann Lee"))
    assert [author.name for author in article.authors] == ["John Doe, Jr.", "Ann Lee"]


def test_regions_and_countries_add_up_and_categories_are_tags(newsroom: Newsroom) -> None:
    text = yaml(
        "title: T",
        "countries: [Norway, se]",
        "region: Denmark",
        "categories: [Policy]",
        "tags: towers, fibre",
        "category: News",
    )
    article = newsroom.read("a.md", text)
    assert {place.code for place in article.regions} == {"NO", "SE", "DK"}
    assert set(article.tags) == {"Policy", "towers", "fibre"}
    assert article.section == "News"


def test_toml_front_matter_is_understood(newsroom: Newsroom) -> None:
    text = '+++\ntitle = "T"\ndate = 2024-10-24T09:30:00+02:00\ntags = ["a"]\nweight = 3\n[author]\nname = "N N"\n+++\n' + BODY
    article = newsroom.read("a.md", text)
    assert (article.title, article.tags, article.weight) == ("T", ("a",), 3)
    assert article.published.isoformat() == "2024-10-24T07:30:00+00:00"
    assert article.byline == "N N"


def test_headers_without_a_fence_are_understood(newsroom: Newsroom) -> None:
    article = newsroom.read("a.md", f"Title: T: a story\nDate: 2024-10-24\nTags: a, b\n\n{BODY}")
    assert (article.title, article.tags) == ("T: a story", ("a", "b"))


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        (yaml("title: a", "date: 2024-01-01", "title: b"), 4, "stands twice, first on line 2"),
        ("+++\ntitle='a'\n\ntitle='b'\n+++\n", 4, "cannot be read"),
        ("---\ntitle: a\n\nText.", 1, "never closed"),
        ("+++\ntitle='a'\n\nText.", 1, "never closed"),
        (yaml("title: China: it opens"), 2, "in quotes"),
        (yaml("title: a", "date: 2024-10-24", "\tregion: CN"), 4, "cannot be read"),
        (yaml("- a", "- b"), 2, "not a list of fields"),
        (yaml("just words"), 2, "not a list of fields"),
        (yaml("date: 2024-01-01", "title: ''"), 3, "the title is empty"),
        (yaml("date: 2024-01-01", "title:"), 3, "the title is empty"),
        (yaml("title: '{{ page.title }}'"), 2, "the title is empty"),
        (yaml("title: [a, b]"), 2, "must be one line of text"),
        (yaml("title: a", "", "date: 03/04/2024"), 4, "two different days"),
        (yaml("title: a", "draft: perhaps"), 3, "must be true or false"),
        (yaml("title: a", "weight: heavy"), 3, "whole number"),
        (yaml('title: "a\\ud800"'), 2, "cannot be read"),
        (yaml("title: a", "tags: &t [*t]"), 3, "nested too deeply"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(newsroom: Newsroom, text: str, line: int, part: str) -> None:
    errors = newsroom.errors("a.md", text)
    assert any(at == line and part in message for at, message in errors), errors


def test_a_rule_at_the_head_of_a_text_is_no_front_matter(newsroom: Newsroom) -> None:
    article = newsroom.read("a.md", f"---\n\n# A rule first\n\n{BODY}\n\n---\n\nThe end of it comes below the second rule.")
    assert article.title == "A rule first"
    assert "The end of it" in article.body


def test_yaml_never_makes_objects(newsroom: Newsroom) -> None:
    text = yaml("title: T", "author: !!python/object/apply:os.system ['touch /tmp/x']")
    reading = newsroom.reading("a.md", text)
    assert reading.article is None or reading.article.byline == "touch /tmp/x"


def test_aliases_that_multiply_are_read_in_time(newsroom: Newsroom) -> None:
    """Invariant 25: a billion laughs."""
    bomb = [f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcde", "bcdef", strict=True)]
    ((line, said),) = newsroom.errors("a.md", yaml("title: T", "a: &a [x, x, x]", *bomb))
    assert (line, "too large" in said) == (3, True)
    assert newsroom.read("a.md", yaml("title: &t T", "tags: [*t, *t]")).tags == ("T",)


@pytest.mark.parametrize(
    "lines",
    ["x: " + "[" * 100_000, "x:\n" + "".join(f"{' ' * n}- y:\n" for n in range(1, 200)), "x: &a [*a]", "- " * 40_000 + "x"],
)
def test_front_matter_nested_without_end_costs_its_file_alone(newsroom: Newsroom, lines: str) -> None:
    """The parser behind PyYAML ends the whole process on the first."""
    assert newsroom.errors("a.md", f"---\ntitle: T\n{lines}\n---\nText.\n")


@pytest.mark.parametrize("line", ["x = " + "9" * 5000, "x = " + "[" * 5000, "x = " + "[" * 5000 + "]" * 5000])
def test_toml_that_breaks_its_parser_costs_its_file_alone(newsroom: Newsroom, line: str) -> None:
    assert newsroom.errors("a.md", f"+++\ntitle = 'T'\n{line}\n+++\nText.\n")


def test_an_error_of_our_own_costs_its_file_alone_and_is_named(newsroom: Newsroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("content.cleaning.from_markdown", lambda text: 1 / 0)
    ((_, said),) = newsroom.errors("a.md", yaml("title: T"))
    assert "ZeroDivisionError" in said


@pytest.mark.parametrize("link", ["http://ex]ample.com/a.png", "//ex\u2100mple.com/a.png", "[x].png", "a%00.png"])
def test_a_link_that_is_none_is_left_out(newsroom: Newsroom, link: str) -> None:
    article = newsroom.read("a.md", yaml("title: T", f"image: '{link}'", f"author: {{name: Ann, url: '{link}'}}"))
    assert article.title == "T"


@pytest.mark.parametrize(
    ("line", "state"),
    [
        ("draft: true", State.DRAFT), ("draft: yes", State.DRAFT), ("published: false", State.DRAFT),
        ("draft: false", State.PUBLISHED),
        ("published: true", State.PUBLISHED), ("status: draft", State.DRAFT), ("status: retracted", State.WITHDRAWN),
        ("date: 2199-01-01", State.SCHEDULED), ("published: 2024-01-01", State.PUBLISHED),
    ],
)  # fmt: skip
def test_the_state_is_what_the_editor_says(newsroom: Newsroom, line: str, state: State) -> None:
    assert newsroom.read("a.md", yaml("title: T", line)).state is state


def test_a_draft_with_a_date_ahead_is_still_a_draft(newsroom: Newsroom) -> None:
    assert newsroom.read("a.md", yaml("title: T", "date: 2199-01-01", "draft: true")).state is State.DRAFT


@given(st.text(max_size=300))
def test_any_text_between_fences_is_fields_or_an_error_with_a_line(inner: str) -> None:
    text = f"---\n{inner}\n---\nbody".replace("\r", "\n")
    try:
        document = split(text)
    except FrontMatterError as error:
        line = error.line
    else:
        line = document.body_line
        assert set(document.lines) == set(document.fields)
        assert text.endswith(document.body)
    assert 1 <= line <= text.count("\n") + 3
