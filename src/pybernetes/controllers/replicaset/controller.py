"""Pods of ReplicaSets (and, in `replication`, of ReplicationControllers): what enqueues which set, and the acts.

A pod event enqueues its controller; a pod without one enqueues every set that could adopt it.

Follows: kubernetes 1.36 pkg/controller/replicaset/replica_set.go.
"""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar, Generic, TypeVar

import msgspec

from pybernetes.api import apps_v1, core_v1
from pybernetes.api.object import Object
from pybernetes.controllers import owners
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.claims import claim
from pybernetes.controllers.framework import Batch, Context, Controller, side_by_side, slow_start
from pybernetes.controllers.pod_control import PodControl, is_namespace_terminating, pod_from_template
from pybernetes.controllers.replicaset import reconcile, status
from pybernetes.machinery.errors import NotFound
from pybernetes.machinery.labels import Selector, from_label_selector

K = TypeVar("K", bound=Object)


class ReplicasController(Controller, Generic[K]):
    """What ReplicaSets and ReplicationControllers have in common."""

    COMPONENT: ClassVar[str]

    def __init__(self, context: Context, kind: type[K]) -> None:
        super().__init__(context)
        self.sets = self.informer(kind)
        self.pods = self.informer(core_v1.Pod)
        self.recorder = context.recorder(self.COMPONENT)
        self.pod_control = PodControl(self.client, self.recorder, self.pods)
        owners.index_by_controller(self.pods)
        owners.index_by_controller(self.sets)
        self.sets.add_handler(self._seen, lambda _, new: self._seen(new), self._seen)
        self.pods.add_handler(self._pod_seen, self._pod_changed, self._pod_seen)

    @abstractmethod
    def selector(self, owner: K) -> Selector: ...

    @abstractmethod
    def template(self, owner: K) -> core_v1.PodTemplateSpec: ...

    @abstractmethod
    def desired(self, owner: K) -> int: ...

    @abstractmethod
    def min_ready_seconds(self, owner: K) -> int: ...

    @abstractmethod
    def with_status(self, owner: K, counts: status.Counts, failure: apps_v1.ReplicaSetCondition | None) -> K:
        """The set with the status that these pods make."""

    def workers(self) -> int:
        return self.context.options.concurrent_replicaset_syncs

    def _seen(self, owner: K) -> None:
        self.queue.add(owner.key)

    def _pod_seen(self, pod: core_v1.Pod) -> None:
        reference = owners.controller_of(pod)
        if reference is not None:
            owner = owners.resolve(self.sets, pod.namespace, reference)
            if owner is not None:
                self.queue.add(owner.key)
            return
        if pod_facts.is_terminating(pod) or not pod.metadata.labels:
            return
        for owner in self.sets.list(pod.namespace):
            if self.selector(owner).matches(pod.metadata.labels):
                self.queue.add(owner.key)

    def _pod_changed(self, old: core_v1.Pod, new: core_v1.Pod) -> None:
        if old.metadata.ownerReferences != new.metadata.ownerReferences:
            before = owners.resolve(self.sets, old.namespace, owners.controller_of(old))
            if before is not None:
                self.queue.add(before.key)
        self._pod_seen(new)

    async def reconcile(self, key: str) -> None:
        owner = self.sets.get(key)
        if owner is None:
            return
        claimed = await self._claim(owner)
        now = self.clock.now()
        active = [pod for pod in claimed if pod_facts.is_active(pod)]
        failure: Exception | None = None
        missing = self.desired(owner) - len(active)
        if owner.metadata.deletionTimestamp is None and missing:
            plan = reconcile.plan(self.desired(owner), active, self._related(owner), now)
            if plan.create:
                failure = (await self._create(owner, plan.create)).failure
            else:
                failure = (await self._delete(owner, plan.delete)).failure
            claimed = self._mine(owner)
            now = self.clock.now()
        condition = None
        if failure is not None and not is_namespace_terminating(failure):
            condition = status.failure_condition(failure, missing, now)
        await self._write_status(owner, claimed, condition)
        wait = pod_facts.seconds_until_available(claimed, self.min_ready_seconds(owner), now)
        if wait is not None:
            self.queue.add_after(key, wait)
        if failure is not None and not is_namespace_terminating(failure):
            raise failure
        if abs(missing) > reconcile.BURST_REPLICAS:
            self.queue.add(key)

    def _mine(self, owner: K) -> Sequence[core_v1.Pod]:
        selector = self.selector(owner)
        return [pod for pod in owners.owned(self.pods, owner.metadata.uid) if selector.matches(pod.metadata.labels)]

    async def _claim(self, owner: K) -> Sequence[core_v1.Pod]:
        selector = self.selector(owner)
        return await claim(
            self,
            owner,
            self.pods,
            lambda pod: selector.matches(pod.metadata.labels),
            may_adopt=pod_facts.is_active,
        )

    def _related(self, owner: K) -> Sequence[core_v1.Pod]:
        """Pods of all sets with the same owner as this one, or of this one alone."""
        above = owners.controller_uid(owner)
        siblings = owners.owned(self.sets, above) if above else [owner]
        return [pod for sibling in siblings for pod in owners.owned(self.pods, sibling.metadata.uid)]

    async def _create(self, owner: K, count: int) -> Batch[core_v1.Pod]:
        pod = pod_from_template(self.template(owner), owner)
        batch = await slow_start(count, lambda _: self.pod_control.create(pod, owner))
        newest = max((int(made.metadata.resourceVersion) for made in batch.results), default=0)
        if newest:
            await self.observed(self.pods.wait_until_observed(str(newest)))
        return batch

    async def _delete(self, owner: K, doomed: Sequence[core_v1.Pod]) -> Batch[None]:
        batch = await side_by_side(self.pod_control.delete(pod, owner) for pod in doomed)
        if batch.failure is None:
            await self.observed(*(self.pod_control.wait_deleting(pod) for pod in doomed))
        return batch

    async def _write_status(
        self, owner: K, claimed: Sequence[core_v1.Pod], failure: apps_v1.ReplicaSetCondition | None
    ) -> None:
        labels: Mapping[str, str] = self.template(owner).metadata.labels
        counts = status.count(claimed, labels, self.min_ready_seconds(owner), self.clock.now())
        changed = self.with_status(owner, counts, failure)
        if changed == owner:
            return
        try:
            written = await self.client.update(changed, subresource="status")
        except NotFound:
            return  # deleted meanwhile
        await self.observed(self.sets.wait_until_observed(written.metadata.resourceVersion))


class ReplicaSetController(ReplicasController[apps_v1.ReplicaSet]):
    NAME = "replicaset-controller"
    COMPONENT = "replicaset-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context, apps_v1.ReplicaSet)

    def selector(self, owner: apps_v1.ReplicaSet) -> Selector:
        return from_label_selector(owner.spec.selector)

    def template(self, owner: apps_v1.ReplicaSet) -> core_v1.PodTemplateSpec:
        return owner.spec.template

    def desired(self, owner: apps_v1.ReplicaSet) -> int:
        return 1 if owner.spec.replicas is None else owner.spec.replicas

    def min_ready_seconds(self, owner: apps_v1.ReplicaSet) -> int:
        return owner.spec.minReadySeconds

    def with_status(
        self, owner: apps_v1.ReplicaSet, counts: status.Counts, failure: apps_v1.ReplicaSetCondition | None
    ) -> apps_v1.ReplicaSet:
        return msgspec.structs.replace(owner, status=status.of_replica_set(owner, counts, failure))
