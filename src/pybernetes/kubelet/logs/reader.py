"""Reading a container's log file: from where the reader asked, to the end, and on as it grows.

Follows: kubernetes pkg/kubelet/kuberuntime/logs/logs.go, ReadLogs.
"""

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import BinaryIO

from pybernetes.effects import Clock
from pybernetes.kubelet.logs.records import LogFilter, LogOptions, is_full

BLOCK_BYTES = 64 * 1024
FOLLOW_SECONDS = 0.1
"""How often a followed file is looked at. Arbitrary: below what a person notices."""
CHECK_RUNNING_SECONDS = 1.0
"""How often an idle follower asks whether the container still runs."""


def tail_offset(file: BinaryIO, lines: int) -> int:
    """Where the last `lines` lines of output begin; parts of a cut line are one line.

    Reads backwards, so it costs as much as is shown, not as much as there is.
    """
    end = file.seek(0, os.SEEK_END)
    if lines <= 0:
        return end
    position, held = end, b""
    found = 0
    at_end = True
    while position > 0:
        size = min(BLOCK_BYTES, position)
        position -= size
        file.seek(position)
        held = file.read(size) + held
        while True:
            # `held` begins at `position`; look at its last record, which begins after the newline before it.
            body_end = len(held) - 1 if held.endswith(b"\n") else len(held)
            start = held.rfind(b"\n", 0, body_end)
            if start < 0 and position > 0:
                break  # the record begins in an earlier block
            record = held[start + 1 : body_end]
            if record and (is_full(record) or at_end):
                if found == lines:
                    return position + len(held)
                found += 1
            at_end = False
            held = held[: start + 1]
            if not held:
                break
    return 0


class LogReader:
    """One reader of the log file at `path`, which rotation may replace at any moment."""

    def __init__(self, path: Path, options: LogOptions, clock: Clock) -> None:
        self._path = path
        self._options = options
        self._clock = clock
        self._filter = LogFilter(options)
        self._held = b""

    async def read(self, is_running: Callable[[], Awaitable[bool]]) -> AsyncIterator[bytes]:
        """What was asked for, in blocks; with `follow`, until the container has ended and all is read.

        Raises:
            FileNotFoundError: there is no such file.
        """
        file: BinaryIO = self._path.open("rb")
        try:
            file.seek(tail_offset(file, self._options.tail_lines) if self._options.tail_lines is not None else 0)
            idle = 0.0
            ended = replaced = False
            while not self._filter.exhausted:
                block = file.read(BLOCK_BYTES)
                if block:
                    idle = 0.0
                    replaced = False
                    if output := self._taken(block):
                        yield output
                    await self._clock.sleep(0)  # others' turn
                elif not self._options.follow or ended:
                    if output := self._taken(b"\n" if self._held else b""):
                        yield output
                    return
                elif self._is_replaced(file):
                    if replaced:
                        file.close()
                        file = self._path.open("rb")
                        self._held = b""
                        replaced = False
                    else:  # the runtime opens the new file a moment before it leaves the old one
                        replaced = True
                        await self._clock.sleep(FOLLOW_SECONDS)
                elif idle >= CHECK_RUNNING_SECONDS:
                    idle = 0.0
                    ended = not await is_running()  # one look more for what was written meanwhile
                else:
                    await self._clock.sleep(FOLLOW_SECONDS)
                    idle += FOLLOW_SECONDS
        finally:
            file.close()

    def _taken(self, block: bytes) -> bytes:
        """What the reader gets of whole records; the rest is held until its newline comes."""
        lines = (self._held + block).split(b"\n")
        self._held = lines.pop()
        return b"".join(map(self._filter.take, lines))

    def _is_replaced(self, file: BinaryIO) -> bool:
        """Whether rotation has put another file in the place of this one."""
        try:
            now, ours = self._path.stat(), os.fstat(file.fileno())
        except FileNotFoundError:
            return False  # between the rename and the runtime's reopening
        if (now.st_dev, now.st_ino) != (ours.st_dev, ours.st_ino):
            return True
        if now.st_size < file.tell():
            file.seek(0)  # cut short in place
        return False
