"""InterPodAffinity: near these pods, away from those, in terms of topology domains; both ways round.

A term counts matching pods per domain of its topology key; a row is judged by its domain's count:

    required affinity         every term's domain has a pod that matches all terms, or there is none anywhere and the
                              pod matches them itself
    required anti-affinity    no term's domain has a match
    of pods already placed    their required anti-affinity keeps a matching newcomer away from their domain

Follows: kubernetes 1.36 pkg/scheduler/framework/plugins/interpodaffinity filtering.go, scoring.go.
"""

from collections.abc import Sequence

import numpy as np

from pybernetes.scheduler.columns import Amounts, Columns, Mask
from pybernetes.scheduler.framework import MAX_SCORE, Rejection, Rows, Scores
from pybernetes.scheduler.pod_info import PodInfo
from pybernetes.scheduler.pod_selection import NamespaceLabels, Selection, no_labels, of_required_affinity, of_term

NOT_MET = "node(s) didn't match pod affinity rules"
APART = "node(s) didn't match pod anti-affinity rules"
KEPT_AWAY = "node(s) didn't satisfy existing pods anti-affinity rules"


class InterPodAffinity:
    NAME = "InterPodAffinity"

    def __init__(self, namespace_labels: NamespaceLabels = no_labels) -> None:
        self._namespace_labels = namespace_labels

    def filter(self, pod: PodInfo, columns: Columns) -> Sequence[Rejection]:
        """The first rule that refuses a row is the one that is named."""
        rejections = []
        left = columns.valid
        if pod.required_affinity:
            far = left & ~self._near(pod, columns)
            rejections.append(Rejection(far, NOT_MET, unresolvable=True))
            left = left & ~far
        if pod.required_anti_affinity:
            taken = np.zeros(len(columns.valid), dtype=np.bool_)
            for term in pod.required_anti_affinity:
                taken |= self._counts(columns, term.topologyKey, of_term(term, pod)) > 0
            rejections.append(Rejection(left & taken, APART))
            left = left & ~taken
        if columns.counts.repelling:
            away = left & self._kept_away(pod, columns)
            if away.any():
                rejections.append(Rejection(away, KEPT_AWAY))
        return rejections

    def _near(self, pod: PodInfo, columns: Columns) -> Mask:
        selection = of_required_affinity(pod)
        fits = columns.valid.copy()
        has_keys = columns.valid.copy()
        anywhere = False
        for term in pod.required_affinity:
            counts = self._counts(columns, term.topologyKey, selection)
            anywhere = anywhere or bool(counts.any())
            fits &= counts > 0
            has_keys &= columns.domains(term.topologyKey)[0] >= 0
        if not anywhere and selection.matches(pod.pod, self._namespace_labels):
            return has_keys  # the first of a group that wants to be together
        return fits

    def _kept_away(self, pod: PodInfo, columns: Columns) -> Mask:
        away = np.zeros(len(columns.valid), dtype=np.bool_)
        for (topology_key, selection), rows in columns.counts.repelling.items():
            if selection.matches(pod.pod, self._namespace_labels):
                away |= columns.per_domain(topology_key, rows) > 0
        return away

    def _counts(self, columns: Columns, topology_key: str, selection: Selection) -> Amounts:
        """Per row, how many matching pods its domain has; 0 where the node lacks the label."""
        return columns.per_domain(topology_key, columns.matching(selection, self._namespace_labels, with_leaving=True))

    def score(self, pod: PodInfo, columns: Columns, rows: Rows) -> Scores | None:
        if not pod.preferred_affinity and not pod.preferred_anti_affinity and not columns.counts.attracting:
            return None
        total = np.zeros(len(columns.valid), dtype=np.int64)
        for sign, preferred in ((1, pod.preferred_affinity), (-1, pod.preferred_anti_affinity)):
            for choice in preferred:
                term = choice.podAffinityTerm
                total += sign * choice.weight * self._counts(columns, term.topologyKey, of_term(term, pod))
        for (weight, topology_key, selection), counts in columns.counts.attracting.items():
            if selection.matches(pod.pod, self._namespace_labels):
                total += weight * columns.per_domain(topology_key, counts)
        if not total.any():
            return None
        chosen = total[rows]
        lowest, highest = int(chosen.min()), int(chosen.max())
        if highest == lowest:
            return np.zeros(len(rows), dtype=np.int64)
        # In floating point and cut off, as upstream: 29 of 100 becomes 28.
        scores: Scores = (MAX_SCORE * ((chosen - lowest) / (highest - lowest))).astype(np.int64)
        return scores
