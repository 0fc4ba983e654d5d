"""What may a member choose, and which members therefore share a rendering?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, case, literal, or_, true

from newsletter.tables import subscribers


class Frequency(StrEnum):
    EVERY = "every"
    """Each edition."""
    WEEKLY = "weekly"
    """The first edition of each ISO week, with the best of all that came since the one before."""


@dataclass(frozen=True, slots=True)
class Preference:
    """What decides a member's variant: regions (codes; none means all) and frequency. Equal ones share a rendering."""

    regions: tuple[str, ...] = ()
    frequency: Frequency = Frequency.EVERY

    @property
    def key(self) -> str:
        """How a variant is found by it."""
        return (self.frequency.value if self.frequency is Frequency.WEEKLY else "") + packed(self.regions)

    @classmethod
    def read(cls, key: str) -> Preference:
        """The preference that a key was made from."""
        weekly = key.startswith(Frequency.WEEKLY)
        regions = key.removeprefix(Frequency.WEEKLY) if weekly else key
        return cls(unpacked(regions), Frequency.WEEKLY if weekly else Frequency.EVERY)


EVERYTHING = ""
"""The key of who chose nothing."""


def preference_key() -> ColumnElement[str]:
    """:attr:`Preference.key` of a subscriber's row, for queries."""
    weekly = literal(Frequency.WEEKLY.value).concat(subscribers.c.regions)
    return case((subscribers.c.frequency == Frequency.WEEKLY, weekly), else_=subscribers.c.regions)


def wants(digest: str, day: date | None = None, *, weekly: bool = True) -> ColumnElement[bool]:
    """The condition on a subscriber's row that this digest is wanted: on ``day``, if one is given.

    ``weekly`` says whether it is the turn of those who want one edition a week.
    """
    like = subscribers.c.digests.like(f"%,{digest.replace('_', '#_')},%", escape="#")
    paused = true() if day is None else or_(subscribers.c.paused_until.is_(None), subscribers.c.paused_until <= day)
    turn = true() if weekly else subscribers.c.frequency != Frequency.WEEKLY
    return and_(or_(subscribers.c.digests == "", like), paused, turn)


def packed(words: Iterable[str]) -> str:
    """Words as a column keeps them: sorted, each between commas."""
    listed = sorted(set(words))
    return f",{','.join(listed)}," if listed else ""


def unpacked(words: str) -> tuple[str, ...]:
    """The words of a packed preference."""
    return tuple(word for word in words.split(",") if word)
