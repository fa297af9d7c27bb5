"""The interface of the two ways to write control groups, and which one this machine needs."""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from pybernetes.kubelet.cgroups.amounts import CgroupLimits
from pybernetes.kubelet.mounts import MountPoint


class CgroupBusy(Exception):
    """A cgroup could not be removed or set because processes are in it."""


@dataclass(frozen=True, slots=True)
class Usage:
    """One reading of a cgroup; None where the kernel keeps no such account."""

    cpu_nanoseconds: int | None = None
    memory_bytes: int | None = None
    memory_limit_bytes: int | None = None
    working_set_bytes: int | None = None
    """What cannot be given back at once: usage without inactive file pages. Eviction goes by it."""
    rss_bytes: int | None = None
    page_faults: int | None = None
    major_page_faults: int | None = None
    oom_kills: int | None = None
    pids: int | None = None


class Driver(Protocol):
    """A cgroup is named by its absolute path in the hierarchy: `/kubepods/burstable/pod1`."""

    unified: bool
    """Whether it is cgroup v2."""

    def create(self, path: PurePosixPath) -> None:
        """The cgroup exists, with its parents. Raises: OSError."""
        ...

    def apply(self, path: PurePosixPath, limits: CgroupLimits) -> None:
        """Set what `limits` names.

        Raises:
            OSError: the kernel refuses a value (EBUSY: more is in use than the limit).
        """
        ...

    def exists(self, path: PurePosixPath) -> bool: ...

    def children(self, path: PurePosixPath) -> list[str]:
        """Names of the cgroups directly below, sorted; empty when there is no such cgroup."""
        ...

    def pids(self, path: PurePosixPath) -> list[int]:
        """Processes in the cgroup and below."""
        ...

    def remove(self, path: PurePosixPath) -> None:
        """The cgroup and all below are gone; nothing happens where there is none.

        Raises:
            CgroupBusy: processes are left in it.
        """
        ...

    def usage(self, path: PurePosixPath) -> Usage:
        """Raises: FileNotFoundError when there is no such cgroup."""
        ...


def inside(root: Path, path: PurePosixPath) -> Path:
    """The directory of a cgroup in a hierarchy mounted at `root`."""
    return root / path.relative_to("/")


def remove_tree(directory: Path) -> bool:
    """Remove a cgroup directory depth first; False when the kernel says that something is in it."""
    if not directory.is_dir():
        return True
    for parent, children, _files in os.walk(directory, topdown=False):
        for child in children:
            if not _rmdir(Path(parent, child)):
                return False
    return _rmdir(directory)


def _rmdir(directory: Path) -> bool:
    try:
        directory.rmdir()
    except FileNotFoundError:
        return True
    except OSError:  # EBUSY; on an ordinary file system, as in tests, ENOTEMPTY
        return not directory.exists()
    return True


def read_pids(directory: Path) -> list[int]:
    """Processes in `directory` and below."""
    found: set[int] = set()
    for parent, _children, files in os.walk(directory):
        if "cgroup.procs" in files:
            try:
                found.update(map(int, Path(parent, "cgroup.procs").read_text().split()))
            except (FileNotFoundError, OSError):
                continue  # it went away while we looked
    return sorted(found)


def read_int(file: Path) -> int | None:
    """The number in a file; None for `max` and where there is no such file."""
    try:
        text = file.read_text().strip()
    except OSError:
        return None
    return int(text) if text.lstrip("-").isdigit() else None


def read_pairs(file: Path) -> dict[str, int]:
    """A file of `name number` lines; empty where there is none."""
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split() for line in lines)
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].lstrip("-").isdigit()}


def hierarchies(mounts: list[MountPoint], under: str = "/sys/fs/cgroup") -> dict[str, Path]:
    """Where each controller of cgroup v1 is mounted, by name; `unified` is cgroup v2 beside them or alone."""
    result: dict[str, Path] = {}
    for mount in mounts:
        if not (mount.path == under or mount.path.startswith(f"{under}/")):
            continue
        if mount.fstype == "cgroup2":
            result["unified"] = Path(mount.path)
        elif mount.fstype == "cgroup":
            result.update({name: Path(mount.path) for name in mount.super_options if name not in ("rw", "ro")})
    return result
