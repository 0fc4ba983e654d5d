"""Who wrote an article, whom it cites, and the picture that stands for it, out of an editor's fields."""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping

from content.article import Author, Image, Source
from content.cleaning import Resolver
from content.expressions import free, reveal
from content.fields import AUTHORS, IMAGE, Fields
from content.front_matter import Value
from content.settings import AuthorSettings
from content.text import one_line

_WITH_EMAIL = re.compile(r"(.*?)\s*<([^<>\s]+@[^<>\s]+)>")
_WITH_ADDRESS = re.compile(r"(.*?)\s*<?(https?://[^\s<>]+)>?")
_EMAIL = re.compile(
    r"[\w.!#$%&'*+/=?^`{|}~-]+@[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]*[a-z0-9])+", re.ASCII | re.IGNORECASE
)
_SLUG = re.compile(r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)*")


def words(written: str) -> str:
    """One line of plain text out of what an editor wrote in a field, template expressions left out."""
    return one_line(reveal(free(written).text))


def known_authors(settings: Mapping[str, AuthorSettings]) -> dict[str, Author]:
    """The authors of config.toml, by slug and by name, in lower case."""
    authors = {slug.lower(): Author(a.name, a.biography, a.email or "", a.url or "") for slug, a in settings.items()}
    return {author.name.lower(): author for author in authors.values()} | authors


def read_authors(given: Fields, known: Mapping[str, Author], resolve: Resolver) -> tuple[Author, ...]:
    """The authors that the fields name, once each."""
    values = [value for value in given.people(*AUTHORS) if not _is_shapeless(value, given)]
    return tuple(dict.fromkeys(author for value in values if (author := _author(value, known, resolve, given)).name))


def _is_shapeless(value: Value, given: Fields) -> bool:
    """Whether an author is given in a shape that names nobody; says so."""
    names = [value.get(key) for key in ("name", "slug")] if isinstance(value, dict) else [value]
    if any(isinstance(name, str) and name.strip() for name in names):
        return False
    given.warn("an author must be a name, or fields with a 'name'; one that is neither is left out", AUTHORS)
    return True


def _author(value: Value, known: Mapping[str, Author], resolve: Resolver, given: Fields) -> Author:
    part = {key: words(text) for key, text in value.items() if isinstance(text, str)} if isinstance(value, dict) else {}
    written = part.get("name") or part.get("slug", "") if part else words(str(value))
    email = part.get("email", "")
    if with_email := _WITH_EMAIL.fullmatch(written):
        written, email = with_email[1], with_email[2]
    if email and not _EMAIL.fullmatch(email):
        given.warn(f"{email!r} is no email address in ASCII, and is left out", AUTHORS)
        email = ""
    author = known.get(written.lower())
    if author is None:
        # A slug that config.toml does not explain is shown as the name that it was made of.
        is_slug = _SLUG.fullmatch(written)
        author = Author(" ".join(word.capitalize() for word in re.split("[-_]", written)) if is_slug else written)
    biography = part.get("biography") or part.get("bio") or part.get("description") or author.biography
    url = part.get("url") or part.get("uri") or part.get("link") or author.url
    return Author(author.name, biography, email or author.email, (resolve(url) or "") if url else "")


def read_sources(given: Fields, resolve: Resolver) -> tuple[Source, ...]:
    """Whom the article cites: names, addresses, or both."""
    values = given.people("sources", "source", "source_url", split=False)
    return tuple(dict.fromkeys(source for value in values if (source := _source(value, resolve)).name))


def _source(value: Value, resolve: Resolver) -> Source:
    if isinstance(value, dict):
        name, link = str(value.get("name") or value.get("title") or ""), str(value.get("url") or value.get("link") or "")
    else:
        match = _WITH_ADDRESS.fullmatch(one_line(str(value)))
        name, link = (match[1], match[2]) if match else (str(value), "")
    address = (resolve(link) or "") if link else ""
    return Source(words(name) or re.sub(r"^https?://(?:www\.)?([^/:]+).*$", r"\1", address), address)


def read_image(given: Fields, resolve: Resolver) -> Image | None:
    """The article's picture, or ``None`` when it has none or the address cannot be used."""
    value = given.value(*IMAGE)
    if isinstance(value, list):
        value = value[0] if value else ""
    part = value if isinstance(value, dict) else {"url": value or ""}
    written = next((text for name in ("url", "src", "path") if isinstance(text := part.get(name), str) and text), "")
    address = resolve(words(written)) if written else None
    if not address:
        return None
    alt = part.get("alt") or given.text("image_alt", "image_description", "image_caption") or ""
    media_type = mimetypes.guess_type(address.partition("?")[0])[0] or ""
    return Image(
        url=address, alt=words(str(alt)), type=media_type if media_type.startswith("image/") else "",
        width=_pixels(part.get("width")), height=_pixels(part.get("height")),
    )  # fmt: skip


def _pixels(value: Value | None) -> int | None:
    return int(value) if isinstance(value, str) and value.isdecimal() and 0 < len(value) < 6 else None
