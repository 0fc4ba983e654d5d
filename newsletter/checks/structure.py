"""Does a screen reader find its way: language, title, headings, tables that are no tables (WCAG 2.1, 1.3.1, 2.4.2, 3.1.1)."""

from __future__ import annotations

from newsletter.checks.finding import Finding, error, warning
from newsletter.checks.specimen import Specimen


def check_structure(specimen: Specimen) -> list[Finding]:
    return [*_language(specimen), *_title(specimen), *_headings(specimen), *_tables(specimen)]


def _language(specimen: Specimen) -> list[Finding]:
    mjml, wanted = specimen.setting.mjml, specimen.setting.site.language
    language = specimen.page.get("lang") or ""
    if not language or language == "und":
        problem = "the page does not say its language, so that it is read out in the reader's"
        return [error("structure", mjml.find("<mjml"), problem, 'write <mjml lang="{{ site.language }}">')]
    if language.lower() != wanted.lower():
        problem = f"the page says that its language is {language}, config.toml that it is {wanted}"
        return [warning("structure", mjml.find("<mjml"), problem, 'write <mjml lang="{{ site.language }}">')]
    return []


def _title(specimen: Specimen) -> list[Finding]:
    title = specimen.page.find("head/title")
    if title is not None and (title.text or "").strip():
        return []
    where = specimen.setting.mjml.find("<mj-title", "<mj-head")
    return [error("structure", where, "the page has no title", "write <mj-title>{{ edition.subject }}</mj-title>")]


def _headings(specimen: Specimen) -> list[Finding]:
    found, above = [], 0
    headings = list(specimen.elements("h1", "h2", "h3", "h4", "h5", "h6"))
    for heading in headings:
        level = int(str(heading.tag)[1])
        words = " ".join(heading.text_content().split())
        if not words:
            found.append(warning("structure", specimen.place(heading), "a heading is empty", "take it away"))
        if above and level > above + 1:
            problem = f"the heading “{words}” jumps from h{above} to h{level}"
            found.append(warning("structure", specimen.place(heading), problem, f"make it h{above + 1}"))
        above = level
    tops = [heading for heading in headings if heading.tag == "h1"]
    if len(tops) != 1 or headings[0].tag != "h1":
        has = "no h1" if not tops else f"{len(tops)} h1" if len(tops) > 1 else "another heading before its h1"
        where = specimen.place(tops[-1]) if tops else str(specimen.setting.mjml.path)
        found.append(warning("structure", where, f"the page has {has}", "let the masthead be the one h1, before all others"))
    return found


def _tables(specimen: Specimen) -> list[Finding]:
    plain = [table for table in specimen.elements("table") if table.get("role") not in ("presentation", "none")]
    # A table with header cells is one of data, and is to be read as such.
    wrong = [table for table in plain if not any(True for _ in table.iter("th"))]
    if not wrong:
        return []
    many = (
        f"{len(wrong)} tables for layout are read out as tables" if len(wrong) > 1 else "a table for layout is read out as one"
    )
    where = specimen.place(wrong[0])
    return [warning("structure", where, many, 'give it role="presentation"')]
