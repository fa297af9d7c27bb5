"""NodeAffinity: node selector and required node affinity filter, preferred node affinity scores.

Follows: kubernetes 1.36 pkg/scheduler/framework/plugins/nodeaffinity.
"""

import functools
from collections.abc import Sequence

import numpy as np

from pybernetes.api import core_v1
from pybernetes.api.node_selection import selects, term_matches
from pybernetes.scheduler.columns import Columns
from pybernetes.scheduler.framework import Rejection, Rows, Scores, normalized
from pybernetes.scheduler.pod_info import PodInfo


class NodeAffinity:
    NAME = "NodeAffinity"

    def filter(self, pod: PodInfo, columns: Columns) -> Sequence[Rejection]:
        spec = pod.pod.spec
        affinity = spec.affinity.nodeAffinity if spec.affinity else None
        required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity else None
        if not spec.nodeSelector and required is None:
            return ()
        key = ("selects", tuple(sorted(spec.nodeSelector.items())), repr(required))
        fits = columns.label_mask(key, lambda node: selects(pod.pod, node.name, node.metadata.labels))
        return [Rejection(~fits, "node(s) didn't match Pod's node affinity/selector", unresolvable=True)]

    def score(self, pod: PodInfo, columns: Columns, rows: Rows) -> Scores | None:
        affinity = pod.pod.spec.affinity.nodeAffinity if pod.pod.spec.affinity else None
        preferred = affinity.preferredDuringSchedulingIgnoredDuringExecution if affinity else []
        if not preferred:
            return None
        total = np.zeros(len(rows), dtype=np.int64)
        for choice in preferred:
            matches = functools.partial(_prefers, choice.preference)
            total += choice.weight * columns.label_mask(("term", repr(choice.preference)), matches)[rows]
        return normalized(total)


def _prefers(term: core_v1.NodeSelectorTerm, node: core_v1.Node) -> bool:
    return term_matches(term, node.name, node.metadata.labels)
