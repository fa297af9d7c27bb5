"""`spec.podCIDR` of every node: what exists is respected, what is missing is given, what goes is freed.

Follows: kubernetes 1.36 pkg/controller/nodeipam/ipam/range_allocator.go.
"""

import ipaddress
import logging

from pybernetes.api import core_v1
from pybernetes.client.events import NORMAL
from pybernetes.client.interface import PatchType
from pybernetes.controllers.framework import Context, Controller
from pybernetes.controllers.nodeipam.reconcile import RangeExhausted, sets_of
from pybernetes.machinery.errors import NotFound

log = logging.getLogger("pybernetes.controllers")

CIDR_NOT_AVAILABLE = "CIDRNotAvailable"


class NodeIpamController(Controller):
    NAME = "node-ipam-controller"
    WORKERS = 1  # ranges are handed out one after the other: two workers would race for one

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        options = context.options
        self.sets = sets_of(
            options.cluster_cidr, options.node_cidr_mask_size, options.node_cidr_mask_size_ipv6, options.service_cidr
        )
        self.nodes = self.informer(core_v1.Node)
        self.recorder = context.recorder("cidrAllocator")
        self.nodes.add_handler(self._seen, lambda _, new: self._seen(new), self._gone)

    def _seen(self, node: core_v1.Node) -> None:
        if not node.spec.podCIDRs:
            self.queue.add(node.key)
            return
        for text in node.spec.podCIDRs:
            for chosen in self.sets:
                chosen.occupy(ipaddress.ip_network(text))

    def _gone(self, node: core_v1.Node) -> None:
        for text in node.spec.podCIDRs:
            for chosen in self.sets:
                chosen.release(ipaddress.ip_network(text))

    async def reconcile(self, key: str) -> None:
        node = self.nodes.get(key)
        if node is None or node.spec.podCIDRs:
            return
        try:
            ranges = [chosen.allocate() for chosen in self.sets]
        except RangeExhausted as error:
            log.warning("no range for node=%s error=%s", key, error)
            self.recorder.event(node, NORMAL, CIDR_NOT_AVAILABLE, f"Node {key} status is now: {CIDR_NOT_AVAILABLE}")
            self.queue.add_rate_limited(key)
            return
        texts = [str(network) for network in ranges]
        try:
            written = await self.client.patch(
                core_v1.Node,
                key,
                patch={"metadata": {"uid": node.metadata.uid}, "spec": {"podCIDR": texts[0], "podCIDRs": texts}},
                patch_type=PatchType.STRATEGIC,
            )
        except BaseException as error:
            for chosen, network in zip(self.sets, ranges, strict=True):
                chosen.release(network)
            if isinstance(error, NotFound):
                return
            raise
        await self.observed(self.nodes.wait_until_observed(written.metadata.resourceVersion))
