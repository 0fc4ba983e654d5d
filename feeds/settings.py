"""What the operator sets about feeds and pages: ``[feeds]`` and ``[[feed]]``."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator

from content.settings import Line, Section

EVERY = "*"
"""In a list of names: all there are."""


def _local(path: str) -> str:
    """A picture's path below the templates' folder, or its address elsewhere."""
    if not path.startswith(("http://", "https://")) and (path.startswith("/") or ".." in path or "\\" in path):
        raise ValueError(f"{path!r} is neither a web address nor a path below the templates' folder")
    return path


def _hub(url: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and parts.hostname and not parts.fragment and parts.port != 0
    except ValueError:
        good = False
    if not good or not url.isprintable() or " " in url:
        # The address may hold a secret, and is not repeated.
        raise ValueError("is not a hub's address such as 'https://hub.example.org/'")
    return url


HubAddress = Annotated[str, AfterValidator(_hub)]
Picture = Annotated[Line, AfterValidator(_local)]


class FeedSettings(Section):
    """``[feeds]``: what is written, where, and how much of each article a feed carries."""

    folder: str = "public"
    limit: int = Field(50, ge=1, le=1000)
    content: Literal["full", "summary"] = "full"
    sections: list[Line] = Field([EVERY])
    authors: list[Line] = Field([EVERY])
    tags: list[Line] = Field([])
    archives: Literal["all", "site", "none"] = "all"
    ttl: int = Field(60, ge=1, le=10080)
    icon: Picture = ""
    logo: Picture = ""
    hubs: list[HubAddress] = Field([])
    hub_timeout_seconds: int = Field(10, ge=1, le=120)
    precompress: list[Literal["gzip", "br"]] = Field(["gzip"])
    pages: bool = True
    templates: str = "templates"
    generator: Line = "dateline"
    cache: str = "dateline-cache.db"


RESERVED = frozenset({"regions", "sections", "authors", "tags", "archive", "feeds", "index"})


class CombinedFeedSettings(Section):
    """``[[feed]]``: a feed of what lies in one of the regions and one of the sections, and so on."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    title: Line = ""
    description: Line = ""
    regions: list[Line] = Field([])
    sections: list[Line] = Field([])
    authors: list[Line] = Field([])
    tags: list[Line] = Field([])

    @field_validator("name")
    @classmethod
    def _not_reserved(cls, name: str) -> str:
        if name in RESERVED:
            raise ValueError(f"{name!r} is the name of a folder that the program makes itself; choose another")
        return name

    @field_validator("regions")
    @classmethod
    def _are_regions(cls, names: list[str]) -> list[str]:
        from content.regions import resolve

        _, unknown = resolve(names)
        if unknown:
            hint = f" (it could be {' or '.join(unknown[0].candidates[:4])})" if unknown[0].candidates else ""
            raise ValueError(f"the region {unknown[0].name!r} is not known{hint}: write a code such as CN or CN-GD")
        return names
