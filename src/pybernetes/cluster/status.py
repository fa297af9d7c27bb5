"""What runs of a cluster, and how it is."""

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pybernetes.cluster.api import Api
from pybernetes.cluster.components import SUPERVISOR, WHAT, plan
from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.identity import ProcessIdentity, load
from pybernetes.cluster.state import StateDirectory
from pybernetes.cluster.supervisor import running_supervisor, statuses
from pybernetes.effects import SystemClock


@dataclass(frozen=True, slots=True)
class ProcessReport:
    name: str
    what: str
    running: bool
    pid: int
    restarts: int
    uptime_seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class Report:
    name: str
    server: str
    data_dir: str
    running: bool
    ready: bool
    nodes: Mapping[str, bool]
    """Node → Ready; empty while the API server does not answer."""
    processes: list[ProcessReport]

    def document(self) -> dict[str, Any]:
        """As JSON shows it."""
        return asdict(self)


def report(state: StateDirectory, config: ClusterConfig, clock: SystemClock) -> Report:
    """How the cluster is now."""
    restarts = {row.name: row.restarts for row in statuses(state.run)}
    supervisor = running_supervisor(state.run)
    processes = []
    if supervisor is not None:
        processes.append(_process(SUPERVISOR, supervisor, 0, clock))
    for component in plan(config, state):
        identity = load(component.identity)
        alive = identity if identity is not None and identity.alive else None
        if alive is not None or supervisor is not None:
            processes.append(_process(component.name, alive, restarts.get(component.name, 0), clock))
    api = Api(state, config)
    try:
        ready = bool(processes) and api.ready()
        nodes = api.nodes() if ready else {}
    finally:
        api.close()
    return Report(
        config.name, config.server, str(state.root), any(row.running for row in processes), ready, nodes, processes
    )


def _process(name: str, identity: ProcessIdentity | None, restarts: int, clock: SystemClock) -> ProcessReport:
    if identity is None:
        return ProcessReport(name, WHAT[name], False, 0, restarts, 0.0, 0)
    uptime = max(0.0, _seconds_since_boot(clock) - identity.start_ticks / os.sysconf("SC_CLK_TCK"))
    return ProcessReport(name, WHAT[name], True, identity.pid, restarts, uptime, memory_bytes(identity.pid))


def _seconds_since_boot(clock: SystemClock) -> float:
    try:
        return float(Path("/proc/uptime").read_text(encoding="ascii").split()[0])
    except OSError:
        return clock.monotonic()


def memory_bytes(pid: int) -> int:
    """Resident memory of a process; 0 where it cannot be told."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")
