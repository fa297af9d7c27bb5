"""DefaultPreemption: which pods of lower priority must go so that a pod fits, and on which node it hurts least.

On each node where it could help all pods of lower priority are taken away in thought; if the pod fits then, they are
given back one by one, the most important first, as long as it still fits: what is left are the victims. Of the nodes
that one wins whose victims break the fewest disruption budgets, then have the lowest highest priority, then the lowest
sum, then are fewest, then started latest.

Follows: kubernetes 1.36 pkg/scheduler/framework/preemption, plugins/defaultpreemption.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pybernetes.api import policy_v1
from pybernetes.machinery import labels
from pybernetes.scheduler.columns import Columns
from pybernetes.scheduler.cycle import filter_rows
from pybernetes.scheduler.framework import Diagnosis, FilterPlugin
from pybernetes.scheduler.pod_info import PodInfo

MAX_CANDIDATES = 100
"""Nodes examined at most; a tenth of the nodes, at least this many, as upstream's default arguments."""

NOT_HELPFUL = "Preemption is not helpful for scheduling"
NO_VICTIMS = "No preemption victims found for incoming pod"
NEVER = "not eligible due to preemptionPolicy=Never."
TERMINATING = "not eligible due to a terminating pod on the nominated node."


@dataclass(frozen=True, slots=True)
class Candidate:
    """A node and whom it would cost."""

    node_name: str
    victims: tuple[PodInfo, ...]
    budget_violations: int

    @property
    def rank(self) -> tuple[int, int, int, int, float, str]:
        priorities = [victim.priority for victim in self.victims]
        return (
            self.budget_violations,
            max(priorities),
            sum(priority + 2**31 for priority in priorities),
            len(priorities),
            -_latest_start(self.victims),
            self.node_name,
        )


def _latest_start(victims: Sequence[PodInfo]) -> float:
    """The earliest start among the most important victims, as a number that orders like the time."""
    highest = max(victim.priority for victim in victims)
    starts = [victim.pod.status.startTime or "" for victim in victims if victim.priority == highest]
    digits = "".join(character for character in min(starts) if character.isdigit())
    return float(digits or 0)


def find(
    pod: PodInfo,
    columns: Columns,
    diagnosis: Diagnosis,
    filters: Sequence[FilterPlugin],
    budgets: Sequence[policy_v1.PodDisruptionBudget],
) -> tuple[Candidate | None, dict[str, int]]:
    """The best candidate, and for nodes without one how many for which reason."""
    helpful = diagnosis.resolvable(columns.valid)
    rows = [int(row) for row in np.flatnonzero(helpful)]
    reasons: dict[str, int] = {}
    hopeless = columns.node_count - len(rows)
    if hopeless:
        reasons[NOT_HELPFUL] = hopeless
    candidates = []
    for row in rows:
        candidate = _on_row(pod, columns, row, filters, budgets)
        if candidate is None:
            reasons[NO_VICTIMS] = reasons.get(NO_VICTIMS, 0) + 1
        else:
            candidates.append(candidate)
            if len(candidates) >= max(MAX_CANDIDATES, columns.node_count // 10):
                break
    return min(candidates, key=lambda candidate: candidate.rank, default=None), reasons


def _on_row(
    pod: PodInfo,
    columns: Columns,
    row: int,
    filters: Sequence[FilterPlugin],
    budgets: Sequence[policy_v1.PodDisruptionBudget],
) -> Candidate | None:
    name = columns.node(row).name
    lower = [info for info in columns.pods_on(row).values() if info.priority < pod.priority]
    if not lower:
        return None
    for victim in lower:
        columns.unplace(victim.uid)
    try:
        if not _fits(pod, columns, row, filters):
            return None
        violating, others = _by_budget(lower, budgets)
        victims: list[PodInfo] = []
        violations = 0
        for group, counts in ((violating, True), (others, False)):
            for victim in sorted(group, key=_importance):
                columns.place(victim, name)
                if not _fits(pod, columns, row, filters):
                    columns.unplace(victim.uid)
                    victims.append(victim)
                    violations += counts
        return Candidate(name, tuple(victims), violations) if victims else None
    finally:
        for victim in lower:
            columns.place(victim, name)


def _fits(pod: PodInfo, columns: Columns, row: int, filters: Sequence[FilterPlugin]) -> bool:
    rows, _ = filter_rows(pod, columns, filters)
    return row in rows


def _importance(info: PodInfo) -> tuple[int, str]:
    """Sorts the most important first: higher priority, then the one that has run longer."""
    return -info.priority, info.pod.status.startTime or "9"


def _by_budget(
    pods: Sequence[PodInfo], budgets: Sequence[policy_v1.PodDisruptionBudget]
) -> tuple[list[PodInfo], list[PodInfo]]:
    """Pods whose eviction breaks a disruption budget, and the others; each eviction uses the budget up."""
    allowed = {budget.key: budget.status.disruptionsAllowed for budget in budgets}
    violating: list[PodInfo] = []
    others: list[PodInfo] = []
    for info in sorted(pods, key=_importance):
        breaks = False
        for budget in budgets:
            if not _covers(budget, info) or info.pod.metadata.name in budget.status.disruptedPods:
                continue
            allowed[budget.key] -= 1
            breaks = breaks or allowed[budget.key] < 0
        (violating if breaks else others).append(info)
    return violating, others


def _covers(budget: policy_v1.PodDisruptionBudget, info: PodInfo) -> bool:
    pod = info.pod
    if budget.namespace != pod.namespace or budget.spec.selector is None or not pod.metadata.labels:
        return False
    return labels.from_label_selector(budget.spec.selector).matches(pod.metadata.labels)
