"""PodDisruptionBudgets: which budgets a pod's change matters to, what owners ask for, and the status.

Follows: kubernetes 1.36 pkg/controller/disruption/disruption.go.
"""

from collections.abc import Sequence

import msgspec
import orjson

from pybernetes.api import apps_v1, core_v1, meta_v1, policy_v1
from pybernetes.client.events import NORMAL, WARNING
from pybernetes.client.interface import Unreachable
from pybernetes.client.rest import object_path
from pybernetes.controllers import owners
from pybernetes.controllers.discovery import discover
from pybernetes.controllers.disruption import reconcile
from pybernetes.controllers.framework import Context, Controller
from pybernetes.machinery.errors import NotFound, StatusError
from pybernetes.machinery.labels import Selector, from_label_selector


class DisruptionController(Controller):
    NAME = "disruption-controller"
    WORKERS = 2

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.budgets = self.informer(policy_v1.PodDisruptionBudget)
        self.pods = self.informer(core_v1.Pod)
        self.deployments = self.informer(apps_v1.Deployment)
        self.replica_sets = self.informer(apps_v1.ReplicaSet)
        self.stateful_sets = self.informer(apps_v1.StatefulSet)
        self.controllers = self.informer(core_v1.ReplicationController)
        self.recorder = context.recorder("controllermanager")
        owners.index_by_controller(self.pods)
        self.budgets.add_handler(self._seen, lambda _, new: self._seen(new))
        self.pods.add_handler(self._pod_seen, self._pod_changed, self._pod_seen)
        self.deployments.add_handler(on_update=lambda _, new: self._namespace_seen(new.namespace))
        self.replica_sets.add_handler(on_update=self._set_changed)
        self.stateful_sets.add_handler(on_update=self._stateful_set_changed)
        self.controllers.add_handler(on_update=lambda _, new: self._namespace_seen(new.namespace))

    def _seen(self, budget: policy_v1.PodDisruptionBudget) -> None:
        self.queue.add(budget.key)

    def _namespace_seen(self, namespace: str) -> None:
        for budget in self.budgets.list(namespace):
            if reconcile.counts_owners(budget):
                self.queue.add(budget.key)

    def _set_changed(self, old: apps_v1.ReplicaSet, new: apps_v1.ReplicaSet) -> None:
        if old.spec.replicas != new.spec.replicas:
            self._namespace_seen(new.namespace)

    def _stateful_set_changed(self, old: apps_v1.StatefulSet, new: apps_v1.StatefulSet) -> None:
        if old.spec.replicas != new.spec.replicas:
            self._namespace_seen(new.namespace)

    def _pod_seen(self, pod: core_v1.Pod) -> None:
        for budget in self.budgets.list(pod.namespace):
            if _selector(budget).matches(pod.metadata.labels):
                self.queue.add(budget.key)

    def _pod_changed(self, old: core_v1.Pod, new: core_v1.Pod) -> None:
        self._pod_seen(new)
        if old.metadata.labels != new.metadata.labels:
            self._pod_seen(old)

    async def reconcile(self, key: str) -> None:
        budget = self.budgets.get(key)
        if budget is None:
            return
        selector = _selector(budget)
        pods = [pod for pod in self.pods.list(budget.namespace) if selector.matches(pod.metadata.labels)]
        if not pods:
            self.recorder.event(budget, NORMAL, "NoPods", "No matching pods found")
        now = self.clock.now()
        try:
            ask = await self._owners_ask(budget, pods) if reconcile.counts_owners(budget) else len(pods)
        except (StatusError, Unreachable) as error:
            text = f"Failed to calculate the number of expected pods: {error}"
            self.recorder.event(budget, WARNING, "CalculateExpectedPodCountFailed", text)
            await self._write(budget, reconcile.failed(budget, str(error), now))
            raise
        wanted = reconcile.status(budget, pods, reconcile.need(budget, len(pods), ask), now)
        wait = reconcile.seconds_until_recheck(wanted.disruptedPods, now)
        if wait is not None:
            self.queue.add_after(key, wait)
        await self._write(budget, wanted)

    async def _write(self, budget: policy_v1.PodDisruptionBudget, wanted: policy_v1.PodDisruptionBudgetStatus) -> None:
        if wanted == budget.status:
            return
        try:
            changed = msgspec.structs.replace(budget, status=wanted)
            written = await self.client.update(changed, subresource="status")
        except NotFound:
            return
        await self.observed(self.budgets.wait_until_observed(written.metadata.resourceVersion))

    async def _owners_ask(self, budget: policy_v1.PodDisruptionBudget, pods: Sequence[core_v1.Pod]) -> int:
        """What the controllers of these pods ask for together; pods without one ask for nothing."""
        sizes: dict[str, int] = {}
        unmanaged = False
        for pod in pods:
            reference = owners.controller_of(pod)
            if reference is None:
                unmanaged = True
            elif reference.uid not in sizes:
                above, size = await self._size(pod.namespace, reference)
                sizes[reference.uid] = 0
                if above:
                    sizes[above] = size
        if unmanaged:
            text = (
                f"Pods selected by this PodDisruptionBudget (selector: {_selector(budget)}) were found to be "
                "unmanaged. As a result, the status of the PDB cannot be calculated correctly, which may result in "
                'undefined behavior. To account for these pods please set ".spec.minAvailable" field of the PDB to an '
                "integer value."
            )
            self.recorder.event(budget, WARNING, "UnmanagedPods", text)
        return sum(sizes.values())

    async def _size(self, namespace: str, reference: meta_v1.OwnerReference) -> tuple[str, int]:
        """The uid of what scales these pods, and its size; an empty uid when it has gone."""
        replica_set = owners.resolve(self.replica_sets, namespace, reference)
        if replica_set is not None:
            deployment = owners.resolve(self.deployments, namespace, owners.controller_of(replica_set))
            top: apps_v1.Deployment | apps_v1.ReplicaSet = deployment or replica_set
            return top.metadata.uid, _replicas(top.spec.replicas)
        stateful_set = owners.resolve(self.stateful_sets, namespace, reference)
        if stateful_set is not None:
            return reference.uid, _replicas(stateful_set.spec.replicas)
        controller = owners.resolve(self.controllers, namespace, reference)
        if controller is not None:
            return reference.uid, _replicas(controller.spec.replicas)
        return await self._scale_of(namespace, reference)

    async def _scale_of(self, namespace: str, reference: meta_v1.OwnerReference) -> tuple[str, int]:
        """By the scale subresource: custom controllers."""
        group = reference.apiVersion.rpartition("/")[0]
        kind = (await discover(self.client)).find(group, reference.kind)
        if kind is None:
            raise NotFound(f"{reference.apiVersion} {reference.kind} is not served")
        try:
            answer = await self.client.request("GET", object_path(kind, reference.name, namespace, "scale"))
        except NotFound:
            live = await self.client.get(kind, reference.name, namespace)
            raise NotFound(f"{live.name} of kind {reference.kind} does not implement the scale subresource") from None
        return reference.uid, int((orjson.loads(answer).get("spec") or {}).get("replicas") or 0)


def _selector(budget: policy_v1.PodDisruptionBudget) -> Selector:
    return from_label_selector(budget.spec.selector)


def _replicas(value: int | None) -> int:
    return 1 if value is None else value
