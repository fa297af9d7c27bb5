"""The cluster's names as records: from Services, EndpointSlices and namespaces to answers, all in memory.

    web.default.svc.cluster.local                  A     the cluster IP, or every ready endpoint when headless
    _http._tcp.web.default.svc.cluster.local       SRV   one per port and target
    db-0.web.default.svc.cluster.local             A     an endpoint with a hostname
    10-1-2-3.web.default.svc.cluster.local         A     an endpoint without one, as SRV targets name it
    10-1-2-3.default.pod.cluster.local             A     any pod address of an existing namespace
    1.0.96.10.in-addr.arpa                         PTR   cluster IPs and headless endpoints

Each Service contributes records under its own key; replacing one Service touches only its own names.

Follows: the Kubernetes DNS specification 1.1.0; CoreDNS plugin/kubernetes for what it leaves open.
"""

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum

from pybernetes.api import core_v1, discovery_v1

SPECIFICATION_VERSION = "1.1.0"
TTL_SECONDS = 30
SRV_WEIGHT = 100


class Kind(Enum):
    """Record types, with their numbers on the wire."""

    A = 1
    CNAME = 5
    PTR = 12
    TXT = 16
    AAAA = 28
    SRV = 33


@dataclass(frozen=True, slots=True, order=True)
class Srv:
    port: int
    target: str
    weight: int = SRV_WEIGHT
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `data` is an address, a name without trailing dot, a text, or an Srv."""

    name: str
    kind: Kind
    data: str | Srv


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the zone says to a question. `exists` tells NODATA (true, no records) from NXDOMAIN."""

    records: Sequence[Record] = ()
    additional: Sequence[Record] = ()
    exists: bool = True


@dataclass(slots=True)
class Zone:
    """All names of one cluster domain, and the reverse names of its addresses."""

    domain: str
    _owned: dict[str, tuple[Record, ...]] = field(default_factory=dict)
    _names: dict[str, dict[Record, int]] = field(default_factory=dict)
    _children: dict[str, int] = field(default_factory=dict)
    """How many records lie at or below a name: what makes it exist without records of its own."""
    _namespaces: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.replace("", [Record(f"dns-version.{self.domain}", Kind.TXT, SPECIFICATION_VERSION)])

    def replace(self, owner: str, records: Iterable[Record]) -> None:
        """Let `owner` (a Service's `namespace/name`) contribute exactly `records`; none removes it."""
        for record in self._owned.pop(owner, ()):
            self._count(record, -1)
        kept = tuple(records)
        for record in kept:
            self._count(record, +1)
        if kept:
            self._owned[owner] = kept

    def set_namespaces(self, names: Iterable[str]) -> None:
        self._namespaces = set(names)

    def _count(self, record: Record, change: int) -> None:
        at_name = self._names.setdefault(record.name, {})
        at_name[record] = at_name.get(record, 0) + change
        if not at_name[record]:
            del at_name[record]
            if not at_name:
                del self._names[record.name]
        for name in ancestors(record.name):
            self._children[name] = self._children.get(name, 0) + change
            if not self._children[name]:
                del self._children[name]

    def owns(self, name: str) -> bool:
        """Whether this zone alone answers for a name; reverse names only where a Service has the address."""
        return name == self.domain or name.endswith("." + self.domain) or name in self._names

    def lookup(self, name: str, kind: Kind | None) -> Lookup:
        """The answer for a lower-case name without trailing dot; `kind` None means a type we never have."""
        at_name = self._names.get(name)
        if at_name is not None:
            records = [record for record in at_name if record.kind is kind]
            if not records and kind in (Kind.A, Kind.AAAA, None):
                records = [record for record in at_name if record.kind is Kind.CNAME]
            return Lookup(records, list(self._targets(records)))
        pod = self._pod_record(name)
        if pod is not None:
            return Lookup([pod] if pod.kind is kind else ())
        return Lookup(exists=name in self._children or self._is_structural(name))

    def _targets(self, records: Iterable[Record]) -> Iterator[Record]:
        for record in records:
            if isinstance(record.data, Srv):
                for target in self._names.get(record.data.target, ()):
                    if target.kind in (Kind.A, Kind.AAAA):
                        yield target

    def _pod_record(self, name: str) -> Record | None:
        """`10-1-2-3.NAMESPACE.pod.DOMAIN`: answered from the name itself, for namespaces that exist."""
        suffix = f".pod.{self.domain}"
        dashed, _, namespace = name.removesuffix(suffix).partition(".")
        if not name.endswith(suffix) or namespace not in self._namespaces:
            return None
        separator, kind = (".", Kind.A) if dashed.count("-") == 3 and ":" not in dashed else (":", Kind.AAAA)
        try:
            address = ipaddress.ip_address(dashed.replace("-", separator))
        except ValueError:
            return None
        return Record(name, kind, str(address))

    def _is_structural(self, name: str) -> bool:
        if name in (self.domain, f"svc.{self.domain}", f"pod.{self.domain}"):
            return True
        head, _, tail = name.partition(".")
        return head in self._namespaces and tail in (f"svc.{self.domain}", f"pod.{self.domain}")


