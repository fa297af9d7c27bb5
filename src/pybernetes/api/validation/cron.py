"""Whether a text is a cron schedule. Follows: robfig/cron parser.go, ParseStandard."""

import re
import zoneinfo
from typing import Final

from pybernetes.machinery.numbers import NotANumber, parse_int

_FIELDS: Final = (("minute", 0, 59), ("hour", 0, 23), ("day-of-month", 1, 31), ("month", 1, 12), ("day-of-week", 0, 6))
_MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MACROS: Final = frozenset({"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"})
_EVERY = re.compile(r"@every (?:[0-9]+(?:\.[0-9]+)?(?:ns|us|µs|ms|s|m|h))+").fullmatch


def complaint(schedule: str) -> str:
    """What is wrong with a schedule; empty when nothing is."""
    if not schedule:
        return "empty spec string"
    if schedule.startswith("@"):
        if schedule in _MACROS or _EVERY(schedule):
            return ""
        return f"unrecognized descriptor: {schedule}"
    parts = schedule.split()
    if len(parts) != len(_FIELDS):
        return f"expected exactly 5 fields, found {len(parts)}: [{' '.join(parts)}]"
    for part, (name, low, high) in zip(parts, _FIELDS, strict=True):
        for choice in part.split(","):
            if text := _choice(choice, name, low, high):
                return text
    return ""


def _choice(choice: str, name: str, low: int, high: int) -> str:
    span, slash, step = choice.partition("/")
    start, dash, end = span.partition("-")
    if slash and (_number(step, "") in {None, 0}):
        return f"failed to parse int from {step}: strconv.Atoi: parsing {step!r}: invalid syntax"
    if span in {"*", "?"}:
        return ""
    first, last = _number(start, name), _number(end, name) if dash else None
    if first is None or (dash and last is None):
        return f'failed to parse int from {span}: strconv.Atoi: parsing "{span}": invalid syntax'
    last = first if last is None else last
    if first < low:
        return f"beginning of range ({first}) below minimum ({low}): {choice}"
    if last > high:
        return f"end of range ({last}) above maximum ({high}): {choice}"
    if first > last:
        return f"beginning of range ({first}) beyond end of range ({last}): {choice}"
    return ""


def _number(text: str, name: str) -> int | None:
    if text.isascii() and text.isdecimal():
        try:
            return parse_int(text)
        except NotANumber:
            return None
    words = {"month": _MONTHS, "day-of-week": _DAYS}.get(name, ())
    if text.lower() in words:
        return words.index(text.lower()) + (1 if name == "month" else 0)
    return None


def is_time_zone(name: str) -> bool:
    """Whether the zone is known on this machine."""
    try:
        zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True
