"""Where limits are counted: in the site's database, so that all its processes count together."""

from __future__ import annotations

from datetime import datetime

from limits.storage import Storage
from sqlalchemy import Connection, delete, select, text
from sqlalchemy.exc import SQLAlchemyError

from newsletter.tables import rate_counters

# A counter that has run out begins anew; both databases know these words.
_COUNT = text("""
INSERT INTO rate_counters (key, count, expires_at) VALUES (:key, :amount, :ends)
ON CONFLICT (key) DO UPDATE SET
    count = CASE WHEN rate_counters.expires_at <= :now THEN 0 ELSE rate_counters.count END + :amount,
    expires_at = CASE WHEN rate_counters.expires_at <= :now THEN :ends ELSE rate_counters.expires_at END
RETURNING count""")


class DatabaseCounters(Storage):
    """A storage for the ``limits`` package, within one transaction of ``connection`` and at the moment ``now``.

    A window begins with the first count in it.
    """

    STORAGE_SCHEME = ["dateline"]  # noqa: RUF012 (the base class declares it so)

    def __init__(self, connection: Connection, now: datetime) -> None:
        super().__init__()
        self._connection = connection
        self._now = now.timestamp()

    @property
    def base_exceptions(self) -> type[Exception]:
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        values = {"key": key, "amount": amount, "now": self._now, "ends": self._now + expiry}
        return int(self._connection.execute(_COUNT, values).scalar_one())

    def get(self, key: str) -> int:
        query = select(rate_counters.c.count).where(rate_counters.c.key == key, rate_counters.c.expires_at > self._now)
        return int(self._connection.execute(query).scalar() or 0)

    def get_expiry(self, key: str) -> float:
        ends = self._connection.execute(select(rate_counters.c.expires_at).where(rate_counters.c.key == key)).scalar()
        return max(float(ends or 0.0), self._now)

    def check(self) -> bool:
        return bool(self._connection.execute(select(1)).scalar())

    def reset(self) -> int:
        return self._connection.execute(delete(rate_counters)).rowcount

    def clear(self, key: str) -> None:
        self._connection.execute(delete(rate_counters).where(rate_counters.c.key == key))

    def tidy(self) -> int:
        """Forgets what has run out; returns how many counters that were."""
        return self._connection.execute(delete(rate_counters).where(rate_counters.c.expires_at <= self._now)).rowcount
