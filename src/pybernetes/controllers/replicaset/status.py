"""What a ReplicaSet's or ReplicationController's status says. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec

from pybernetes.api import apps_v1, core_v1
from pybernetes.controllers import pods as pod_facts
from pybernetes.effects import format_time

REPLICA_FAILURE = "ReplicaFailure"
FAILED_CREATE, FAILED_DELETE = "FailedCreate", "FailedDelete"


@dataclass(frozen=True, slots=True)
class Counts:
    """Pods of a set by what they are good for."""

    replicas: int
    fully_labeled: int
    ready: int
    available: int
    terminating: int


def count(
    claimed: Sequence[core_v1.Pod], template_labels: Mapping[str, str], min_ready_seconds: int, now: datetime
) -> Counts:
    """Follows: kubernetes pkg/controller/replicaset/replica_set_utils.go, calculateStatus."""
    active = [pod for pod in claimed if pod_facts.is_active(pod)]
    return Counts(
        replicas=len(active),
        fully_labeled=sum(template_labels.items() <= pod.metadata.labels.items() for pod in active),
        ready=sum(map(pod_facts.is_ready, active)),
        available=sum(pod_facts.is_available(pod, min_ready_seconds, now) for pod in active),
        terminating=sum(pod_facts.is_terminating(pod) and not pod_facts.is_finished(pod) for pod in claimed),
    )


def failure_condition(failure: Exception, missing: int, now: datetime) -> apps_v1.ReplicaSetCondition:
    """The condition that says why pods could not be made (`missing` ≥ 0) or deleted."""
    return apps_v1.ReplicaSetCondition(
        type=REPLICA_FAILURE,
        status="True",
        reason=FAILED_CREATE if missing >= 0 else FAILED_DELETE,
        message=str(failure),
        lastTransitionTime=format_time(now),
    )


def of_replica_set(
    replica_set: apps_v1.ReplicaSet, counts: Counts, failure: apps_v1.ReplicaSetCondition | None
) -> apps_v1.ReplicaSetStatus:
    """The new status; a failure that is there already keeps its time."""
    old = replica_set.status
    conditions = old.conditions
    present = next((c for c in conditions if c.type == REPLICA_FAILURE), None)
    if failure is None:
        conditions = [c for c in conditions if c.type != REPLICA_FAILURE]
    elif present is None or (present.status, present.reason) != (failure.status, failure.reason):
        conditions = [*(c for c in conditions if c.type != REPLICA_FAILURE), failure]
    return apps_v1.ReplicaSetStatus(
        replicas=counts.replicas,
        fullyLabeledReplicas=counts.fully_labeled,
        readyReplicas=counts.ready,
        availableReplicas=counts.available,
        terminatingReplicas=counts.terminating,
        observedGeneration=max(replica_set.metadata.generation, old.observedGeneration),
        conditions=conditions,
    )


def of_replication_controller(
    controller: core_v1.ReplicationController, counts: Counts, failure: apps_v1.ReplicaSetCondition | None
) -> core_v1.ReplicationControllerStatus:
    """The same for a ReplicationController, which does not count terminating pods."""
    as_set = apps_v1.ReplicaSet(
        metadata=controller.metadata,
        status=apps_v1.ReplicaSetStatus(
            observedGeneration=controller.status.observedGeneration,
            conditions=[apps_v1.ReplicaSetCondition(**msgspec.structs.asdict(c)) for c in controller.status.conditions],
        ),
    )
    status = of_replica_set(as_set, counts, failure)
    return core_v1.ReplicationControllerStatus(
        replicas=status.replicas,
        fullyLabeledReplicas=status.fullyLabeledReplicas,
        readyReplicas=status.readyReplicas,
        availableReplicas=status.availableReplicas,
        observedGeneration=status.observedGeneration,
        conditions=[core_v1.ReplicationControllerCondition(**msgspec.structs.asdict(c)) for c in status.conditions],
    )
