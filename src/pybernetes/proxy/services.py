"""What a node must know of each service port: its addresses, its policies, and the endpoints that may answer.

Pure: Services and EndpointSlices in, `ServicePort` values out. `ruleset` turns these into map elements.

Follows: kubernetes 1.36 pkg/proxy/serviceport.go, endpoints.go, topology.go (CategorizeEndpoints).
"""

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pybernetes.api import core_v1, discovery_v1

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
SERVICE_PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"
DEFAULT_AFFINITY_SECONDS = 10800


@dataclass(frozen=True, slots=True, order=True)
class Backend:
    """Where a connection can go."""

    ip: str
    port: int


@dataclass(frozen=True, slots=True)
class NodeInfo:
    """What of this node decides which endpoints it uses."""

    name: str
    zone: str = ""


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of one Service, seen from one node and one IP family.

    `cluster` answers the cluster IP, `everywhere` external traffic under policy Cluster, `local` external traffic
    under policy Local. Each is sorted.
    """

    name: str
    """`namespace/service:port`."""
    protocol: str
    """Lower case: tcp, udp, sctp."""
    port: int
    cluster_ip: str
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    """External IPs and load balancer addresses."""
    affinity_seconds: int = 0
    external_local: bool = False
    source_ranges: tuple[str, ...] = ()
    """Who may use the load balancer addresses; empty: everybody."""
    load_balancer_ips: tuple[str, ...] = ()
    cluster: tuple[Backend, ...] = ()
    everywhere: tuple[Backend, ...] = ()
    local: tuple[Backend, ...] = ()
    on_this_node: tuple[str, ...] = ()
    """Endpoint addresses on this node, whose own connections come back and need masquerading."""


@dataclass(frozen=True, slots=True)
class _Endpoint:
    backend: Backend
    ready: bool
    serving: bool
    terminating: bool
    local: bool
    zones: tuple[str, ...]
    nodes: tuple[str, ...]


def service_ports(
    services: Iterable[core_v1.Service],
    slices: Mapping[str, Sequence[discovery_v1.EndpointSlice]],
    node: NodeInfo,
    family: int,
) -> list[ServicePort]:
    """Every service port of the IP family 4 or 6 that this node serves, sorted by name.

    `slices` has the EndpointSlices of each Service by its `namespace/name`.
    """
    found: list[ServicePort] = []
    for service in services:
        if not is_proxied(service):
            continue
        cluster_ip = next((ip for ip in cluster_ips(service) if ipaddress.ip_address(ip).version == family), "")
        if not cluster_ip:
            continue
        own = [s for s in slices.get(service.key, ()) if s.addressType == f"IPv{family}"]
        found.extend(_service_port(service, port, cluster_ip, own, node, family) for port in service.spec.ports)
    return sorted(found, key=lambda port: port.name)


def is_proxied(service: core_v1.Service) -> bool:
    """Whether a proxy has anything to do: no headless, ExternalName or foreign-proxy Services."""
    labels = service.metadata.labels
    if SERVICE_PROXY_NAME_LABEL in labels or HEADLESS_LABEL in labels:
        return False
    return service.spec.type != "ExternalName" and service.spec.clusterIP not in ("", "None")


def cluster_ips(service: core_v1.Service) -> Sequence[str]:
    return service.spec.clusterIPs or [service.spec.clusterIP]


def _service_port(
    service: core_v1.Service,
    port: core_v1.ServicePort,
    cluster_ip: str,
    slices: Sequence[discovery_v1.EndpointSlice],
    node: NodeInfo,
    family: int,
) -> ServicePort:
    spec = service.spec
    endpoints = [endpoint for piece in slices for endpoint in _endpoints(piece, port.name, node)]
    everywhere = usable(_topology(endpoints, node))
    local = usable([endpoint for endpoint in endpoints if endpoint.local])
    ingress = service.status.loadBalancer.ingress
    balanced = _of_family((i.ip for i in ingress if i.ip and i.ipMode in (None, "VIP")), family)
    affinity = 0
    if spec.sessionAffinity == "ClientIP":
        config = spec.sessionAffinityConfig
        client_ip = config.clientIP if config else None
        affinity = (client_ip.timeoutSeconds if client_ip else None) or DEFAULT_AFFINITY_SECONDS
    return ServicePort(
        name=f"{service.key}:{port.name}",
        protocol=(port.protocol or "TCP").lower(),
        port=port.port,
        cluster_ip=cluster_ip,
        node_port=port.nodePort,
        external_ips=tuple(sorted({*_of_family(spec.externalIPs, family), *balanced})),
        load_balancer_ips=tuple(sorted(balanced)),
        affinity_seconds=affinity,
        external_local=spec.externalTrafficPolicy == "Local",
        source_ranges=tuple(sorted(_of_family((r.strip() for r in spec.loadBalancerSourceRanges), family))),
        cluster=local if spec.internalTrafficPolicy == "Local" else everywhere,
        everywhere=everywhere,
        local=local,
        on_this_node=tuple(sorted({endpoint.backend.ip for endpoint in endpoints if endpoint.local})),
    )


def _of_family(addresses: Iterable[str], family: int) -> list[str]:
    return [a for a in addresses if ipaddress.ip_network(a, strict=False).version == family]


def _endpoints(piece: discovery_v1.EndpointSlice, port_name: str, node: NodeInfo) -> Iterable[_Endpoint]:
    for port in piece.ports:
        if (port.name or "") != port_name or port.port is None:
            continue
        for endpoint in piece.endpoints:
            conditions, hints = endpoint.conditions, endpoint.hints
            ready = conditions.ready is not False
            yield _Endpoint(
                Backend(endpoint.addresses[0], port.port),
                ready=ready,
                serving=ready if conditions.serving is None else conditions.serving,
                terminating=bool(conditions.terminating),
                local=endpoint.nodeName == node.name,
                zones=tuple(z.name for z in hints.forZones) if hints else (),
                nodes=tuple(n.name for n in hints.forNodes) if hints else (),
            )


def usable(endpoints: Iterable[_Endpoint]) -> tuple[Backend, ...]:
    """The ready ones; where there is none, those that still serve while they terminate."""
    candidates = list(endpoints)
    ready = {e.backend for e in candidates if e.ready}
    return tuple(sorted(ready or {e.backend for e in candidates if e.serving and e.terminating}))


def _topology(endpoints: Sequence[_Endpoint], node: NodeInfo) -> Sequence[_Endpoint]:
    """The endpoints hinted at this node, else at its zone; all of them unless every ready one has hints."""
    ready = [e for e in endpoints if e.ready]
    if not ready:
        return endpoints
    if all(e.nodes for e in ready):
        same_node = [e for e in ready if node.name in e.nodes]
        if same_node:
            return same_node
    if node.zone and all(e.zones for e in ready):
        same_zone = [e for e in ready if node.zone in e.zones]
        if same_zone:
            return same_zone
    return endpoints
