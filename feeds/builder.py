"""Articles as entries, entries as Atom 1.0 and RSS 2.0 documents, built by feedgen.

Equal articles give equal bytes: nothing here knows what time it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from feedgen.entry import FeedEntry
from feedgen.feed import FeedGenerator

from content.article import Article, Author
from content.settings import SiteSettings
from feeds.catalogue import Feed
from feeds.settings import FeedSettings


class Format(StrEnum):
    ATOM = "atom"
    RSS = "rss"

    @property
    def file_name(self) -> str:
        return f"{self.value}.xml"

    @property
    def media_type(self) -> str:
        return f"application/{self.value}+xml"


@dataclass(frozen=True, slots=True)
class Built:
    """A feed's document, and the articles that could not be put into it, each with the reason."""

    document: bytes
    left_out: tuple[tuple[Article, str], ...]


class Builder:
    """Builds the documents of one site's feeds."""

    def __init__(self, site: SiteSettings, settings: FeedSettings) -> None:
        self.site = site
        self.settings = settings

    def build(self, feed: Feed, kind: Format) -> Built:
        """The feed as an Atom (RFC 4287) or RSS 2.0 document in UTF-8.

        An article that cannot be made an entry is left out and reported; it does not take the feed down.
        """
        generator = self._head(feed, kind)
        entry_of: Callable[[Article], FeedEntry] = self._atom_entry if kind is Format.ATOM else self._rss_entry
        left_out = []
        for article in feed.articles:
            try:
                entry = entry_of(article)
                # feedgen finds out only when it serialises what it cannot say.
                _ = entry.atom_entry() if kind is Format.ATOM else entry.rss_entry()
            except ValueError as error:
                left_out.append((article, str(error)))
                continue
            generator.add_entry(entry, order="append")
        document = generator.atom_str() if kind is Format.ATOM else generator.rss_str()
        return Built(document + b"\n", tuple(left_out))

    def _head(self, feed: Feed, kind: Format) -> FeedGenerator:
        generator = FeedGenerator()
        generator.id(feed.id)
        generator.title(feed.title)
        generator.subtitle(feed.subtitle or None)
        generator.description(feed.subtitle or feed.title)
        generator.updated(feed.updated)
        generator.language(self.site.language)
        generator.generator(self.settings.generator)
        generator.docs("https://www.rssboard.org/rss-specification")
        # An entry may lack authors; then the publication answers for it (RFC 4287 4.1.1).
        generator.author({"name": self.site.title, "uri": f"{self.site.url}/"})
        if self.site.rights:
            generator.rights(self.site.rights)
        if feed.region:
            generator.category(_category(feed.region.code, feed.region.scheme, feed.region.name))
        address = self.site.absolute(f"{feed.folder}/{kind.file_name}")
        generator.link(href=address, rel="self", type=kind.media_type)
        # RSS takes the last link for its own.
        generator.link(href=f"{self.site.url}/", rel="alternate", type="text/html")
        if kind is Format.RSS:
            generator.load_extension("dc", atom=False, rss=True)
        return generator

    def _entry(self, article: Article) -> FeedEntry:
        entry = FeedEntry()
        entry.id(article.id)
        entry.title(article.title)
        entry.link(href=article.url, rel="alternate", type="text/html")
        entry.published(article.published)
        entry.updated(article.updated)
        return entry

    def _atom_entry(self, article: Article) -> FeedEntry:
        entry = self._entry(article)
        if article.authors:
            entry.author([_person(author) for author in article.authors])
        if article.summary.text:
            entry.summary(article.summary.text)
        if article.body and self.settings.content == "full":
            entry.content(article.body, type="html")
        for place in article.regions:
            entry.category(_category(place.code, place.scheme, place.name))
        for word in _words(article):
            entry.category({"term": word})
        return entry

    def _rss_entry(self, article: Article) -> FeedEntry:
        entry = self._entry(article)
        entry.load_extension("dc", atom=False, rss=True)
        if article.authors:
            # RSS's own author is an email address; dc:creator is a name.
            entry.dc.dc_creator([author.name for author in article.authors])
        entry.description(article.summary.text or article.title, isSummary=True)
        if article.body and self.settings.content == "full":
            entry.content(article.body)
        for place in article.regions:
            # The name for people, the code for programs; the domain says of both what they are.
            entry.category(_category(place.name, place.scheme))
            entry.category(_category(place.code, place.scheme))
        for word in _words(article):
            entry.category({"term": word})
        return entry


def _category(term: str, scheme: str, label: str = "") -> dict[str, str]:
    return {"term": term, "scheme": scheme} | ({"label": label} if label else {})


def _words(article: Article) -> list[str]:
    """Section and tags, each once in whatever letter case."""
    words: dict[str, str] = {}
    for word in filter(None, (article.section, *article.tags)):
        words.setdefault(word.casefold(), word)
    return list(words.values())


def _person(author: Author) -> dict[str, str]:
    facts = {"name": author.name, "email": author.email, "uri": author.url}
    return {key: value for key, value in facts.items() if value}
