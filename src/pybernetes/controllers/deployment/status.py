"""What a Deployment's status says: counts, Available, Progressing, ReplicaFailure. Pure.

Follows: kubernetes 1.36 pkg/controller/deployment/progress.go, sync.go (calculateStatus).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from pybernetes.api import apps_v1
from pybernetes.controllers.deployment import rolling
from pybernetes.controllers.deployment.rolling import ReplicaSets
from pybernetes.effects import format_time, parse_time

AVAILABLE, PROGRESSING, REPLICA_FAILURE = "Available", "Progressing", "ReplicaFailure"
TRUE, FALSE, UNKNOWN = "True", "False", "Unknown"

MINIMUM_AVAILABLE, MINIMUM_UNAVAILABLE = "MinimumReplicasAvailable", "MinimumReplicasUnavailable"
NEW_REPLICA_SET = "NewReplicaSetCreated"
FOUND_NEW_REPLICA_SET = "FoundNewReplicaSet"
REPLICA_SET_UPDATED = "ReplicaSetUpdated"
NEW_REPLICA_SET_AVAILABLE = "NewReplicaSetAvailable"
TIMED_OUT = "ProgressDeadlineExceeded"
PAUSED, RESUMED = "DeploymentPaused", "DeploymentResumed"
CREATE_ERROR = "ReplicaSetCreateError"

NO_DEADLINE = 2**31 - 1

Condition = apps_v1.DeploymentCondition
Conditions = Sequence[Condition]


def find(conditions: Conditions, kind: str) -> Condition | None:
    return next((c for c in conditions if c.type == kind), None)


def condition(kind: str, status: str, reason: str, message: str, now: datetime) -> Condition:
    at = format_time(now)
    return Condition(type=kind, status=status, reason=reason, message=message, lastUpdateTime=at, lastTransitionTime=at)


def with_condition(conditions: Conditions, new: Condition) -> list[Condition]:
    """The conditions with this one last; one with the same status and reason stays as it is."""
    present = find(conditions, new.type)
    if present is not None and (present.status, present.reason) == (new.status, new.reason):
        return [*conditions]
    if present is not None and present.status == new.status:
        new = msgspec.structs.replace(new, lastTransitionTime=present.lastTransitionTime)
    return [*without(conditions, new.type), new]


def without(conditions: Conditions, kind: str) -> list[Condition]:
    return [c for c in conditions if c.type != kind]


def has_deadline(deployment: apps_v1.Deployment) -> bool:
    seconds = deployment.spec.progressDeadlineSeconds
    return seconds is not None and seconds != NO_DEADLINE


def calculate(
    deployment: apps_v1.Deployment, every: ReplicaSets, new: apps_v1.ReplicaSet | None, now: datetime
) -> apps_v1.DeploymentStatus:
    """The counts, and whether enough is available."""
    replicas = sum(s.status.replicas for s in every)
    available = rolling.available(every)
    terminating = [s.status.terminatingReplicas for s in every]
    if available >= rolling.desired(deployment) - rolling.max_unavailable(deployment):
        enough = condition(AVAILABLE, TRUE, MINIMUM_AVAILABLE, "Deployment has minimum availability.", now)
    else:
        enough = condition(AVAILABLE, FALSE, MINIMUM_UNAVAILABLE, "Deployment does not have minimum availability.", now)
    return apps_v1.DeploymentStatus(
        observedGeneration=deployment.metadata.generation,
        replicas=replicas,
        updatedReplicas=new.status.replicas if new is not None else 0,
        readyReplicas=sum(s.status.readyReplicas for s in every),
        availableReplicas=available,
        unavailableReplicas=max(0, replicas - available),
        terminatingReplicas=None if None in terminating else sum(number or 0 for number in terminating),
        collisionCount=deployment.status.collisionCount,
        conditions=with_condition(deployment.status.conditions, enough),
    )


def is_complete(deployment: apps_v1.Deployment, status: apps_v1.DeploymentStatus) -> bool:
    """All replicas are of the newest template and available, and no old one is left."""
    wanted = rolling.desired(deployment)
    return (
        status.updatedReplicas == status.replicas == status.availableReplicas == wanted
        and status.observedGeneration >= deployment.metadata.generation
    )


def _progressed(old: apps_v1.DeploymentStatus, new: apps_v1.DeploymentStatus) -> bool:
    return (
        new.updatedReplicas > old.updatedReplicas
        or new.replicas - new.updatedReplicas < old.replicas - old.updatedReplicas
        or new.readyReplicas > old.readyReplicas
        or new.availableReplicas > old.availableReplicas
    )


def deadline(deployment: apps_v1.Deployment, conditions: Conditions) -> datetime | None:
    """When a rollout that makes no further progress is given up; None when that cannot happen (any more)."""
    progressing = find(conditions, PROGRESSING)
    if not has_deadline(deployment) or progressing is None or progressing.lastUpdateTime is None:
        return None
    seconds = deployment.spec.progressDeadlineSeconds or 0
    return parse_time(progressing.lastUpdateTime) + timedelta(seconds=seconds)


def rollout(
    deployment: apps_v1.Deployment, every: ReplicaSets, new: apps_v1.ReplicaSet | None, now: datetime
) -> apps_v1.DeploymentStatus:
    """The whole status during and after a rollout."""
    status = calculate(deployment, every, new, now)
    conditions = status.conditions
    present = find(deployment.status.conditions, PROGRESSING)
    if not has_deadline(deployment):
        conditions = without(conditions, PROGRESSING)
    # Once a rollout was completed, changes of readiness are no progress of it.
    settled = (
        status.replicas == status.updatedReplicas
        and present is not None
        and present.reason == NEW_REPLICA_SET_AVAILABLE
    )
    if has_deadline(deployment) and not settled:
        conditions = _progress(deployment, status, new, now)
    return msgspec.structs.replace(status, conditions=_failures(conditions, every, new))


def _progress(
    deployment: apps_v1.Deployment,
    status: apps_v1.DeploymentStatus,
    new: apps_v1.ReplicaSet | None,
    now: datetime,
) -> list[Condition]:
    present = find(deployment.status.conditions, PROGRESSING)
    subject = f'ReplicaSet "{new.name}"' if new is not None else f'Deployment "{deployment.name}"'
    if is_complete(deployment, status):
        done = f"{subject} has successfully progressed."
        return with_condition(status.conditions, condition(PROGRESSING, TRUE, NEW_REPLICA_SET_AVAILABLE, done, now))
    if _progressed(deployment.status, status):
        # The time of update moves with every step, the time of transition only when the status changes.
        step = condition(PROGRESSING, TRUE, REPLICA_SET_UPDATED, f"{subject} is progressing.", now)
        if present is not None and present.status == TRUE:
            step = msgspec.structs.replace(step, lastTransitionTime=present.lastTransitionTime)
        return [*without(status.conditions, PROGRESSING), step]
    if _timed_out(deployment, status, now):
        late = f"{subject} has timed out progressing."
        return with_condition(status.conditions, condition(PROGRESSING, FALSE, TIMED_OUT, late, now))
    return [*status.conditions]


def _timed_out(deployment: apps_v1.Deployment, status: apps_v1.DeploymentStatus, now: datetime) -> bool:
    present = find(status.conditions, PROGRESSING)
    if present is None or present.reason == NEW_REPLICA_SET_AVAILABLE:
        return False
    if present.reason == TIMED_OUT:
        return True
    limit = deadline(deployment, status.conditions)
    return limit is not None and limit < now


def _failures(conditions: Conditions, every: ReplicaSets, new: apps_v1.ReplicaSet | None) -> list[Condition]:
    """The first failure of a ReplicaSet, the newest's before others', as the Deployment's own."""
    ordered = ([new] if new is not None else []) + [*every]
    for replica_set in ordered:
        for found in replica_set.status.conditions:
            if found.type == REPLICA_FAILURE:
                moved = Condition(
                    type=found.type,
                    status=found.status,
                    reason=found.reason,
                    message=found.message,
                    lastTransitionTime=found.lastTransitionTime,
                    lastUpdateTime=found.lastTransitionTime,
                )
                return with_condition(conditions, moved)
    return without(conditions, REPLICA_FAILURE)


def paused(deployment: apps_v1.Deployment, now: datetime) -> Condition | None:
    """The condition to add because the Deployment was paused or resumed; None when nothing changed."""
    if not has_deadline(deployment):
        return None
    present = find(deployment.status.conditions, PROGRESSING)
    if present is not None and present.reason == TIMED_OUT:
        return None
    says_paused = present is not None and present.reason == PAUSED
    if deployment.spec.paused and not says_paused:
        return condition(PROGRESSING, UNKNOWN, PAUSED, "Deployment is paused", now)
    if not deployment.spec.paused and says_paused:
        return condition(PROGRESSING, UNKNOWN, RESUMED, "Deployment is resumed", now)
    return None
