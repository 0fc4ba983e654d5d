"""The lead of an article: whole sentences, about 200 characters, never half a word."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsroom import Newsroom

from content.text import LEAD_LIMIT, count_words, lead, one_line, plain, reading_minutes, sentences, shorten, xml_safe


@pytest.mark.parametrize(
    "parts",
    [
        ["Mr. Smith of Acme Inc. said so.", "He left at 5 p.m. on Friday.", "It cost $1.2bn."],
        ["U.S. carriers rose 3.5 per cent.", "No. 5 is alive!", "Is it?", "“It is.”", "So he said."],
        ["J. R. R. Tolkien lived in St. Albans.", "See www.example.com for more.", "The end…", "Or not."],
        ["工信部宣布。", "外资企业可以独资经营！", "真的吗？"],
        ["यह पहला वाक्य है।", "यह दूसरा वाक्य है।"],
        ["Das gilt ab 2030.", "»Wirklich.«", "Sagt er."],
    ],
)
def test_sentences_end_where_readers_see_them_end(parts: list[str]) -> None:
    text = ("" if parts[0].endswith("。") else " ").join(parts)
    assert list(sentences(text)) == parts


def test_a_lead_is_made_of_whole_sentences_of_the_opening() -> None:
    first, second = f"The regulator {'really ' * 12}said so.", f"Carriers {'really ' * 10}cheered."
    text = lead(
        f"<h2>Head</h2><figure><figcaption>A picture.</figcaption></figure><p>{first}</p><p>{second} {'More. ' * 50}</p>"
    )
    assert text == f"{first} {second}"


def test_a_lead_passes_over_lists_tables_and_quotations_when_there_is_a_paragraph() -> None:
    story = "The regulator said on Thursday that the rules will change."
    assert (
        lead(
            f"<blockquote><p>Some quotation that is rather long, all in all.</p></blockquote><ul><li>a</li></ul><p>{story}</p>"
        )
        == story
    )
    assert lead("<ul><li>Only a list.</li></ul>") == "Only a list."
    assert lead("") == ""


def test_a_sentence_that_is_too_long_is_cut_between_words() -> None:
    text = lead(f"<p>{'wonderful ' * 60}.</p>")
    assert text.endswith("wonderful…")
    assert len(text) <= LEAD_LIMIT


def test_a_script_without_blanks_is_cut_at_any_character() -> None:
    text = lead(f"<p>{'中国' * 300}</p>")
    assert len(text) == LEAD_LIMIT


@given(st.lists(st.text("abc .!?。\n<&'\"", max_size=40), max_size=20))
def test_a_lead_is_never_long_and_never_half_a_word(parts: list[str]) -> None:
    from content.cleaning import clean, from_paragraphs

    markup = clean(from_paragraphs(parts), lambda link: None)
    text = lead(markup)
    assert len(text) <= LEAD_LIMIT
    assert text == one_line(text)
    if not text.endswith("…"):
        # A full stop of Chinese ends a sentence without a blank behind it.
        said, written = (one.replace("。", "。 ").split() for one in (text, plain(markup)))
        assert set(said) <= set(written)


@given(st.text(max_size=80), st.integers(2, 60))
def test_what_is_shortened_fits(text: str, limit: int) -> None:
    text = one_line(text)
    short = shorten(text, limit)
    assert len(short) <= limit
    assert short == text if len(text) <= limit else short.endswith("…")


def test_a_written_summary_is_plain_and_known_as_written(newsroom: Newsroom) -> None:
    summary = newsroom.read("a.md", "---\ntitle: T\nsummary: '<p>A <b>bold</b> &amp; {{ x }} move</p>'\n---\nBody.").summary
    assert (summary.text, summary.written) == ("A bold & move", True)


def test_an_empty_summary_is_extracted(newsroom: Newsroom) -> None:
    summary = newsroom.read("a.md", "---\ntitle: T\nsummary: ''\n---\nThe body says it all.").summary
    assert (summary.text, summary.written) == ("The body says it all.", False)


@given(st.text(st.characters(codec=None)))
def test_xml_safe_text_holds_nothing_that_xml_forbids(text: str) -> None:
    """Invariant 25."""
    from lxml import etree

    safe = xml_safe(text)
    etree.fromstring(b"<a>" + safe.encode("utf-8").replace(b"&", b"&amp;").replace(b"<", b"&lt;") + b"</a>")
    assert xml_safe(safe) == safe


def test_words_are_counted_in_any_script() -> None:
    assert count_words("<p>Three little words</p><p>and don't e-mail 1,400</p>") == 7
    assert count_words("<p>中国四地开放</p>") == 3
    assert reading_minutes(0) == 1
    assert reading_minutes(900) == 4


@pytest.mark.parametrize("piece", ["e.g. ", "a. ", ".", "St. ", "? ", "。"])
def test_the_lead_of_a_hostile_text_is_found_in_time(piece: str) -> None:
    """Invariant 25."""
    started = time.monotonic()
    lead(f"<p>{piece * (2_000_000 // len(piece))}</p>")
    assert time.monotonic() - started < 5
