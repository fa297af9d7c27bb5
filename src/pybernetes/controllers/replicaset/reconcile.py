"""How many pods to make, or which to give up. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from pybernetes.api import core_v1
from pybernetes.controllers import pods as pod_facts

BURST_REPLICAS = 500
"""Pods made or deleted in one pass, so that one huge set cannot starve the others; the next pass continues."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The pods to make, or those to delete; never both."""

    create: int = 0
    delete: Sequence[core_v1.Pod] = ()


def plan(desired: int, active: Sequence[core_v1.Pod], related: Iterable[core_v1.Pod], now: datetime) -> Plan:
    """What brings `active` to `desired`, at most BURST_REPLICAS of it.

    `related` are the pods of all sets with the same owner: of two equal pods the one goes that has more of them
    beside it on its node.

    Follows: kubernetes 1.36 pkg/controller/replicaset/replica_set.go, manageReplicas and getPodsToDelete.
    """
    missing = desired - len(active)
    if missing >= 0:
        return Plan(create=min(missing, BURST_REPLICAS))
    surplus = min(-missing, BURST_REPLICAS)
    if surplus == len(active):
        return Plan(delete=[*active])
    companions = pod_facts.companions_by_node(related)
    return Plan(delete=[*pod_facts.deletion_order(active, companions, now)][:surplus])
