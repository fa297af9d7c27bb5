"""What a plugin is, and what it answers: masks and numbers over all nodes at once.

    filter(pod, columns)  → rejections: which rows, for which reason      every row, every pod
    score(pod, columns, rows) → one number from 0 to 100 for each of rows

A row is refused by the first plugin that rejects it, as upstream stops at the first filter that fails.

Follows: kubernetes 1.36 pkg/scheduler/framework/interface.go, for the extension points' names.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from pybernetes.scheduler.columns import Columns, Mask
from pybernetes.scheduler.pod_info import PodInfo

MAX_SCORE = 100

Scores = npt.NDArray[np.int64]
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Rejection:
    """Rows one plugin refuses, and the words users read. `unresolvable`: evicting pods would not help there."""

    rows: Mask
    reason: str
    unresolvable: bool = False


class FilterPlugin(Protocol):
    NAME: str

    def filter(self, pod: PodInfo, columns: Columns) -> Sequence[Rejection]:
        """Nothing where every row is fine."""
        ...


class ScorePlugin(Protocol):
    NAME: str

    def score(self, pod: PodInfo, columns: Columns, rows: Rows) -> Scores | None:
        """0 to MAX_SCORE for each of `rows`, higher is better; None when the plugin has no opinion on the pod."""
        ...


def normalized(scores: Scores, *, reverse: bool = False) -> Scores:
    """Scaled so that the highest is MAX_SCORE. Follows: helper.DefaultNormalizeScore."""
    highest = int(scores.max(initial=0))
    if highest == 0:
        return np.full_like(scores, MAX_SCORE if reverse else 0)
    scaled = scores * MAX_SCORE // highest
    return MAX_SCORE - scaled if reverse else scaled


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Why each node was refused: per plugin and reason, how many nodes and which."""

    node_count: int
    rejections: Sequence[tuple[str, Rejection]]
    """(plugin, rejection), each row in those of the first plugin that refused it only."""

    def counts(self) -> dict[str, int]:
        totals: dict[str, int] = {}
        for _, rejection in self.rejections:
            totals[rejection.reason] = totals.get(rejection.reason, 0) + int(rejection.rows.sum())
        return {reason: count for reason, count in totals.items() if count}

    def plugins(self) -> frozenset[str]:
        return frozenset(plugin for plugin, rejection in self.rejections if rejection.rows.any())

    def resolvable(self, valid: Mask) -> Mask:
        """Rows where evicting pods could help."""
        hopeless = np.zeros(len(valid), dtype=np.bool_)
        for _, rejection in self.rejections:
            if rejection.unresolvable:
                hopeless |= rejection.rows
        return valid & ~hopeless


def explain(node_count: int, counts: dict[str, int]) -> str:
    """`0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.`: reasons in alphabetical order."""
    if node_count == 0:
        return "no nodes available to schedule pods"
    parts = sorted(f"{count} {reason}" for reason, count in counts.items())
    text = f"0/{node_count} nodes are available"
    return f"{text}: {', '.join(parts)}." if parts else f"{text}:"
