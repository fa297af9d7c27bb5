"""Keeping container logs small: a file over 10 MiB is put aside, the runtime starts a new one, old ones are packed.

    0.log                           written by the runtime
    0.log.20260101-100000           put aside last; readers may still be in it, so it is packed at the next rotation
    0.log.20260101-090000.gz        at most five files altogether; the oldest goes

Follows: kubernetes pkg/kubelet/logs/container_log_manager.go.
"""

import asyncio
import gzip
import logging
import shutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pybernetes.effects import Clock
from pybernetes.kubelet.cri.errors import RuntimeFailure

log = logging.getLogger("pybernetes.kubelet.logs")

MAX_BYTES = 10 * 1024 * 1024
MAX_FILES = 5
INTERVAL_SECONDS = 10.0
TIME_FORMAT = "%Y%m%d-%H%M%S"
PACKED, UNFINISHED = ".gz", ".tmp"


@dataclass(frozen=True, slots=True)
class Sweep:
    """What to do with the files put aside before the current one is put aside too."""

    remove: tuple[str, ...]
    pack: tuple[str, ...]


def sweep(names: Iterable[str], max_files: int) -> Sweep:
    """Decide over the rotated files of one log, by name.

    Leftovers of interrupted packing go: `.tmp` always; a file that is there packed and unpacked, unpacked. With the
    current file and the one about to be put aside there are `max_files` in the end.
    """
    present = set(names)
    unfinished = {name for name in present if name.endswith(UNFINISHED)}
    doubled = {name for name in present if f"{name}{PACKED}" in present}
    kept = sorted(present - unfinished - doubled)
    too_many = kept[: max(0, len(kept) - (max_files - 2))]
    kept = kept[len(too_many) :]
    return Sweep(
        remove=tuple(sorted(unfinished | doubled) + too_many),
        pack=tuple(name for name in kept if not name.endswith(PACKED)),
    )


def rotated_files(path: Path) -> list[str]:
    """Names of the files that were `path` once."""
    return sorted(found.name for found in path.parent.glob(f"{path.name}.*"))


class LogRotator:
    """Looks at all running containers' logs every ten seconds."""

    def __init__(
        self,
        running: Callable[[], Awaitable[Mapping[str, Path]]],
        reopen: Callable[[str], Awaitable[None]],
        clock: Clock,
        *,
        max_bytes: int = MAX_BYTES,
        max_files: int = MAX_FILES,
    ) -> None:
        """`running` gives log files by container id; `reopen` makes the runtime start a new file."""
        if max_files < 2:
            raise ValueError("containerLogMaxFiles must be at least 2: the current file and one put aside")
        self._running = running
        self._reopen = reopen
        self._clock = clock
        self._max_bytes = max_bytes
        self._max_files = max_files

    async def run(self) -> None:
        """Rotate until cancelled."""
        while True:
            await self.rotate_all()
            await self._clock.sleep(INTERVAL_SECONDS)

    async def rotate_all(self) -> None:
        """One look at every log; what fails is logged and tried again at the next look."""
        for container_id, path in sorted((await self._running()).items()):
            try:
                if path.stat().st_size > self._max_bytes:
                    await self._rotate(container_id, path)
            except FileNotFoundError:
                continue  # the container has written nothing, or is gone
            except (OSError, RuntimeFailure) as error:
                log.warning("log not rotated path=%s error=%s", path, error)

    async def _rotate(self, container_id: str, path: Path) -> None:
        decided = sweep(rotated_files(path), self._max_files)
        await asyncio.to_thread(_carry_out, path.parent, decided)
        aside = path.with_name(f"{path.name}.{self._clock.now().strftime(TIME_FORMAT)}")
        if aside.name in rotated_files(path):
            return  # this second has its file already
        _rename(path, aside)
        try:
            await self._reopen(container_id)
        except Exception:
            # The runtime still writes to the file we put aside: give it its name back.
            _rename(aside, path)
            raise
        log.info("log rotated path=%s container=%s", path, container_id)


def _rename(path: Path, to: Path) -> None:
    path.rename(to)


def _carry_out(directory: Path, decided: Sweep) -> None:
    for name in decided.remove:
        (directory / name).unlink(missing_ok=True)
    for name in decided.pack:
        unfinished = directory / f"{name}{UNFINISHED}"
        with (directory / name).open("rb") as source, gzip.open(unfinished, "wb") as target:
            shutil.copyfileobj(source, target)
        unfinished.rename(directory / f"{name}{PACKED}")
        (directory / name).unlink()
