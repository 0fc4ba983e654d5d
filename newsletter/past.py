"""The archive of editions: which there were, and what each looks like to everybody, without anybody's links."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from lxml import html
from lxml.html import HtmlElement
from sqlalchemy import Connection, func, select

import content.tables
from newsletter.ledger import EditionState
from newsletter.preferences import EVERYTHING
from newsletter.rendering import LINKS, link_mark
from newsletter.tables import edition_articles, editions, variants

SHOWN = (EditionState.SENDING, EditionState.SENT)
"""Editions that everybody may see: not those that were stopped because something is wrong with them."""

_OWN = "own"
"""The class of what in a template is for its recipient alone."""


@dataclass(frozen=True, slots=True)
class PastEdition:
    """An edition that went out, and the titles of what it carried."""

    digest: str
    day: date
    subject: str
    made_at: datetime
    titles: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Shown:
    """A rendering for the browser, with nobody's links in it, and the days of the editions before and after."""

    digest: str
    day: date
    subject: str
    html: str
    earlier: date | None = None
    later: date | None = None


class Past:
    """The editions of a site that went out, within one transaction of ``connection``."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def editions(self, digest: str, limit: int, before: date | None = None) -> list[PastEdition]:
        """The newest editions of a digest (before a day), the newest first."""
        query = select(editions).where(editions.c.digest == digest, editions.c.state.in_(SHOWN))
        query = query if before is None else query.where(editions.c.local_date < before)
        rows = self._connection.execute(query.order_by(editions.c.local_date.desc()).limit(limit)).all()
        titles = self._titles([row.id for row in rows])
        return [PastEdition(row.digest, row.local_date, row.subject, row.created_at, titles.get(row.id, ())) for row in rows]

    def edition(self, digest: str, day: date) -> Shown | None:
        """The edition of a day as those got it who chose nothing; of one without such members, its first variant."""
        mine = (editions.c.digest == digest, editions.c.state.in_(SHOWN))
        which = (*mine, editions.c.local_date == day)
        # Editions made by older versions have none of everything where nobody wanted it.
        order = ((variants.c.preferences == EVERYTHING).desc(), variants.c.id)
        row = self._connection.execute(_joined().where(*which).order_by(*order).limit(1)).one_or_none()
        if row is None:
            return None
        earlier = select(func.max(editions.c.local_date)).where(*mine, editions.c.local_date < day)
        later = select(func.min(editions.c.local_date)).where(*mine, editions.c.local_date > day)
        return _shown(row, self._connection.execute(earlier).scalar(), self._connection.execute(later).scalar())

    def variant(self, variant_id: int) -> Shown | None:
        """A variant as it was mailed."""
        row = self._connection.execute(_joined().where(variants.c.id == variant_id)).one_or_none()
        return None if row is None else _shown(row)

    def _titles(self, ids: list[int]) -> dict[int, tuple[str, ...]]:
        articles = content.tables.articles
        query = (
            select(edition_articles.c.edition_id, articles.c.title)
            .join_from(edition_articles, articles, articles.c.id == edition_articles.c.article_id)
            .where(edition_articles.c.edition_id.in_(ids), articles.c.withdrawn_at.is_(None))
            .order_by(edition_articles.c.position)
        )
        found: dict[int, tuple[str, ...]] = {}
        for edition_id, title in self._connection.execute(query):
            found[edition_id] = (*found.get(edition_id, ()), title)
        return found


def _joined() -> Any:
    return select(variants, editions.c.digest, editions.c.local_date, editions.c.slot).join_from(variants, editions)


def _shown(row: Any, earlier: date | None = None, later: date | None = None) -> Shown:
    return Shown(row.digest, row.local_date, row.subject, without_links(row.html, row.slot), earlier, later)


def without_links(markup: str, slot: str) -> str:
    """A rendering's HTML without what is for its recipient alone.

    That is what has the class ``own``, and every other link that each recipient has for himself, with its text.
    """
    page: HtmlElement = html.document_fromstring(markup)
    marks = [link_mark(slot, link) for link in LINKS]
    for element in list(page.iter()):
        if not isinstance(element.tag, str):
            continue
        personal = any(mark in value for mark in marks for value in element.attrib.values())
        if (personal or _OWN in (element.get("class") or "").split()) and element.getparent() is not None:
            element.drop_tree()
    shown = str(html.tostring(page, encoding="unicode", doctype="<!doctype html>"))
    for mark in marks:
        # In a comment, or written out as text.
        shown = shown.replace(mark, "")
    return shown
