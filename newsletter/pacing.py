"""How fast a receiving domain is sent to: as fast as the settings say, and slower where its servers ask for it.

A domain that answers 421, 450 or 454 gets a rest and then half of what it got, and slowly more again with what it takes
(additive increase, multiplicative decrease, as TCP does it, RFC 5681 3.1). Greylisting and full mailboxes are no such request.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from newsletter.headers import ascii_domain

REST_SECONDS = 5.0
"""How long a domain is left alone at first; doubled each time, up to :data:`LONGEST_REST`."""
LONGEST_REST = 300.0
SLOWEST = 60.0
"""Seconds between two messages to a domain, at the most."""
_BURST = 0.25
"""Seconds of a pace that may be caught up with at once."""
_KNOWN = 20_000
"""Domains whose pace is remembered; most of them never ask for anything."""

_THROTTLING = re.compile(r"(?:421|450|451|452|454)\b")
_MAILBOX = re.compile(r"\d{3}[ -]4\.(?:1|2)\.[1-9]")
_GREYLISTED = re.compile(r"gr[ea]y-?list|try again (?:in|after) \d+ ?(?:s|m)", re.IGNORECASE)
_TOO_FAST = re.compile(r"rate|too many|too fast|throttl|slow down|limit|temporarily deferred|unusual|reputation", re.IGNORECASE)
_ASKS_AT_ONCE = ("421", "450", "454")


def is_throttling(words: str) -> bool:
    """Whether a reply asks us to send more slowly, rather than speaking of one mailbox or message."""
    if not _THROTTLING.match(words) or _GREYLISTED.search(words) or _MAILBOX.match(words):
        return False
    return words.startswith(_ASKS_AT_ONCE) or bool(_TOO_FAST.search(words))


@dataclass(slots=True)
class _Pace:
    """What is known of one domain; times in seconds on the caller's clock."""

    since: float
    taken: int = 0
    interval: float = 0.0
    fastest: float = 0.0
    """The interval of the settings, below which nothing is learnt."""
    rest: float = REST_SECONDS
    next_at: float = 0.0


class Pacer:
    """The pace of every receiving domain. ``limits`` and ``everywhere`` are messages a second; 0 is as fast as can be."""

    def __init__(self, limits: Mapping[str, float], everywhere: float = 0.0) -> None:
        self._limits = {ascii_domain(domain): limit for domain, limit in limits.items()}
        self._everywhere = everywhere
        self._paces: OrderedDict[str, _Pace] = OrderedDict()

    def ready_at(self, domain: str) -> float:
        """When a message may go to a domain; 0 for at once."""
        pace = self._paces.get(domain)
        return pace.next_at if pace else 0.0

    def go(self, domain: str, now: float) -> None:
        """Counts a message that goes to a domain now."""
        pace = self._pace(domain, now)
        if pace.interval:
            # Who looks only now and then may catch up with what went by meanwhile.
            pace.next_at = max(pace.next_at, now - _BURST) + pace.interval

    def accepted(self, domain: str, now: float) -> None:
        """A message was taken: a domain that had asked for less gets a little more."""
        pace = self._pace(domain, now)
        pace.taken += 1
        if pace.interval > pace.fastest:
            rate = 1 / pace.interval
            pace.interval = max(pace.fastest, 1 / (rate + max(0.1, rate * 0.05)))
            pace.rest = max(REST_SECONDS, pace.rest * 0.95)
            if pace.interval < 0.001:
                pace.interval = pace.fastest

    def throttled(self, domain: str, now: float) -> None:
        """A domain asks for less: it rests, and gets half as much afterwards."""
        pace = self._pace(domain, now)
        if now < pace.next_at - pace.interval:
            return  # It rests already: this answers what was on its way when it asked.
        if not pace.interval:
            pace.interval = max(now - pace.since, 0.05) / max(pace.taken, 1)
        pace.interval = min(SLOWEST, max(0.02, pace.interval) * 2)
        pace.next_at = now + pace.rest
        pace.rest = min(LONGEST_REST, pace.rest * 2)

    def _pace(self, domain: str, now: float) -> _Pace:
        pace = self._paces.get(domain)
        if pace is None:
            limit = self._limits.get(domain, self._everywhere)
            pace = self._paces[domain] = _Pace(
                now, next_at=now, interval=1 / limit if limit else 0.0, fastest=1 / limit if limit else 0.0
            )
            if len(self._paces) > _KNOWN:
                self._forget()
        return pace

    def _forget(self) -> None:
        """Forgets those of which nothing was learnt; of all others the longest known, should they be too many."""
        now = max(pace.since for pace in self._paces.values())
        idle = [name for name, pace in self._paces.items() if pace.interval == pace.fastest and pace.next_at <= now]
        for name in idle or list(self._paces)[: _KNOWN // 2]:
            del self._paces[name]


@cache
def shared(site: str, limits: tuple[tuple[str, float], ...], everywhere: float) -> Pacer:
    """The pacer of all sendings of a site in this process."""
    return Pacer(dict(limits), everywhere)
