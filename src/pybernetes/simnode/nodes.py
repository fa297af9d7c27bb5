"""How a simulated node presents itself: its object, lease and addresses."""

import ipaddress
from datetime import datetime

from pybernetes import KUBERNETES_VERSION
from pybernetes.api import coordination_v1, core_v1, meta_v1
from pybernetes.effects import format_micro_time, format_time
from pybernetes.simnode.config import SimConfig

LEASE_NAMESPACE = "kube-node-lease"
SIMULATED_LABEL = "simnode.pybernetes.io/simulated"
RANGE = ipaddress.IPv4Network("100.64.0.0/10")
"""Addresses of simulated nodes and pods: shared address space, routed nowhere."""
MAX_NODE_INDEX = (RANGE.num_addresses >> 8) - 2

CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "kubelet is posting ready status"),
)


def node_name(config: SimConfig, index: int) -> str:
    return f"{config.prefix}-{index}"


def subnet(index: int) -> ipaddress.IPv4Network:
    """The /24 of a simulated node: its pods, and the node itself at .1."""
    return ipaddress.IPv4Network((int(RANGE.network_address) + (index % MAX_NODE_INDEX) * 256, 24))


def host_ip(index: int) -> str:
    return str(subnet(index)[1])


def conditions(now: datetime) -> list[core_v1.NodeCondition]:
    moment = format_time(now)
    return [
        core_v1.NodeCondition(
            type=kind,
            status=status,
            reason=reason,
            message=message,
            lastHeartbeatTime=moment,
            lastTransitionTime=moment,
        )
        for kind, status, reason, message in CONDITIONS
    ]


def node(config: SimConfig, index: int, now: datetime) -> core_v1.Node:
    """The Node as a kubelet registers it, Ready from the start."""
    name = node_name(config, index)
    amounts: dict[str, str | int | float] = {
        "cpu": config.cpu,
        "memory": config.memory,
        "pods": config.pods,
        "ephemeral-storage": "100Gi",
    }
    return core_v1.Node(
        metadata=meta_v1.ObjectMeta(
            name=name,
            labels={
                "beta.kubernetes.io/arch": config.architecture,
                "beta.kubernetes.io/os": "linux",
                "kubernetes.io/arch": config.architecture,
                "kubernetes.io/hostname": name,
                "kubernetes.io/os": "linux",
                SIMULATED_LABEL: "true",
            },
        ),
        status=core_v1.NodeStatus(
            addresses=[
                core_v1.NodeAddress(type="InternalIP", address=host_ip(index)),
                core_v1.NodeAddress(type="Hostname", address=name),
            ],
            capacity=amounts,
            allocatable=amounts,
            conditions=conditions(now),
            nodeInfo=core_v1.NodeSystemInfo(
                architecture=config.architecture,
                operatingSystem="linux",
                osImage="simulated",
                kernelVersion="simulated",
                containerRuntimeVersion="simulated://1",
                kubeletVersion=KUBERNETES_VERSION,
            ),
        ),
    )


def lease(config: SimConfig, name: str, now: datetime) -> coordination_v1.Lease:
    """The heartbeat of a node."""
    return coordination_v1.Lease(
        metadata=meta_v1.ObjectMeta(name=name, namespace=LEASE_NAMESPACE),
        spec=coordination_v1.LeaseSpec(
            holderIdentity=name, leaseDurationSeconds=config.lease_seconds, renewTime=format_micro_time(now)
        ),
    )


class PodAddresses:
    """Which pod has which address of its node's /24; an address is given to the next pod only after the last."""

    FIRST, LAST = 2, 254

    def __init__(self) -> None:
        self._of_pod: dict[str, tuple[int, int]] = {}
        self._used: dict[int, set[int]] = {}

    def take(self, uid: str, index: int) -> str:
        """The address of a pod on the node of this index; the same one when asked again.

        A node with more pods than addresses shares the last one among them: nobody routes them anyway.
        """
        known = self._of_pod.get(uid)
        if known is None:
            used = self._used.setdefault(index, set())
            host = next((host for host in range(self.FIRST, self.LAST + 1) if host not in used), self.LAST)
            used.add(host)
            known = self._of_pod[uid] = index, host
        return str(subnet(known[0])[known[1]])

    def keep(self, uid: str, index: int, address: str) -> None:
        """Remember an address given before this process started."""
        parsed = ipaddress.IPv4Address(address)
        if parsed in subnet(index):
            host = int(parsed) & 0xFF
            self._of_pod[uid] = index, host
            self._used.setdefault(index, set()).add(host)

    def release(self, uid: str) -> None:
        known = self._of_pod.pop(uid, None)
        if known is not None:
            self._used[known[0]].discard(known[1])
