"""Jobs: what enqueues which Job, and the acts.

One pass: look at the pods, judge, count what has ended (write, release, write), then make or take away pods.

Follows: kubernetes 1.36 pkg/controller/job/job_controller.go.
"""

from collections.abc import Sequence

import msgspec

from pybernetes.api import batch_v1, core_v1
from pybernetes.client.events import NORMAL, WARNING
from pybernetes.client.interface import PatchType
from pybernetes.controllers import owners
from pybernetes.controllers.claims import claim
from pybernetes.controllers.framework import Context, Controller, side_by_side, slow_start
from pybernetes.controllers.job import accounting, facts, reconcile, status, verdict
from pybernetes.controllers.job.accounting import Tally
from pybernetes.controllers.job.reconcile import Backoff
from pybernetes.controllers.job.verdict import Verdict
from pybernetes.controllers.pod_control import PodControl, is_namespace_terminating
from pybernetes.machinery.errors import NotFound
from pybernetes.machinery.labels import from_label_selector

ORPHAN = "orphan/"


class JobController(Controller):
    NAME = "job-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.jobs = self.informer(batch_v1.Job)
        self.pods = self.informer(core_v1.Pod)
        self.recorder = context.recorder("job-controller")
        self.pod_control = PodControl(self.client, self.recorder, self.pods)
        owners.index_by_controller(self.pods)
        self._backoffs: dict[str, Backoff] = {}
        self.jobs.add_handler(self._seen, lambda _, new: self._seen(new), self._gone)
        self.pods.add_handler(self._pod_seen, self._pod_changed, self._pod_seen)

    def _seen(self, job: batch_v1.Job) -> None:
        self.queue.add(job.key)

    def _gone(self, job: batch_v1.Job) -> None:
        self._backoffs.pop(job.metadata.uid, None)
        for pod in owners.owned(self.pods, job.metadata.uid):
            self.queue.add(f"{ORPHAN}{pod.key}")

    def _pod_seen(self, pod: core_v1.Pod) -> None:
        reference = owners.controller_of(pod)
        owner = owners.resolve(self.jobs, pod.namespace, reference)
        if owner is not None:
            self.queue.add(owner.key)
        elif facts.is_tracked(pod):
            self.queue.add(f"{ORPHAN}{pod.key}")
        elif reference is None and pod.metadata.labels:
            for job in self.jobs.list(pod.namespace):
                if from_label_selector(job.spec.selector).matches(pod.metadata.labels):
                    self.queue.add(job.key)

    def _pod_changed(self, old: core_v1.Pod, new: core_v1.Pod) -> None:
        if old.metadata.ownerReferences != new.metadata.ownerReferences:
            before = owners.resolve(self.jobs, old.namespace, owners.controller_of(old))
            if before is not None:
                self.queue.add(before.key)
        self._pod_seen(new)

    async def reconcile(self, key: str) -> None:
        if key.startswith(ORPHAN):
            await self._release_orphan(key.removeprefix(ORPHAN))
            return
        job = self.jobs.get(key)
        if job is None or not facts.is_ours(job):
            return
        if facts.is_finished(job):
            tracked = [pod for pod in owners.owned(self.pods, job.metadata.uid) if facts.is_tracked(pod)]
            await self._release(tracked)
            return
        selector = from_label_selector(job.spec.selector)
        pods = await claim(self, job, self.pods, lambda pod: selector.matches(pod.metadata.labels))
        await self._sync(job, pods)

    async def _sync(self, stored: batch_v1.Job, pods: Sequence[core_v1.Pod]) -> None:
        now = self.clock.now()
        job = status.started(stored, now)
        self._tell_suspension(stored, job)
        found = accounting.tally(job, pods)
        backoff = self._backoffs.get(job.metadata.uid, Backoff()).after(job, found)
        decided = verdict.judge(job, found, now)
        failure: Exception | None = None
        if decided is not None and found.active:
            failure = await self._delete(job, found.active, counted=True)
        elif decided is None and job.metadata.deletionTimestamp is None:
            failure = await self._manage(job, found, backoff)
        found.active, found.terminating = self._present(job)
        job = await self._count(stored, job, found, pods, decided)
        self._backoffs[job.metadata.uid] = backoff
        await self._finish(stored, job, found, decided)
        left = verdict.deadline_seconds(job, now)
        if left is not None and decided is None:
            self.queue.add_after(job.key, left)
        if failure is not None and not is_namespace_terminating(failure):
            raise failure

    def _present(self, job: batch_v1.Job) -> tuple[list[core_v1.Pod], list[core_v1.Pod]]:
        """Active and terminating pods as the cache has them now, after our own writes."""
        again = accounting.tally(job, owners.owned(self.pods, job.metadata.uid))
        return again.active, again.terminating

    def _tell_suspension(self, before: batch_v1.Job, after: batch_v1.Job) -> None:
        old = next((c.status for c in before.status.conditions if c.type == facts.SUSPENDED), "False")
        new = next((c.status for c in after.status.conditions if c.type == facts.SUSPENDED), "False")
        if old != new:
            reason, message = ("Suspended", "Job suspended") if new == "True" else ("Resumed", "Job resumed")
            self.recorder.event(before, NORMAL, reason, message)

    async def _manage(self, job: batch_v1.Job, found: Tally, backoff: Backoff) -> Exception | None:
        """Make or take away pods; the first failure."""
        extra = reconcile.duplicates(job, found.active)
        if extra:
            return await self._delete(job, extra, counted=False)
        wanted = reconcile.plan(job, found, backoff, self.clock.now())
        if wanted.again_seconds is not None:
            self.queue.add_after(job.key, wanted.again_seconds)
        if wanted.delete:
            return await self._delete(job, wanted.delete, counted=False)
        batch = await slow_start(len(wanted.create), lambda n: self.pod_control.create(wanted.create[n], job))
        newest = max((int(pod.metadata.resourceVersion) for pod in batch.results), default=0)
        if newest:
            await self.observed(self.pods.wait_until_observed(str(newest)))
        return batch.failure

    async def _delete(self, job: batch_v1.Job, doomed: Sequence[core_v1.Pod], *, counted: bool) -> Exception | None:
        """Take pods away; those that are not `counted` as failures lose their finalizer first."""
        if not counted:
            await self._release([pod for pod in doomed if facts.is_tracked(pod)])
        batch = await side_by_side(self.pod_control.delete(pod, job) for pod in doomed)
        if batch.failure is None:
            await self.observed(*(self.pod_control.wait_deleting(pod) for pod in doomed))
        return batch.failure

    async def _count(
        self,
        stored: batch_v1.Job,
        job: batch_v1.Job,
        found: Tally,
        pods: Sequence[core_v1.Pod],
        decided: Verdict | None,
    ) -> batch_v1.Job:
        """Count pods that have ended: list them, release them, then add them up."""
        job = msgspec.structs.replace(job, status=accounting.settled(job, filter(facts.is_tracked, pods)))
        noted = accounting.note(job, found, pods, finishing=decided is not None)
        new = noted.status
        if decided is not None:
            new = status.with_verdict(new, decided, self.clock.now())
        job = await self._write(stored, msgspec.structs.replace(job, status=status.with_counts(new, found)))
        if noted.release:
            await self._release(noted.release)
            tracked = [pod for pod in owners.owned(self.pods, job.metadata.uid) if facts.is_tracked(pod)]
            settled = msgspec.structs.replace(job, status=accounting.settled(job, tracked))
            job = await self._write(job, settled)
        return job

    async def _finish(self, stored: batch_v1.Job, job: batch_v1.Job, found: Tally, decided: Verdict | None) -> None:
        """End the Job when nothing runs and nothing is left to count."""
        listed = accounting.uncounted(job)
        if decided is None or found.active or found.terminating or listed.succeeded or listed.failed:
            return
        again = accounting.tally(job, owners.owned(self.pods, job.metadata.uid))
        if again.new_succeeded or again.new_failed:
            self.queue.add(stored.key)
            return
        done = msgspec.structs.replace(job, status=status.finished(job.status, decided, self.clock.now()))
        await self._write(job, done)
        self._backoffs.pop(job.metadata.uid, None)
        if decided.failed:
            self.recorder.event(stored, WARNING, decided.reason, decided.message)
        else:
            self.recorder.event(stored, NORMAL, "Completed", "Job completed")

    async def _write(self, before: batch_v1.Job, wanted: batch_v1.Job) -> batch_v1.Job:
        if wanted == before:
            return before
        try:
            written = await self.client.update(wanted, subresource="status")
        except NotFound:
            return wanted
        await self.observed(self.jobs.wait_until_observed(written.metadata.resourceVersion))
        return written

    async def _release_orphan(self, key: str) -> None:
        """A pod whose Job is gone is nobody's to count."""
        pod = self.pods.get(key)
        if pod is None or not facts.is_tracked(pod):
            return
        if owners.resolve(self.jobs, pod.namespace, owners.controller_of(pod)) is None:
            await self._release([pod])

    async def _release(self, pods: Sequence[core_v1.Pod]) -> None:
        """Take the tracking finalizer off."""
        batch = await side_by_side(self._release_one(pod) for pod in pods)
        if batch.failure is not None:
            raise batch.failure

    async def _release_one(self, pod: core_v1.Pod) -> None:
        patch = {
            "metadata": {
                "uid": pod.metadata.uid,
                "$deleteFromPrimitiveList/finalizers": [facts.TRACKING_FINALIZER],
            }
        }
        try:
            await self.client.patch(core_v1.Pod, pod.name, pod.namespace, patch=patch, patch_type=PatchType.STRATEGIC)
        except NotFound:
            return
        await self.observed(
            self.pods.wait_for(
                pod.key,
                lambda now: now is None or now.metadata.uid != pod.metadata.uid or not facts.is_tracked(now),
            )
        )
