"""From quantities in a manifest to numbers the kernel understands, for pods and for containers. Pure.

    cpu request 250m → 256 shares      cpu limit 500m → quota 50000 µs of each period of 100000 µs
    memory limit 1Gi → 1073741824      memory request 1Gi of a node's 4Gi, Burstable → oom_score_adj 750

Follows: kubernetes pkg/kubelet/cm/helpers_linux.go, ResourceConfigForPod;
pkg/kubelet/kuberuntime/kuberuntime_container_linux.go; pkg/kubelet/qos/policy.go.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pybernetes.api import core_v1, pod_resources
from pybernetes.api.pod_resources import BEST_EFFORT, BURSTABLE, CPU, GUARANTEED, HUGEPAGES_PREFIX, MEMORY
from pybernetes.kubelet.seam import ContainerLike
from pybernetes.machinery import quantity

MIN_SHARES, MAX_SHARES = 2, 262144
SHARES_PER_CPU = 1024
QUOTA_PERIOD_MICROSECONDS = 100_000
MIN_QUOTA_MICROSECONDS = 1_000

GUARANTEED_OOM_SCORE_ADJ = -997
BEST_EFFORT_OOM_SCORE_ADJ = 1000
SYSTEM_CRITICAL_PRIORITY = 2_000_000_000
"""Pods of this priority or more are critical; kubernetes pkg/apis/scheduling SystemCriticalPriority."""
SYSTEM_NODE_CRITICAL_PRIORITY = SYSTEM_CRITICAL_PRIORITY + 1000

PROCESS_LIMIT_NONE = -1


@dataclass(frozen=True, slots=True)
class CgroupLimits:
    """What one cgroup is set to; None leaves a value as it is, -1 lifts a limit."""

    cpu_shares: int | None = None
    cpu_quota_microseconds: int | None = None
    cpu_period_microseconds: int = QUOTA_PERIOD_MICROSECONDS
    memory_bytes: int | None = None
    pids: int | None = None
    hugepage_bytes: Mapping[str, int] = field(default_factory=dict)
    """By page size as the kernel writes it: `2MB`."""


@dataclass(frozen=True, slots=True)
class ContainerResources:
    """CRI's `LinuxContainerResources`, whose zeros mean: not set."""

    cpu_period: int = 0
    cpu_quota: int = 0
    cpu_shares: int = 0
    memory_limit_in_bytes: int = 0
    oom_score_adj: int = 0
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    hugepage_limits: Mapping[str, int] = field(default_factory=dict)
    unified: Mapping[str, str] = field(default_factory=dict)


