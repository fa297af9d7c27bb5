"""Which start a CronJob is owed now, and which old Jobs may go. Pure.

Follows: kubernetes 1.36 pkg/controller/cronjob/{cronjob_controllerv2,utils}.go.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec

from pybernetes.api import batch_v1, core_v1, meta_v1
from pybernetes.api.object import api_version
from pybernetes.controllers import owners
from pybernetes.controllers.cronjob.schedule import Schedule
from pybernetes.controllers.job import facts
from pybernetes.effects import format_time, parse_time

SCHEDULED_AT = "batch.kubernetes.io/cronjob-scheduled-timestamp"
TOO_MANY_MISSED = 100
"""More missed starts are told in an event, and are counted only roughly."""


@dataclass(frozen=True, slots=True)
class Due:
    """The newest start that is owed, how many were missed with it (about), and when the next one comes."""

    start: datetime | None
    missed: int
    next: datetime | None


def due(cron_job: batch_v1.CronJob, schedule: Schedule, now: datetime) -> Due:
    """The most recent start after the last one, not older than the starting deadline."""
    created = cron_job.metadata.creationTimestamp
    earliest = parse_time(cron_job.status.lastScheduleTime or created or format_time(now))
    deadline = cron_job.spec.startingDeadlineSeconds
    if deadline is not None:
        earliest = max(earliest, now - timedelta(seconds=deadline))
    first = upcoming = schedule.next_after(earliest)
    start: datetime | None = None
    missed = 0
    while upcoming is not None and upcoming <= now and missed <= TOO_MANY_MISSED:
        start, missed = upcoming, missed + 1
        upcoming = schedule.next_after(upcoming)
    if first is None or start is None or upcoming is None or upcoming > now:
        return Due(start, missed, upcoming)
    pace = (start - first) / (missed - 1)
    newest = schedule.newest(start, now)
    return Due(newest, max(missed, int((now - first) / pace) + 1), schedule.next_after(newest))


def job_name(cron_job: batch_v1.CronJob, start: datetime) -> str:
    """`NAME-` and the minutes since 1970: a start is made once, however often it is tried."""
    return f"{cron_job.name}-{int(start.timestamp()) // 60}"


def job_of(cron_job: batch_v1.CronJob, start: datetime) -> batch_v1.Job:
    template = cron_job.spec.jobTemplate
    annotations = {**template.metadata.annotations, SCHEDULED_AT: _scheduled(cron_job, start)}
    return batch_v1.Job(
        metadata=meta_v1.ObjectMeta(
            name=job_name(cron_job, start),
            namespace=cron_job.namespace,
            labels=template.metadata.labels,
            annotations=annotations,
            ownerReferences=[owners.controller_reference(cron_job)],
        ),
        spec=template.spec,
    )


def _scheduled(cron_job: batch_v1.CronJob, start: datetime) -> str:
    zone = cron_job.spec.timeZone
    if not zone:
        return format_time(start)

    return start.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds").replace("+00:00", "Z")


def reference(job: batch_v1.Job) -> core_v1.ObjectReference:
    return core_v1.ObjectReference(
        apiVersion=api_version(type(job)),
        kind=type(job).KIND,
        namespace=job.namespace,
        name=job.name,
        uid=job.metadata.uid,
        resourceVersion=job.metadata.resourceVersion,
    )


def observed(cron_job: batch_v1.CronJob, jobs: Sequence[batch_v1.Job]) -> batch_v1.CronJobStatus:
    """The status as the Jobs have it: who is active, and when the last one succeeded."""
    present = {ref.uid: ref for ref in cron_job.status.active}
    active = [
        present.get(job.metadata.uid, reference(job))
        for job in sorted(jobs, key=lambda job: job.name)
        if not facts.is_finished(job)
    ]
    completed = [
        job.status.completionTime
        for job in jobs
        if job.status.completionTime and facts.condition(job, facts.COMPLETE) is not None
    ]
    newest = max(
        [*completed, *([cron_job.status.lastSuccessfulTime] if cron_job.status.lastSuccessfulTime else [])],
        default=None,
    )
    return msgspec.structs.replace(cron_job.status, active=active, lastSuccessfulTime=newest)


def superfluous(cron_job: batch_v1.CronJob, jobs: Iterable[batch_v1.Job]) -> Sequence[batch_v1.Job]:
    """Finished Jobs beyond the history limits, oldest first."""
    doomed: list[batch_v1.Job] = []
    every = list(jobs)
    for kind, limit in (
        (facts.COMPLETE, cron_job.spec.successfulJobsHistoryLimit),
        (facts.FAILED, cron_job.spec.failedJobsHistoryLimit),
    ):
        if limit is None:
            continue
        ended = sorted(
            (job for job in every if facts.condition(job, kind) is not None),
            key=lambda job: (job.status.startTime or "", job.name),
        )
        doomed += ended[: max(0, len(ended) - limit)]
    return doomed
