"""A node's conditions when it has been silent too long, and the taints that follow from conditions.

    Ready True                 no taint
    Ready False                not-ready:NoSchedule, not-ready:NoExecute
    Ready Unknown or silent    unreachable:NoSchedule, unreachable:NoExecute
    MemoryPressure True        memory-pressure:NoSchedule        (disk, pid, network likewise)
    spec.unschedulable         unschedulable:NoSchedule

Follows: kubernetes 1.36 pkg/controller/nodelifecycle/node_lifecycle_controller.go.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from pybernetes.api import core_v1
from pybernetes.api.node_selection import NO_EXECUTE, NO_SCHEDULE
from pybernetes.effects import format_time

READY = "Ready"
TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"
WATCHED = (READY, "MemoryPressure", "DiskPressure", "PIDPressure")
STOPPED = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
NEVER = ("NodeStatusNeverUpdated", "Kubelet never posted node status.")

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
BY_CONDITION = {
    "MemoryPressure": "node.kubernetes.io/memory-pressure",
    "DiskPressure": "node.kubernetes.io/disk-pressure",
    "PIDPressure": "node.kubernetes.io/pid-pressure",
    "NetworkUnavailable": "node.kubernetes.io/network-unavailable",
}
OURS = frozenset({NOT_READY, UNREACHABLE, UNSCHEDULABLE, *BY_CONDITION.values()})

ZONE_LABELS = ("topology.kubernetes.io/region", "topology.kubernetes.io/zone")


def condition(node: core_v1.Node, kind: str) -> core_v1.NodeCondition | None:
    return next((found for found in node.status.conditions if found.type == kind), None)


def ready_status(node: core_v1.Node) -> str:
    found = condition(node, READY)
    return found.status if found is not None else UNKNOWN


def silenced(node: core_v1.Node, now: datetime) -> core_v1.Node:
    """The node with everything about its health Unknown."""
    conditions = list(node.status.conditions)
    moment = format_time(now)
    for kind in WATCHED:
        present = condition(node, kind)
        if present is None:
            reason, message = NEVER
            conditions.append(
                core_v1.NodeCondition(
                    type=kind,
                    status=UNKNOWN,
                    reason=reason,
                    message=message,
                    lastHeartbeatTime=node.metadata.creationTimestamp,
                    lastTransitionTime=moment,
                )
            )
        elif present.status != UNKNOWN:
            reason, message = STOPPED
            changed = msgspec.structs.replace(
                present, status=UNKNOWN, reason=reason, message=message, lastTransitionTime=moment
            )
            conditions[conditions.index(present)] = changed
    return msgspec.structs.replace(node, status=msgspec.structs.replace(node.status, conditions=conditions))


def scheduling_taints(node: core_v1.Node) -> set[str]:
    """Keys of the NoSchedule taints the node should have of ours."""
    keys = {key for kind, key in BY_CONDITION.items() if _is_true(condition(node, kind))}
    if node.spec.unschedulable:
        keys.add(UNSCHEDULABLE)
    health = execution_taint(node)
    return keys | ({health} if health else set())


def _is_true(found: core_v1.NodeCondition | None) -> bool:
    return found is not None and found.status == TRUE


def execution_taint(node: core_v1.Node) -> str:
    """Key of the NoExecute taint the node's health asks for; empty when it is fine."""
    return {TRUE: "", FALSE: NOT_READY}.get(ready_status(node), UNREACHABLE)


def tainted(node: core_v1.Node, now: datetime, *, may_evict: bool) -> list[core_v1.Taint]:
    """The taints the node should have: others' untouched, ours by its conditions.

    A NoExecute taint is added only when `may_evict`; a wrong or needless one goes at once.
    """
    wanted = scheduling_taints(node)
    evicting = execution_taint(node)
    kept = [taint for taint in node.spec.taints if _stays(taint, wanted, evicting)]
    present = {(taint.key, taint.effect) for taint in kept}
    moment = format_time(now)
    kept += [
        core_v1.Taint(key=key, effect=NO_SCHEDULE, timeAdded=moment)
        for key in sorted(wanted)
        if (key, NO_SCHEDULE) not in present
    ]
    if evicting and may_evict and (evicting, NO_EXECUTE) not in present:
        kept.append(core_v1.Taint(key=evicting, effect=NO_EXECUTE, timeAdded=moment))
    return kept


def _stays(taint: core_v1.Taint, scheduling: set[str], evicting: str) -> bool:
    if taint.key not in OURS:
        return True
    if taint.effect == NO_SCHEDULE:
        return taint.key in scheduling
    if taint.effect == NO_EXECUTE and taint.key in (NOT_READY, UNREACHABLE):
        return taint.key == evicting
    return True


def zone_of(node: core_v1.Node) -> str:
    return ":".join(node.metadata.labels.get(label, "") for label in ZONE_LABELS)


def eviction_rate(
    zone: Sequence[core_v1.Node],
    *,
    everything_down: bool,
    rate: float,
    secondary_rate: float,
    unhealthy_threshold: float,
    large_size: int,
) -> float:
    """Nodes per second of one zone that may be evicted from.

    None while every zone is down, for then it is more likely us who are cut off; the usual rate while few nodes are
    unhealthy; else the secondary one in large zones, and none in small ones.
    """
    if everything_down:
        return 0.0
    unhealthy = sum(ready_status(node) != TRUE for node in zone)
    ready = len(zone) - unhealthy
    if ready == 0 and unhealthy > 0:
        return rate
    if unhealthy > 2 and unhealthy / len(zone) >= unhealthy_threshold:
        return secondary_rate if len(zone) > large_size else 0.0
    return rate
