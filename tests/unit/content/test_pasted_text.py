"""Texts that an editor copied from a page: what is title, standfirst, author, date and story, and what is the page's."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from newsroom import Newsroom

from content.pasted import paragraphs, read_pasted

STORY = "Kenya will auction spectrum in the 700 MHz band in March, the regulator said on Thursday."
MORE = "Four operators have asked for the papers. They have until June."
TITLE = "Kenya Sets Date for Spectrum Auction"


@dataclass(frozen=True)
class Paste:
    name: str
    head: str
    author: str = ""
    date: str = "2024-10-24"
    standfirst: str = ""
    section: str = ""
    biography: str = ""
    title: str = TITLE


PASTES = [
    Paste("nothing but a title", TITLE, date=""),
    Paste("a byline and a date", f"{TITLE}\nBy Amina Odhiambo\nOctober 24, 2024", "Amina Odhiambo"),
    Paste("a byline without By", f"{TITLE}\n\nAmina Odhiambo\n\nOctober 24, 2024", "Amina Odhiambo"),
    Paste("all on one line", f"{TITLE}\nBy Amina Odhiambo | October 24, 2024 | 3 min read", "Amina Odhiambo"),
    Paste("a dot between", f"{TITLE}\nAmina Odhiambo · 24 Oct 2024 · 3 minute read", "Amina Odhiambo"),
    Paste("a capital byline", f"{TITLE}\nBY AMINA ODHIAMBO\nOct. 24, 2024", "AMINA ODHIAMBO"),
    Paste("two authors", f"{TITLE}\nBy Amina Odhiambo and Lee O'Brien\n24/10/2024", "Amina Odhiambo and Lee O'Brien"),
    Paste("a role", f"{TITLE}\nAmina Odhiambo, Senior Reporter\n2024-10-24", "Amina Odhiambo", biography="Senior Reporter"),
    Paste("a biography line", f"{TITLE}\nAmina Odhiambo\nAmina Odhiambo covers African carriers.\nOctober 24, 2024\n1 Min Read",
          "Amina Odhiambo", biography="Amina Odhiambo covers African carriers."),
    Paste("a standfirst", f"{TITLE}\nThe regulator wants four bidders and a cheaper floor\nBy Amina Odhiambo\nOctober 24, 2024",
          "Amina Odhiambo", standfirst="The regulator wants four bidders and a cheaper floor"),
    Paste("a place between", f"{TITLE}\nThe regulator wants four bidders\nBy Amina Odhiambo\nNairobi\nOctober 24, 2024",
          "Amina Odhiambo", standfirst="The regulator wants four bidders"),
    Paste("a handle between", f"{TITLE}\nAmina Odhiambo\n@amina_o\nOct 24, 2024", "Amina Odhiambo"),
    Paste("updated before published", f"{TITLE}\nLast updated: 25 October 2024\nFirst published: 24 October 2024"),
    Paste("the author above", f"Amina Odhiambo\nOctober 24, 2024\n\n{TITLE}", "Amina Odhiambo"),
    Paste("the date above", f"October 24, 2024\n{TITLE}"),
    Paste("a section above", f"REGULATION\nOctober 24, 2024\n{TITLE}\nThe regulator wants four bidders\nAmina Odhiambo",
          "Amina Odhiambo", standfirst="The regulator wants four bidders", section="Regulation"),
    Paste("the way there and buttons", f"Home\nNews\nRegulation\n{TITLE}\nShare\nFacebook\nAmina Odhiambo\nOct 24, 2024, 9:15 AM\n4 Comments",
          "Amina Odhiambo", section="Regulation"),
    Paste("a Chinese byline", f"{TITLE}\n作者:李明\n2024年10月24日", "李明"),
    Paste("German", f"{TITLE}\nDer Regulierer will vier Bieter sehen\nVon Lena Brandt\n24. Oktober 2024\nLesezeit: 2 Minuten",
          "Lena Brandt", standfirst="Der Regulierer will vier Bieter sehen"),
    Paste("French", f"{TITLE}\nPar Jean Dupont\nPublié le 24 octobre 2024 à 09h15", "Jean Dupont"),
    Paste("Markdown", f"# {TITLE}\n\n*By Amina Odhiambo*  \n*October 24, 2024*", "Amina Odhiambo"),
    Paste("labels", f"Headline: {TITLE}\nStandfirst: The regulator wants four bidders now\n24 Oct 2024",
          standfirst="The regulator wants four bidders now"),
]  # fmt: skip


@pytest.mark.parametrize("paste", PASTES, ids=lambda paste: paste.name)
def test_the_head_of_a_page_is_understood(newsroom: Newsroom, paste: Paste) -> None:
    reading = newsroom.reading("a.txt", f"{paste.head}\n\n{STORY}\n\n{MORE}\n")
    article = reading.article
    assert article
    assert article.title == paste.title
    assert article.byline == paste.author
    assert (article.published.date().isoformat() if reading.dated else "") == paste.date
    assert (article.summary.text if article.summary.written else "") == paste.standfirst
    assert article.section == paste.section
    assert (article.authors[0].biography if article.authors else "") == paste.biography
    assert article.body == f"<p>{STORY}</p>\n<p>{MORE}</p>"


@pytest.mark.parametrize(
    "box",
    [
        "You may also like\nUganda lifts its levy\nGhana mends its cables",
        "You may also like: Uganda lifts its levy",
        "Subscribe: join 56,000+ members, it is free",
        "Subscribe\nJoin 56,000+ members\nIt is free",
        "Join 56,000+ members who read us every day",
        "## Related stories\n- Uganda lifts its levy",
        "Sign up for our newsletter\nYour email",
        "© 2024 The Daily Test. All rights reserved.",
        "About the author\nAmina Odhiambo covers African carriers from Nairobi.",
        "Advertisement\nTags:\nspectrum, Kenya",
    ],
)
def test_boxes_below_the_story_are_left_out_and_named(newsroom: Newsroom, box: str) -> None:
    reading = newsroom.reading("a.txt", f"{TITLE}\nBy Amina Odhiambo\n24 Oct 2024\n\n{STORY}\n\n{MORE}\n\n{box}\n")
    assert reading.article
    assert reading.article.body == f"<p>{STORY}</p>\n<p>{MORE}</p>"
    (warning,) = reading.problems
    assert warning.line == 9
    assert "left out" in warning.message


@pytest.mark.parametrize("box", ["Advertisement", "Related", "Subscribe now", "Read more"])
def test_a_box_between_paragraphs_never_costs_the_rest_of_the_story(newsroom: Newsroom, box: str) -> None:
    rest = [
        "The floor is half of what it was in the last auction, which nobody came to.",
        "Safaricom said that it would bid, and Airtel that it had not made up its mind.",
    ]
    article = newsroom.read("a.txt", "\n\n".join([TITLE, STORY, box, *rest]))
    assert all(f"<p>{part}</p>" in article.body for part in (STORY, *rest))


@pytest.mark.parametrize("label", ["Advertisement", "Comments", "Share on Facebook", "Tags"])
def test_a_label_between_paragraphs_does_not_cost_one_short_sentence(newsroom: Newsroom, label: str) -> None:
    reading = newsroom.reading(
        "a.txt", f"{TITLE}\n\n{STORY}\n\n{label}\n\nHe declined to say when.\n\nRelated\nUganda lifts its levy"
    )
    assert reading.article
    assert "<p>He declined to say when.</p>" in reading.article.body
    assert "Uganda" not in reading.article.body
    assert [warning.line for warning in reading.problems] == (
        [5, 9] if label in ("Advertisement", "Share on Facebook") else [9]
    )


@pytest.mark.parametrize("button", ["Share on Facebook", "Tweet", "Share this article via WhatsApp", "Share on X"])
def test_a_button_above_or_below_the_title_is_neither_title_nor_text(newsroom: Newsroom, button: str) -> None:
    for text in (f"{button}\n{TITLE}\n\n{STORY}", f"{TITLE}\n{button}\n\n{STORY}"):
        article = newsroom.read("a.txt", text)
        assert article.title == TITLE
        assert article.body == f"<p>{STORY}</p>"


@pytest.mark.parametrize(
    "opening",
    [
        "By 2030 all households will have fibre, the minister said.",
        "By the end of the year all carriers will have to share their towers, the regulator said.",
        "Von der Leyen will den Netzausbau beschleunigen.",
        "In October 24, 2024 people joined the programme that the carrier had set up for them.",
    ],
)
def test_a_story_that_opens_like_a_byline_or_a_date_keeps_its_opening(newsroom: Newsroom, opening: str) -> None:
    article = newsroom.read("a.txt", f"{TITLE}\n\n{opening}\n\n{MORE}\n")
    assert article.authors == ()
    assert article.body == f"<p>{opening}</p>\n<p>{MORE}</p>"


def test_a_date_that_means_two_days_is_an_error_with_its_line(newsroom: Newsroom) -> None:
    ((line, message),) = newsroom.errors("a.txt", f"{TITLE}\nBy Amina Odhiambo\n\nUpdated 03/04/2024\n\n{STORY}")
    assert line == 4
    assert "two days" in message


def test_a_paragraph_is_no_title(newsroom: Newsroom) -> None:
    ((line, message),) = newsroom.errors("a.txt", "\n" + STORY * 10)
    assert line == 2
    assert "is no title" in message


def test_a_title_in_markdown_loses_its_marks(newsroom: Newsroom) -> None:
    article = newsroom.read("a.md", f"# Kenya *sets* `date` for [auction](x) & more {{#id}}\n\n{STORY}\n")
    assert article.title == "Kenya sets date for auction & more"


def test_lines_that_were_wrapped_become_paragraphs_again() -> None:
    text = "Chile has licensed two firms to offer satellite\nservice to ordinary phones, the regulator said\non Thursday.\n\nThey run for ten years and cover the country,\nall of it."
    assert paragraphs(text) == [
        "Chile has licensed two firms to offer satellite service to ordinary phones, the regulator said on Thursday.",
        "They run for ten years and cover the country, all of it.",
    ]


def test_paragraphs_of_one_line_stay_apart() -> None:
    lines = [
        "AT&T has sold its copper network in Connecticut for $1.2bn.",
        "The buyer will switch it off by 2028.",
        '"It is old."',
    ]
    assert paragraphs("\n".join(lines)) == lines
    assert paragraphs("\n".join(lines[:2])) == lines[:2]


def test_the_items_of_a_list_stay_apart() -> None:
    lines = ["1. Brazil's decision on the poles of its power firms", "2. The FCC meeting", "3. Vodafone's results"]
    assert paragraphs("\n".join(lines)) == lines


@settings(max_examples=200)
@given(
    st.lists(
        st.sampled_from(
            [
                "Home",
                TITLE,
                STORY,
                MORE,
                "By Ann Lee",
                "Ann Lee",
                "24 Oct 2024",
                "1 Min Read",
                "",
                "Related",
                "NEWS",
                "03/04/2024",
                "---",
                "# H",
                "Share",
            ]
        ),
        max_size=16,
    )
)
def test_no_sentence_of_a_story_is_lost_whatever_stands_around_it(lines: list[str]) -> None:
    from datetime import UTC

    pasted = read_pasted("\n".join(lines), UTC)
    kept = " ".join([pasted.title, pasted.standfirst, pasted.body, pasted.biography])
    for number, line in enumerate(lines, start=1):
        if line in (STORY, MORE):
            assert line in kept or number in pasted.left_out
    assert 1 <= pasted.title_line <= max(1, len(lines))
    assert "\n" not in pasted.title


def test_dates_within_the_story_stay_in_it(newsroom: Newsroom) -> None:
    story = ["Talks begin.", "Mar 3, 2024", "Board approves.", "June 9, 2024", "The deal closes."]
    article = newsroom.read("a.txt", "\n".join(["How the merger came about", "Jan 5, 2024", *story]))
    assert article.published.date().isoformat() == "2024-01-05"
    assert [part in article.body for part in story] == [True] * 5


def test_a_text_of_nothing_but_labels_is_read_in_time(newsroom: Newsroom) -> None:
    newsroom.reading("a.txt", "Title of it\n" + "Share\nRelated\n" * 20_000 + f"{STORY}\n" * 3)
