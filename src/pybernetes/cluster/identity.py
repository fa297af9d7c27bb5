"""Which process a pid means: a pid alone may be given to a stranger once its owner has died."""

import os
from pathlib import Path

import msgspec

UNKNOWN = 0


class ProcessIdentity(msgspec.Struct, frozen=True):
    """A process that can be found again: its pid and the moment it started.

    `start_ticks` is field 22 of `/proc/<pid>/stat`, clock ticks since boot; `boot` tells boots apart. Where there is
    no /proc both stay empty, and the pid alone must do.
    """

    pid: int
    start_ticks: int = UNKNOWN
    boot: str = ""

    @property
    def alive(self) -> bool:
        """Whether this very process runs; a zombie does not."""
        return self.pid > 0 and _running(self.pid) and identify(self.pid) == self

    def signal(self, number: int) -> bool:
        """Send a signal, unless the process has gone; whether it was sent."""
        if not self.alive:
            return False
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return False
        return True


def identify(pid: int) -> ProcessIdentity:
    """The identity of the process that has this pid now."""
    fields = _stat(pid)
    return ProcessIdentity(pid, int(fields[19]) if fields else UNKNOWN, _boot() if fields else "")


def _running(pid: int) -> bool:
    fields = _stat(pid)
    if fields:
        return fields[0] not in ("Z", "X")
    if Path("/proc/self/stat").exists():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _stat(pid: int) -> list[str]:
    """The fields of `/proc/<pid>/stat` from the third (state) on; empty when there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError, NotADirectoryError):
        return []
    return text.rpartition(")")[2].split()


def _boot() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def load(path: Path) -> ProcessIdentity | None:
    """The identity written in a file; None when there is none, or no readable one."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=ProcessIdentity)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def save(path: Path, identity: ProcessIdentity) -> None:
    """Write so that a reader sees the old or the new file, never half of one."""
    temporary = path.with_suffix(".new")
    temporary.write_bytes(msgspec.json.encode(identity))
    temporary.replace(path)
