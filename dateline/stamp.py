"""Has anything changed since the last publish? Answered from the status of files alone, before the program is even loaded.

A publish leaves a stamp beside config.toml: a digest of all that it depends on, and the files that it wrote. As long as both
are as they were, and no article's time has come, another publish would do nothing. Losing the stamp costs time, nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from content.files import Listing, Signature, article_files, signature_of
from dateline import __version__

NAME = ".dateline-stamp.json"
RACY_SECONDS = 2.0
"""A file that changed this shortly before it was looked at may change again without a trace in its times."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a publish that did nothing would say."""

    files: int
    articles: int
    feeds: int


def unchanged(root: Path, given: Sequence[Path], now: float) -> Told | None:
    """What to say if nothing can have changed; ``None`` when the publish has to look for itself. ``now`` is in seconds."""
    try:
        stamp = json.loads((root / NAME).read_bytes())
        if stamp["given"] != [str(path) for path in given] or not stamp["moment"] <= now < (stamp["until"] or now + 1):
            return None
        if stamp["inputs"] != _inputs(root, stamp["watched"], stamp["templates"], stamp["database"])[0]:
            return None
        folder = stamp["folder"]
        for path, size, mtime_ns in stamp["outputs"]:
            if signature_of(f"{folder}/{path}") != (size, mtime_ns):
                return None
        for path, (size, mtime_ns) in stamp["beside"].items():
            if signature_of(path) != (size, mtime_ns):
                return None
        return Told(*stamp["told"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def take_away(root: Path) -> None:
    """Before anything is changed: a publish that does not come to its end leaves no stamp."""
    (root / NAME).unlink(missing_ok=True)


def leave(
    root: Path,
    given: Sequence[Path],
    watched: Iterable[Path],
    listings: Mapping[str, list[Listing]],
    templates: Path | None,
    database: Path,
    folder: Path,
    outputs: Iterable[tuple[str, int, int]],
    beside: Mapping[str, Signature],
    begun: float,
    until: float | None,
    told: Told,
) -> None:
    """Leaves the stamp of a publish that began at ``begun`` (seconds) and found nothing wrong.

    It holds ``until`` the next article is due. Folders are ``watched`` with all articles in them, which were as ``listings``
    say, by whole paths, when the publish looked; ``outputs`` are paths below ``folder`` with their sizes and times of change,
    ``beside`` the files that articles lead to.
    """
    places = [str(path.resolve()) for path in watched]
    shown = str(templates.resolve()) if templates else ""
    inputs, newest = _inputs(root, places, shown, str(database.resolve()), listings)
    if newest / 1e9 > begun - RACY_SECONDS:
        return
    stamp = {
        "given": [str(path) for path in given], "watched": places, "templates": shown, "database": str(database.resolve()),
        "inputs": inputs, "folder": str(folder.resolve()), "outputs": list(outputs), "beside": beside,
        "moment": begun, "until": until, "told": [told.files, told.articles, told.feeds],
    }  # fmt: skip
    half = root / f"{NAME}.half"
    half.write_text(json.dumps(stamp))
    half.replace(root / NAME)


def _inputs(
    root: Path, watched: Sequence[str], templates: str, database: str, listings: Mapping[str, list[Listing]] | None = None
) -> tuple[str, int]:
    """A digest of all that a publish depends on, and the newest time of change among the articles (nanoseconds)."""
    listed = listings or {}
    found = hashlib.blake2b(digest_size=16)
    found.update(f"{__version__}\0{os.getcwd()}\0".encode())  # noqa: PTH109 (relative paths are meant from here)
    found.update((root / "config.toml").read_bytes())
    for name in sorted(os.environ):
        if name.upper().startswith("DATELINE_"):
            found.update(f"{name}={os.environ[name]}\0".encode("utf-8", "surrogateescape"))
    newest = 0
    for place in watched:
        files = listed[place] if place in listed else sorted(article_files(Path(place)))
        newest = max([newest, *(max(mtime, ctime) for _, (_, mtime, ctime) in files)])
        found.update(repr((place, files)).encode("utf-8", "surrogateescape"))
    if templates:
        with os.scandir(templates) as entries:
            shown = sorted((entry.name, entry.stat().st_size, entry.stat().st_mtime_ns) for entry in entries)
        found.update(repr(shown).encode("utf-8", "surrogateescape"))
    # Another database in its place would be another file.
    found.update(f"{database}\0{os.stat(database).st_ino}".encode())  # noqa: PTH116
    return found.hexdigest(), newest