def ancestors(name: str) -> Iterator[str]:
    """`a.b.c` → `b.c`, `c`."""
    while "." in name:
        name = name.partition(".")[2]
        yield name


def service_records(
    service: core_v1.Service, slices: Sequence[discovery_v1.EndpointSlice], domain: str
) -> Iterator[Record]:
    """Every record one Service contributes."""
    name = f"{service.metadata.name}.{service.metadata.namespace}.svc.{domain}"
    if service.spec.type == "ExternalName":
        external = service.spec.externalName.rstrip(".").lower()
        try:
            address = ipaddress.ip_address(external)
        except ValueError:
            yield Record(name, Kind.CNAME, external)
        else:
            yield Record(name, address_kind(address), str(address))
    elif service.spec.clusterIP == "None":
        yield from _headless_records(service, slices, name)
    elif service.spec.clusterIP:
        for text in service.spec.clusterIPs or [service.spec.clusterIP]:
            address = ipaddress.ip_address(text)
            yield Record(name, address_kind(address), str(address))
            yield Record(address.reverse_pointer, Kind.PTR, name)
        for port in service.spec.ports:
            if port.name:
                yield Record(srv_name(port.name, port.protocol, name), Kind.SRV, Srv(port.port, name))


def _headless_records(
    service: core_v1.Service, slices: Sequence[discovery_v1.EndpointSlice], name: str
) -> Iterator[Record]:
    seen: set[Record] = set()
    for piece in slices:
        for endpoint in piece.endpoints:
            if endpoint.conditions.ready is False and not service.spec.publishNotReadyAddresses:
                continue
            for record in _endpoint_records(endpoint, piece.ports, name):
                if record not in seen:
                    seen.add(record)
                    yield record


def _endpoint_records(
    endpoint: discovery_v1.Endpoint, ports: Iterable[discovery_v1.EndpointPort], name: str
) -> Iterator[Record]:
    for text in endpoint.addresses:
        address = ipaddress.ip_address(text)
        dashed = str(address).replace(".", "-").replace(":", "-")
        target = f"{endpoint.hostname or dashed}.{name}"
        yield Record(name, address_kind(address), str(address))
        yield Record(target, address_kind(address), str(address))
        if endpoint.hostname:
            yield Record(address.reverse_pointer, Kind.PTR, target)
        for port in ports:
            if port.name and port.port is not None:
                yield Record(srv_name(port.name, port.protocol, name), Kind.SRV, Srv(port.port, target))


def srv_name(port_name: str, protocol: str | None, name: str) -> str:
    return f"_{port_name}._{(protocol or 'TCP').lower()}.{name}"


def address_kind(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Kind:
    return Kind.A if address.version == 4 else Kind.AAAA
