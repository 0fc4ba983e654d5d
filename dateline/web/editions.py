"""The archive of editions: a page for each, a list and an Atom feed for each digest, and variants in the browser."""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import blake2b

from feedgen.feed import FeedGenerator
from starlette.responses import Response

from content.database import reading
from content.dates import shown_date
from dateline.web import headers
from dateline.web.desk import Desk
from dateline.web.resource import Asked, Resource
from newsletter.past import Past, PastEdition, Shown
from newsletter.settings import DigestSettings
from newsletter.tokens import Purpose

FOLDER = "newsletter/"
ON_A_PAGE = 50
IN_THE_FEED = 20


@dataclass(frozen=True, slots=True)
class EditionView:
    """An edition in a list."""

    url: str
    date_text: str
    day: str
    subject: str
    titles: list[str]


@dataclass(frozen=True, slots=True)
class DigestView:
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class LinkView:
    """One document for autodiscovery."""

    title: str
    url: str
    type: str


class Editions:
    """What is below ``newsletter/``."""

    def __init__(self, desk: Desk, max_age: int) -> None:
        self._desk = desk
        self._max_age = max_age

    def digests(self) -> Resource:
        return Resource(self._desk.pages, self._list_digests)

    def digest(self) -> Resource:
        return Resource(self._desk.pages, self._list_editions)

    def feed(self) -> Resource:
        return Resource(self._desk.pages, self._feed)

    def edition(self) -> Resource:
        return Resource(self._desk.pages, self._show_edition)

    def variant(self) -> Resource:
        return Resource(self._desk.pages, self._show_variant)

    def _digest(self, asked: Asked) -> DigestSettings | None:
        return next((one for one in self._desk.digests if one.name == asked.params["digest"]), None)

    def _path(self, digest: str) -> str:
        return self._desk.pages.path(f"{FOLDER}{digest}/")

    def _none(self) -> Response:
        return self._desk.pages.notice(
            404, "There is no such edition", "It may not have gone out yet.",
            link=self._desk.pages.path(FOLDER), link_text="All newsletters",
        )  # fmt: skip

    def without_slash(self) -> Resource:
        """Where somebody left out the slash at the end of a list's address."""
        return Resource(self._desk.pages, self._lead_on)

    def _lead_on(self, asked: Asked) -> Response:
        name = asked.params.get("digest")
        target = next((self._path(one.name) for one in self._desk.digests if one.name == name), None)
        if name and not target:
            return self._none()
        return Response(
            status_code=301, headers=headers.public(self._max_age) | {"location": target or self._desk.pages.path(FOLDER)}
        )

    # Lists

    def _list_digests(self, asked: Asked) -> Response:
        shown = [DigestView(one.title, self._path(one.name)) for one in self._desk.digests]
        return self._desk.pages.public("members/digests.html", self._max_age, digests=shown)

    def _list_editions(self, asked: Asked) -> Response:
        digest = self._digest(asked)
        if digest is None:
            return self._none()
        with reading(self._desk.engine) as connection:
            found = Past(connection).editions(digest.name, ON_A_PAGE)
        path = self._path(digest.name)
        feed = f"{path}atom.xml"
        return self._desk.pages.public(
            "members/editions.html", self._max_age, digest_title=digest.title, feed_url=feed,
            editions=[self._view(one, path) for one in found],
            links=[LinkView(digest.title, feed, "application/atom+xml")],
        )  # fmt: skip

    def _view(self, edition: PastEdition, path: str) -> EditionView:
        return EditionView(
            f"{path}{edition.day}/",
            self._date_text(edition.day),
            edition.day.isoformat(),
            edition.subject,
            list(edition.titles),
        )

    def _date_text(self, day: date) -> str:
        return shown_date(datetime(day.year, day.month, day.day), self._desk.site.language, "full")  # noqa: DTZ001 (its day alone)

    # The feed

    def _feed(self, asked: Asked) -> Response:
        digest = self._digest(asked)
        if digest is None:
            return self._none()
        with reading(self._desk.engine) as connection:
            found = Past(connection).editions(digest.name, IN_THE_FEED)
        body = self._document(digest, found)
        tag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
        given = headers.public(self._max_age) | {"etag": tag, "access-control-allow-origin": "*"}
        if tag in asked.tag:
            return Response(status_code=304, headers=given)
        return Response(body, 200, given, "application/atom+xml")

    def _document(self, digest: DigestSettings, found: list[PastEdition]) -> bytes:
        """The feed in Atom (RFC 4287). Equal editions give equal bytes."""
        site = self._desk.site
        home = site.absolute(f"{FOLDER}{digest.name}/")
        start = f"tag:{site.host},{site.owned_since}:{FOLDER}{digest.name}"
        generator = FeedGenerator()
        generator.id(start)
        generator.title(digest.title)
        generator.author(name=site.title)
        generator.language(site.language)
        generator.link(href=home, rel="alternate", type="text/html")
        generator.link(href=f"{home}atom.xml", rel="self", type="application/atom+xml")
        generator.updated(max((one.made_at for one in found), default=site.owned_from))
        for one in found:
            entry = generator.add_entry(order="append")
            entry.id(f"{start}/{one.day}")
            entry.title(one.subject)
            entry.link(href=f"{home}{one.day}/", rel="alternate", type="text/html")
            entry.published(one.made_at)
            entry.updated(one.made_at)
            items = "".join(f"<li>{html.escape(title)}</li>" for title in one.titles)
            entry.content(f"<ul>{items}</ul>", type="html")
        return bytes(generator.atom_str(pretty=True))

    # One edition

    def _show_edition(self, asked: Asked) -> Response:
        digest = self._digest(asked)
        try:
            day = date.fromisoformat(asked.params["day"])
        except ValueError:
            return self._none()
        with reading(self._desk.engine) as connection:
            shown = Past(connection).edition(digest.name, day) if digest else None
        if digest is None or shown is None:
            return self._none()
        page = self.framed(shown, digest.title)
        return Response(page, 200, headers.public(self._max_age, headers.MAIL_POLICY), "text/html")

    def _show_variant(self, asked: Asked) -> Response:
        found = self._desk.tokens.read_lasting(Purpose.VIEW, asked.params["token"])
        with reading(self._desk.engine) as connection:
            shown = Past(connection).variant(int(found)) if found else None
        if shown is None:
            return self._none()
        title = next((one.title for one in self._desk.digests if one.name == shown.digest), shown.digest)
        return Response(self.framed(shown, title), 200, headers.private(headers.MAIL_POLICY), "text/html")

    def framed(self, shown: Shown, title: str) -> str:
        """The message as a page: a line above it that leads to the other editions."""
        path = self._path(shown.digest)
        bar = self._desk.pages.render(
            "members/edition_bar.html", digest_title=title, list_url=path,
            earlier=f"{path}{shown.earlier}/" if shown.earlier else "", later=f"{path}{shown.later}/" if shown.later else "",
        )  # fmt: skip
        head, tag, rest = shown.html.partition("<body")
        attributes, end, body = rest.partition(">")
        return f"{head}{tag}{attributes}{end}{bar}{body}" if end else bar + shown.html
