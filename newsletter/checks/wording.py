"""Is what is said complete: both parts, subject, preview line, postal address, and nothing of the templates left over."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml.html import HtmlElement

from content.regions import shown_name
from newsletter.checks.finding import Finding, error, warning
from newsletter.checks.links import links_of_page, links_of_text
from newsletter.checks.specimen import Specimen, named

SUBJECT_LIMIT = 78
"""Characters that inboxes show of a subject at the most."""
MANY = 100
"""Members from which a message without a postal address must not go out."""

_LEFTOVER = re.compile(
    r"\{\{|\}\}|\{%|%\}|\{#|\$\{|<%|\*\||slot-[0-9a-f]{8,}[\w-]*|\{token\}|\bNone\b|\bundefined\b|\bNaN\b|\[object Object\]"
)


def check_leftovers(specimen: Specimen) -> list[Finding]:
    """Marks of templates and of missing values, unless an article or a setting has them itself."""
    said = sorted({" ".join(one.split()) for one in _said(specimen) if one and len(one) > 2}, key=len, reverse=True)
    found = []
    for source, words in _pieces(specimen):
        for mark in _left_over(words, said):
            where = source if isinstance(source, str) else specimen.setting.mjml.place(source)
            problem = f"“{mark}” is left over of a template"
            found.append(error("leftovers", where, problem, "mend the expression, or give the value that is missing"))
    return found


def _pieces(specimen: Specimen) -> Iterator[tuple[str | HtmlElement, str]]:
    """Words with where they stand: an element, or a place by name."""
    setting = specimen.setting
    yield f"[[digest]] {setting.digest.name}, subject", specimen.subject
    yield str(setting.txt.path), specimen.text
    for element in specimen.page.iter():
        if isinstance(element.tag, str) and element.tag not in ("style", "script"):
            own = [element.text, *(child.tail for child in element), *map(str, element.attrib.values())]
            if words := "\n".join(run for run in own if run and run.strip()):
                yield element, words


def _left_over(words: str, said: list[str]) -> list[str]:
    words = " ".join(words.split())
    for one in said:
        words = words.replace(one, " ")
    everything = "\n".join(said)
    marks = []
    for mark in _LEFTOVER.finditer(words):
        # Cut short, as in the preview line, a title is no longer the whole of what was said.
        before, after = words[max(0, mark.start() - 8) : mark.end()], words[mark.start() : mark.end() + 8]
        if len(before) == len(mark[0]) or before not in everything:
            marks += [] if len(after) > len(mark[0]) and after in everything else [mark[0]]
    return list(dict.fromkeys(marks))


def _said(specimen: Specimen) -> Iterator[str]:
    """What articles and settings say: whatever stands there was meant."""
    setting = specimen.setting
    yield from (setting.site.title, setting.site.description, setting.digest.title, setting.newsletter.postal_address)
    for article in specimen.articles:
        yield from (article.title, article.summary.text, article.section, article.byline, article.url)
        yield ", ".join(shown_name(place, setting.site.language) for place in article.regions)
        if article.image:
            yield from (article.image.alt, article.image.url)


def check_parts(specimen: Specimen) -> list[Finding]:
    """HTML and text are both there, and name the same addresses."""
    kinds = [part.get_content_type() for part in specimen.message.walk() if not part.is_multipart()]
    setting = specimen.setting
    found = []
    if kinds != ["text/plain", "text/html"]:
        problem = f"the message consists of {', '.join(kinds) or 'nothing'} where text, then HTML, belongs"
        found.append(error("parts", "the message", problem, "this is a bug worth reporting"))
    for words, source, kind in (
        (specimen.text, setting.txt, "text"),
        (specimen.page.find("body").text_content(), setting.mjml, "HTML"),
    ):
        if not words.strip():
            found.append(error("parts", str(source.path), f"the {kind} part is empty", "write what it is to say"))
    return found + _same_links(specimen)


def _same_links(specimen: Specimen) -> list[Finding]:
    setting = specimen.setting
    in_html = {link.url: link.where for link in links_of_page(specimen) if link.url.startswith(("http:", "https:"))}
    in_text = {link.url: link.where for link in links_of_text(specimen)}
    articles = {article.url: article for article in specimen.articles}
    found = []
    for url, article in articles.items():
        for urls, source, kind in ((in_html, setting.mjml, "HTML"), (in_text, setting.txt, "text")):
            if url not in urls:
                problem = f"the {kind} part has no link to {named(article)}"
                found.append(error("parts", str(source.path), problem, "put {{ a.url }} beside its title"))
    for url, where in in_html.items():
        if url not in in_text and url not in articles and url != specimen.leave:
            problem = f"the HTML part links to {url}, the text part does not"
            found.append(warning("parts", where, problem, f"name it in {setting.txt.path.name} too"))
    return found


def check_subject(specimen: Specimen) -> list[Finding]:
    """A subject that fits, and a preview line that says something else."""
    setting, subject = specimen.setting, specimen.subject.strip()
    where = f"[[digest]] {setting.digest.name}, subject"
    found = []
    if not subject:
        found.append(error("subject", where, "the subject is empty", "give the digest a subject, or a title"))
    elif len(subject) > SUBJECT_LIMIT:
        problem = f"“{subject}” has {len(subject)} characters, of which inboxes show {SUBJECT_LIMIT} or fewer"
        found.append(warning("subject", where, problem, "shorten the template, or the title of the first article"))
    preview = " ".join(_preview(specimen).split())
    if not preview:
        problem = "there is no preview line; inboxes show the first words of the page instead"
        advice = "begin the body with a hidden {{ edition.preview }}"
        found.append(warning("subject", setting.mjml.find("<mj-body"), problem, advice))
    elif preview == subject:
        problem = "the preview line says what the subject says"
        found.append(warning("subject", setting.mjml.find("display:none"), problem, "use {{ edition.preview }}"))
    return found


def _preview(specimen: Specimen) -> str:
    """The hidden words at the beginning of the page."""
    body: HtmlElement | None = specimen.page.find("body")
    for element in body.iter() if body is not None else ():
        if re.search(r"display:\s*none", element.get("style") or ""):
            return re.sub(r"[\u034f\u200b-\u200f\u00a0\u00ad\ufeff]", "", element.text_content())
        if isinstance(element.tag, str) and (element.text or "").strip():
            return ""
    return ""


def check_address(specimen: Specimen) -> list[Finding]:
    """A postal address, which the law asks for in many countries (CAN-SPAM 15 U.S.C. 7704(a)(5))."""
    setting = specimen.setting
    address = " ".join(setting.newsletter.postal_address.split())
    judged = error if setting.members > MANY else warning
    if not address:
        problem = f"there is no postal address, and {setting.members:,} members would get the message"
        return [judged("address", "newsletter.postal_address", problem, "set it in config.toml; the law asks for it")]
    found = []
    for words, source, kind in (
        (specimen.text, setting.txt, "text"),
        (specimen.page.text_content(), setting.mjml, "HTML"),
    ):
        if address not in " ".join(words.split()):
            problem = f"the {kind} part does not show newsletter.postal_address"
            found.append(judged("address", str(source.path), problem, "put {{ postal_address }} into the footer"))
    return found
