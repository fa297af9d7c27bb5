"""Whether a Job is over, and why. Pure.

Follows: kubernetes 1.36 pkg/controller/job/job_controller.go, syncJob; success_policy.go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from pybernetes.api import batch_v1, core_v1
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.job import facts, indexes
from pybernetes.controllers.job.accounting import Tally
from pybernetes.effects import parse_time

BACKOFF_LIMIT_EXCEEDED = "BackoffLimitExceeded"
DEADLINE_EXCEEDED = "DeadlineExceeded"
POD_FAILURE_POLICY = "PodFailurePolicy"
FAILED_INDEXES = "FailedIndexes"
MAX_FAILED_INDEXES_EXCEEDED = "MaxFailedIndexesExceeded"
SUCCESS_POLICY = "SuccessPolicy"
COMPLETIONS_REACHED = "CompletionsReached"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The interim condition (FailureTarget or SuccessCriteriaMet) that decides how the Job ends."""

    type: str
    reason: str
    message: str

    @property
    def failed(self) -> bool:
        return self.type == facts.FAILURE_TARGET


def _failure(reason: str, message: str) -> Verdict:
    return Verdict(facts.FAILURE_TARGET, reason, message)


def judge(job: batch_v1.Job, found: Tally, now: datetime) -> Verdict | None:
    """The verdict, once there is one; an earlier one stands."""
    for kind in (facts.FAILURE_TARGET, facts.SUCCESS_CRITERIA_MET):
        present = facts.condition(job, kind)
        if present is not None:
            return Verdict(kind, present.reason, present.message)
    if found.fail_message:
        return _failure(POD_FAILURE_POLICY, found.fail_message)
    limit = 6 if job.spec.backoffLimit is None else job.spec.backoffLimit
    if found.failed > limit or _restarts_exceed(job, found.active, limit):
        return _failure(BACKOFF_LIMIT_EXCEEDED, "Job has reached the specified backoff limit")
    left = deadline_seconds(job, now)
    if left is not None and left <= 0:
        return _failure(DEADLINE_EXCEEDED, "Job was active longer than specified deadline")
    return (_by_index(job, found) if facts.is_indexed(job) else None) or _by_completions(job, found)


def deadline_seconds(job: batch_v1.Job, now: datetime) -> float | None:
    """Seconds until the Job has been active too long; None when it may be for ever."""
    limit, start = job.spec.activeDeadlineSeconds, job.status.startTime
    if limit is None or start is None or facts.is_suspended(job):
        return None
    return (parse_time(start) + timedelta(seconds=limit) - now).total_seconds()


def _restarts_exceed(job: batch_v1.Job, active: Sequence[core_v1.Pod], limit: int) -> bool:
    """Containers restarted in place count as failures of the Job."""
    if job.spec.template.spec.restartPolicy != "OnFailure":
        return False
    restarts = sum(
        status.restartCount
        for pod in active
        if pod.status.phase in (pod_facts.RUNNING, pod_facts.PENDING)
        for status in (*pod.status.initContainerStatuses, *pod.status.containerStatuses)
    )
    return restarts > 0 if limit == 0 else restarts >= limit


def _by_index(job: batch_v1.Job, found: Tally) -> Verdict | None:
    if facts.is_per_index(job):
        failed = len(found.failed_indexes)
        most = job.spec.maxFailedIndexes
        if most is not None and failed > most:
            return _failure(
                MAX_FAILED_INDEXES_EXCEEDED, "Job has exceeded the specified maximal number of failed indexes"
            )
        if failed and failed + found.succeeded >= (job.spec.completions or 0):
            return _failure(FAILED_INDEXES, "Job has failed indexes")
    return _by_success_policy(job, found)


def _by_success_policy(job: batch_v1.Job, found: Tally) -> Verdict | None:
    for number, rule in enumerate(job.spec.successPolicy.rules if job.spec.successPolicy else ()):
        limit = job.spec.completions or 0
        chosen = indexes.parse(rule.succeededIndexes, limit) if rule.succeededIndexes else set(range(limit))
        done = len(found.succeeded_indexes & chosen)
        needed = rule.succeededCount if rule.succeededCount is not None else len(chosen)
        if done >= needed:
            return Verdict(facts.SUCCESS_CRITERIA_MET, SUCCESS_POLICY, f"Matched rules at index {number}")
    return None


def _by_completions(job: batch_v1.Job, found: Tally) -> Verdict | None:
    if found.active:
        return None
    # Without a number of completions any success will do, once the others have ended as well.
    needed = 1 if job.spec.completions is None else job.spec.completions
    done = found.succeeded >= needed
    if not done:
        return None
    return Verdict(facts.SUCCESS_CRITERIA_MET, COMPLETIONS_REACHED, "Reached expected number of succeeded pods")
