"""What the runtime says about one pod, as plain values: the observation all decisions start from.

Follows: kubernetes pkg/kubelet/container/runtime.go, PodStatus.
"""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from pybernetes.kubelet.cri import api_pb2 as api

CONTAINER_NAME_LABEL = "io.kubernetes.container.name"
POD_NAME_LABEL = "io.kubernetes.pod.name"
POD_NAMESPACE_LABEL = "io.kubernetes.pod.namespace"
POD_UID_LABEL = "io.kubernetes.pod.uid"
HASH_ANNOTATION = "io.kubernetes.container.hash"
RESTART_COUNT_ANNOTATION = "io.kubernetes.container.restartCount"
TERMINATION_MESSAGE_PATH_ANNOTATION = "io.kubernetes.container.terminationMessagePath"
TERMINATION_MESSAGE_POLICY_ANNOTATION = "io.kubernetes.container.terminationMessagePolicy"
GRACE_PERIOD_ANNOTATION = "io.kubernetes.pod.terminationGracePeriod"

RUNTIME_NAME = "containerd"
EPOCH = datetime.fromtimestamp(0, UTC)


class State(StrEnum):
    """What CRI says of a container, in the words messages use."""

    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"


_STATES = {
    api.CONTAINER_CREATED: State.CREATED,
    api.CONTAINER_RUNNING: State.RUNNING,
    api.CONTAINER_EXITED: State.EXITED,
}


@dataclass(frozen=True, slots=True)
class ContainerUser:
    uid: int
    gid: int
    supplemental_groups: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Resources:
    """What a running container's cgroup holds; zero means not set."""

    cpu_shares: int = 0
    cpu_quota: int = 0
    cpu_period: int = 0
    memory_limit_bytes: int = 0


@dataclass(frozen=True, slots=True)
class RuntimeContainer:
    """One container, living or dead."""

    id: str
    name: str
    state: State
    sandbox_id: str = ""
    attempt: int = 0
    created_at: datetime = EPOCH
    started_at: datetime | None = None
    finished_at: datetime | None = None
    exit_code: int = 0
    reason: str = ""
    message: str = ""
    image: str = ""
    image_ref: str = ""
    spec_hash: str = ""
    restart_count: int = 0
    resources: Resources | None = None
    user: ContainerUser | None = None
    mounts: tuple[tuple[str, str], ...] = ()
    """(path in the container, path on the host)."""
    log_path: str = ""
    message_path: str = ""
    message_policy: str = ""
    grace_period_seconds: int | None = None
    """What the pod asked for when the container was made; for pods whose spec is lost."""

    @property
    def full_id(self) -> str:
        """`containerd://…`, as the API shows it."""
        return f"{RUNTIME_NAME}://{self.id}"


@dataclass(frozen=True, slots=True)
class RuntimeSandbox:
    id: str
    ready: bool
    attempt: int = 0
    created_at: datetime = EPOCH
    ips: tuple[str, ...] = ()
    host_network: bool = False


@dataclass(frozen=True, slots=True)
class RuntimePod:
    """All there is of one pod in the runtime, newest first."""

    uid: str
    name: str = ""
    namespace: str = ""
    sandboxes: Sequence[RuntimeSandbox] = field(default_factory=tuple)
    containers: Sequence[RuntimeContainer] = field(default_factory=tuple)

    def find(self, name: str) -> RuntimeContainer | None:
        """The newest container of that name."""
        return next((container for container in self.containers if container.name == name), None)

    def find_active(self, name: str) -> RuntimeContainer | None:
        """The newest container of that name in the present sandbox; what ran in an earlier one has no part in it."""
        sandbox = self.ready_sandbox
        if sandbox is None:
            return None
        return next((one for one in self.containers if one.name == name and one.sandbox_id == sandbox.id), None)

    @property
    def running(self) -> list[RuntimeContainer]:
        return [one for one in self.containers if one.state in (State.RUNNING, State.UNKNOWN)]

    @property
    def ready_sandbox(self) -> RuntimeSandbox | None:
        """The sandbox containers are started in; None when the newest one is not ready."""
        return self.sandboxes[0] if self.sandboxes and self.sandboxes[0].ready else None

    @property
    def ips(self) -> tuple[str, ...]:
        """Addresses of the pod's own network; empty while it has none."""
        sandbox = self.ready_sandbox
        return sandbox.ips if sandbox is not None else ()


def moment(nanoseconds: int) -> datetime | None:
    """CRI's nanoseconds since 1970; zero means never."""
    return datetime.fromtimestamp(nanoseconds / 1e9, UTC) if nanoseconds > 0 else None


def sandbox_from_cri(status: api.PodSandboxStatus) -> RuntimeSandbox:
    network = status.network
    ips = tuple(ip for ip in (network.ip, *(more.ip for more in network.additional_ips)) if ip)
    return RuntimeSandbox(
        id=status.id,
        ready=status.state == api.SANDBOX_READY,
        attempt=status.metadata.attempt,
        created_at=moment(status.created_at) or EPOCH,
        ips=ips,
        host_network=status.linux.namespaces.options.network == api.NODE,
    )


def container_from_cri(status: api.ContainerStatus, sandbox_id: str = "") -> RuntimeContainer:
    annotations = status.annotations
    grace: int | None = None
    restarts = status.metadata.attempt
    with contextlib.suppress(ValueError, KeyError):
        grace = int(annotations[GRACE_PERIOD_ANNOTATION]) if GRACE_PERIOD_ANNOTATION in annotations else None
    with contextlib.suppress(ValueError, KeyError):
        restarts = int(annotations[RESTART_COUNT_ANNOTATION]) if RESTART_COUNT_ANNOTATION in annotations else restarts
    linux = status.resources.linux
    user = status.user.linux
    return RuntimeContainer(
        id=status.id,
        name=status.labels.get(CONTAINER_NAME_LABEL, status.metadata.name),
        state=_STATES.get(status.state, State.UNKNOWN),
        sandbox_id=sandbox_id,
        attempt=status.metadata.attempt,
        created_at=moment(status.created_at) or EPOCH,
        started_at=moment(status.started_at),
        finished_at=moment(status.finished_at),
        exit_code=status.exit_code,
        reason=status.reason,
        message=status.message,
        image=status.image.user_specified_image or status.image.image,
        image_ref=status.image_ref,
        spec_hash=annotations.get(HASH_ANNOTATION, ""),
        restart_count=restarts,
        resources=Resources(linux.cpu_shares, linux.cpu_quota, linux.cpu_period, linux.memory_limit_in_bytes)
        if status.HasField("resources")
        else None,
        user=ContainerUser(user.uid, user.gid, tuple(user.supplemental_groups)) if status.HasField("user") else None,
        mounts=tuple((mount.container_path, mount.host_path) for mount in status.mounts),
        log_path=status.log_path,
        message_path=annotations.get(TERMINATION_MESSAGE_PATH_ANNOTATION, ""),
        message_policy=annotations.get(TERMINATION_MESSAGE_POLICY_ANNOTATION, ""),
        grace_period_seconds=grace,
    )
