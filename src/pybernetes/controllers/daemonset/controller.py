"""DaemonSets: what enqueues which set, and the acts.

Follows: kubernetes 1.36 pkg/controller/daemon/daemon_controller.go, update.go.
"""

from collections.abc import Sequence

import msgspec

from pybernetes.api import apps_v1, core_v1
from pybernetes.client.events import WARNING
from pybernetes.controllers import history, owners
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.claims import claim
from pybernetes.controllers.daemonset import placement, reconcile, status
from pybernetes.controllers.daemonset.reconcile import Plan
from pybernetes.controllers.framework import Context, Controller, side_by_side, slow_start
from pybernetes.controllers.pod_control import PodControl, is_namespace_terminating, pod_from_template, with_labels
from pybernetes.machinery.errors import AlreadyExists, NotFound
from pybernetes.machinery.labels import from_label_selector

SELECTING_ALL = "SelectingAll"
FAILED_DAEMON_POD = "FailedDaemonPod"
GENERATION_ANNOTATION = "deprecated.daemonset.template.generation"
GENERATION_LABEL = "pod-template-generation"


class DaemonSetController(Controller):
    NAME = "daemonset-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.sets = self.informer(apps_v1.DaemonSet)
        self.pods = self.informer(core_v1.Pod)
        self.nodes = self.informer(core_v1.Node)
        self.revisions = self.informer(apps_v1.ControllerRevision)
        self.recorder = context.recorder("daemonset-controller")
        self.pod_control = PodControl(self.client, self.recorder, self.pods)
        owners.index_by_controller(self.pods)
        owners.index_by_controller(self.revisions)
        self.sets.add_handler(self._seen, lambda _, new: self._seen(new), self._seen)
        self.pods.add_handler(self._pod_seen, self._pod_changed, self._pod_seen)
        self.nodes.add_handler(self._node_seen, self._node_changed, self._node_seen)

    def _seen(self, daemon_set: apps_v1.DaemonSet) -> None:
        self.queue.add(daemon_set.key)

    def _pod_seen(self, pod: core_v1.Pod) -> None:
        reference = owners.controller_of(pod)
        if reference is not None:
            owner = owners.resolve(self.sets, pod.namespace, reference)
            if owner is not None:
                self.queue.add(owner.key)
        elif pod.metadata.labels and not pod_facts.is_terminating(pod):
            for daemon_set in self.sets.list(pod.namespace):
                if from_label_selector(daemon_set.spec.selector).matches(pod.metadata.labels):
                    self.queue.add(daemon_set.key)

    def _pod_changed(self, old: core_v1.Pod, new: core_v1.Pod) -> None:
        if old.metadata.ownerReferences != new.metadata.ownerReferences:
            self._pod_seen(old)
        self._pod_seen(new)

    def _node_seen(self, node: core_v1.Node) -> None:
        for daemon_set in self.sets.list():
            if placement.runs_on(daemon_set, node)[0]:
                self.queue.add(daemon_set.key)

    def _node_changed(self, old: core_v1.Node, new: core_v1.Node) -> None:
        if (old.metadata.labels, old.spec) == (new.metadata.labels, new.spec):
            return
        for daemon_set in self.sets.list():
            if placement.runs_on(daemon_set, old) != placement.runs_on(daemon_set, new):
                self.queue.add(daemon_set.key)

    async def reconcile(self, key: str) -> None:
        daemon_set = self.sets.get(key)
        if daemon_set is None:
            return
        selector = from_label_selector(daemon_set.spec.selector)
        if selector.everything:
            text = "This daemon set is selecting all pods. A non-empty selector is required."
            self.recorder.event(daemon_set, WARNING, SELECTING_ALL, text)
            return
        if daemon_set.metadata.deletionTimestamp is not None:
            return
        pods = await claim(self, daemon_set, self.pods, lambda pod: selector.matches(pod.metadata.labels))
        await claim(self, daemon_set, self.revisions, lambda revision: selector.matches(revision.metadata.labels))
        digest = await self._current_revision(daemon_set)
        nodes = sorted(self.nodes.list(), key=lambda node: node.name)
        failure = await self._carry_out(
            daemon_set, digest, reconcile.manage(daemon_set, nodes, pods, digest, self.clock.now())
        )
        if failure is None and reconcile.is_rolling(daemon_set):
            pods = owners.owned(self.pods, daemon_set.metadata.uid)
            update = reconcile.rolling_update(daemon_set, nodes, pods, digest, self.clock.now())
            failure = await self._carry_out(daemon_set, digest, update)
        await self._forget_revisions(daemon_set)
        await self._write_status(daemon_set, nodes, digest)
        if failure is not None and not is_namespace_terminating(failure):
            raise failure

    async def _current_revision(self, daemon_set: apps_v1.DaemonSet) -> str:
        """The hash of the present template's revision, which is made, or renumbered as the newest, when needed."""
        template = daemon_set.spec.template
        present = owners.owned(self.revisions, daemon_set.metadata.uid)
        number = history.next_number(present)
        same = history.equal_to(template, present)
        if same is not None:
            if same.revision < number - 1:
                written = await self.client.update(msgspec.structs.replace(same, revision=number))
                await self.observed(self.revisions.wait_until_observed(written.metadata.resourceVersion))
            return history.digest_of(same)
        wanted = history.new_revision(daemon_set, template, number, daemon_set.status.collisionCount)
        try:
            made = await self.client.create(wanted)
        except AlreadyExists:
            collisions = (daemon_set.status.collisionCount or 0) + 1
            changed = msgspec.structs.replace(daemon_set.status, collisionCount=collisions)
            await self.client.update(msgspec.structs.replace(daemon_set, status=changed), subresource="status")
            raise
        await self.observed(self.revisions.wait_until_observed(made.metadata.resourceVersion))
        return history.digest_of(made)

    async def _carry_out(self, daemon_set: apps_v1.DaemonSet, digest: str, plan: Plan) -> Exception | None:
        """Make and delete what the plan says; the first failure."""
        for pod in plan.failed:
            node = placement.target_node(pod)
            text = f"Found failed daemon pod {pod.key} on node {node}, will try to kill it"
            self.recorder.event(daemon_set, WARNING, FAILED_DAEMON_POD, text)
        doomed = [*plan.failed, *plan.delete][: reconcile.BURST_REPLICAS]
        names = plan.create[: reconcile.BURST_REPLICAS]
        created = await slow_start(len(names), lambda n: self._create(daemon_set, digest, names[n]))
        deleted = await side_by_side(self.pod_control.delete(pod, daemon_set) for pod in doomed)
        newest = max((int(pod.metadata.resourceVersion) for pod in created.results), default=0)
        waits = [self.pod_control.wait_deleting(pod) for pod in doomed] if deleted.failure is None else []
        if newest:
            waits.append(self.pods.wait_until_observed(str(newest)))
        await self.observed(*waits)
        return created.failure or deleted.failure

    async def _create(self, daemon_set: apps_v1.DaemonSet, digest: str, node_name: str) -> core_v1.Pod:
        labels = {history.HASH_LABEL: digest}
        generation = daemon_set.metadata.annotations.get(GENERATION_ANNOTATION, "")
        if generation:
            labels[GENERATION_LABEL] = generation
        template = with_labels(daemon_set.spec.template, **labels)
        spec = placement.bound_to(placement.with_tolerations(template.spec), node_name)
        pod = pod_from_template(msgspec.structs.replace(template, spec=spec), daemon_set)
        return await self.pod_control.create(pod, daemon_set)

    async def _forget_revisions(self, daemon_set: apps_v1.DaemonSet) -> None:
        present = owners.owned(self.revisions, daemon_set.metadata.uid)
        newest = history.equal_to(daemon_set.spec.template, present)
        live = {p.metadata.labels.get(history.HASH_LABEL, "") for p in owners.owned(self.pods, daemon_set.metadata.uid)}
        if newest is not None:
            live.add(history.digest_of(newest))
        limit = 10 if daemon_set.spec.revisionHistoryLimit is None else daemon_set.spec.revisionHistoryLimit
        for revision in history.superfluous(present, live, limit):
            try:
                await self.client.delete(
                    apps_v1.ControllerRevision, revision.name, revision.namespace, uid=revision.metadata.uid
                )
            except NotFound:
                continue

    async def _write_status(self, daemon_set: apps_v1.DaemonSet, nodes: Sequence[core_v1.Node], digest: str) -> None:
        now = self.clock.now()
        pods = owners.owned(self.pods, daemon_set.metadata.uid)
        wanted = status.calculate(daemon_set, nodes, pods, digest, now)
        wait = pod_facts.seconds_until_available(pods, daemon_set.spec.minReadySeconds, now)
        if wait is not None:
            self.queue.add_after(daemon_set.key, wait)
        if wanted == daemon_set.status:
            return
        try:
            written = await self.client.update(msgspec.structs.replace(daemon_set, status=wanted), subresource="status")
        except NotFound:
            return
        await self.observed(self.sets.wait_until_observed(written.metadata.resourceVersion))
