"""When a budget begins anew: periods of the calendar in a time zone. Pure; times are unix seconds.

A period is half-open: its end is the first second of the next one. None overlap, and none leave a gap.

- A minute and an hour always have their full length, so an hour that the clock shows twice when summer
  time ends is two periods. Where a clock changes by no whole hour (Lord Howe Island: by 30 minutes),
  the change cuts the hour in which it falls.
- A day begins when the clock first shows its date, and a clock that then goes back does not undo it.
  Days have 23 to 25 hours where summer time begins and ends; weeks begin on Monday (ISO 8601).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import NamedTuple
from zoneinfo import ZoneInfo


class PeriodKind(StrEnum):
    """How long money lasts; the value is what the configuration writes after `per`."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"
    """It never begins anew."""


class Span(NamedTuple):
    """One period: `start` ≤ t < `end`, in unix seconds. An end of None never comes."""

    start: int
    end: int | None


@dataclass(frozen=True, slots=True)
class Period:
    """A kind of period in an IANA time zone. Raises `ValueError` for a zone that there is not."""

    kind: PeriodKind
    zone: str = "UTC"
    name: str = field(init=False, repr=False, compare=False)
    """The same for equal ones, and looked up faster than they are."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", f"{self.kind} {self.zone}")
        try:
            ZoneInfo(self.zone)
        except (KeyError, ValueError, OSError):
            raise ValueError(f"`{self.zone}` is no time zone; write one such as `Europe/Berlin`") from None

    def span(self, now: float) -> Span:
        """Give the period that holds `now`."""
        moment, zone = int(now // 1), ZoneInfo(self.zone)
        if (length := _LENGTHS.get(self.kind)) is not None:
            return _clock_span(zone, length, moment)
        if (calendar := _CALENDAR.get(self.kind)) is not None:
            return _calendar_span(zone, *calendar, moment)
        return Span(0, None)

    def start(self, now: float) -> int:
        """Give the first second of the period that holds `now`."""
        return self.span(now).start

    def end(self, now: float) -> int | None:
        """Give the first second after the period that holds `now`."""
        return self.span(now).end


def _week(day: date) -> date:
    return day - timedelta(days=day.weekday())


_LENGTHS = {PeriodKind.MINUTE: 60, PeriodKind.HOUR: 3600}

_CALENDAR: dict[PeriodKind, tuple[Callable[[date], date], int]] = {
    # Kind → the first day of the period with this day, and days from a first day into the next period.
    PeriodKind.DAY: (lambda day: day, 1),
    PeriodKind.WEEK: (_week, 7),
    PeriodKind.MONTH: (lambda day: day.replace(day=1), 31),
}


def _clock_span(zone: ZoneInfo, length: int, now: int) -> Span:
    phase = _phase(zone, length, now)
    start = now - (now + phase) % length
    end = start + length
    if _phase(zone, length, start) != phase:
        start = _first(start, now, lambda moment: _phase(zone, length, moment) == phase)
    if _phase(zone, length, end - 1) != phase:
        end = _first(now, end, lambda moment: _phase(zone, length, moment) != phase)
    return Span(start, end)


def _phase(zone: ZoneInfo, length: int, moment: int) -> int:
    ahead = datetime.fromtimestamp(moment, zone).utcoffset()
    assert ahead is not None
    return int(ahead.total_seconds()) % length


def _calendar_span(zone: ZoneInfo, first_day: Callable[[date], date], step: int, now: int) -> Span:
    # From tomorrow backwards: the clock may have shown tomorrow's date already, and gone back.
    tomorrow = datetime.fromtimestamp(now, zone).date() + timedelta(days=1)
    first = first_day(tomorrow)
    if _midnight(zone, first) > now:
        first = first_day(first - timedelta(days=1))
    return Span(_midnight(zone, first), _midnight(zone, first_day(first + timedelta(days=step))))


def _midnight(zone: ZoneInfo, day: date) -> int:
    """Give the moment at which the clock first shows this date, or a later one where it skips the date."""
    wall = datetime.combine(day, time(), zone)
    moment = int(wall.timestamp())
    if datetime.fromtimestamp(moment, zone).replace(tzinfo=None, fold=0) == wall.replace(tzinfo=None):
        return moment
    # The clock jumps over this midnight, between what its two readings make of it (PEP 495).
    earliest = int(wall.replace(fold=1).timestamp())
    return _first(earliest, moment, lambda moment: datetime.fromtimestamp(moment, zone).date() >= day)


def _first(low: int, high: int, holds: Callable[[int], bool]) -> int:
    """Give the first second from `low` on at which something begins to hold, `high` if none before."""
    return low + bisect_left(range(low, high), True, key=holds)  # noqa: FBT003 - what is looked for
