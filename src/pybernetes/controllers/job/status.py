"""What a Job's status says. Pure.

Follows: kubernetes 1.36 pkg/controller/job/job_controller.go.
"""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from pybernetes.api import batch_v1
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.job import facts
from pybernetes.controllers.job.accounting import Tally
from pybernetes.controllers.job.verdict import Verdict
from pybernetes.effects import format_time

Conditions = Sequence[batch_v1.JobCondition]


def with_condition(
    conditions: Conditions, kind: str, status: str, reason: str, message: str, now: datetime
) -> list[batch_v1.JobCondition]:
    """The conditions with this one; one that says the same stays as it is."""
    present = next((c for c in conditions if c.type == kind), None)
    if present is not None and (present.status, present.reason, present.message) == (status, reason, message):
        return [*conditions]
    at = format_time(now)
    new = batch_v1.JobCondition(
        type=kind, status=status, reason=reason, message=message, lastProbeTime=at, lastTransitionTime=at
    )
    return [new if c.type == kind else c for c in conditions] if present is not None else [*conditions, new]


def started(job: batch_v1.Job, now: datetime) -> batch_v1.Job:
    """The Job with start time and Suspended condition as `spec.suspend` asks."""
    status = job.status
    condition = next((c for c in status.conditions if c.type == facts.SUSPENDED), None)
    was_suspended = condition is not None and condition.status == "True"
    if facts.is_suspended(job):
        if not was_suspended:
            conditions = with_condition(
                status.conditions, facts.SUSPENDED, "True", "JobSuspended", "Job suspended", now
            )
            status = msgspec.structs.replace(status, conditions=conditions, startTime=None)
    else:
        if was_suspended:
            conditions = with_condition(status.conditions, facts.SUSPENDED, "False", "JobResumed", "Job resumed", now)
            status = msgspec.structs.replace(status, conditions=conditions, startTime=format_time(now))
        if status.startTime is None:
            status = msgspec.structs.replace(status, startTime=format_time(now))
    return msgspec.structs.replace(job, status=status)


def with_counts(status: batch_v1.JobStatus, found: Tally) -> batch_v1.JobStatus:
    return msgspec.structs.replace(
        status,
        active=len(found.active),
        ready=sum(map(pod_facts.is_ready, found.active)),
        terminating=len(found.terminating),
    )


def with_verdict(status: batch_v1.JobStatus, verdict: Verdict, now: datetime) -> batch_v1.JobStatus:
    """The interim condition: how it will end."""
    conditions = with_condition(status.conditions, verdict.type, "True", verdict.reason, verdict.message, now)
    return msgspec.structs.replace(status, conditions=conditions)


def finished(status: batch_v1.JobStatus, verdict: Verdict, now: datetime) -> batch_v1.JobStatus:
    """The end, once no pod runs any more and all are counted."""
    kind = facts.FAILED if verdict.failed else facts.COMPLETE
    conditions = with_condition(status.conditions, kind, "True", verdict.reason, verdict.message, now)
    completion = status.completionTime if verdict.failed else format_time(now)
    return msgspec.structs.replace(
        status, conditions=conditions, completionTime=completion, uncountedTerminatedPods=None
    )
