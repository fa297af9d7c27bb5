"""What controllers ask about a pod: is it still of use, is it ready, for how long.

Follows: kubernetes pkg/api/v1/pod/util.go; pkg/controller/controller_utils.go.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from pybernetes.api import core_v1
from pybernetes.client.informer import Informer
from pybernetes.effects import parse_time

PENDING, RUNNING, SUCCEEDED, FAILED, UNKNOWN = "Pending", "Running", "Succeeded", "Failed", "Unknown"
READY = "Ready"
TRUE, FALSE, UNKNOWN_STATUS = "True", "False", "Unknown"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


BY_NODE = "node"
"""Index of pods by the node they are on."""


def index_by_node(informer: Informer[core_v1.Pod]) -> None:
    """Make the pods of a node quick to find on this informer."""
    if not informer.has_index(BY_NODE):
        informer.index(BY_NODE, lambda pod: [pod.spec.nodeName] if pod.spec.nodeName else [])


def is_finished(pod: core_v1.Pod) -> bool:
    return pod.status.phase in (SUCCEEDED, FAILED)


def is_terminating(pod: core_v1.Pod) -> bool:
    return pod.metadata.deletionTimestamp is not None


def is_active(pod: core_v1.Pod) -> bool:
    """Neither finished nor on its way out."""
    return not is_finished(pod) and not is_terminating(pod)


def condition(pod: core_v1.Pod, kind: str) -> core_v1.PodCondition | None:
    for found in pod.status.conditions:
        if found.type == kind:
            return found
    return None


def is_ready(pod: core_v1.Pod) -> bool:
    found = condition(pod, READY)
    return found is not None and found.status == TRUE


def ready_since(pod: core_v1.Pod) -> datetime | None:
    """Since when the pod has been Ready; None when it is not."""
    found = condition(pod, READY)
    if found is None or found.status != TRUE or found.lastTransitionTime is None:
        return None
    return parse_time(found.lastTransitionTime)


def is_available(pod: core_v1.Pod, min_ready_seconds: int, now: datetime) -> bool:
    """Ready for at least `min_ready_seconds`."""
    if not is_ready(pod):
        return False
    since = ready_since(pod)
    return not min_ready_seconds or (since is not None and since + timedelta(seconds=min_ready_seconds) <= now)


def seconds_until_available(pods: Iterable[core_v1.Pod], min_ready_seconds: int, now: datetime) -> float | None:
    """When the next ready pod becomes available; None when all ready ones are."""
    waits = []
    for pod in pods:
        since = ready_since(pod)
        if min_ready_seconds and since is not None:
            left = (since + timedelta(seconds=min_ready_seconds) - now).total_seconds()
            if left > 0:
                waits.append(left)
    return min(waits, default=None)


def restarts(pod: core_v1.Pod) -> int:
    """The most restarts of any one container."""
    return max((status.restartCount for status in pod.status.containerStatuses), default=0)


def deletion_cost(pod: core_v1.Pod) -> int:
    """What the user says losing this pod costs; nonsense counts as nothing."""
    text = pod.metadata.annotations.get(DELETION_COST, "")
    try:
        return int(text)
    except ValueError:
        return 0


_PHASE_RANK = {PENDING: 0, "": 0, UNKNOWN: 1, RUNNING: 2}


def deletion_order(pods: Sequence[core_v1.Pod], companions: Mapping[str, int], now: datetime) -> Sequence[core_v1.Pod]:
    """Pods in the order in which to give them up.

    Not yet on a node, then pending, then not ready, then cheaper, then on a node with more of its kind
    (`companions`: node name → pods), then ready for a shorter time, then restarted more often, then younger.
    Times count by powers of two, so that pods of about the same age are taken at random, by uid.

    Follows: kubernetes pkg/controller/controller_utils.go, ActivePodsWithRanks.
    """
    return sorted(pods, key=lambda pod: _rank(pod, companions, now))


def _rank(pod: core_v1.Pod, companions: Mapping[str, int], now: datetime) -> tuple[object, ...]:
    ready = is_ready(pod)
    since = ready_since(pod)
    created = pod.metadata.creationTimestamp
    return (
        bool(pod.spec.nodeName),
        _PHASE_RANK.get(pod.status.phase, 2),
        ready,
        deletion_cost(pod),
        -companions.get(pod.spec.nodeName, 0),
        _age_rank(since, now) if ready else 0,
        -restarts(pod),
        _age_rank(parse_time(created) if created else None, now),
        pod.metadata.uid,
    )


def _age_rank(moment: datetime | None, now: datetime) -> int:
    if moment is None:
        return -1
    seconds = (now - moment).total_seconds()
    return -1 if seconds <= 0 else max(0, int(math.log2(seconds * 1e9)))


def companions_by_node(pods: Iterable[core_v1.Pod]) -> Mapping[str, int]:
    """How many active pods stand on each node."""
    counts: dict[str, int] = {}
    for pod in pods:
        if is_active(pod):
            counts[pod.spec.nodeName] = counts.get(pod.spec.nodeName, 0) + 1
    return counts
