"""NodePorts: two pods cannot publish the same host port; the wildcard address meets every address."""

from collections.abc import Sequence

import numpy as np

from pybernetes.scheduler.columns import Columns
from pybernetes.scheduler.framework import Rejection
from pybernetes.scheduler.pod_info import PodInfo

WILDCARD = "0.0.0.0"


class NodePorts:
    NAME = "NodePorts"

    def filter(self, pod: PodInfo, columns: Columns) -> Sequence[Rejection]:
        taken = np.zeros(len(columns.valid), dtype=np.bool_)
        for protocol, ip, port in pod.host_ports:
            for other, rows in columns.ports.get((protocol, port), {}).items():
                if WILDCARD in (ip, other) or ip == other:
                    taken[list(rows)] = True
        if not taken.any():
            return ()
        return [Rejection(taken, "node(s) didn't have free ports for the requested pod ports")]
