from typing import Any

import msgspec
import pytest

from pybernetes.api import core_v1
from pybernetes.kubelet.cgroups import amounts
from pybernetes.kubelet.cgroups.amounts import CgroupLimits

GIB = 1 << 30


def container(name: str = "c", restart: str | None = None, **resources: Any) -> dict[str, Any]:
    return {"name": name, "restartPolicy": restart, "resources": resources}


def pod(*containers: dict[str, Any], **spec: Any) -> core_v1.Pod:
    return msgspec.convert({"spec": {"containers": list(containers), **spec}}, core_v1.Pod)


@pytest.mark.parametrize(
    ("millis", "shares", "quota"),
    [(0, 2, 0), (1, 2, 1000), (10, 10, 1000), (100, 102, 10_000), (250, 256, 25_000), (1000, 1024, 100_000)],
)
def test_cpu_becomes_shares_and_quota(millis: int, shares: int, quota: int) -> None:
    assert (amounts.shares(millis), amounts.quota_microseconds(millis)) == (shares, quota)


@pytest.mark.parametrize(("shares", "weight"), [(2, 1), (1024, 39), (262144, 10000)])
def test_shares_become_a_weight(shares: int, weight: int) -> None:
    assert amounts.weight(shares) == weight


def test_more_shares_than_the_kernel_takes_are_not_asked_for() -> None:
    assert amounts.shares(1_000_000) == 262144


BOTH = {"cpu": "500m", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param(
            pod(container(limits=BOTH, requests=BOTH)),
            CgroupLimits(cpu_shares=512, cpu_quota_microseconds=50_000, memory_bytes=GIB),
            id="Guaranteed has everything",
        ),
        pytest.param(
            pod(container(requests={"cpu": "250m"}, limits=BOTH)),
            CgroupLimits(cpu_shares=256, cpu_quota_microseconds=50_000, memory_bytes=GIB),
            id="Burstable with a limit on every container",
        ),
        pytest.param(
            pod(container(requests=BOTH, limits=BOTH), container("free")),
            CgroupLimits(cpu_shares=512, cpu_quota_microseconds=-1, memory_bytes=-1),
            id="one container without limits leaves the pod without",
        ),
        pytest.param(
            pod(container(), resources={"limits": BOTH, "requests": {"cpu": "100m", "memory": "1Gi"}}),
            CgroupLimits(cpu_shares=102, cpu_quota_microseconds=50_000, memory_bytes=GIB),
            id="limits of the pod as a whole",
        ),
        pytest.param(
            pod(container()),
            CgroupLimits(cpu_shares=2, cpu_quota_microseconds=-1, memory_bytes=-1),
            id="BestEffort gets what is left",
        ),
        pytest.param(
            pod(container(limits={**BOTH, "hugepages-2Mi": "4Mi"}, requests=BOTH)),
            CgroupLimits(
                cpu_shares=512, cpu_quota_microseconds=50_000, memory_bytes=GIB, hugepage_bytes={"2MB": 4 << 20}
            ),
            id="huge pages by the kernel's name of their size",
        ),
    ],
)
def test_the_pod_s_cgroup_is_limited(subject: core_v1.Pod, expected: CgroupLimits) -> None:
    assert amounts.of_pod(subject) == expected


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        pytest.param(pod(container()), 1000, id="BestEffort goes first"),
        pytest.param(pod(container(limits=BOTH, requests=BOTH)), -997, id="Guaranteed goes last"),
        pytest.param(pod(container(requests={"memory": "1Gi"})), 750, id="a quarter of the node"),
        pytest.param(pod(container(requests={"memory": "1"})), 999, id="never as readily as BestEffort"),
        pytest.param(pod(container(requests={"memory": "4Gi"})), 3, id="never as safe as Guaranteed"),
        pytest.param(pod(container(), priority=2_000_001_000), -997, id="the node cannot do without it"),
        pytest.param(
            pod(container(), container("d"), resources={"requests": {"memory": "2Gi"}}),
            750,
            id="the pod's request is shared by its containers",
        ),
    ],
)
def test_the_oom_killer_chooses_by_class_and_request(subject: core_v1.Pod, expected: int) -> None:
    assert amounts.oom_score_adj(subject, subject.spec.containers[0], 4 * GIB) == expected


def test_a_sidecar_is_as_safe_as_the_containers_it_serves() -> None:
    subject = pod(container(requests={"memory": "2Gi"}), initContainers=[container("side", restart="Always")])
    assert amounts.oom_score_adj(subject, subject.spec.initContainers[0], 4 * GIB) == 500


def test_a_container_is_told_its_own_limits() -> None:
    subject = pod(container(requests={"cpu": "250m"}, limits={"cpu": "500m", "memory": "64Mi"}))
    made = amounts.of_container(subject, subject.spec.containers[0], node_memory_bytes=4 * GIB)
    assert (made.cpu_shares, made.cpu_quota, made.cpu_period, made.memory_limit_in_bytes) == (
        256,
        50_000,
        100_000,
        64 << 20,
    )


def test_a_container_with_only_a_cpu_limit_is_weighted_by_it() -> None:
    subject = pod(container(limits={"cpu": "500m"}))
    assert amounts.of_container(subject, subject.spec.containers[0], node_memory_bytes=GIB).cpu_shares == 512


def test_without_quota_enforcement_only_weights_are_set() -> None:
    subject = pod(container(limits={"cpu": "500m"}))
    made = amounts.of_container(subject, subject.spec.containers[0], node_memory_bytes=GIB, cfs_quota=False)
    assert (made.cpu_quota, made.cpu_period) == (0, 0)
