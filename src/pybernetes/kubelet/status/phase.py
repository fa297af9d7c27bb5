"""The phase of a pod from the statuses of its containers.

Follows: kubernetes pkg/kubelet/kubelet_pods.go, getPhase.
"""

from collections import Counter
from collections.abc import Mapping

from pybernetes.api import core_v1
from pybernetes.kubelet.restart_policy import is_sidecar, restarts_after
from pybernetes.kubelet.status import reasons


def pod_phase(
    pod: core_v1.Pod, statuses: Mapping[str, core_v1.ContainerStatus], *, terminal: bool, initialized: bool
) -> str:
    """Pending, Running, Succeeded or Failed.

    `terminal`: nothing will be started any more, whatever the restart policy says. `initialized`: a main container
    was started before, so a restarting sidecar does not make the pod Pending again.
    """
    counts: Counter[str] = Counter()
    for container in pod.spec.initContainers:
        if is_sidecar(container):
            counts.update(_sidecar(statuses.get(container.name)))
        else:
            counts.update(_init_container(pod, container, statuses.get(container.name)))
    for container in pod.spec.containers:
        counts.update(_main_container(pod, container, statuses.get(container.name)))
    if counts["initialization failed for good"]:
        return reasons.FAILED
    if counts["init pending"] or (counts["sidecar pending"] and not initialized) or counts["waiting"]:
        return reasons.PENDING
    if counts["unknown"]:
        return reasons.PENDING
    if counts["running"]:
        return reasons.RUNNING
    if not counts["stopped"]:
        return reasons.PENDING
    if not terminal and counts["stopped"] != counts["stopped for good"]:
        return reasons.RUNNING
    return reasons.SUCCEEDED if counts["stopped"] == counts["succeeded"] else reasons.FAILED


def _end(status: core_v1.ContainerStatus) -> core_v1.ContainerStateTerminated | None:
    """How the container ended; for one that waits to be started again, how it ended last."""
    return status.state.terminated or (status.lastState.terminated if status.state.waiting is not None else None)


def _init_container(
    pod: core_v1.Pod, container: core_v1.Container, status: core_v1.ContainerStatus | None
) -> list[str]:
    end = _end(status) if status is not None else None
    if end is None:
        return ["init pending"]
    if end.exitCode == 0 or restarts_after(container, pod, end.exitCode):
        return []
    return ["initialization failed for good"]


def _sidecar(status: core_v1.ContainerStatus | None) -> list[str]:
    """A sidecar that ended does not count: it neither makes a pod succeed nor fail."""
    if status is None:
        return ["unknown"]
    if status.state.running is not None:
        return ["running"] if status.started else ["running", "sidecar pending"]
    if _end(status) is not None:
        return []
    return ["sidecar pending", "waiting" if status.state.waiting is not None else "unknown"]


def _main_container(
    pod: core_v1.Pod, container: core_v1.Container, status: core_v1.ContainerStatus | None
) -> list[str]:
    if status is None:
        return ["unknown"]
    if status.state.running is not None:
        return ["running"]
    end = _end(status)
    if end is None:
        return ["waiting" if status.state.waiting is not None else "unknown"]
    marks = ["stopped"]
    if not restarts_after(container, pod, end.exitCode):
        marks.append("stopped for good")
    if end.exitCode == 0 and status.state.terminated is not None:
        marks.append("succeeded")
    return marks
