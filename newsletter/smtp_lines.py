"""How each of several SMTP servers fares: its connections, its rate, and when it may be tried again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.smtp_opening import SmtpServer

_LONGEST_BACKOFF = 30.0
"""Seconds until a server that was away is tried again, at the most."""
_FOR_GOOD = float("inf")


@dataclass(slots=True)
class Line:
    """One server. Times are seconds on the caller's clock."""

    server: SmtpServer
    messages: int
    """How many it takes over one connection: as the settings say, or fewer when it closes sooner."""
    open: int = 0
    """Connections that are open or being opened."""
    failures: int = 0
    away_until: float = 0.0
    next_at: float = 0.0
    """When its rate allows another message."""

    def put_off(self, now: float) -> None:
        """It is away, or takes nothing: it is tried again later, and later each time."""
        self.failures += 1
        self.away_until = max(self.away_until, now + min(_LONGEST_BACKOFF, 0.25 * 2**self.failures))

    def strike_off(self) -> None:
        """It cannot be trusted or refuses us, which will not change by itself."""
        self.away_until = _FOR_GOOD

    @property
    def is_struck_off(self) -> bool:
        return self.away_until == _FOR_GOOD

    def go(self, now: float) -> None:
        """Counts a message against its rate."""
        if self.server.rate:
            self.next_at = max(self.next_at, now - 1 / self.server.rate) + 1 / self.server.rate


class Lines:
    """All servers that a transport may use."""

    def __init__(self, servers: Sequence[SmtpServer]) -> None:
        self.all = [Line(server, server.messages) for server in servers]

    @property
    def most(self) -> int:
        """How many connections there may be."""
        return sum(line.server.connections for line in self.all)

    def freest(self, now: float) -> Line | None:
        """The server that the next connection goes to, by weight; ``None`` when all are full or away."""
        free = [line for line in self.all if line.open < line.server.connections and line.away_until <= now]
        return min(free, key=lambda line: line.open / line.server.weight, default=None)

    def are_away(self, now: float) -> bool:
        """Whether no server can be tried now."""
        return all(line.away_until > now for line in self.all)

    def are_struck_off(self) -> bool:
        """Whether no server will ever be tried again."""
        return all(line.is_struck_off for line in self.all)
