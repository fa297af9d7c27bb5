"""cgroup v1, alone or hybrid: a tree per controller, all with the same names.

The runtime puts containers into every hierarchy, cgroup v2 beside them included, and removes only the containers'
own directories: whoever made the parents removes them, everywhere.
"""

import errno
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from pybernetes.kubelet.cgroups.amounts import CgroupLimits
from pybernetes.kubelet.cgroups.driver import CgroupBusy, Usage, inside, read_int, read_pairs, read_pids, remove_tree

NO_MEMORY_LIMIT = 1 << 62
"""Limits above this mean that there is none: the kernel shows the largest multiple of a page."""


class V1Driver:
    """Writes to the hierarchies given, controller by controller."""

    unified = False

    def __init__(self, hierarchies: Mapping[str, Path]) -> None:
        self._hierarchies = dict(hierarchies)

    def _directories(self, path: PurePosixPath) -> Iterator[Path]:
        for root in sorted(set(self._hierarchies.values())):
            yield inside(root, path)

    def _directory(self, controller: str, path: PurePosixPath) -> Path | None:
        root = self._hierarchies.get(controller)
        return inside(root, path) if root is not None else None

    def create(self, path: PurePosixPath) -> None:
        for directory in self._directories(path):
            directory.mkdir(parents=True, exist_ok=True)
        self._fill_cpuset(path)

    def _fill_cpuset(self, path: PurePosixPath) -> None:
        """A new cpuset is empty and takes no process until it has its parent's cpus and memory nodes."""
        root = self._hierarchies.get("cpuset")
        if root is None:
            return
        directory = root
        for step in path.relative_to("/").parts:
            parent, directory = directory, directory / step
            for name in ("cpuset.cpus", "cpuset.mems"):
                own, of_parent = directory / name, parent / name
                if of_parent.exists() and own.exists() and not own.read_text().strip():
                    own.write_text(of_parent.read_text())

    def apply(self, path: PurePosixPath, limits: CgroupLimits) -> None:
        cpu = self._directory("cpu", path)
        if cpu is not None:
            if limits.cpu_shares is not None:
                _write(cpu / "cpu.shares", limits.cpu_shares)
            if limits.cpu_quota_microseconds is not None:
                if limits.cpu_quota_microseconds > 0:
                    _write(cpu / "cpu.cfs_period_us", limits.cpu_period_microseconds)
                _write(cpu / "cpu.cfs_quota_us", limits.cpu_quota_microseconds or -1)
        memory = self._directory("memory", path)
        if memory is not None and limits.memory_bytes is not None:
            _write(memory / "memory.limit_in_bytes", limits.memory_bytes)
        processes = self._directory("pids", path)
        if processes is not None and limits.pids is not None:
            _write(processes / "pids.max", limits.pids if limits.pids > 0 else "max")
        huge = self._directory("hugetlb", path)
        if huge is not None:
            for size, amount in limits.hugepage_bytes.items():
                _write(huge / f"hugetlb.{size}.limit_in_bytes", amount)

    def exists(self, path: PurePosixPath) -> bool:
        return all(directory.is_dir() for directory in self._directories(path))

    def children(self, path: PurePosixPath) -> list[str]:
        found: set[str] = set()
        for directory in self._directories(path):
            if directory.is_dir():
                found.update(entry.name for entry in directory.iterdir() if entry.is_dir())
        return sorted(found)

    def pids(self, path: PurePosixPath) -> list[int]:
        found: set[int] = set()
        for directory in self._directories(path):
            found.update(read_pids(directory))
        return sorted(found)

    def remove(self, path: PurePosixPath) -> None:
        busy = [directory for directory in self._directories(path) if not remove_tree(directory)]
        if busy:
            raise CgroupBusy(f"processes {self.pids(path)} are left in cgroup {path}")

    def usage(self, path: PurePosixPath) -> Usage:
        memory = self._directory("memory", path)
        if memory is None or not memory.is_dir():
            raise FileNotFoundError(errno.ENOENT, "no such cgroup", str(path))
        cpuacct, processes = self._directory("cpuacct", path), self._directory("pids", path)
        stat = read_pairs(memory / "memory.stat")
        used = read_int(memory / "memory.usage_in_bytes")
        limit = read_int(memory / "memory.limit_in_bytes")
        return Usage(
            cpu_nanoseconds=read_int(cpuacct / "cpuacct.usage") if cpuacct is not None else None,
            memory_bytes=used,
            memory_limit_bytes=limit if limit is not None and limit < NO_MEMORY_LIMIT else None,
            working_set_bytes=None if used is None else max(0, used - stat.get("total_inactive_file", 0)),
            rss_bytes=stat.get("total_rss"),
            page_faults=stat.get("total_pgfault"),
            major_page_faults=stat.get("total_pgmajfault"),
            oom_kills=read_pairs(memory / "memory.oom_control").get("oom_kill"),
            pids=read_int(processes / "pids.current") if processes is not None else None,
        )


def _write(file: Path, value: int | str) -> None:
    file.write_text(str(value))
