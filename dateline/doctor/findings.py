"""What a look at one thing came to, and what is to be published where something is missing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

_STRING = 255
"""Octets that one string of a TXT record holds (RFC 1035 3.3); programs join the strings."""


class Verdict(StrEnum):
    GOOD = "good"
    WARNING = "warning"
    """It works; some receivers or members will like it less."""
    WRONG = "wrong"
    UNKNOWN = "unknown"
    """It could not be seen from here."""


@dataclass(frozen=True, slots=True)
class Record:
    """A TXT record that the domain should publish."""

    name: str
    text: str

    def __str__(self) -> str:
        """As a line of a zone file, in strings of at most 255 octets."""
        strings = [self.text[start : start + _STRING] for start in range(0, len(self.text), _STRING)]
        quoted = (string.replace("\\", "\\\\").replace('"', '\\"') for string in strings)
        return f"{self.name}. IN TXT " + " ".join(f'"{string}"' for string in quoted)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was seen, and what to do about it."""

    subject: str
    verdict: Verdict
    said: str
    publish: tuple[Record, ...] = ()


def good(subject: str, said: str) -> Finding:
    return Finding(subject, Verdict.GOOD, said)


def warning(subject: str, said: str, *publish: Record) -> Finding:
    return Finding(subject, Verdict.WARNING, said, publish)


def wrong(subject: str, said: str, *publish: Record) -> Finding:
    return Finding(subject, Verdict.WRONG, said, publish)


def unknown(subject: str, said: str, *publish: Record) -> Finding:
    return Finding(subject, Verdict.UNKNOWN, said, publish)
