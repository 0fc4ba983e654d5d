"""A text copied from a page: which of its first lines are title, standfirst, author and date, and which of its
last lines belong to the page rather than to the article."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import pairwise

from content.dates import date_of_line, is_ambiguous

_HEAD_LINES = 14
"""Lines with text, from the top, among which a page puts author and date."""
_STANDFIRST_LIMIT = 400

_MINUTES = re.compile(
    r"^(?:(?:(?:estimated |est\. )?read(?:ing)? time|lesezeit|temps de lecture|tiempo de lectura)\s*:?\s*)?(?:about |ca\. )?"
    r"\d{1,3}\s*[- ]?min(?:ute[ns]?|utos?|uti|s)?\.?(?:[\s-]+(?:to\s+)?read|\s+(?:lesezeit|de lecture|de lectura))?$"
    r"|^(?:阅读时?间?\s*[:：]?\s*)?约?\s*\d{1,3}\s*分钟?(?:阅读)?$",
    re.IGNORECASE,
)
_BY = re.compile(r"^(?:written |posted |reported )?by\s*:?\s+(.{2,120})$|^authors?\s*:\s*(.{2,120})$", re.IGNORECASE)
_OTHER_BY = re.compile(
    r"^(?:von|par|por|door|di|da|af|av)\s+(.{2,80})$|^(?:作者|记者|記者|文)\s*[:：/]\s*(.{2,30})$", re.IGNORECASE
)
_UPDATED = re.compile(r"^(?:last\s+)?(?:updated|modified)\b", re.IGNORECASE)
_LIST_ITEM = re.compile(r"^(?:\d{1,2}[.)]|[-–•*])\s")
_SENTENCE_CLOSED = re.compile(r"[.!?…:。！？：।۔؟][\"'”’»)\]」』]*$")
_FIELD_LABEL = re.compile(r"^(?:title|headline|standfirst|summary|dek)\s*:\s+", re.IGNORECASE)
_PARTS = re.compile(r"\s+[|•·–—/]\s+|\s*[|•·]\s*|\t+|\s{3,}")
_ROLE = re.compile(
    r"\b(editor|reporter|correspondent|writer|journalist|analyst|contributor|columnist|producer|staff|director|desk"
    r"|author|founder|freelancer?|bureau chief)s?\b",
    re.IGNORECASE,
)
_NAME_WORD = r"(?:[^\W\d_a-z][\w’'.\-]*|d[aeiou]s?|dos|del|della|van|von|der|den|ter|bin|ibn|al|el|la|le|y|e)"
_NAME = re.compile(rf"^(?:{_NAME_WORD})(?: {_NAME_WORD}){{1,4}}$")
_UNSPACED_NAME = re.compile("^[\u3040-\u30ff\u4e00-\u9fff\uac00-\ud7af]{2,6}$")
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u9fff\u0e00-\u0eff]")
_BYLINE_WORDS = frozenset({"and", "of", "for", "in", "at", "with", "our", "the", "from"})
_NAMES = re.compile(r"\s*(?:,|;|&|\band\b)\s*")
_NOISE = re.compile(
    r"^(?:share|share this.*|listen(?: to this.*)?|print|email|save|copy link|facebook|twitter|x|linkedin|whatsapp|"
    r"reddit|tweet|comments?|\d+ comments?|@\w{2,30}|\d{1,2} (?:minute|min|hour|day)s? ago|[-*_=]{3,}|"
    r"home(?:\s*[>/»›|].*)?|skip to (?:main )?content|menu|advertisements?|"
    r"(?:share|tweet|post|pin|send|save)(?: this)?(?: article| story| page)? (?:on|to|via|by|with) "
    r"(?:facebook|twitter|x|linkedin|whatsapp|reddit|e-?mail|telegram|pinterest|threads|bluesky|mastodon|instapaper|pocket|messenger|line|weibo|wechat)|"
    r"[\[(]?(?:image|photo|picture|credit|graphic)s?(?: credit| source| by)?\s*:.*)$",
    re.IGNORECASE,
)
_FURNITURE = re.compile(
    r"^(?:you (?:may|might) (?:also )?(?:like|enjoy|be interested in)(?:\s*:.*)?|"
    r"related(?: (?:articles?|stor(?:y|ies)|posts?|news|"
    r"topics?|content|reading))?|recommended(?: for you)?|more (?:from|on|in) .*|more (?:news|stories)|read (?:more|next)|"
    r"most (?:read|popular)|trending(?: now)?|subscribe(?:\s*[:!–—-].*| now| today| (?:to|for|and) .*)?|"
    r"sign up.*|join .*(?:members|"
    r"subscribers|readers).*|newsletter|get the newsletter|leave a (?:comment|reply)|comments \(\d+\)|\d+ comments|"
    r"filed under.*|about the authors?|all rights reserved.*|©.*|copyright .*|"
    r"previous article.*|next article.*|back to top|follow us.*)\s*[:.…]?$",
    re.IGNORECASE,
)
_INTERRUPTION = re.compile(r"^(?:advertisements?|comments?|share(?: (?:this|on|via) .*)?|tags?)\s*[:.…]?$", re.IGNORECASE)
"""What pages put between a story's paragraphs as well as behind the last."""
_LABEL = re.compile(r"^(?:advertisements?|share (?:on|via) \w+)$", re.IGNORECASE)
_ABOUT = re.compile(r"^about the authors?\s*:?$", re.IGNORECASE)
_MARKUP = re.compile(r"^#{1,6}\s+|(?<!\s)\s+#+$")


