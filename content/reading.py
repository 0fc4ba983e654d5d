"""A file becomes an Article: Markdown, HTML or plain text, with front matter or without.

Nothing here knows what was published before; the archive gives an article its lasting id and dates.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from content import cleaning, expressions, fields
from content.article import Article, Media, State, Summary, mint_id
from content.credits import known_authors, read_authors, read_image, read_sources, words
from content.dates import date_of_file_name, parse_date, without_date
from content.errors import Problem, Severity
from content.files import SUFFIXES
from content.front_matter import FrontMatterError, Value, split
from content.media import is_article, media_of, packed, target_of
from content.regions import Region, resolve
from content.settings import AuthorSettings, ContentSettings, SiteSettings
from content.text import is_page, lead, plain, slug_of, xml_safe

TITLE_LIMIT = 300
"""Characters beyond which the first line of a text is no title."""

_SOME_TEXT = re.compile(r"(?:\A|>)\s*[^\s<&]")

_RESERVED = frozenset({"feeds", "media", "regions"})
"""What the publisher's own folders are called."""

READING_VERSION = 6
"""Goes up when the same file would be read differently, or other regions found in it, so that archives read theirs again."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of one file. ``article`` is ``None`` when an error keeps it back.

    ``dated`` says that the file gives a date of publication, ``revised`` one of correction; the archive
    supplies what is missing. ``other_slug`` may be taken when another article has the slug; empty when the
    editor chose the slug. ``slug_line`` is where the slug was set, for messages. ``beside`` are the files that it leads to.
    ``regions_named`` are the regions as the file names them, ``None`` when it says nothing of them.
    """

    path: Path
    article: Article | None
    problems: tuple[Problem, ...] = ()
    digest: str = ""
    dated: bool = False
    revised: bool = False
    other_slug: str = ""
    slug_line: int = 1
    beside: str = ""
    regions_named: tuple[str, ...] | None = None

    @property
    def errors(self) -> tuple[Problem, ...]:
        return tuple(problem for problem in self.problems if problem.severity is Severity.ERROR)


class Reader:
    """Reads a site's articles. ``now`` (aware, UTC) is the date of what has none."""

    def __init__(
        self,
        site: SiteSettings,
        content: ContentSettings,
        authors: Mapping[str, AuthorSettings],
        now: datetime,
    ) -> None:
        self.site = site
        self.content = content
        self.authors = known_authors(authors)
        self.now = now
        self.dated_slugs: dict[str, str] = {}
        """The articles that were given the slug with their date, because others have the one without: slugs by whole paths."""
        facts = (READING_VERSION, site, content, sorted(self.authors.items()))
        self.fingerprint = hashlib.blake2b(repr(facts).encode(), digest_size=8).hexdigest()
        """Changes when unchanged files would nonetheless read differently."""

    def read(self, path: Path, raw: bytes | None = None) -> Reading:
        """Reads one file, or what it would become with the bytes ``raw``.

        Whatever is wrong with it is in the result's problems; nothing is raised.
        """
        return _FileReader(self, path, raw).read()


def _heading(line: str) -> str:
    """The words of a Markdown heading, without its emphasis, links and attributes."""
    return plain(cleaning.from_markdown(f"# {line}"))


def _without_heading(body: str) -> tuple[str | None, str]:
    """The heading that opens a Markdown text, if any, and the text behind it, whose lines keep their numbers."""
    text = body.lstrip()
    first, _, rest = text.partition("\n")
    if first.startswith("#") and first[1:2].isspace():
        heading = first[1:].strip()
    elif first and (underline := rest.partition("\n")[0].strip()) and not underline.strip("="):
        heading, rest = first, rest.partition("\n")[2]
    else:
        return None, body
    return _heading(heading) or None, "\n" * (body.count("\n") - rest.count("\n")) + rest


def _runs(text: str, numbers: Sequence[int]) -> list[tuple[int, int]]:
    """Lines (from 1, ascending) as first and last of each run with nothing but blank lines between."""
    lines = text.split("\n")
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and not any(line.strip() for line in lines[runs[-1][1] : number - 1]):
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


class _RefusedError(Exception):
    """The file cannot become an article; its problems say why."""


