"""Which pods nobody else will remove. Pure.

Follows: kubernetes 1.36 pkg/controller/podgc/gc_controller.go.
"""

from collections.abc import Iterable, Sequence

from pybernetes.api import core_v1
from pybernetes.controllers import pods as pod_facts

OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


def is_unscheduled_and_terminating(pod: core_v1.Pod) -> bool:
    """Deleted before it ever had a node."""
    return pod.metadata.deletionTimestamp is not None and not pod.spec.nodeName


def is_out_of_service(node: core_v1.Node) -> bool:
    """An administrator says that this node will not come back."""
    ready = next((c.status for c in node.status.conditions if c.type == "Ready"), "Unknown")
    return ready != "True" and any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)


def beyond_threshold(pods: Iterable[core_v1.Pod], threshold: int) -> Sequence[core_v1.Pod]:
    """The oldest finished pods, when there are more than `threshold`; evicted ones first."""
    finished = sorted(
        (pod for pod in pods if pod_facts.is_finished(pod)),
        key=lambda pod: (pod.status.reason != "Evicted", pod.metadata.creationTimestamp or "", pod.name),
    )
    return finished[: max(0, len(finished) - threshold)] if threshold > 0 else []
