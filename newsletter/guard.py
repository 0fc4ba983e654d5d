"""May a sign-up lead to a mail? Limits for each address, each network and the whole site, and domains that are unwelcome.

One guard stands before every way in. It is asked before anybody looks whose address it is, so that its answer says
nothing about who is a member.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path

from sqlalchemy import Connection

from content.errors import ConfigError
from newsletter.networks import network_of
from newsletter.subscribers import address_key

_PURPOSE = b"dateline.limit\0"
_GOOGLE = frozenset({"gmail.com", "googlemail.com"})
_ADDRESS_HOURS = 24
"""How long an address that a mail went to is left alone."""


class Verdict(StrEnum):
    """What the guard says of a sign-up."""

    ADMITTED = "admitted"
    SILENT = "silent"
    """No mail goes out, and who asked is not told so: it is about the address."""
    LATER = "later"
    """Too many from this network, or to this site: everybody is told to come again later."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How many sign-ups an hour are let through."""

    network: int = 20
    site: int = 500


class Guard:
    """The guard of a site. ``key`` is the site's: counters are kept under keyed hashes."""

    def __init__(self, key: str, limits: Limits, disposable: frozenset[str] = frozenset()) -> None:
        self._key = key.encode()
        self._limits = limits
        self._disposable = disposable

    def admit(self, connection: Connection, email: str, client: str, now: datetime) -> Verdict:
        """Counts a sign-up for ``email`` from the network address ``client``, within a transaction that writes.

        What comes too often from one network counts against that network alone, and what is for one address against that
        address alone, so that neither closes the door for others. Raises ``SubscriberError`` for what is no address.
        """
        from limits import RateLimitItemPerHour
        from limits.strategies import FixedWindowRateLimiter

        from newsletter.rate_counters import DatabaseCounters

        limiter = FixedWindowRateLimiter(DatabaseCounters(connection, now))
        site = RateLimitItemPerHour(self._limits.site)
        address = self._mark("address", limited_as(email))
        network = self._mark("network", network_of(client) or "unknown")
        if not limiter.hit(RateLimitItemPerHour(self._limits.network), "network", network):
            return Verdict.LATER
        if not limiter.test(site, "site"):
            return Verdict.LATER
        if not limiter.hit(RateLimitItemPerHour(1, _ADDRESS_HOURS), "address", address) or self.is_disposable(email):
            return Verdict.SILENT
        limiter.hit(site, "site")
        return Verdict.ADMITTED

    def is_disposable(self, email: str) -> bool:
        """Whether an address is of a domain (or below one) that gives out throw-away addresses, as the operator's list says."""
        labels = address_key(email).rpartition("@")[2].split(".")
        return any(".".join(labels[start:]) in self._disposable for start in range(len(labels)))

    def _mark(self, what: str, value: str) -> str:
        return hmac.digest(self._key, _PURPOSE + f"{what}\0{value}".encode(), "sha256").hex()[:40]


def limited_as(email: str) -> str:
    """What an address counts as: spellings that most likely reach one mailbox count as one.

    For limiting only: two people behind one spelling wait for each other, and nobody gets anybody's mail. What follows a plus
    sign is dropped everywhere; dots only where they are known to mean nothing.
    """
    local, _, domain = address_key(email).rpartition("@")
    name = local.partition("+")[0] or local
    if domain in _GOOGLE:
        return f"{name.replace('.', '') or name}@gmail.com"
    return f"{name}@{domain}"


def load_domains(path: Path) -> frozenset[str]:
    """The domains in a file, one a line; lines that begin with # are comments. Raises ``ConfigError``."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: newsletter.disposable_domains_file cannot be read ({error})") from None
    return frozenset(line.strip().lower().lstrip("@.") for line in lines if line.strip() and not line.lstrip().startswith("#"))
