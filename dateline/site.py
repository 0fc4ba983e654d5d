"""A site in a folder: its settings, its database, and what the commands do with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from content import sqlite
from content.archive import Archive
from content.article import Article, Summary
from content.errors import ConfigError, DatelineError
from content.intake import Intake, Report
from content.keeping import Keeper
from content.read_files import Hook
from content.reading import Reader
from dateline import stamp
from dateline.config import FILE_NAME, Settings, load
from dateline.store import open_archive
from feeds.hubs import HubReport
from feeds.publisher import Publisher
from feeds.shelf import Outcome
from newsletter.settings import DigestSettings
from newsletter.transport_address import TransportAddress

if TYPE_CHECKING:
    # A publish does without them, and starts sooner.
    from sqlalchemy import Engine

    from content.settings import SiteSettings
    from newsletter.bounces import Bounces
    from newsletter.editions import Press
    from newsletter.reception import Reception
    from newsletter.tokens import Tokens

KEY_FILE = "dateline.key"
JOIN_PATH = "newsletter/join/start"
"""Where the forms for joining on published pages are sent, below the site."""

Progress = Callable[[str, int, int], None]
"""Hears what is going on, and how much of how much is done."""


@dataclass(frozen=True, slots=True)
class Published:
    """What one publish did: with the articles, and with the files that readers fetch."""

    report: Report
    outcome: Outcome
    hubs: list[HubReport] = field(default_factory=list)


class Site:
    """The site in the folder ``root``. Raises ``ConfigError`` when its settings are wrong."""

    def __init__(self, root: Path) -> None:
        self.root = root
        # Before they are read, so that an edit meanwhile is not taken for published.
        self._settings_digest = stamp.settings_digest(root)
        self.settings: Settings = load(root)

    @property
    def database(self) -> Path:
        return self.root / self.settings.database.path

    @cached_property
    def engine(self) -> Engine:
        from dateline.store import open_store

        return open_store(self.database)

    def reader(self, now: datetime) -> Reader:
        return Reader(self.settings.site, self.settings.content, self.settings.authors, now)

    def paths(self, given: Sequence[Path]) -> list[Path]:
        """The paths to take articles from: those given, or the site's own folder."""
        if given:
            return list(given)
        folder = self.root / self.settings.content.articles
        if not folder.is_dir():
            raise ConfigError(f"{folder}: this folder does not exist; name a path, or set content.articles")
        return [folder]

    def check(self, paths: Sequence[Path], now: datetime, progress: Progress) -> tuple[Report, list[str]]:
        """Reads articles and reports; says besides what is wrong with templates. Touches neither database nor files."""
        from content.database import raw, writing
        from dateline.store import memory_store

        with writing(memory_store()) as connection:
            keeper = Keeper(raw(connection))
            report = self._take(keeper, self.paths(paths), now, progress)
            articles = keeper.public(now, limit=max([1, *(digest.limit for digest in self.settings.digest)]))
        return report, self._check_templates(articles, now)

    def _check_templates(self, articles: Sequence[Article], now: datetime) -> list[str]:
        """Renders everything that is made from templates, with the newest articles or with a made-up one."""
        from newsletter.rendering import Renderer

        ours = self.settings
        shown = list(articles) or [_made_up(ours.site, now)]
        wrong = []
        for digest in ours.digest:
            zone = ZoneInfo(digest.timezone) if digest.timezone else ours.site.zone
            renderer = Renderer(self.root, ours.site, ours.newsletter, digest, zone)
            try:
                renderer.render(shown[: digest.limit], now.astimezone(zone).date(), "check")
            except DatelineError as error:
                wrong.append(str(error))
        others: list[Callable[[], object]] = [lambda: self._publisher().check(shown[0])]
        if ours.digest:
            from dateline.web.rehearsal import rehearse
            from newsletter.joining_mail import check_mails

            others += [lambda: rehearse(self.root, ours, now), lambda: check_mails(self.root, ours.site, ours.newsletter)]
        for check in others:
            try:
                check()
            except DatelineError as error:
                wrong.append(str(error))
        return list(dict.fromkeys(wrong))

    def publish(
        self, paths: Sequence[Path], now: datetime, progress: Progress, *, dry_run: bool = False, withdraw_many: bool = False
    ) -> Published:
        """Takes articles in and brings feeds and pages in line; with ``dry_run`` only says what would be done."""
        given, paths = paths, self.paths(paths)
        rules = self._rules()
        publisher = self._publisher(dry_run=dry_run)
        if dry_run:
            from content.database import raw
            from dateline.store import memory_store

            engine = self.engine if self.database.exists() else memory_store()
            with engine.connect().execution_options(dateline_writes=True) as connection, connection.begin() as transaction:
                archive = Keeper(raw(connection))
                report = self._take(archive, paths, now, progress, withdraw_many=withdraw_many)
                outcome = publisher.publish(archive, now, partial(progress, "Publishing"))
                transaction.rollback()
                return Published(report, outcome)
        stamp.take_away(self.root)
        database = open_archive(self.database)
        step = partial(sqlite.writing, database)
        try:
            archive = Keeper(database)
            report = self._take(archive, paths, now, progress, step, publisher.preparing(), withdraw_many=withdraw_many)
            outcome = publisher.publish(archive, now, partial(progress, "Publishing"), step)
            published = Published(report, outcome, publisher.tell_hubs(now))
            due = archive.next_due(now)
        finally:
            # Its log goes into its file, whose status the stamp holds.
            database.close()
        if all(path.is_dir() for path in paths) and not (report.problems or outcome.problems or publisher.waiting()):
            self._leave_stamp(given, paths, rules, publisher, published, now, due)
        return published

    def _rules(self) -> stamp.Rules:
        """What a publish that begins now goes by."""
        ours = self.settings.feeds
        templates = str((self.root / ours.templates).resolve()) if ours.pages else ""
        apart = [str(folder.resolve()) for folder in self._apart()]
        return stamp.Rules(self._settings_digest, templates, stamp.templates_digest(templates), apart)

    def _apart(self) -> list[Path]:
        """The folders whose files are the site's own and no articles, unless the articles lie within."""
        ours = self.settings
        names = [ours.feeds.folder, ours.feeds.templates, ours.newsletter.templates]
        names.append(TransportAddress.parse(ours.newsletter.transport).folder)
        articles = (self.root / ours.content.articles).resolve()
        folders = [self.root / name for name in dict.fromkeys(names) if name]
        return [folder for folder in folders if not articles.is_relative_to(folder.resolve())]

    def _leave_stamp(
        self,
        given: Sequence[Path],
        paths: Sequence[Path],
        rules: stamp.Rules,
        publisher: Publisher,
        published: Published,
        now: datetime,
        due: datetime | None,
    ) -> None:
        told = stamp.Told(published.report.files, published.outcome.articles, published.outcome.feeds)
        stamp.leave(
            self.root, given, paths, published.report.listings, rules, self.database, publisher.shelf.folder,
            publisher.outputs(), published.report.beside, now.timestamp(), due.timestamp() if due else None, told,
        )  # fmt: skip

    def release(self, now: datetime) -> Published | None:
        """Publishes articles whose time has come since the last publish, if there are any; takes no files in.

        Hubs that failed before are asked again, if it is time.
        """
        publisher = self._publisher()
        if not self.database.exists():
            return None
        database = open_archive(self.database)
        try:
            archive = Archive(database)
            if not publisher.is_due(archive, now):
                hubs = publisher.tell_hubs(now)
                return Published(Report(), Outcome(), hubs) if hubs else None
            outcome = publisher.publish(archive, now, step=partial(sqlite.writing, database))
            return Published(Report(), outcome, publisher.tell_hubs(now))
        finally:
            database.close()

    def _publisher(self, *, dry_run: bool = False) -> Publisher:
        ours = self.settings
        # Where there is no newsletter, there is nothing to join.
        join_path = JOIN_PATH if ours.digest and ours.newsletter.join_form else ""
        return Publisher(self.root, ours.site, ours.content, ours.feeds, ours.feed, dry_run=dry_run, join_path=join_path)

    def _take(
        self,
        archive: Keeper,
        paths: Sequence[Path],
        now: datetime,
        progress: Progress,
        step: Callable[[], AbstractContextManager[None]] = nullcontext,
        hook: Hook | None = None,
        *,
        withdraw_many: bool = False,
    ) -> Report:
        """Takes articles in, in short steps, so that other writers wait no longer than a batch takes."""
        intake = Intake(archive, self.reader(now), self.root, apart=self._apart(), withdraw_many=withdraw_many)
        files = intake.survey(paths)
        done = 0
        for batch in intake.read(files, hook):
            with step():
                intake.keep(batch)
            done += len(batch)
            progress("Reading", done, len(files))
        with step():
            return intake.finish()

    # The newsletter

    @cached_property
    def tokens(self) -> Tokens:
        from newsletter.tokens import Tokens, load_key, load_old_keys

        ours = self.settings.newsletter
        old = load_old_keys(self.root / ours.old_secret_keys_file) if ours.old_secret_keys_file else []
        if ours.secret_key:
            return Tokens(ours.secret_key.get_secret_value(), old)
        named = ours.secret_key_file
        path = self.root / (named or KEY_FILE)
        if not path.exists() and (day := self._signed()):
            raise ConfigError(
                f"{path}: the key is missing, but the links in messages up to {day} were signed with it: restore it from your "
                "backup; if it is lost, write any secret of 16 characters or more into the file, and those links are dead"
            )
        return Tokens(load_key(path, create=named is None), old)

    def _signed(self) -> date | None:
        """The day of the newest edition that anybody got."""
        from content.database import reading
        from newsletter.ledger import Ledger

        if not self.database.exists():
            return None
        with reading(self.engine) as connection:
            return Ledger(connection).signed()

    def digest(self, name: str) -> DigestSettings:
        """The digest of this name. Raises ``ConfigError`` naming those there are."""
        for digest in self.settings.digest:
            if digest.name == name:
                return digest
        known = ", ".join(digest.name for digest in self.settings.digest) or "none"
        raise ConfigError(f"there is no digest {name!r}; {self.root / FILE_NAME} has: {known}")

    @property
    def bounces(self) -> Bounces:
        """Takes in what came back."""
        from newsletter.bounces import open_bounces

        ours = self.settings
        return open_bounces(self.engine, ours.site, ours.newsletter, ours.bounces, self.tokens)

    @property
    def reception(self) -> Reception:
        """Takes in who wants to become a member."""
        from newsletter.reception import Reception

        ours = self.settings
        names = tuple(digest.name for digest in ours.digest)
        return Reception(self.root, self.engine, ours.site, ours.newsletter, self.tokens, names)

    def press(self, digest: DigestSettings) -> Press:
        from newsletter.editions import Press

        ours = self.settings
        return Press(self.root, self.engine, ours.site, ours.newsletter, digest, self.tokens, ours.bounces)


