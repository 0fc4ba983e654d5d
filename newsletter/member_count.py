"""How many members are there, said so that it stays true for a while: ``56,000+``."""

from __future__ import annotations

import threading
import time

from sqlalchemy import Engine, func, select

from content.database import reading
from newsletter.subscribers import Standing
from newsletter.tables import subscribers

FEWEST = 100
"""Below this no number is shown: it would say little, and change with everybody who comes or goes."""
_SECONDS = 60.0


def members_shown(number: int) -> str:
    """A number of members rounded down to two figures; empty below :data:`FEWEST`."""
    if number < FEWEST:
        return ""
    step = 10 ** (len(str(number)) - 2)
    return f"{number // step * step:,}+"


class MemberCount:
    """The number of confirmed members of a site, counted once a minute at the most. For any number of threads."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._number = 0
        self._until = 0.0

    def shown(self) -> str:
        """As :func:`members_shown` writes it."""
        return members_shown(self.number())

    def number(self) -> int:
        with self._lock:
            if time.monotonic() >= self._until:
                with reading(self._engine) as connection:
                    query = select(func.count()).where(subscribers.c.state == Standing.CONFIRMED)
                    self._number = int(connection.execute(query).scalar_one())
                self._until = time.monotonic() + _SECONDS
            return self._number
