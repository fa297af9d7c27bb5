"""NodeResourcesFit: a node must have room for all that a pod requests; LeastAllocated likes the emptier node.

Follows: kubernetes 1.36 pkg/scheduler/framework/plugins/noderesources/fit.go, least_allocated.go.
"""

from collections.abc import Sequence

import numpy as np

from pybernetes.scheduler.columns import CPU, MEMORY, PODS, Columns
from pybernetes.scheduler.framework import MAX_SCORE, Rejection, Rows, Scores
from pybernetes.scheduler.pod_info import PodInfo


class NodeResourcesFit:
    NAME = "NodeResourcesFit"

    def filter(self, pod: PodInfo, columns: Columns) -> Sequence[Rejection]:
        rejections = []
        full = columns.requested[:, PODS] + 1 > columns.allocatable[:, PODS]
        if full.any():
            rejections.append(Rejection(full, "Too many pods"))
        for name, amount in pod.requests.items():
            column = columns.column(name)
            allocatable = columns.allocatable[:, column]
            short = columns.requested[:, column] + amount > allocatable
            if short.any():
                # Where the empty node would be too small, no eviction helps.
                hopeless = amount > allocatable
                reason = f"Insufficient {name}"
                rejections.append(Rejection(short & ~hopeless, reason))
                rejections.append(Rejection(short & hopeless, reason, unresolvable=True))
        return rejections

    def score(self, pod: PodInfo, columns: Columns, rows: Rows) -> Scores | None:
        """The share of cpu and of memory that stays free, in percent, averaged."""
        total = np.zeros(len(rows), dtype=np.int64)
        weight = np.zeros(len(rows), dtype=np.int64)
        for index, column in enumerate((CPU, MEMORY)):
            allocatable = columns.allocatable[rows, column]
            wanted = columns.comparable[rows, index] + pod.comparable[index]
            known = allocatable > 0
            free = np.where(wanted > allocatable, 0, allocatable - wanted) * MAX_SCORE
            total += np.where(known, free // np.maximum(allocatable, 1), 0)
            weight += known
        return total // np.maximum(weight, 1)
