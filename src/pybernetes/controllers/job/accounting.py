"""Counting every pod exactly once, though pods vanish and controllers crash. Pure.

    pod ends             has the finalizer, is in no list         → its uid goes into uncountedTerminatedPods
    uid is written       the finalizer may go                     → the pod can be deleted by anybody
    finalizer is gone    the uid leaves the list, the counter grows by one, in one write

Whatever happens between two of these steps, the next look goes on where it stopped.

Follows: kubernetes 1.36 pkg/controller/job/job_controller.go, trackJobStatusAndRemoveFinalizers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import msgspec

from pybernetes.api import batch_v1, core_v1
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.job import facts, failure_policy, indexes
from pybernetes.controllers.job.failure_policy import COUNT, FAIL_INDEX, FAIL_JOB, IGNORE

MAX_UNCOUNTED = 500
"""Pods counted in one write."""


@dataclass(slots=True)
class Tally:
    """A Job's pods, by what they mean for it."""

    active: list[core_v1.Pod] = field(default_factory=list)
    terminating: list[core_v1.Pod] = field(default_factory=list)
    new_succeeded: list[core_v1.Pod] = field(default_factory=list)
    new_failed: list[core_v1.Pod] = field(default_factory=list)
    ignored: list[core_v1.Pod] = field(default_factory=list)
    """Failed, but not to be counted."""
    delayed: list[core_v1.Pod] = field(default_factory=list)
    """Failed pods of an index that has no replacement yet: they remember how often the index failed."""
    succeeded: int = 0
    failed: int = 0
    succeeded_indexes: set[int] = field(default_factory=set)
    failed_indexes: set[int] = field(default_factory=set)
    fail_message: str = ""
    """Why the failure policy ends the Job; empty when it does not."""


def uncounted(job: batch_v1.Job) -> batch_v1.UncountedTerminatedPods:
    return job.status.uncountedTerminatedPods or batch_v1.UncountedTerminatedPods()


def tally(job: batch_v1.Job, pods: Iterable[core_v1.Pod]) -> Tally:
    """Look at all pods once."""
    result = Tally()
    listed = uncounted(job)
    known = {*listed.succeeded, *listed.failed}
    limit = job.spec.completions or 0
    result.succeeded_indexes = indexes.parse(job.status.completedIndexes, limit) if facts.is_indexed(job) else set()
    result.failed_indexes = indexes.parse(job.status.failedIndexes, limit) if facts.is_per_index(job) else set()
    ordered = sorted(pods, key=lambda pod: pod.name)
    for pod in ordered:
        if pod_facts.is_active(pod):
            result.active.append(pod)
        elif not pod_facts.is_finished(pod):
            result.terminating.append(pod)
        if not facts.is_tracked(pod) or pod.metadata.uid in known:
            continue
        if pod.status.phase == pod_facts.SUCCEEDED:
            _note_success(job, pod, limit, result)
        elif facts.has_failed(job, pod):
            _note_failure(job, pod, result)
    if facts.is_per_index(job):
        busy = {facts.index_of(pod) for pod in result.active} | result.succeeded_indexes | result.failed_indexes
        newest: dict[int | None, core_v1.Pod] = {}
        for pod in (*result.new_failed, *result.ignored):
            index = facts.index_of(pod)
            known_pod = newest.get(index)
            if index not in busy and (
                known_pod is None or facts.failures_of_index(pod) >= facts.failures_of_index(known_pod)
            ):
                newest[index] = pod
        result.delayed = [*newest.values()]
    result.failed = job.status.failed + len(result.new_failed) + len(listed.failed)
    if facts.is_indexed(job):
        result.succeeded = len(result.succeeded_indexes)
    else:
        result.succeeded = job.status.succeeded + len(result.new_succeeded) + len(listed.succeeded)
    return result


def _note_success(job: batch_v1.Job, pod: core_v1.Pod, limit: int, result: Tally) -> None:
    result.new_succeeded.append(pod)
    index = facts.index_of(pod)
    if facts.is_indexed(job) and index is not None and index < limit:
        result.succeeded_indexes.add(index)


def _note_failure(job: batch_v1.Job, pod: core_v1.Pod, result: Tally) -> None:
    found = (
        failure_policy.match(job.spec.podFailurePolicy, pod) if pod_facts.is_finished(pod) else failure_policy.DEFAULT
    )
    if found.action == IGNORE:
        result.ignored.append(pod)
        return
    result.new_failed.append(pod)
    if found.action == FAIL_JOB and not result.fail_message:
        result.fail_message = found.message
    index = facts.index_of(pod)
    if not facts.is_per_index(job) or index is None or index in result.succeeded_indexes:
        return
    retries = job.spec.backoffLimitPerIndex or 0
    if found.action == FAIL_INDEX or (found.action in (COUNT, FAIL_JOB) and facts.failures_of_index(pod) >= retries):
        result.failed_indexes.add(index)


def settled(job: batch_v1.Job, tracked: Iterable[core_v1.Pod]) -> batch_v1.JobStatus:
    """The status with those counted for good whose pods have lost the finalizer, or are gone."""
    listed = uncounted(job)
    held = {pod.metadata.uid for pod in tracked}
    succeeded = [uid for uid in listed.succeeded if uid in held]
    failed = [uid for uid in listed.failed if uid in held]
    if (succeeded, failed) == (listed.succeeded, listed.failed):
        return job.status
    more = 0 if facts.is_indexed(job) else len(listed.succeeded) - len(succeeded)
    return msgspec.structs.replace(
        job.status,
        succeeded=job.status.succeeded + more,
        failed=job.status.failed + len(listed.failed) - len(failed),
        uncountedTerminatedPods=batch_v1.UncountedTerminatedPods(succeeded=succeeded, failed=failed),
    )


@dataclass(frozen=True, slots=True)
class Noted:
    """The status that lists newly ended pods, and the pods whose finalizer may go once that is written."""

    status: batch_v1.JobStatus
    release: Sequence[core_v1.Pod]


def note(job: batch_v1.Job, found: Tally, pods: Sequence[core_v1.Pod], *, finishing: bool) -> Noted:
    """List what has ended. When the Job itself ends, or is deleted, all its pods are let go."""
    listed = uncounted(job)
    room = MAX_UNCOUNTED - len(listed.succeeded) - len(listed.failed)
    waiting = set() if finishing else {pod.metadata.uid for pod in found.delayed}
    succeeded = found.new_succeeded[: max(0, room)]
    failed = [pod for pod in found.new_failed if pod.metadata.uid not in waiting][: max(0, room - len(succeeded))]
    ignored = [pod for pod in found.ignored if pod.metadata.uid not in waiting]
    known = {*listed.succeeded, *listed.failed}
    release = [pod for pod in pods if facts.is_tracked(pod) and pod.metadata.uid in known]
    release += [*succeeded, *failed, *ignored]
    if facts.is_indexed(job):
        status = msgspec.structs.replace(
            job.status,
            completedIndexes=indexes.render(found.succeeded_indexes),
            succeeded=len(found.succeeded_indexes),
            failedIndexes=indexes.render(found.failed_indexes) if facts.is_per_index(job) else None,
        )
    else:
        status = job.status
    new = batch_v1.UncountedTerminatedPods(
        succeeded=listed.succeeded if facts.is_indexed(job) else [*listed.succeeded, *_uids(succeeded)],
        failed=[*listed.failed, *_uids(failed)],
    )
    return Noted(msgspec.structs.replace(status, uncountedTerminatedPods=new), release)


def _uids(pods: Iterable[core_v1.Pod]) -> list[str]:
    return [pod.metadata.uid for pod in pods]
