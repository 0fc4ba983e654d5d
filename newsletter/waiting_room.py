"""Deliveries that wait for their receiving domain's pace: a queue a domain, and whose turn is next."""

from __future__ import annotations

import heapq
from collections import deque

from newsletter.pacing import Pacer
from newsletter.transport import Delivery

FULL = 500
"""Deliveries of one domain that wait here; while so many do, no more of it are fetched."""
_FEW = 100
"""With fewer than this more of it are fetched again."""


class WaitingRoom:
    """Holds deliveries back as a :class:`Pacer` says. Times are seconds on the caller's clock."""

    def __init__(self, pacer: Pacer) -> None:
        self._pacer = pacer
        self._queues: dict[str, deque[Delivery]] = {}
        self._turns: list[tuple[float, str]] = []
        self._full: set[str] = set()

    def __bool__(self) -> bool:
        return bool(self._turns)

    @property
    def full(self) -> frozenset[str]:
        """Domains of which no more shall be fetched for now."""
        return frozenset(self._full)

    def admit(self, delivery: Delivery, now: float) -> bool:
        """Whether a delivery may go at once; if not, it waits here."""
        domain = delivery.domain
        waiting = self._queues.get(domain)
        if waiting is None:
            at = self._pacer.ready_at(domain)
            if at <= now:
                return True
            waiting = self._queues[domain] = deque()
            heapq.heappush(self._turns, (at, domain))
        waiting.append(delivery)
        if len(waiting) >= FULL:
            self._full.add(domain)
        return False

    def next(self, now: float) -> Delivery | None:
        """A delivery whose domain may have it now."""
        while self._turns and self._turns[0][0] <= now:
            _, domain = heapq.heappop(self._turns)
            at = self._pacer.ready_at(domain)
            if at > now:
                heapq.heappush(self._turns, (at, domain))
                continue
            waiting = self._queues[domain]
            delivery = waiting.popleft()
            if len(waiting) < _FEW:
                self._full.discard(domain)
            if waiting:
                # When exactly is known once this one has gone; looked at again at its turn.
                heapq.heappush(self._turns, (now, domain))
            else:
                del self._queues[domain]
            return delivery
        return None

    def wait(self, now: float) -> float:
        """Seconds until somebody's turn comes. Somebody must be waiting."""
        return max(0.0, self._turns[0][0] - now)

    def clear(self, longer_than: float, now: float) -> list[str]:
        """Forgets those whose domains let nobody in for so many seconds; returns the domains."""
        resting = {domain for at, domain in self._turns if max(at, self._pacer.ready_at(domain)) - now > longer_than}
        self._turns = [turn for turn in self._turns if turn[1] not in resting]
        heapq.heapify(self._turns)
        for domain in resting:
            del self._queues[domain]
            self._full.discard(domain)
        return sorted(resting)
