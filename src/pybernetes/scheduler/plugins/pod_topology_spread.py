"""PodTopologySpread: matching pods evenly over topology domains, as a rule or as a wish.

    zone a 3, zone b 1, maxSkew 1: in a the count would be 4, the smallest is 1, skew 3 > 1 → a is refused

Without constraints of its own a pod follows the defaults (zones with skew 5, hosts with skew 3, as wishes) where it
belongs to a controller; its own labels then say which pods it is like.

Follows: kubernetes 1.36 pkg/scheduler/framework/plugins/podtopologyspread filtering.go, scoring.go.
"""

import math
from collections.abc import Sequence

import numpy as np

from pybernetes.api import core_v1
from pybernetes.api.node_selection import NO_EXECUTE, NO_SCHEDULE, selects, untolerated
from pybernetes.scheduler.columns import Amounts, Columns, Mask
from pybernetes.scheduler.framework import MAX_SCORE, Rejection, Rows, Scores
from pybernetes.scheduler.plugins.inter_pod_affinity import spread
from pybernetes.scheduler.plugins.pod_selection import no_labels, of_constraint
from pybernetes.scheduler.pod_info import PodInfo

MISSING_LABEL = "node(s) didn't match pod topology spread constraints (missing required label)"
SKEWED = "node(s) didn't match pod topology spread constraints"
HOSTNAME = "kubernetes.io/hostname"


class PodTopologySpread:
    NAME = "PodTopologySpread"

    def filter(self, pod: PodInfo, columns: Columns) -> Sequence[Rejection]:
        rejections = []
        for constraint in pod.pod.spec.topologySpreadConstraints:
            if constraint.whenUnsatisfiable != "DoNotSchedule":
                continue
            numbers, _ = columns.domains(constraint.topologyKey)
            rejections.append(Rejection(columns.valid & (numbers < 0), MISSING_LABEL, unresolvable=True))
            counted = self._eligible(pod, constraint, columns) & (numbers >= 0)
            counts = self._counts(pod, constraint, columns, counted)
            own = int(of_constraint(constraint, pod).matches(pod.pod, no_labels))
            skew = counts + own - _smallest(counts, numbers, counted, constraint.minDomains)
            rejections.append(Rejection((numbers >= 0) & (skew > constraint.maxSkew), SKEWED))
        return rejections

    def _eligible(self, pod: PodInfo, constraint: core_v1.TopologySpreadConstraint, columns: Columns) -> Mask:
        """Rows whose pods and domains count: those the pod's own affinity (by default) and tolerations allow."""
        eligible = columns.valid.copy()
        if constraint.nodeAffinityPolicy != "Ignore":
            spec = pod.pod.spec
            key = ("selects", tuple(sorted(spec.nodeSelector.items())), repr(spec.affinity))
            eligible &= columns.label_mask(key, lambda node: selects(pod.pod, node.name, node.metadata.labels))
        if constraint.nodeTaintsPolicy == "Honor":
            tolerations = pod.pod.spec.tolerations
            fine = [untolerated(t, tolerations, (NO_SCHEDULE, NO_EXECUTE)) is None for t in columns.taint_sets]
            eligible &= np.array(fine)[columns.taint_set]
        return eligible

    def _counts(
        self, pod: PodInfo, constraint: core_v1.TopologySpreadConstraint, columns: Columns, counted: Mask
    ) -> Amounts:
        selection = of_constraint(constraint, pod)
        rows = [
            row
            for row, info in columns.pods()
            if counted[row] and info.pod.metadata.deletionTimestamp is None and selection.matches(info.pod, no_labels)
        ]
        return spread(columns, constraint.topologyKey, rows)

    def score(self, pod: PodInfo, columns: Columns, rows: Rows) -> Scores | None:
        """Fewer matching pods in the domain score higher; constraints with few domains weigh less."""
        wishes = [c for c in pod.pod.spec.topologySpreadConstraints if c.whenUnsatisfiable == "ScheduleAnyway"]
        if not wishes:
            return None
        total = np.zeros(len(rows), dtype=np.float64)
        ignored = np.zeros(len(rows), dtype=np.bool_)
        for constraint in wishes:
            numbers, _ = columns.domains(constraint.topologyKey)
            counted = self._eligible(pod, constraint, columns) & (numbers >= 0)
            counts = self._counts(pod, constraint, columns, counted)[rows]
            sizes = len(rows) if constraint.topologyKey == HOSTNAME else len(set(numbers[rows].tolist()) - {-1})
            total += counts * math.log(sizes + 2) + (constraint.maxSkew - 1)
            ignored |= numbers[rows] < 0
        rounded = np.rint(total).astype(np.int64)
        considered = rounded[~ignored]
        if not len(considered):
            return np.zeros(len(rows), dtype=np.int64)
        lowest, highest = int(considered.min()), int(considered.max())
        if highest == 0:
            scores: Scores = np.where(ignored, 0, MAX_SCORE)
        else:
            scores = np.where(ignored, 0, MAX_SCORE * (highest + lowest - rounded) // highest)
        return scores


def _smallest(counts: Amounts, numbers: Amounts, counted: Mask, min_domains: int | None) -> int:
    """The count of the emptiest domain; 0 while there are fewer domains than `min_domains`."""
    domains = np.unique(numbers[counted])
    if not len(domains) or len(domains) < (min_domains or 1):
        return 0
    return int(counts[counted].min())
