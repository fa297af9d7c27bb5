"""The next step of a StatefulSet. Pure.

    OrderedReady    one pod at a time: the lowest missing one once all before it are ready; downwards the highest first
    Parallel        all that are missing at once, all that are too many at once
    update          from the highest number down to the partition, one unavailable pod at a time

Follows: kubernetes 1.36 pkg/controller/statefulset/stateful_set_control.go, updateStatefulSet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pybernetes.api import apps_v1, core_v1
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.history import HASH_LABEL
from pybernetes.controllers.statefulset import identity

PARALLEL = "Parallel"
ON_DELETE = "OnDelete"


@dataclass(slots=True)
class Plan:
    """Numbers to make, and pods to delete."""

    create: list[int] = field(default_factory=list)
    delete: list[core_v1.Pod] = field(default_factory=list)


def by_ordinal(stateful_set: apps_v1.StatefulSet, pods: Sequence[core_v1.Pod]) -> dict[int, core_v1.Pod]:
    found = {}
    for pod in pods:
        number = identity.ordinal_of(stateful_set, pod)
        if number is not None:
            found[number] = pod
    return found


def is_parallel(stateful_set: apps_v1.StatefulSet) -> bool:
    return stateful_set.spec.podManagementPolicy == PARALLEL


def revision_for(stateful_set: apps_v1.StatefulSet, number: int, current: str, update: str) -> str:
    """The revision a new pod of this number is made of: below the partition the one before the update."""
    strategy = stateful_set.spec.updateStrategy
    if strategy.type == ON_DELETE:
        return update
    start = identity.ordinals(stateful_set).start
    if strategy.rollingUpdate is None:
        return current if number < start + stateful_set.status.currentReplicas else update
    return current if number < start + (strategy.rollingUpdate.partition or 0) else update


def plan(stateful_set: apps_v1.StatefulSet, pods: Sequence[core_v1.Pod], update: str, now: datetime) -> Plan:
    """What to do now; the next event brings the next step."""
    result = Plan()
    if stateful_set.metadata.deletionTimestamp is not None:
        return result
    present = by_ordinal(stateful_set, pods)
    wanted = identity.ordinals(stateful_set)
    parallel = is_parallel(stateful_set)
    seconds = stateful_set.spec.minReadySeconds
    for number in wanted:
        pod = present.get(number)
        if pod is None:
            result.create.append(number)
        elif pod_facts.is_finished(pod):
            if not pod_facts.is_terminating(pod):
                result.delete.append(pod)  # its place is taken by a new one of the same name
        elif not pod_facts.is_terminating(pod) and pod_facts.is_available(pod, seconds, now):
            continue
        if not parallel:
            return result
    surplus = sorted((n for n in present if n not in wanted), reverse=True)
    if surplus and (parallel or not (result.create or result.delete)):
        _shrink(surplus, present, result, parallel=parallel)
    if not surplus or parallel:
        _update(stateful_set, present, update, result, now)
    return result


def _shrink(surplus: Sequence[int], present: Mapping[int, core_v1.Pod], result: Plan, *, parallel: bool) -> None:
    for number in surplus:
        pod = present[number]
        if not pod_facts.is_terminating(pod):
            result.delete.append(pod)
        if not parallel:
            return  # the highest goes first, and alone


def _update(
    stateful_set: apps_v1.StatefulSet,
    present: Mapping[int, core_v1.Pod],
    update: str,
    result: Plan,
    now: datetime,
) -> None:
    """Delete the highest pod of an older revision, unless another is away."""
    strategy = stateful_set.spec.updateStrategy
    if strategy.type == ON_DELETE or result.create or result.delete:
        return
    partition = strategy.rollingUpdate.partition or 0 if strategy.rollingUpdate is not None else 0
    wanted = identity.ordinals(stateful_set)
    for number in reversed(wanted):
        if number < wanted.start + partition:
            return
        pod = present.get(number)
        if pod is None or pod_facts.is_terminating(pod):
            return
        if pod.metadata.labels.get(HASH_LABEL) != update:
            result.delete.append(pod)
            return
        if not pod_facts.is_available(pod, stateful_set.spec.minReadySeconds, now):
            return
