"""Finding article files in folders, and doing work on many of them by several processes."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

SUFFIXES = {".md": "markdown", ".markdown": "markdown", ".html": "html", ".htm": "html", ".txt": "text", ".text": "text"}
"""The kinds of file that are articles, by the end of their names."""

NOTES = frozenset({"README.md", "NOTES.md", "LICENSE.md", "LICENSE.txt", "CONTRIBUTING.md"})
"""Files beside articles that speak to the team."""

MANY = 400
"""From this many files on a second process is worth its start."""

BATCH = 100

FOREIGN = frozenset({".docx", ".doc", ".odt", ".rtf", ".pages", ".rst", ".adoc", ".org", ".mdx", ".epub"})
"""Texts that an editor may expect to be read and that are not."""


def why_no_article(path: Path) -> str:
    """Why a file is none that articles are read from, by its name; empty when it is one."""
    if path.suffix.lower() not in SUFFIXES:
        return f"is not an article: its name must end in one of {', '.join(SUFFIXES)}"
    if path.name in NOTES or path.name.startswith((".", "_")):
        return "is not an article: files of this name are notes to the team or set aside; rename it"
    return ""


Listing = tuple[str, tuple[int, int, int]]
"""A file as a folder lists it: its path from there, and size, mtime and ctime (ns)."""

Item = TypeVar("Item")
Result = TypeVar("Result")


Signature = tuple[int, int]
"""Bytes and time of change (nanoseconds since 1970) of a file; (-1, 0) when there is none."""


def signature_of(path: str | Path) -> Signature:
    try:
        stat = os.stat(path)  # noqa: PTH116 (asked of every file there is)
    except (OSError, ValueError):
        return -1, 0
    return stat.st_size, stat.st_mtime_ns


def article_files(folder: Path, apart: Collection[str] = (), others: list[str] | None = None) -> Iterator[Listing]:
    """The article files in a folder and below it.

    Hidden files, those whose name begins with an underscore and notes to the team are none, nor is what lies in a folder
    that is to be left ``apart`` (whole paths). Texts that cannot be read are added to ``others``.
    """
    waiting = [""]
    while waiting:
        below = waiting.pop()
        if apart and f"{folder}/{below}".rstrip("/") in apart:
            continue
        with os.scandir(folder / below) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith((".", "_")):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(f"{below}{name}/")
                elif name[name.rfind(".") :].lower() in SUFFIXES and name not in NOTES and entry.is_file():
                    stat = entry.stat()
                    yield below + name, (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)
                elif others is not None and name[name.rfind(".") :].lower() in FOREIGN:
                    others.append(below + name)


def in_batches(work: Callable[[Sequence[Item]], list[Result]], items: Sequence[Item]) -> Iterator[list[Result]]:
    """What ``work`` makes of all items, batch by batch in their order, by several processes when they are many."""
    batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
    processors = len(os.sched_getaffinity(0)) if sys.platform == "linux" else 1
    if len(items) < MANY or processors == 1:
        for batch in batches:
            yield work(batch)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor

    global _work
    _work = work
    # This pool notices when one of its processes is killed.
    with ProcessPoolExecutor(processors, multiprocessing.get_context("fork")) as pool:
        yield from pool.map(_do, batches)


_work: Callable[[Any], Any] = list


def _do(batch: Sequence[Any]) -> Any:
    return _work(batch)
