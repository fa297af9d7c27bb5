"""Nodes and pods for scheduler tests."""

from pybernetes.api import core_v1, meta_v1
from pybernetes.api.scalars import Quantity


def node(
    name: str,
    *,
    cpu: str = "4",
    memory: str = "8Gi",
    pods: str = "110",
    labels: dict[str, str] | None = None,
    taints: list[core_v1.Taint] | None = None,
    unschedulable: bool = False,
) -> core_v1.Node:
    allocatable: dict[str, Quantity] = {"cpu": cpu, "memory": memory, "pods": pods}
    return core_v1.Node(
        metadata=meta_v1.ObjectMeta(name=name, labels={"kubernetes.io/hostname": name, **(labels or {})}),
        spec=core_v1.NodeSpec(taints=taints or [], unschedulable=unschedulable),
        status=core_v1.NodeStatus(allocatable=allocatable),
    )


def pod(
    name: str,
    *,
    cpu: str = "",
    memory: str = "",
    labels: dict[str, str] | None = None,
    priority: int = 0,
    host_port: int = 0,
    **spec: object,
) -> core_v1.Pod:
    requests: dict[str, Quantity] = {k: v for k, v in (("cpu", cpu), ("memory", memory)) if v}
    ports = [core_v1.ContainerPort(containerPort=80, hostPort=host_port)] if host_port else []
    container = core_v1.Container(
        name="c", image="i", ports=ports, resources=core_v1.ResourceRequirements(requests=requests)
    )
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default", uid=f"uid-{name}", labels=labels or {}),
        spec=core_v1.PodSpec(containers=[container], priority=priority, **spec),  # type: ignore[arg-type]
    )