def shares(cpu_millis: int) -> int:
    """Relative weight of a cpu request; nothing asked for is the least there is."""
    return max(MIN_SHARES, min(MAX_SHARES, cpu_millis * SHARES_PER_CPU // 1000))


def quota_microseconds(cpu_millis: int) -> int:
    """CPU time in each period for a cpu limit; 0 for no limit."""
    if not cpu_millis:
        return 0
    return max(MIN_QUOTA_MICROSECONDS, cpu_millis * QUOTA_PERIOD_MICROSECONDS // 1000)


def weight(cpu_shares: int) -> int:
    """Cgroup v2's `cpu.weight` for shares: 2 → 1, 1024 → 39, 262144 → 10000."""
    return 1 + (cpu_shares - MIN_SHARES) * 9999 // (MAX_SHARES - MIN_SHARES)


def of_pod(pod: core_v1.Pod, *, pids: int = PROCESS_LIMIT_NONE, cfs_quota: bool = True) -> CgroupLimits:
    """Limits of the cgroup around all containers of the pod.

    A limit of the pod counts only when every container has one: else a container without would be held by others'.
    """
    asked, allowed = pod_resources.requests(pod), pod_resources.limits(pod)
    containers = [*pod.spec.containers, *pod.spec.initContainers]
    of_whole = pod.spec.resources.limits if pod.spec.resources is not None else {}

    def limited(name: str) -> bool:
        return bool(of_whole.get(name)) or all(quantity.parse(c.resources.limits.get(name, 0)) for c in containers)

    qos = pod_resources.qos_class(pod)
    cpu_shares = shares(asked[CPU].milli_value if CPU in asked else 0)
    quota: int | None = None
    memory: int | None = None
    if qos == BEST_EFFORT:
        cpu_shares = MIN_SHARES
    else:
        if CPU in allowed and (qos == GUARANTEED or limited(CPU)):
            quota = quota_microseconds(allowed[CPU].milli_value) if cfs_quota else -1
        if MEMORY in allowed and (qos == GUARANTEED or limited(MEMORY)):
            memory = allowed[MEMORY].value
    return CgroupLimits(
        cpu_shares=cpu_shares,
        cpu_quota_microseconds=-1 if quota is None else quota,
        memory_bytes=-1 if memory is None else memory,
        pids=pids if pids > 0 else None,
        hugepage_bytes={
            _page_size(name): amount.value for name, amount in allowed.items() if name.startswith(HUGEPAGES_PREFIX)
        },
    )


def _page_size(resource: str) -> str:
    """`hugepages-2Mi` as the kernel says it: `2MB`."""
    size = quantity.parse(resource.removeprefix(HUGEPAGES_PREFIX)).value
    for unit, name in ((1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB")):
        if size >= unit:
            return f"{size // unit}{name}"
    return f"{size}B"


def of_container(
    pod: core_v1.Pod,
    container: ContainerLike,
    *,
    node_memory_bytes: int,
    cfs_quota: bool = True,
    unified_hierarchy: bool = False,
) -> ContainerResources:
    """What CRI is told for one container."""
    own, of_whole = container.resources, pod.spec.resources
    cpu_limit = quantity.parse(own.limits.get(CPU, 0)).milli_value
    memory_limit = quantity.parse(own.limits.get(MEMORY, 0)).value
    if of_whole is not None:
        cpu_limit = cpu_limit or quantity.parse(of_whole.limits.get(CPU, 0)).milli_value
        memory_limit = memory_limit or quantity.parse(of_whole.limits.get(MEMORY, 0)).value
    asked = own.requests.get(CPU)
    return ContainerResources(
        cpu_period=QUOTA_PERIOD_MICROSECONDS if cfs_quota else 0,
        cpu_quota=quota_microseconds(cpu_limit) if cfs_quota else 0,
        cpu_shares=shares(cpu_limit if asked is None else quantity.parse(asked).milli_value),
        memory_limit_in_bytes=memory_limit,
        oom_score_adj=oom_score_adj(pod, container, node_memory_bytes),
        hugepage_limits={
            _page_size(name): quantity.parse(amount).value
            for name, amount in own.limits.items()
            if name.startswith(HUGEPAGES_PREFIX)
        },
        unified={"memory.oom.group": "1"} if unified_hierarchy else {},
    )


def is_node_critical(pod: core_v1.Pod) -> bool:
    """Whether the node cannot do without the pod."""
    return (pod.spec.priority or 0) >= SYSTEM_NODE_CRITICAL_PRIORITY


def oom_score_adj(pod: core_v1.Pod, container: ContainerLike, node_memory_bytes: int) -> int:
    """How readily the kernel kills this container when the node is out of memory: -997 … 1000.

    Burstable: the more of the node's memory was asked for, the safer; always between 3 and 999, so that
    BestEffort goes first and Guaranteed last. A sidecar is never more at risk than the containers it serves.
    """
    if is_node_critical(pod):
        return GUARANTEED_OOM_SCORE_ADJ
    qos = pod_resources.qos_class(pod)
    if qos == GUARANTEED:
        return GUARANTEED_OOM_SCORE_ADJ
    if qos == BEST_EFFORT:
        return BEST_EFFORT_OOM_SCORE_ADJ
    own = _burstable_adj(_memory_asked(pod, container), node_memory_bytes)
    if any(
        is_it for is_it in (c.name == container.name and pod_resources.is_sidecar(c) for c in pod.spec.initContainers)
    ):
        mains = [_burstable_adj(_memory_asked(pod, main), node_memory_bytes) for main in pod.spec.containers]
        own = min([own, *mains])
    return own


def _memory_asked(pod: core_v1.Pod, container: ContainerLike) -> int:
    """The container's own request, and its share of what the pod asked for beyond its containers."""
    own = quantity.parse(container.resources.requests.get(MEMORY, 0)).value
    if pod.spec.resources is None or MEMORY not in pod.spec.resources.requests:
        return own
    everyone = [*pod.spec.containers, *(c for c in pod.spec.initContainers if pod_resources.is_sidecar(c))]
    said = sum(quantity.parse(c.resources.requests.get(MEMORY, 0)).value for c in everyone)
    left = quantity.parse(pod.spec.resources.requests[MEMORY]).value - said
    return own + max(0, left) // len(everyone)


def _burstable_adj(memory_asked_bytes: int, node_memory_bytes: int) -> int:
    adj = 1000 - (1000 * memory_asked_bytes) // max(1, node_memory_bytes)
    adj = max(adj, 1000 + GUARANTEED_OOM_SCORE_ADJ)
    return BEST_EFFORT_OOM_SCORE_ADJ - 1 if adj == BEST_EFFORT_OOM_SCORE_ADJ else adj


QOS_CLASSES = (GUARANTEED, BURSTABLE, BEST_EFFORT)
