"""Moments and spans of time, exact to the nanosecond, within the ranges the language allows.

Follows: cel-go common/types/{timestamp,duration,overflow}.go; Go time.ParseDuration.
"""

import datetime as dt
import re
import zoneinfo
from dataclasses import dataclass
from typing import ClassVar

from pybernetes.machinery.cel import types
from pybernetes.machinery.cel.errors import EvaluationError
from pybernetes.machinery.cel.types import Type

NANO = 10**9
_MIN_SECONDS, _MAX_SECONDS = -62135596800, 253402300799
"""0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z."""
_MAX_SPAN = 2**63 - 1
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    """Nanoseconds since 1970-01-01 UTC."""

    cel_type: ClassVar[Type] = types.TIMESTAMP
    nanos: int

    def __post_init__(self) -> None:
        if not _MIN_SECONDS <= self.nanos // NANO <= _MAX_SECONDS:
            raise EvaluationError("timestamp overflow")

    def __str__(self) -> str:
        seconds, nanos = divmod(self.nanos, NANO)
        text = (_EPOCH + dt.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
        fraction = f".{nanos:09d}".rstrip("0") if nanos else ""
        return f"{text.rjust(19, '0')}{fraction}Z"

    def local(self, zone: str) -> dt.datetime:
        """The moment in a zone, to the microsecond: an IANA name or `+hh:mm`; empty is UTC."""
        moment = _EPOCH + dt.timedelta(microseconds=self.nanos // 1000)
        try:
            return moment.astimezone(_zone(zone))
        except OverflowError:
            raise EvaluationError("timestamp overflow") from None

    @property
    def cel_size(self) -> int:
        return 1


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """Nanoseconds, negative too."""

    cel_type: ClassVar[Type] = types.DURATION
    nanos: int

    def __post_init__(self) -> None:
        if not -_MAX_SPAN - 1 <= self.nanos <= _MAX_SPAN:
            raise EvaluationError("duration overflow")

    def __str__(self) -> str:
        """Seconds, as protocol buffers write it: `1.5s`."""
        seconds, nanos = divmod(abs(self.nanos), NANO)
        fraction = f".{nanos:09d}".rstrip("0") if nanos else ""
        return f"{'-' if self.nanos < 0 else ''}{seconds}{fraction}s"


_UNITS = {
    "ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 10**6, "s": NANO, "m": 60 * NANO, "h": 3600 * NANO,
}  # fmt: skip
_PART = re.compile(r"([0-9]*)(?:\.([0-9]*))?(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_TIMESTAMP = re.compile(
    r"^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,}))?(?:([Zz])|([+-])(\d\d):(\d\d))$", re.ASCII
)


def parse_duration(text: str) -> Duration:
    """The duration Go reads in `text`: `1h30m`, `-1.5s`.

    Raises:
        ValueError: with Go's message.
    """
    body = text[1:] if text[:1] in {"+", "-"} else text
    if body == "0":
        return Duration(0)
    nanos, position = 0, 0
    while position < len(body) or not body:
        part = _PART.match(body, position)
        if part is None or not (part[1] or part[2]):
            raise ValueError(f'time: invalid duration "{text}"')
        scale = _UNITS[part[3]]
        nanos += int(part[1] or "0") * scale
        if part[2]:
            nanos += int(part[2]) * scale // 10 ** len(part[2])
        position = part.end()
    if nanos > _MAX_SPAN + (text[:1] == "-"):
        raise ValueError(f'time: invalid duration "{text}"')
    return Duration(-nanos if text[:1] == "-" else nanos)


def parse_timestamp(text: str) -> Timestamp:
    """The moment RFC 3339 means.

    Raises:
        ValueError: with a message like Go's.
    """
    match = _TIMESTAMP.match(text)
    if match is None:
        raise ValueError(f'parsing time "{text}" as "2006-01-02T15:04:05Z07:00": cannot parse')
    year, month, day, hour, minute, second = (int(match[index]) for index in range(1, 7))
    try:
        moment = dt.datetime(year, month, day, hour, minute, second, tzinfo=dt.UTC)
    except ValueError:
        raise ValueError(f'parsing time "{text}": day or time out of range') from None
    seconds = (moment - _EPOCH) // dt.timedelta(seconds=1)
    if match[9]:
        offset = int(match[10]) * 3600 + int(match[11]) * 60
        seconds -= offset if match[9] == "+" else -offset
    nanos = int((match[7] or "0")[:9].ljust(9, "0"))
    return Timestamp(seconds * NANO + nanos)


def parse_date(text: str) -> Timestamp:
    """Midnight UTC of `2006-01-02`.

    Raises:
        ValueError: the text is no date.
    """
    return parse_timestamp(f"{text}T00:00:00Z")


def _zone(name: str) -> dt.tzinfo:
    if name in {"", "UTC"}:
        return dt.UTC
    if ":" not in name:
        try:
            return zoneinfo.ZoneInfo(name)
        except (ValueError, OSError, zoneinfo.ZoneInfoNotFoundError):
            raise EvaluationError(f"unknown time zone {name}") from None
    match = re.fullmatch(r"([+-]?)(\d{1,2}):(\d{1,2})", name, re.ASCII)
    if match is None or int(match[3]) > 59 or int(match[2]) > 23:
        raise EvaluationError(f"unknown time zone {name}")
    span = dt.timedelta(hours=int(match[2]), minutes=int(match[3]))
    return dt.timezone(-span if match[1] == "-" else span)
