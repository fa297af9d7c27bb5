"""When a process that ended is started again: the rules, without any process.

A component that crashed starts again at once; one that keeps crashing waits twice as long each time, up to a
bound; one that ran well for a while starts with a clean slate.
"""

from dataclasses import dataclass, replace

FIRST_DELAY_SECONDS = 0.05
MAX_DELAY_SECONDS = 10.0
HEALTHY_SECONDS = 10.0
"""Whoever ran this long did not fail at its start."""


@dataclass(frozen=True, slots=True)
class Record:
    """What the supervisor remembers about one component. Times are monotonic seconds."""

    started_at: float = 0.0
    failures: int = 0
    """Exits in a row, none of which followed a healthy run."""
    restarts: int = 0
    start_at: float = 0.0
    """When it is due, while it does not run."""
    running: bool = False


def started(record: Record, now: float) -> Record:
    return replace(record, running=True, started_at=now)


def exited(record: Record, now: float) -> Record:
    """The component ended without being asked to: when it starts again."""
    failures = 1 if now - record.started_at >= HEALTHY_SECONDS else record.failures + 1
    return replace(
        record, running=False, failures=failures, restarts=record.restarts + 1, start_at=now + restart_delay(failures)
    )


def restart_delay(failures: int) -> float:
    """Seconds until the next start after so many failures in a row: 0.05, 0.1, 0.2, … 10."""
    return min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2.0 ** min(max(failures - 1, 0), 30))
