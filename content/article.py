"""What an article is: frozen data, no I/O.

Every other room speaks in these types.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from urllib.parse import quote

from content.regions import Region
from content.text import count_words, reading_minutes


class State(StrEnum):
    """Where an article stands between the editor's desk and the archive."""

    DRAFT = "draft"
    """Not to be seen yet."""
    SCHEDULED = "scheduled"
    """Finished; its time of publication lies ahead."""
    PUBLISHED = "published"
    WITHDRAWN = "withdrawn"
    """Was there, is gone from every feed; its id stays taken for ever."""


@dataclass(frozen=True, slots=True)
class Author:
    """Who wrote an article. Only the name is certain; the others are empty when unknown."""

    name: str
    biography: str = ""
    email: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Image:
    """A picture that stands for an article. ``width`` and ``height`` are pixels; ``type`` is a media type."""

    url: str
    alt: str = ""
    type: str = ""
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True, slots=True)
class Source:
    """Whom an article cites."""

    name: str
    url: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """A file that lies beside an article and is published with it: its name on the web, where it is, its bytes."""

    name: str
    path: str
    size: int = 0

    @property
    def url_path(self) -> str:
        return f"media/{self.name}"


@dataclass(frozen=True, slots=True)
class Summary:
    """An article's short text, plain, and whether the editor wrote it or it was extracted from the body."""

    text: str
    written: bool


@dataclass(frozen=True, slots=True)
class Article:
    """A piece of news as it is published.

    ``body`` is clean HTML with absolute URLs, safe to be embedded. ``published`` and ``updated`` are aware
    datetimes in UTC, ``updated`` never before ``published``. ``id`` is a ``tag:`` URI (RFC 4151), given
    when the archive first keeps the article and never changed, whatever happens to title, slug or URL.
    """

    id: str
    slug: str
    url: str
    title: str
    summary: Summary
    body: str
    published: datetime
    updated: datetime
    state: State = State.PUBLISHED
    authors: tuple[Author, ...] = ()
    section: str = ""
    tags: tuple[str, ...] = ()
    regions: tuple[Region, ...] = ()
    language: str = "en"
    image: Image | None = None
    sources: tuple[Source, ...] = ()
    weight: int = 0
    media: tuple[Media, ...] = ()

    @property
    def word_count(self) -> int:
        """Words in the body; in scripts that do not part words, about two characters count as one."""
        return count_words(self.body)

    @property
    def reading_minutes(self) -> int:
        """Whole minutes that an ordinary reader takes, at least one."""
        return reading_minutes(self.word_count)

    @property
    def byline(self) -> str:
        """The authors' names as a sentence would have them: ``A, B and C``; empty when there are none."""
        names = [author.name for author in self.authors]
        return " and ".join(part for part in (", ".join(names[:-1]), *names[-1:]) if part)

    def is_public(self, now: datetime) -> bool:
        """Whether readers may see it at ``now`` (aware)."""
        return self.state in (State.PUBLISHED, State.SCHEDULED) and self.published <= now


def mint_id(authority: str, since: date, specific: str) -> str:
    """A ``tag:`` URI (RFC 4151 2.1): ``authority`` (a domain name) owned the name on the day ``since``.

    Characters that a URI cannot hold are percent-encoded as UTF-8.
    """
    name = quote(unicodedata.normalize("NFC", specific), safe="/-._~!$'()*+,;=:@")
    return f"tag:{authority},{since.isoformat()}:{name}"
