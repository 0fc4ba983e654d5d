"""Pictures and files that lie beside an article and are published with it."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from content.article import Media

_PUBLISHED_TYPES = frozenset(
    {".png", ".jpg", ".jpeg", ".gif", ".webp", ".avif", ".pdf", ".mp3", ".m4a", ".ogg", ".mp4", ".webm", ".csv"}
)
"""What may be copied to the web. HTML and SVG may not: they would run scripts in the site's name."""


def find_media(link: str, article_path: Path) -> Media | None:
    """The file that a relative ``link`` in an article means, when it lies in the article's folder or below it."""
    parts = urlsplit(link.strip()) if "[" not in link else None
    if parts is None or parts.scheme or parts.netloc or not parts.path or parts.path.startswith("/"):
        return None
    if Path(parts.path).suffix.lower() not in _PUBLISHED_TYPES:
        return None
    folder = article_path.parent.resolve()
    try:
        path = (folder / unquote(parts.path)).resolve()
        if not path.is_relative_to(folder) or not path.is_file():
            return None
        stat = path.stat()
    except (OSError, ValueError):
        return None
    digest = _digest(path, stat.st_mtime_ns, stat.st_size)
    return Media(f"{digest}-{quote(path.name, safe='').replace('%', '-')}", str(path), stat.st_size)


@lru_cache(maxsize=4096)
def _digest(path: Path, mtime: int, size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=8)).hexdigest()
