"""NodeResourcesBalancedAllocation: likes nodes whose cpu and memory would be used to the same degree.

    cpu 60 % used, memory 20 % used → deviation 0.2 → 80

Follows: kubernetes 1.36 pkg/scheduler/framework/plugins/noderesources/balanced_allocation.go.
"""

import numpy as np

from pybernetes.scheduler.columns import CPU, MEMORY, Columns
from pybernetes.scheduler.framework import MAX_SCORE, Rows, Scores
from pybernetes.scheduler.pod_info import PodInfo


class NodeResourcesBalancedAllocation:
    NAME = "NodeResourcesBalancedAllocation"

    def score(self, pod: PodInfo, columns: Columns, rows: Rows) -> Scores | None:
        if not pod.requests:
            return None  # nothing that could unbalance a node
        fractions = []
        for column, name in ((CPU, "cpu"), (MEMORY, "memory")):
            allocatable = np.maximum(columns.allocatable[rows, column], 1)
            wanted = columns.requested[rows, column] + pod.requests.get(name, 0)
            fractions.append(np.minimum(wanted / allocatable, 1.0))
        deviation = np.abs(fractions[0] - fractions[1]) / 2
        scores: Scores = ((1 - deviation) * MAX_SCORE).astype(np.int64)
        return scores
