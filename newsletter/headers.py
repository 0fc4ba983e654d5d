"""One header field at a time, as bytes that every receiver reads the same way.

Written here because Python's own generator folds a long List-Unsubscribe into an encoded word, lets an encoded word
in a subject bring a line end along, and encodes an IDN domain inside an address. RFC 5322 2.2, RFC 2047.
"""

from __future__ import annotations

import re
from email.header import Header
from email.utils import quote as quote_string

import idna

from content.errors import DatelineError

_LINE = 76
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_LOCAL_PART = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+")
_DOMAIN = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")


class HeaderError(DatelineError, ValueError):
    """A value that may not stand in a header, and why."""


def text_field(name: str, text: str) -> bytes:
    """An unstructured field such as Subject. What is not plain ASCII, or looks encoded, becomes encoded words."""
    _no_controls(name, text)
    if text.isascii() and "=?" not in text:
        return _fold(name, text.split(" "))
    encoded = Header(text, charset="utf-8", maxlinelen=_LINE - 1, header_name=name).encode(linesep="\r\n")
    return f"{name}: {encoded}\r\n".encode("ascii")


def plain_field(name: str, *parts: str) -> bytes:
    """A field whose parts (ASCII) must arrive letter by letter, such as URLs: each may stand on a line of its own."""
    for part in parts:
        _no_controls(name, part)
        if not part.isascii() or " " in part or len(part) > 900:
            raise HeaderError(f"{name}: {part!r} cannot stand in a header: it must be ASCII without blanks")
    return _fold(name, list(parts))


def address_field(name: str, display: str, address: str) -> bytes:
    """A mailbox field: ``From: "A, B" <a@example.org>``. Raises ``HeaderError`` for an address mail cannot carry."""
    spec = ascii_address(address)
    _no_controls(name, display)
    if not display:
        return f"{name}: {spec}\r\n".encode("ascii")
    if not display.isascii() or "=?" in display:
        phrase = Header(display, charset="utf-8", maxlinelen=_LINE - 1, header_name=name).encode(linesep="\r\n")
    else:
        phrase = display if _ATOMS.fullmatch(display) else f'"{quote_string(display)}"'
    last = phrase.rpartition("\r\n")[2]
    fits = len(last) + len(spec) + 3 + (len(name) + 2 if last == phrase else 0) <= _LINE
    gap = " " if fits else "\r\n "
    return f"{name}: {phrase}{gap}<{spec}>\r\n".encode("ascii")


def ascii_address(address: str) -> str:
    """The address as it goes over the wire: an international domain in its ASCII form (RFC 5891).

    Raises ``HeaderError`` for anything that is no address, and for a local part that would need SMTPUTF8.
    """
    local, at, domain = address.rpartition("@")
    if not at or not local or len(local) > 64:
        raise HeaderError(f"{address!r} is not an email address")
    if not local.isascii():
        raise HeaderError(f"{address!r} cannot be reached: its local part is not ASCII, which needs SMTPUTF8")
    if not _LOCAL_PART.fullmatch(local) or local.startswith(".") or local.endswith(".") or ".." in local:
        raise HeaderError(f"{address!r} is not an email address")
    try:
        host = domain.lower() if domain.isascii() else idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        host = ""
    if not _DOMAIN.fullmatch(host):
        raise HeaderError(f"{address!r} is not an email address: its domain does not exist on any network")
    return f"{local}@{host}"


def _no_controls(name: str, value: str) -> None:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise HeaderError(f"{name}: a header cannot hold line ends or control characters")


def _fold(name: str, words: list[str]) -> bytes:
    lines = [f"{name}:"]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > _LINE and lines[-1].strip() not in ("", f"{name}:") and word:
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines).encode("ascii") + b"\r\n"
