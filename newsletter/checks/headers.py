"""Has the message, on its bytes, what receivers ask of a newsletter (RFC 5322, 2369, 2919, 8058; Gmail, Yahoo, Outlook)."""

from __future__ import annotations

import re
from collections import Counter
from email.utils import parsedate_to_datetime

from newsletter.checks.finding import Finding, error, warning
from newsletter.checks.specimen import Specimen

ONCE = (
    "From", "To", "Subject", "Date", "Message-ID", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post",
    "MIME-Version", "Content-Type",
)  # fmt: skip
LINE_LIMIT = 998
"""Octets without the line's end (RFC 5322 2.1.1)."""

_WHERE = "the message"


def check_headers(specimen: Specimen) -> list[Finding]:
    """The header, field by field, and the lines of the whole message."""
    return [*_fields(specimen), *_lines(specimen.content), *_leaving(specimen), *_values(specimen)]


def _fields(specimen: Specimen) -> list[Finding]:
    head = specimen.content.partition(b"\r\n\r\n")[0]
    names = Counter(name.lower() for name in re.findall(rb"(?m)^([!-9;-~]+):", head))
    found = []
    for name in ONCE:
        number = names[name.lower().encode()]
        if number != 1:
            problem = f"it has {number or 'no'} {name} header{'s' if number > 1 else ''}"
            found.append(error("headers", _WHERE, problem, "each must stand there once; this is a bug worth reporting"))
    if not head.isascii():
        advice = "write names and titles without signs that are not letters"
        found.append(error("headers", _WHERE, "a header has bytes that are not ASCII", advice))
    return found


def _lines(content: bytes) -> list[Finding]:
    found = []
    if longest := [line for line in content.split(b"\r\n") if len(line) > LINE_LIMIT]:
        begins = longest[0][:40].decode("ascii", "replace")
        problem = f"a line has {len(longest[0]):,} octets, and servers cut at {LINE_LIMIT}: {begins}…"
        found.append(error("headers", _WHERE, problem, "shorten what stands there"))
    if re.search(rb"(?<!\r)\n|\r(?!\n)", content):
        problem = "a line ends with CR or LF alone, which servers refuse (SMTP smuggling)"
        found.append(error("headers", _WHERE, problem, "look for strange line ends in titles and templates"))
    return found


def _leaving(specimen: Specimen) -> list[Finding]:
    message, found = specimen.message, []
    ways = re.findall(r"<\s*([^>]+?)\s*>", str(message["List-Unsubscribe"] or ""))
    if ways and not any(way.startswith("https://") for way in ways):
        problem = "List-Unsubscribe has no https address, so one click does not work (RFC 8058)"
        found.append(error("headers", "site.url", problem, "give site.url in config.toml as https"))
    if specimen.setting.newsletter.unsubscribe_email and not any(way.startswith("mailto:") for way in ways):
        problem = "List-Unsubscribe leaves out newsletter.unsubscribe_email"
        found.append(error("headers", _WHERE, problem, "this is a bug worth reporting"))
    if ways and specimen.leave not in ways:
        problem = "List-Unsubscribe and the link in the message lead to different places"
        found.append(error("headers", _WHERE, problem, "this is a bug worth reporting"))
    if str(message["List-Unsubscribe-Post"] or "").strip() not in ("", "List-Unsubscribe=One-Click"):
        problem = "List-Unsubscribe-Post does not say List-Unsubscribe=One-Click"
        found.append(error("headers", _WHERE, problem, "this is a bug worth reporting"))
    return found


def _values(specimen: Specimen) -> list[Finding]:
    message, found = specimen.message, []
    for name in ("From", "To"):
        field = message[name]
        if field is not None and len(getattr(field, "addresses", ())) != 1:
            found.append(error("headers", _WHERE, f"{name} does not hold one address: {field}", "check newsletter.from_name"))
    if message["Message-ID"] and not re.fullmatch(r"<[^\s<>@]+@[^\s<>@]+>", str(message["Message-ID"]).strip()):
        found.append(error("headers", _WHERE, f"the Message-ID {message['Message-ID']} is none", "check site.url"))
    if message["List-Id"] and not re.search(r"<[^\s<>.]+(?:\.[^\s<>.]+)+>\s*$", str(message["List-Id"])):
        problem = f"the List-Id {message['List-Id']} names no list in a domain (RFC 2919)"
        found.append(warning("headers", _WHERE, problem, "check site.url: its host names the list"))
    try:
        parsedate_to_datetime(str(message["Date"] or ""))
    except ValueError:
        if message["Date"]:
            found.append(error("headers", _WHERE, f"the Date {message['Date']} is none", "this is a bug worth reporting"))
    return found
