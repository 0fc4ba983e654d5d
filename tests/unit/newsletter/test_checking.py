"""What would embarrass us in an inbox is found before it is sent, and what is right is let through."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import mjml
import pytest
from desk import MJML, PICTURE, TXT, Desk
from newsroom import NOW

from content.article import Summary
from content.errors import DatelineError, Severity
from content.regions import resolve
from newsletter.checks.size import CLIP
from newsletter.editions import empty_since, explain, make
from newsletter.markup import ELEMENTS, require_placed


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    made = Desk(tmp_path / "site")
    made.report()
    return made


# What is right


def test_a_digest_in_order_may_go(desk: Desk) -> None:
    desk.report("towers", image=PICTURE)
    desk.join(3)
    desk.join(2, "CN")
    checked = desk.check()
    assert checked.findings == ()
    assert checked.may_go(strict=True)
    assert (checked.articles, checked.subject) == (2, "Daily: News of towers")


def test_articles_may_say_what_templates_leave_over(desk: Desk) -> None:
    """Invariant 38: braces and the like in an article are its words."""
    desk.report("templates", title="None of {{ this }} is undefined {% or %} NaN", section="Undefined ${x}")
    desk.report("second", title="Nobody says None", summary=Summary("None says *|this|*.", True))
    desk.report("third", title="A long title that will be cut off in the middle of the preview line, None of it lost {{ x }}")
    assert desk.found("leftovers") == []


def test_right_to_left_news_may_go(desk: Desk) -> None:
    desk.set(site__language="ar")
    desk.report("arabic", title="الصين تفتح سوق مراكز البيانات", summary=Summary("الخبر.", True))
    assert desk.check().findings == ()


def test_without_an_article_there_is_nothing_to_check(tmp_path: Path) -> None:
    with pytest.raises(DatelineError, match="publish some first"):
        Desk(tmp_path / "site").check()


def test_an_edition_that_would_be_empty_is_a_warning_and_explained_the_same_way(desk: Desk) -> None:
    desk.join(1)
    assert not desk.check().empty and empty_since(desk.press, NOW) is None
    assert make(desk.press, NOW.date(), NOW, scheduled=False).edition
    assert not any(choice.included for choice in explain(desk.press, NOW))
    checked = desk.check()
    assert checked.empty and checked.may_go() and not checked.may_go(strict=True)
    (found,) = checked.findings
    assert (found.rule, found.severity) == ("empty", Severity.WARNING)
    assert f"nothing is new since {NOW.date()}: the next edition would be empty" in found.problem
    desk.report("more")
    assert not desk.check().empty and any(choice.included for choice in explain(desk.press, NOW))


def test_nothing_is_recorded(desk: Desk) -> None:
    desk.join(1)
    with desk.press.engine.connect() as connection:
        before = (
            connection.exec_driver_sql("SELECT count(*) FROM editions").scalar(),
            connection.exec_driver_sql("SELECT count(*) FROM deliveries").scalar(),
        )
        desk.check()
        after = (
            connection.exec_driver_sql("SELECT count(*) FROM editions").scalar(),
            connection.exec_driver_sql("SELECT count(*) FROM deliveries").scalar(),
        )
    assert before == after == (0, 0)


# What is wrong, one thing at a time: template, what it becomes, rule, severity, words of the finding

UNSUBSCRIBE_LINK = 'href="{{ unsubscribe_url }}"'
FOOTER = '<mj-text padding="18px 24px 40px">'


@pytest.mark.parametrize(
    ("template", "before", "after", "rule", "severity", "words"),
    [
        (MJML, "Unsubscribe</a>", "Unsubscribe {{ '{{ name }}' }}</a>", "leftovers", "error", "{{"),
        (MJML, "Unsubscribe</a>", "Unsubscribe {{ none }}</a>", "leftovers", "error", "None"),
        (MJML, "Unsubscribe</a>", "Unsubscribe slot-0123456789abcdef-name</a>", "leftovers", "error", "slot-0123456789abcdef-name"),
        (TXT, "Unsubscribe:", "Dear {{ none }}, unsubscribe:", "leftovers", "error", "None"),
        (TXT, "Unsubscribe:", "*|FNAME|* Unsubscribe:", "leftovers", "error", "*|"),
        (TXT, "Unsubscribe: {{ unsubscribe_url }}", "", "links", "error", "the text part has no link for leaving"),
        (MJML, UNSUBSCRIBE_LINK, 'href="{{ site.url }}"', "links", "error", "the HTML part has no link for leaving"),
        (MJML, "Unsubscribe</a>", "Unsubscribe</a> <a class='ink' href=''>x</a>", "links", "error", "no address"),
        (MJML, "Unsubscribe</a>", "Unsubscribe</a> <a class='ink' href='#'>x</a>", "links", "error", "no address"),
        (MJML, "Unsubscribe</a>", "Unsubscribe</a> <a class='ink' href='/about'>x</a>", "links", "error", "no site in front"),
        (MJML, "Unsubscribe</a>", "Unsubscribe</a> <a class='ink' href='javascript:alert(1)'>x</a>", "links", "error", "not a link"),
        (MJML, "Unsubscribe</a>", "Unsubscribe</a> <a class='ink' href='ftp://a.test/x'>x</a>", "links", "warning", "ftp:"),
        (MJML, "Unsubscribe</a>", "Unsubscribe</a> <a class='ink' href='https://[x'>x</a>", "links", "error", "not an address"),
        (TXT, "Unsubscribe:", "See http://localhost:8000/ Unsubscribe:", "links", "error", "localhost"),
        (TXT, "Unsubscribe:", "See http://other.test/ Unsubscribe:", "links", "warning", "http"),
        (TXT, "\n{{ a.url }}\n", "\n", "parts", "error", "the text part has no link to article “News of cables”"),
        (MJML, 'href="{{ a.url }}"', 'href="{{ site.url }}"', "parts", "error", "the HTML part has no link to article"),
        (MJML, "Unsubscribe</a>", "Unsubscribe</a> <a class='ink' href='https://social.test/us'>x</a>", "parts", "warning", "https://social.test/us"),
        (MJML, "color:#161616;text-decoration:underline", "color:#949494;text-decoration:underline", "contrast", "error", "in light mode “Change what you get” (#949494 on #ffffff) has a contrast of 3.03, and needs 4.5"),
        (MJML, ".ink { color: #f3f2ee !important; }", "", "contrast", "error", "in dark mode"),
        (MJML, "background-color=\"#ffffff\"", "background-color=\"#777777\"", "contrast", "error", "on #777777"),
        (MJML, FOOTER, FOOTER + '<p style="color:hotpinkish">x</p>', "contrast", "warning", "'hotpinkish'"),
        (MJML, FOOTER, FOOTER + '<p style="background:url(https://a.test/x.png)">Words</p>', "contrast", "warning", "on a picture"),
        (MJML, "{{ edition.subject }}</mj-title>", "</mj-title>", "structure", "error", "no title"),
        (MJML, '<mjml lang="{{ site.language }}" ', "<mjml ", "structure", "error", "does not say its language"),
        (MJML, 'lang="{{ site.language }}"', 'lang="de"', "structure", "warning", "its language is de"),
        (MJML, FOOTER, FOOTER + "<h1 class=\"ink\">Again</h1>", "structure", "warning", "2 h1"),
        (MJML, FOOTER, FOOTER + "<h4 class=\"ink\">Deep</h4>", "structure", "warning", "jumps from h2 to h4"),
        (MJML, FOOTER, FOOTER + "<h2> </h2>", "structure", "warning", "a heading is empty"),
        (MJML, FOOTER, FOOTER + "<table><tr><td class='ink'>x</td></tr></table>", "structure", "warning", "a table for layout"),
        (MJML, FOOTER, FOOTER + '<img src="https://a.test/x.png" width="10">', "images", "error", "has no alt"),
        (MJML, FOOTER, FOOTER + '<img src="https://a.test/x.png" alt="x">', "images", "error", "has no width"),
        (MJML, FOOTER, FOOTER + '<img src="x.png" alt="x" width="10">', "images", "error", "no absolute address"),
        (MJML, FOOTER, FOOTER + '<img src="http://a.test/x.png" alt="x" width="10">', "images", "error", "is http"),
        (MJML, FOOTER, FOOTER + '<img src="https://10.0.0.9/x.png" alt="x" width="10">', "images", "error", "a private address"),
        (MJML, FOOTER, FOOTER + '<img src="data:image/png;base64,AAAA" alt="x" width="10">', "images", "error", "in the message itself"),
        (MJML, "{{ postal_address }}</p>", "</p>", "address", "warning", "the HTML part does not show newsletter.postal_address"),
        (TXT, "{{ wrap(postal_address) }}", "", "address", "warning", "the text part does not show newsletter.postal_address"),
        (MJML, "<mj-raw>", "<mj-raw", "template", "error", "digest.mjml is not valid MJML"),
        (MJML, "{{ edition.preview }}", "", "subject", "warning", "no preview line"),
        (MJML, "{{ edition.preview }}", "{{ edition.subject }}", "subject", "warning", "what the subject says"),
    ],
)  # fmt: skip
def test_what_a_changed_template_spoils_is_found(
    desk: Desk, template: str, before: str, after: str, rule: str, severity: str, words: str
) -> None:
    desk.edit(template, before, after)
    findings = desk.check().findings
    matching = [one for one in findings if one.rule == rule and words in f"{one.where} {one.problem}"]
    assert matching, [str(one) for one in findings]
    assert {one.severity.value for one in matching} == {severity}
    assert all(one.advice and one.where for one in findings)
    assert all(one.rule == rule for one in findings if one.severity is Severity.ERROR), [str(one) for one in findings]
    assert desk.check().may_go() is (severity == "warning")
    assert not desk.check().may_go(strict=True)


def test_a_finding_names_the_line_of_the_template(desk: Desk) -> None:
    line = desk.edit(MJML, "color:#161616;text-decoration:underline", "color:#949494;text-decoration:underline")
    finding = desk.only("contrast")
    assert finding.where == f"{desk.root / 'templates' / MJML}:{line}"
    assert "#767676 would do" in finding.advice


def test_what_the_macro_of_stories_spoils_is_named_once(desk: Desk) -> None:
    desk.report("towers")
    line = desk.edit(MJML, 'class="acc" style="color:#a3271a"', 'class="acc" style="color:#ff8877"')
    assert desk.only("contrast").where == f"{desk.root / 'templates' / MJML}:{line}"


def test_a_template_that_cannot_be_rendered_is_a_finding_with_its_line(desk: Desk) -> None:
    line = desk.edit(MJML, "{{ postal_address }}</p>", "{{ postal_adress }}</p>")
    checked = desk.check()
    (finding,) = checked.findings
    assert finding.rule == "template" and finding.where == f"{desk.root / 'templates' / MJML}:{line}"
    assert "postal_adress" in finding.problem
    assert not checked.may_go()


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ('<mj-txt padding="15px 24px 0px">', "there is no <mj-txt>; did you mean <mj-text>?"),
        ('<mj-chart/><mj-text padding="15px 24px 0px">', "there is no <mj-chart>"),
        ('<mj-navbar-link/><mj-text padding="15px 24px 0px">', "<mj-navbar-link> cannot stand where it does"),
    ],
)
def test_an_element_that_mjml_passes_by_is_an_error_with_its_line(desk: Desk, after: str, words: str) -> None:
    before = '<mj-text padding="15px 24px 0px">'
    text = (desk.root / "templates" / MJML).read_text("utf-8")
    end = text.index("</mj-text>", text.index(before))
    if after.startswith("<mj-txt"):
        (desk.root / "templates" / MJML).write_text(text[:end] + "</mj-txt>" + text[end + 10 :], "utf-8")
    line = desk.edit(MJML, before, after)
    found = desk.only("template")
    assert found.severity is Severity.ERROR
    assert found.where.endswith(f"templates/digest.mjml:{line}") and words in found.problem
    desk.join(1)
    with pytest.raises(DatelineError, match=re.escape(words)):
        make(desk.press, NOW.date(), NOW, scheduled=False)


def test_an_element_in_a_comment_or_in_an_article_is_none(desk: Desk) -> None:
    desk.report("markup", title="Why <mj-txt> is no element", summary=Summary("It is <mj-text>.", True))
    desk.edit(MJML, "<mj-section>", "<!-- no <mj-sect> here --><mj-section>")
    assert desk.check().findings == ()


def test_mjml_knows_every_element_that_is_let_through() -> None:
    around = {
        "mj-accordion-element": "mj-accordion", "mj-accordion-text": "mj-accordion-element",
        "mj-accordion-title": "mj-accordion-element", "mj-carousel-image": "mj-carousel", "mj-navbar-link": "mj-navbar",
        "mj-social-element": "mj-social", "mj-all": "mj-attributes", "mj-class": "mj-attributes",
    }  # fmt: skip
    heads = {"mj-attributes", "mj-breakpoint", "mj-font", "mj-preview", "mj-style", "mj-title"}
    for name in ELEMENTS - {"mj-body", "mj-head", "mj-include"}:
        extra = ' name="x" href="https://x.test/"' if name in ("mj-social-element", "mj-font", "mj-class") else ""
        markup, outer = f"<{name}{extra} />", name
        while outer in around:
            outer = around[outer]
            markup = f"<{outer}>{markup}</{outer}>"
        if outer in heads:
            page = f"<mjml><mj-head>{markup}</mj-head><mj-body></mj-body></mjml>"
        elif outer in ("mj-section", "mj-wrapper", "mj-hero"):
            page = f"<mjml><mj-body>{markup}</mj-body></mjml>"
        elif outer in ("mj-column", "mj-group"):
            page = f"<mjml><mj-body><mj-section>{markup}</mj-section></mj-body></mjml>"
        else:
            page = f"<mjml><mj-body><mj-section><mj-column>{markup}</mj-column></mj-section></mj-body></mjml>"
        require_placed(Path("page.mjml"), mjml.mjml2html(page))


def test_dark_rules_are_followed_where_inline_styles_would_hide_them(desk: Desk) -> None:
    desk.edit(MJML, ".dim { color: #a5a49f !important; }", ".dim { color: #a5a49f; }")
    assert {one.severity for one in desk.found("contrast")} == {Severity.ERROR}
    assert all("in dark mode" in one.problem for one in desk.found("contrast"))


def test_large_text_needs_less_contrast(desk: Desk) -> None:
    desk.edit(MJML, FOOTER, FOOTER + '<p class="big" style="color:#949494;font:400 24px/30px serif">Large</p>')
    desk.edit(MJML, ".rule p {", ".big { color: #777777 !important } .rule p {")
    assert desk.found("contrast") == []
    desk.edit(MJML, "font:400 24px/30px serif", "font:400 23px/30px serif")
    assert len(desk.found("contrast")) == 2


def test_without_dark_rules_the_browser_decides_and_dark_text_on_dark_is_seen(desk: Desk) -> None:
    desk.edit(
        MJML, "body, .bg { background-color: #151617 !important; }", "body, .bg { background-color: transparent !important; }"
    )
    for rule in ("ink", "txt", "dim"):
        path = desk.root / "templates" / MJML
        path.write_text("\n".join(line for line in path.read_text().splitlines() if f"        .{rule} " not in line))
    assert any("on #121212" in one.problem for one in desk.found("contrast"))


# Articles and settings


def test_a_message_that_gmail_clips_names_what_weighs_most(desk: Desk) -> None:
    desk.set(digest__limit=100)
    for number in range(30):
        desk.report(f"n{number}")
    for number in range(4):
        desk.report(f"long{number}", summary=Summary("A long story. " * 1500, True))
    checked = desk.check()
    (finding,) = [one for one in checked.findings if one.rule == "size"]
    assert finding.severity is Severity.ERROR
    assert finding.advice.count("News of long") == 3 and "News of n" not in finding.advice
    limit = re.match(r"set limit to (\d+),", finding.advice)
    assert limit
    desk.set(digest__limit=int(limit[1]))
    assert desk.check().findings == ()
    desk.set(digest__limit=int(limit[1]) + 1)
    assert [one.rule for one in desk.check().findings] == ["size"]
    assert checked.size and checked.size.html > CLIP


def test_ninety_per_cent_of_the_clip_is_a_warning_and_the_text_part_counts(desk: Desk) -> None:
    desk.report("long", summary=Summary("x" * 42_000, True))
    checked = desk.check()
    (finding,) = [one for one in checked.findings if one.rule == "size"]
    assert finding.severity is Severity.WARNING and "the message has" in finding.problem
    assert checked.size and checked.size.html < 0.9 * CLIP < checked.size.message < CLIP


def test_a_variant_of_few_members_is_looked_through_too(desk: Desk) -> None:
    desk.join(5)
    desk.join(1, "KE")
    desk.report("kenya", regions=tuple(resolve(["KE"])[0]), published=NOW - timedelta(hours=9),
                image=replace(PICTURE, alt=""))  # fmt: skip
    # The picture stands in the message only where its article leads.
    finding = desk.only("images")
    assert finding.severity is Severity.WARNING and "News of kenya" in finding.where
    assert desk.check().variants == 2


@pytest.mark.parametrize(
    ("change", "rule", "severity", "words"),
    [
        ({"digest__subject": "{{ articles[0].title }} " + "and more " * 8}, "subject", "warning", "characters"),
        ({"digest__subject": " ", "digest__title": ""}, "subject", "error", "the subject is empty"),
        ({"digest__subject": "{{ '{{ title }}' }}"}, "leftovers", "error", "{{"),
        ({"newsletter__postal_address": ""}, "address", "warning", "no postal address"),
        ({"site__url": "http://news.test"}, "headers", "error", "no https address"),
        ({"site__url": "http://news.test"}, "links", "warning", "http"),
        ({"site__url": "https://localhost:8000"}, "links", "error", "localhost"),
    ],
)
def test_what_settings_spoil_is_found(desk: Desk, change: dict[str, object], rule: str, severity: str, words: str) -> None:
    desk.set(**change)
    assert any(one.severity.value == severity and words in one.problem for one in desk.found(rule))


def test_a_postal_address_must_be_there_for_more_than_a_hundred(desk: Desk) -> None:
    desk.set(newsletter__postal_address="")
    desk.join(101)
    assert desk.only("address").severity is Severity.ERROR


def test_the_way_out_by_mail_is_in_the_header_where_it_is_configured(desk: Desk) -> None:
    desk.set(newsletter__unsubscribe_email="leave@example.com")
    assert desk.found("headers") == []


def test_one_http_link_after_the_other_is_one_finding(desk: Desk) -> None:
    desk.set(site__url="http://news.test")
    (finding,) = desk.found("links")
    assert finding.where == "site.url" and "links to news.test are http" in finding.problem


def test_an_article_whose_page_is_not_published_is_named(desk: Desk) -> None:
    desk.public = desk.root / "public"
    (desk.public / "articles" / "cables").mkdir(parents=True)
    (desk.public / "index.html").write_text("x")
    finding = desk.only("links")
    assert finding.severity is Severity.ERROR and finding.where == "article “News of cables”"
    (desk.public / "articles" / "cables" / "index.html").write_text("x")
    assert desk.check().findings == ()


def test_a_picture_that_is_not_published_or_heavy_is_named(desk: Desk) -> None:
    desk.report("first", image=PICTURE, published=NOW)
    desk.public = desk.root / "public"
    for name in ("cables", "first"):
        (desk.public / "articles" / name).mkdir(parents=True)
        (desk.public / "articles" / name / "index.html").write_text("x")
    (desk.public / "index.html").write_text("x")
    assert "is not in" in desk.only("images").problem
    (desk.public / "media").mkdir()
    (desk.public / "media" / "p.png").write_bytes(b"x" * 2_000_000)
    assert "2.0 MB" in desk.only("images").problem


def test_no_link_leads_the_check_out_of_the_public_folder(desk: Desk) -> None:
    """Invariant 28, for reading: what such a link names is not looked for."""
    desk.public = desk.root / "public"
    (desk.public / "articles" / "cables").mkdir(parents=True)
    for page in ("index.html", "articles/cables/index.html"):
        (desk.public / page).write_text("x")
    desk.edit(TXT, "Unsubscribe:", "See https://news.test/../secret.db Unsubscribe:")
    assert desk.check().findings == ()


def test_a_linked_picture_without_words_has_nothing_to_read_out(desk: Desk) -> None:
    desk.edit(MJML, "{% if a.image.alt %}<a href", "{% if true %}<a href")
    desk.edit(MJML, "{%- if a.image.alt %}</a>", "{%- if true %}</a>")
    desk.report("first", image=replace(PICTURE, alt=""), published=NOW)
    assert "a link without words" in desk.only("images").problem