@dataclass(frozen=True, slots=True)
class Pasted:
    """What a pasted text says of itself. ``body`` keeps its line ends; the others are one line each.

    ``left_out`` are the lines (from 1) that belonged to the page.
    """

    title: str
    title_line: int
    standfirst: str
    section: str
    authors: tuple[str, ...]
    biography: str
    published: datetime | None
    body: str
    body_line: int
    left_out: tuple[int, ...]
    updated: datetime | None = None
    ambiguous: str = ""
    """A date that two countries read differently, and its line."""
    ambiguous_line: int = 0


def read_pasted(text: str, zone: tzinfo) -> Pasted:
    """Takes a text without front matter apart. A date without an offset is meant in ``zone``.

    The first line with text is the title. What follows is taken for author and date only where a line is
    nothing else; everything that is not clearly the page's stays in the body.
    """
    lines = text.split("\n")
    filled = [number for number, line in enumerate(lines) if line.strip()]
    if not filled:
        return Pasted("", 1, "", "", (), "", None, "", 1, ())
    head = _Head(zone)
    above = head.skip_above([lines[number].strip() for number in filled])
    filled = filled[above:]
    consumed = head.read([lines[number].strip() for number in filled[:_HEAD_LINES]])
    while consumed < len(filled) and _NOISE.match(lines[filled[consumed]].strip()):
        consumed += 1
    body_start = filled[consumed] if consumed < len(filled) else len(lines)
    body_end, about = _furniture(lines, body_start)
    dropped = [number for number in filled[:consumed] if _MARKUP.sub("", lines[number]).strip(" *_") in head.places]
    # An advertisement between two paragraphs leaves its label behind.
    labels = [number for number in range(body_start, body_end) if _LABEL.match(lines[number].strip(" *_"))]
    for number in labels:
        lines[number] = ""
    left_out = (*dropped, *labels, *(number for number in range(body_end, len(lines)) if lines[number].strip()))
    unclear = next((number for number, line in enumerate(lines) if line.strip(" #*_") == head.ambiguous), 0)
    return Pasted(
        title=head.title, title_line=filled[0] + 1, standfirst=head.standfirst, section=head.section, authors=head.authors,
        biography=head.biography or about, published=head.published or head.updated,
        body="\n".join(lines[body_start:body_end]).strip("\n"), body_line=body_start + 1,
        left_out=tuple(number + 1 for number in left_out), updated=head.updated if head.published else None,
        ambiguous=head.ambiguous, ambiguous_line=unclear + 1,
    )  # fmt: skip


