"""Audit events into a file, one JSON document per line; nothing is lost at shutdown.

Lines are gathered and written by a thread, so that no request waits for the disk; when MAX_BUFFERED lines wait, the
request that brings one more writes all of them itself. A file that would grow beyond its limit is renamed with the time
in its name, and surplus ones are removed.

Follows: apiserver plugin/pkg/audit/log/backend.go; the flags --audit-log-*; lumberjack.
"""

import asyncio
import logging
import sys
import threading
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import orjson

from pybernetes.effects import Clock

log = logging.getLogger("pybernetes.apiserver.audit")

MAX_BUFFERED = 10000
STDOUT = "-"


class AuditLog:
    """See the module. Sizes in bytes, age in days; 0 is no limit."""

    def __init__(self, path: str, clock: Clock, *, max_bytes: int = 0, max_days: int = 0, max_backups: int = 0) -> None:
        self._path = path
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_days = max_days
        self._max_backups = max_backups
        self._lines: list[bytes] = []
        self._arrived = asyncio.Event()
        self._file: IO[bytes] | None = None
        self._size = 0
        self._lock = threading.Lock()
        self.errors = 0

    def add(self, event: dict[str, Any]) -> None:
        """Have the event written soon."""
        self._lines.append(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))
        self._arrived.set()
        if len(self._lines) >= MAX_BUFFERED:
            self.flush()

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._arrived.wait()
            self._arrived.clear()
            lines, self._lines = self._lines, []
            writing = asyncio.ensure_future(asyncio.to_thread(self._write, lines))
            try:
                await asyncio.shield(writing)
            except asyncio.CancelledError:
                await writing  # what is being written when the server stops is written to its end
                raise

    def flush(self) -> None:
        """Write what is waiting, now."""
        lines, self._lines = self._lines, []
        self._write(lines)

    def close(self) -> None:
        """Write what is waiting and close the file."""
        self.flush()
        if self._file is not None and self._path != STDOUT:
            self._file.close()
        self._file = None

    def _write(self, lines: list[bytes]) -> None:
        with self._lock:  # the thread and a request that found too many lines waiting
            try:
                for line in lines:
                    file = self._open(len(line))
                    file.write(line)
                    self._size += len(line)
                if self._file is not None:
                    self._file.flush()
            except OSError:
                self.errors += 1
                log.exception("audit events not written count=%d", len(lines))

    def _open(self, more: int) -> IO[bytes]:
        if self._path == STDOUT:
            self._file = sys.stdout.buffer
            return self._file
        if self._file is not None and self._max_bytes and self._size + more > self._max_bytes:
            self._file.close()
            self._file = None
            self._rotate()
        if self._file is None:
            path = Path(self._path)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600, exist_ok=True)
            self._file = path.open("ab")
            self._size = path.stat().st_size
        return self._file

    def _rotate(self) -> None:
        path, now = Path(self._path), self._clock.now()
        stamp = now.strftime("%Y-%m-%dT%H-%M-%S.%f")
        path.rename(path.with_name(f"{path.stem}-{stamp}{path.suffix}"))
        oldest = (now - timedelta(days=self._max_days)).strftime("%Y-%m-%dT%H-%M-%S.%f") if self._max_days else ""
        backups = sorted(path.parent.glob(f"{path.stem}-*{path.suffix}"), reverse=True)
        for number, backup in enumerate(backups):
            too_many = bool(self._max_backups) and number >= self._max_backups
            if too_many or backup.name[len(path.stem) + 1 :] < oldest:
                backup.unlink()
