"""A pod as the scheduler computes with it: what it asks for, parsed once.

Follows: kubernetes 1.36 pkg/scheduler/framework/types.go, PodInfo and calculateResource.
"""

from dataclasses import dataclass, field

from pybernetes.api import core_v1, pod_resources

DEFAULT_MILLI_CPU = 100
DEFAULT_MEMORY = 200 * 1024 * 1024
"""What a container that requests nothing counts for when nodes are compared."""


@dataclass(frozen=True, slots=True)
class PodInfo:
    """Resource amounts are in milli CPU for `cpu`, whole units otherwise."""

    pod: core_v1.Pod
    requests: dict[str, int]
    comparable: tuple[int, int]
    """Milli CPU and bytes of memory with the defaults filled in, for scores."""
    host_ports: tuple[tuple[str, str, int], ...]
    """(protocol, host IP, port); the IP of a wildcard is 0.0.0.0."""
    priority: int
    images: tuple[str, ...]
    required_affinity: tuple[core_v1.PodAffinityTerm, ...] = ()
    required_anti_affinity: tuple[core_v1.PodAffinityTerm, ...] = ()
    preferred_affinity: tuple[core_v1.WeightedPodAffinityTerm, ...] = ()
    preferred_anti_affinity: tuple[core_v1.WeightedPodAffinityTerm, ...] = ()
    parsed: dict[object, object] = field(default_factory=dict, compare=False)
    """What plugins derived from the pod once and keep with it."""

    @property
    def has_pod_affinity(self) -> bool:
        """Wants other pods near or far."""
        return bool(
            self.required_affinity
            or self.required_anti_affinity
            or self.preferred_affinity
            or self.preferred_anti_affinity
        )

    @property
    def key(self) -> str:
        return self.pod.key

    @property
    def uid(self) -> str:
        return self.pod.metadata.uid


def pod_info(pod: core_v1.Pod) -> PodInfo:
    """Everything about a pod that does not depend on nodes."""
    spec = pod.spec
    requests = {
        name: amount.milli_value if name == "cpu" else amount.value
        for name, amount in pod_resources.requests(pod).items()
    }
    affinity = spec.affinity
    near = affinity.podAffinity if affinity else None
    apart = affinity.podAntiAffinity if affinity else None
    return PodInfo(
        pod=pod,
        requests={name: amount for name, amount in requests.items() if amount},
        comparable=_comparable(pod, requests),
        host_ports=tuple(
            (port.protocol or "TCP", port.hostIP or "0.0.0.0", port.hostPort)
            for container in [*spec.containers, *(c for c in spec.initContainers if pod_resources.is_sidecar(c))]
            for port in container.ports
            if port.hostPort
        ),
        priority=spec.priority or 0,
        images=tuple(normalized_image(container.image) for container in spec.containers),
        required_affinity=tuple(near.requiredDuringSchedulingIgnoredDuringExecution) if near else (),
        required_anti_affinity=tuple(apart.requiredDuringSchedulingIgnoredDuringExecution) if apart else (),
        preferred_affinity=tuple(near.preferredDuringSchedulingIgnoredDuringExecution) if near else (),
        preferred_anti_affinity=tuple(apart.preferredDuringSchedulingIgnoredDuringExecution) if apart else (),
    )


def _comparable(pod: core_v1.Pod, requests: dict[str, int]) -> tuple[int, int]:
    """Each container without a request counts for the default; init containers matter only through `requests`."""
    containers = pod.spec.containers
    milli_cpu = requests.get("cpu", 0) + DEFAULT_MILLI_CPU * sum("cpu" not in c.resources.requests for c in containers)
    memory = requests.get("memory", 0) + DEFAULT_MEMORY * sum("memory" not in c.resources.requests for c in containers)
    return milli_cpu, memory


def normalized_image(image: str) -> str:
    """With the tag `latest` where there is neither tag nor digest. Follows: imagelocality normalizedImageName."""
    if image.rfind(":") <= image.rfind("/"):
        return image + ":latest"
    return image
