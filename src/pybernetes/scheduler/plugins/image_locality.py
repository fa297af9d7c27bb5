"""ImageLocality: likes nodes that have the pod's images already, the larger and the more widespread the better.

Follows: kubernetes 1.36 pkg/scheduler/framework/plugins/imagelocality.
"""

import numpy as np

from pybernetes.scheduler.columns import Columns
from pybernetes.scheduler.framework import MAX_SCORE, Rows, Scores
from pybernetes.scheduler.pod_info import PodInfo

MIN_BYTES = 23 * 1024 * 1024
MAX_BYTES_PER_CONTAINER = 1000 * 1024 * 1024


class ImageLocality:
    NAME = "ImageLocality"

    def score(self, pod: PodInfo, columns: Columns, rows: Rows) -> Scores | None:
        known = [columns.images[image] for image in pod.images if columns.images.get(image)]
        if not known:
            return None
        total = np.zeros(len(columns.valid), dtype=np.int64)
        node_count = max(1, columns.node_count)
        for by_row in known:
            for row, size in by_row.items():
                total[row] += size * len(by_row) // node_count
        highest = MAX_BYTES_PER_CONTAINER * len(pod.images)
        clipped = np.clip(total[rows], MIN_BYTES, highest)
        return MAX_SCORE * (clipped - MIN_BYTES) // (highest - MIN_BYTES)
