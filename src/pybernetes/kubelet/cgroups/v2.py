"""cgroup v2: one tree; a cgroup's controllers are switched on by its parent.

Follows: kubernetes pkg/kubelet/cm/cgroup_v2_manager_linux.go; kernel Documentation/admin-guide/cgroup-v2.rst.
"""

import errno
from pathlib import Path, PurePosixPath

from pybernetes.kubelet.cgroups import amounts
from pybernetes.kubelet.cgroups.amounts import CgroupLimits
from pybernetes.kubelet.cgroups.driver import CgroupBusy, Usage, inside, read_int, read_pairs, read_pids, remove_tree

CONTROLLERS = ("cpu", "cpuset", "hugetlb", "io", "memory", "pids")
"""What the kubelet and the runtime use, where the kernel has it."""


class V2Driver:
    """Writes to the one hierarchy mounted at `root`."""

    unified = True

    def __init__(self, root: Path) -> None:
        self._root = root

    def create(self, path: PurePosixPath) -> None:
        directory = self._root
        for step in path.relative_to("/").parts:
            self._switch_on(directory)
            directory /= step
            directory.mkdir(exist_ok=True)
        self._switch_on(directory)  # for the containers the runtime will put below

    def _switch_on(self, directory: Path) -> None:
        available = (directory / "cgroup.controllers").read_text().split()
        control = directory / "cgroup.subtree_control"
        already = control.read_text().split()
        wanted = [f"+{name}" for name in CONTROLLERS if name in available and name not in already]
        if wanted:
            control.write_text(" ".join(wanted))

    def apply(self, path: PurePosixPath, limits: CgroupLimits) -> None:
        directory = inside(self._root, path)
        if limits.cpu_shares is not None:
            (directory / "cpu.weight").write_text(str(amounts.weight(limits.cpu_shares)))
        if limits.cpu_quota_microseconds is not None:
            quota = limits.cpu_quota_microseconds
            (directory / "cpu.max").write_text(f"{quota if quota > 0 else 'max'} {limits.cpu_period_microseconds}")
        if limits.memory_bytes is not None:
            (directory / "memory.max").write_text(_or_max(limits.memory_bytes))
        if limits.pids is not None:
            (directory / "pids.max").write_text(_or_max(limits.pids))
        for size, amount in limits.hugepage_bytes.items():
            (directory / f"hugetlb.{size}.max").write_text(str(amount))

    def exists(self, path: PurePosixPath) -> bool:
        return inside(self._root, path).is_dir()

    def children(self, path: PurePosixPath) -> list[str]:
        directory = inside(self._root, path)
        return sorted(entry.name for entry in directory.iterdir() if entry.is_dir()) if directory.is_dir() else []

    def pids(self, path: PurePosixPath) -> list[int]:
        return read_pids(inside(self._root, path))

    def remove(self, path: PurePosixPath) -> None:
        if not remove_tree(inside(self._root, path)):
            raise CgroupBusy(f"processes {self.pids(path)} are left in cgroup {path}")

    def usage(self, path: PurePosixPath) -> Usage:
        directory = inside(self._root, path)
        if not directory.is_dir():
            raise FileNotFoundError(errno.ENOENT, "no such cgroup", str(path))
        stat = read_pairs(directory / "memory.stat")
        used = read_int(directory / "memory.current")
        cpu = read_pairs(directory / "cpu.stat").get("usage_usec")
        return Usage(
            cpu_nanoseconds=cpu * 1000 if cpu is not None else None,
            memory_bytes=used,
            memory_limit_bytes=read_int(directory / "memory.max"),
            working_set_bytes=None if used is None else max(0, used - stat.get("inactive_file", 0)),
            rss_bytes=stat.get("anon"),
            page_faults=stat.get("pgfault"),
            major_page_faults=stat.get("pgmajfault"),
            oom_kills=read_pairs(directory / "memory.events").get("oom_kill"),
            pids=read_int(directory / "pids.current"),
        )


def _or_max(value: int) -> str:
    return str(value) if value > 0 else "max"
