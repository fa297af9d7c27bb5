"""CronJobs: a timer per CronJob to its next start, and a Job for each start.

Follows: kubernetes 1.36 pkg/controller/cronjob/cronjob_controllerv2.go.
"""

import logging
from collections.abc import Sequence
from datetime import datetime

import msgspec

from pybernetes.api import batch_v1
from pybernetes.client.events import NORMAL, WARNING
from pybernetes.client.interface import Propagation
from pybernetes.controllers import owners
from pybernetes.controllers.cronjob import reconcile, schedule
from pybernetes.controllers.cronjob.schedule import Schedule
from pybernetes.controllers.framework import Context, Controller
from pybernetes.controllers.job import facts
from pybernetes.controllers.pod_control import is_namespace_terminating
from pybernetes.effects import format_time
from pybernetes.machinery.errors import AlreadyExists, NotFound, StatusError

log = logging.getLogger("pybernetes.controllers")

FORBID, REPLACE = "Forbid", "Replace"
LATE_SECONDS = 0.1
"""Added to the wait for the next start, so that it is past when we look."""


class CronJobController(Controller):
    NAME = "cronjob-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.cron_jobs = self.informer(batch_v1.CronJob)
        self.jobs = self.informer(batch_v1.Job)
        self.recorder = context.recorder("cronjob-controller")
        owners.index_by_controller(self.jobs)
        self.cron_jobs.add_handler(self._seen, lambda _, new: self._seen(new))
        self.jobs.add_handler(self._job_seen, self._job_changed, self._job_seen)

    def _seen(self, cron_job: batch_v1.CronJob) -> None:
        self.queue.add(cron_job.key)

    def _job_seen(self, job: batch_v1.Job) -> None:
        owner = owners.resolve(self.cron_jobs, job.namespace, owners.controller_of(job))
        if owner is not None:
            self.queue.add(owner.key)

    def _job_changed(self, old: batch_v1.Job, new: batch_v1.Job) -> None:
        if facts.is_finished(old) != facts.is_finished(new):
            self._job_seen(new)

    async def reconcile(self, key: str) -> None:
        cron_job = self.cron_jobs.get(key)
        if cron_job is None or cron_job.metadata.deletionTimestamp is not None:
            return
        jobs = owners.owned(self.jobs, cron_job.metadata.uid)
        cron_job = await self._write(cron_job, self._observed(cron_job, jobs))
        for job in reconcile.superfluous(cron_job, jobs):
            await self._delete(cron_job, job)
        if cron_job.spec.suspend:
            return
        try:
            when = schedule.parse(cron_job.spec.schedule, cron_job.spec.timeZone)
        except schedule.ScheduleError as error:
            reason = "UnknownTimeZone" if "time zone" in str(error) else "UnparseableSchedule"
            text = f"unparseable schedule: {cron_job.spec.schedule!r} : {error}"
            self.recorder.event(cron_job, WARNING, reason, text)
            return
        await self._start_due(cron_job, when)

    def _observed(self, cron_job: batch_v1.CronJob, jobs: Sequence[batch_v1.Job]) -> batch_v1.CronJobStatus:
        listed = {reference.uid for reference in cron_job.status.active}
        for job in jobs:
            if facts.is_finished(job) and job.metadata.uid in listed:
                kind = "Complete" if facts.condition(job, facts.COMPLETE) else "Failed"
                self.recorder.event(
                    cron_job, NORMAL, "SawCompletedJob", f"Saw completed job: {job.name}, condition: {kind}"
                )
        present = {job.metadata.uid for job in jobs}
        for reference in cron_job.status.active:
            if reference.uid not in present:
                self.recorder.event(cron_job, NORMAL, "MissingJob", f"Active job went missing: {reference.name}")
        return reconcile.observed(cron_job, jobs)

    async def _start_due(self, cron_job: batch_v1.CronJob, when: Schedule) -> None:
        now = self.clock.now()
        owed = reconcile.due(cron_job, when, now)
        if owed.next is not None:
            self.queue.add_after(cron_job.key, (owed.next - now).total_seconds() + LATE_SECONDS)
        if owed.missed > reconcile.TOO_MANY_MISSED:
            text = (
                f"too many missed start times: {owed.missed}. Set or decrease .spec.startingDeadlineSeconds "
                "or check clock skew"
            )
            self.recorder.event(cron_job, WARNING, "TooManyMissedTimes", text)
        if owed.start is None:
            return
        if cron_job.spec.concurrencyPolicy == FORBID and cron_job.status.active:
            text = "Not starting job because prior execution is running and concurrency policy is Forbid"
            self.recorder.event(cron_job, NORMAL, "JobAlreadyActive", text)
            return
        if cron_job.spec.concurrencyPolicy == REPLACE:
            for reference in cron_job.status.active:
                job = self.jobs.get(f"{reference.namespace}/{reference.name}")
                if job is not None:
                    await self._delete(cron_job, job)
            cron_job = msgspec.structs.replace(cron_job, status=msgspec.structs.replace(cron_job.status, active=[]))
        await self._start(cron_job, owed.start)

    async def _start(self, cron_job: batch_v1.CronJob, start: datetime) -> None:
        try:
            made = await self.client.create(reconcile.job_of(cron_job, start))
        except AlreadyExists:
            # Made before we could say so: note the time, the Job is found among ours.
            status = msgspec.structs.replace(cron_job.status, lastScheduleTime=format_time(start))
            await self._write(cron_job, status)
            return
        except StatusError as error:
            if is_namespace_terminating(error):
                return
            self.recorder.event(cron_job, WARNING, "FailedCreate", f"Error creating job: {error}")
            raise
        self.recorder.event(cron_job, NORMAL, "SuccessfulCreate", f"Created job {made.name}")
        await self.observed(self.jobs.wait_until_observed(made.metadata.resourceVersion))
        status = msgspec.structs.replace(
            cron_job.status,
            active=[*cron_job.status.active, reconcile.reference(made)],
            lastScheduleTime=format_time(start),
        )
        await self._write(cron_job, status)

    async def _delete(self, cron_job: batch_v1.CronJob, job: batch_v1.Job) -> None:
        try:
            await self.client.delete(
                batch_v1.Job, job.name, job.namespace, uid=job.metadata.uid, propagation=Propagation.BACKGROUND
            )
        except NotFound:
            return
        except StatusError as error:
            self.recorder.event(cron_job, WARNING, "FailedDelete", f"Deleted job: {error}")
            raise
        self.recorder.event(cron_job, NORMAL, "SuccessfulDelete", f"Deleted job {job.name}")

    async def _write(self, cron_job: batch_v1.CronJob, status: batch_v1.CronJobStatus) -> batch_v1.CronJob:
        stored = self.cron_jobs.get(cron_job.key)
        wanted = msgspec.structs.replace(cron_job, status=status)
        if stored is not None and status == stored.status:
            return wanted
        try:
            written = await self.client.update(wanted, subresource="status")
        except NotFound:
            return wanted
        await self.observed(self.cron_jobs.wait_until_observed(written.metadata.resourceVersion))
        return written
