"""Which processes a cluster consists of, in which order they stop, and what they run."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pybernetes
from pybernetes.cluster.config import ClusterConfig
from pybernetes.cluster.state import StateDirectory

APISERVER = "apiserver"
CONTROL = "control"
NODE = "node"
SIMNODE = "simnode"
CONTAINERD = "containerd"
SUPERVISOR = "supervisor"

WHAT = {
    SUPERVISOR: "starts the others and restarts what crashes",
    APISERVER: "API server with the store",
    CONTROL: "controllers and scheduler",
    NODE: "node agent: kubelet, service proxy, DNS",
    SIMNODE: "simulated nodes",
    CONTAINERD: "container runtime",
}

ALIASES = {
    "controller-manager": CONTROL,
    "scheduler": CONTROL,
    "controllers": CONTROL,
    "kubelet": NODE,
    "proxy": NODE,
    "dns": NODE,
    "kube-apiserver": APISERVER,
    "kube-controller-manager": CONTROL,
    "kube-scheduler": CONTROL,
    "kube-proxy": NODE,
}
"""Names people look for → the process that does it."""

STOP_ORDER = (SIMNODE, NODE, CONTROL, APISERVER, CONTAINERD)
"""Clients before the server they talk to; containerd when nobody starts containers any more."""


@dataclass(frozen=True, slots=True)
class Component:
    """One process of the cluster."""

    name: str
    command: tuple[str, ...]
    log: Path
    identity: Path
    """Where its `ProcessIdentity` is kept, so that a new supervisor finds it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_seconds: float = 10.0
    """How long it may take to end by itself before it is killed."""
    open_files: int = 0
    """Raise the soft limit of open files to this (or the hard limit); 0 leaves it."""


def plan(config: ClusterConfig, state: StateDirectory) -> list[Component]:
    """The processes of this cluster, in the order they are started."""
    names = [APISERVER, CONTROL]
    if config.simulated_nodes:
        names.append(SIMNODE)
    components = [_ours(name, state) for name in names]
    if config.nodes:
        containerd = Component(
            name=CONTAINERD,
            command=("containerd", "--config", str(state.containerd / "config.toml")),
            log=state.logs / "containerd.log",
            identity=state.run / "containerd.json",
            open_files=1 << 20,
        )
        components = [containerd, *components, _ours(NODE, state)]
    return components


def _ours(name: str, state: StateDirectory) -> Component:
    return Component(
        name=name,
        command=(*python(), "process", name, "--data-dir", str(state.root)),
        log=state.logs / f"{name}.log",
        identity=state.run / f"{name}.json",
        # gRPC guards itself against fork() without exec(), which nobody here does, and says so each time.
        environment={"MALLOC_ARENA_MAX": "2", "GRPC_ENABLE_FORK_SUPPORT": "0"},
        open_files=1 << 16,
    )


def python() -> tuple[str, ...]:
    """How this program starts itself again."""
    return (sys.executable, "-m", "pybernetes")


def environment(component: Component) -> dict[str, str]:
    """What a child inherits: our environment with its own settings, and the sbin directories in PATH.

    Users' shells often lack /usr/sbin, where Debian keeps nft, runc and ip.
    """
    inherited = dict(os.environ)
    path = inherited.get("PATH", "/usr/bin:/bin").split(":")
    path += [directory for directory in ("/usr/local/sbin", "/usr/sbin", "/sbin") if directory not in path]
    # The very program that runs now, wherever it was started from: relative entries would mean something else.
    source = Path(pybernetes.__file__).resolve().parent.parent
    others = [Path(entry).absolute() for entry in inherited.get("PYTHONPATH", "").split(os.pathsep) if entry]
    paths = [source, *(entry for entry in others if entry != source)]
    return {
        **inherited,
        "PATH": ":".join(path),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
        "PYTHONUNBUFFERED": "1",
        **component.environment,
    }
