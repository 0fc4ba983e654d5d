"""How is a wrong setting told: what it is called in config.toml, and what it must be, in words that do not need Python."""

from __future__ import annotations

import json
from typing import Any, get_args, get_origin

_WORDS = {
    "int_parsing": "must be a whole number", "int_type": "must be a whole number", "int_from_float": "must be a whole number",
    "float_parsing": "must be a number", "float_type": "must be a number", "finite_number": "must be a number",
    "bool_parsing": "must be true or false", "bool_type": "must be true or false", "string_type": 'must be text in "quotes"',
    "path_type": 'must be a path in "quotes"', "dict_type": "must be a table such as {example}",
    "list_type": "must be a list such as {example}", "model_type": "must be a table, with settings below it",
    "model_attributes_type": "must be a table, with settings below it", "literal_error": "must be {expected}",
    "greater_than": "must be more than {gt}", "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}", "less_than_equal": "must be at most {le}",
    "date_type": "must be a date such as 2026-01-31",
    "date_from_datetime_parsing": "must be a date such as 2026-01-31", "missing": "is missing",
}  # fmt: skip
"""By pydantic's types of errors."""


def words_of(problem: Any, model: Any) -> str:
    """What one of pydantic's errors says. ``model`` is the whole of the settings, whose defaults serve as examples."""
    words = _WORDS.get(problem["type"])
    if words is None:
        return str(problem["msg"]).removeprefix("Value error, ")
    location = [part for part in problem["loc"] if not isinstance(part, int)]
    given = {"example": _as_toml(example_of(_field(model, location)))}
    return words.format_map(_Given({**given, **(problem.get("ctx") or {})}))


def name_of(location: tuple[str | int, ...], table: dict[str, Any]) -> str:
    """What a setting is called: ``site.title``, or ``[[digest]] daily, cron`` where several tables share a heading."""
    match location:
        case (str(heading), int(number), *rest):
            there = table.get(heading)
            one = there[number] if isinstance(there, list) and number < len(there) else None
            name = one.get("name") if isinstance(one, dict) else None
            called = name if isinstance(name, str) and name and name.isprintable() else f"number {number + 1}"
            return ", ".join(filter(None, [f"[[{heading}]] {called}", _dotted(tuple(rest))]))
    return _dotted(location)


def example_of(field: Any) -> Any:
    """A value that a setting made of several could have: its default, or one of the same shape."""
    default = getattr(field, "default", None)
    if isinstance(default, list | dict) and default:
        return default
    annotation = getattr(field, "annotation", None)
    if get_origin(annotation) is dict:
        return {"example.com": 20}
    if any(hasattr(argument, "model_fields") for argument in get_args(annotation)):
        return [{"name": "daily", "title": "Daily"}]
    return ["one", "two"]


def _field(model: Any, location: list[Any]) -> Any:
    field = None
    for part in location:
        field = getattr(model, "model_fields", {}).get(part)
        model = getattr(field, "annotation", None)
        # A list of tables or a table of them is looked into.
        model = next((one for one in get_args(model) if hasattr(one, "model_fields")), model)
    return field


def _dotted(location: tuple[str | int, ...]) -> str:
    return ".".join(f"[{part}]" if isinstance(part, int) else str(part) for part in location).replace(".[", "[")


def _as_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_as_toml(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(_as_toml(one) for one in value) + "]"
    return json.dumps(value)


class _Given(dict[str, Any]):
    """Stands still where pydantic gives no detail."""

    def __missing__(self, name: str) -> str:
        return "something else"
