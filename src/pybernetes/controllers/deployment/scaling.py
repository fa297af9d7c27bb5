"""Sizes of all ReplicaSets when a Deployment is scaled in the middle of a rollout: each by its share. Pure.

    web 10 → 20 while new has 5 and old has 8 (max was 13, becomes 23 with maxSurge 3):
    8·23/13 = 14.2 → 14, 5·23/13 = 8.8 → 9; together 23

Follows: kubernetes 1.36 pkg/controller/deployment/sync.go, scale; util/deployment_util.go, GetReplicaSetProportion.
"""

import math
from collections.abc import Sequence

from pybernetes.api import apps_v1
from pybernetes.controllers.deployment import revisions, rolling
from pybernetes.controllers.deployment.rolling import ReplicaSets, Resize


def is_scaling(deployment: apps_v1.Deployment, every: ReplicaSets) -> bool:
    """Whether an active ReplicaSet was last sized for another number of replicas."""
    sized = (revisions.desired_annotation(s) for s in rolling.active(every))
    return any(number is not None and number != rolling.desired(deployment) for number in sized)


def plan(deployment: apps_v1.Deployment, old: ReplicaSets, new: apps_v1.ReplicaSet | None) -> Sequence[Resize]:
    """The sizes all should have; sets that keep theirs appear too: their annotations may still name the old size."""
    wanted = rolling.desired(deployment)
    single = _active_or_latest(old, new)
    if single is not None:
        return [Resize(single, wanted)]
    if new is not None and _is_saturated(deployment, new):
        return [Resize(s, 0) for s in rolling.active(old)]
    if not rolling.is_rolling(deployment):
        return [Resize(s, rolling.size(s)) for s in rolling.active(old)]
    every = [*rolling.active(old), *([new] if new is not None and rolling.size(new) else [])]
    return _proportional(deployment, every)


def _active_or_latest(old: ReplicaSets, new: apps_v1.ReplicaSet | None) -> apps_v1.ReplicaSet | None:
    """The only set with pods, or, when none has any, the newest; None when several have."""
    every = [*old, *([new] if new is not None else [])]
    if not every:
        return None
    busy = rolling.active(every)
    if len(busy) > 1:
        return None
    return busy[0] if busy else new or revisions.by_age(old)[-1]


def _is_saturated(deployment: apps_v1.Deployment, new: apps_v1.ReplicaSet) -> bool:
    wanted = rolling.desired(deployment)
    return (
        rolling.size(new) == wanted
        and revisions.desired_annotation(new) == wanted
        and new.status.availableReplicas == wanted
    )


def _proportional(deployment: apps_v1.Deployment, every: ReplicaSets) -> Sequence[Resize]:
    wanted = rolling.desired(deployment)
    allowed = wanted + rolling.max_surge(deployment) if wanted else 0
    to_add = allowed - rolling.total(every)
    oldest_first = revisions.by_age(every)
    # Of equal sizes the newer one grows first, and the older one shrinks first.
    ordered = sorted(oldest_first if to_add <= 0 else oldest_first[::-1], key=rolling.size, reverse=True)
    sizes: list[int] = []
    added = 0
    for replica_set in ordered:
        share = _share(deployment, replica_set, to_add, added)
        sizes.append(rolling.size(replica_set) + share)
        added += share
    if to_add and sizes:
        sizes[0] = max(0, sizes[0] + to_add - added)  # what rounding left goes to the largest
    return [Resize(s, number) for s, number in zip(ordered, sizes, strict=True)]


def _share(deployment: apps_v1.Deployment, replica_set: apps_v1.ReplicaSet, to_add: int, added: int) -> int:
    """Replicas this set gains (or, negative, loses) of the `to_add - added` that are left."""
    present = rolling.size(replica_set)
    if not present or to_add == added:
        return 0
    fraction = _fraction(deployment, replica_set)
    left = to_add - added
    return min(fraction, left) if to_add > 0 else max(fraction, left)


def _fraction(deployment: apps_v1.Deployment, replica_set: apps_v1.ReplicaSet) -> int:
    present, wanted = rolling.size(replica_set), rolling.desired(deployment)
    if not wanted:
        return -present
    before = revisions.max_annotation(replica_set) or deployment.status.replicas
    if not before:
        return 0
    exact = present * (wanted + rolling.max_surge(deployment)) / before
    return math.floor(exact + 0.5) - present
