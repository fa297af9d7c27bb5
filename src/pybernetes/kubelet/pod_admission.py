"""Whether this node takes a pod. The scheduler asked the same with older knowledge; a pod that does not fit fails.

Follows: kubernetes pkg/kubelet/lifecycle/predicate.go; pkg/scheduler framework plugins used as admission checks.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pybernetes.api import core_v1, node_selection, pod_resources
from pybernetes.api.scalars import Quantity as QuantityText
from pybernetes.machinery import quantity

REJECTED_PREFIX = "Pod was rejected: "


@dataclass(frozen=True, slots=True)
class Rejection:
    """Why not: the pod's reason and message."""

    reason: str
    message: str


def rejection(
    pod: core_v1.Pod,
    others: Sequence[core_v1.Pod],
    node: core_v1.Node,
    allocatable: Mapping[str, QuantityText],
) -> Rejection | None:
    """The first thing that speaks against the pod; None if it is welcome. `others` are the pods that are here."""
    if pod.spec.os is not None and pod.spec.os.name not in ("", "linux"):
        return Rejection("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
    short = _insufficient(pod, others, allocatable)
    if short is not None:
        return short
    if not node_selection.selects(pod, node.name, node.metadata.labels):
        return Rejection(
            "NodeAffinity", "Predicate NodeAffinity failed: node(s) didn't match Pod's node affinity/selector"
        )
    if _ports_conflict(pod, others):
        return Rejection(
            "NodePorts", "Predicate NodePorts failed: node(s) didn't have free ports for the requested pod ports"
        )
    if any(
        taint.effect == "NoExecute" and not any(node_selection.tolerates(one, taint) for one in pod.spec.tolerations)
        for taint in node.spec.taints
    ):
        return Rejection(
            "TaintToleration", "Predicate TaintToleration failed: node(s) had taints that the pod didn't tolerate"
        )
    return None


def _insufficient(
    pod: core_v1.Pod, others: Sequence[core_v1.Pod], allocatable: Mapping[str, QuantityText]
) -> Rejection | None:
    room_for = quantity.value(allocatable.get("pods", "110"))
    if len(others) + 1 > room_for:
        return Rejection(
            "OutOfpods",
            f"Node didn't have enough resource: pods, requested: 1, used: {len(others)}, capacity: {room_for}",
        )
    for name, asked in sorted(pod_resources.requests(pod).items()):
        if not asked:
            continue
        used = sum((_amount(other, name) for other in others), start=0)
        wanted = asked.milli_value if name == "cpu" else asked.value
        text = allocatable.get(name, "0")
        capacity = quantity.milli_value(text) if name == "cpu" else quantity.value(text)
        if used + wanted > capacity:
            return Rejection(
                f"OutOf{name}",
                f"Node didn't have enough resource: {name}, requested: {wanted}, used: {used}, capacity: {capacity}",
            )
    return None


def _amount(pod: core_v1.Pod, name: str) -> int:
    asked = pod_resources.requests(pod).get(name)
    if asked is None:
        return 0
    return asked.milli_value if name == "cpu" else asked.value


def _host_ports(pod: core_v1.Pod) -> Iterable[tuple[str, str, int]]:
    for container in (*pod.spec.containers, *pod.spec.initContainers):
        for port in container.ports:
            if port.hostPort:
                yield (port.protocol or "TCP", port.hostIP or "0.0.0.0", port.hostPort)


def _ports_conflict(pod: core_v1.Pod, others: Sequence[core_v1.Pod]) -> bool:
    wanted = list(_host_ports(pod))
    if not wanted:
        return False
    any_address = ("0.0.0.0", "::")
    taken = [port for other in others for port in _host_ports(other)]
    return any(
        (protocol, number) == (other_protocol, other_number)
        and (ip == other_ip or ip in any_address or other_ip in any_address)
        for protocol, ip, number in wanted
        for other_protocol, other_ip, other_number in taken
    )