class _Head:
    """Reads the lines above the story."""

    def __init__(self, zone: tzinfo) -> None:
        self._zone = zone
        self.title = self.standfirst = self.biography = self.section = ""
        self.authors: tuple[str, ...] = ()
        self.published: datetime | None = None
        self.updated: datetime | None = None
        self.ambiguous = ""
        self.places: list[str] = []
        """Short lines between byline and date, such as where the author sits: no part of a standfirst."""

    def skip_above(self, lines: list[str]) -> int:
        """How many lines stand above the title: a date, buttons, a section's name, the author. Learns from them."""
        above = 0
        crumbs = False
        for index, line in enumerate(lines[: min(_HEAD_LINES, len(lines) - 1)]):
            rest = [other for other in lines[index + 1 : index + 5] if not (_NOISE.match(other) or self._is_dated(other))]
            following = rest[0] if rest else ""
            is_headline = len(following.split()) > 3 and not _SENTENCE_CLOSED.search(following)
            short = len(line.split()) <= 3 and not _SENTENCE_CLOSED.search(line)
            if short and not self.section and ((line.isupper() and len(following.split()) > 3) or (crumbs and is_headline)):
                self.section = line.capitalize() if line.isupper() else line
            elif is_headline and self._is_name(line) and self._is_dated(lines[index + 1]):
                self._take_name(line)
            elif not (_NOISE.match(line) or self._take_part(line) or (crumbs and short and following)):
                break
            crumbs = crumbs or line.lower().startswith("home")
            above += 1
        return above

    def _is_dated(self, line: str) -> bool:
        return bool(_MINUTES.match(line)) or date_of_line(line, self._zone) is not None

    def read(self, lines: list[str]) -> int:
        """Takes the head's lines, the title first, and returns how many they are."""
        self.title = _FIELD_LABEL.sub("", _MARKUP.sub("", lines[0]).strip())
        plain = [_MARKUP.sub("", line).strip(" *_") for line in lines]
        marks = self._marks(plain)
        if not marks and self.published and not self.authors:
            # The date stood above the title; below it may stand the author.
            marks = [n for n in range(1, min(4, len(plain) - 1)) if self._is_name(plain[n])][:1]
            for n in marks:
                self._take_name(plain[n])
        if not marks:
            return 1
        end = marks[-1] + 1
        between = [n for n in range(1, end) if n not in marks and not _NOISE.match(plain[n])]
        names = [n for n in between if self._is_name(plain[n])]
        if not self.authors and not names and end < len(plain) and self._is_name(plain[end]):
            names, end = [end], end + 1
        if not self.authors and names:
            # A standfirst may look like a name; then the name stands nearer to the date.
            at = names[1] if len(names) > 1 and names[0] == 1 and not _ROLE.search(plain[names[1]]) else names[0]
            self._take_name(plain[at])
            between = [n for n in between if n != at]
            if at + 1 in between and (_ROLE.search(plain[at + 1]) or at > 1 or self.authors[0] in plain[at + 1]):
                self.biography = plain[at + 1]
                between.remove(at + 1)
        above = [n for n in between if n < end]
        self.places = [plain[n] for n in above if _is_short(plain[n])]
        standfirst = [_FIELD_LABEL.sub("", plain[n]) for n in above if not _is_short(plain[n])]
        if sum(map(len, standfirst)) > _STANDFIRST_LIMIT * 2:
            # The date stands below the story's opening: what is above it is the story's own.
            self.places = []
            return 1
        self.standfirst = " ".join(standfirst)
        return end

    def _marks(self, lines: list[str]) -> list[int]:
        """The indexes of lines that hold nothing but date, byline or reading time; learns from them."""
        marks: list[int] = []
        prose = 0
        for index, line in enumerate(lines[1:], start=1):
            if marks and self.published and self._is_dated(line) and index > marks[-1] + 1 and not _UPDATED.match(line):
                # Another date further down belongs to the story.
                break
            if self._take_mark(line):
                marks.append(index)
                prose = 0
            elif len(line) > 120 and (prose := prose + 1) > 1:
                break
        return marks

    def _take_mark(self, line: str) -> bool:
        if self._take_part(line):
            return True
        if len(line) > 300:
            return False
        parts = [part for part in _PARTS.split(line) if part]
        kinds = [date_of_line(part, self._zone) is not None or bool(_MINUTES.match(part)) for part in parts]
        if len(parts) < 2 or not any(kinds):
            return False
        for part, certain in zip(parts, kinds, strict=True):
            if not self._take_part(part) and not certain and self._is_name(part) and not self.authors:
                self._take_name(part)
        return True

    def _take_part(self, text: str) -> bool:
        if _MINUTES.match(text):
            return True
        if moment := date_of_line(text, self._zone):
            self._take_date(text, moment)
            return True
        if is_ambiguous(text):
            self.ambiguous = self.ambiguous or text
            return True
        if (byline := _OTHER_BY.match(text)) and self._is_name(byline[1] or byline[2]):
            self._take_name(byline[1] or byline[2])
            return True
        if (byline := _BY.match(text)) and _may_be_people(byline[1] or byline[2]):
            rest = byline[1] or byline[2]
            name, comma, dated = rest.rpartition(",")
            for part in _PARTS.split(rest):
                if moment := date_of_line(part, self._zone):
                    self._take_date(part, moment)
                elif not self.authors and not _MINUTES.match(part):
                    self._take_name(part)
            return bool(self.authors) or bool(name and comma and dated)
        return False

    def _take_date(self, text: str, moment: datetime) -> None:
        # The first date is that of publication, unless it says otherwise; a later one, when the page was updated.
        if _UPDATED.match(text):
            self.updated = self.updated or moment
        else:
            self.published = self.published or moment

    def _is_name(self, line: str) -> bool:
        if len(line) > 80 or line.endswith((".", "!", "?", ":")):
            return False
        name, role = _name_and_role(line)
        if role:
            return self._is_name(name)
        if _ROLE.search(line):
            return False
        return all(_NAME.match(part) or _UNSPACED_NAME.match(part) for part in _NAMES.split(line))

    def _take_name(self, line: str) -> None:
        name, role = _name_and_role(line.strip())
        if role:
            self.authors, self.biography = (name,), role
        else:
            self.authors = tuple(part for part in _NAMES.split(line.strip()) if part)


