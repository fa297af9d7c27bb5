"""Lines of a container's log file, and what of them a reader asked for. Pure.

    2026-01-01T10:00:00.123456789Z stdout F a whole line
    2026-01-01T10:00:00.2Z stderr P the first part of a long one,
    2026-01-01T10:00:00.2Z stderr F and its end

The runtime cuts lines longer than 16 KiB into parts (P) and a last part (F). Readers see whole lines again; a P
without F at the end of the file is output without newline.

Follows: kubernetes pkg/kubelet/kuberuntime/logs/logs.go; the CRI logging format.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

STDOUT, STDERR = "stdout", "stderr"
FULL, PARTIAL = b"F", b"P"


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `time` is as it stands in the file."""

    time: bytes
    stream: bytes
    full: bool
    text: bytes


def parse(line: bytes) -> Record | None:
    """The record of a line without its newline; None when it is none, as after a crash in the middle of writing."""
    parts = line.split(b" ", 3)
    if len(parts) < 3 or parts[1] not in (b"stdout", b"stderr"):
        return None
    tags = parts[2].split(b":")
    return Record(parts[0], parts[1], tags[0] != PARTIAL, parts[3] if len(parts) == 4 else b"")


def is_full(line: bytes) -> bool:
    """Whether the record ends a line of the container's output."""
    parts = line.split(b" ", 3)
    return len(parts) < 3 or parts[2].split(b":")[0] != PARTIAL


def nanoseconds(time: bytes) -> int:
    """Since 1970. Raises: ValueError when it is no RFC 3339 time."""
    text = time.decode("ascii")
    head, dot, rest = text.partition(".")
    digits, zone = rest, ""
    if dot:
        count = next((at for at, character in enumerate(rest) if not character.isdigit()), len(rest))
        digits, zone = rest[:count], rest[count:]
        head += zone
    moment = datetime.fromisoformat(head)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} is not an RFC 3339 time")
    fraction = int(digits[:9].ljust(9, "0")) if dot else 0
    return int(moment.timestamp()) * 1_000_000_000 + fraction


def fixed_width(time: bytes) -> bytes:
    """The time with nine digits of a second, as readers are shown it: RFC3339NanoFixed."""
    head, dot, rest = time.partition(b".")
    if not dot:
        zone = time[19:]
        return time[:19] + b".000000000" + zone
    count = next((at for at in range(len(rest)) if not 48 <= rest[at] <= 57), len(rest))
    return head + b"." + rest[:count][:9].ljust(9, b"0") + rest[count:]


@dataclass(frozen=True, slots=True)
class LogOptions:
    """What a reader asks for."""

    follow: bool = False
    timestamps: bool = False
    tail_lines: int | None = None
    since: datetime | None = None
    limit_bytes: int | None = None
    stream: str = ""
    """`stdout` or `stderr`; both when empty."""


class LogFilter:
    """Turns records into the bytes a reader gets, one after the other; remembers where a long line was cut."""

    def __init__(self, options: LogOptions) -> None:
        self._timestamps = options.timestamps
        self._stream = options.stream.encode()
        self._remaining = options.limit_bytes
        self._since: int | None = None
        if options.since is not None:
            delta = options.since - datetime(1970, 1, 1, tzinfo=UTC)
            self._since = (delta.days * 86_400 + delta.seconds) * 1_000_000_000 + delta.microseconds * 1000
        self._at_line_start = {b"stdout": True, b"stderr": True}

    @property
    def exhausted(self) -> bool:
        """The reader has got as many bytes as it asked for."""
        return self._remaining is not None and self._remaining <= 0

    def take(self, line: bytes) -> bytes:
        """What the reader gets of this line of the file; often all, sometimes nothing."""
        record = parse(line)
        if record is None or (self._stream and record.stream != self._stream):
            return b""
        if self._since is not None:
            try:
                if nanoseconds(record.time) < self._since:
                    return b""
            except ValueError:
                return b""
            # Later records are newer: comparing once is enough.
            self._since = None
        text = record.text + b"\n" if record.full else record.text
        if self._timestamps and self._at_line_start[record.stream]:
            text = fixed_width(record.time) + b" " + text
        self._at_line_start[record.stream] = record.full
        if self._remaining is not None:
            text = text[: max(0, self._remaining)]
            self._remaining -= len(text)
        return text
