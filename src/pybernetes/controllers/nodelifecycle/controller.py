"""Node lifecycle: who was heard of when, and the writes that follow from silence.

A heartbeat is a renewed Lease or a changed Ready condition; what counts is when it was seen here, by our own clock.
Each heartbeat sets the moment to look at the node again, so that nothing is polled.

Follows: kubernetes 1.36 pkg/controller/nodelifecycle/node_lifecycle_controller.go.
"""

from pybernetes.api import coordination_v1, core_v1
from pybernetes.api.node_selection import NO_EXECUTE
from pybernetes.client.events import NORMAL, WARNING
from pybernetes.client.interface import PatchType
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.framework import Context, Controller
from pybernetes.controllers.nodelifecycle import health
from pybernetes.effects import format_time
from pybernetes.machinery.errors import NotFound

LEASE_NAMESPACE = "kube-node-lease"
RECHECK_SECONDS = 5.0
"""After a node was kept from eviction for the sake of its zone."""


class NodeLifecycleController(Controller):
    NAME = "node-lifecycle-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.nodes = self.informer(core_v1.Node)
        self.pods = self.informer(core_v1.Pod)
        self.leases = self.informer(coordination_v1.Lease)
        self.recorder = context.recorder("node-controller")
        pod_facts.index_by_node(self.pods)
        self._heard: dict[str, float] = {}
        self._next_eviction: dict[str, float] = {}
        self.nodes.add_handler(self._node_added, self._node_changed, self._node_gone)
        self.leases.add_handler(self._lease_seen, lambda _, new: self._lease_seen(new))

    def _node_added(self, node: core_v1.Node) -> None:
        self._heard.setdefault(node.name, self.clock.monotonic())
        self.recorder.event(
            node, NORMAL, "RegisteredNode", f"Node {node.name} event: Registered Node {node.name} in Controller"
        )
        self.queue.add(node.name)

    def _node_changed(self, old: core_v1.Node, new: core_v1.Node) -> None:
        before, after = health.condition(old, health.READY), health.condition(new, health.READY)
        ours = after is not None and after.reason in (health.STOPPED[0], health.NEVER[0])
        if before != after and not ours:
            self._heard[new.name] = self.clock.monotonic()
        if old.status.conditions != new.status.conditions or old.spec != new.spec:
            self.queue.add(new.name)

    def _node_gone(self, node: core_v1.Node) -> None:
        self._heard.pop(node.name, None)

    def _lease_seen(self, lease: coordination_v1.Lease) -> None:
        if lease.namespace == LEASE_NAMESPACE and lease.name in self._heard:
            self._heard[lease.name] = self.clock.monotonic()

    async def reconcile(self, key: str) -> None:
        node = self.nodes.get(key)
        if node is None:
            return
        options = self.context.options
        posted = health.condition(node, health.READY) is not None
        grace = options.node_monitor_grace_period_seconds if posted else options.node_startup_grace_period_seconds
        left = self._heard.setdefault(key, self.clock.monotonic()) + grace - self.clock.monotonic()
        if left > 0:
            self.queue.add_after(key, left)
        else:
            node = await self._silence(node)
        await self._taint(node)
        if health.ready_status(node) != health.TRUE:
            await self._unready_pods(node)

    async def _silence(self, node: core_v1.Node) -> core_v1.Node:
        """Write the node's health as Unknown, once."""
        changed = health.silenced(node, self.clock.now())
        if changed == node:
            return node
        written = await self.client.update(changed, subresource="status")
        if health.ready_status(node) == health.TRUE:
            self._tell_not_ready(written)
        await self.observed(self.nodes.wait_until_observed(written.metadata.resourceVersion))
        return written

    def _tell_not_ready(self, node: core_v1.Node) -> None:
        self.recorder.event(node, NORMAL, "NodeNotReady", f"Node {node.name} status is now: NodeNotReady")

    async def _taint(self, node: core_v1.Node) -> None:
        evicting = health.execution_taint(node)
        has = any(t.key == evicting and t.effect == NO_EXECUTE for t in node.spec.taints)
        may_evict = bool(evicting) and (has or self._may_evict(node))
        wanted = health.tainted(node, self.clock.now(), may_evict=may_evict)
        if evicting and not may_evict:
            self.queue.add_after(node.name, RECHECK_SECONDS)
        if wanted == node.spec.taints:
            return
        if may_evict and not has:
            zone = health.zone_of(node)
            self._next_eviction[zone] = self.clock.monotonic() + 1.0 / self._rate(zone)
        written = await self.client.patch(
            core_v1.Node,
            node.name,
            patch={"metadata": {"resourceVersion": node.metadata.resourceVersion}, "spec": {"taints": wanted or None}},
        )
        await self.observed(self.nodes.wait_until_observed(written.metadata.resourceVersion))

    def _may_evict(self, node: core_v1.Node) -> bool:
        zone = health.zone_of(node)
        return self._rate(zone) > 0 and self.clock.monotonic() >= self._next_eviction.get(zone, 0.0)

    def _rate(self, zone: str) -> float:
        nodes = self.nodes.list()
        options = self.context.options
        return health.eviction_rate(
            [node for node in nodes if health.zone_of(node) == zone],
            everything_down=all(health.ready_status(node) != health.TRUE for node in nodes),
            rate=options.node_eviction_rate,
            secondary_rate=options.secondary_node_eviction_rate,
            unhealthy_threshold=options.unhealthy_zone_threshold,
            large_size=options.large_cluster_size_threshold,
        )

    async def _unready_pods(self, node: core_v1.Node) -> None:
        """Pods of a node that is not ready are not ready, so that no Service sends anybody there."""
        for pod in self.pods.by_index(pod_facts.BY_NODE, node.name):
            present = pod_facts.condition(pod, pod_facts.READY)
            if present is None or present.status != pod_facts.TRUE:
                continue
            change = {"type": pod_facts.READY, "status": "False", "lastTransitionTime": format_time(self.clock.now())}
            self.recorder.event(pod, WARNING, "NodeNotReady", "Node is not ready")
            try:
                await self.client.patch(
                    core_v1.Pod,
                    pod.name,
                    pod.namespace,
                    patch={"metadata": {"uid": pod.metadata.uid}, "status": {"conditions": [change]}},
                    patch_type=PatchType.STRATEGIC,
                    subresource="status",
                )
            except NotFound:
                continue
