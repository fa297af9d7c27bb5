"""What a command shows while it works: one line per step with how long it took."""

import sys
from typing import Protocol, TextIO

from pybernetes.effects import SystemClock


class Progress(Protocol):
    """Where steps are told."""

    def done(self, what: str) -> None:
        """A step ended well."""
        ...

    def note(self, what: str) -> None:
        """Something the user should know."""
        ...


class Quiet:
    """Progress nobody needs to see."""

    def done(self, what: str) -> None: ...

    def note(self, what: str) -> None: ...


class Lines:
    """Progress as lines of text: `  ✓ API server ready  0.8s`, seconds since the step before."""

    def __init__(self, clock: SystemClock, stream: TextIO | None = None) -> None:
        self.clock = clock
        self.stream = stream or sys.stderr
        self.started = self._step = clock.monotonic()
        self._mark = "✓" if (self.stream.encoding or "").lower().startswith("utf") else "*"

    def done(self, what: str) -> None:
        now = self.clock.monotonic()
        print(f"  {self._mark} {what}  {now - self._step:.1f}s", file=self.stream, flush=True)
        self._step = now

    def note(self, what: str) -> None:
        print(what, file=self.stream, flush=True)

    @property
    def elapsed_seconds(self) -> float:
        return self.clock.monotonic() - self.started
