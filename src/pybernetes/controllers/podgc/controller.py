"""Pods of nodes that are gone or will not come back, pods deleted before they had a node, and too many finished ones.

Keys: `node/NAME` looks at the pods of one node, `pod/NAMESPACE/NAME` at one pod, `finished` counts.

Follows: kubernetes 1.36 pkg/controller/podgc/gc_controller.go.
"""

from pybernetes.api import core_v1
from pybernetes.controllers import disruption_target
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.framework import Context, Controller, side_by_side
from pybernetes.controllers.podgc import reconcile
from pybernetes.machinery.errors import NotFound

QUARANTINE_SECONDS = 40.0
"""A node has to be absent so long before its pods go: it may only be registered late."""
COUNT_SECONDS = 20.0
FINISHED = "finished"


class PodGcController(Controller):
    NAME = "pod-garbage-collector-controller"
    WORKERS = 2

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.nodes = self.informer(core_v1.Node)
        self.pods = self.informer(core_v1.Pod)
        self.threshold = context.options.terminated_pod_gc_threshold
        pod_facts.index_by_node(self.pods)
        self._finished = 0
        self._absent_since: dict[str, float] = {}
        self.nodes.add_handler(self._node_seen, lambda _, new: self._node_seen(new), self._node_gone)
        self.pods.add_handler(self._pod_seen, self._pod_changed, self._pod_gone)

    def _node_seen(self, node: core_v1.Node) -> None:
        self._absent_since.pop(node.name, None)
        if reconcile.is_out_of_service(node):
            self.queue.add(f"node/{node.name}")

    def _node_gone(self, node: core_v1.Node) -> None:
        self._note_absent(node.name)

    def _note_absent(self, name: str) -> None:
        if name not in self._absent_since:
            self._absent_since[name] = self.clock.monotonic()
            self.queue.add_after(f"node/{name}", QUARANTINE_SECONDS)

    def _pod_seen(self, pod: core_v1.Pod) -> None:
        self._count(pod_facts.is_finished(pod))
        self._look(pod)

    def _pod_changed(self, old: core_v1.Pod, new: core_v1.Pod) -> None:
        self._count(int(pod_facts.is_finished(new)) - int(pod_facts.is_finished(old)))
        self._look(new)

    def _pod_gone(self, pod: core_v1.Pod) -> None:
        self._count(-int(pod_facts.is_finished(pod)))

    def _count(self, more: int) -> None:
        self._finished += more
        if more > 0 and 0 < self.threshold < self._finished:
            self.queue.add_after(FINISHED, COUNT_SECONDS)

    def _look(self, pod: core_v1.Pod) -> None:
        if reconcile.is_unscheduled_and_terminating(pod):
            self.queue.add(f"pod/{pod.key}")
        elif pod.spec.nodeName and self.nodes.has_synced:
            node = self.nodes.get(pod.spec.nodeName)
            if node is None:
                self._note_absent(pod.spec.nodeName)
            elif pod.metadata.deletionTimestamp is not None and reconcile.is_out_of_service(node):
                self.queue.add(f"node/{node.name}")

    async def start(self) -> None:
        for pod in self.pods.list():
            self._look(pod)

    async def reconcile(self, key: str) -> None:
        if key == FINISHED:
            doomed = reconcile.beyond_threshold(self.pods.list(), self.threshold)
            batch = await side_by_side(self._remove(pod, "") for pod in doomed)
        elif key.startswith("pod/"):
            pod = self.pods.get(key.removeprefix("pod/"))
            if pod is None or not reconcile.is_unscheduled_and_terminating(pod):
                return
            batch = await side_by_side([self._remove(pod, "")])
        else:
            batch = await side_by_side([self._node(key.removeprefix("node/"))])
        if batch.failure is not None:
            raise batch.failure

    async def _node(self, name: str) -> None:
        node = self.nodes.get(name)
        pods = self.pods.by_index(pod_facts.BY_NODE, name)
        if node is not None:
            if reconcile.is_out_of_service(node):
                for pod in pods:
                    if pod.metadata.deletionTimestamp is not None:
                        await self._remove(pod, "")
            return
        self._absent_since.pop(name, None)
        try:
            await self.client.get(core_v1.Node, name)
        except NotFound:
            for pod in pods:
                await self._remove(pod, "PodGC: node no longer exists")

    async def _remove(self, pod: core_v1.Pod, why: str) -> None:
        """Finish the pod and delete it at once: no kubelet is left to confirm."""
        if not pod_facts.is_finished(pod):
            now = self.clock.now()
            if why:
                await disruption_target.mark(self.client, pod, "DeletionByPodGC", why, now, phase=pod_facts.FAILED)
        try:
            await self.client.delete(core_v1.Pod, pod.name, pod.namespace, uid=pod.metadata.uid, grace_period_seconds=0)
        except NotFound:
            return