def _may_be_people(text: str) -> bool:
    """Whether what follows ``By`` can be names: ``By 2030 every home will have fibre.`` begins a sentence."""
    first = _PARTS.split(text)[0].partition(",")[0]
    small = [word for word in first.split() if word[:1].islower() and not re.fullmatch(_NAME_WORD, word)]
    return not (
        re.match(r"\d", first)
        or (len(first.split()) > 3 and _SENTENCE_CLOSED.search(text) and not re.search(r"\b(?:Jr|Sr|[A-Z])\.$", text))
        or len([word for word in small if word.lower() not in _BYLINE_WORDS and not _ROLE.search(word)]) > 2
    )


def _is_short(line: str) -> bool:
    """Whether a line is a place or a label rather than a sentence."""
    return len(line.split()) <= 3 and len(line) < 25 and not _UNSPACED.search(line) and not _SENTENCE_CLOSED.search(line)


def _name_and_role(line: str) -> tuple[str, str]:
    """``Jane Doe, Senior Editor`` or ``Jane Doe | Reporter`` in its two parts; no role when there is none."""
    parts = re.split(r",\s+|\s+[|•·–—-]\s+", line, maxsplit=1)
    return (parts[0], parts[1]) if len(parts) == 2 and _ROLE.search(parts[1]) else (line, "")


def _furniture(lines: list[str], start: int) -> tuple[int, str]:
    """Where the story ends (an index) and what the page says about its author behind it.

    A line such as ``You may also like`` ends the story when no more of the story follows it: pages put such
    boxes between its paragraphs too. Behind ``Advertisement`` or ``Comments`` any sentence is the story's.
    """
    plain = [_MARKUP.sub("", line).strip(" *_>-") for line in lines]
    is_box = [len(line) < 100 and bool(_FURNITURE.match(line)) for line in plain]
    # Of what follows each line: paragraphs of the story, and how far it is to the next sentence and the next box.
    told, sentence, box = [0], [len(lines)], [len(lines)]
    for index in range(len(lines) - 1, start, -1):
        part = lines[index].strip()
        weight = 2 if len(part) >= 160 else len(part) >= 70
        told.append(told[-1] + (weight if _SENTENCE_CLOSED.search(part) else 0))
        sentence.append(index if _is_sentence(plain[index]) and not _NOISE.match(plain[index]) else sentence[-1])
        box.append(index if is_box[index] else box[-1])
    for index in range(start + 1, len(lines)):
        behind = len(lines) - index - 1
        if is_box[index]:
            first = next((n for n in range(index + 1, len(lines)) if plain[n]), len(lines))
            is_about = bool(_ABOUT.match(plain[index])) and first < len(lines)
            if told[len(lines) - first - 1 if is_about else behind] < 2:
                end = index
                while end > start + 1 and (not plain[end - 1] or _INTERRUPTION.match(plain[end - 1])):
                    end -= 1
                about = lines[first].strip() if is_about else ""
                return end, about if len(about) < 400 else ""
        elif _INTERRUPTION.match(plain[index]) and sentence[behind] >= box[behind]:
            return index, ""
    return len(lines), ""


def _is_sentence(line: str) -> bool:
    return bool(_SENTENCE_CLOSED.search(line)) and (len(line.split()) > 4 or bool(_UNSPACED.search(line)))


def paragraphs(text: str) -> list[str]:
    """The paragraphs of a plain text, one line each.

    Blank lines part them. Within a block, a line end is a mere wrapping when the text's lines mostly end in
    mid-sentence and the next word would not have fitted; otherwise it ends a paragraph too, as in text copied
    from a page.
    """
    blocks = [[line.strip() for line in block.split("\n") if line.strip()] for block in re.split(r"\n\s*\n", text)]
    inner = [line for lines in blocks for line in lines[:-1]]
    is_wrapped = sum(not _SENTENCE_CLOSED.search(line) for line in inner) * 2 > len(inner)
    found: list[str] = []
    for lines in filter(None, blocks):
        width = max(map(len, lines))
        found.append(lines[0])
        for previous, line in pairwise(lines):
            full = 40 <= width <= 120 and len(previous) + 1 + len(line.split(None, 1)[0]) > width
            if is_wrapped and full and not _LIST_ITEM.match(line):
                found[-1] += " " + line
            else:
                found.append(line)
    return found