def _made_up(site: SiteSettings, now: datetime) -> Article:
    """An article for trying templates where there is none yet."""
    url = site.absolute("articles/sample/")
    summary = Summary("What happened, in a sentence.", written=True)
    return Article("tag:sample", "sample", url, "A sample", summary, "<p>What happened, at length.</p>", now, now)


def defaults() -> Path:
    """The folder with the sample site: in the installed package, or the root of a checkout."""
    shipped = Path(__file__).parent / "defaults"
    return shipped if shipped.is_dir() else Path(__file__).parent.parent


IGNORED = ".dateline-stamp.json\ndateline.db*\ndateline-cache.db*\ndateline.key\n*.keys\n*.pem\npublic/\noutbox/\nset-aside/\n"
"""What a site's version control should leave alone."""


def lay_out(root: Path, now: datetime) -> list[Path]:
    """Lays out a new site: the sample's settings, templates and articles. Overwrites nothing; returns what it made."""
    config = root / FILE_NAME
    if config.exists():
        raise ConfigError(f"{config}: there is a site here already; nothing was changed")
    source = defaults()
    made = []
    try:
        for file in sorted(path for name in ("articles", "templates") for path in (source / name).rglob("*") if path.is_file()):
            target = root / file.relative_to(source)
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, target)
                made.append(target)
        ignored = root / ".gitignore"
        if not ignored.exists():
            ignored.write_text(IGNORED)
            made.append(ignored)
        text = (source / FILE_NAME).read_text("utf-8")
        config.write_text(text.replace("owned_since = 2026-01-01", f"owned_since = {now.date()}"), "utf-8")
    except OSError as error:
        raise ConfigError(f"{error.filename or root}: cannot be written ({error.strerror})") from None
    return [*made, config]
