"""What a piece of clean HTML says in words: its text, its length, its lead."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Iterator

WORDS_PER_MINUTE = 238
"""Mean silent reading rate of English prose (Brysbaert 2019, a meta-analysis of 190 studies)."""

LEAD_LENGTH = 200
"""Characters that a lead aims at."""
LEAD_LIMIT = 320
"""Characters beyond which a single sentence is cut at a word, with an ellipsis."""

# XML 1.0 2.2: what may stand in a document. Everything else makes a feed unreadable as a whole.
_NOT_XML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd\U00010000-\U0010ffff]")
_ASCII_NOT_XML = dict.fromkeys([code for code in range(0x80) if _NOT_XML.match(chr(code))])
_TAG = re.compile(r"<[^>]*>")
_BLOCK_TAG = re.compile(
    r"</?(?:p|div|h[1-6]|li|ul|ol|dl|dt|dd|blockquote|pre|table|tr|td|th|figure|figcaption|br|hr|section|article)\b[^>]*>"
)
_PARAGRAPH = re.compile(r"<p\b[^>]*>(.*?)</p>", re.DOTALL)
_NOT_LEAD = re.compile(r"<(figure|table|blockquote|pre|aside|ul|ol|dl|h[1-6])\b[^>]*>.*?</\1>", re.DOTALL)
_UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"\w+(?:[’'\-.,]\w+)*")

# A full stop after these ends no sentence.
_ABBREVIATIONS = frozenset(  # one string, because sixty quoted words would be harder to read
    [
        "mr",
        "mrs",
        "ms",
        "dr",
        "prof",
        "rev",
        "hon",
        "gov",
        "gen",
        "col",
        "lt",
        "sgt",
        "capt",
        "sen",
        "rep",
        "st",
        "jr",
        "sr",
        "vs",
        "etc",
        "inc",
        "ltd",
        "co",
        "corp",
        "llc",
        "plc",
        "no",
        "nos",
        "vol",
        "pp",
        "fig",
        "e.g",
        "i.e",
        "cf",
        "al",
        "approx",
        "dept",
        "est",
        "jan",
        "feb",
        "mar",
        "apr",
        "jun",
        "jul",
        "aug",
        "sep",
        "sept",
        "oct",
        "nov",
        "dec",
        "a.m",
        "p.m",
        "u.s",
        "u.k",
        "u.n",
        "e.u",
        "bn",
        "mn",
    ]
)
_SENTENCE_END = re.compile(r"[.!?…।۔؟]+[\"'”’»«)\]]*(?=\s)|[。！？．]+[」』”’）]*")
_LEAD_WINDOW = 20 * LEAD_LIMIT


def xml_safe(text: str) -> str:
    """``text`` without the characters that XML 1.0 (2.2) forbids or discourages, line ends as ``\\n``."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text.translate(_ASCII_NOT_XML) if text.isascii() else _NOT_XML.sub("", text)


def one_line(text: str) -> str:
    """``text`` on one line: XML-safe, every run of white space a single blank, none at the ends."""
    return " ".join(xml_safe(text).split())


