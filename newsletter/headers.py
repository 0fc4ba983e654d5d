"""One header field at a time, as bytes that every receiver reads the same way.

Written here because Python's own generator folds a long List-Unsubscribe into an encoded word, lets an encoded word
in a subject bring a line end along, and encodes an IDN domain inside an address. RFC 5322 2.2, RFC 2047.
"""

from __future__ import annotations

import re
from email.utils import quote as quote_string

from content.errors import DatelineError

_LINE = 76
_LONGEST = 900
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")
_ATEXT = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_LOCAL_PART = re.compile(rf"{_ATEXT}(?:\.{_ATEXT})*")
_DOMAIN = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}")
# Nearly every address there is: taken as it stands, at a look.
_PLAIN = re.compile(rf"(?=.{{1,64}}@){_ATEXT}(?:\.{_ATEXT})*@(?:{_LABEL}\.)+{_LABEL}")
_SPECIALS = frozenset('()<>[]:;@\\,"')


class HeaderError(DatelineError, ValueError):
    """A value that may not stand in a header, and why."""


def text_field(name: str, text: str) -> bytes:
    """An unstructured field such as Subject. What is not plain ASCII, or looks encoded, becomes encoded words."""
    _no_controls(name, text)
    words = text.split(" ")
    if text.isascii() and "=?" not in text and max(map(len, words)) < _LONGEST:
        return _fold(name, words)
    return f"{name}: {_encoded(name, text)}\r\n".encode("ascii")


def plain_field(name: str, *parts: str) -> bytes:
    """A field whose parts (ASCII) must arrive letter by letter, such as URLs: each may stand on a line of its own."""
    for part in parts:
        verbatim(name, part)
    return _fold(name, list(parts))


def verbatim(name: str, value: str) -> str:
    """A value that may stand in a header letter by letter. Raises ``HeaderError`` for one that may not."""
    if value.isascii() and value.isprintable() and " " not in value and "=?" not in value and len(value) <= _LONGEST:
        return value
    _no_controls(name, value)
    raise HeaderError(
        f"{name}: {value[:_LONGEST]!r} cannot stand in a header: it must be ASCII without blanks, without the sign '=?' that "
        f"opens an encoded word, and have at most {_LONGEST} characters"
    )


def address_field(name: str, display: str, address: str) -> bytes:
    """A mailbox field: ``From: "A, B" <a@example.org>``. Raises ``HeaderError`` for an address mail cannot carry."""
    spec = ascii_address(address)
    _no_controls(name, display)
    if not display:
        return f"{name}: {spec}\r\n".encode("ascii")
    if not display.isascii() or "=?" in display or len(display) > _LINE - len(name):
        phrase = _encoded(name, display)
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
    if _PLAIN.fullmatch(address) and len(address) <= 254 and "=?" not in address:
        return address
    local, domain = _halves(address)
    if not local.isascii():
        raise HeaderError(f"{address!r} cannot be reached: its local part is not ASCII, which needs a server with SMTPUTF8")
    # An encoded word has no place in an address, and there are programs that decode it all the same.
    if not _LOCAL_PART.fullmatch(local) or "=?" in local:
        raise HeaderError(f"{address!r} is not an email address")
    return f"{local}@{_ascii_domain(address, domain)}"


def unicode_address(address: str) -> str:
    """The address for a server that offers SMTPUTF8 (RFC 6531, 6532): the local part as it is, the domain in ASCII.

    Raises ``HeaderError`` for anything that is no address.
    """
    if address.isascii():
        return ascii_address(address)
    local, domain = _halves(address)
    strange = any(sign in _SPECIALS or sign.isspace() or not sign.isprintable() for sign in local)
    dots = local.startswith(".") or local.endswith(".") or ".." in local
    if strange or dots or "=?" in local or len(local.encode("utf-8", "replace")) > 64:
        raise HeaderError(f"{address!r} is not an email address")
    return f"{local}@{_ascii_domain(address, domain)}"


def _halves(address: str) -> tuple[str, str]:
    local, at, domain = address.rpartition("@")
    if not at or not local or len(local) > 64:
        raise HeaderError(f"{address!r} is not an email address")
    return local, domain


def ascii_domain(domain: str) -> str:
    """A domain in small letters, an international one in its ASCII form (RFC 5891); what has none is left as it is."""
    if domain.isascii():
        return domain.lower()
    import idna

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return domain.lower()


def _ascii_domain(address: str, domain: str) -> str:
    host = ascii_domain(domain)
    if len(host) > 253 or not _DOMAIN.fullmatch(host):
        raise HeaderError(f"{address!r} is not an email address: its domain does not exist on any network")
    return host


def _encoded(name: str, text: str) -> str:
    from email.header import Header

    return Header(text, charset="utf-8", maxlinelen=_LINE - 1, header_name=name).encode(linesep="\r\n")


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
