"""Cron expressions and when they are due, in any time zone. Pure.

    minute hour day-of-month month day-of-week      */15 9-17 * * MON-FRI
    @yearly @annually @monthly @weekly @daily @midnight @hourly, @every 1h30m
    TZ=Europe/Berlin 0 9 * * *                       a zone before the expression

When day of month and day of week are both restricted, either is enough. A time that a clock change skips is not due;
one that comes twice is due once.

Follows: robfig/cron v3 parser.go, spec.go, as upstream uses it.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo

MONTHS = {
    name: n
    for n, name in enumerate(["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"], 1)
}
DAYS = {name: n for n, name in enumerate(["sun", "mon", "tue", "wed", "thu", "fri", "sat"])}
NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
SEARCH_YEARS = 5
"""A date that does not come within so many years (31 February) never comes."""
CLOCK_CHANGE_HOURS = 2
"""No zone turns its clocks back by more, so earlier hours of a day are over."""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s)")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}


class ScheduleError(ValueError):
    """The expression cannot be read; the message says why."""


class Schedule(Protocol):
    def next_after(self, moment: datetime) -> datetime | None:
        """The first due time after `moment`, aware, in UTC; None when there is none."""
        ...

    def newest(self, due: datetime, now: datetime) -> datetime:
        """The last due time up to `now`, given one that is not later."""
        ...


@dataclass(frozen=True, slots=True)
class Every:
    """At fixed distances."""

    seconds: int

    def next_after(self, moment: datetime) -> datetime | None:
        return moment.replace(microsecond=0) + timedelta(seconds=self.seconds)

    def newest(self, due: datetime, now: datetime) -> datetime:
        pace = timedelta(seconds=self.seconds)
        return due + (now - due) // pace * pace


@dataclass(frozen=True, slots=True)
class Cron:
    """Five sets of numbers, and whether the two kinds of days were restricted."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool
    zone: tzinfo

    def next_after(self, moment: datetime) -> datetime | None:
        local = moment.astimezone(self.zone)
        day = local.date()
        earliest = local.hour - CLOCK_CHANGE_HOURS
        for _ in range(366 * SEARCH_YEARS):
            if day.month in self.months and self._is_day(day.day, (day.weekday() + 1) % 7):
                for hour in sorted(hour for hour in self.hours if hour >= earliest):
                    for minute in sorted(self.minutes):
                        due = datetime(day.year, day.month, day.day, hour, minute, tzinfo=self.zone).astimezone(UTC)
                        exists = due.astimezone(self.zone).hour == hour
                        if exists and due > moment:
                            return due
            day += timedelta(days=1)
            earliest = 0
        return None

    def newest(self, due: datetime, now: datetime) -> datetime:
        """Found by halving: one by one a year would be 525,600 minutes."""
        before, after = due, now
        while after - before > timedelta(seconds=1):
            middle = before + (after - before) / 2
            following = self.next_after(middle)
            if following is not None and following <= now:
                before = middle
            else:
                after = middle
        following = self.next_after(before)
        return following if following is not None and following <= now else due

    def _is_day(self, day: int, weekday: int) -> bool:
        if self.any_day or self.any_weekday:
            return day in self.days and weekday in self.weekdays
        return day in self.days or weekday in self.weekdays


def parse(text: str, zone_name: str | None = None) -> Schedule:
    """The schedule of an expression, in its zone (UTC when none is named).

    Raises:
        ScheduleError.
    """
    expression = text.strip()
    for prefix in ("TZ=", "CRON_TZ="):
        if expression.startswith(prefix):
            zone_name, _, expression = expression.removeprefix(prefix).partition(" ")
            expression = expression.strip()
    zone = _zone(zone_name)
    if expression.startswith("@every "):
        return _every(expression.removeprefix("@every "))
    if expression.startswith("@"):
        if expression not in NICKNAMES:
            raise ScheduleError(f"unrecognized descriptor: {expression}")
        expression = NICKNAMES[expression]
    fields = expression.split()
    if len(fields) != 5:
        raise ScheduleError(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    minute, hour, day, month, weekday = fields
    return Cron(
        _field(minute, 0, 59),
        _field(hour, 0, 23),
        _field(day, 1, 31),
        _field(month, 1, 12, MONTHS),
        frozenset(n % 7 for n in _field(weekday, 0, 7, DAYS)),
        _is_any(day),
        _is_any(weekday),
        zone,
    )


def _zone(name: str | None) -> tzinfo:
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError) as error:
        raise ScheduleError(f"unknown time zone {name}") from error
    except KeyError as error:
        raise ScheduleError(f"unknown time zone {name}") from error


def _every(text: str) -> Every:
    parts = _DURATION.findall(text)
    if not parts or "".join(a + b for a, b in parts) != text:
        raise ScheduleError(f"failed to parse duration {text}")
    return Every(max(1, int(sum(float(amount) * _SECONDS[unit] for amount, unit in parts))))


def _is_any(field: str) -> bool:
    return any(part.split("/")[0] in ("*", "?") for part in field.split(","))


def _field(text: str, low: int, high: int, names: Mapping[str, int] | None = None) -> frozenset[int]:
    return frozenset(n for part in text.split(",") for n in _range(part, low, high, names or {}))


def _range(part: str, low: int, high: int, names: Mapping[str, int]) -> Iterator[int]:
    span, slash, step_text = part.partition("/")
    if slash and (not step_text.isdecimal() or int(step_text) == 0):
        raise ScheduleError(f"step of range should be a positive number: {part}")
    step = int(step_text) if slash else 1
    if span in ("*", "?"):
        first, last = low, high
    else:
        start, dash, end = span.partition("-")
        first = _number(start, names)
        last = _number(end, names) if dash else (high if slash else first)
    if first < low:
        raise ScheduleError(f"beginning of range ({first}) below minimum ({low}): {part}")
    if last > high:
        raise ScheduleError(f"end of range ({last}) above maximum ({high}): {part}")
    if first > last:
        raise ScheduleError(f"beginning of range ({first}) beyond end of range ({last}): {part}")
    return iter(range(first, last + 1, step))


def _number(text: str, names: Mapping[str, int]) -> int:
    found = names.get(text.lower())
    if found is not None:
        return found
    if not text.isdecimal():
        raise ScheduleError(f"failed to parse int from {text}")
    return int(text)
