"""Statuses of a pod's containers from what the runtime has, what was last reported, and why starts failed.

Follows: kubernetes pkg/kubelet/kubelet_pods.go, convertToAPIContainerStatuses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from pybernetes.api import core_v1
from pybernetes.api.scalars import Quantity as QuantityText
from pybernetes.effects import format_time
from pybernetes.kubelet.restart_policy import is_sidecar, should_be_restarted
from pybernetes.kubelet.runtime_status import RuntimeContainer, RuntimePod, State
from pybernetes.kubelet.seam import ContainerLike
from pybernetes.kubelet.status import reasons
from pybernetes.machinery import quantity

LOST_MESSAGE = "The container could not be located when the pod was terminated"
LOST_RUNNING_MESSAGE = "The container could not be located when the pod was deleted.  The container used to be Running"
LOST_EXIT_CODE = 137

Resources = core_v1.ResourceRequirements
MIN_SHARES = 2
MIN_QUOTA_MILLICORES = 10


@dataclass(frozen=True, slots=True)
class StartFailure:
    """Why the last attempt to start a container came to nothing: the waiting state users see."""

    reason: str
    message: str


def container_statuses(
    pod: core_v1.Pod,
    runtime: RuntimePod,
    containers: Sequence[ContainerLike],
    previous: Sequence[core_v1.ContainerStatus],
    failures: Mapping[str, StartFailure],
    *,
    init: bool = False,
) -> list[core_v1.ContainerStatus]:
    """One status per container: init containers in the order of the spec, others by name.

    `previous` is what was last reported; restart counts and last ends survive in it when the runtime forgot them.
    """
    old = {status.name: status for status in previous}
    default = reasons.POD_INITIALIZING if pod.spec.initContainers else reasons.CONTAINER_CREATING
    result: dict[str, core_v1.ContainerStatus] = {}
    for container in containers:
        instances = [one for one in runtime.containers if one.name == container.name][:2]
        status = (
            _from_runtime(container, instances, old.get(container.name))
            if instances
            else _without_container(pod, container, old.get(container.name), default)
        )
        result[container.name] = _waiting_after_failure(pod, runtime, container, status, failures, init=init)
    ordered = list(result.values())
    return ordered if init else sorted(ordered, key=lambda status: status.name)


def _without_container(
    pod: core_v1.Pod, container: ContainerLike, old: core_v1.ContainerStatus | None, default: str
) -> core_v1.ContainerStatus:
    """The status of a container the runtime does not have: not made yet, or removed since."""
    if old is not None and old.state.terminated is not None:
        return old
    status = core_v1.ContainerStatus(
        name=container.name,
        image=container.image,
        state=core_v1.ContainerState(waiting=core_v1.ContainerStateWaiting(reason=default)),
        volumeMounts=_volume_mounts(container),
    )
    if old is None:
        return status
    status = replace(status, restartCount=old.restartCount, lastState=old.lastState)
    if old.state.running is None or status.lastState.terminated is not None:
        return status
    lost = core_v1.ContainerStateTerminated(
        reason=reasons.CONTAINER_STATUS_UNKNOWN, message=LOST_RUNNING_MESSAGE, exitCode=LOST_EXIT_CODE
    )
    restarts = status.restartCount + (pod.metadata.deletionTimestamp is None)
    return replace(status, lastState=core_v1.ContainerState(terminated=lost), restartCount=restarts)


def _from_runtime(
    container: ContainerLike, instances: Sequence[RuntimeContainer], old: core_v1.ContainerStatus | None
) -> core_v1.ContainerStatus:
    newest = instances[0]
    status = core_v1.ContainerStatus(
        name=container.name,
        restartCount=newest.restart_count,
        image=newest.image,
        imageID=newest.image_ref,
        containerID=newest.full_id,
        volumeMounts=old.volumeMounts if old is not None and old.volumeMounts else _volume_mounts(container),
        lastState=old.lastState if old is not None else core_v1.ContainerState(),
        state=_state(newest, old),
        user=_user(newest),
        resources=_resources(container, newest),
        allocatedResources=dict(container.resources.requests),
    )
    if newest.state is State.UNKNOWN and status.state.terminated is not None and old is not None:
        status = replace(status, restartCount=old.restartCount + 1)
    if len(instances) > 1:
        earlier = _state(instances[1], None)
        if earlier.terminated is not None:
            status = replace(status, lastState=earlier)
    elif old is not None and old.containerID != newest.full_id and old.state.terminated is not None:
        status = replace(status, lastState=core_v1.ContainerState(terminated=old.state.terminated))
    return status


def _state(container: RuntimeContainer, old: core_v1.ContainerStatus | None) -> core_v1.ContainerState:
    match container.state:
        case State.RUNNING:
            return core_v1.ContainerState(running=core_v1.ContainerStateRunning(startedAt=_time(container.started_at)))
        case State.EXITED:
            return core_v1.ContainerState(
                terminated=core_v1.ContainerStateTerminated(
                    exitCode=container.exit_code,
                    reason=container.reason,
                    message=container.message,
                    startedAt=_time(container.started_at),
                    finishedAt=_time(container.finished_at),
                    containerID=container.full_id,
                )
            )
        case State.UNKNOWN if old is not None and old.state.running is not None:
            return core_v1.ContainerState(
                terminated=core_v1.ContainerStateTerminated(
                    reason=reasons.CONTAINER_STATUS_UNKNOWN, message=LOST_MESSAGE, exitCode=LOST_EXIT_CODE
                )
            )
        case _:
            return core_v1.ContainerState(waiting=core_v1.ContainerStateWaiting())


def _waiting_after_failure(
    pod: core_v1.Pod,
    runtime: RuntimePod,
    container: ContainerLike,
    status: core_v1.ContainerStatus,
    failures: Mapping[str, StartFailure],
    *,
    init: bool,
) -> core_v1.ContainerStatus:
    """Waiting with the reason of the failed start, if the container is to be started again."""
    failure = failures.get(container.name)
    if failure is None:
        return status
    newest = runtime.find(container.name)
    completed = newest is not None and newest.state is State.EXITED and newest.exit_code == 0
    if init and completed and not is_sidecar(container):
        return status
    if not should_be_restarted(container, pod, runtime):
        return status
    last = core_v1.ContainerState(terminated=status.state.terminated) if status.state.terminated else status.lastState
    waiting = core_v1.ContainerStateWaiting(reason=failure.reason, message=failure.message)
    return replace(status, state=core_v1.ContainerState(waiting=waiting), lastState=last)


def _volume_mounts(container: ContainerLike) -> list[core_v1.VolumeMountStatus]:
    return [
        core_v1.VolumeMountStatus(
            name=mount.name,
            mountPath=mount.mountPath,
            readOnly=mount.readOnly,
            recursiveReadOnly="Disabled" if mount.readOnly else None,
        )
        for mount in container.volumeMounts
    ]


def _user(container: RuntimeContainer) -> core_v1.ContainerUser | None:
    user = container.user
    if user is None:
        return None
    return core_v1.ContainerUser(
        linux=core_v1.LinuxContainerUser(uid=user.uid, gid=user.gid, supplementalGroups=list(user.supplemental_groups))
    )


def _resources(container: ContainerLike, newest: RuntimeContainer) -> Resources:
    """What the container really has: limits as its cgroup holds them while it runs, else as the spec says."""
    spec = container.resources
    actual = newest.resources
    if newest.state is not State.RUNNING or actual is None:
        return spec
    limits: dict[str, QuantityText] = dict(spec.limits)
    if actual.memory_limit_bytes and "memory" in limits:
        limits["memory"] = _same_or(limits["memory"], actual.memory_limit_bytes, 1)
    if actual.cpu_quota > 0 and actual.cpu_period > 0 and "cpu" in limits:
        millis = actual.cpu_quota * 1000 // actual.cpu_period
        if millis > MIN_QUOTA_MILLICORES:
            limits["cpu"] = _same_or(limits["cpu"], millis, 1000)
    return replace(spec, limits=limits) if limits != spec.limits else spec


def _same_or(said: QuantityText, actual: int, per_unit: int) -> QuantityText:
    """`said` where it means `actual`, so that the status shows the spec's own spelling; else the actual amount."""
    meant = quantity.milli_value(said) if per_unit == 1000 else quantity.value(said)
    return said if meant == actual else f"{actual}m" if per_unit == 1000 else str(actual)


def _time(moment: datetime | None) -> str | None:
    return format_time(moment) if moment is not None else None
