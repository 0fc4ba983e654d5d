"""What the operator sets about the site and its articles: ``[site]``, ``[authors]`` and ``[content]``."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from functools import cached_property
from typing import Annotated, Literal
from urllib.parse import quote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator

from content.text import is_authority, one_line


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone: use a name such as 'Europe/Berlin' or 'UTC'") from None
    return name


def _web_address(url: str) -> str:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError as error:
        raise ValueError(f"{url!r} is not a web address ({error})") from None
    if host and not host.isascii():
        import idna

        # What is made of it, links and header fields, must be ASCII (RFC 3986, RFC 5891).
        try:
            ascii_host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise ValueError(f"{url!r} is not a web address ({error})") from None
        parts = parts._replace(netloc=parts.netloc.lower().replace(host, ascii_host))
    if parts.scheme not in ("http", "https") or not is_authority(parts.netloc) or parts.query or parts.fragment:
        raise ValueError(f"{url!r} is not a web address such as 'https://news.example.org'")
    if not url.isprintable():
        raise ValueError(f"{url!r} is not a web address: it holds signs that cannot be seen")
    return urlunsplit(parts._replace(path=_uri_path(parts.path))).rstrip("/")


def _uri_path(path: str) -> str:
    return quote(path, safe="/:@!$&'()*+,;=~%")


def _site_address(url: str) -> str:
    address = _web_address(url)
    path = urlsplit(url).path
    if _uri_path(path) != path:
        # Its own server and other programs would have to agree on how each sign is written.
        raise ValueError(f"{url!r}: the path of the site must be of ASCII letters, digits and signs such as - . _ ~")
    return address


def _email_address(email: str) -> str:
    # Only who sets an address waits for what checks it.
    from pydantic import validate_email

    address = validate_email(email)[1]
    if not address.isascii():
        raise ValueError(f"{email!r} is not an address that every server takes: write it in ASCII")
    return address


EmailAddress = Annotated[str, AfterValidator(_email_address)]
ZoneName = Annotated[str, AfterValidator(_known_zone)]
WebAddress = Annotated[str, AfterValidator(_web_address)]
SiteAddress = Annotated[str, AfterValidator(_site_address)]
Line = Annotated[str, AfterValidator(one_line)]


class Section(BaseModel):
    """A table of config.toml: frozen, and a setting that does not exist is an error."""

    # Built when the first configuration is read, once for the whole of it.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class SiteSettings(Section):
    """``[site]``: what the publication is called and where it lives."""

    title: Line = "News"
    url: SiteAddress = "https://news.example"
    description: Line = ""
    language: str = Field("en", pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$")
    timezone: ZoneName = "UTC"
    rights: Line = ""
    owned_since: date = date(2026, 1, 1)

    @field_validator("title")
    @classmethod
    def _not_empty(cls, title: str) -> str:
        if not title:
            raise ValueError("a site needs a title")
        return title

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.timezone)

    @property
    def host(self) -> str:
        """The host that article ids, message ids and the mailing list are named after."""
        return urlsplit(self.url).hostname or ""

    @property
    def owned_from(self) -> datetime:
        """The first moment of ``owned_since``: the date of what has no news yet."""
        return datetime.combine(self.owned_since, time(), UTC)

    def absolute(self, path: str) -> str:
        """The address of a path below the site's root."""
        return f"{self.url}/{path.lstrip('/')}"


class AuthorSettings(Section):
    """``[authors.SLUG]``: who is meant when an article names an author by this slug."""

    name: Line
    biography: Line = ""
    email: EmailAddress | None = None
    url: WebAddress | None = None


class ContentSettings(Section):
    """``[content]``: where articles come from and where their pages go."""

    articles: str = "articles"
    article_path: str = "articles/{slug}/"
    regions: Literal["apply", "suggest", "off"] = "apply"
    region_threshold: float = Field(0.5, gt=0, lt=1)
    max_file_mb: int = Field(20, ge=1, le=1024)

    @field_validator("article_path")
    @classmethod
    def _names_the_slug(cls, path: str) -> str:
        plain = path.replace("{slug}", "")
        strange = not plain.isascii() or any(sign in plain for sign in "{}?# ")
        if plain == path or path.startswith("/") or ".." in path or strange:
            raise ValueError("must be an ASCII path below the site that contains {slug}, such as 'articles/{slug}/'")
        return path
