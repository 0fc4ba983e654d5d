"""Whole HTML pages as articles."""

from __future__ import annotations

from newsroom import BODY, Newsroom

PAGE = f"""<!doctype html>
<html lang="de"><head>
<title>Site | The story</title>
<meta name="description" content="In short.">
<meta property="article:published_time" content="2024-10-24T09:30:00+02:00">
<meta name="keywords" content="towers, fibre">
<link rel="canonical" href="https://other.test/story">
<style>p {{ color: red }}</style>
</head><body><nav>Menu</nav>
<article><h1>Another story</h1></article>
<article>
<h1>The <em>story</em></h1>
<p class="byline">By Ann Lee</p>
<p>{BODY}</p><script>alert(1)</script><aside>Related</aside>
</article></body></html>
"""


def test_a_page_says_of_itself_what_front_matter_would(newsroom: Newsroom) -> None:
    article = newsroom.read("a.html", PAGE)
    assert (article.title, article.byline, article.language) == ("The story", "Ann Lee", "de")
    assert (article.summary.text, article.summary.written) == ("In short.", True)
    assert article.published.isoformat() == "2024-10-24T07:30:00+00:00"
    assert article.tags == ("towers", "fibre")
    assert article.url == "https://other.test/story"


def test_only_the_story_of_a_page_is_its_body(newsroom: Newsroom) -> None:
    body = newsroom.read("a.html", PAGE).body
    assert BODY in body
    assert not [word for word in ("Menu", "Related", "alert", "color", "Another", "<h1>", "Site |") if word in body]


def test_front_matter_above_a_page_wins(newsroom: Newsroom) -> None:
    article = newsroom.read("a.html", f"---\ntitle: Ours\ndate: 2025-01-01\n---\n{PAGE}")
    assert (article.title, article.published.year, article.byline) == ("Ours", 2025, "Ann Lee")
    assert "Menu" not in article.body


def test_front_matter_above_a_fragment_leaves_it_as_it_is(newsroom: Newsroom) -> None:
    article = newsroom.read("a.html", f"---\ntitle: Ours\n---\n<h1>A heading</h1>\n<p>{BODY}</p>tail")
    assert article.body == f"<h1>A heading</h1>\n<p>{BODY}</p>tail"


def test_front_matter_without_a_title_leaves_that_to_the_heading(newsroom: Newsroom) -> None:
    assert newsroom.read("a.html", f"---\ndate: 2025-01-01\n---\n<h1>A heading</h1>\n<p>{BODY}</p>").title == "A heading"


def test_a_page_without_a_title_is_an_error(newsroom: Newsroom) -> None:
    for text in ("<p>x</p>", "<!-- -->", "just words", "<h1> </h1><p>x</p>", "<frameset>"):
        assert "there is no title" in newsroom.errors("a.html", text)[0][1]


def test_text_between_elements_is_not_lost(newsroom: Newsroom) -> None:
    body = newsroom.read("a.html", "<h1>T</h1>one <b>two</b> three<!-- c --> four<p>five</p> six").body
    assert [word for word in ("one", "two", "three", "four", "five", "six") if word not in body] == []


def test_a_page_that_is_not_html_at_all_is_read_nonetheless(newsroom: Newsroom) -> None:
    assert (
        newsroom.read("a.html", "<?xml version='1.0' encoding='latin-1'?><html><h1>Größe</h1><p>é</p></html>").title == "Größe"
    )
    assert newsroom.read("b.htm", "<h1>T<p>" + "<div><span>" * 150 + BODY).title


def test_bare_text_keeps_its_signs_and_what_the_page_shows_of_templates(newsroom: Newsroom) -> None:
    page = "<html><head><title>T</title></head><body>If 5 &lt;b&gt; 6, say &#123;&#123; name &#125;&#125;. <p>More.</p></body></html>"
    assert newsroom.read("a.html", page).body.startswith("If 5 &lt;b&gt; 6, say &#123;&#123; name &#125;&#125;.")