class _FileReader:
    """Reads one file and gathers what is wrong with it."""

    def __init__(self, reader: Reader, path: Path, raw: bytes | None = None) -> None:
        self.raw = raw
        self.reader = reader
        self.site = reader.site
        self.path = path
        self.problems: list[Problem] = []
        self.digest = ""
        self.media: dict[str, Media] = {}
        self.links: dict[str, str | None] = {}
        self.targets: dict[Path, None] = {}
        self.written = ""

    def error(self, message: str, line: int) -> None:
        self.problems.append(Problem(Severity.ERROR, self.path, line, message))

    def warn(self, message: str, line: int) -> None:
        self.problems.append(Problem(Severity.WARNING, self.path, line, message))

    def read(self) -> Reading:
        try:
            return self._read()
        except Exception as error:
            if not isinstance(error, _RefusedError):
                what = f"{type(error).__name__}: {error}"[:200]
                self.error(f"dateline itself failed on this file ({what}): please report it with the file", 0)
            return Reading(self.path, None, tuple(self.problems), self.digest, beside=packed(self.path, self.targets))

    def _read(self) -> Reading:
        text = self._text()
        try:
            document = split(text)
        except FrontMatterError as error:
            self.error(str(error), error.line)
            raise _RefusedError from None
        kind = SUFFIXES[self.path.suffix.lower()]
        given = fields.Fields(document.fields, document.lines, self.error, self.warn)
        body, body_line, freed = document.body, document.body_line, False
        if kind == "html" and (given.text(*fields.TITLE) is None or is_page(body)):
            body, freed = self._whole_page(body, body_line, given), True
        elif not document.has_front_matter:
            body, body_line = self._pasted(body, given, kind)
        title, body = self._title(given, body, kind)
        return self._assemble(given, title, body if freed else self._free(body, body_line), body_line, kind)

    def _text(self) -> str:
        try:
            size = self.path.stat().st_size if self.raw is None else len(self.raw)
            if size > (limit := self.reader.content.max_file_mb * 1_000_000):
                self.error(f"the file has {size / 1e6:.1f} MB; content.max_file_mb allows {limit // 1_000_000}", 0)
                raise _RefusedError
            raw = self.path.read_bytes() if self.raw is None else self.raw
        except OSError as problem:
            self.error(f"cannot be read: {problem.strerror}", 0)
            raise _RefusedError from None
        self.digest = hashlib.blake2b(raw, digest_size=16).hexdigest()
        encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError as problem:
            line = raw.count(b"\n", 0, problem.start) + 1
            byte = f"byte 0x{raw[problem.start]:02x} at offset {problem.start}"
            self.error(f"is not text in UTF-8 ({byte}): save it as UTF-8", line)
            raise _RefusedError from None
        if "\0" in text:
            self.error("is not text: it holds a NUL byte", text.count("\n", 0, text.index("\0")) + 1)
            raise _RefusedError
        self.written = text
        return xml_safe(text)

    def _whole_page(self, text: str, first_line: int, given: fields.Fields) -> str:
        from content.html_page import read_page

        page = read_page(self._free(text, first_line))
        given.add(page.fields, page.title_line + first_line - 1)
        return page.body

    def _pasted(self, text: str, given: fields.Fields, kind: str) -> tuple[str, int]:
        from content.pasted import read_pasted

        pasted = read_pasted(text, self.site.zone)
        title = _heading(pasted.title) if kind == "markdown" else pasted.title
        if len(title) > TITLE_LIMIT:
            self.error(f"the first line, of {len(title)} characters, is no title: put one above it", pasted.title_line)
            raise _RefusedError
        if pasted.ambiguous:
            self.error(f"the date cannot be read: {pasted.ambiguous!r} means two days; write it as 2024-10-24",
                       pasted.ambiguous_line)  # fmt: skip
        found: dict[str, Value] = {"title": title, "standfirst": pasted.standfirst, "section": pasted.section}
        if pasted.authors:
            alone = pasted.biography if len(pasted.authors) == 1 else ""
            found["authors"] = [{"name": name, "biography": alone} for name in pasted.authors]
        if pasted.published:
            found["published"] = pasted.published.isoformat()
        if pasted.updated:
            found["updated"] = pasted.updated.isoformat()
        given.add({name: value for name, value in found.items() if value}, pasted.title_line)
        for first, last in _runs(text, pasted.left_out):
            several = last > first
            lines = f"lines {first} to {last} belong" if several else f"line {first} belongs"
            self.warn(f"{lines} to the page, not the article, and {'are' if several else 'is'} left out", first)
        return pasted.body, pasted.body_line

    def _title(self, given: fields.Fields, body: str, kind: str) -> tuple[str, str]:
        line = given.line(*fields.TITLE)
        written = given.text(*fields.TITLE)
        if written is None and kind == "markdown":
            # Front matter without a title: the heading that opens the body is one.
            written, body = _without_heading(body)
        title = words(written or "")
        if not title:
            what = "the title is empty" if written is not None else "there is no title"
            self.error(f"{what}: give the article a 'title'", line)
        return title, body

    def _assemble(self, given: fields.Fields, title: str, body: str, body_line: int, kind: str) -> Reading:
        slug, other_slug = self._slug(given, title)
        url = self._url(given, slug)

        def resolve(link: str) -> str | None:
            return self._resolve(link, url)

        markup = self._body(body, body_line, kind, resolve)
        published, updated, state = self._times(given)
        regions, places = self._regions(given)
        tags = given.names("tags", "tag", "keywords") + given.names("categories") + places
        category = given.text("category") or ""
        section = words(given.text("section") or category)
        article = Article(
            id=mint_id(self.site.host, self.site.owned_since, slug), slug=slug, url=url, title=title,
            summary=self._summary(given, markup), body=markup, published=published or self.reader.now,
            updated=max(updated or published or self.reader.now, published or self.reader.now), state=state,
            authors=read_authors(given, self.reader.authors, resolve), section=section,
            tags=tuple(dict.fromkeys(word for tag in tags if (word := words(tag)))), regions=regions,
            language=self._language(given), image=read_image(given, resolve),
            sources=read_sources(given, resolve),
            weight=given.integer("weight", default=0), media=tuple(self.media.values()),
        )  # fmt: skip
        says_regions = given.says(*fields.REGIONS)
        if not says_regions:
            article = replace(article, regions=self._placed(article))
        refused = any(problem.severity is Severity.ERROR for problem in self.problems)
        return Reading(
            self.path, None if refused else article, tuple(self.problems), self.digest, dated=published is not None,
            revised=updated is not None, other_slug=other_slug, slug_line=given.line("slug"),
            beside=packed(self.path, self.targets),
            regions_named=tuple(given.names(*fields.REGIONS)) if says_regions else None,
        )  # fmt: skip

    def _url(self, given: fields.Fields, slug: str) -> str:
        url = self.site.absolute(self.reader.content.article_path.format(slug=slug))
        canonical = given.text(*fields.CANONICAL)
        if canonical and canonical.startswith(("http://", "https://")):
            url = cleaning.absolute(canonical, url) or url
        return url

    def page(self) -> str | None:
        """The address of the page that the file will have, ``None`` when it cannot be told or there will be none."""
        try:
            document = split(self._text())
        except (FrontMatterError, _RefusedError):
            return None
        given = fields.Fields(document.fields, document.lines, self.error, self.warn)
        slug, other_slug = self._slug(given, words(given.text(*fields.TITLE) or ""))
        if other_slug and self.reader.dated_slugs.get(str(self.path)) == other_slug:
            slug = other_slug
        return None if self._state(given) is not State.PUBLISHED else self._url(given, slug)

    def _slug(self, given: fields.Fields, title: str) -> tuple[str, str]:
        """The slug, and another for the case that it is taken."""
        if chosen := given.text("slug"):
            slug = slug_of(chosen)
            if slug in _RESERVED and self.reader.content.article_path.startswith("{slug}"):
                self.error(f"the address {slug!r} is taken by dateline's own files: choose another 'slug'", given.line("slug"))
            if slug:
                return slug, ""
            self.error(f"the slug {chosen!r} has no letter or digit that a URL can show", given.line("slug"))
        stem = self.path.stem if self.path.stem.lower() not in ("index", "readme") else self.path.parent.name
        named = slug_of(without_date(stem))
        titled = "" if named else slug_of(title)
        dated = slug_of(stem, 140)
        # Named after the file, because the address must outlive a correction of the text.
        file_name = hashlib.blake2b(stem.encode("utf-8", "replace"), digest_size=6).hexdigest()
        slug = named or titled or dated or f"article-{file_name}"
        if slug in _RESERVED and self.reader.content.article_path.startswith("{slug}"):
            slug = f"{slug}-article"
        return slug, dated if dated != slug else ""

    def _body(self, body: str, body_line: int, kind: str, resolve: cleaning.Resolver) -> str:
        if kind == "markdown":
            markup = cleaning.from_markdown(body)
        elif kind == "text":
            from content.pasted import paragraphs

            markup = cleaning.from_paragraphs(paragraphs(body))
        else:
            markup = body
        if cleaning.nested_too_deeply(markup):
            self.error(f"its elements lie more than {cleaning.DEPTH_LIMIT} deep in one another", body_line)
            raise _RefusedError
        cleaned = cleaning.clean(markup, resolve)
        if not _SOME_TEXT.search(cleaned) and not plain(cleaned) and "<img" not in cleaned:
            self.warn("the article has no text", body_line)
        return cleaned

    def _free(self, text: str, first_line: int) -> str:
        """The text without template expressions; those that were left out are reported."""
        freed = expressions.free(text)
        if freed.dropped:
            lines = ", ".join(str(line + first_line - 1) for line in dict.fromkeys(freed.dropped[:5]))
            more = ", ..." if len(freed.dropped) > 5 else ""
            count = len(freed.dropped)
            what = "a template expression was" if count == 1 else f"{count} template expressions were"
            self.warn(f"{what} left out (line {lines}{more})", freed.dropped[0] + first_line - 1)
        return freed.text

    def _resolve(self, link: str, base: str) -> str | None:
        if link not in self.links:
            target = target_of(link, self.path)
            self.links[link] = cleaning.absolute(link, base) if target is None else self._lead_to(target, link, base)
        return self.links[link]

    def _lead_to(self, target: Path, link: str, base: str) -> str | None:
        """The address of a file that lies beside this one."""
        self.targets[target] = None
        if is_article(target):
            if page := _FileReader(self.reader, target).page():
                fragment = link.partition("#")[2]
                return cleaning.absolute(f"{page}#{fragment}" if fragment else page, base)
            if target.suffix.lower() not in (".html", ".htm", ".txt"):
                self._warn_of(link, "is no article that is published")
        elif media := media_of(target):
            self.media[media.name] = media
            return self.site.absolute(media.url_path)
        else:
            self._warn_of(link, "is not there")
        return cleaning.absolute(link, base)

    def _warn_of(self, link: str, what: str) -> None:
        at = self.written.find(link)
        line = self.written.count("\n", 0, at) + 1 if at >= 0 else 0
        self.warn(f"leads to {link!r}, which {what}: readers will find nothing there", line)

    def _summary(self, given: fields.Fields, markup: str) -> Summary:
        written = given.text(*fields.SUMMARY)
        if written and (text := self._plain(words(written))):
            return Summary(text, written=True)
        return Summary(lead(markup), written=False)

    @staticmethod
    def _plain(line: str) -> str:
        """A line without the markup that it may hold."""
        return plain(cleaning.clean(line, lambda link: None)) if "<" in line or "&" in line else line

    def _times(self, given: fields.Fields) -> tuple[datetime | None, datetime | None, State]:
        published = self._date(given, *fields.PUBLISHED)
        if published is None:
            try:
                published = date_of_file_name(self.path.stem, self.site.zone)
            except ValueError as problem:
                self.error(f"the date at the head of the file's name cannot be read: {problem}", 0)
        updated = self._date(given, *fields.UPDATED)
        state = self._state(given)
        if state is State.PUBLISHED and published and published > self.reader.now:
            state = State.SCHEDULED
        return published, updated, state

    def _date(self, given: fields.Fields, *names: str) -> datetime | None:
        for name in names:
            # Jekyll's `published: false` is no date.
            if not (written := given.text(name)) or written.lower() in fields.TRUTH:
                continue
            try:
                return parse_date(written, self.site.zone)
            except ValueError as problem:
                self.error(f"the date in {name!r} cannot be read: {problem}", given.line(name))
        return None

    def _state(self, given: fields.Fields) -> State:
        if given.flag("draft") or given.flag("published", default=True) is False:
            return State.DRAFT
        match (given.text("status", "state") or "").lower():
            case "draft" | "pending" | "private" | "hidden":
                return State.DRAFT
            case "withdrawn" | "retracted" | "unpublished" | "archived":
                return State.WITHDRAWN
        return State.PUBLISHED

    def _regions(self, given: fields.Fields) -> tuple[tuple[Region, ...], list[str]]:
        names = given.names(*fields.REGIONS)
        found, unresolved = resolve(words(name) for name in names)
        line = given.line(*fields.REGIONS)
        for one in unresolved:
            if one.candidates:
                hint = f"it could be {' or '.join(one.candidates[:4])}: write the code"
            else:
                hint = "write an ISO 3166 code such as CN or CN-GD if it is a country or a subdivision"
            self.warn(f"the region {one.name!r} is not known and is kept as a tag; {hint}", line)
        return tuple(found), [one.name for one in unresolved]

    def _placed(self, article: Article) -> tuple[Region, ...]:
        """The regions that the text itself is about, where the settings ask for them."""
        mode, threshold = self.reader.content.regions, self.reader.content.region_threshold
        if mode == "off":
            return ()
        # Loaded only when an article says nothing of its regions itself.
        from content.placing import chosen, explained, placed

        found = placed(article)
        if mode == "apply":
            return chosen(found, threshold)
        if said := explained(found, threshold):
            self.problems.append(
                Problem(
                    Severity.HINT, self.path, 1, f"its regions seem to be {said}; `dateline regions --write` writes them down"
                )
            )
        return ()

    def _language(self, given: fields.Fields) -> str:
        written = (given.text(*fields.LANGUAGE) or "").replace("_", "-")
        if written and not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", written):
            self.warn(f"{written!r} is not a language tag such as 'en' or 'pt-BR'", given.line(*fields.LANGUAGE))
            written = ""
        return written or self.site.language
