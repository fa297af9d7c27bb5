"""Growing pauses per key, as upstream counts them for crash loops and image pulls.

    ends at 0 s → started at once; ends again → waits 10 s, then 20, 40, 80, 160, 300, 300 …
    and 10 s again after 600 s without an end.

Follows: client-go util/flowcontrol/backoff.go.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

INITIAL_SECONDS = 10.0
MAX_SECONDS = 300.0
MAX_KEYS = 10_000


@dataclass(slots=True)
class _Entry:
    delay: timedelta
    last_update: datetime


class Backoff:
    """Pauses by key. Times are wall time, because the ends of containers are."""

    def __init__(self, initial_seconds: float = INITIAL_SECONDS, max_seconds: float = MAX_SECONDS) -> None:
        self._initial = timedelta(seconds=initial_seconds)
        self._max = timedelta(seconds=max_seconds)
        self._entries: dict[str, _Entry] = {}

    def delay_seconds(self, key: str) -> float:
        """The present pause of the key; 0 when it has none."""
        entry = self._entries.get(key)
        return entry.delay.total_seconds() if entry is not None else 0.0

    def remaining_seconds(self, key: str, since: datetime, now: datetime) -> float:
        """How much of the pause that began `since` is left; 0 when it is over or there is none."""
        entry = self._entries.get(key)
        if entry is None or self._expired(entry, since):
            return 0.0
        return max(0.0, (entry.delay - (now - since)).total_seconds())

    def remaining_since_update_seconds(self, key: str, now: datetime) -> float:
        """How much is left of the pause that began when it was last lengthened."""
        entry = self._entries.get(key)
        return self.remaining_seconds(key, entry.last_update, now) if entry is not None else 0.0

    def lengthen(self, key: str, event: datetime, now: datetime) -> None:
        """Something failed at `event`: the pause begins, or doubles."""
        entry = self._entries.get(key)
        if entry is None or self._expired(entry, event):
            if len(self._entries) >= MAX_KEYS:
                self.forget_expired(now)
            self._entries[key] = _Entry(self._initial, now)
            return
        entry.delay = min(entry.delay * 2, self._max)
        entry.last_update = now

    def forget_expired(self, now: datetime) -> None:
        self._entries = {key: entry for key, entry in self._entries.items() if not self._expired(entry, now)}

    def _expired(self, entry: _Entry, event: datetime) -> bool:
        return event - entry.last_update > self._max * 2


def format_duration(seconds: float) -> str:
    """`10s`, `2m40s`, `5m0s`, `250ms`: as Go prints durations."""
    if seconds < 1:
        millis = seconds * 1000
        return "0s" if not millis else f"{_trimmed(millis)}ms"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    text = f"{_trimmed(rest)}s"
    if hours:
        return f"{hours}h{minutes}m{text}"
    return f"{minutes}m{text}" if minutes else text


def _trimmed(number: float) -> str:
    return f"{number:.9f}".rstrip("0").rstrip(".")
