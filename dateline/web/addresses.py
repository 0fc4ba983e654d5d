"""Which addresses articles have left, as the publisher wrote it beside the files."""

from __future__ import annotations

from pathlib import Path

import orjson

from feeds.addresses import NAME, spellings


class Addresses:
    """The answers for pages that are not there any more; read again when the publisher wrote them anew."""

    def __init__(self, folder: Path, base: str) -> None:
        self._file = folder / f"{NAME}.json"
        self._base = base
        self._known = (0, 0)
        self._gone: frozenset[str] = frozenset()
        self._moved: dict[str, str] = {}

    def answer(self, path: str) -> tuple[bool, str | None]:
        """Whether a page was withdrawn, and where it has moved, if it has."""
        self._read()
        return path in self._gone, self._moved.get(path)

    def _read(self) -> None:
        try:
            found = self._file.stat()
            if (found.st_size, found.st_mtime_ns) == self._known:
                return
            table = orjson.loads(self._file.read_bytes())
            self._gone = frozenset(one for path in table["gone"] for one in spellings(self._base + path))
            self._moved = {
                one: self._base + target for path, target in table["moved"].items() for one in spellings(self._base + path)
            }
            self._known = (found.st_size, found.st_mtime_ns)
        except (OSError, orjson.JSONDecodeError, KeyError):
            # There are none, or the file is being made: what is known already holds.
            return
