"""What the process itself uses, and which build it is, in the Prometheus text format.

Follows: prometheus client_golang, process collector; component-base metrics, kubernetes_build_info.
"""

import os
import platform
import resource
from collections.abc import Iterator
from pathlib import Path

from pybernetes import KUBERNETES_VERSION

_PROCESS = Path("/proc/self")


def lines() -> Iterator[str]:
    """Read anew each time; Linux only, as the whole server."""
    ticks, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    fields = (_PROCESS / "stat").read_text().rpartition(")")[2].split()
    user, system, started, virtual, resident = (int(fields[number]) for number in (11, 12, 19, 20, 21))
    booted = next(int(row.split()[1]) for row in Path("/proc/stat").read_text().splitlines() if row.startswith("btime"))
    yield from _metric("process_cpu_seconds_total", "counter", (user + system) / ticks)
    yield from _metric("process_max_fds", "gauge", resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    yield from _metric("process_open_fds", "gauge", sum(1 for _ in (_PROCESS / "fd").iterdir()))
    yield from _metric("process_resident_memory_bytes", "gauge", resident * page)
    yield from _metric("process_start_time_seconds", "gauge", booted + started / ticks)
    yield from _metric("process_virtual_memory_bytes", "gauge", virtual)
    major, minor = KUBERNETES_VERSION.removeprefix("v").split(".")[:2]
    labels = (
        f'compiler="{platform.python_implementation()}",git_version="{KUBERNETES_VERSION}",'
        f'go_version="none (Python {platform.python_version()})",major="{major}",minor="{minor}"'
    )
    yield from _metric(f"kubernetes_build_info{{{labels}}}", "gauge", 1)


def _metric(name: str, kind: str, value: float) -> Iterator[str]:
    yield f"# TYPE {name.partition('{')[0]} {kind}"
    yield f"{name} {value}"
