"""One scheduling decision, pure: filters over all rows, scores over those that remain, the best row wins.

    filters   row by row the first plugin that refuses counts      → feasible rows, diagnosis
    scores    each plugin 0…100 × its weight, added up             → totals
    choice    the highest total; ties are broken at random, as upstream does

Follows: kubernetes 1.36 pkg/scheduler/schedule_one.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pybernetes.effects import Chance
from pybernetes.scheduler.columns import Columns
from pybernetes.scheduler.framework import Diagnosis, FilterPlugin, Rejection, Rows, ScorePlugin, Scores
from pybernetes.scheduler.pod_info import PodInfo


@dataclass(frozen=True, slots=True)
class Placement:
    """The chosen node, and how many were possible."""

    node_name: str
    feasible: int
    score: int


def filter_rows(
    pod: PodInfo, columns: Columns, filters: Sequence[FilterPlugin], *, everything: bool = False
) -> tuple[Rows, Diagnosis]:
    """Rows where the pod fits, and why it does not fit elsewhere.

    With `everything` the later plugins are asked even when no row is left, for explanations.
    """
    remaining = columns.valid.copy()
    found: list[tuple[str, Rejection]] = []
    for plugin in filters:
        refused = np.zeros(len(remaining), dtype=np.bool_)
        for rejection in plugin.filter(pod, columns):
            rows = rejection.rows & remaining
            if rows.any():
                found.append((plugin.NAME, Rejection(rows, rejection.reason, rejection.unresolvable)))
                refused |= rows
        remaining &= ~refused
        if not everything and not remaining.any():
            break
    return np.flatnonzero(remaining), Diagnosis(columns.node_count, found)


def score_rows(
    pod: PodInfo, columns: Columns, rows: Rows, scores: Sequence[tuple[ScorePlugin, int]]
) -> tuple[Scores, dict[str, Scores]]:
    """Weighted totals for `rows`, and each plugin's part of them."""
    total = np.zeros(len(rows), dtype=np.int64)
    parts: dict[str, Scores] = {}
    for plugin, weight in scores:
        points = plugin.score(pod, columns, rows)
        if points is not None:
            parts[plugin.NAME] = points * weight
            total += parts[plugin.NAME]
    return total, parts


def choose(
    pod: PodInfo,
    columns: Columns,
    filters: Sequence[FilterPlugin],
    scores: Sequence[tuple[ScorePlugin, int]],
    chance: Chance,
) -> Placement | Diagnosis:
    """Where the pod goes, or why it goes nowhere."""
    rows, diagnosis = filter_rows(pod, columns, filters)
    if not len(rows):
        return diagnosis
    if len(rows) == 1:
        return Placement(columns.node(int(rows[0])).name, 1, 0)
    total, _ = score_rows(pod, columns, rows, scores)
    highest = int(total.max())
    best = np.flatnonzero(total == highest)
    row = int(rows[best[chance.randint(0, len(best) - 1)]])
    return Placement(columns.node(row).name, len(rows), highest)
