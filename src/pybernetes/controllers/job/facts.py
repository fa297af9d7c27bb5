"""What is asked about Jobs and their pods again and again. Pure.

Follows: kubernetes 1.36 pkg/controller/job/utils.go, indexed_job_utils.go.
"""

from datetime import datetime

from pybernetes.api import batch_v1, core_v1
from pybernetes.controllers import pods as pod_facts
from pybernetes.effects import parse_time

TRACKING_FINALIZER = "batch.kubernetes.io/job-tracking"
INDEX_ANNOTATION = "batch.kubernetes.io/job-completion-index"
INDEX_FAILURES = "batch.kubernetes.io/job-index-failure-count"
INDEX_IGNORED_FAILURES = "batch.kubernetes.io/job-index-ignored-failure-count"
INDEXED = "Indexed"
CONTROLLED_BY_US = "kubernetes.io/job-controller"

COMPLETE, FAILED, SUSPENDED = "Complete", "Failed", "Suspended"
SUCCESS_CRITERIA_MET, FAILURE_TARGET = "SuccessCriteriaMet", "FailureTarget"


def is_indexed(job: batch_v1.Job) -> bool:
    return job.spec.completionMode == INDEXED


def is_per_index(job: batch_v1.Job) -> bool:
    """Whether every index has its own number of retries."""
    return is_indexed(job) and job.spec.backoffLimitPerIndex is not None


def is_suspended(job: batch_v1.Job) -> bool:
    return bool(job.spec.suspend)


def is_ours(job: batch_v1.Job) -> bool:
    return job.spec.managedBy in (None, "", CONTROLLED_BY_US)


def replaces_failed_only(job: batch_v1.Job) -> bool:
    """Whether a pod on its way out is replaced only once it has ended."""
    return job.spec.podReplacementPolicy == "Failed" or job.spec.podFailurePolicy is not None


def condition(job: batch_v1.Job, kind: str) -> batch_v1.JobCondition | None:
    """The condition, if it is True."""
    return next((c for c in job.status.conditions if c.type == kind and c.status == "True"), None)


def is_finished(job: batch_v1.Job) -> bool:
    return condition(job, COMPLETE) is not None or condition(job, FAILED) is not None


def is_tracked(pod: core_v1.Pod) -> bool:
    """Whether the pod has not been counted for good yet."""
    return TRACKING_FINALIZER in pod.metadata.finalizers


def has_failed(job: batch_v1.Job, pod: core_v1.Pod) -> bool:
    """Ended badly, or, unless only ended pods count, taken away."""
    if pod.status.phase == pod_facts.FAILED:
        return True
    return (
        not replaces_failed_only(job)
        and pod.metadata.deletionTimestamp is not None
        and pod.status.phase != pod_facts.SUCCEEDED
    )


def index_of(pod: core_v1.Pod) -> int | None:
    """The pod's completion index."""
    text = pod.metadata.annotations.get(INDEX_ANNOTATION, "")
    return int(text) if text.isascii() and text.isdecimal() else None


def failures_of_index(pod: core_v1.Pod) -> int:
    """How often pods of this index failed before this one."""
    text = pod.metadata.annotations.get(INDEX_FAILURES, "")
    return int(text) if text.isascii() and text.isdecimal() else 0


def finished_at(pod: core_v1.Pod) -> datetime | None:
    """When the last container ended; else when the pod stopped being ready, or was deleted."""
    ended = [
        parse_time(status.state.terminated.finishedAt)
        for status in pod.status.containerStatuses
        if status.state.terminated is not None and status.state.terminated.finishedAt
    ]
    if ended:
        return max(ended)
    ready = pod_facts.condition(pod, pod_facts.READY)
    if ready is not None and ready.lastTransitionTime:
        return parse_time(ready.lastTransitionTime)
    deleted = pod.metadata.deletionTimestamp
    return parse_time(deleted) if deleted else None
