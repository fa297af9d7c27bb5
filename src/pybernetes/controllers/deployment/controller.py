"""Rollouts: what enqueues which Deployment, and the acts that `reconcile` decides on.

One pass: find the ReplicaSets, bring the newest's annotations up to date, take one step, write the status once.

Follows: kubernetes 1.36 pkg/controller/deployment/deployment_controller.go, sync.go.
"""

import msgspec

from pybernetes.api import apps_v1, core_v1
from pybernetes.client.events import NORMAL, WARNING
from pybernetes.controllers import owners, templates
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.claims import claim
from pybernetes.controllers.deployment import reconcile, revisions, rolling, status
from pybernetes.controllers.deployment.rolling import ReplicaSets, Resize
from pybernetes.controllers.framework import Context, Controller
from pybernetes.controllers.pod_control import is_namespace_terminating
from pybernetes.machinery.errors import AlreadyExists, NotFound, StatusError
from pybernetes.machinery.labels import from_label_selector

SCALING_REPLICA_SET = "ScalingReplicaSet"
SELECTING_ALL = "SelectingAll"


class DeploymentController(Controller):
    NAME = "deployment-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.deployments = self.informer(apps_v1.Deployment)
        self.sets = self.informer(apps_v1.ReplicaSet)
        self.pods = self.informer(core_v1.Pod)
        self.recorder = context.recorder("deployment-controller")
        owners.index_by_controller(self.sets)
        owners.index_by_controller(self.pods)
        self.deployments.add_handler(self._seen, lambda _, new: self._seen(new), self._seen)
        self.sets.add_handler(self._set_seen, self._set_changed, self._set_seen)
        self.pods.add_handler(on_update=self._pod_changed, on_delete=self._pod_gone)

    def workers(self) -> int:
        return self.context.options.concurrent_deployment_syncs

    def _seen(self, deployment: apps_v1.Deployment) -> None:
        self.queue.add(deployment.key)

    def _set_seen(self, replica_set: apps_v1.ReplicaSet) -> None:
        reference = owners.controller_of(replica_set)
        if reference is not None:
            owner = owners.resolve(self.deployments, replica_set.namespace, reference)
            if owner is not None:
                self.queue.add(owner.key)
            return
        for deployment in self.deployments.list(replica_set.namespace):
            if from_label_selector(deployment.spec.selector).matches(replica_set.metadata.labels):
                self.queue.add(deployment.key)

    def _set_changed(self, old: apps_v1.ReplicaSet, new: apps_v1.ReplicaSet) -> None:
        if old.metadata.ownerReferences != new.metadata.ownerReferences:
            self._set_seen(old)
        self._set_seen(new)

    def _pod_changed(self, old: core_v1.Pod, new: core_v1.Pod) -> None:
        if pod_facts.is_finished(new) and not pod_facts.is_finished(old):
            self._pod_gone(new)

    def _pod_gone(self, pod: core_v1.Pod) -> None:
        """A Deployment that recreates waits for the last of its old pods."""
        replica_set = owners.resolve(self.sets, pod.namespace, owners.controller_of(pod))
        above = owners.controller_of(replica_set) if replica_set is not None else None
        deployment = owners.resolve(self.deployments, pod.namespace, above)
        if deployment is not None and not rolling.is_rolling(deployment):
            self.queue.add(deployment.key)

    async def reconcile(self, key: str) -> None:
        stored = self.deployments.get(key)
        if stored is None:
            return
        selector = from_label_selector(stored.spec.selector)
        if selector.everything:
            self.recorder.event(
                stored,
                WARNING,
                SELECTING_ALL,
                "This deployment is selecting all pods. A non-empty selector is required.",
            )
            return
        every = await claim(self, stored, self.sets, lambda s: selector.matches(s.metadata.labels))
        new = revisions.find_new(stored, every)
        old = [s for s in every if new is None or s.metadata.uid != new.metadata.uid]
        deployment = self._with_condition(stored, status.paused(stored, self.clock.now()))
        if new is not None and deployment.metadata.deletionTimestamp is None:
            new = await self._refresh(deployment, old, new)
            deployment = self._found(deployment, new)
        running = self._old_pods_running(every, new)
        step = reconcile.decide(deployment, old, new, old_pods_running=running)
        if step.create:
            deployment, new = await self._create(stored, deployment, old)
            if new is None:
                self.queue.add_rate_limited(key)
                return
            step = reconcile.decide(deployment, old, new, old_pods_running=running)
        sets = {s.metadata.uid: s for s in (*old, *([new] if new is not None else []))}
        for resize in step.resize:
            written = await self._resize(deployment, resize)
            sets[written.metadata.uid] = written
        for superfluous in step.delete:
            await self._delete(superfluous)
            sets.pop(superfluous.metadata.uid, None)
        if new is not None:
            new = sets.get(new.metadata.uid)
        now = self.clock.now()
        calculate = status.rollout if step.rollout else status.calculate
        await self._write(stored, deployment, calculate(deployment, [*sets.values()], new, now))
        self._come_back(key, deployment)

    def _come_back(self, key: str, deployment: apps_v1.Deployment) -> None:
        """A rollout that is stuck has no events: look again when its time is up."""
        limit = status.deadline(deployment, deployment.status.conditions)
        present = status.find(deployment.status.conditions, status.PROGRESSING)
        if limit is None or present is None or present.reason in (status.TIMED_OUT, status.NEW_REPLICA_SET_AVAILABLE):
            return
        self.queue.add_after(key, max(1.0, (limit - self.clock.now()).total_seconds() + 1.0))

    @staticmethod
    def _with_condition(deployment: apps_v1.Deployment, new: status.Condition | None) -> apps_v1.Deployment:
        if new is None:
            return deployment
        conditions = status.with_condition(deployment.status.conditions, new)
        return msgspec.structs.replace(
            deployment, status=msgspec.structs.replace(deployment.status, conditions=conditions)
        )

    @staticmethod
    def _with_revision(deployment: apps_v1.Deployment, revision: str) -> apps_v1.Deployment:
        if not revision or deployment.metadata.annotations.get(revisions.REVISION) == revision:
            return deployment
        annotations = {**deployment.metadata.annotations, revisions.REVISION: revision}
        return msgspec.structs.replace(
            deployment, metadata=msgspec.structs.replace(deployment.metadata, annotations=annotations)
        )

    def _found(self, deployment: apps_v1.Deployment, new: apps_v1.ReplicaSet) -> apps_v1.Deployment:
        deployment = self._with_revision(deployment, new.metadata.annotations.get(revisions.REVISION, ""))
        if not status.has_deadline(deployment) or status.find(deployment.status.conditions, status.PROGRESSING):
            return deployment
        text = f'Found new replica set "{new.name}"'
        now = self.clock.now()
        return self._with_condition(
            deployment,
            status.condition(status.PROGRESSING, status.TRUE, status.FOUND_NEW_REPLICA_SET, text, now),
        )

    def _old_pods_running(self, every: ReplicaSets, new: apps_v1.ReplicaSet | None) -> bool:
        return any(
            not pod_facts.is_finished(pod)
            for s in every
            if new is None or s.metadata.uid != new.metadata.uid
            for pod in owners.owned(self.pods, s.metadata.uid)
        )

    async def _refresh(
        self, deployment: apps_v1.Deployment, old: ReplicaSets, new: apps_v1.ReplicaSet
    ) -> apps_v1.ReplicaSet:
        wanted = reconcile.refreshed(deployment, old, new)
        return new if wanted == new else await self._update_set(wanted)

    async def _update_set(self, wanted: apps_v1.ReplicaSet) -> apps_v1.ReplicaSet:
        written = await self.client.update(wanted)
        await self.observed(self.sets.wait_until_observed(written.metadata.resourceVersion))
        return written

    async def _create(
        self, stored: apps_v1.Deployment, deployment: apps_v1.Deployment, old: ReplicaSets
    ) -> tuple[apps_v1.Deployment, apps_v1.ReplicaSet | None]:
        """The Deployment with its new revision, and the newest ReplicaSet; None when its name is taken."""
        wanted = reconcile.new_replica_set(deployment, old)
        try:
            made = await self.client.create(wanted)
        except AlreadyExists:
            return deployment, await self._taken(stored, deployment, wanted)
        except StatusError as error:
            if not is_namespace_terminating(error):
                await self._report_failure(stored, deployment, wanted, error)
            raise
        size = rolling.size(made)
        if size:
            self._tell(deployment, f"Scaled up replica set {made.name} from 0 to {size}")
        deployment = self._with_revision(deployment, made.metadata.annotations.get(revisions.REVISION, ""))
        if status.has_deadline(deployment):
            text = f'Created new replica set "{made.name}"'
            now = self.clock.now()
            deployment = self._with_condition(
                deployment, status.condition(status.PROGRESSING, status.TRUE, status.NEW_REPLICA_SET, text, now)
            )
        await self.observed(self.sets.wait_until_observed(made.metadata.resourceVersion))
        return deployment, made

    async def _taken(
        self, stored: apps_v1.Deployment, deployment: apps_v1.Deployment, wanted: apps_v1.ReplicaSet
    ) -> apps_v1.ReplicaSet | None:
        """The ReplicaSet that has the name, if it is ours after all; else the next hash is tried."""
        try:
            present = await self.client.get(apps_v1.ReplicaSet, wanted.name, wanted.namespace)
        except NotFound:
            return None
        if owners.controller_uid(present) == deployment.metadata.uid and templates.equal(
            present.spec.template, deployment.spec.template
        ):
            return present
        collisions = (deployment.status.collisionCount or 0) + 1
        await self._write(stored, deployment, msgspec.structs.replace(deployment.status, collisionCount=collisions))
        return None

    async def _report_failure(
        self,
        stored: apps_v1.Deployment,
        deployment: apps_v1.Deployment,
        wanted: apps_v1.ReplicaSet,
        error: StatusError,
    ) -> None:
        text = f'Failed to create new replica set "{wanted.name}": {error}'
        self.recorder.event(deployment, WARNING, status.CREATE_ERROR, text)
        if status.has_deadline(deployment):
            now = self.clock.now()
            failed = self._with_condition(
                deployment, status.condition(status.PROGRESSING, status.FALSE, status.CREATE_ERROR, text, now)
            )
            await self._write(stored, failed, failed.status)

    async def _resize(self, deployment: apps_v1.Deployment, resize: Resize) -> apps_v1.ReplicaSet:
        before = resize.replica_set
        wanted = reconcile.resized(deployment, resize)
        if wanted == before:
            return before
        written = await self._update_set(wanted)
        old_size, new_size = rolling.size(before), resize.replicas
        if new_size != old_size:
            way = "up" if new_size > old_size else "down"
            self._tell(deployment, f"Scaled {way} replica set {before.name} from {old_size} to {new_size}")
        return written

    async def _delete(self, replica_set: apps_v1.ReplicaSet) -> None:
        uid = replica_set.metadata.uid
        try:
            await self.client.delete(apps_v1.ReplicaSet, replica_set.name, replica_set.namespace, uid=uid)
        except NotFound:
            return
        await self.observed(self.sets.wait_for(replica_set.key, lambda now: now is None or now.metadata.uid != uid))

    def _tell(self, deployment: apps_v1.Deployment, message: str) -> None:
        self.recorder.event(deployment, NORMAL, SCALING_REPLICA_SET, message)

    async def _write(
        self, stored: apps_v1.Deployment, deployment: apps_v1.Deployment, new: apps_v1.DeploymentStatus
    ) -> None:
        """Write status and revision in one go, if either changed."""
        changed = msgspec.structs.replace(deployment, status=new)
        if changed == stored:
            return
        try:
            written = await self.client.update(changed, subresource="status")
        except NotFound:
            return
        await self.observed(self.deployments.wait_until_observed(written.metadata.resourceVersion))
