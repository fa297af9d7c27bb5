"""Stopping a cluster: everything ends, containers included; what it stored stays.

The supervisor ends its components in order, and the node's pods before the runtime. What follows here is the broom
for whatever did not end that way: a supervisor that was killed, containers without a runtime.
"""

import os
import signal
from pathlib import Path

from pybernetes.cluster import node_setup
from pybernetes.cluster.components import STOP_ORDER
from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.errors import ClusterError
from pybernetes.cluster.identity import ProcessIdentity, identify, load
from pybernetes.cluster.progress import Progress
from pybernetes.cluster.state import StateDirectory
from pybernetes.cluster.supervisor import running_supervisor
from pybernetes.effects import SystemClock

STOP_SECONDS = 90.0
KILL_SECONDS = 10.0
POLL_SECONDS = 0.02
CGROUPS = Path("/sys/fs/cgroup")


def down(state: StateDirectory, config: ClusterConfig, progress: Progress, clock: SystemClock) -> bool:
    """Stop everything; whether anything ran.

    Raises:
        ClusterError: something would not end.
    """
    supervisor = running_supervisor(state.run)
    ran = supervisor is not None
    if supervisor is not None:
        supervisor.signal(signal.SIGTERM)
        if not _wait_for_end([supervisor], STOP_SECONDS, clock):
            supervisor.signal(signal.SIGKILL)
    for name in STOP_ORDER:
        identity = load(state.run / f"{name}.json")
        if identity is not None and identity.alive:
            ran = True
            _end([identity], clock)
        (state.run / f"{name}.json").unlink(missing_ok=True)
    for leftover in ("supervisor.json", "status.json"):
        (state.run / leftover).unlink(missing_ok=True)
    if config.nodes:
        _end_containers(state, config, clock)
        node_setup.unmount_below(state.root)
    if ran:
        progress.done(f"cluster {config.name!r} stopped, its state stays in {state.root}")
    return ran


def _end(processes: list[ProcessIdentity], clock: SystemClock) -> None:
    """End processes: first asked, then killed.

    Raises:
        ClusterError: the kernel does not let go of one.
    """
    for process in processes:
        process.signal(signal.SIGTERM)
    if _wait_for_end(processes, KILL_SECONDS, clock):
        return
    for process in processes:
        process.signal(signal.SIGKILL)
    if not _wait_for_end(processes, KILL_SECONDS, clock):
        left = ", ".join(str(process.pid) for process in processes if process.alive)
        raise ClusterError(
            f"these processes do not end: {left}", "they hang in the kernel (often on a dead disk); try again later"
        )


def _wait_for_end(processes: list[ProcessIdentity], seconds: float, clock: SystemClock) -> bool:
    deadline = clock.monotonic() + seconds
    while any(process.alive for process in processes):
        if clock.monotonic() > deadline:
            return False
        clock.pause(POLL_SECONDS)
    return True


def _end_containers(state: StateDirectory, config: ClusterConfig, clock: SystemClock) -> None:
    containers = container_processes(config)
    if containers:
        _end(containers, clock)
    shims = shim_processes(state)
    if shims:
        _end(shims, clock)


def container_processes(config: ClusterConfig) -> list[ProcessIdentity]:
    """Every process in a cgroup of this cluster's pods."""
    prefix = f"{config.cgroup_root}/"
    found = []
    for pid in _pids():
        try:
            lines = Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue  # it has ended meanwhile
        if any(f"{line.split(':', 2)[2]}/".startswith(prefix) for line in lines):
            found.append(identify(pid))
    return found


def shim_processes(state: StateDirectory) -> list[ProcessIdentity]:
    """Containerd's helpers, one per pod, which outlive it; ours are told by the socket they report to."""
    address = str(state.containerd_socket).encode()
    found = []
    for pid in _pids():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if words and words[0].rpartition(b"/")[2].startswith(b"containerd-shim") and address in words:
            found.append(identify(pid))
    return found


def _pids() -> list[int]:
    own = os.getpid()
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and int(entry.name) != own]
