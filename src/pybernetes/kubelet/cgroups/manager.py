"""The tree of cgroups of one node, and the one who makes, sets and removes them.

    ROOT                              /kubepods, or /NAME/kubepods where several clusters share a machine
    ├── pod<uid>                      Guaranteed
    ├── burstable                     cpu.shares: the sum of what its pods asked for
    │   └── pod<uid>
    │       └── <container id>        made and removed by the runtime
    └── besteffort                    cpu.shares 2
        └── pod<uid>

The runtime makes parents that are missing and never removes any, so a pod's cgroup is made here before its sandbox
and removed here after its containers.

Follows: kubernetes pkg/kubelet/cm/{qos_container_manager,pod_container_manager}_linux.go.
"""

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from pybernetes.api import core_v1, pod_resources
from pybernetes.kubelet import mounts
from pybernetes.kubelet.cgroups import amounts
from pybernetes.kubelet.cgroups.amounts import CgroupLimits, ContainerResources
from pybernetes.kubelet.cgroups.driver import Driver, Usage, hierarchies
from pybernetes.kubelet.cgroups.v1 import V1Driver
from pybernetes.kubelet.cgroups.v2 import V2Driver
from pybernetes.kubelet.seam import ContainerLike

log = logging.getLogger("pybernetes.kubelet.cgroups")

POD_PREFIX = "pod"
QOS_FOLDERS: Mapping[str, str] = {
    pod_resources.GUARANTEED: "",
    pod_resources.BURSTABLE: "burstable",
    pod_resources.BEST_EFFORT: "besteffort",
}


def detect() -> Driver:
    """The driver for how cgroups are mounted on this machine.

    Raises:
        RuntimeError: none are mounted.
    """
    found = hierarchies(mounts.mount_table())
    if "memory" in found:
        return V1Driver(found)
    if "unified" in found:
        return V2Driver(found["unified"])
    raise RuntimeError("no cgroups are mounted below /sys/fs/cgroup: mount cgroup2 there, or the v1 controllers")


class CgroupManager:
    """Cgroups of the pods of one node below `root`."""

    def __init__(
        self, driver: Driver, root: str, *, node_memory_bytes: int, pod_pids_limit: int = -1, cfs_quota: bool = True
    ) -> None:
        self._driver = driver
        self._root = PurePosixPath(root)
        if not self._root.is_absolute() or self._root == PurePosixPath("/"):
            raise ValueError(f"the root of the pods' cgroups must be an absolute path below /, not {root!r}")
        self._node_memory_bytes = node_memory_bytes
        self._pod_pids_limit = pod_pids_limit
        self._cfs_quota = cfs_quota

    @property
    def root(self) -> PurePosixPath:
        return self._root

    def start(self, allocatable: CgroupLimits | None = None) -> None:
        """The classes' cgroups exist; all pods together get what the node can give. Raises: OSError."""
        for folder in QOS_FOLDERS.values():
            self._driver.create(self._root / folder)
        self._driver.apply(self._root / "besteffort", CgroupLimits(cpu_shares=amounts.MIN_SHARES))
        if allocatable is not None:
            self._driver.apply(self._root, allocatable)

    def path(self, pod: core_v1.Pod) -> PurePosixPath:
        """Where the pod's cgroup is; its string is CRI's `cgroup_parent`."""
        return self._root / QOS_FOLDERS[pod_resources.qos_class(pod)] / f"{POD_PREFIX}{pod.metadata.uid}"

    def ensure(self, pod: core_v1.Pod) -> str:
        """The pod's cgroup exists with the limits of its spec; its path, for CRI.

        Call it again after a resize: before raising a container's limits, and after lowering them, because cgroup v1
        refuses a child more than its parent has.

        Raises:
            OSError: the kernel refuses (EBUSY: more memory is in use than the new limit).
        """
        path = self.path(pod)
        self._driver.create(path)
        self._driver.apply(path, amounts.of_pod(pod, pids=self._pod_pids_limit, cfs_quota=self._cfs_quota))
        return str(path)

    def container_resources(self, pod: core_v1.Pod, container: ContainerLike) -> ContainerResources:
        """What CRI is told for one container of the pod."""
        return amounts.of_container(
            pod,
            container,
            node_memory_bytes=self._node_memory_bytes,
            cfs_quota=self._cfs_quota,
            unified_hierarchy=self._driver.unified,
        )

    def update_classes(self, pods: Iterable[core_v1.Pod]) -> None:
        """Give Burstable the weight of all its pods; called when pods come and go. Raises: OSError."""
        asked = 0
        for pod in pods:
            if pod_resources.qos_class(pod) == pod_resources.BURSTABLE:
                cpu = pod_resources.requests(pod).get(pod_resources.CPU)
                asked += cpu.milli_value if cpu is not None else 0
        self._driver.apply(self._root / "burstable", CgroupLimits(cpu_shares=amounts.shares(asked)))

    def remove(self, uid: str) -> None:
        """The cgroup of the pod `uid` is gone, whatever its class.

        Raises:
            CgroupBusy: processes are left in it; stop them and call again.
        """
        for folder in QOS_FOLDERS.values():
            self._driver.remove(self._root / folder / f"{POD_PREFIX}{uid}")

    def pod_uids(self) -> list[str]:
        """Uids of all pods that have a cgroup, wanted or left over."""
        found = {
            name.removeprefix(POD_PREFIX)
            for folder in QOS_FOLDERS.values()
            for name in self._driver.children(self._root / folder)
            if name.startswith(POD_PREFIX)
        }
        return sorted(found)

    def pids(self, uid: str) -> list[int]:
        """Processes of the pod `uid`."""
        return sorted(
            pid
            for folder in QOS_FOLDERS.values()
            for pid in self._driver.pids(self._root / folder / f"{POD_PREFIX}{uid}")
        )

    def usage(self, pod: core_v1.Pod, container_id: str = "") -> Usage:
        """One reading of the pod's cgroup, or of one of its containers. Raises: FileNotFoundError."""
        return self._driver.usage(self.path(pod) / container_id)

    def usage_of_all_pods(self) -> Usage:
        """Raises: FileNotFoundError."""
        return self._driver.usage(self._root)

    def usage_of_node(self) -> Usage:
        """Raises: FileNotFoundError."""
        return self._driver.usage(PurePosixPath("/"))

    def oom_kills(self, pod: core_v1.Pod, container_id: str = "") -> int:
        """How often the kernel killed something in the cgroup for want of memory; 0 when the cgroup is gone.

        The runtime says OOMKilled only of a container whose first process died of it; this count tells also of others.
        """
        try:
            return self.usage(pod, container_id).oom_kills or 0
        except FileNotFoundError:
            return 0

    def destroy(self) -> None:
        """No cgroup of this node is left. Raises: CgroupBusy."""
        self._driver.remove(self._root)
        above = self._root.parent
        if above != PurePosixPath("/") and not self._driver.children(above):
            self._driver.remove(above)


def node_memory_bytes(meminfo: Path = Path("/proc/meminfo")) -> int:
    """All memory of the machine."""
    for line in meminfo.read_text().splitlines():
        if line.startswith("MemTotal:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"{meminfo} names no MemTotal")
