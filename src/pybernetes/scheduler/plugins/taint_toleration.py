"""TaintToleration: taints keep pods away that do not tolerate them; PreferNoSchedule only makes a node less liked.

Nodes share few distinct sets of taints, so each set is judged once and the answer spread over the rows.

Follows: kubernetes 1.36 pkg/scheduler/framework/plugins/tainttoleration.
"""

from collections.abc import Sequence

import numpy as np

from pybernetes.api import core_v1
from pybernetes.api.node_selection import NO_EXECUTE, NO_SCHEDULE, PREFER_NO_SCHEDULE, tolerates, untolerated
from pybernetes.scheduler.columns import Columns
from pybernetes.scheduler.framework import Rejection, Rows, Scores, normalized
from pybernetes.scheduler.pod_info import PodInfo


class TaintToleration:
    NAME = "TaintToleration"

    def filter(self, pod: PodInfo, columns: Columns) -> Sequence[Rejection]:
        tolerations = pod.pod.spec.tolerations
        refused = np.array(
            [untolerated(taints, tolerations, (NO_SCHEDULE, NO_EXECUTE)) is not None for taints in columns.taint_sets]
        )
        if not refused.any():
            return ()
        return [Rejection(refused[columns.taint_set], "node(s) had untolerated taint(s)", unresolvable=True)]

    def score(self, pod: PodInfo, columns: Columns, rows: Rows) -> Scores | None:
        relevant = [t for t in pod.pod.spec.tolerations if t.effect in ("", PREFER_NO_SCHEDULE)]
        disliked = np.array([_untolerated_preferences(taints, relevant) for taints in columns.taint_sets], np.int64)
        if not disliked.any():
            return None
        return normalized(disliked[columns.taint_set[rows]], reverse=True)


def _untolerated_preferences(taints: Sequence[core_v1.Taint], tolerations: Sequence[core_v1.Toleration]) -> int:
    return sum(
        taint.effect == PREFER_NO_SCHEDULE and not any(tolerates(toleration, taint) for toleration in tolerations)
        for taint in taints
    )
