"""Keys waiting for a reconcile: each once, none at two workers at a time, failures later and later.

    add("a"), add("a")           one "a" waits
    get() → "a", add("a")        "a" waits again, and is handed out only after done("a")
    add_rate_limited("a")        after 5 ms, 10 ms, 20 ms … until forget("a")

Follows: client-go util/workqueue queue.go, delaying_queue.go, default_rate_limiters.go.
"""

import asyncio
import heapq
import itertools
from collections import deque
from dataclasses import dataclass

from pybernetes.effects import Clock

BASE_DELAY_SECONDS = 0.005
MAX_DELAY_SECONDS = 1000.0
RETRIES_PER_SECOND = 10.0
RETRY_BURST = 100.0
"""Retries of one queue altogether: this many at once, then so many per second, as upstream's bucket."""


@dataclass(frozen=True, slots=True)
class QueueStatistics:
    waiting: int
    processing: int
    delayed: int
    retries: int


class WorkQueue:
    """The queue of one controller. `run` moves delayed keys over; it must be running for `add_after` to work."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ready: deque[str] = deque()
        self._dirty: set[str] = set()
        self._processing: set[str] = set()
        self._delayed: list[tuple[float, int, str]] = []
        self._deadlines: dict[str, float] = {}
        self._failures: dict[str, int] = {}
        self._numbers = itertools.count()
        self._available = asyncio.Event()
        self._sooner = asyncio.Event()
        self._retries = 0
        self._tokens, self._tokens_at = RETRY_BURST, clock.monotonic()

    def add(self, key: str) -> None:
        if key in self._dirty:
            return
        self._dirty.add(key)
        if key not in self._processing:
            self._ready.append(key)
            self._available.set()

    def add_after(self, key: str, seconds: float) -> None:
        """Add later; of several deadlines for one key the earliest counts."""
        if seconds <= 0:
            self.add(key)
            return
        deadline = self._clock.monotonic() + seconds
        if self._deadlines.get(key, float("inf")) <= deadline:
            return
        self._deadlines[key] = deadline
        heapq.heappush(self._delayed, (deadline, next(self._numbers), key))
        self._sooner.set()

    def add_rate_limited(self, key: str) -> None:
        """Add after a delay that doubles with each failure since the last `forget`."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        self._retries += 1
        own = min(BASE_DELAY_SECONDS * 2 ** min(failures, 60), MAX_DELAY_SECONDS)
        self.add_after(key, max(own, self._reserve()))

    def _reserve(self) -> float:
        """Seconds until the whole queue's bucket has a token for one more retry; takes it."""
        now = self._clock.monotonic()
        self._tokens = min(RETRY_BURST, self._tokens + (now - self._tokens_at) * RETRIES_PER_SECOND) - 1.0
        self._tokens_at = now
        return max(0.0, -self._tokens / RETRIES_PER_SECOND)

    def forget(self, key: str) -> None:
        """The key succeeded: its next failure waits the shortest delay again."""
        self._failures.pop(key, None)

    def failures(self, key: str) -> int:
        return self._failures.get(key, 0)

    async def get(self) -> str:
        """The next key; the caller owns it until `done`."""
        while not self._ready:
            self._available.clear()
            await self._available.wait()
        key = self._ready.popleft()
        self._dirty.discard(key)
        self._processing.add(key)
        return key

    def done(self, key: str) -> None:
        """Give the key back; if it was added meanwhile, it waits again."""
        self._processing.discard(key)
        if key in self._dirty:
            self._ready.append(key)
            self._available.set()

    def statistics(self) -> QueueStatistics:
        return QueueStatistics(len(self._ready), len(self._processing), len(self._deadlines), self._retries)

    async def run(self) -> None:
        """Hand over delayed keys when their time has come, until cancelled."""
        while True:
            self._sooner.clear()
            now = self._clock.monotonic()
            while self._delayed and self._delayed[0][0] <= now:
                deadline, _, key = heapq.heappop(self._delayed)
                if self._deadlines.get(key) == deadline:
                    del self._deadlines[key]
                    self.add(key)
            if not self._delayed:
                await self._sooner.wait()
                continue
            async with asyncio.TaskGroup() as tasks:
                alarm = tasks.create_task(self._clock.sleep(self._delayed[0][0] - now), name="workqueue/alarm")
                sooner = tasks.create_task(self._sooner.wait(), name="workqueue/sooner")
                await asyncio.wait((alarm, sooner), return_when=asyncio.FIRST_COMPLETED)
                alarm.cancel()
                sooner.cancel()
