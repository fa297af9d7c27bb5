"""Where the two halves of the kubelet meet: pod workers and CRI on one side; volumes, environment, cgroups beyond.

The order in which a pod worker calls, for one pod:

    references.register(pod)                     what the pod refers to is watched from now on
    cgroups.ensure(pod)                          the pod's cgroup exists, with its limits
    await volumes.prepare(pod)                   every volume of the pod is mounted under the pod's directory
    … sandbox is run, its IPs are known …
    environment.build(...)                       variables of one container (pure; sources come from `References`)
    await volumes.mounts(pod, container, env)    what CRI is told to mount into that container
    … containers have ended …
    await volumes.teardown(uid)                  nothing is left mounted, the pod's volume directory is gone
    cgroups.remove(uid)
    references.unregister(uid)

Nothing in here acts; these are the names both sides agree on.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from pybernetes.api import core_v1

ContainerLike = core_v1.Container | core_v1.EphemeralContainer
"""Ephemeral containers have the fields of ordinary ones, as far as environment and mounts go."""


class Propagation(IntEnum):
    """Mount propagation with CRI's numbers."""

    PRIVATE = 0
    HOST_TO_CONTAINER = 1
    BIDIRECTIONAL = 2


@dataclass(frozen=True, slots=True)
class Mount:
    """One entry of CRI's `ContainerConfig.mounts`."""

    name: str
    container_path: str
    host_path: str
    read_only: bool = False
    propagation: Propagation = Propagation.PRIVATE
    recursive_read_only: bool = False


@dataclass(frozen=True, slots=True)
class EnvVar:
    name: str
    value: str


class CreateContainerConfigError(Exception):
    """A container's configuration cannot be made; the waiting reason has this name, the message is the text."""


class VolumeError(Exception):
    """A pod's volumes cannot be set up now; try again later.

    `messages` are the texts of the `FailedMount` events, one for each volume that failed.
    """

    def __init__(self, *messages: str) -> None:
        super().__init__("; ".join(messages))
        self.messages = messages


class VolumeStillMounted(VolumeError):
    """Something of a pod that is gone could not be unmounted; try again later."""


class References(Protocol):
    """ConfigMaps and Secrets the pods of this node refer to, as fresh as a watch keeps them."""

    def register(self, pod: core_v1.Pod) -> None:
        """From now on what `pod` refers to is held; called again, it follows changes of the pod."""
        ...

    def unregister(self, uid: str) -> None: ...

    async def config_map(self, namespace: str, name: str) -> core_v1.ConfigMap:
        """Raises: StatusError (NotFound when there is none), Unreachable."""
        ...

    async def secret(self, namespace: str, name: str) -> core_v1.Secret:
        """Raises: StatusError (NotFound when there is none), Unreachable."""
        ...


class Volumes(Protocol):
    """What pod workers need of volumes."""

    async def prepare(self, pod: core_v1.Pod) -> None:
        """Every volume of the pod is mounted and filled; called again, it repairs and refreshes.

        Raises:
            VolumeError: something is missing or wrong; call again later.
        """
        ...

    async def mounts(
        self, pod: core_v1.Pod, container: ContainerLike, environment: dict[str, str], pod_ips: tuple[str, ...] = ()
    ) -> list[Mount]:
        """The mounts of one container, sub-paths made safe, the managed /etc/hosts included.

        Raises:
            CreateContainerConfigError: a volume or sub-path cannot be satisfied.
        """
        ...

    async def teardown(self, uid: str) -> None:
        """Nothing of the pod is mounted and its volume directory is gone; does nothing where there is nothing.

        Raises:
            VolumeStillMounted: the kernel would not let go; call again.
        """
        ...
