"""Finding the pod and the container a request names."""

from collections.abc import Callable, Sequence

from pybernetes.api import core_v1
from pybernetes.kubelet.cri import api_pb2 as cri
from pybernetes.kubelet.cri.interface import RuntimeService
from pybernetes.kubelet.seam import ContainerLike
from pybernetes.machinery.errors import BadRequest, InternalError, NotFound

CONTAINER_NAME_LABEL = "io.kubernetes.container.name"
RUNTIME_PREFIX_SEPARATOR = "://"


def find_pod(pods: Callable[[], Sequence[core_v1.Pod]], namespace: str, name: str, uid: str = "") -> core_v1.Pod:
    """The pod of that name, and of that uid when one is given. Raises: NotFound."""
    for pod in pods():
        if pod.namespace == namespace and pod.name == name and uid in ("", pod.metadata.uid):
            return pod
    raise NotFound(f'pod "{name}" does not exist')


def container_names(pod: core_v1.Pod) -> list[str]:
    everyone: list[ContainerLike] = [*pod.spec.containers, *pod.spec.initContainers, *pod.spec.ephemeralContainers]
    return [container.name for container in everyone]


def status_of(pod: core_v1.Pod, container: str) -> core_v1.ContainerStatus | None:
    status = pod.status
    everyone = [*status.containerStatuses, *status.initContainerStatuses, *status.ephemeralContainerStatuses]
    return next((found for found in everyone if found.name == container), None)


def without_runtime(container_id: str) -> str:
    """`containerd://abc` as the runtime knows it: `abc`."""
    return container_id.rpartition(RUNTIME_PREFIX_SEPARATOR)[2]


def logged_container(pod: core_v1.Pod, container: str, *, previous: bool) -> str:
    """The runtime's id of the container whose log is asked for.

    Raises:
        BadRequest: it has not started yet, with the reason; or there was none before it.

    Follows: kubernetes pkg/kubelet/kubelet_pods.go, validateContainerLogStatus.
    """
    status = status_of(pod, container)
    if status is None:
        raise BadRequest(f'container "{container}" in pod "{pod.name}" is not available')
    state, last = status.state, status.lastState
    waiting = state.waiting
    before = last.terminated.containerID if last.terminated is not None else ""
    if previous:
        if not before:
            raise BadRequest(f'previous terminated container "{container}" in pod "{pod.name}" not found')
        return without_runtime(before)
    if state.running is not None:
        return without_runtime(status.containerID)
    if state.terminated is not None:
        # A container that could not even be created has no id; what ran before it is what there is to read.
        own = state.terminated.containerID or before
        if not own:
            raise BadRequest(f'container "{container}" in pod "{pod.name}" is terminated')
        return without_runtime(own)
    if before:
        return without_runtime(before)
    reason = waiting.reason if waiting is not None else ""
    text = f'container "{container}" in pod "{pod.name}" is waiting to start'
    match reason:
        case "":
            raise BadRequest(f'container "{container}" in pod "{pod.name}" is waiting to start - no logs yet')
        case "ErrImagePull":
            raise BadRequest(f"{text}: image can't be pulled")
        case "ImagePullBackOff":
            raise BadRequest(f"{text}: trying and failing to pull image")
        case _:
            raise BadRequest(f"{text}: {reason}")


async def running_container(runtime: RuntimeService, pod: core_v1.Pod, container: str) -> str:
    """The id of the running container of that name. Raises: InternalError, as upstream."""
    found = [
        one
        for one in await runtime.list_containers(pod_uid=pod.metadata.uid)
        if one.labels.get(CONTAINER_NAME_LABEL) == container and one.state == cri.CONTAINER_RUNNING
    ]
    if not found:
        raise InternalError(f'container not found ("{container}")')
    return max(found, key=lambda one: one.created_at).id


async def ready_sandbox(runtime: RuntimeService, pod: core_v1.Pod) -> str:
    """The id of the pod's sandbox. Raises: InternalError."""
    found = [
        one for one in await runtime.list_pod_sandboxes(pod_uid=pod.metadata.uid) if one.state == cri.SANDBOX_READY
    ]
    if not found:
        raise InternalError(f'pod not found ("{pod.name}_{pod.namespace}")')
    return max(found, key=lambda one: one.created_at).id
