"""``regions``: which places an article is about, why, and writing them into its front matter."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from content.files import SUFFIXES, why_no_article
from dateline.cli import output
from dateline.cli.app import JsonOption, SiteOption, app, open_site, wants_json

if TYPE_CHECKING:
    from content.article import Article
    from content.placing import Placed
    from content.reading import Reader

SHOWN = 0.1
"""The score from which on a region is shown."""


@dataclass(frozen=True, slots=True)
class Told:
    """What the command says of one file: the regions that it names itself, those found, and what became of it.

    ``given`` is ``None`` where the file says nothing of regions, and empty where it says that there are none; ``unknown``
    are names that it gives and that stand for none.
    """

    path: Path
    given: list[str] | None
    found: list[Placed]
    unknown: Sequence[str] = ()
    problem: str = ""
    written: Sequence[str] = ()


@app.command()
def regions(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Articles.")],
    write: Annotated[
        bool, typer.Option("--write", help="Write the regions into the front matter of files that name none.")
    ] = False,
    site: SiteOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show which regions articles are about, each with its score and the words that speak for it."""
    from content.reading import Reader
    from dateline import clock

    place = open_site(context, site)
    ours = place.settings
    # What the text says is asked for here and now, whatever the setting is for publishing.
    quiet = ours.content.model_copy(update={"regions": "off"})
    reader = Reader(ours.site, quiet, ours.authors, clock.now())
    threshold = ours.content.region_threshold
    told = [_told(reader, path, threshold, write=write) for path in files]
    if wants_json(context, as_json):
        output.print_json([_as_json(one, threshold) for one in told])
    else:
        for one in told:
            _print(one, threshold)
    if any(one.problem for one in told):
        raise typer.Exit(1)


def _told(reader: Reader, path: Path, threshold: float, *, write: bool) -> Told:
    from content.placing import chosen, placed
    from content.regions import resolve

    if path.is_file() and (why := why_no_article(path)):
        return Told(path, None, [], problem=f"{path}: {why}")
    reading = reader.read(path)
    article, named = reading.article, reading.regions_named
    if article is None:
        return Told(path, None, [], problem="; ".join(str(problem) for problem in reading.errors))
    found = placed(article)
    if named is not None:
        unknown = [one.name for one in resolve(named)[1]]
        return Told(path, [region.code for region in article.regions], found, unknown)
    wanted = [region.code for region in chosen(found, threshold)]
    if not (write and wanted):
        return Told(path, None, found)
    problem = _write(reader, path, article, wanted)
    return Told(path, None, found, problem=problem, written=[] if problem else wanted)


def _write(reader: Reader, path: Path, article: Article, codes: list[str]) -> str:
    """Writes regions into a file in one step, if it then reads the same but for them; says what is wrong, else nothing."""
    # A link stays one, and the file that it leads to is written.
    target = path.resolve()
    half = target.with_name(f".{target.name}.half")
    try:
        if not os.access(target, os.W_OK):
            return f"{path}: cannot be written: its mode, or who owns it, does not allow that"
        before = target.read_bytes()
        mark, text = _BOM * before.startswith(_BOM), before.decode("utf-8-sig")
        text_after = _with_codes(path, text, codes)
        if text_after is None:
            return _by_hand(path, text, codes)
        after = mark + text_after.encode()
        read = reader.read(path, after).article
        if read is None or replace(read, regions=()) != replace(article, regions=()):
            return _by_hand(path, text, codes)
        if [region.code for region in read.regions] != codes:
            return _by_hand(path, text, codes)
        half.write_bytes(after)
        half.chmod(target.stat().st_mode)
        os.replace(half, target)  # noqa: PTH105 (half and target are both there)
    except OSError as error:
        return f"{path}: cannot be written ({error.strerror})"
    except UnicodeDecodeError:
        return f"{path}: is not text in UTF-8"
    finally:
        with suppress(OSError):
            half.unlink(missing_ok=True)
    return ""


def _with_codes(path: Path, text: str, codes: Sequence[str]) -> str | None:
    """The text of a file that says its regions; ``None`` when there is no place for them."""
    from content.front_matter import begins, with_list
    from content.html_page import with_regions
    from content.text import is_page

    # A browser would show front matter above a page.
    if SUFFIXES[path.suffix.lower()] == "html" and is_page(text) and not begins(text):
        return with_regions(text, codes)
    return with_list(text, "regions", codes)


_BOM = b"\xef\xbb\xbf"


def _by_hand(path: Path, text: str, codes: Sequence[str]) -> str:
    from content.front_matter import begins

    said = f"regions: [{', '.join(codes)}]"
    how = f"add '{said}'" if begins(text) else f"write a front matter with its title and '{said}'"
    return f"{path}: the regions cannot be written without changing how the file reads; {how} by hand"


def _print(one: Told, threshold: float) -> None:
    if one.problem:
        output.complain(one.problem)
    if not one.problem or one.found:
        rows = [
            (
                "*" if placed.score >= threshold else "",
                placed.region.code,
                placed.region.name,
                f"{placed.score:.2f}",
                _words(placed),
            )
            for placed in one.found
            if placed.score >= SHOWN
        ]
        if rows:
            output.print_table(["", "code", "region", "score", "evidence"], rows, title=str(one.path))
        else:
            output.say(f"{one.path}: no region is named")
        if one.written:
            output.say(f"{one.path}: written: {', '.join(one.written)}")
        elif one.unknown:
            known = f"{', '.join(one.given)}, and besides " if one.given else ""
            output.say(f"{one.path}: its front matter names {known}no region that is known: {', '.join(one.unknown)}")
        elif one.given is not None:
            said = ", ".join(one.given) or "nowhere"
            output.say(f"{one.path}: its front matter says {said}, and that is what counts")


def _words(placed: Placed) -> str:
    return ", ".join(f"{one.words} ({one.part})" for one in placed.evidence[:4])


def _as_json(one: Told, threshold: float) -> dict[str, object]:
    return {
        "path": str(one.path),
        "given": one.given,
        "unknown": list(one.unknown),
        "written": list(one.written),
        "problem": one.problem,
        "regions": [
            {
                "code": placed.region.code,
                "name": placed.region.name,
                "score": round(placed.score, 2),
                "tagged": placed.score >= threshold,
                "evidence": [{"words": said.words, "part": said.part, "start": said.start} for said in placed.evidence],
            }
            for placed in one.found
        ],
    }
