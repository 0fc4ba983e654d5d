"""Splits a file into its front matter and its body, and knows the line that each field stands on."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TypeAlias

import yaml

Value: TypeAlias = "str | list[Value] | dict[str, Value]"
"""What front matter holds. Scalars stay as they are written: ``NO`` is Norway, not a refusal; ``007`` a title."""

_FENCE = {"---": re.compile(r"^(?:---|\.\.\.)[ \t]*$", re.MULTILINE), "+++": re.compile(r"^\+\+\+[ \t]*$", re.MULTILINE)}
_OPENING = re.compile(r"\A(---|\+\+\+)[ \t]*\n")
_WRITTEN_OPENING = re.compile(r"\A(---|\+\+\+)[ \t]*(?:\r\n|\r|\n)")
_WRITTEN_CLOSING = re.compile(r"(?<=[\r\n])(?:---|\.\.\.)[ \t]*(?=[\r\n]|\Z)")
"""The same in a text whose lines end as they were written."""
_HEADER_FIELD = re.compile(r"^([A-Za-z][\w -]{0,30}):[ \t]*(.*)$")
_YAML_FIELD = re.compile(r"^[\w\"'][^:\n]{0,60}:(?:\s|$)", re.MULTILINE)
_TOML_KEY = re.compile(r"^\s*(?:\[+\s*)?[\"']?([\w-]+)[\"']?\s*(?:=|\.|\])")
_TOML_LINE = re.compile(r"line (\d+)")
_DEPTH = 20
"""Lists and fields within each other, beyond which no front matter goes."""
_VALUES = 10_000
"""Values that front matter may have, those that aliases repeat counted each time."""
_SMALL = 5_000
"""Characters below which front matter cannot be nested so deeply that its parser breaks."""


class FrontMatterError(ValueError):
    """Front matter that cannot be read; ``line`` is the file's line, from 1."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Document:
    """A file in two parts. ``lines`` gives each field's line and ``body_line`` the body's first, both from 1."""

    fields: dict[str, Value]
    body: str
    lines: dict[str, int] = field(default_factory=dict)
    body_line: int = 1

    @property
    def has_front_matter(self) -> bool:
        return self.body_line > 1


def with_list(text: str, name: str, values: Sequence[str]) -> str:
    """``text``, whatever its lines end in, with a list of plain words added to its front matter, made if there is none.

    All else stays as it is; the line that is added ends as the first one does.
    """
    opening, first = _WRITTEN_OPENING.match(text), re.search(r"\r\n|\r|\n", text)
    end = first[0] if first else "\n"
    listed = ", ".join(f'"{value}"' for value in values)
    if opening and opening[1] == "+++":
        # Before the first table, so that it belongs to none.
        return f"{opening[0]}{name} = [{listed}]{end}{text[opening.end() :]}"
    if opening and (closing := _WRITTEN_CLOSING.search(text, opening.end() - 1)):
        return f"{text[: closing.start()]}{name}: [{listed}]{end}{text[closing.start() :]}"
    if first and text[:6].lower() == "title:":
        return f"{text[: first.end()]}{name}: {', '.join(values)}{end}{text[first.end() :]}"
    return f"---{end}{name}: [{listed}]{end}---{end}{end}{text}"


def begins(text: str) -> bool:
    """Whether a text begins with front matter, whatever its lines end in."""
    return _WRITTEN_OPENING.match(text) is not None or text[:6].lower() == "title:"


def split(text: str) -> Document:
    """Parts ``text`` (lines ending in ``\\n``) into YAML (``---``), TOML (``+++``) or plain header front matter and body.

    A rule ``---`` at the head of a text that has no closing fence, or encloses no fields, is body.
    Raises ``FrontMatterError`` with the line when the front matter cannot be parsed. Field names are lower case.
    """
    opening = _OPENING.match(text)
    if not opening:
        return _headed(text)
    fence = opening[1]
    closing = _FENCE[fence].search(text, opening.end())
    if closing is None:
        if fence == "---" and not re.match(r"[A-Za-z_][\w-]*\s*:", text[opening.end() :]):
            return Document({}, text)
        raise FrontMatterError(f"the front matter opened by {fence} on line 1 is never closed: add a line {fence}", 1)
    inner = text[opening.end() : closing.start()]
    body = text[closing.end() :].removeprefix("\n")
    if fence == "---" and inner[:1] == "\n" and not _YAML_FIELD.search(inner):
        return Document({}, text)
    fields, lines = _yaml(inner) if fence == "---" else _toml(inner)
    return Document(fields, body, lines, text.count("\n", 0, len(text) - len(body)) + 1)


