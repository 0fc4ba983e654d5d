"""Addresses that articles have left, for every web server to answer: 301 where one leads, 410 where it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote

import orjson

NAME = ".dateline-addresses"
"""The files' name in the public folder, before their ends; hidden, because they are not for readers."""


def files(gone: Iterable[str], moved: Mapping[str, str]) -> dict[str, bytes]:
    """The files by name: for ``dateline serve``, for nginx and for Caddy. Paths begin with a slash, below the site's root."""
    gone, moved = sorted(gone), dict(sorted(moved.items()))
    answers = dict.fromkeys(gone, "") | moved
    return {
        f"{NAME}.json": orjson.dumps({"gone": gone, "moved": moved}, option=orjson.OPT_INDENT_2) + b"\n",
        f"{NAME}.nginx": _lines(answers, lambda path, target: f"{_quoted(path)} {_quoted(target or 'gone')};"),
        f"{NAME}.caddy": _lines(answers, lambda path, target: f"{_quoted(path)} {_quoted(target or 'gone')}"),
    }


def spellings(path: str) -> list[str]:
    """The ways in which people ask for one page."""
    if path.endswith("/"):
        return [path, path.removesuffix("/"), f"{path}index.html"]
    return [path]


def _lines(answers: Mapping[str, str], line: Callable[[str, str], str]) -> bytes:
    return "".join(
        f"{line(spelling, quote(target, safe='/-._~'))}\n" for path, target in answers.items() for spelling in spellings(path)
    ).encode()


def _quoted(text: str) -> str:
    """A word for nginx and Caddy, which both take a backslash before what would end or expand it."""
    escaped = "".join(f"\\{letter}" if letter in '\\"${}' else letter for letter in text)
    return f'"{escaped}"'
