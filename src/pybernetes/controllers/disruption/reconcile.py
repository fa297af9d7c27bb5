"""How many pods a budget expects, needs and can spare. Pure.

    minAvailable 2                 needs 2 of the pods that match
    minAvailable 50%               needs half (rounded up) of what the pods' owners ask for
    maxUnavailable 1               needs what the owners ask for, less 1

Follows: kubernetes 1.36 pkg/controller/disruption/disruption.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from pybernetes.api import core_v1, meta_v1, policy_v1
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.templates import scaled
from pybernetes.effects import format_time, parse_time

DELETION_TIMEOUT_SECONDS = 120
"""An evicted pod that is not deleted by then was not evicted after all."""
DISRUPTION_ALLOWED = "DisruptionAllowed"
SUFFICIENT, INSUFFICIENT, SYNC_FAILED = "SufficientPods", "InsufficientPods", "SyncFailed"


@dataclass(frozen=True, slots=True)
class Need:
    expected: int
    desired_healthy: int


def counts_owners(budget: policy_v1.PodDisruptionBudget) -> bool:
    """Whether it matters what the pods' owners ask for."""
    spec = budget.spec
    return spec.maxUnavailable is not None or isinstance(spec.minAvailable, str)


def need(budget: policy_v1.PodDisruptionBudget, matching: int, owners_ask: int) -> Need:
    """`matching` pods are there, and their owners ask for `owners_ask`."""
    spec = budget.spec
    if spec.maxUnavailable is not None:
        most = scaled(spec.maxUnavailable, owners_ask, round_up=True)
        return Need(owners_ask, max(0, owners_ask - most))
    if isinstance(spec.minAvailable, str):
        return Need(owners_ask, scaled(spec.minAvailable, owners_ask, round_up=True))
    return Need(matching, spec.minAvailable or 0)


def still_disrupted(
    budget: policy_v1.PodDisruptionBudget, pods: Iterable[core_v1.Pod], now: datetime
) -> Mapping[str, str]:
    """Pods whose eviction was granted and that are not deleted yet."""
    noted = budget.status.disruptedPods
    kept = {}
    for pod in pods:
        at = noted.get(pod.name)
        if at is None or pod_facts.is_terminating(pod):
            continue
        if parse_time(at) + timedelta(seconds=DELETION_TIMEOUT_SECONDS) > now:
            kept[pod.name] = at
    return kept


def seconds_until_recheck(disrupted: Mapping[str, str], now: datetime) -> float | None:
    waits = [
        (parse_time(at) + timedelta(seconds=DELETION_TIMEOUT_SECONDS) - now).total_seconds()
        for at in disrupted.values()
    ]
    return min(waits, default=None)


def healthy(pods: Iterable[core_v1.Pod], disrupted: Mapping[str, str]) -> int:
    return sum(
        not pod_facts.is_terminating(pod) and pod.name not in disrupted and pod_facts.is_ready(pod) for pod in pods
    )


def status(
    budget: policy_v1.PodDisruptionBudget,
    pods: Sequence[core_v1.Pod],
    needed: Need,
    now: datetime,
) -> policy_v1.PodDisruptionBudgetStatus:
    """The whole status."""
    disrupted = still_disrupted(budget, pods, now)
    current = healthy(pods, disrupted)
    allowed = max(0, current - needed.desired_healthy) if needed.expected > 0 else 0
    return policy_v1.PodDisruptionBudgetStatus(
        currentHealthy=current,
        desiredHealthy=needed.desired_healthy,
        expectedPods=needed.expected,
        disruptionsAllowed=allowed,
        disruptedPods=dict(disrupted),
        observedGeneration=budget.metadata.generation,
        conditions=_conditions(budget, allowed > 0, SUFFICIENT if allowed > 0 else INSUFFICIENT, "", now),
    )


def failed(budget: policy_v1.PodDisruptionBudget, why: str, now: datetime) -> policy_v1.PodDisruptionBudgetStatus:
    """Nothing may go while it is not known what is needed."""
    return msgspec.structs.replace(
        budget.status,
        disruptionsAllowed=0,
        observedGeneration=budget.metadata.generation,
        conditions=_conditions(budget, False, SYNC_FAILED, why, now),
    )


def _conditions(
    budget: policy_v1.PodDisruptionBudget, allowed: bool, reason: str, message: str, now: datetime
) -> list[meta_v1.Condition]:
    value = "True" if allowed else "False"
    others = [c for c in budget.status.conditions if c.type != DISRUPTION_ALLOWED]
    present = next((c for c in budget.status.conditions if c.type == DISRUPTION_ALLOWED), None)
    changed = present is None or present.status != value
    new = meta_v1.Condition(
        type=DISRUPTION_ALLOWED,
        status=value,
        reason=reason,
        message=message,
        observedGeneration=budget.metadata.generation,
        lastTransitionTime=format_time(now) if changed or present is None else present.lastTransitionTime,
    )
    return [*others, new]
