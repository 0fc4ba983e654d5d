"""Files that an article leads to: pictures that are published with it, other articles whose pages it means."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from content.article import Media
from content.files import SUFFIXES, Signature, signature_of
from content.text import slug_of

_PUBLISHED_TYPES = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".pdf", ".mp3", ".m4a", ".ogg", ".mp4", ".webm", ".csv"}
)
"""What may be copied to the web. HTML and SVG may not: they would run scripts in the site's name."""


def target_of(link: str, article_path: Path) -> Path | None:
    """The file that a relative ``link`` in an article means, there or not: one that can be published, or another article."""
    try:
        parts = urlsplit(link.strip())
    except ValueError:
        return None
    if parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/"):
        return None
    suffix = Path(parts.path).suffix.lower()
    if suffix not in _PUBLISHED_TYPES and suffix not in SUFFIXES:
        return None
    try:
        folder = article_path.parent.resolve()
        path = (folder / unquote(parts.path)).resolve()
    except (OSError, ValueError):
        return None
    return path if suffix in SUFFIXES or path.is_relative_to(folder) else None


def is_article(target: Path) -> bool:
    return target.suffix.lower() in SUFFIXES


def media_of(path: Path) -> Media | None:
    """A file as it is published: named after its content. ``None`` when there is none."""
    try:
        if not path.is_file():
            return None
        stat = path.stat()
        digest = _digest(path, stat.st_mtime_ns, stat.st_size)
    except (OSError, ValueError):
        return None
    # Only so much of its own name as every file system takes and every program reads.
    name = slug_of(path.stem, 60)
    plain = f"-{name}" if name.isascii() and name else ""
    return Media(f"{digest}{plain}{path.suffix.lower()}", str(path), stat.st_size)


def is_of(file: Path, media: Media) -> bool:
    """Whether a file holds what ``media`` was named after."""
    # Many copies have this path one after the other, some within one tick of the file system's clock.
    return media.name.startswith(_digest_now(file))


def packed(article_path: Path, targets: Iterable[Path]) -> str:
    """The files that an article leads to as they are now, by their paths from it; empty when there are none."""
    folder = article_path.parent.resolve()
    found = [(os.path.relpath(target, folder), *signature_of(target)) for target in targets]
    return json.dumps(found) if found else ""


def unpacked(article_path: Path, beside: str) -> dict[str, Signature]:
    """The files of :func:`packed` by their whole paths, as they were then."""
    folder = article_path.parent
    return {os.path.normpath(folder / path): (size, mtime_ns) for path, size, mtime_ns in json.loads(beside)}


@lru_cache(maxsize=4096)
def _digest(path: Path, mtime: int, size: int) -> str:
    """The digest of a file that has not changed since it was asked for last."""
    return _digest_now(path)


def _digest_now(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