def _headed(text: str) -> Document:
    """Fields without a fence, as Pelican and MultiMarkdown have them: ``Title: ...`` first, to the first blank line."""
    if not text[:6].lower().startswith("title:"):
        return Document({}, text)
    head, _, body = text.partition("\n\n")
    fields: dict[str, Value] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(head.split("\n"), start=1):
        match = _HEADER_FIELD.match(line)
        if not match:
            return Document({}, text)
        key = match[1].strip().lower().replace(" ", "_")
        fields.setdefault(key, match[2].strip())
        lines.setdefault(key, number)
    return Document(fields, body, lines, head.count("\n") + 3)


def _yaml(text: str) -> tuple[dict[str, Value], dict[str, int]]:
    try:
        if len(text) > _SMALL:
            _refuse_depth(text)
        node = yaml.compose(text, Loader=yaml.CSafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = (mark.line if mark else 0) + 2
        hint = ": put a value that holds a colon, quotes or braces in quotes" if error.problem else ""
        raise FrontMatterError(f"the YAML front matter cannot be read ({error.problem or error.context}){hint}", line) from None
    except yaml.YAMLError as error:
        raise FrontMatterError(f"the YAML front matter cannot be read ({error})", 1) from None
    if node is None:
        return {}, {}
    if not isinstance(node, yaml.MappingNode):
        raise FrontMatterError("the YAML front matter is not a list of fields such as 'title: ...'", 2)
    fields: dict[str, Value] = {}
    lines: dict[str, int] = {}
    read = _YamlValues()
    for key_node, value_node in node.value:
        key, line = str(key_node.value).strip().lower(), key_node.start_mark.line + 2
        if key in fields:
            raise FrontMatterError(f"the field {key!r} stands twice, first on line {lines[key]}: keep one", line)
        fields[key], lines[key] = read.value(value_node), line
    return fields, lines


def _refuse_depth(text: str) -> None:
    """Looks at the events alone, because composing what is nested ten thousand deep would end the process."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.CSafeLoader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEPTH:
            line = event.start_mark.line if event.start_mark else 0
            raise FrontMatterError("the YAML front matter is nested too deeply", line + 2)


class _YamlValues:
    """Reads nodes as values, as many as front matter may have."""

    def __init__(self) -> None:
        self._left = _VALUES

    def value(self, node: yaml.Node, depth: int = 1) -> Value:
        self._left -= 1
        if depth > _DEPTH or self._left < 0:
            what = "nested too deeply" if self._left >= 0 else f"too large: it holds more than {_VALUES} values"
            raise FrontMatterError(f"the YAML front matter is {what}", node.start_mark.line + 2)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(part, depth + 1) for part in node.value]
        if isinstance(node, yaml.MappingNode):
            return {str(key.value).strip().lower(): self.value(value, depth + 1) for key, value in node.value}
        if node.tag == "tag:yaml.org,2002:null":
            return ""
        return str(node.value)


def _toml(text: str) -> tuple[dict[str, Value], dict[str, int]]:
    try:
        table = tomllib.loads(text)
    except RecursionError:
        raise FrontMatterError("the TOML front matter is nested too deeply", 1) from None
    except ValueError as error:
        match = _TOML_LINE.search(str(error))
        line = int(match[1]) + 1 if match else 1
        raise FrontMatterError(f"the TOML front matter cannot be read ({error})", line) from None
    lines: dict[str, int] = {}
    for number, written in enumerate(text.split("\n"), start=2):
        if match := _TOML_KEY.match(written):
            lines.setdefault(match[1].lower(), number)
    return {key.lower(): _toml_value(value) for key, value in table.items()}, lines


def _toml_value(value: object) -> Value:
    match value:
        case dict():
            return {str(key).lower(): _toml_value(part) for key, part in value.items()}
        case list():
            return [_toml_value(part) for part in value]
        case bool():
            return str(value).lower()
        case datetime() | date():
            return value.isoformat()
        case _:
            return str(value)
