"""PodTopologySpread: matching pods evenly over topology domains, as a rule or as a wish.

    zone a 3, zone b 1, maxSkew 1: in a the count would be 4, the smallest is 1, skew 3 > 1 → a is refused

Follows: kubernetes 1.36 pkg/scheduler/framework/plugins/podtopologyspread filtering.go, scoring.go.
"""

import math
from collections.abc import Sequence

import numpy as np

from pybernetes.api import core_v1
from pybernetes.api.node_selection import NO_EXECUTE, NO_SCHEDULE, selects, untolerated
from pybernetes.scheduler.columns import Amounts, Columns, Mask
from pybernetes.scheduler.framework import MAX_SCORE, Rejection, Rows, Scores
from pybernetes.scheduler.pod_info import PodInfo
from pybernetes.scheduler.pod_selection import no_labels, of_constraint

MISSING_LABEL = "node(s) didn't match pod topology spread constraints (missing required label)"
SKEWED = "node(s) didn't match pod topology spread constraints"
HOSTNAME = "kubernetes.io/hostname"


class PodTopologySpread:
    NAME = "PodTopologySpread"

    def filter(self, pod: PodInfo, columns: Columns) -> Sequence[Rejection]:
        rules = [c for c in pod.pod.spec.topologySpreadConstraints if c.whenUnsatisfiable == "DoNotSchedule"]
        if not rules:
            return ()
        rejections = []
        left = columns.valid
        labelled = self._labelled(rules, columns)
        for constraint in rules:
            numbers, _ = columns.domains(constraint.topologyKey)
            outside = left & (numbers < 0)
            counted = labelled & self._eligible(pod, constraint, columns)
            counts = self._counts(pod, constraint, columns, counted)
            own = int(of_constraint(constraint, pod).matches(pod.pod, no_labels))
            skew = counts + own - _smallest(counts, numbers, counted, constraint.minDomains)
            skewed = left & ~outside & (skew > constraint.maxSkew)
            rejections += [Rejection(outside, MISSING_LABEL, unresolvable=True), Rejection(skewed, SKEWED)]
            left = left & ~outside & ~skewed  # the first constraint that refuses a row is the one that is named
        return rejections

    @staticmethod
    def _labelled(constraints: Sequence[core_v1.TopologySpreadConstraint], columns: Columns) -> Mask:
        """Rows that have the labels of all constraints: only these count, for any of them."""
        labelled = columns.valid.copy()
        for constraint in constraints:
            labelled &= columns.domains(constraint.topologyKey)[0] >= 0
        return labelled

    def _eligible(self, pod: PodInfo, constraint: core_v1.TopologySpreadConstraint, columns: Columns) -> Mask:
        """Rows whose pods and domains count: those the pod's own affinity (by default) and tolerations allow."""
        eligible = columns.valid.copy()
        spec = pod.pod.spec
        required = spec.affinity.nodeAffinity if spec.affinity else None
        if constraint.nodeAffinityPolicy != "Ignore" and (spec.nodeSelector or required):
            key = ("selects", tuple(sorted(spec.nodeSelector.items())), repr(required))
            eligible &= columns.label_mask(key, lambda node: selects(pod.pod, node.name, node.metadata.labels))
        if constraint.nodeTaintsPolicy == "Honor":
            fine = [untolerated(t, spec.tolerations, (NO_SCHEDULE, NO_EXECUTE)) is None for t in columns.taint_sets]
            eligible &= np.array(fine)[columns.taint_set]
        return eligible

    def _counts(
        self, pod: PodInfo, constraint: core_v1.TopologySpreadConstraint, columns: Columns, counted: Mask
    ) -> Amounts:
        rows = columns.matching(of_constraint(constraint, pod), no_labels, with_leaving=False)
        return columns.per_domain(constraint.topologyKey, np.where(counted, rows, 0))

    def score(self, pod: PodInfo, columns: Columns, rows: Rows) -> Scores | None:
        """Fewer matching pods in the domain score higher; constraints with few domains weigh less."""
        wishes = [c for c in pod.pod.spec.topologySpreadConstraints if c.whenUnsatisfiable == "ScheduleAnyway"]
        if not wishes:
            return None
        total = np.zeros(len(rows), dtype=np.float64)
        labelled = self._labelled(wishes, columns)
        ignored = ~labelled[rows]
        for constraint in wishes:
            numbers, _ = columns.domains(constraint.topologyKey)
            counted = labelled & self._eligible(pod, constraint, columns)
            counts = self._counts(pod, constraint, columns, counted)[rows]
            inside = numbers[rows[~ignored]]
            domains = len(inside) if constraint.topologyKey == HOSTNAME else np.count_nonzero(np.bincount(inside))
            total += counts * math.log(domains + 2) + (constraint.maxSkew - 1)
        rounded = np.floor(total + 0.5).astype(np.int64)
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
    domains = np.count_nonzero(np.bincount(numbers[counted]))
    if not domains or domains < (min_domains or 1):
        return 0
    return int(counts[counted].min())
