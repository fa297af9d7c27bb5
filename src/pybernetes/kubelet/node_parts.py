"""What every pod worker of a node shares. Made once by `kubelet.run`."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pybernetes.api import core_v1
from pybernetes.effects import Chance, Clock
from pybernetes.kubelet import events
from pybernetes.kubelet.cgroups.amounts import ContainerResources
from pybernetes.kubelet.config import KubeletConfig
from pybernetes.kubelet.cri.interface import RuntimeService
from pybernetes.kubelet.dns_config import DnsConfig
from pybernetes.kubelet.downward import NodeFacts
from pybernetes.kubelet.image_puller import ImagePuller
from pybernetes.kubelet.probes.manager import ProbeManager
from pybernetes.kubelet.seam import ContainerLike, References, Volumes
from pybernetes.kubelet.status.manager import StatusManager


class PodCgroups(Protocol):
    """What pod workers need of cgroups; see `cgroups.manager`."""

    def ensure(self, pod: core_v1.Pod) -> str: ...

    def container_resources(self, pod: core_v1.Pod, container: ContainerLike) -> ContainerResources: ...

    def remove(self, uid: str) -> None: ...

    def pod_uids(self) -> list[str]: ...


@dataclass(frozen=True, slots=True)
class NodeParts:
    config: KubeletConfig
    clock: Clock
    chance: Chance
    runtime: RuntimeService
    puller: ImagePuller
    probes: ProbeManager
    statuses: StatusManager
    recorder: events.Recorder
    volumes: Volumes
    references: References
    cgroups: PodCgroups
    services: Callable[[], Sequence[core_v1.Service]]
    """All Services of the cluster."""
    node_facts: Callable[[], NodeFacts]
    host_dns: Callable[[], DnsConfig]
    runtime_problem: Callable[[], str]
    """Why no pod with a network of its own can start; empty when all is well."""
    runtime_handler: Callable[[core_v1.Pod], Awaitable[str]]
    """The runtime's handler for the pod's RuntimeClass; empty for the default one."""
    volume_path: Callable[[str, str], Path | None]
    """Where a prepared volume lies, by pod uid and name."""
