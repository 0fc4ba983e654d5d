"""Reads config.toml and the environment into one typed whole, and says exactly what is wrong with them."""

from __future__ import annotations

import copy
import difflib
import json
import os
import re
import tomllib
from pathlib import Path
from typing import Any, get_origin

from pydantic import Field, SecretStr, ValidationError, model_validator

from content.errors import ConfigError
from content.settings import AuthorSettings, ContentSettings, Section, SiteSettings
from dateline.config_words import example_of, name_of, words_of
from dateline.web.settings import ServeSettings
from feeds.settings import CombinedFeedSettings, FeedSettings
from newsletter.settings import BOUNCE_SECRETS, SECRETS, BounceSettings, DigestSettings, NewsletterSettings

FILE_NAME = "config.toml"
PREFIX = "DATELINE_"

Location = tuple[str | int, ...]


class DatabaseSettings(Section):
    """``[database]``: where everything is kept."""

    path: str = "dateline.db"


class Settings(Section):
    """The whole configuration of a site. The environment wins over the file."""

    site: SiteSettings = SiteSettings()
    authors: dict[str, AuthorSettings] = Field({})
    content: ContentSettings = ContentSettings()
    feeds: FeedSettings = FeedSettings()
    newsletter: NewsletterSettings = NewsletterSettings()
    bounces: BounceSettings = BounceSettings()
    serve: ServeSettings = ServeSettings()
    database: DatabaseSettings = DatabaseSettings()
    digest: list[DigestSettings] = Field([])
    feed: list[CombinedFeedSettings] = Field([])

    @model_validator(mode="after")
    def _distinct_names(self) -> Settings:
        for what, names in (("digest", [one.name for one in self.digest]), ("feed", [one.name for one in self.feed])):
            if twice := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"{what}: two are called {', '.join(sorted(twice))}; a name is unique and kept for ever")
        return self


def load(root: Path) -> Settings:
    """The settings of the site in ``root``. Raises ``ConfigError`` naming file, line and key of all that is wrong."""
    path = root / FILE_NAME
    try:
        text = path.read_text("utf-8-sig")
    except FileNotFoundError:
        raise ConfigError(f"{path}: there is no site here; `dateline init {root}` makes one") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read ({error})") from None
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = re.search(r"line (\d+)", str(error))
        raise ConfigError(f"{path}:{line[1] if line else 1}: is not TOML: {error}") from None
    lines = _lines(text)
    newsletter = table.get("newsletter")
    for name in SECRETS:
        if isinstance(newsletter, dict) and name in newsletter:
            _refuse_secret(path, lines, name, f"or name a file that holds it: {name}_file")
    if isinstance(newsletter, dict) and re.match(r"[^/]*//[^/@]*:[^/@]*@", str(newsletter.get("transport", ""))):
        _refuse_secret(path, lines, "transport", "without the password here")
    bounces = table.get("bounces")
    for name in BOUNCE_SECRETS:
        if isinstance(bounces, dict) and name in bounces:
            where = f"{path}:{lines.get(('bounces', name), 1)}"
            variable = f"{PREFIX}BOUNCES__{name.upper()}"
            raise ConfigError(f"{where}: bounces.{name}: secrets do not belong into this file; set {variable}")
    try:
        settings = Settings.model_validate(_with_environment(table))
    except ValidationError as error:
        told = error.errors(include_url=False, include_input=False)
        problems = [_explain(path, lines, problem, table) for problem in told]
        raise ConfigError("\n".join(dict.fromkeys(problems))) from None
    return _with_secret_files(root, settings)


