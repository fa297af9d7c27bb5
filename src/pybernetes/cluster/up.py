"""Bringing a cluster up: decide what it is made of, prepare the machine, start the supervisor, wait until it is ready.

Everything before the supervisor may be done twice without harm, and nothing is waited for that could run beside
something else: the processes start all at once and find each other.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from pybernetes.cluster import config as configs
from pybernetes.cluster import containerd, kubeconfig_file, kubeconfigs, node_setup, pki, preflight
from pybernetes.cluster.api import Api
from pybernetes.cluster.components import SUPERVISOR, Component, plan, python
from pybernetes.cluster.config import DEFAULT_NAME, KUBELET_PORT, ClusterConfig
from pybernetes.cluster.down import down
from pybernetes.cluster.errors import BadOption, ClusterError
from pybernetes.cluster.identity import ProcessIdentity, identify, load
from pybernetes.cluster.logfiles import tail
from pybernetes.cluster.progress import Progress, Quiet
from pybernetes.cluster.state import StateDirectory
from pybernetes.cluster.supervisor import running_supervisor, spawn, statuses
from pybernetes.effects import SystemClock

READY_SECONDS = 120.0
POLL_SECONDS = 0.02
MAX_RESTARTS = 5
"""A component that crashed this often while the cluster starts will not come up by waiting."""
LOG_LINES = 15


@dataclass(frozen=True, slots=True)
class UpOptions:
    """What `pybernetes up` was told; None where it was told nothing."""

    name: str | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    """See `config.OPTIONS`."""
    kubeconfig: Path | None = None


def up(state: StateDirectory, options: UpOptions, progress: Progress, clock: SystemClock) -> ClusterConfig:
    """A ready cluster, whatever was there before; its settings.

    Raises:
        ClusterError: it cannot be, and why.
    """
    began = clock.now()
    kubeconfig = options.kubeconfig
    if kubeconfig is not None:
        kubeconfig_file.read(kubeconfig)  # a broken file is told before anything is started
    with state.lock(clock):
        existed = state.exists()
        current = state.load_config() if existed else None
        supervisor = running_supervisor(state.run) if existed else None
        wanted = decide(state, current, options)
        started = supervisor is None
        if supervisor is not None and current is not None:
            _refuse_changes(current, wanted)
            progress.note(f"Cluster {wanted.name!r} is already running.")
        else:
            _tell(progress, wanted, created=not existed)
            supervisor = _start(state, wanted, progress, clock)
        wanted = _remember_kubeconfig(state, wanted, kubeconfig)
        try:
            _wait_until_ready(state, wanted, supervisor, progress, clock, began if started else None)
        except ClusterError:
            if started:  # nothing is left running that the user did not get
                down(state, wanted, Quiet(), clock)
            raise
        addition = kubeconfigs.document(wanted, state.pki, "admin")
        if kubeconfig_file.add(Path(wanted.kubeconfig), addition):
            progress.done(f"context {wanted.name!r} written to {wanted.kubeconfig}")
    return wanted


def decide(state: StateDirectory, current: ClusterConfig | None, options: UpOptions) -> ClusterConfig:
    """The settings: those kept, changed by what was given; for a new cluster, what this machine can do.

    Raises:
        BadOption: they cannot be had here.
    """
    if current is not None:
        if options.name and options.name != current.name:
            raise BadOption(
                f"the state directory holds cluster {current.name!r}, not {options.name!r}",
                f"use --name {current.name}, or another --data-dir",
            )
        wanted = configs.changed(current, options.settings)
    else:
        wanted = configs.changed(_first_settings(state, options), options.settings)
    if wanted.nodes + wanted.simulated_nodes == 0:
        raise BadOption("a cluster without nodes runs nothing", "give --nodes 1 or --simulated-nodes K")
    findings = preflight.real_node(state) if wanted.nodes else []
    if findings:
        raise ClusterError(
            f"no real node can run here:\n{preflight.explain(findings)}",
            "or take simulated nodes: pybernetes up --nodes 0 --simulated-nodes 3",
        )
    return wanted


def _first_settings(state: StateDirectory, options: UpOptions) -> ClusterConfig:
    name = options.name or (DEFAULT_NAME if state.root.name == DEFAULT_NAME else "") or DEFAULT_NAME
    given = options.settings
    real = given.get("nodes")
    if real is None:
        # Whoever asks for simulated nodes alone wants no containers.
        real = 0 if given.get("simulated_nodes") or preflight.real_node(state) else 1
    simulated = given.get("simulated_nodes")
    if simulated is None:
        simulated = 0 if real else 1
    config = ClusterConfig(name=name, nodes=real, simulated_nodes=simulated, node_name=preflight.machine_name())
    others = [
        StateDirectory(path).load_config() for path in preflight.other_clusters(config, state.root.parent) if real
    ]
    pod_cidr = configs.free_cidr(
        config.pod_cidr, preflight.used_networks() + [other.pod_cidr for other in others if other.nodes], 8
    )
    taken = {other.kubelet_port for other in others}
    kubelet_port = next(
        port
        for port in range(KUBELET_PORT, KUBELET_PORT + 1000, 10)
        if port not in taken and not (real and preflight.port_taken("127.0.0.1", port))
    )
    return configs.check(msgspec.structs.replace(config, pod_cidr=pod_cidr, kubelet_port=kubelet_port))


def _refuse_changes(current: ClusterConfig, wanted: ClusterConfig) -> None:
    changed = [name for name in configs.OPTIONS if getattr(current, name) != getattr(wanted, name)]
    if changed:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in changed)
        raise BadOption(
            f"{flags} cannot change while the cluster runs", "stop it first (its state stays): pybernetes down"
        )


def _tell(progress: Progress, config: ClusterConfig, *, created: bool) -> None:
    nodes = []
    if config.nodes:
        nodes.append("a real node (containerd)")
    if config.simulated_nodes:
        nodes.append(f"{config.simulated_nodes} simulated node{'s' if config.simulated_nodes > 1 else ''}")
    verb = "Creating" if created else "Starting"
    progress.note(f"{verb} cluster {config.name!r} with {' and '.join(nodes)} …")
    if not config.nodes:
        progress.note("Simulated nodes run no containers; for real ones: as root on Linux with containerd, --nodes 1.")


def _start(state: StateDirectory, config: ClusterConfig, progress: Progress, clock: SystemClock) -> ProcessIdentity:
    """Prepare files and machine, then start the supervisor."""
    survivors = [component for component in plan(config, state) if _alive(component)]
    taken = preflight.port_taken("127.0.0.1", config.port)
    if taken and not survivors:
        raise ClusterError(taken.problem, taken.remedy)
    state.create(config)
    pki.ensure(state.pki, config, clock.now(), machine_name=preflight.machine_name())
    kubeconfigs.write(state, config)
    if config.nodes:
        containerd.prepare(state)
        containerd.write_pod_network(config, state, config.node_pod_cidr)
        node_setup.prepare(config, state)
    progress.done("certificates and settings" + (", machine prepared" if config.nodes else ""))
    return start_supervisor(state)


def _alive(component: Component) -> bool:

    identity = load(component.identity)
    return identity is not None and identity.alive


def start_supervisor(state: StateDirectory) -> ProcessIdentity:
    """Start the supervisor in a session of its own, detached from this terminal."""
    component = Component(
        name=SUPERVISOR,
        command=(*python(), "supervise", "--data-dir", str(state.root)),
        log=state.logs / "supervisor.log",
        identity=state.run / "supervisor.json",
    )
    process = spawn(component)
    process.returncode = 0  # it outlives this command: not ours to reap
    return identify(process.pid)


def _remember_kubeconfig(state: StateDirectory, config: ClusterConfig, given: Path | None) -> ClusterConfig:
    """Where the context goes: as given, else where it went before, else where kubectl looks."""
    path = str(given or config.kubeconfig or kubeconfig_file.default_path(os.environ))
    if path == config.kubeconfig:
        return config
    changed = msgspec.structs.replace(config, kubeconfig=path)
    state.save_config(changed)
    return changed


def _wait_until_ready(
    state: StateDirectory,
    config: ClusterConfig,
    supervisor: ProcessIdentity,
    progress: Progress,
    clock: SystemClock,
    since: datetime | None,
) -> None:
    """Return when the API answers and a node is Ready, and has said so since the given moment.

    Raises:
        ClusterError: something keeps crashing, or two minutes have passed; with the end of its log.
    """
    deadline = clock.monotonic() + READY_SECONDS
    api = Api(state, config)
    waiting_for = "the API server"
    try:
        while not api.ready():
            _check_health(state, supervisor, deadline, waiting_for, clock)
        progress.done(f"API server ready at {config.server}")
        waiting_for = "a node to become Ready"
        while not any((nodes := api.nodes(since)).values()):
            _check_health(state, supervisor, deadline, waiting_for, clock)
        progress.done(f"{sum(nodes.values())} of {config.nodes + config.simulated_nodes} nodes Ready")
    finally:
        api.close()


def _check_health(
    state: StateDirectory, supervisor: ProcessIdentity, deadline: float, waiting_for: str, clock: SystemClock
) -> None:
    """Wait a moment, if waiting can help."""
    culprit = ""
    if not supervisor.alive and running_supervisor(state.run) is None:
        culprit = SUPERVISOR
    for status in statuses(state.run):
        if status.restarts >= MAX_RESTARTS:
            culprit = status.name
    if culprit or clock.monotonic() > deadline:
        reason = f"{culprit} does not run" if culprit else f"waited {READY_SECONDS:.0f}s for {waiting_for}"
        lines = last_words(state, culprit)
        raise ClusterError(
            f"the cluster did not start: {reason}" + (f"; its log ends with:\n{lines}" if lines else ""),
            f"more: pybernetes logs {culprit or 'apiserver'}",
        )
    clock.pause(POLL_SECONDS)


def last_words(state: StateDirectory, component: str) -> str:
    """The last lines of a component's log."""
    path = state.logs / f"{component}.log"
    return tail(path, LOG_LINES).decode(errors="replace").rstrip() if component and path.exists() else ""
