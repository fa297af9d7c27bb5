"""How far a rolling update may go in one step. Pure arithmetic.

    10 replicas, maxSurge 3, maxUnavailable 2: never more than 13 pods, never fewer than 8 available
    step 1: new 0 → 3 (13 in all), old 10 → 8 (the surplus over 8 available, new ones do not count yet)
    step 2: new 3 → 5 …, as pods become available old ones go and make room

Follows: kubernetes 1.36 pkg/controller/deployment/rolling.go; util/deployment_util.go, ResolveFenceposts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from pybernetes.api import apps_v1
from pybernetes.controllers.templates import scaled

ROLLING_UPDATE, RECREATE = "RollingUpdate", "Recreate"

ReplicaSets = Sequence[apps_v1.ReplicaSet]


@dataclass(frozen=True, slots=True)
class Resize:
    """Give a ReplicaSet another size."""

    replica_set: apps_v1.ReplicaSet
    replicas: int


def desired(deployment: apps_v1.Deployment) -> int:
    return 1 if deployment.spec.replicas is None else deployment.spec.replicas


def size(replica_set: apps_v1.ReplicaSet) -> int:
    return 1 if replica_set.spec.replicas is None else replica_set.spec.replicas


def total(sets: ReplicaSets) -> int:
    return sum(map(size, sets))


def available(sets: ReplicaSets) -> int:
    return sum(s.status.availableReplicas for s in sets)


def active(sets: ReplicaSets) -> ReplicaSets:
    return [s for s in sets if size(s) > 0]


def is_rolling(deployment: apps_v1.Deployment) -> bool:
    return deployment.spec.strategy.type != RECREATE


def _fenceposts(deployment: apps_v1.Deployment) -> tuple[int, int]:
    """Surge (rounded up) and unavailable (rounded down); not both 0, or nothing would ever move."""
    rolling = deployment.spec.strategy.rollingUpdate or apps_v1.RollingUpdateDeployment()
    surge = scaled(rolling.maxSurge, desired(deployment), round_up=True)
    unavailable = scaled(rolling.maxUnavailable, desired(deployment), round_up=False)
    return surge, 1 if not surge and not unavailable else unavailable


def max_surge(deployment: apps_v1.Deployment) -> int:
    return _fenceposts(deployment)[0] if is_rolling(deployment) else 0


def max_unavailable(deployment: apps_v1.Deployment) -> int:
    if not is_rolling(deployment) or not desired(deployment):
        return 0
    return min(_fenceposts(deployment)[1], desired(deployment))


def new_replicas(deployment: apps_v1.Deployment, every: ReplicaSets, new_size: int) -> int:
    """The size the newest ReplicaSet may have now. `every` includes it, at `new_size`."""
    if not is_rolling(deployment):
        return desired(deployment)
    room = desired(deployment) + max_surge(deployment) - total(every)
    if room <= 0:
        return new_size
    return new_size + min(room, desired(deployment) - new_size)


def step_new(deployment: apps_v1.Deployment, every: ReplicaSets, new: apps_v1.ReplicaSet) -> Sequence[Resize]:
    """Grow the newest ReplicaSet as far as the surge allows, or shrink it to what is wanted."""
    present, wanted = size(new), desired(deployment)
    target = wanted if present > wanted else new_replicas(deployment, every, present)
    return [Resize(new, target)] if target != present else []


def step_old(deployment: apps_v1.Deployment, old: ReplicaSets, new: apps_v1.ReplicaSet) -> Sequence[Resize]:
    """Shrink old ReplicaSets: first by pods that are not available anyhow, then as far as availability allows."""
    if not total(old):
        return []
    minimum = desired(deployment) - max_unavailable(deployment)
    new_unavailable = size(new) - new.status.availableReplicas
    room = total([*old, new]) - minimum - new_unavailable
    if room <= 0:
        return []
    sizes = {s.metadata.uid: size(s) for s in old}
    ordered = sorted(old, key=lambda s: (s.metadata.creationTimestamp or "", s.metadata.name))
    _shrink(ordered, sizes, room, unhealthy_only=True)
    _shrink(ordered, sizes, available([*old, new]) - minimum, unhealthy_only=False)
    return [Resize(s, sizes[s.metadata.uid]) for s in ordered if sizes[s.metadata.uid] != size(s)]


def _shrink(ordered: ReplicaSets, sizes: dict[str, int], room: int, *, unhealthy_only: bool) -> None:
    for replica_set in ordered:
        if room <= 0:
            return
        uid = replica_set.metadata.uid
        spare = sizes[uid] - replica_set.status.availableReplicas if unhealthy_only else sizes[uid]
        taken = min(room, max(0, spare))
        sizes[uid] -= taken
        room -= taken
