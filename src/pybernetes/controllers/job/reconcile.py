"""How many pods a Job should make now, or which to give up. Pure.

Follows: kubernetes 1.36 pkg/controller/job/job_controller.go, manageJob; backoff_utils.go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec

from pybernetes.api import batch_v1, core_v1
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.job import facts
from pybernetes.controllers.job.accounting import Tally
from pybernetes.controllers.pod_control import pod_from_template
from pybernetes.machinery import names

BURST_PODS = 500
BACKOFF_SECONDS = 10.0
MAX_BACKOFF_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class Backoff:
    """Failures since the last success, and when the last one was."""

    failures: int = 0
    last_failure: datetime | None = None

    def after(self, job: batch_v1.Job, found: Tally) -> "Backoff":
        """With pods that have ended since, in the order in which they ended."""
        ended = [*found.new_succeeded, *found.new_failed]
        moments = [(facts.finished_at(pod), pod) for pod in ended]
        failures, last = self.failures, self.last_failure
        for moment, pod in sorted(
            ((m, p) for m, p in moments if m is not None), key=lambda entry: (entry[0], entry[1].name)
        ):
            if facts.has_failed(job, pod):
                failures, last = failures + 1, moment
            else:
                failures, last = 0, None
        return Backoff(failures, last)

    def seconds_left(self, now: datetime) -> float:
        """How long to wait before the next pod: 10 s, 20 s, 40 s … 10 min after the last failure."""
        return wait_after(self.failures, self.last_failure, now)


def wait_after(failures: int, last: datetime | None, now: datetime) -> float:
    if not failures or last is None:
        return 0.0
    wait = min(BACKOFF_SECONDS * (1 << min(failures - 1, 30)), MAX_BACKOFF_SECONDS)
    return max(0.0, wait - (now - last).total_seconds())


@dataclass(slots=True)
class Plan:
    """Pods to make, pods to take away uncounted, and when to look again (None: at the next event)."""

    create: list[core_v1.Pod] = field(default_factory=list)
    delete: Sequence[core_v1.Pod] = ()
    again_seconds: float | None = None


def plan(job: batch_v1.Job, found: Tally, backoff: Backoff, now: datetime) -> Plan:
    """What brings the number of active pods to what is wanted, in the middle of a Job."""
    active = found.active
    if facts.is_suspended(job):
        return Plan(delete=active[:BURST_PODS])
    wanted = _wanted(job, found)
    surplus = len(active) - wanted
    if surplus > 0:
        return Plan(delete=_least_missed(job, active, surplus, now)[:BURST_PODS])
    waiting = len(found.terminating) if facts.replaces_failed_only(job) else 0
    missing = wanted - waiting - len(active)
    if missing <= 0:
        return Plan()
    if not facts.is_per_index(job):
        left = backoff.seconds_left(now)
        if left > 0:
            return Plan(again_seconds=left)
    missing = min(missing, BURST_PODS)
    if not facts.is_indexed(job):
        return Plan(create=[_pod(job) for _ in range(missing)])
    return _indexed(job, found, missing, now)


def _wanted(job: batch_v1.Job, found: Tally) -> int:
    parallelism = 1 if job.spec.parallelism is None else job.spec.parallelism
    if job.spec.completions is None:
        # Any success means all do as they please from now on.
        return min(len(found.active), parallelism) if found.succeeded else parallelism
    left = job.spec.completions - found.succeeded - len(found.failed_indexes)
    return max(0, min(left, parallelism))


def _least_missed(
    job: batch_v1.Job, active: Sequence[core_v1.Pod], surplus: int, now: datetime
) -> Sequence[core_v1.Pod]:
    if not facts.is_indexed(job):
        return [*pod_facts.deletion_order(active, {}, now)][:surplus]
    limit = job.spec.completions or 0
    ordered = sorted(active, key=lambda pod: _index_rank(pod, limit), reverse=True)
    return ordered[:surplus]


def _index_rank(pod: core_v1.Pod, limit: int) -> int:
    index = facts.index_of(pod)
    return limit if index is None or index >= limit else index


def _indexed(job: batch_v1.Job, found: Tally, missing: int, now: datetime) -> Plan:
    taken = found.succeeded_indexes | found.failed_indexes
    taken |= {index for pod in found.active if (index := facts.index_of(pod)) is not None}
    if facts.replaces_failed_only(job):
        taken |= {index for pod in found.terminating if (index := facts.index_of(pod)) is not None}
    last_failed = {facts.index_of(pod): pod for pod in found.delayed}
    result = Plan()
    for index in range(job.spec.completions or 0):
        if len(result.create) >= missing:
            break
        if index in taken:
            continue
        before = last_failed.get(index)
        failures = 0
        if before is not None:
            failures = facts.failures_of_index(before) + (before not in found.ignored)
            left = wait_after(failures, facts.finished_at(before), now)
            if left > 0:
                result.again_seconds = min(left, result.again_seconds or left)
                continue
        result.create.append(_pod(job, index, failures))
    return result


def duplicates(job: batch_v1.Job, active: Iterable[core_v1.Pod]) -> Sequence[core_v1.Pod]:
    """Active pods beyond the first of their index, or without a valid one: they should not be."""
    if not facts.is_indexed(job):
        return []
    seen: set[int] = set()
    extra = []
    for pod in sorted(active, key=lambda pod: (pod.metadata.creationTimestamp or "", pod.name)):
        index = facts.index_of(pod)
        if index is None or index >= (job.spec.completions or 0) or index in seen:
            extra.append(pod)
        else:
            seen.add(index)
    return extra


def _pod(job: batch_v1.Job, index: int | None = None, failures: int = 0) -> core_v1.Pod:
    """The pod of the Job's template, tracked, and knowing its index if it has one."""
    pod = pod_from_template(job.spec.template, job)
    meta = msgspec.structs.replace(pod.metadata, finalizers=[*pod.metadata.finalizers, facts.TRACKING_FINALIZER])
    if index is None:
        return msgspec.structs.replace(pod, metadata=meta)
    annotations = {**meta.annotations, facts.INDEX_ANNOTATION: str(index)}
    if facts.is_per_index(job):
        annotations[facts.INDEX_FAILURES] = str(failures)
    base = f"{job.name}-{index}"
    meta = msgspec.structs.replace(
        meta,
        generateName=f"{base[: names.DNS_LABEL_MAX - 6]}-",
        annotations=annotations,
        labels={**meta.labels, facts.INDEX_ANNOTATION: str(index)},
    )
    spec = _with_index(pod.spec)
    if len(base) <= names.DNS_LABEL_MAX:
        spec = msgspec.structs.replace(spec, hostname=base)
    return msgspec.structs.replace(pod, metadata=meta, spec=spec)


def _with_index(spec: core_v1.PodSpec) -> core_v1.PodSpec:
    """Every container told its index by JOB_COMPLETION_INDEX."""
    source = core_v1.EnvVarSource(
        fieldRef=core_v1.ObjectFieldSelector(fieldPath=f"metadata.labels['{facts.INDEX_ANNOTATION}']")
    )
    variable = core_v1.EnvVar(name="JOB_COMPLETION_INDEX", valueFrom=source)

    def told(container: core_v1.Container) -> core_v1.Container:
        if any(present.name == variable.name for present in container.env):
            return container
        return msgspec.structs.replace(container, env=[*container.env, variable])

    return msgspec.structs.replace(
        spec,
        containers=[told(container) for container in spec.containers],
        initContainers=[told(container) for container in spec.initContainers],
    )
