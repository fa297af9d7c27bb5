"""Taint eviction: which pod to look at when, and its deletion.

Follows: kubernetes 1.36 pkg/controller/tainteviction/taint_eviction.go.
"""

from datetime import datetime

from pybernetes.api import core_v1
from pybernetes.client.events import NORMAL
from pybernetes.client.interface import PatchType
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.framework import Context, Controller
from pybernetes.controllers.tainteviction.reconcile import leaves_at
from pybernetes.effects import format_time
from pybernetes.machinery.errors import NotFound

EVENT_REASON = "TaintManagerEviction"
CONDITION_REASON = "DeletionByTaintManager"


class TaintEvictionController(Controller):
    NAME = "taint-eviction-controller"
    WORKERS = 8

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.nodes = self.informer(core_v1.Node)
        self.pods = self.informer(core_v1.Pod)
        self.recorder = context.recorder("taint-eviction-controller")
        pod_facts.index_by_node(self.pods)
        self._noticed: dict[str, datetime] = {}
        """When a pod (by uid) was first found to have to leave: what `kubectl taint` adds has no time of its own."""
        self.nodes.add_handler(self._node_seen, self._node_changed)
        self.pods.add_handler(self._pod_seen, self._pod_changed, self._pod_gone)

    def _node_seen(self, node: core_v1.Node) -> None:
        if node.spec.taints:
            for pod in self.pods.by_index(pod_facts.BY_NODE, node.name):
                self.queue.add(pod.key)

    def _node_changed(self, old: core_v1.Node, new: core_v1.Node) -> None:
        if old.spec.taints != new.spec.taints:
            for pod in self.pods.by_index(pod_facts.BY_NODE, new.name):
                self.queue.add(pod.key)

    def _pod_seen(self, pod: core_v1.Pod) -> None:
        node = self.nodes.get(pod.spec.nodeName) if pod.spec.nodeName else None
        if node is not None and node.spec.taints:
            self.queue.add(pod.key)

    def _pod_changed(self, old: core_v1.Pod, new: core_v1.Pod) -> None:
        if old.spec != new.spec:
            self._pod_seen(new)

    def _pod_gone(self, pod: core_v1.Pod) -> None:
        self._noticed.pop(pod.metadata.uid, None)

    async def reconcile(self, key: str) -> None:
        pod = self.pods.get(key)
        if pod is None or pod_facts.is_terminating(pod):
            return
        node = self.nodes.get(pod.spec.nodeName)
        now = self.clock.now()
        noticed = self._noticed.get(pod.metadata.uid, now)
        moment = leaves_at(node.spec.taints, pod.spec.tolerations, noticed) if node is not None else None
        if moment is None:
            if self._noticed.pop(pod.metadata.uid, None) is not None:
                self.recorder.event(pod, NORMAL, EVENT_REASON, f"Cancelling deletion of Pod {pod.key}")
            return
        if moment > now:
            self._noticed[pod.metadata.uid] = noticed
            self.queue.add_after(key, (moment - now).total_seconds())
            return
        self.recorder.event(pod, NORMAL, EVENT_REASON, f"Marking for deletion Pod {pod.key}")
        condition = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": CONDITION_REASON,
            "message": "Taint manager: deleting due to NoExecute taint",
            "lastTransitionTime": format_time(now),
        }
        try:
            await self.client.patch(
                core_v1.Pod,
                pod.name,
                pod.namespace,
                patch={"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [condition]}},
                patch_type=PatchType.STRATEGIC,
                subresource="status",
            )
            await self.client.delete(core_v1.Pod, pod.name, pod.namespace, uid=pod.metadata.uid)
        except NotFound:
            return  # it has left already
