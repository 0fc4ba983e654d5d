"""What other site generators left in a text never reaches a reader and is never executed."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from newsroom import BODY, Newsroom

from content.expressions import free, reveal, reveal_html


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a {{ page.title }} b", "a  b"), ("{{- x -}}", ""), ("{% if x %}a{% endif %}", "a"), ("{%- assign x = 1 -%}b", "b"),
        ('{{< youtube id="x" >}}', ""), ("{{% note %}}a{{% /note %}}", "a"), ("{# a note #}b", "b"), ("{% comment %}a{% endcomment %}b", "b"),
        ("{{ a\n}}b", "b"), ("# H {#id}", "# H {#id}"), ("# H {: .cls #id}", "# H"), ("{:toc}", ""), ("{::nomarkdown}a{:/}", "a"),
        ("{{ '/about/' | relative_url }}", "/about/"), ('{{ "/a/" | url }}', "/a/"), ("{{ site.baseurl }}/a", "/a"), ("{{ 7*7 }}", ""),
        ('{% image "/t.jpg" "The team" %}', '<img src="/t.jpg" alt="The team">'), ('{% set x = "{{" %}a', "a"), ("{%{{x}}%}", ""),
        ('{{< figure src="a.jpg" alt="A" >}}', '<img src="a.jpg" alt="A">'), ("${x} {x} %}", "${x} {x} %}"), ("{{", "{{"), ("{{ a", "{{ a"),
        ("{% a }} {{ b }}", "{% a }} "), ("{{ a %} {% b %}", "{{ a %} "), ('JSON {"a": {"b": 1}}', 'JSON {"a": {"b": 1}}'),
    ],
)  # fmt: skip
def test_an_expression_leaves_only_what_it_plainly_quotes(text: str, left: str) -> None:
    assert free(text).text == left


def test_what_stands_in_raw_is_what_the_author_wants_seen() -> None:
    assert reveal(free("{% raw %}{{ keep }}{% endraw %} {{ drop }}").text) == "{{ keep }} "
    assert reveal_html(free("{% raw %}{{ keep }}{% endraw %}").text) == "&#123;&#123; keep &#125;&#125;"


def test_the_lines_of_what_was_left_out_are_right() -> None:
    assert free("a\n{{ x\n}}\n{# a\nb #}\n{% y %} {{ z }}\n").dropped == (2, 6, 6)


def test_an_editor_hears_what_was_left_out_and_where(newsroom: Newsroom) -> None:
    for name in ("a.md", "a.html", "a.txt"):
        (warning,) = newsroom.reading(name, f"---\ntitle: T\n---\n{BODY}\n\n{{% include x %}}\n").problems
        assert (warning.line, warning.message) == (6, "a template expression was left out (line 6)")
    (warning,) = newsroom.reading("b.html", f"<h1>T</h1>\n<p>{BODY}</p>\n{{{{ x }}}}").problems
    assert warning.line == 3
    (warning,) = newsroom.reading("b.md", f"---\ndate: 2024-01-01\n---\n\n# T\n\n{BODY}\n{{{{ x }}}}").problems
    assert warning.line == 8


@given(
    st.lists(
        st.sampled_from(
            ["{{", "}}", "{%", "%}", "{#", "#}", "{", "}", "raw", "endraw", " ", "\n", "a", '"', "|", "url", "{:", "é"]
        ),
        max_size=30,
    )
)
def test_no_complete_expression_is_ever_left_in_the_markup(pieces: list[str]) -> None:
    freed = free("".join(pieces))
    shown = reveal_html(freed.text)
    assert not any(mark in shown for mark in ("{{", "}}", "{%"))
    assert all(1 <= line <= pieces.count("\n") + 1 for line in freed.dropped)
    assert list(freed.dropped) == sorted(freed.dropped)


@pytest.mark.parametrize(
    "piece", ["{{ ", "{% ", "{# a ", "{% raw %}", "{% comment %}", "{{x}}", "{{x}}\n", " ", "{: ", "{%{{", "}}{{"]
)
def test_a_hostile_text_is_freed_in_time(piece: str) -> None:
    """Invariant 25: what took hours at 10 MB."""
    started = time.monotonic()
    free("{" + piece * (1_000_000 // len(piece)) + "x")
    assert time.monotonic() - started < 5
