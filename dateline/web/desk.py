"""What all pages for members work with: the site's database, keys, digests and pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from sqlite3 import Connection as SQLiteConnection
from typing import Any

from sqlalchemy import Connection, Engine, event
from starlette.responses import Response

from content.archive import Archive
from content.database import raw, reading
from content.facets import FacetKind
from content.regions import WORLD
from content.settings import SiteSettings
from dateline.site import Site
from dateline.web.pages import Pages
from newsletter.members import Members
from newsletter.reception import Reception
from newsletter.settings import DigestSettings, NewsletterSettings
from newsletter.suppression import Suppressions
from newsletter.tokens import Purpose, Tokens

BUSY_SECONDS = 8.0
"""How long a page waits for the database before its reader is asked to come again."""


@dataclass(frozen=True, slots=True)
class Desk:
    """The site as its pages for members see it. ``send`` sends one message to a member's new address: from, to, and bytes."""

    engine: Engine
    site: SiteSettings
    newsletter: NewsletterSettings
    digests: tuple[DigestSettings, ...]
    tokens: Tokens
    pages: Pages
    notify: Callable[[str, str, str, datetime], None]
    """Sends a notice: to whom, its subject, its text, when."""
    reception: Reception
    ring: Callable[[], None] = lambda: None
    """Tells whoever sends mails about memberships that there is one."""

    def used_regions(self) -> list[str]:
        """The codes of the regions that the site has news from."""
        with reading(self.engine) as connection:
            facets = Archive(raw(connection)).facets()
        return [one.key.key for one in facets if one.key.kind is FacetKind.REGION and one.key.key != WORLD]

    def members(self, connection: Connection) -> Members:
        return Members(connection, self.suppressions(connection), [one.name for one in self.digests])

    def suppressions(self, connection: Connection) -> Suppressions:
        return Suppressions(connection, self.tokens.key)

    def leave_path(self, token: str) -> str:
        return self.pages.path(self.newsletter.unsubscribe_path.replace("{token}", token))

    def preferences_path(self, public_id: str) -> str:
        token = self.tokens.lasting(Purpose.PREFERENCES, public_id)
        return self.pages.path(self.newsletter.preferences_path.replace("{token}", token))

    def unknown_link(self) -> Response:
        """For a link that was cut off, altered, or whose owner was deleted. It tells nobody which of these."""
        return self.pages.notice(
            404, "This link leads to nobody",
            "It may have been cut off on its way, or what it stood for was deleted. Open the link in a newer message,"
            " or copy the whole of it.",
        )  # fmt: skip


def open_desk(place: Site, ring: Callable[[], None] = lambda: None, busy_seconds: float = BUSY_SECONDS) -> Desk:
    """The desk of a site, on database connections that do not keep a reader waiting for long.

    Raises ``ConfigError`` for a list of unwelcome domains that cannot be read.
    """
    from newsletter.notice import Notices

    ours = place.settings
    engine = place.engine
    hurry(engine, busy_seconds)
    pages = Pages(place.root / ours.feeds.templates, ours.site, ours.feeds.icon)
    notices = Notices(place.root, ours.site, ours.newsletter)
    reception = place.reception
    # Read now, so that a wrong file is told at the start and not to the first who joins.
    _ = reception.guard
    return Desk(engine, ours.site, ours.newsletter, tuple(ours.digest), place.tokens, pages, notices.send, reception, ring)


def hurry(engine: Engine, seconds: float) -> None:
    """Lets whoever uses the engine wait no longer than this for another writer."""

    def be_quick(connection: SQLiteConnection, record: Any) -> None:
        connection.execute(f"PRAGMA busy_timeout = {int(seconds * 1000)}")

    # Connections that were opened before would wait as long as a sender does.
    engine.dispose()
    event.listen(engine, "connect", be_quick)
