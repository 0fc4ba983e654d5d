"""How each of several SMTP servers fares: what it takes, its rate, and when it may be tried again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from newsletter.smtp_opening import SmtpServer
from newsletter.transport_address import TransportAddress

_LONGEST_BACKOFF = 30.0
"""Seconds until a server that was away is tried again, at the most."""
_FOR_GOOD = float("inf")
_AGAIN_SECONDS = 60.0
"""When a server that wanted no more connections is asked for one more."""


@dataclass(slots=True)
class Rate:
    """How many messages a second a server gets; 0 is as many as it takes. Times are seconds on the caller's clock."""

    per_second: float
    next_at: float = 0.0
    """When it allows another message."""

    def go(self, now: float) -> None:
        """Counts a message."""
        if self.per_second:
            self.next_at = max(self.next_at, now - 1 / self.per_second) + 1 / self.per_second


@cache
def shared_rate(address: TransportAddress, per_second: float) -> Rate:
    """The rate of a server for all sendings of this process: two digests at once get no more than one."""
    return Rate(per_second)


@dataclass(slots=True)
class Line:
    """One server. Times are seconds on the caller's clock."""

    server: SmtpServer
    rate: Rate
    messages: int
    """How many it takes over one connection: as the settings say, or fewer when it closes sooner again and again."""
    connections: int
    """How many it takes at once: as the settings say, or fewer when it refuses more."""
    open: int = 0
    """Connections that are open or being opened."""
    welcomes: int = 0
    """Connections that are open now."""
    failures: int = 0
    away_until: float = 0.0
    closed_after: int = 0
    more_at: float = 0.0

    def put_off(self, now: float) -> None:
        """It is away, or takes nothing: it is tried again later, and later each time."""
        self.failures += 1
        self.away_until = max(self.away_until, now + min(_LONGEST_BACKOFF, 0.25 * 2**self.failures))

    def refuse(self, now: float, *, for_good: bool) -> None:
        """It lets a connection not in. Where others of ours are open, it only wants fewer."""
        if self.welcomes:
            self.connections, self.more_at = max(1, self.welcomes), now + _AGAIN_SECONDS
        elif for_good:
            # It cannot be trusted or refuses us, which will not change by itself; another server may do.
            self.away_until = _FOR_GOOD
        else:
            self.put_off(now)

    def close(self, accepted: int) -> None:
        """It closed a connection after so many messages. Once may be chance; twice the same is its limit."""
        if accepted == self.closed_after:
            self.messages = min(self.messages, accepted)
        self.closed_after = accepted

    def reach(self) -> None:
        """It took as many messages over one connection as we allow: perhaps it takes more."""
        self.messages = min(self.server.messages, self.messages * 2)

    def has_room(self, now: float) -> bool:
        """Whether it may be asked for another connection."""
        if self.connections < self.server.connections and now >= self.more_at:
            self.connections, self.more_at = self.connections + 1, now + _AGAIN_SECONDS
        return self.open < self.connections and self.away_until <= now

    @property
    def is_struck_off(self) -> bool:
        return self.away_until == _FOR_GOOD


class Lines:
    """All servers that a transport may use."""

    def __init__(self, servers: Sequence[SmtpServer]) -> None:
        self.all = [
            Line(server, shared_rate(server.address, server.rate), server.messages, server.connections) for server in servers
        ]

    def freest(self, now: float) -> Line | None:
        """The server that the next connection goes to, by weight; ``None`` when all are full or away."""
        free = [line for line in self.all if line.has_room(now)]
        return min(free, key=lambda line: line.open / line.server.weight, default=None)

    def are_away(self, now: float) -> bool:
        """Whether no server can be tried now."""
        return all(line.away_until > now for line in self.all)

    def are_struck_off(self) -> bool:
        """Whether no server will ever be tried again."""
        return all(line.is_struck_off for line in self.all)
