"""The service proxy: watches Services, EndpointSlices and this node's pods, and keeps the kernel's maps in step.

`services` decides what each service port means here, `ruleset` turns that into elements and differences,
`nft_text` into commands; this module owns the order: gather what changed, apply it in one transaction, then
forget the UDP flows that lost their endpoint.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass

from pybernetes.api import core_v1, discovery_v1
from pybernetes.client.informer import Informer
from pybernetes.client.interface import Client
from pybernetes.effects import Clock
from pybernetes.proxy import nft_text, ruleset
from pybernetes.proxy.nft import Conntrack, Nft, NftError
from pybernetes.proxy.ruleset import HostPort, Ruleset
from pybernetes.proxy.services import SERVICE_NAME_LABEL, Backend, NodeInfo, service_ports

log = logging.getLogger("pybernetes.proxy")

ZONE_LABEL = "topology.kubernetes.io/zone"


@dataclass(frozen=True, slots=True)
class ProxyConfig:
    """What `kube-proxy` takes as flags and configuration file."""

    node_name: str
    cluster_cidrs: tuple[str, ...] = ("10.244.0.0/16",)
    """Sources within count as pods: `--cluster-cidr`."""
    table: str = "pybernetes-proxy"
    masquerade_pod_egress: bool = False
    """Hide pods behind the node's address when they leave the cluster, where no CNI plugin does it."""
    min_sync_period_seconds: float = 0.05
    """Changes that arrive within become one transaction."""
    sync_period_seconds: float = 30.0
    """At least this often everything is written anew, so that what others broke is repaired."""


@dataclass(slots=True)
class ProxyStatistics:
    syncs: int = 0
    full_syncs: int = 0
    failures: int = 0


class Proxy:
    """One node's proxy for IPv4. `synced` is set once the first transaction was applied."""

    def __init__(
        self,
        client: Client,
        config: ProxyConfig,
        clock: Clock,
        *,
        nft: Nft | None = None,
        conntrack: Conntrack | None = None,
    ) -> None:
        self.client, self.config, self.clock = client, config, clock
        self.nft, self.conntrack = nft or Nft(), conntrack or Conntrack()
        self.statistics = ProxyStatistics()
        self.synced = asyncio.Event()
        node_filter = f"spec.nodeName={self.config.node_name}"
        self._services = Informer(self.client, core_v1.Service)
        self._slices = Informer(self.client, discovery_v1.EndpointSlice)
        self._pods = Informer(self.client, core_v1.Pod, fields=node_filter)
        self._nodes = Informer(self.client, core_v1.Node, fields=f"metadata.name={self.config.node_name}")
        self._slices.index("service", service_of)
        self._dirty = asyncio.Event()
        self._applied = Ruleset()
        family = nft_text.FAMILIES[4]
        networks = tuple(cidr for cidr in self.config.cluster_cidrs if ":" not in cidr)
        self._table = nft_text.Table(self.config.table, family, networks, self.config.masquerade_pod_egress)

    async def run(self) -> None:
        """Serve until cancelled; the kernel keeps the last state, so that connections survive a restart."""
        informers: tuple[Informer[core_v1.Service] | Informer[discovery_v1.EndpointSlice], ...]
        informers = (self._services, self._slices)
        async with asyncio.TaskGroup() as tasks:
            for informer in (*informers, self._pods, self._nodes):
                informer.add_handler(self._changed, lambda _old, new: self._changed(new), self._changed)
                tasks.create_task(informer.run(), name=f"proxy/{informer.kind.PLURAL}-informer")
            for informer in (*informers, self._pods, self._nodes):
                await informer.wait_synced()
            tasks.create_task(self._sync_loop(), name="proxy/sync")

    def _changed(self, _: object) -> None:
        self._dirty.set()

    async def _sync_loop(self) -> None:
        full = True
        last_full = self.clock.monotonic()
        while True:
            self._dirty.clear()
            try:
                await self._sync(full=full)
                full = False
            except NftError as error:
                # The kernel is not in the state we think it is: write everything again.
                self.statistics.failures += 1
                log.warning("sync failed, everything is written anew error=%s", error)
                full = True
                await self.clock.sleep(1.0)
                continue
            self.synced.set()
            await self._wait_for_change(last_full + self.config.sync_period_seconds)
            await self.clock.sleep(self.config.min_sync_period_seconds)
            if self.clock.monotonic() >= last_full + self.config.sync_period_seconds:
                full, last_full = True, self.clock.monotonic()

    async def _wait_for_change(self, deadline: float) -> None:
        """Return at the next change, or when `deadline` (monotonic) has come."""
        async with asyncio.TaskGroup() as tasks:
            alarm = tasks.create_task(self.clock.sleep(deadline - self.clock.monotonic()), name="proxy/sync-period")
            change = tasks.create_task(self._dirty.wait(), name="proxy/changes")
            await asyncio.wait((alarm, change), return_when=asyncio.FIRST_COMPLETED)
            alarm.cancel()
            change.cancel()

    async def _sync(self, *, full: bool) -> None:
        wanted = self.wanted()
        delta = ruleset.difference(self._applied, wanted)
        if full:
            await self.nft.apply(nft_text.full(self._table, wanted))
            self.statistics.full_syncs += 1
        elif delta:
            stale = {}
            if any(balancer.affinity_seconds for balancer in self._applied.balancers):
                stale = ruleset.stale_clients(delta, await self.nft.remembered_clients(self._table))
            await self.nft.apply(nft_text.change(self._table, delta, stale))
        else:
            return
        self.statistics.syncs += 1
        flows = ruleset.lost_udp_flows(delta)
        self._applied = wanted
        if flows:
            await self.conntrack.forget_udp(flows)

    def wanted(self) -> Ruleset:
        """The state the kernel should be in now."""
        nodes = self._nodes.list()
        zone = nodes[0].metadata.labels.get(ZONE_LABEL, "") if nodes else ""
        services = self._services.list()
        slices = {service.key: self._slices.by_index("service", service.key) for service in services}
        ports = service_ports(services, slices, NodeInfo(self.config.node_name, zone), family=4)
        return ruleset.build(ports, host_ports(self._pods.list()), self._applied)


def service_of(piece: discovery_v1.EndpointSlice) -> list[str]:
    """The `namespace/name` of the Service a slice belongs to."""
    name = piece.metadata.labels.get(SERVICE_NAME_LABEL)
    return [f"{piece.metadata.namespace}/{name}"] if name else []


def host_ports(pods: Iterable[core_v1.Pod]) -> list[HostPort]:
    """What the running pods of this node publish on its addresses; pods on the host network already do."""
    found = []
    for pod in sorted(pods, key=lambda pod: pod.key):
        if pod.spec.hostNetwork or not pod.status.podIP or pod.status.phase in ("Succeeded", "Failed"):
            continue
        for container in [*pod.spec.initContainers, *pod.spec.containers]:
            for port in container.ports:
                if port.hostPort:
                    address = "" if port.hostIP in ("", "0.0.0.0", "::") else port.hostIP
                    backend = Backend(pod.status.podIP, port.containerPort)
                    found.append(HostPort((port.protocol or "TCP").lower(), address, port.hostPort, backend))
    return found


async def run(client: Client, config: ProxyConfig, clock: Clock) -> None:
    """Serve until cancelled."""
    await Proxy(client, config, clock).run()
