"""``regions``: which places an article is about, why, and writing them into its front matter."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from content.files import SUFFIXES
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

    ``given`` is ``None`` where the file says nothing of regions, and empty where it says that there are none.
    """

    path: Path
    given: list[str] | None
    found: list[Placed]
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
    from content.placing import chosen, place

    if path.is_file() and path.suffix.lower() not in SUFFIXES:
        return Told(path, None, [], f"{path}: is not an article: its name must end in one of {', '.join(SUFFIXES)}")
    reading = reader.read(path)
    article = reading.article
    if article is None:
        return Told(path, None, [], "; ".join(str(problem) for problem in reading.errors))
    summary = article.summary.text if article.summary.written else ""
    found = place(article.title, summary, article.body, article.language)
    given = [region.code for region in article.regions] if _says_regions(path) else None
    wanted = [region.code for region in chosen(found, threshold)]
    if not (write and wanted and given is None):
        return Told(path, given, found)
    problem = _write(reader, path, article, wanted)
    return Told(path, given, found, problem, [] if problem else wanted)


def _says_regions(path: Path) -> bool:
    """Whether an article's front matter says something of regions, be it that there are none."""
    from content import fields
    from content.front_matter import FrontMatterError, split

    try:
        said = split(path.read_text("utf-8-sig")).fields
    except (OSError, UnicodeDecodeError, FrontMatterError):
        return False
    return any(name in said for name in fields.REGIONS)


def _write(reader: Reader, path: Path, article: Article, codes: list[str]) -> str:
    """Writes regions into a file in one step, if it then reads the same but for them; says what is wrong, else nothing."""
    from content.front_matter import with_list

    half = path.with_name(f".{path.name}.half{path.suffix}")
    try:
        written = path.read_bytes()
        text = written.decode("utf-8-sig")
        ends = "\r\n" if "\r\n" in text else "\n"
        text = with_list(text.replace("\r\n", "\n"), "regions", codes).replace("\n", ends)
        half.write_bytes((b"\xef\xbb\xbf" if written.startswith(b"\xef\xbb\xbf") else b"") + text.encode())
        half.chmod(path.stat().st_mode)
        after = reader.read(half).article
        same = after is not None and (after.title, after.body, after.summary) == (article.title, article.body, article.summary)
        if not (same and after and [region.code for region in after.regions] == codes):
            codes_said = f"regions: [{', '.join(codes)}]"
            how = f"write a front matter with its title and '{codes_said}'" if path.suffix == ".txt" else f"add '{codes_said}'"
            return f"{path}: the regions cannot be written without changing how the file reads; {how} by hand"
        os.replace(half, path)  # noqa: PTH105 (half and path are both there)
    except OSError as error:
        return f"{path}: cannot be written ({error.strerror})"
    except UnicodeDecodeError:
        return f"{path}: is not text in UTF-8"
    finally:
        with suppress(OSError):
            half.unlink(missing_ok=True)
    return ""


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
        elif one.given is not None:
            said = ", ".join(one.given) or "nowhere"
            output.say(f"{one.path}: its front matter says {said}, and that is what counts")


def _words(placed: Placed) -> str:
    return ", ".join(f"{one.words} ({one.part})" for one in placed.evidence[:4])


def _as_json(one: Told, threshold: float) -> dict[str, object]:
    return {
        "path": str(one.path),
        "given": one.given,
        "written": list(one.written),
        "problem": one.problem,
        "regions": [
            {
                "code": placed.region.code,
                "name": placed.region.name,
                "score": placed.score,
                "tagged": placed.score >= threshold,
                "evidence": [{"words": said.words, "part": said.part, "start": said.start} for said in placed.evidence],
            }
            for placed in one.found
        ],
    }
