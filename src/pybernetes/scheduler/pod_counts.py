"""How many placed pods are where, per selection: counted once, then kept current pod by pod.

    matching    selection → per row, how many placed pods it selects          made at the first question
    repelling   (topology key, selection) → per row, how many pods there keep what it selects out of their domain
    attracting  (weight, topology key, selection) → per row, how many pods there like what it selects in their domain

Replicas have equal terms: a thousand of them are one entry of `repelling`, not a thousand. Without this, one decision
would look at every placed pod.
"""

from collections import OrderedDict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from pybernetes.scheduler.pod_info import PodInfo
from pybernetes.scheduler.pod_selection import NamespaceLabels, PodSelection, Selection, of_term

K = TypeVar("K", bound=Hashable)

Counts = npt.NDArray[np.int64]

MAX_SELECTIONS = 256
"""Selections whose pods are kept counted; the one not asked for the longest is forgotten. Arbitrary: every one of them
costs a comparison for each pod that comes or goes."""
HARD_AFFINITY_WEIGHT = 1
"""How much a placed pod's required affinity attracts a pod that matches it. Follows: InterPodAffinityArgs."""


@dataclass(slots=True)
class _Matching:
    selection: Selection
    with_leaving: bool
    namespace_labels: NamespaceLabels
    rows: Counts

    def count(self, row: int, info: PodInfo, sign: int) -> None:
        pod = info.pod
        if (self.with_leaving or pod.metadata.deletionTimestamp is None) and self.selection.matches(
            pod, self.namespace_labels
        ):
            self.rows[row] += sign


class PodCounts:
    """See the module. Arrays that come out are shared: nobody changes them."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._matching: OrderedDict[tuple[Selection, bool], _Matching] = OrderedDict()
        self.repelling: dict[tuple[str, PodSelection], Counts] = {}
        self.attracting: dict[tuple[int, str, PodSelection], Counts] = {}

    def matching(
        self,
        selection: Selection,
        namespace_labels: NamespaceLabels,
        placed: Iterable[tuple[int, PodInfo]],
        *,
        with_leaving: bool,
    ) -> Counts:
        """Per row, how many of the placed pods are selected; those being deleted only `with_leaving`."""
        key = selection, with_leaving
        found = self._matching.get(key)
        if found is None:
            found = _Matching(selection, with_leaving, namespace_labels, np.zeros(self._size, dtype=np.int64))
            for row, info in placed:
                found.count(row, info, 1)
            self._matching[key] = found
            if len(self._matching) > MAX_SELECTIONS:
                self._matching.popitem(last=False)
        else:
            self._matching.move_to_end(key)
        return found.rows

    def namespaces_changed(self) -> None:
        """Labels of a namespace changed: what was counted by them is counted again."""
        for key in [key for key in self._matching if key[0].by_namespace_labels]:
            del self._matching[key]

    def grow(self, size: int) -> None:
        """There are `size` rows from now on."""
        more = np.zeros(size - self._size, dtype=np.int64)
        for matching in self._matching.values():
            matching.rows = np.concatenate([matching.rows, more])
        self.repelling = {key: np.concatenate([rows, more]) for key, rows in self.repelling.items()}
        self.attracting = {key: np.concatenate([rows, more]) for key, rows in self.attracting.items()}
        self._size = size

    def count(self, row: int, info: PodInfo, sign: int) -> None:
        """A pod came to `row` (+1) or left it (-1)."""
        for matching in self._matching.values():
            matching.count(row, info, sign)
        if not info.has_pod_affinity:
            return
        for term in info.required_anti_affinity:
            self._add(self.repelling, (term.topologyKey, of_term(term, info)), row, sign)
        for term in info.required_affinity:
            self._add(self.attracting, (HARD_AFFINITY_WEIGHT, term.topologyKey, of_term(term, info)), row, sign)
        for direction, choices in ((1, info.preferred_affinity), (-1, info.preferred_anti_affinity)):
            for choice in choices:
                term = choice.podAffinityTerm
                self._add(
                    self.attracting, (direction * choice.weight, term.topologyKey, of_term(term, info)), row, sign
                )

    def _add(self, kept: dict[K, Counts], key: K, row: int, sign: int) -> None:
        rows = kept.get(key)
        if rows is None:
            rows = kept[key] = np.zeros(self._size, dtype=np.int64)
        rows[row] += sign
        if sign < 0 and not rows[row] and not rows.any():
            del kept[key]
