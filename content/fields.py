"""An article's fields as an editor gave them, whichever of the usual spellings was used."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from content.front_matter import Value

TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}

PUBLISHED = ("published", "date", "published_at", "publishdate", "pubdate", "publish_date")
UPDATED = ("updated", "lastmod", "modified", "last_modified", "updated_at", "last_modified_at")
SUMMARY = ("summary", "excerpt", "standfirst", "dek", "description")
TITLE = ("title", "headline")
AUTHORS = ("authors", "author", "byline", "creator")
LANGUAGE = ("language", "lang", "locale")
CANONICAL = ("canonical_url", "canonical", "url", "link")
REGIONS = ("regions", "region", "countries", "country")
IMAGE = ("image", "cover", "thumbnail", "featured_image", "images")
SPELLINGS = (PUBLISHED, UPDATED, SUMMARY, TITLE, AUTHORS, LANGUAGE, CANONICAL, IMAGE)
"""The names that other tools give to one field, the most telling first."""

Report = Callable[[str, int], None]


class Fields:
    """Front matter, asked for by meaning. What has the wrong shape is reported with its line, never raised."""

    def __init__(self, values: Mapping[str, Value], lines: Mapping[str, int], error: Report, warn: Report) -> None:
        self._values = dict(values)
        self._lines = dict(lines)
        self._error = error
        self._warn = warn

    def add(self, values: Mapping[str, Value], line: int) -> None:
        """Takes in what the text itself says, for fields that the front matter does not have in any spelling."""
        for name, value in values.items():
            spellings = next((group for group in SPELLINGS if name in group), (name,))
            if not any(self._values.get(spelling) for spelling in spellings):
                self._values[name], self._lines[name] = value, line

    def warn(self, message: str, names: Sequence[str]) -> None:
        """Reports something about the first of these fields that is there."""
        self._warn(message, self.line(*names))

    def says(self, *names: str) -> bool:
        """Whether one of these fields holds something, be it a list of nothing; a field left blank says nothing."""
        return any(isinstance(value := self._values.get(name), list) or bool(value) for name in names)

    def line(self, *names: str) -> int:
        """The line of the first of these fields that is there, else 1."""
        return next((self._lines[name] for name in names if name in self._lines), 1)

    def value(self, *names: str) -> Value | None:
        """The first of these fields that is there and not empty."""
        return next((value for name in names if (value := self._values.get(name))), None)

    def text(self, *names: str) -> str | None:
        """The first of these fields that holds something, as text; ``""`` when one is there but empty."""
        there = None
        for name in names:
            value = self._values.get(name)
            if isinstance(value, str):
                if value.strip():
                    return value
                there = ""
            elif value:
                self._error(f"{name!r} must be one line of text, not {_shape(value)}", self.line(name))
                there = ""
        return there

    def names(self, *names: str) -> list[str]:
        """All the words of these fields: lists, or text parted by commas or semicolons."""
        found: list[str] = []
        for name in names:
            match self._values.get(name):
                case str(text):
                    found += [part.strip() for part in re.split("[,;]", text)]
                case list(parts):
                    for part in parts:
                        if isinstance(part, str):
                            found.append(part.strip())
                        else:
                            self._warn(f"{name!r} holds {_shape(part)} where a word belongs; it is left out", self.line(name))
                case dict():
                    self._warn(f"{name!r} must be a list of words, not fields; it is left out", self.line(name))
        return [part for part in found if part]

    def people(self, *names: str, split: bool = True) -> list[Value]:
        """The first of these fields as a list: of names, or of fields such as name and url."""
        value = self.value(*names)
        match value:
            case None:
                return []
            case list():
                return [part for part in value if part]
            case str() if split:
                # A comma parts two authors, but not a name from its suffix.
                parts = re.split(r" ?; ?| (?:and|&) | ?,(?! ?(?:Jr|Sr|Inc|Ltd|LLC|PhD|MD|II|III)\b) ?", " ".join(value.split()))
                return [part.strip() for part in parts if part.strip()]
            case _:
                return [value]

    def flag(self, name: str, default: bool = False) -> bool:
        """A yes or no. What is neither is an error, except in ``published``, which may be a date."""
        value = self._values.get(name, "")
        if not isinstance(value, str) or not value.strip():
            return default
        if (answer := TRUTH.get(value.strip().lower())) is not None:
            return answer
        if name != "published":
            self._error(f"{name!r} must be true or false, not {value!r}", self.line(name))
        return default

    def integer(self, name: str, default: int) -> int:
        value = self._values.get(name, "")
        if not value:
            return default
        try:
            number = int(str(value))
        except ValueError:
            number = None
        if number is None or abs(number) > 1_000_000:
            self._error(f"{name!r} must be a whole number up to a million, not {value!r}", self.line(name))
            return default
        return number


def _shape(value: Value) -> str:
    return "a list" if isinstance(value, list) else "fields" if isinstance(value, dict) else "text"
