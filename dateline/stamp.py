"""Has anything changed since the last publish? Answered from the status of files alone, before the program is even loaded.

A publish leaves a stamp beside config.toml: a digest of all that it depends on, and the files that it wrote. As long as both
are as they were, and no article's time has come, another publish would do nothing. Losing the stamp costs time, nothing else.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
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


@dataclass(frozen=True, slots=True)
class Rules:
    """What a publish goes by, as it was before anything of it was read: what is edited meanwhile was not published."""

    settings: str
    """Of :func:`settings_digest`."""
    templates: str
    """The folder of the templates; empty when nothing is made from them."""
    shown: str
    """Of :func:`templates_digest`."""
    apart: list[str]
    """The folders that hold no articles, by their whole paths."""


def settings_digest(root: Path) -> str:
    """Changes with the program, the settings, and the folder from which relative paths are meant."""
    found = hashlib.blake2b(digest_size=16)
    found.update(f"{__version__}\0{os.getcwd()}\0".encode("utf-8", "surrogateescape"))  # noqa: PTH109 (that folder)
    try:
        found.update((root / "config.toml").read_bytes())
    except OSError:
        # Who loads the settings says so.
        found.update(b"\0")
    for name in sorted(os.environ):
        if name.upper().startswith("DATELINE_"):
            found.update(f"{name}={os.environ[name]}\0".encode("utf-8", "surrogateescape"))
    return found.hexdigest()


def templates_digest(folder: str) -> str:
    """Changes with the status of any file in the folder or below it."""
    found = []
    for place, folders, names in os.walk(folder) if folder else ():
        folders.sort()
        for name in sorted(names):
            path = f"{place}/{name}"
            found.append((path, *signature_of(path)))
    return hashlib.blake2b(repr(found).encode("utf-8", "surrogateescape"), digest_size=16).hexdigest()


def unchanged(root: Path, given: Sequence[Path], now: float) -> Told | None:
    """What to say if nothing can have changed; ``None`` when the publish has to look for itself. ``now`` is in seconds."""
    try:
        stamp = json.loads((root / NAME).read_bytes())
        if stamp["given"] != [str(path) for path in given] or not stamp["moment"] <= now < (stamp["until"] or now + 1):
            return None
        rules = Rules(**stamp["rules"])
        if rules.settings != settings_digest(root) or rules.shown != templates_digest(rules.templates):
            return None
        path, *database = stamp["database"]
        if database != _database(path) or stamp["articles"] != _articles(stamp["watched"], rules.apart)[0]:
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
    rules: Rules,
    database: Path,
    folder: Path,
    outputs: Iterable[tuple[str, int, int]],
    beside: Mapping[str, Signature],
    begun: float,
    until: float | None,
    told: Told,
) -> None:
    """Leaves the stamp of a publish that went by ``rules``, began at ``begun`` (seconds) and found nothing wrong.

    It holds ``until`` the next article is due. Folders are ``watched`` with all articles in them, which were as ``listings``
    say, by whole paths, when the publish looked; ``outputs`` are paths below ``folder`` with their sizes and times of change,
    ``beside`` the files that articles lead to. The ``database`` must be closed.
    """
    places = [str(path.resolve()) for path in watched]
    articles, newest = _articles(places, rules.apart, listings)
    if newest / 1e9 > begun - RACY_SECONDS:
        return
    kept = str(database.resolve())
    stamp = {
        "given": [str(path) for path in given], "watched": places, "articles": articles, "rules": asdict(rules),
        "database": [kept, *_database(kept)], "folder": str(folder.resolve()), "outputs": list(outputs), "beside": beside,
        "moment": begun, "until": until, "told": [told.files, told.articles, told.feeds],
    }  # fmt: skip
    half = root / f"{NAME}.half"
    half.write_text(json.dumps(stamp))
    half.replace(root / NAME)


def _articles(
    watched: Sequence[str], apart: Sequence[str], listings: Mapping[str, list[Listing]] | None = None
) -> tuple[str, int]:
    """A digest of the articles' status, and their newest time of change (nanoseconds)."""
    listed = listings or {}
    found = hashlib.blake2b(digest_size=16)
    newest = 0
    for place in watched:
        files = listed[place] if place in listed else sorted(article_files(Path(place), apart))
        newest = max([newest, *(max(mtime, ctime) for _, (_, mtime, ctime) in files)])
        found.update(repr((place, files)).encode("utf-8", "surrogateescape"))
    return found.hexdigest(), newest


def _database(path: str) -> list[int]:
    """What tells a database from another that was put in its place, as a new file or over the old one's bytes.

    Its write-ahead log has no say: only a publish writes articles there, and a publish takes the stamp away. What the
    newsletter writes ends the stamp when it reaches the file itself, which costs one look.
    """
    stat = os.stat(path)  # noqa: PTH116
    return [stat.st_ino, stat.st_size, stat.st_mtime_ns]
