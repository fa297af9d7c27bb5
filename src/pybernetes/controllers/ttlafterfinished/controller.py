"""`ttlSecondsAfterFinished`: a timer per finished Job, and a last look at the live object before it goes.

Follows: kubernetes 1.36 pkg/controller/ttlafterfinished/ttlafterfinished_controller.go.
"""

from datetime import datetime, timedelta

from pybernetes.api import batch_v1
from pybernetes.client.interface import Propagation
from pybernetes.controllers.framework import Context, Controller
from pybernetes.controllers.job import facts
from pybernetes.effects import parse_time
from pybernetes.machinery.errors import NotFound


def expires_at(job: batch_v1.Job) -> datetime | None:
    """When the Job is to go; None while it runs, or when it may stay. Pure."""
    seconds = job.spec.ttlSecondsAfterFinished
    ended = facts.condition(job, facts.COMPLETE) or facts.condition(job, facts.FAILED)
    if seconds is None or ended is None or ended.lastTransitionTime is None:
        return None
    return parse_time(ended.lastTransitionTime) + timedelta(seconds=seconds)


class TtlAfterFinishedController(Controller):
    NAME = "ttl-after-finished-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.jobs = self.informer(batch_v1.Job)
        self.jobs.add_handler(self._seen, lambda _, new: self._seen(new))

    def _seen(self, job: batch_v1.Job) -> None:
        if job.metadata.deletionTimestamp is None and expires_at(job) is not None:
            self.queue.add(job.key)

    async def reconcile(self, key: str) -> None:
        job = self.jobs.get(key)
        expires = expires_at(job) if job is not None else None
        if job is None or expires is None:
            return
        left = (expires - self.clock.now()).total_seconds()
        if left > 0:
            self.queue.add_after(key, left)
            return
        try:
            live = await self.client.get(batch_v1.Job, job.name, job.namespace)
            expires = expires_at(live)
            if live.metadata.uid != job.metadata.uid or expires is None or expires > self.clock.now():
                return  # it was changed meanwhile: its event has enqueued it again
            await self.client.delete(
                batch_v1.Job,
                live.name,
                live.namespace,
                uid=live.metadata.uid,
                resource_version=live.metadata.resourceVersion,
                propagation=Propagation.FOREGROUND,
            )
        except NotFound:
            return