def _with_environment(table: dict[str, Any]) -> dict[str, Any]:
    """The table with what the environment sets: ``DATELINE_SITE__TITLE``; lists and tables are written as JSON."""
    table = copy.deepcopy(table)
    for name in sorted(os.environ):
        if not name.upper().startswith(PREFIX):
            continue
        *above, last = name[len(PREFIX) :].lower().split("__")
        place: Any = table
        model: Any = Settings
        for part in above:
            model = getattr(getattr(model, "model_fields", {}).get(part), "annotation", None)
            place = place.setdefault(part, {}) if isinstance(place, dict) else {}
        field = getattr(model, "model_fields", {}).get(last)
        expected = getattr(field, "annotation", str)
        value: Any = os.environ[name]
        if get_origin(expected) in (list, dict) or hasattr(expected, "model_fields"):
            try:
                value = json.loads(value)
            except json.JSONDecodeError as error:
                example = json.dumps(example_of(field))
                raise ConfigError(
                    f"environment variable {name}: is not JSON ({error}); write it as {name}='{example}'"
                ) from None
        if isinstance(place, dict):
            place[last] = value
    return table


def _refuse_secret(path: Path, lines: dict[Location, int], name: str, instead: str) -> None:
    line = lines.get(("newsletter", name), 1)
    variable = f"{PREFIX}NEWSLETTER__{name.upper()}"
    raise ConfigError(f"{path}:{line}: newsletter.{name}: secrets do not belong into this file; set {variable}, {instead}")


def _with_secret_files(root: Path, settings: Settings) -> Settings:
    """The settings with the secrets that files hold."""
    ours = settings.newsletter
    for name in ("smtp_password", "api_token"):
        named = getattr(ours, f"{name}_file")
        if getattr(ours, name) is not None or not named:
            continue
        path = root / named
        try:
            secret = path.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{path}: newsletter.{name}_file cannot be read ({error})") from None
        ours = ours.model_copy(update={name: SecretStr(secret)})
    return settings.model_copy(update={"newsletter": ours})


def _explain(path: Path, lines: dict[Location, int], problem: Any, table: dict[str, Any]) -> str:
    location: Location = tuple(problem["loc"])
    key, said = name_of(location, table), words_of(problem, Settings)
    if problem["type"] == "extra_forbidden":
        said = "there is no such setting" + _suggestion(location)
    variable = PREFIX + "__".join(str(part) for part in location if not isinstance(part, int)).upper()
    if any(name.upper() == variable for name in os.environ):
        return f"environment variable {variable}: {said}"
    if not location:
        return f"{path}: {said}"
    while location and location not in lines:
        location = location[:-1]
    return f"{path}:{lines.get(location, 1)}: {key}: {said}"


def _suggestion(location: Location) -> str:
    tables: dict[str, type[Section]] = {
        "site": SiteSettings, "content": ContentSettings, "feeds": FeedSettings, "newsletter": NewsletterSettings,
        "database": DatabaseSettings, "serve": ServeSettings, "feed": CombinedFeedSettings, "digest": DigestSettings,
        "authors": AuthorSettings, "bounces": BounceSettings,
    }  # fmt: skip
    known = list(tables[str(location[0])].model_fields) if len(location) > 1 and location[0] in tables else list(tables)
    near = difflib.get_close_matches(str(location[-1]), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\]\n]+?)\s*\]\]?\s*(?:#.*)?$")
_KEY = re.compile(r"^\s*([\w-]+|\"[^\"]*\")(?:\s*\.\s*([\w-]+))?\s*=")


def _lines(text: str) -> dict[Location, int]:
    """The line (from 1) of each table and key. tomllib does not tell; a scan of the usual layout does."""
    found: dict[Location, int] = {}
    table: Location = ()
    counts: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if header := _HEADER.match(line):
            names = tuple(part.strip().strip("\"'") for part in header[2].split("."))
            table = names
            if header[1] == "[[":
                counts[header[2]] = counts.get(header[2], -1) + 1
                table = (*names, counts[header[2]])
            found[table] = number
            found.setdefault(names, number)
        elif key := _KEY.match(line):
            parts = tuple(part.strip('"') for part in key.groups() if part)
            for length in range(1, len(parts) + 1):
                found.setdefault((*table, *parts[:length]), number)
    return found
