"""NodeName: a pod that names its node fits no other."""

from collections.abc import Sequence

from pybernetes.scheduler.columns import Columns
from pybernetes.scheduler.framework import Rejection
from pybernetes.scheduler.pod_info import PodInfo


class NodeName:
    NAME = "NodeName"

    def filter(self, pod: PodInfo, columns: Columns) -> Sequence[Rejection]:
        wanted = pod.pod.spec.nodeName
        if not wanted:
            return ()
        others = columns.valid.copy()
        row = columns.row_of(wanted)
        if row is not None:
            others[row] = False
        return [Rejection(others, "node(s) didn't match the requested node name", unresolvable=True)]
