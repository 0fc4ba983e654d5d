"""Files and folders go in; the archive knows afterwards what is new, corrected, moved, gone or wrong."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from content.archive import LIVE
from content.article import Article, State
from content.documents import from_document, to_document
from content.errors import ConfigError, Problem, Severity
from content.files import SUFFIXES, Signature, article_files, in_batches, signature_of
from content.keeping import Keeper, Kept, Origin
from content.media import unpacked
from content.reading import Reader, Reading

RACY_NS = 2_000_000_000
"""A file changed this shortly before it was read may change again without a trace in its times; it is read anew."""

GUARD = 20
"""More files than this do not vanish at once unless the editor says so."""


EMPTIED = 5
"""As many files or more do not vanish when none is left, either."""


class Change(StrEnum):
    NEW = "new"
    CORRECTED = "corrected"
    MOVED = "moved"
    RESTORED = "restored"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True)
class Event:
    """One article that an intake changed."""

    change: Change
    article_id: str
    title: str
    source: str
    old_slug: str = ""
    """The address that it left, when it got another."""


@dataclass(slots=True)
class Report:
    """What an intake did. ``files`` were looked at; ``unchanged`` of them needed no reading, ``drafts`` are kept back."""

    files: int = 0
    unchanged: int = 0
    drafts: int = 0
    events: list[Event] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    beside: dict[str, Signature] = field(default_factory=dict)
    """The files that articles lead to, by their whole paths, as they were when the articles were read."""

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity is Severity.ERROR]

    def count(self, change: Change) -> int:
        return sum(event.change is change for event in self.events)


Hook = Callable[[list[Article]], None]
"""Told of the articles that were read, perhaps in another process, so that work on them can begin there."""


class PathError(ConfigError):
    """A path that is neither a file nor a folder, nor one that an article came from."""


@dataclass(frozen=True, slots=True)
class Read:
    """A file that was read, and what it was like when that was done."""

    reading: Reading
    origin: Origin

    def __reduce__(self) -> tuple[object, ...]:
        # Between processes the article travels as it is kept, which takes a fraction of the time.
        said, origin = self.reading, self.origin
        document = None if said.article is None else to_document(said.article)
        rest = (said.problems, said.digest, said.dated, said.revised, said.other_slug, said.slug_line, said.beside)
        return _received, (str(said.path), document, rest, astuple(origin))


def _received(path: str, document: bytes | None, rest: tuple[Any, ...], origin: tuple[Any, ...]) -> Read:
    article = None if document is None else from_document(document)
    return Read(Reading(Path(path), article, *rest), Origin(*origin))


class Intake:
    """Takes articles into an archive.

    ``root`` is the site's folder: files below it are remembered by their path from there, so that the site can be
    moved. ``withdraw_many`` allows that more than :data:`GUARD` articles and over half of a folder vanish at once.
    """

    def __init__(self, archive: Keeper, reader: Reader, root: Path, *, withdraw_many: bool = False) -> None:
        self.archive = archive
        self.reader = reader
        self.root = root.resolve()
        self.withdraw_many = withdraw_many
        self.report = Report()
        self._vanished: dict[str, Kept] = {}

    def survey(self, paths: Sequence[Path]) -> list[Path]:
        """The files to be read: those that are new or changed. Notes what is unchanged and what is gone.

        Raises ``PathError``, before anything is changed, for a path that is nothing at all.
        """
        known = self._known()
        files: dict[Path, None] = {}
        seen: set[str] = set()
        for path in paths:
            resolved = path.resolve()
            if resolved.is_dir():
                self._survey_folder(resolved, known, files, seen)
            elif resolved.is_file():
                self._survey_file(path, resolved, known, files, seen)
            elif gone := self.archive.from_source(self._source(resolved)):
                self._vanished[gone.id] = gone
            else:
                raise PathError(f"{path}: there is no such file or folder")
        self.report.files = len(seen)
        self.report.unchanged = len(seen) - len(files)
        return list(files)

    def _known(self) -> dict[str, tuple[int, int, int]]:
        """The files that need not be read again if they have this size and these times."""
        known = self.archive.trusted(self.reader.fingerprint, RACY_NS)
        for source, beside in self.archive.beside():
            was = unpacked(self._path(source), beside)
            if any(signature_of(path) != signature for path, signature in was.items()):
                known[source] = (-1, 0, 0)
        return known

    def _beside(self) -> dict[str, Signature]:
        return {
            path: signature
            for source, beside in self.archive.beside()
            for path, signature in unpacked(self._path(source), beside).items()
        }

    def _survey_folder(
        self, folder: Path, known: dict[str, tuple[int, int, int]], files: dict[Path, None], seen: set[str]
    ) -> None:
        at_home = folder.is_relative_to(self.root)
        prefix = "" if folder == self.root else f"{self._source(folder)}/"
        found = set()
        try:
            there = sorted(article_files(folder))
        except OSError as error:
            # What cannot be seen is not gone.
            raise PathError(f"{error.filename}: cannot be read ({error.strerror}); nothing was changed") from None
        for name, signature in there:
            source = prefix + name
            found.add(source)
            if source not in seen and known.get(source) != signature:
                files[folder / name] = None
        seen |= found
        for source in known:
            if source.startswith(prefix) and source not in found and (prefix or (at_home and not source.startswith("/"))):
                gone = self.archive.from_source(source)
                assert gone is not None
                self._vanished[gone.id] = gone

    def _survey_file(
        self, path: Path, resolved: Path, known: dict[str, tuple[int, int, int]], files: dict[Path, None], seen: set[str]
    ) -> None:
        if resolved.suffix.lower() not in SUFFIXES:
            ends = ", ".join(SUFFIXES)
            message = f"is not an article: its name must end in one of {ends}"
            self.report.problems.append(Problem(Severity.ERROR, path, 0, message))
            return
        source = self._source(resolved)
        if source not in seen and known.get(source) != _signature_of(resolved.stat()):
            files[resolved] = None
        seen.add(source)

    def read(self, files: Sequence[Path], hook: Hook | None = None) -> Iterator[list[Read]]:
        """Reads files in their order and gives them in batches; many files are read by several processes."""
        return in_batches(_Reading(self.reader, self.root, hook), files)

    def keep(self, batch: Iterable[Read]) -> None:
        """Keeps what was read. A file with an error leaves the version that was published before in place."""
        for one in batch:
            self._keep(one.reading, one.origin)
        self.archive.finish(self.reader.now)

    def finish(self) -> Report:
        """Withdraws the articles whose files are gone, and says what came of it all."""
        self._withdraw(list(self._vanished.values()))
        self.archive.finish(self.reader.now)
        self.report.beside = self._beside()
        self.report.problems.sort(key=lambda problem: (str(problem.path), problem.line))
        return self.report

    def take(self, paths: Sequence[Path]) -> Report:
        """All steps at once: surveys, reads, keeps and withdraws."""
        for batch in self.read(self.survey(paths)):
            self.keep(batch)
        return self.finish()

    def _source(self, path: Path) -> str:
        return _source(self.root, path)

    def _path(self, source: str) -> Path:
        return self.root / source

    def _keep(self, reading: Reading, origin: Origin) -> None:
        known = self.archive.from_source(origin.source)
        problems = list(reading.problems)
        told = len(self.report.events)
        if reading.article is None:
            if known:
                last = problems[-1]
                problems[-1] = replace(last, message=f"{last.message} (the version published before stays)")
        elif known:
            problems += self._keep_known(reading.article, reading, origin, known)
        elif mover := self._mover(reading.article, origin):
            self._vanished.pop(mover.id, None)
            problems += self._keep_known(reading.article, reading, origin, mover, Change.MOVED)
        elif restored := self.archive.withdrawn_like(origin.digest, origin.source, reading.article.title):
            problems += self._keep_known(reading.article, reading, origin, restored, Change.RESTORED)
        else:
            problems += self._keep_new(reading.article, reading, origin)
        self.report.problems += problems
        if reading.article and reading.article.state is State.DRAFT and len(self.report.events) == told:
            self.report.drafts += 1

    def _mover(self, article: Article, origin: Origin) -> Kept | None:
        """The article whose file is gone, and which this one is under another name."""
        for one in self._vanished.values():
            if one.digest == origin.digest or one.title == article.title or one.slug == article.slug:
                return one
        # Its file may have lain outside the folders that are looked at now.
        same = self.archive.with_slug(article.slug)
        if same and same.digest == origin.digest and not self._path(same.source).exists():
            return same
        return None

    def _keep_new(self, article: Article, reading: Reading, origin: Origin) -> list[Problem]:
        taken = self._choose_slug(reading, None)
        if isinstance(taken, Problem):
            return [taken]
        article = self._with_slug(article, taken)
        base, number = article.id, 1
        while self.archive.has_id(article.id):
            number += 1
            article = replace(article, id=f"{base}-{number}")
        self.archive.add(article, origin)
        if article.state in LIVE:
            self._note(Change.NEW, article, origin)
        return []

    def _keep_known(
        self, article: Article, reading: Reading, origin: Origin, known: Kept, change: Change = Change.CORRECTED
    ) -> list[Problem]:
        taken = self._choose_slug(reading, known)
        if isinstance(taken, Problem):
            return [replace(taken, message=f"{taken.message} (the version published before stays)")]
        (before,) = self.archive.articles([known.number])
        article = replace(self._with_slug(article, taken), id=known.id)
        was_public = known.state is not State.DRAFT and known.published <= self.reader.now
        if not reading.dated and (was_public or article.state is State.DRAFT):
            article = replace(article, published=known.published, updated=known.published)
        if not reading.revised:
            changed = _essence(before) != _essence(article)
            if was_public and changed and known.digest != origin.digest:
                article = replace(article, updated=max(self.reader.now, article.published))
            elif was_public:
                article = replace(article, updated=max(known.updated, article.published))
        if article == before and change is Change.CORRECTED:
            self.archive.note_origin(known.number, origin)
            return []
        self.archive.replace(known.number, article, origin, self.reader.now)
        if article.state not in LIVE:
            if was_public and known.state is not State.WITHDRAWN:
                self._note(Change.WITHDRAWN, article, origin)
        elif known.state is State.DRAFT:
            self._note(Change.NEW, article, origin)
        else:
            self._note(change, article, origin, known.slug if known.slug != article.slug else "")
        return []

    def _choose_slug(self, reading: Reading, known: Kept | None) -> str | Problem:
        assert reading.article is not None
        choices = [slug for slug in (reading.article.slug, reading.other_slug) if slug]
        if known and known.slug in choices:
            # Once published, an address stays as long as the editor does not ask for another.
            choices = [known.slug, *choices]
        for slug in choices:
            holder = self.archive.with_slug(slug)
            if holder is None or (known and holder.id == known.id):
                return slug
        holder = self.archive.with_slug(choices[0])
        assert holder is not None
        message = (
            f"the slug {choices[0]!r} is already that of {self._path(holder.source)} ({holder.title!r}): "
            "give one of the two another 'slug'"
        )
        return Problem(Severity.ERROR, reading.path, reading.slug_line, message)

    def _with_slug(self, article: Article, slug: str) -> Article:
        if slug == article.slug:
            return article
        site, path = self.reader.site, self.reader.content.article_path
        own = article.url == site.absolute(path.format(slug=article.slug))
        url = site.absolute(path.format(slug=slug)) if own else article.url
        new_id = article.id.removesuffix(article.slug) + slug
        return replace(article, slug=slug, url=url, id=new_id)

    def _withdraw(self, gone: list[Kept]) -> None:
        live = [one for one in gone if one.state is not State.WITHDRAWN]
        many = len(live) > GUARD and len(live) * 2 > self.archive.count_live()
        # A folder that is empty all at once is more likely not there yet than given up.
        emptied = len(live) >= EMPTIED and not self.report.files
        if (many or emptied) and not self.withdraw_many:
            folder = self._path(live[0].source).parent
            message = (
                f"{len(live)} files that were published from here are gone; nothing was withdrawn, in case the folder is "
                "merely not there yet. If they are to be withdrawn, run it again with --withdraw"
            )
            self.report.problems.append(Problem(Severity.ERROR, folder, 0, message))
            return
        for one in live:
            self.archive.withdraw(one.number, self.reader.now)
            self.report.events.append(Event(Change.WITHDRAWN, one.id, one.title, one.source))

    def _note(self, change: Change, article: Article, origin: Origin, old_slug: str = "") -> None:
        self.report.events.append(Event(change, article.id, article.title, origin.source, old_slug))


def _essence(article: Article) -> Article:
    """What a reader would notice: everything but ids, dates, state and the editor's ranking."""
    moment = article.published
    return replace(article, id="", updated=moment, published=moment, state=State.PUBLISHED, weight=0)


def _source(root: Path, path: Path) -> str:
    """How a file is remembered: by its path from the site's folder, or by its whole path when it lies elsewhere."""
    return str(path.relative_to(root)) if path.is_relative_to(root) else str(path)


def _signature_of(stat: os.stat_result) -> tuple[int, int, int]:
    return stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


@dataclass(frozen=True, slots=True)
class _Reading:
    """Reads files, in whichever process it is called."""

    reader: Reader
    root: Path
    hook: Hook | None

    def __call__(self, files: Sequence[Path]) -> list[Read]:
        done = [self._read(file) for file in files]
        if self.hook:
            self.hook([one.reading.article for one in done if one.reading.article])
        return done

    def _read(self, file: Path) -> Read:
        read_ns = time.time_ns()
        try:
            signature = _signature_of(file.stat())
        except OSError:
            signature, read_ns = (0, 0, 0), 0
        reading = self.reader.read(file)
        origin = Origin(_source(self.root, file), reading.digest, self.reader.fingerprint, *signature, read_ns, reading.beside)
        return Read(reading, origin)
