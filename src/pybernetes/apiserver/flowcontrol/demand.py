"""How many seats a priority level wanted over time, and for how long refused clients should stay away.

Follows: apiserver pkg/util/flowcontrol/fairqueuing/integrator.go; apf_controller.go, seatDemandStats;
dropped_requests_tracker.go.
"""

import math
from collections import deque
from dataclasses import dataclass, field

SMOOTHING = 0.977
"""Of the old figure, every adjustment: half of it is forgotten after five minutes. Follows: seatDemandSmoothing…"""
MAX_RETRY_AFTER_SECONDS = 32


@dataclass(slots=True)
class Demand:
    """Seats in use and waited for. Mean, deviation, peak are those of the last closed period."""

    since: float
    value: int = 0
    highest: int = 0
    began: float = 0.0
    area: float = 0.0
    squares: float = 0.0
    mean: float = 0.0
    deviation: float = 0.0
    peak: int = 0
    smoothed: float = 0.0

    def __post_init__(self) -> None:
        self.began = self.since

    def note(self, value: int, now: float) -> None:
        """From `now` on (monotonic seconds), `value` seats are wanted."""
        elapsed = now - self.since
        self.area += self.value * elapsed
        self.squares += self.value * self.value * elapsed
        self.value, self.since = value, now
        self.highest = max(self.highest, value)

    def close(self, now: float) -> None:
        """End a period: work out its figures, begin the next one."""
        self.note(self.value, now)
        length = now - self.began
        if length > 0:
            self.mean = self.area / length
            self.deviation = math.sqrt(max(0.0, self.squares / length - self.mean * self.mean))
        self.peak, self.highest = self.highest, self.value
        self.area = self.squares = 0.0
        self.began = now
        envelope = self.mean + self.deviation
        self.smoothed = max(envelope, SMOOTHING * self.smoothed + (1 - SMOOTHING) * envelope)


@dataclass(slots=True)
class Refusals:
    """Requests refused lately, second by second, and the Retry-After they lead to.

    It doubles under pressure, at most every `seconds`, and counts down when that eases.
    """

    seconds: int = 1
    raised_at: int = 0
    present: int = 0
    count: int = 0
    history: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=MAX_RETRY_AFTER_SECONDS))

    def add(self, second: int) -> int:
        """Count one; the Retry-After to send."""
        if second == self.present:
            self.count += 1
            return self.seconds
        self.history.append((self.present, self.count))
        self.present, self.count = second, 1
        lately = sum(count for when, count in self.history if second - self.seconds <= when < second)
        if second - self.raised_at >= self.seconds and lately >= 3 * self.seconds:
            self.seconds = min(2 * self.seconds, MAX_RETRY_AFTER_SECONDS)
            self.raised_at = second
        elif lately < self.seconds and self.seconds > 1:
            self.seconds -= 1
        return self.seconds
