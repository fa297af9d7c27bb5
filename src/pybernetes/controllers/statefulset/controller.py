"""StatefulSets: what enqueues which set, and the acts.

Follows: kubernetes 1.36 pkg/controller/statefulset/{stateful_set,stateful_pod_control}.go.
"""

from collections.abc import Sequence

import msgspec

from pybernetes.api import apps_v1, core_v1
from pybernetes.client.events import NORMAL, WARNING
from pybernetes.controllers import history, owners
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.claims import claim
from pybernetes.controllers.framework import Context, Controller
from pybernetes.controllers.pod_control import is_going, is_namespace_terminating
from pybernetes.controllers.statefulset import identity, reconcile, status
from pybernetes.machinery.errors import AlreadyExists, NotFound, StatusError
from pybernetes.machinery.labels import from_label_selector

CREATED, DELETED = "SuccessfulCreate", "SuccessfulDelete"
CREATE_FAILED, DELETE_FAILED = "FailedCreate", "FailedDelete"


class StatefulSetController(Controller):
    NAME = "statefulset-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.sets = self.informer(apps_v1.StatefulSet)
        self.pods = self.informer(core_v1.Pod)
        self.revisions = self.informer(apps_v1.ControllerRevision)
        self.recorder = context.recorder("statefulset-controller")
        owners.index_by_controller(self.pods)
        owners.index_by_controller(self.revisions)
        self.sets.add_handler(self._seen, lambda _, new: self._seen(new))
        self.pods.add_handler(self._pod_seen, self._pod_changed, self._pod_seen)

    def _seen(self, stateful_set: apps_v1.StatefulSet) -> None:
        self.queue.add(stateful_set.key)

    def _pod_seen(self, pod: core_v1.Pod) -> None:
        reference = owners.controller_of(pod)
        if reference is not None:
            owner = owners.resolve(self.sets, pod.namespace, reference)
            if owner is not None:
                self.queue.add(owner.key)
        elif pod.metadata.labels and not pod_facts.is_terminating(pod):
            for stateful_set in self.sets.list(pod.namespace):
                if from_label_selector(stateful_set.spec.selector).matches(pod.metadata.labels):
                    self.queue.add(stateful_set.key)

    def _pod_changed(self, old: core_v1.Pod, new: core_v1.Pod) -> None:
        if old.metadata.ownerReferences != new.metadata.ownerReferences:
            self._pod_seen(old)
        self._pod_seen(new)

    async def reconcile(self, key: str) -> None:
        stateful_set = self.sets.get(key)
        if stateful_set is None:
            return
        selector = from_label_selector(stateful_set.spec.selector)
        pods = await claim(
            self,
            stateful_set,
            self.pods,
            lambda pod: selector.matches(pod.metadata.labels) and identity.ordinal_of(stateful_set, pod) is not None,
        )
        if stateful_set.metadata.deletionTimestamp is not None:
            return
        await claim(self, stateful_set, self.revisions, lambda revision: selector.matches(revision.metadata.labels))
        update = await self._update_revision(stateful_set)
        current = self._current_revision(stateful_set, update)
        now = self.clock.now()
        wanted = reconcile.plan(stateful_set, pods, update, now)
        failure: Exception | None = None
        try:
            for number in wanted.create:
                await self._create(stateful_set, number, current, update)
            for pod in wanted.delete:
                await self._delete(stateful_set, pod)
        except StatusError as error:
            failure = error
        pods = owners.owned(self.pods, stateful_set.metadata.uid)
        await self._write_status(stateful_set, pods, current, update)
        await self._forget_revisions(stateful_set, pods, current, update)
        wait = pod_facts.seconds_until_available(pods, stateful_set.spec.minReadySeconds, self.clock.now())
        if wait is not None:
            self.queue.add_after(key, wait)
        if failure is not None and not is_namespace_terminating(failure):
            raise failure

    def _revisions(self, stateful_set: apps_v1.StatefulSet) -> Sequence[apps_v1.ControllerRevision]:
        return owners.owned(self.revisions, stateful_set.metadata.uid)

    async def _update_revision(self, stateful_set: apps_v1.StatefulSet) -> str:
        """The hash of the present template's revision, which is made, or renumbered as the newest, when needed."""
        present = self._revisions(stateful_set)
        number = history.next_number(present)
        same = history.equal_to(stateful_set.spec.template, present)
        if same is not None:
            if same.revision < number - 1:
                written = await self.client.update(msgspec.structs.replace(same, revision=number))
                await self.observed(self.revisions.wait_until_observed(written.metadata.resourceVersion))
            return history.digest_of(same)
        collisions = stateful_set.status.collisionCount
        fresh = history.new_revision(stateful_set, stateful_set.spec.template, number, collisions)
        try:
            made = await self.client.create(fresh)
        except AlreadyExists:
            changed = msgspec.structs.replace(stateful_set.status, collisionCount=(collisions or 0) + 1)
            await self.client.update(msgspec.structs.replace(stateful_set, status=changed), subresource="status")
            raise
        await self.observed(self.revisions.wait_until_observed(made.metadata.resourceVersion))
        return history.digest_of(made)

    def _current_revision(self, stateful_set: apps_v1.StatefulSet, update: str) -> str:
        """The hash pods had before the update; that of the update when there was none."""
        named = stateful_set.status.currentRevision.removeprefix(f"{stateful_set.name}-")
        known = {history.digest_of(revision) for revision in self._revisions(stateful_set)}
        return named if named in known else update

    def _template(self, stateful_set: apps_v1.StatefulSet, digest: str) -> core_v1.PodTemplateSpec:
        for revision in self._revisions(stateful_set):
            if history.digest_of(revision) == digest:
                data = {k: v for k, v in revision.data["spec"]["template"].items() if k != "$patch"}
                return msgspec.convert(data, core_v1.PodTemplateSpec)
        return stateful_set.spec.template

    async def _create(self, stateful_set: apps_v1.StatefulSet, number: int, current: str, update: str) -> None:
        digest = reconcile.revision_for(stateful_set, number, current, update)
        pod = identity.pod(stateful_set, self._template(stateful_set, digest), number, digest)
        for wanted in identity.claims(stateful_set, pod.name):
            await self._claim_storage(stateful_set, wanted, pod.name)
        try:
            made = await self.client.create(pod)
        except AlreadyExists:
            return  # the old pod of this name is not gone yet: its deletion is the next event
        except StatusError as error:
            if not is_namespace_terminating(error):
                text = f"create Pod {pod.name} in StatefulSet {stateful_set.name} failed error: {error}"
                self.recorder.event(stateful_set, WARNING, CREATE_FAILED, text)
            raise
        text = f"create Pod {made.name} in StatefulSet {stateful_set.name} successful"
        self.recorder.event(stateful_set, NORMAL, CREATED, text)
        await self.observed(self.pods.wait_until_observed(made.metadata.resourceVersion))

    async def _claim_storage(
        self, stateful_set: apps_v1.StatefulSet, wanted: core_v1.PersistentVolumeClaim, pod_name: str
    ) -> None:
        what = f"Claim {wanted.name} Pod {pod_name} in StatefulSet {stateful_set.name}"
        try:
            await self.client.create(wanted)
        except AlreadyExists:
            return  # storage outlives its pod: that is what it is for
        except StatusError as error:
            if not is_namespace_terminating(error):
                self.recorder.event(stateful_set, WARNING, CREATE_FAILED, f"create {what} failed error: {error}")
            raise
        self.recorder.event(stateful_set, NORMAL, CREATED, f"create {what} success")

    async def _delete(self, stateful_set: apps_v1.StatefulSet, pod: core_v1.Pod) -> None:
        uid = pod.metadata.uid
        what = f"delete Pod {pod.name} in StatefulSet {stateful_set.name}"
        try:
            await self.client.delete(core_v1.Pod, pod.name, pod.namespace, uid=uid)
        except NotFound:
            return
        except StatusError as error:
            self.recorder.event(stateful_set, WARNING, DELETE_FAILED, f"{what} failed error: {error}")
            raise
        self.recorder.event(stateful_set, NORMAL, DELETED, f"{what} successful")
        await self.observed(self.pods.wait_for(pod.key, lambda now: is_going(now, uid)))

    async def _write_status(
        self, stateful_set: apps_v1.StatefulSet, pods: Sequence[core_v1.Pod], current: str, update: str
    ) -> None:
        wanted = status.calculate(stateful_set, pods, current, update, self.clock.now())
        if wanted == stateful_set.status:
            return
        try:
            changed = msgspec.structs.replace(stateful_set, status=wanted)
            written = await self.client.update(changed, subresource="status")
        except NotFound:
            return
        await self.observed(self.sets.wait_until_observed(written.metadata.resourceVersion))

    async def _forget_revisions(
        self, stateful_set: apps_v1.StatefulSet, pods: Sequence[core_v1.Pod], current: str, update: str
    ) -> None:
        live = {current, update, *(pod.metadata.labels.get(history.HASH_LABEL, "") for pod in pods)}
        limit = 10 if stateful_set.spec.revisionHistoryLimit is None else stateful_set.spec.revisionHistoryLimit
        for revision in history.superfluous(self._revisions(stateful_set), live, limit):
            try:
                await self.client.delete(
                    apps_v1.ControllerRevision, revision.name, revision.namespace, uid=revision.metadata.uid
                )
            except NotFound:
                continue
