"""When does a cron line come round where a digest is at home?"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.cron import CronTrigger


def parse_cron(line: str) -> CronTrigger:
    """A cron line of five fields (minute, hour, day, month, weekday). Raises ``ValueError`` with what is wrong."""
    try:
        # Evaluated on the clock on the wall, which UTC stands for here: it has no gaps and no folds.
        return CronTrigger.from_crontab(_standard_weekdays(line), timezone=UTC)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{line!r} is not a cron line such as '0 7 * * mon-fri': {error}") from None


def _standard_weekdays(line: str) -> str:
    """Cron counts weekdays from Sunday (0 or 7), APScheduler from Monday: numbers become names."""
    fields = line.split()
    if len(fields) != 5 or not any(character.isdigit() for character in fields[4].partition("/")[0]):
        return line
    names = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")
    parts = []
    for part in fields[4].split(","):
        days, slash, step = part.partition("/")
        first, dash, last = days.partition("-")
        if not first.isdigit() or int(first) > 7 or (dash and (not last.isdigit() or int(last) > 7)):
            raise ValueError(f"the weekday {part!r} must be 0 (Sunday) to 7 (Sunday) or a name such as mon")
        start, end = int(first), int(last) if dash else int(first)
        if slash or (dash and end < start):
            wanted = (
                range(start, (end if dash else 6) + 1, int(step or 1)) if end >= start else [*range(start, 7), *range(end + 1)]
            )
            parts += [names[day] for day in wanted]
        else:
            parts += [names[day] for day in range(start, end + 1)]
    return " ".join([*fields[:4], ",".join(dict.fromkeys(parts))])


class LocalCron(BaseTrigger):  # type: ignore[misc]
    """A cron trigger on local time that fires exactly once for each time on the wall.

    A time that the clock skips in spring comes as soon as the gap is over; one that it shows twice in autumn comes
    the first time only. (APScheduler's own trigger loses the one and doubles the other.)
    """

    def __init__(self, line: str, zone: ZoneInfo) -> None:
        self.cron = parse_cron(line)
        self.zone = zone

    def get_next_fire_time(self, previous_fire_time: datetime | None, now: datetime) -> datetime | None:
        """The first fire time after ``previous_fire_time`` (or at or after ``now``), aware, in the digest's zone."""
        after = previous_fire_time
        # Look back far enough to see a time in the gap whose moment is still to come.
        wall = (after or now).astimezone(self.zone).replace(tzinfo=UTC) - timedelta(hours=3)
        for _ in range(5000):
            found = self.cron.get_next_fire_time(None, wall)
            if found is None:
                return None
            moment = self._moment(found)
            if moment > after if after else moment >= now:
                return moment
            wall = found + timedelta(minutes=1)
        return None

    def _moment(self, wall: datetime) -> datetime:
        local = wall.replace(tzinfo=self.zone, fold=0)
        # In the gap fold=0 is read with the offset from before it; back and forth gives the time after it.
        return local.astimezone(UTC).astimezone(self.zone)

    def last_due(self, now: datetime, within: timedelta) -> datetime | None:
        """The latest fire time at or before ``now`` and not longer ago than ``within``; ``None`` when there is none."""
        # A line that fires often is found within minutes; only a rare one needs the whole look back.
        for span in sorted({min(within, timedelta(minutes=minutes)) for minutes in (10, 60, 1440)} | {within}):
            latest = None
            moment = self.get_next_fire_time(None, now - span)
            while moment is not None and moment <= now:
                latest = moment
                moment = self.get_next_fire_time(moment, moment)
            if latest:
                return latest
        return None
