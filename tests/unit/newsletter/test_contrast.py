"""Colours are compared as WCAG 2.1 compares them, and the styles of a message are followed as a browser follows them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml.html import document_fromstring

from newsletter.checks.colour import BLACK, WHITE, Colour, contrast, nearest_readable, read_colour
from newsletter.checks.contrast import Text, read_texts
from newsletter.checks.links import why_unreachable

colours = st.builds(Colour, *[st.integers(0, 255)] * 3)


def seen(markup: str, scheme: str = "light") -> list[Text]:
    return list(read_texts(document_fromstring(markup), scheme))


def only(markup: str, scheme: str = "light") -> Text:
    (text,) = seen(markup, scheme)
    return text


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    # The first of each pair of neighbours fails the standard by a hair, as every checker has it.
    [("#000", "#fff", 21.0), ("#777777", "#ffffff", 4.48), ("#767676", "#ffffff", 4.54), ("#ff0000", "white", 4.0), ("#949494", "#fff", 3.03)],
)  # fmt: skip
def test_the_ratio_is_that_of_the_standard(one: str, other: str, ratio: float) -> None:
    first, second = read_colour(one), read_colour(other)
    assert first and second
    assert contrast(first, second) == contrast(second, first) == pytest.approx(ratio, abs=0.005)


@given(colours, colours, st.sampled_from([3.0, 4.5]))
def test_what_is_recommended_would_do(text: Colour, ground: Colour, needed: float) -> None:
    assert contrast(nearest_readable(text, ground, needed), ground) >= needed


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("#abc", Colour(170, 187, 204)), ("#AABBCC", Colour(170, 187, 204)), ("rgb(170, 187, 204)", Colour(170, 187, 204)),
        ("rgb(170 187 204 / 50%)", Colour(170, 187, 204, 0.5)), ("rgba(0,0,0,.25)", Colour(0, 0, 0, 0.25)),
        ("#00000080", Colour(0, 0, 0, 128 / 255)), ("Transparent", Colour(0, 0, 0, 0.0)), ("Navy", Colour(0, 0, 128)),
        ("var(--x)", None), ("#12345", None), ("oklch(1 0 0)", None), ("", None),
    ],
)  # fmt: skip
def test_colours_are_read_as_css_writes_them(written: str, meant: Colour | None) -> None:
    assert read_colour(written) == meant


@given(st.text(max_size=30))
def test_no_text_breaks_the_reading_of_a_colour(written: str) -> None:
    read_colour(written)


def test_a_colour_that_lets_through_is_seen_with_what_lies_below() -> None:
    text = only(
        '<body style="background:#ffffff"><div style="background-color:rgba(0,0,0,.5)"><p style="color:#fff">x</p></div>'
    )
    assert text.look.ground == Colour(128, 128, 128)


@pytest.mark.parametrize(
    ("rules", "colour"),
    [
        ("p { color: #111 } .a { color: #222 }", "#222222"),
        (".a { color: #222 } p { color: #111 }", "#222222"),
        ("#i { color: #333 } .a.b { color: #222 }", "#333333"),
        (".a { color: #111 } .a { color: #222 }", "#222222"),
        ("div .a { color: #222 } div > p { color: #111 }", "#222222"),
        ("body > p { color: #111 }", "#000000"),
        ("section p { color: #111 }", "#000000"),
        ("p:hover, p + p, p::before { color: #111 }", "#000000"),
        ("[data-x] p { color: #111 }", "#000000"),
        ("[class~=a] { color: #111 }", "#111111"),
        ("/* p { color: #111 } */ p { color: #222; }", "#222222"),
        ("@media print { p { color: #111 } }", "#000000"),
        ("@media (max-width: 400px) { p { color: #111 } }", "#000000"),
        ("@media only screen and (min-width: 480px) { p { color: #111 } }", "#111111"),
        ("@import url(x.css); p { color: #111 }", "#111111"),
        ("@font-face { font-family: x } p { color: #111", "#111111"),
    ],
)
def test_the_stronger_rule_wins(rules: str, colour: str) -> None:
    text = only(f"<head><style>{rules}</style></head><body><div><p id=i class='a b'>x</p></div></body>")
    assert str(text.look.colour) == colour


@pytest.mark.parametrize(("important", "scheme", "colour"), [
    ("!important", "dark", "#eeeeee"), ("", "dark", "#111111"), ("!important", "light", "#111111"),
])  # fmt: skip
def test_only_an_important_dark_rule_overrides_an_inline_style(important: str, scheme: str, colour: str) -> None:
    markup = f"""<head><style>@media (prefers-color-scheme: dark) {{ p {{ color: #eee {important} }} }}</style></head>
        <body><p style="color:#111">x</p></body>"""
    assert str(only(markup, scheme).look.colour) == colour


def test_hidden_text_and_filler_are_not_judged() -> None:
    assert (
        seen("<body><div style='display:none'>a</div><div style='max-height:0px'>b</div><p>&#847;&zwnj;&nbsp;</p></body>") == []
    )


def test_sizes_and_weights_are_inherited_and_multiplied() -> None:
    text = only("<body style='font-size:20px'><div style='font-size:120%'><b>x</b></div></body>")
    assert (text.look.size, text.look.weight, text.look.needed) == (24.0, 700, 3.0)
    assert only("<body style='font:700 14pt serif'>x</body>").look.needed == 3.0
    assert only("<body style='font:400 14pt serif'>x</body>").look.needed == 4.5


def test_a_page_that_says_it_can_be_dark_leaves_its_colours_to_the_browser() -> None:
    head = '<head><meta name="color-scheme" content="light dark"></head>'
    text = only(f"{head}<body><p>x</p></body>", "dark")
    assert (text.look.colour, str(text.look.ground)) == (WHITE, "#121212")
    text = only("<body><p>x</p></body>", "dark")
    assert (text.look.colour, text.look.ground) == (BLACK, WHITE)


@pytest.mark.parametrize("host", [
    "localhost", "LOCALHOST.", "a.localhost", "printer.local", "intranet", "127.0.0.1", "127.1", "0x7f.0.0.1", "2130706433", "10.1.2.3",
    "172.16.0.1", "192.168.1.1", "169.254.1.1", "100.64.0.1", "0.0.0.0", "::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.1", "db.internal",
])  # fmt: skip
def test_hosts_that_readers_cannot_reach_are_known(host: str) -> None:
    """Invariant 37, for what we would send others to."""
    assert why_unreachable(host)


@pytest.mark.parametrize("host", ["news.test", "example.org", "1.1.1.1", "2606:4700::1111", "face.org", "0.example.com"])
def test_public_hosts_are_let_through(host: str) -> None:
    assert why_unreachable(host) == ""
