"""What a DaemonSet lacks and what it has too much of, node by node, and which pods a rolling update replaces next.

    10 nodes, maxUnavailable 2: two old pods may be away at a time, those that are unavailable anyway go first
    10 nodes, maxSurge 2: on two nodes a new pod starts beside the old one, which goes when the new one is available

Follows: kubernetes 1.36 pkg/controller/daemon/daemon_controller.go (podsShouldBeOnNode), update.go (rollingUpdate).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pybernetes.api import apps_v1, core_v1
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.daemonset import placement
from pybernetes.controllers.history import HASH_LABEL
from pybernetes.controllers.templates import scaled

BURST_REPLICAS = 250


@dataclass(slots=True)
class Plan:
    """Node names that need a pod, pods to delete, and failed pods that are replaced."""

    create: list[str] = field(default_factory=list)
    delete: list[core_v1.Pod] = field(default_factory=list)
    failed: list[core_v1.Pod] = field(default_factory=list)


PodsByNode = Mapping[str, Sequence[core_v1.Pod]]


def by_node(pods: Sequence[core_v1.Pod]) -> PodsByNode:
    found: dict[str, list[core_v1.Pod]] = {}
    for pod in pods:
        found.setdefault(placement.target_node(pod), []).append(pod)
    return found


def is_rolling(daemon_set: apps_v1.DaemonSet) -> bool:
    return daemon_set.spec.updateStrategy.type in ("", "RollingUpdate")


def surge_and_unavailable(daemon_set: apps_v1.DaemonSet, desired: int) -> tuple[int, int]:
    """How many pods may be too many, and how many away."""
    rolling = daemon_set.spec.updateStrategy.rollingUpdate
    if not is_rolling(daemon_set) or rolling is None:
        return 0, 1 if is_rolling(daemon_set) else 0
    surge = scaled(rolling.maxSurge, desired, round_up=True)
    away = scaled(rolling.maxUnavailable, desired, round_up=True, default=1)
    return surge, away if away or surge else 1


def manage(
    daemon_set: apps_v1.DaemonSet,
    nodes: Sequence[core_v1.Node],
    pods: Sequence[core_v1.Pod],
    digest: str,
    now: datetime,
) -> Plan:
    """Pods to make where one is missing, to end where none belongs or there are too many."""
    plan = Plan()
    placed = by_node(pods)
    known = {node.name for node in nodes}
    surge, _ = surge_and_unavailable(daemon_set, len(nodes))
    for node in nodes:
        wanted, may_stay = placement.runs_on(daemon_set, node)
        here = placed.get(node.name, ())
        if wanted:
            _on_node(daemon_set, node.name, here, digest, now, plan, surging=surge > 0)
        elif not may_stay:
            plan.delete += [pod for pod in here if not pod_facts.is_terminating(pod)]
    for name, stranded in placed.items():
        if name and name not in known:
            # The node is gone; pods that never reached it have nobody else to end them.
            plan.delete += [p for p in stranded if not p.spec.nodeName and not pod_facts.is_terminating(p)]
    return plan


def _on_node(
    daemon_set: apps_v1.DaemonSet,
    node_name: str,
    here: Sequence[core_v1.Pod],
    digest: str,
    now: datetime,
    plan: Plan,
    *,
    surging: bool,
) -> None:
    running = []
    for pod in here:
        if pod_facts.is_terminating(pod):
            continue
        if pod.status.phase == pod_facts.FAILED:
            plan.failed.append(pod)
        elif pod.status.phase == pod_facts.SUCCEEDED:
            plan.delete.append(pod)
        else:
            running.append(pod)
    if not here:
        plan.create.append(node_name)
        return
    if len(running) <= 1:
        return
    oldest_first = sorted(running, key=lambda pod: (pod.metadata.creationTimestamp or "", pod.name))
    if not surging:
        plan.delete += oldest_first[1:]
        return
    new = [pod for pod in oldest_first if pod.metadata.labels.get(HASH_LABEL) == digest]
    old = [pod for pod in oldest_first if pod.metadata.labels.get(HASH_LABEL) != digest]
    plan.delete += new[1:] + old[1:]
    if new and old and pod_facts.is_available(new[0], daemon_set.spec.minReadySeconds, now):
        plan.delete.append(old[0])


def rolling_update(
    daemon_set: apps_v1.DaemonSet,
    nodes: Sequence[core_v1.Node],
    pods: Sequence[core_v1.Pod],
    digest: str,
    now: datetime,
) -> Plan:
    """The next old pods to replace, as many as maxUnavailable or maxSurge allow."""
    plan = Plan()
    wanted = [node for node in nodes if placement.runs_on(daemon_set, node)[0]]
    surge, unavailable = surge_and_unavailable(daemon_set, len(wanted))
    placed = by_node(pods)
    candidates: list[tuple[str, core_v1.Pod]] = []
    away = beside = 0
    for node in wanted:
        live = [pod for pod in placed.get(node.name, ()) if not pod_facts.is_finished(pod)]
        new = [pod for pod in live if pod.metadata.labels.get(HASH_LABEL) == digest]
        old = [pod for pod in live if pod not in new]
        staying = [pod for pod in old if not pod_facts.is_terminating(pod)]
        available = [pod for pod in live if pod_facts.is_available(pod, daemon_set.spec.minReadySeconds, now)]
        if surge:
            beside += bool(new and old)
            if staying and not new:
                candidates.append((node.name, staying[0]))
            continue
        working = [pod for pod in available if not pod_facts.is_terminating(pod)]
        if staying and not working:
            plan.delete.append(staying[0])  # it is away already: replacing it costs nothing
        elif staying:
            candidates.append((node.name, staying[0]))
        away += not working
    if surge:
        plan.create += [name for name, _ in candidates[: max(0, surge - beside)]]
    else:
        plan.delete += [pod for _, pod in candidates[: max(0, unavailable - away)]]
    return plan
