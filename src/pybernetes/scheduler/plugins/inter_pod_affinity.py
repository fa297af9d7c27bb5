"""InterPodAffinity: near these pods, away from those, in terms of topology domains; both ways round.

A term counts matching pods per domain of its topology key; a row is judged by its domain's count:

    required affinity         every term's domain has a match, or no match exists anywhere and the pod matches itself
    required anti-affinity    no term's domain has a match
    of pods already placed    their required anti-affinity keeps a matching newcomer away from their domain

Follows: kubernetes 1.36 pkg/scheduler/framework/plugins/interpodaffinity filtering.go, scoring.go.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from pybernetes.api import core_v1
from pybernetes.scheduler.columns import Amounts, Columns, Mask
from pybernetes.scheduler.framework import MAX_SCORE, Rejection, Rows, Scores
from pybernetes.scheduler.plugins.pod_selection import NamespaceLabels, PodSelection, no_labels, of_term
from pybernetes.scheduler.pod_info import PodInfo

HARD_AFFINITY_WEIGHT = 1
"""How much a placed pod's required affinity attracts a pod that matches it."""

NOT_MET = "node(s) didn't match pod affinity rules"
APART = "node(s) didn't match pod anti-affinity rules"
KEPT_AWAY = "node(s) didn't satisfy existing pods anti-affinity rules"


class InterPodAffinity:
    NAME = "InterPodAffinity"

    def __init__(self, namespace_labels: NamespaceLabels = no_labels) -> None:
        self._namespace_labels = namespace_labels

    def filter(self, pod: PodInfo, columns: Columns) -> Sequence[Rejection]:
        rejections = []
        if pod.required_affinity:
            rejections.append(Rejection(~self._near(pod, columns), NOT_MET, unresolvable=True))
        if pod.required_anti_affinity:
            taken = np.zeros(len(columns.valid), dtype=np.bool_)
            for term in pod.required_anti_affinity:
                taken |= self._counts(columns, term.topologyKey, of_term(term, pod)) > 0
            rejections.append(Rejection(taken, APART))
        if columns.with_affinity:
            away = self._kept_away(pod, columns)
            if away.any():
                rejections.append(Rejection(away, KEPT_AWAY))
        return rejections

    def _near(self, pod: PodInfo, columns: Columns) -> Mask:
        fits = columns.valid.copy()
        anywhere = False
        has_keys = columns.valid.copy()
        for term in pod.required_affinity:
            counts = self._counts(columns, term.topologyKey, of_term(term, pod))
            anywhere = anywhere or bool(counts.any())
            fits &= counts > 0
            has_keys &= columns.domains(term.topologyKey)[0] >= 0
        if not anywhere and all(
            of_term(term, pod).matches(pod.pod, self._namespace_labels) for term in pod.required_affinity
        ):
            return has_keys  # the first of a group that wants to be together
        return fits

    def _kept_away(self, pod: PodInfo, columns: Columns) -> Mask:
        away = np.zeros(len(columns.valid), dtype=np.bool_)
        for row, other in columns.with_affinity.values():
            for term in other.required_anti_affinity:
                if of_term(term, other).matches(pod.pod, self._namespace_labels):
                    away |= _same_domain(columns, term.topologyKey, row)
        return away

    def _counts(self, columns: Columns, topology_key: str, selection: PodSelection) -> Amounts:
        """Per row, how many matching pods its domain has; 0 where the node lacks the label."""
        rows = [row for row, info in columns.pods() if selection.matches(info.pod, self._namespace_labels)]
        return spread(columns, topology_key, rows)

    def score(self, pod: PodInfo, columns: Columns, rows: Rows) -> Scores | None:
        total = np.zeros(len(columns.valid), dtype=np.int64)
        for sign, preferred in ((1, pod.preferred_affinity), (-1, pod.preferred_anti_affinity)):
            for choice in preferred:
                term = choice.podAffinityTerm
                total += sign * choice.weight * self._counts(columns, term.topologyKey, of_term(term, pod))
        for row, other in columns.with_affinity.values():
            for weight, term in _attractions(other):
                if of_term(term, other).matches(pod.pod, self._namespace_labels):
                    total += weight * _same_domain(columns, term.topologyKey, row)
        if not total.any():
            return None
        chosen = total[rows]
        lowest, highest = int(chosen.min()), int(chosen.max())
        if highest == lowest:
            return np.zeros(len(rows), dtype=np.int64)
        return (chosen - lowest) * MAX_SCORE // (highest - lowest)


def _attractions(other: PodInfo) -> Iterable[tuple[int, core_v1.PodAffinityTerm]]:
    """What a placed pod wants of newcomers: its required affinity a little, its preferences by their weights."""
    for term in other.required_affinity:
        yield HARD_AFFINITY_WEIGHT, term
    for choice in other.preferred_affinity:
        yield choice.weight, choice.podAffinityTerm
    for choice in other.preferred_anti_affinity:
        yield -choice.weight, choice.podAffinityTerm


def _same_domain(columns: Columns, topology_key: str, row: int) -> Mask:
    numbers, _ = columns.domains(topology_key)
    here = numbers[row]
    if here < 0:
        return np.zeros(len(columns.valid), dtype=np.bool_)
    same: Mask = numbers == here
    return same


def spread(columns: Columns, topology_key: str, rows: Sequence[int]) -> Amounts:
    """How many of `rows` lie in each row's domain."""
    numbers, values = columns.domains(topology_key)
    if not rows or not values:
        return np.zeros(len(columns.valid), dtype=np.int64)
    inside = numbers[np.asarray(rows)]
    per_domain = np.bincount(inside[inside >= 0], minlength=len(values))
    counts: Amounts = np.where(numbers >= 0, per_domain[np.maximum(numbers, 0)], 0)
    return counts
