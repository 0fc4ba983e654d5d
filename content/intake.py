"""Files and folders go in; the archive knows afterwards what is new, corrected, moved, gone or wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from content.archive import LIVE
from content.article import Article, State
from content.errors import Problem, Severity
from content.files import Listing, Signature, in_batches
from content.keeping import Keeper, Kept, Origin
from content.read_files import Hook, Read, ReadFiles
from content.reading import Reader, Reading
from content.survey import Survey, source_of

GUARD = 20
"""More files than this do not vanish from a folder at once unless the editor says so."""

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
    """What an intake did. ``files`` were looked at; ``unchanged`` of them say what they said before, ``drafts`` are kept back.

    ``refreshed`` are those whose articles came out different by other settings alone.
    """

    files: int = 0
    unchanged: int = 0
    refreshed: int = 0
    drafts: int = 0
    events: list[Event] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    beside: dict[str, Signature] = field(default_factory=dict)
    """The files that articles lead to, by their whole paths, as they were when the articles were read."""
    listings: dict[str, list[Listing]] = field(default_factory=dict)
    """What the folders held when they were looked at, by their whole paths."""

    @property
    def errors(self) -> list[Problem]:
        return [problem for problem in self.problems if problem.severity is Severity.ERROR]

    def count(self, change: Change) -> int:
        return sum(event.change is change for event in self.events)


class Intake:
    """Takes articles into an archive.

    ``root`` is the site's folder: files below it are remembered by their path from there, so that the site can be
    moved; ``apart`` are folders of the site's own. ``withdraw_many`` allows that however many articles vanish at once.
    """

    def __init__(
        self, archive: Keeper, reader: Reader, root: Path, *, apart: Sequence[Path] = (), withdraw_many: bool = False
    ) -> None:
        self.archive = archive
        self.reader = reader
        self.root = root.resolve()
        self.withdraw_many = withdraw_many
        self.report = Report()
        self._survey = Survey(archive, reader.fingerprint, self.root, apart)
        self._displaced: list[Kept] = []
        self._undecided: list[Read] = []
        self._broken: list[Path] = []
        self._dated_slugs: dict[str, str] = {}

    def survey(self, paths: Sequence[Path]) -> list[Path]:
        """The files to be read: those that are new or changed. Notes what is unchanged and what is gone.

        Raises ``PathError``, before anything is changed, for a path that is nothing at all.
        """
        self._survey.look(paths)
        self.reader.dated_slugs = {str(self._path(source)): slug for source, slug in self.archive.dated_slugs()}
        self._vanished = dict(self._survey.gone)
        self._by_digest = {one.digest: one for one in self._vanished.values()}
        asked = {source_of(self.root, path) for path in self._survey.files}
        self.report.files = len(self._survey.seen | asked)
        self.report.unchanged = self.report.files - len(asked)
        self.report.problems += self._survey.problems
        self.report.listings = self._survey.listings
        return list(self._survey.files)

    def read(self, files: Sequence[Path], hook: Hook | None = None) -> Iterator[list[Read]]:
        """Reads files in their order and gives them in batches; many files are read by several processes."""
        return in_batches(ReadFiles(self.reader, self.root, hook), files)

    def keep(self, batch: Iterable[Read]) -> None:
        """Keeps what was read. A file with an error leaves the version that was published before in place."""
        for one in batch:
            self._keep(one)
        self.archive.finish(self.reader.now)

    def finish(self) -> Report:
        """Withdraws the articles whose files are gone, and says what came of it all."""
        for one in self._undecided:
            self._keep_renamed(one.reading, one.origin)
        if self._dated_slugs:
            self._relink()
        self._withdraw()
        self.archive.finish(self.reader.now)
        for was in self._survey.beside_each().values():
            self.report.beside |= was
        self.report.problems.sort(key=lambda problem: (str(problem.path), problem.line))
        return self.report

    def take(self, paths: Sequence[Path]) -> Report:
        """All steps at once: surveys, reads, keeps and withdraws."""
        for batch in self.read(self.survey(paths)):
            self.keep(batch)
        return self.finish()

    def _path(self, source: str) -> Path:
        return self.root / source

    def _keep(self, one: Read) -> None:
        reading, origin = one.reading, one.origin
        known = self.archive.from_source(origin.source)
        if origin.source not in self._survey.seen and (known is None or known.digest != origin.digest):
            # Not asked for; only what it says by other rules was to be known.
            return
        same = self._by_digest.get(origin.digest)
        if reading.article is None:
            if known is None:
                self._broken.append(reading.path)
            self._note_problems(reading, stays=known is not None)
        elif known and (known.digest == origin.digest or same is None or same.id not in self._vanished):
            self._keep_known(reading, origin, known)
        elif same and same.id in self._vanished:
            if known:
                # Another file has taken its place; it may turn up under another name.
                self._vanished[known.id] = self._by_digest[known.digest] = known
                self._displaced.append(known)
            self._keep_known(reading, origin, self._vanished.pop(same.id), Change.MOVED)
        elif self._vanished:
            # It may be one of those that are gone; when all others are known there is less to choose from.
            self._undecided.append(one)
        else:
            self._keep_renamed(reading, origin)

    def _keep_renamed(self, reading: Reading, origin: Origin) -> None:
        """Keeps the article of a file that was not there before under this name."""
        assert reading.article is not None
        if mover := self._mover(reading, origin):
            self._vanished.pop(mover.id, None)
            self._keep_known(reading, origin, mover, Change.MOVED)
        elif restored := self.archive.withdrawn_like(origin.digest, origin.source, reading.article.title):
            self._keep_known(reading, origin, restored, Change.RESTORED)
        else:
            self._keep_new(reading, origin)

    def _mover(self, reading: Reading, origin: Origin) -> Kept | None:
        """The article whose file is gone, and which this one is under another name."""
        article = reading.article
        assert article is not None
        same = self._by_digest.get(origin.digest)
        if same and same.id in self._vanished:
            return same
        slugged = [one for one in self._vanished.values() if one.slug == article.slug]
        titled = [
            one
            for one in self._vanished.values()
            # A title alone tells little where each day has its briefing.
            if one.title == article.title and (not reading.dated or one.published == article.published)
        ]
        if slugged or len(titled) == 1:
            return (slugged or titled)[0]
        # Its file may have lain outside the folders that are looked at now.
        elsewhere = self.archive.with_slug(article.slug)
        if elsewhere and elsewhere.digest == origin.digest and not self._path(elsewhere.source).exists():
            return elsewhere
        return None

    def _note_problems(self, reading: Reading, *, stays: bool = False) -> None:
        problems = list(reading.problems)
        if stays:
            problems[-1] = replace(problems[-1], message=f"{problems[-1].message} (the version published before stays)")
        self.report.problems += problems

    def _keep_new(self, reading: Reading, origin: Origin) -> None:
        self._note_problems(reading)
        article = self._with_free_slug(reading, None)
        if article is None:
            return
        base, number = article.id, 1
        while self.archive.has_id(article.id):
            number += 1
            article = replace(article, id=f"{base}-{number}")
        self.archive.add(article, origin)
        if article.state in LIVE:
            self._note(Change.NEW, article, origin)
        elif article.state is State.DRAFT:
            self.report.drafts += 1

    def _keep_known(self, reading: Reading, origin: Origin, known: Kept, change: Change = Change.CORRECTED) -> None:
        self._note_problems(reading)
        article = self._with_free_slug(reading, known)
        if article is None:
            return
        (before,) = self.archive.articles([known.number])
        by_settings = known.digest == origin.digest and origin.source in self._survey.outdated
        article = replace(article, id=known.id)
        was_public = known.state is not State.DRAFT and known.published <= self.reader.now
        if not reading.dated and (was_public or article.state is State.DRAFT):
            article = replace(article, published=known.published, updated=known.published)
        if not reading.revised:
            if was_public and not by_settings and _essence(before) != _essence(article):
                # The clock may have gone back since; readers would take an older version for the newer.
                article = replace(article, updated=max(self.reader.now, known.updated, article.published))
            elif was_public:
                article = replace(article, updated=max(known.updated, article.published))
        if article == before and change is not Change.MOVED:
            self.archive.note_origin(known.number, origin)
            self.report.drafts += article.state is State.DRAFT
            self.report.unchanged += article.state is not State.DRAFT
            return
        refreshed = by_settings and change is Change.CORRECTED
        self.archive.replace(known.number, article, origin, self.reader.now, by_settings=refreshed)
        if article.state not in LIVE:
            if was_public and known.state is not State.WITHDRAWN:
                self._note(Change.WITHDRAWN, article, origin)
            else:
                self.report.drafts += article.state is State.DRAFT
        elif known.state is State.DRAFT:
            self._note(Change.NEW, article, origin)
        elif refreshed:
            self.report.refreshed += 1
        else:
            self._note(change, article, origin, known.slug if known.slug != article.slug else "")

    def _with_free_slug(self, reading: Reading, known: Kept | None) -> Article | None:
        """The article at an address of its own; ``None`` when there is none, which is reported."""
        assert reading.article is not None
        chosen = self._choose_slug(reading, known)
        if isinstance(chosen, Problem):
            stays = " (the version published before stays)" if known else ""
            self.report.problems.append(replace(chosen, message=chosen.message + stays))
            return None
        path = str(reading.path)
        if chosen == reading.other_slug and self.reader.dated_slugs.get(path) != chosen:
            self._dated_slugs[path] = chosen
        return self._with_slug(reading.article, chosen)

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

    def _relink(self) -> None:
        """Reads again what leads to articles that turned out to have the slug with their date, so that it leads there."""
        self.reader.dated_slugs |= self._dated_slugs
        leading = [source for source, was in self._survey.beside_each().items() if not self._dated_slugs.keys().isdisjoint(was)]
        # Their texts are no others than before: no reader is to be told of a correction.
        self._survey.outdated |= set(leading)
        drafts, unchanged = self.report.drafts, self.report.unchanged
        for one in ReadFiles(self.reader, self.root, None)([self._path(source) for source in leading]):
            self._keep(one)
        self.report.drafts, self.report.unchanged = drafts, unchanged
        self.report.problems = list(dict.fromkeys(self.report.problems))

    def _with_slug(self, article: Article, slug: str) -> Article:
        if slug == article.slug:
            return article
        site, path = self.reader.site, self.reader.content.article_path
        own = article.url == site.absolute(path.format(slug=article.slug))
        url = site.absolute(path.format(slug=slug)) if own else article.url
        new_id = article.id.removesuffix(article.slug) + slug
        return replace(article, slug=slug, url=url, id=new_id)

    def _withdraw(self) -> None:
        """Withdraws what is still gone, folder by folder."""
        guarded: set[str] = set()
        for folder in self._survey.folders:
            gone = [one for one in folder.gone if one.id in self._vanished and one.state is not State.WITHDRAWN]
            many = len(gone) > GUARD and len(gone) * 2 > folder.known
            # A folder that is empty all at once is more likely not there yet than given up.
            emptied = len(gone) >= EMPTIED and not folder.found
            if (many or emptied) and not self.withdraw_many:
                message = (
                    f"{len(gone)} files that were published from here are gone; nothing was withdrawn, in case the folder is "
                    "merely not there yet. If they are to be withdrawn, run it again with --withdraw"
                )
                self.report.problems.append(Problem(Severity.ERROR, folder.folder, 0, message))
                guarded |= {one.id for one in gone}
        for one in self._vanished.values():
            if one.id not in guarded:
                self._withdraw_one(one)

    def _withdraw_one(self, one: Kept) -> None:
        now_kept = self.archive.by_number(one.number)
        if now_kept is None or now_kept.state is State.WITHDRAWN or now_kept.source != one.source:
            # Another publish has seen to it.
            return
        path = self._path(one.source)
        twin = next((broken for broken in self._broken if broken.parent == path.parent or broken.name == path.name), None)
        if twin and not self.withdraw_many:
            message = (
                f"is gone, but {twin} cannot be read and may be the same under another name: nothing was withdrawn. Mend that "
                "file, or run it again with --withdraw"
            )
            self.report.problems.append(Problem(Severity.ERROR, path, 0, message))
            return
        self.archive.withdraw(one.number, self.reader.now)
        if one.state in LIVE and one.published <= self.reader.now:
            self.report.events.append(Event(Change.WITHDRAWN, one.id, one.title, one.source))

    def _note(self, change: Change, article: Article, origin: Origin, old_slug: str = "") -> None:
        self.report.events.append(Event(change, article.id, article.title, origin.source, old_slug))


def _essence(article: Article) -> Article:
    """What a reader would notice: everything but ids, dates, state and the editor's ranking."""
    moment = article.published
    return replace(article, id="", updated=moment, published=moment, state=State.PUBLISHED, weight=0)
