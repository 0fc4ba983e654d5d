"""Files and folders go in; the archive knows afterwards what is new, corrected, moved, gone or wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from content.archive import LIVE, Archive, Kept, Origin
from content.article import Article, State
from content.errors import ConfigError, Problem, Severity
from content.reading import SUFFIXES, Reader, Reading

RACY_NS = 2_000_000_000
"""A file changed this shortly before it was read may change again without a trace in its times; it is read anew."""

GUARD = 20
"""More files than this do not vanish at once unless the editor says so."""


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

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity is Severity.ERROR]

    def count(self, change: Change) -> int:
        return sum(event.change is change for event in self.events)


Looked = dict[Path, tuple[Reading, Origin]]
"""Files that were read, before anything is decided about them."""


class PathError(ConfigError):
    """A path that is neither a file nor a folder, nor one that an article came from."""


def find_files(path: Path) -> list[Path]:
    """The article files in a folder and below it, in a stable order; hidden ones and notes to the team are none."""
    found = (
        file
        for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES
        and not any(part.startswith((".", "_")) for part in file.relative_to(path).parts)
        and file.name not in ("README.md", "NOTES.md", "LICENSE.md", "LICENSE.txt", "CONTRIBUTING.md")
        and file.is_file()
    )
    return sorted(found)


class Intake:
    """Takes articles into an archive.

    ``root`` is the site's folder: files below it are remembered by their path from there, so that the site can be
    moved. ``withdraw_many`` allows that more than :data:`GUARD` articles and over half of a folder vanish at once.
    """

    def __init__(self, archive: Archive, reader: Reader, root: Path, *, withdraw_many: bool = False) -> None:
        self.archive = archive
        self.reader = reader
        self.root = root.resolve()
        self.withdraw_many = withdraw_many
        self.report = Report()
        kept = list(archive.kept())
        self._ids = {one.id for one in kept}
        self._by_source = {one.origin.source: one for one in kept if one.state is not State.WITHDRAWN}
        self._by_slug = {one.slug: one for one in kept if one.state is not State.WITHDRAWN}
        self._withdrawn = [one for one in kept if one.state is State.WITHDRAWN]

    def look(self, paths: Sequence[Path], progress: Callable[[int, int], None] | None = None) -> Looked:
        """Reads what is new or changed and changes nothing. ``progress`` hears done and total.

        Done before the transaction that writes, it keeps other writers waiting only as long as the writing takes.
        """
        files, _ = self._survey(paths)
        looked: Looked = {}
        for number, file in enumerate(files, start=1):
            if not self._is_known(file):
                looked[file] = self._read(file)
            if progress:
                progress(number, len(files))
        return looked

    def take(self, paths: Sequence[Path], looked: Looked | None = None) -> Report:
        """Takes in files and folders (folders with everything below them); ``looked`` are files that were read already.

        A file that was there before and is gone withdraws its article. A file with an error leaves the version
        that was published before in place. Raises ``PathError``, before anything is changed, for a path that is
        nothing at all.
        """
        files, vanished = self._survey(paths)
        self.report.files = len(files)
        read: list[tuple[Reading, Origin, Kept | None]] = []
        for file in files:
            if self._is_known(file):
                self.report.unchanged += 1
            else:
                reading, origin = (looked or {}).get(file) or self._read(file)
                read.append((reading, origin, self._by_source.get(origin.source)))
        moved = self._keep_all(read, vanished)
        self._withdraw([one for one in vanished if one.id not in moved])
        self.report.problems.sort(key=lambda problem: (str(problem.path), problem.line))
        return self.report

    def _survey(self, paths: Sequence[Path]) -> tuple[list[Path], list[Kept]]:
        files: dict[Path, None] = {}
        vanished: dict[str, Kept] = {}
        for path in paths:
            resolved = path.resolve()
            if resolved.is_dir():
                files.update(dict.fromkeys(find_files(resolved)))
                scope = [one for source, one in self._by_source.items() if self._path(source).is_relative_to(resolved)]
                vanished.update({one.id: one for one in scope if self._path(one.origin.source) not in files})
            elif resolved.is_file():
                if resolved.suffix.lower() not in SUFFIXES:
                    known = ", ".join(SUFFIXES)
                    message = f"is not an article: its name must end in one of {known}"
                    self.report.problems.append(Problem(Severity.ERROR, path, 0, message))
                else:
                    files[resolved] = None
            elif known_one := self._by_source.get(self._source(resolved)):
                vanished[known_one.id] = known_one
            else:
                raise PathError(f"{path}: there is no such file or folder")
        return list(files), list(vanished.values())

    def _source(self, path: Path) -> str:
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)

    def _path(self, source: str) -> Path:
        return self.root / source

    def _is_known(self, file: Path) -> bool:
        """Whether a file is as it was when its article was read."""
        known = self._by_source.get(self._source(file))
        try:
            stat = file.stat()
        except OSError:
            return False
        if known is None:
            return False
        origin = known.origin
        return (
            origin.fingerprint == self.reader.fingerprint
            and (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns) == (origin.size, origin.mtime_ns, origin.ctime_ns)
            and max(stat.st_mtime_ns, stat.st_ctime_ns) < origin.read_ns - RACY_NS
        )

    def _read(self, file: Path) -> tuple[Reading, Origin]:
        read_ns = time.time_ns()
        try:
            stat = file.stat()
            signature = (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, read_ns)
        except OSError:
            signature = (0, 0, 0, 0)
        reading = self.reader.read(file)
        return reading, Origin(self._source(file), reading.digest, self.reader.fingerprint, *signature)

    def _keep_all(self, read: Iterable[tuple[Reading, Origin, Kept | None]], vanished: list[Kept]) -> set[str]:
        """Keeps what was read; returns the ids of vanished articles that turned up under another name."""
        moved: set[str] = set()
        left = {one.id: one for one in vanished}
        for reading, origin, known in read:
            problems = list(reading.problems)
            told = len(self.report.events)
            if reading.article is None:
                if known:
                    last = problems[-1]
                    problems[-1] = replace(last, message=f"{last.message} (the version published before stays)")
            elif known:
                problems += self._keep_known(reading.article, reading, origin, known)
            elif mover := self._mover(reading.article, origin, left):
                moved.add(mover.id)
                left.pop(mover.id, None)
                problems += self._keep_known(reading.article, reading, origin, mover, Change.MOVED)
            elif restored := self._restored(reading.article, origin):
                self._withdrawn.remove(restored)
                problems += self._keep_known(reading.article, reading, origin, restored, Change.RESTORED)
            else:
                problems += self._keep_new(reading.article, reading, origin)
            self.report.problems += problems
            if reading.article and reading.article.state is State.DRAFT and len(self.report.events) == told:
                self.report.drafts += 1
        return moved

    def _mover(self, article: Article, origin: Origin, vanished: dict[str, Kept]) -> Kept | None:
        for one in vanished.values():
            if one.origin.digest == origin.digest or one.title == article.title or one.slug == article.slug:
                return one
        # Its file may have lain outside the folders that are looked at now.
        same = self._by_slug.get(article.slug)
        if same and same.origin.digest == origin.digest and not self._path(same.origin.source).exists():
            return same
        return None

    def _restored(self, article: Article, origin: Origin) -> Kept | None:
        """The withdrawn article that this one is: the very same text, or the same title from the same file."""
        for one in self._withdrawn:
            same_file = one.origin.source == origin.source and one.title == article.title
            if one.origin.digest == origin.digest or same_file:
                return one
        return None

    def _keep_new(self, article: Article, reading: Reading, origin: Origin) -> list[Problem]:
        taken = self._choose_slug(reading, None)
        if isinstance(taken, Problem):
            return [taken]
        article = self._with_slug(article, taken)
        base, number = article.id, 1
        while article.id in self._ids:
            number += 1
            article = replace(article, id=f"{base}-{number}")
        self._ids.add(article.id)
        self.archive.add(article, origin)
        self._remember(article, origin)
        if article.state in LIVE:
            self._note(Change.NEW, article, origin)
        return []

    def _keep_known(
        self, article: Article, reading: Reading, origin: Origin, known: Kept, change: Change = Change.CORRECTED
    ) -> list[Problem]:
        taken = self._choose_slug(reading, known)
        if isinstance(taken, Problem):
            return [replace(taken, message=f"{taken.message} (the version published before stays)")]
        before = self.archive.with_ids([known.id])[0]
        article = replace(self._with_slug(article, taken), id=known.id)
        was_public = known.state is not State.DRAFT and known.published <= self.reader.now
        if not reading.dated and (was_public or article.state is State.DRAFT):
            article = replace(article, published=known.published, updated=known.published)
        if not reading.revised:
            changed = _essence(before) != _essence(article)
            if was_public and changed and known.origin.digest != origin.digest:
                article = replace(article, updated=max(self.reader.now, article.published))
            elif was_public:
                article = replace(article, updated=max(known.updated, article.published))
        if article == before and change is Change.CORRECTED:
            self.archive.note_origin(known.id, origin)
            return []
        self.archive.replace(article, origin)
        self._by_slug.pop(known.slug, None)
        self._by_source.pop(known.origin.source, None)
        self._remember(article, origin)
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
            holder = self._by_slug.get(slug)
            if holder is None or (known and holder.id == known.id):
                return slug
        holder = self._by_slug[choices[0]]
        message = (
            f"the slug {choices[0]!r} is already that of {self._path(holder.origin.source)} ({holder.title!r}): "
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

    def _remember(self, article: Article, origin: Origin) -> None:
        kept = Kept(article.id, article.slug, article.title, article.state, article.published, article.updated, origin)
        if article.state is not State.WITHDRAWN:
            self._by_slug[article.slug] = self._by_source[origin.source] = kept

    def _withdraw(self, gone: list[Kept]) -> None:
        live = [one for one in gone if one.state is not State.WITHDRAWN]
        if len(live) > GUARD and len(live) * 2 > len(self._by_source) and not self.withdraw_many:
            folder = self._path(live[0].origin.source).parent
            message = (
                f"{len(live)} files that were published from here are gone; nothing was withdrawn, in case the folder is "
                "merely not there yet. If they are to be withdrawn, run it again with --withdraw"
            )
            self.report.problems.append(Problem(Severity.ERROR, folder, 0, message))
            return
        for one in live:
            self.archive.withdraw(one.id, self.reader.now)
            self.report.events.append(Event(Change.WITHDRAWN, one.id, one.title, one.origin.source))

    def _note(self, change: Change, article: Article, origin: Origin, old_slug: str = "") -> None:
        self.report.events.append(Event(change, article.id, article.title, origin.source, old_slug))


def _essence(article: Article) -> Article:
    """What a reader would notice: everything but ids, dates, state and the editor's ranking."""
    moment = article.published
    return replace(article, id="", updated=moment, published=moment, state=State.PUBLISHED, weight=0)
