"""Which nodes a DaemonSet's pod belongs to, and how the pod says so.

A daemon pod is scheduled like any other, but its required node affinity names its node, and it tolerates what a node
may suffer from.

Follows: kubernetes 1.36 pkg/controller/daemon/util/daemonset_util.go; daemon_controller.go, NodeShouldRunDaemonPod.
"""

import msgspec

from pybernetes.api import apps_v1, core_v1
from pybernetes.api.node_selection import NO_EXECUTE, NO_SCHEDULE, selects, untolerated

_EVERYWHERE = (
    ("node.kubernetes.io/not-ready", NO_EXECUTE),
    ("node.kubernetes.io/unreachable", NO_EXECUTE),
    ("node.kubernetes.io/disk-pressure", NO_SCHEDULE),
    ("node.kubernetes.io/memory-pressure", NO_SCHEDULE),
    ("node.kubernetes.io/pid-pressure", NO_SCHEDULE),
    ("node.kubernetes.io/unschedulable", NO_SCHEDULE),
)
_ON_HOST_NETWORK = (("node.kubernetes.io/network-unavailable", NO_SCHEDULE),)


def with_tolerations(spec: core_v1.PodSpec) -> core_v1.PodSpec:
    """The pod spec with the tolerations every daemon pod has."""
    wanted = _EVERYWHERE + (_ON_HOST_NETWORK if spec.hostNetwork else ())
    added = [
        core_v1.Toleration(key=key, operator="Exists", effect=effect)
        for key, effect in wanted
        if not any((t.key, t.effect, t.operator) == (key, effect, "Exists") for t in spec.tolerations)
    ]
    return msgspec.structs.replace(spec, tolerations=[*spec.tolerations, *added])


def bound_to(spec: core_v1.PodSpec, node_name: str) -> core_v1.PodSpec:
    """The pod spec whose required node affinity names one node; terms by label stay, terms by field go."""
    by_name = core_v1.NodeSelectorRequirement(key="metadata.name", operator="In", values=[node_name])
    affinity = spec.affinity or core_v1.Affinity()
    node_affinity = affinity.nodeAffinity or core_v1.NodeAffinity()
    required = node_affinity.requiredDuringSchedulingIgnoredDuringExecution
    terms = required.nodeSelectorTerms if required else []
    bound = [msgspec.structs.replace(term, matchFields=[by_name]) for term in terms] or [
        core_v1.NodeSelectorTerm(matchFields=[by_name])
    ]
    node_affinity = msgspec.structs.replace(
        node_affinity, requiredDuringSchedulingIgnoredDuringExecution=core_v1.NodeSelector(nodeSelectorTerms=bound)
    )
    return msgspec.structs.replace(spec, affinity=msgspec.structs.replace(affinity, nodeAffinity=node_affinity))


def target_node(pod: core_v1.Pod) -> str:
    """The node a daemon pod runs on or, before it is scheduled, is meant for."""
    if pod.spec.nodeName:
        return pod.spec.nodeName
    affinity = pod.spec.affinity.nodeAffinity if pod.spec.affinity else None
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity else None
    for term in required.nodeSelectorTerms if required else ():
        for field in term.matchFields:
            if field.key == "metadata.name" and field.operator == "In" and len(field.values) == 1:
                return field.values[0]
    return ""


def runs_on(daemon_set: apps_v1.DaemonSet, node: core_v1.Node) -> tuple[bool, bool]:
    """Whether a pod should run on the node, and whether one that is there may stay."""
    spec = with_tolerations(daemon_set.spec.template.spec)
    if spec.nodeName and spec.nodeName != node.name:
        return False, False
    pod = core_v1.Pod(spec=spec)
    if not selects(pod, node.name, node.metadata.labels):
        return False, False
    taints = node.spec.taints
    if untolerated(taints, spec.tolerations, (NO_SCHEDULE, NO_EXECUTE)) is None:
        return True, True
    return False, untolerated(taints, spec.tolerations, (NO_EXECUTE,)) is None
