"""What happens next to a pod on a simulated node: pure decisions from the pod as it is.

Follows: kwok's default stages (pod-ready, pod-complete, pod-delete) in what they do, not in how they are written.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from pybernetes.api import core_v1
from pybernetes.effects import format_time
from pybernetes.simnode.config import ANNOTATION_PREFIX, Delays

MAX_SECONDS = 86400.0


class Step(StrEnum):
    """The stages, by the name their annotation has."""

    START = "start"
    READY = "ready"
    FOLLOW = "follow"
    COMPLETE = "complete"
    STOP = "stop"


@dataclass(frozen=True, slots=True)
class Next:
    step: Step
    seconds: float
    """From the moment the pod came into the state it is in."""


def next_step(pod: core_v1.Pod, delays: Delays) -> Next | None:
    """What happens to the pod now; None when it stays as it is."""
    if pod.metadata.deletionTimestamp:
        return Next(Step.STOP, delay(pod, Step.STOP, delays.stop))
    if pod.status.phase in ("Succeeded", "Failed"):
        return None
    if pod.status.phase != "Running":
        return Next(Step.START, delay(pod, Step.START, delays.start))
    if not is_ready(pod):
        return Next(Step.READY, delay(pod, Step.READY, delays.ready))
    if pod.status.observedGeneration != pod.metadata.generation:
        return Next(Step.FOLLOW, 0)
    if ends_by_itself(pod):
        return Next(Step.COMPLETE, delay(pod, Step.COMPLETE, delays.complete))
    return None


def delay(pod: core_v1.Pod, step: Step, otherwise: float) -> float:
    """Seconds a stage takes for this pod; an annotation that is no sensible number counts as absent."""
    text = pod.metadata.annotations.get(f"{ANNOTATION_PREFIX}{step}-seconds", "")
    try:
        seconds = float(text)
    except ValueError:
        return otherwise
    return seconds if 0 <= seconds <= MAX_SECONDS else otherwise


def is_ready(pod: core_v1.Pod) -> bool:
    return any(condition.type == "Ready" and condition.status == "True" for condition in pod.status.conditions)


def ends_by_itself(pod: core_v1.Pod) -> bool:
    """Whether this pod is work that ends: a Job's pod does, by simulation's agreement; others run until deleted."""
    return any(owner.kind == "Job" and owner.controller for owner in pod.metadata.ownerReferences)


def running_status(pod: core_v1.Pod, now: datetime, *, pod_ip: str, host_ip: str, ready: bool) -> dict[str, Any]:
    """The status patch of a pod whose containers have started."""
    moment = format_time(now)
    state = {"running": {"startedAt": moment}}
    return {
        "observedGeneration": pod.metadata.generation,
        "phase": "Running",
        "startTime": moment,
        "hostIP": host_ip,
        "hostIPs": [{"ip": host_ip}],
        "podIP": pod_ip,
        "podIPs": [{"ip": pod_ip}],
        "conditions": _conditions(pod, moment, ready=ready),
        "initContainerStatuses": [
            _container(pod, container, {"terminated": _terminated(moment, moment)}, ready=True)
            for container in pod.spec.initContainers
        ],
        "containerStatuses": [_container(pod, container, state, ready=ready) for container in pod.spec.containers],
    }


def ready_status(pod: core_v1.Pod, now: datetime) -> dict[str, Any]:
    """The status patch of a running pod that becomes Ready."""
    return {
        "conditions": _conditions(pod, format_time(now), ready=True),
        "containerStatuses": [
            {"name": status.name, "ready": True, "started": True} for status in pod.status.containerStatuses
        ],
    }


def followed_status(pod: core_v1.Pod, now: datetime) -> dict[str, Any]:
    """The status patch of a running pod whose spec has changed; a container with another image starts anew."""
    known = {status.name: status for status in pod.status.containerStatuses}
    state = {"running": {"startedAt": format_time(now)}}
    anew = [
        {**_container(pod, container, state, ready=True), "restartCount": known[container.name].restartCount + 1}
        for container in pod.spec.containers
        if container.name in known and known[container.name].image != container.image
    ]
    return {"observedGeneration": pod.metadata.generation, "containerStatuses": anew}


def completed_status(pod: core_v1.Pod, now: datetime) -> dict[str, Any]:
    """The status patch of a pod whose containers have done their work."""
    moment = format_time(now)
    started = pod.status.startTime or moment
    state = {"running": None, "terminated": _terminated(started, moment)}
    return {
        "phase": "Succeeded",
        "conditions": [
            {"type": kind, "status": "False", "reason": "PodCompleted", "lastTransitionTime": moment}
            for kind in ("Ready", "ContainersReady")
        ],
        "containerStatuses": [
            {**_container(pod, container, state, ready=False), "started": False} for container in pod.spec.containers
        ],
    }


def _conditions(pod: core_v1.Pod, moment: str, *, ready: bool) -> list[dict[str, Any]]:
    values = {"PodReadyToStartContainers": True, "Initialized": True, "ContainersReady": ready, "Ready": ready}
    if ready:
        values["Ready"] = all(_gate_open(pod, gate.conditionType) for gate in pod.spec.readinessGates)
    return [
        {"type": kind, "status": "True" if value else "False", "lastTransitionTime": moment}
        | ({} if value or ready else {"reason": "ContainersNotReady"})
        for kind, value in values.items()
    ]


def _gate_open(pod: core_v1.Pod, kind: str) -> bool:
    return any(condition.type == kind and condition.status == "True" for condition in pod.status.conditions)


def _container(pod: core_v1.Pod, container: core_v1.Container, state: dict[str, Any], *, ready: bool) -> dict[str, Any]:
    return {
        "name": container.name,
        "image": container.image,
        "imageID": f"simulated://{container.image}",
        "containerID": f"simulated://{pod.metadata.uid}-{container.name}",
        "ready": ready,
        "started": "terminated" not in state,
        "restartCount": 0,
        "state": state,
        "lastState": {},
    }


def _terminated(started: str, finished: str) -> dict[str, Any]:
    return {"exitCode": 0, "reason": "Completed", "startedAt": started, "finishedAt": finished}