def folded(name: str) -> str:
    """A name as it is compared with another: without letter case, in one Unicode form, with single spaces."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).split())


_PLAIN_SLUG = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def slug_of(text: str, limit: int = 120) -> str:
    """The text as it stands in a URL, of at most ``limit`` characters and whole words; empty when nothing is left."""
    if len(text) <= limit and _PLAIN_SLUG.fullmatch(text):
        return text
    # Its tables of all scripts take a while to load.
    from slugify import slugify

    return slugify(text, max_length=limit, word_boundary=True)


def plain(markup: str) -> str:
    """The words of clean HTML on one line, blocks parted by a blank."""
    return one_line(html.unescape(_TAG.sub("", _BLOCK_TAG.sub(" ", markup))))


_WHOLE_PAGE = re.compile(r"<(?:!doctype|html|body)\b", re.IGNORECASE)


def is_page(text: str) -> bool:
    """Whether HTML is a whole page rather than a piece of one."""
    return _WHOLE_PAGE.search(text) is not None


def count_words(markup: str) -> int:
    """Words in clean HTML. Two characters of a script without blanks between words count as one word."""
    text = plain(markup)
    unspaced = len(_UNSPACED.findall(text))
    return len(_WORD.findall(_UNSPACED.sub(" ", text))) + (unspaced + 1) // 2


def reading_minutes(words: int) -> int:
    """Whole minutes to read so many words, at least one."""
    return max(1, round(words / WORDS_PER_MINUTE))


def sentences(text: str) -> Iterator[str]:
    """The sentences of a plain text, each with its closing mark."""
    start = 0
    for match in _SENTENCE_END.finditer(text):
        # Windows, because a hostile text has as many full stops as characters.
        before, after = text[max(start, match.start() - 40) : match.start()], text[match.end() : match.end() + 40]
        if match.group()[0] == "." and _is_abbreviation(before, after):
            continue
        yield text[start : match.end()].strip()
        start = match.end()
    if rest := text[start:].strip():
        yield rest


def _is_abbreviation(before: str, after: str) -> bool:
    word = before.rsplit(None, 1)[-1].lstrip("(\"'“‘[").lower() if before.strip() else ""
    if word in _ABBREVIATIONS or (len(word) == 1 and word.isalpha()):
        return True
    following = after.lstrip()[:1]
    return following.islower()


def lead(markup: str) -> str:
    """The opening of an article's body in whole sentences, about ``LEAD_LENGTH`` characters.

    Headings, lists, tables, quotations and captions are passed over as long as there is a paragraph.
    A first sentence longer than ``LEAD_LIMIT`` is cut between two words and ends in an ellipsis.
    """
    paragraphs = [plain(part) for part in _PARAGRAPH.findall(_NOT_LEAD.sub(" ", markup))]
    # A paragraph without any sentence in it (a picture's credit, a label) opens no story.
    told = [part for part in paragraphs if len(part) >= 40] or [part for part in paragraphs if part]
    text = (" ".join(told) or plain(markup))[:_LEAD_WINDOW]
    taken = ""
    for sentence in sentences(text):
        longer = taken + sentence if text.startswith(taken + sentence) else f"{taken} {sentence}"
        # A very short opening takes the next sentence along even when that makes it a little long.
        if taken and len(longer) > (LEAD_LENGTH * 1.2 if len(taken) >= LEAD_LENGTH / 2 else LEAD_LIMIT):
            break
        taken = longer
        if len(taken) >= LEAD_LENGTH * 0.75:
            break
    return shorten(taken, LEAD_LIMIT)


def shorten(text: str, limit: int) -> str:
    """``text`` if it has at most ``limit`` characters, else its start, cut between two words, with an ellipsis."""
    if len(text) <= limit:
        return text
    cut = text[: limit - 1]
    if not text[limit - 1].isspace() and not _UNSPACED.match(text[limit - 1]):
        head, blank, _ = cut.rpartition(" ")
        # Text without a blank (a URL, a script that has none) is cut where it stands: there is no word to keep whole.
        cut = head if blank else cut
    return cut.rstrip(" ,;:–—-") + "…"


_AUTHORITY = re.compile(
    r"(?:[\w.~!$&'()*+,;=:%-]*@)?(?:[\w-]+(?:\.[\w-]+)*\.?|\[[0-9A-Fa-f:.]+\])"
    r"(?::(?:[0-5]?\d{1,4}|6[0-4]\d{3}|65[0-4]\d\d|655[0-2]\d|6553[0-5])?)?",
    re.ASCII,
)


def is_authority(text: str) -> bool:
    """Whether this can stand between ``//`` and the path of a web address: user, host in ASCII, port."""
    return _AUTHORITY.fullmatch(text) is not None
