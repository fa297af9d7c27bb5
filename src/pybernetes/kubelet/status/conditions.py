"""The conditions the kubelet writes into a pod's status.

Follows: kubernetes pkg/kubelet/status/generate.go.
"""

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from pybernetes.api import core_v1
from pybernetes.kubelet.pod_actions import sandbox_changed
from pybernetes.kubelet.restart_policy import is_sidecar
from pybernetes.kubelet.runtime_status import RuntimePod
from pybernetes.kubelet.status import reasons

Statuses = Mapping[str, core_v1.ContainerStatus]
TRUE, FALSE = "True", "False"


def _condition(pod: core_v1.Pod, kind: str, met: bool, reason: str = "", message: str = "") -> core_v1.PodCondition:
    return core_v1.PodCondition(
        type=kind,
        status=TRUE if met else FALSE,
        reason=reason,
        message=message,
        observedGeneration=pod.metadata.generation,
    )


def _names(names: Sequence[str]) -> str:
    """`[a b]`, as Go prints a list of strings."""
    return f"[{' '.join(names)}]"


def ready_to_start_containers(pod: core_v1.Pod, runtime: RuntimePod) -> core_v1.PodCondition:
    """True while the pod has a sandbox with a network."""
    needs_new, _, _ = sandbox_changed(pod, runtime)
    return _condition(pod, reasons.POD_READY_TO_START_CONTAINERS, not needs_new)


def initialized(pod: core_v1.Pod, statuses: Statuses, phase: str) -> core_v1.PodCondition:
    unknown = [one.name for one in pod.spec.initContainers if one.name not in statuses]
    incomplete = [
        one.name
        for one in pod.spec.initContainers
        if (status := statuses.get(one.name)) is not None and not (status.started if is_sidecar(one) else status.ready)
    ]
    if phase == reasons.SUCCEEDED and not unknown:
        return _condition(pod, reasons.INITIALIZED, True, reasons.POD_COMPLETED)
    if any(_has_started(statuses.get(one.name)) for one in pod.spec.containers):
        return _condition(pod, reasons.INITIALIZED, True)
    message = _unmet(unknown, incomplete, "incomplete")
    if message:
        return _condition(pod, reasons.INITIALIZED, False, reasons.CONTAINERS_NOT_INITIALIZED, message)
    return _condition(pod, reasons.INITIALIZED, True)


def _has_started(status: core_v1.ContainerStatus | None) -> bool:
    return status is not None and (
        status.state.running is not None
        or (status.state.terminated is not None and status.state.terminated.startedAt is not None)
        or (status.lastState.terminated is not None and status.lastState.terminated.startedAt is not None)
    )


def _unmet(unknown: Sequence[str], unmet: Sequence[str], word: str) -> str:
    parts = []
    if unknown:
        parts.append(f"containers with unknown status: {_names(unknown)}")
    if unmet:
        parts.append(f"containers with {word} status: {_names(unmet)}")
    return ", ".join(parts)


def containers_ready(pod: core_v1.Pod, statuses: Statuses, phase: str) -> core_v1.PodCondition:
    counted = [*(one for one in pod.spec.initContainers if is_sidecar(one)), *pod.spec.containers]
    unknown = [one.name for one in counted if one.name not in statuses]
    unready = [one.name for one in counted if one.name in statuses and not statuses[one.name].ready]
    kind = reasons.CONTAINERS_READY
    if phase == reasons.SUCCEEDED and not unknown:
        return _condition(pod, kind, False, reasons.POD_COMPLETED)
    if phase == reasons.FAILED:
        return _condition(pod, kind, False, reasons.POD_FAILED)
    message = _unmet(unknown, unready, "unready")
    if message:
        return _condition(pod, kind, False, reasons.CONTAINERS_NOT_READY, message)
    return _condition(pod, kind, True)


def ready(
    pod: core_v1.Pod, others: Sequence[core_v1.PodCondition], of_containers: core_v1.PodCondition
) -> core_v1.PodCondition:
    """Ready: all containers are, and every readiness gate is True."""
    if of_containers.status != TRUE:
        return replace(of_containers, type=reasons.READY)
    by_type = {condition.type: condition.status for condition in others}
    complaints = []
    for gate in pod.spec.readinessGates:
        status = by_type.get(gate.conditionType)
        if status is None:
            complaints.append(f'corresponding condition of pod readiness gate "{gate.conditionType}" does not exist.')
        elif status != TRUE:
            complaints.append(f'the status of pod readiness gate "{gate.conditionType}" is not "True", but {status}')
    if complaints:
        return _condition(pod, reasons.READY, False, reasons.READINESS_GATES_NOT_READY, ", ".join(complaints))
    return _condition(pod, reasons.READY, True)


def scheduled(pod: core_v1.Pod) -> core_v1.PodCondition:
    return _condition(pod, reasons.POD_SCHEDULED, True)


def with_transition_times(
    new: Sequence[core_v1.PodCondition], old: Sequence[core_v1.PodCondition], now: str
) -> list[core_v1.PodCondition]:
    """`new` with lastTransitionTime: the old one where the status stayed the same, else `now`."""
    before = {condition.type: condition for condition in old}
    result = []
    for condition in new:
        known = before.get(condition.type)
        same = known is not None and known.status == condition.status and known.lastTransitionTime
        moment = known.lastTransitionTime if known is not None and same else now
        result.append(replace(condition, lastTransitionTime=moment))
    return result
