"""NodeUnschedulable: cordoned nodes take only pods that tolerate it."""

from collections.abc import Sequence

from pybernetes.api import core_v1
from pybernetes.api.node_selection import NO_SCHEDULE, tolerates
from pybernetes.scheduler.columns import Columns
from pybernetes.scheduler.framework import Rejection
from pybernetes.scheduler.pod_info import PodInfo

CORDONED = core_v1.Taint(key="node.kubernetes.io/unschedulable", effect=NO_SCHEDULE)


class NodeUnschedulable:
    NAME = "NodeUnschedulable"

    def filter(self, pod: PodInfo, columns: Columns) -> Sequence[Rejection]:
        if any(tolerates(toleration, CORDONED) for toleration in pod.pod.spec.tolerations):
            return ()
        return [Rejection(columns.unschedulable, "node(s) were unschedulable", unresolvable=True)]
