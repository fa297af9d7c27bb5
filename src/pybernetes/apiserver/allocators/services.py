"""What a Service gets when it is written: cluster IPs, node ports, and the fields that go with them.

    reservation = allocator.create(document)     document now has clusterIP, clusterIPs, ipFamilies, nodePorts …
    … validate, admit, store …
    reservation.close()                          always, whether it was stored or not

Which numbers are in use is learnt from the stored Services themselves, at start and with every change.

Follows: kubernetes pkg/registry/core/service/storage/alloc.go.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from pybernetes.apiserver.allocators.ranges import DEFAULT_NODE_PORTS, ClusterIps, NodePorts, Refused
from pybernetes.apiserver.request import Document, ObjectReader
from pybernetes.effects import Chance
from pybernetes.machinery import errors, field_errors
from pybernetes.machinery.field_errors import FieldError

NONE: Final = "None"
"""clusterIP of headless Services."""
SINGLE_STACK, REQUIRE_DUAL_STACK = "SingleStack", "RequireDualStack"
WITH_CLUSTER_IP = frozenset({"ClusterIP", "NodePort", "LoadBalancer"})
WITH_NODE_PORTS = frozenset({"NodePort", "LoadBalancer"})


@dataclass(slots=True)
class Reservation:
    """Numbers kept for one write. `close` gives back what has not become part of a stored Service."""

    _allocator: "ServiceAllocator"
    ips: list[int] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)

    def close(self) -> None:
        """End the reservation; a second call does nothing."""
        for number in self.ips:
            self._allocator.cluster_ips.pool.unreserve(number)
        for number in self.ports:
            self._allocator.node_ports.pool.unreserve(number)
        self.ips, self.ports = [], []


class ServiceAllocator:
    """See the module. One per API server."""

    def __init__(self, service_cidr: str, chance: Chance, node_ports: tuple[int, int] = DEFAULT_NODE_PORTS) -> None:
        self.cluster_ips = ClusterIps(service_cidr, chance)
        self.node_ports = NodePorts(*node_ports, chance)

    def follow(self, reader: ObjectReader) -> None:
        """Learn what stored Services hold, from now on."""
        reader.subscribe("", "services", self.service_changed)

    def service_changed(self, old: Document | None, new: Document | None) -> None:
        for document, ips, ports in (
            (new, self.cluster_ips.pool.hold, self.node_ports.pool.hold),
            (old, self.cluster_ips.pool.unhold, self.node_ports.pool.unhold),
        ):
            for address in ips_of(document):
                number = self.cluster_ips.number(address)
                if number is not None:
                    ips(number)
            for port in ports_of(document):
                number = self.node_ports.number(port)
                if number is not None:
                    ports(number)

    def create(self, document: Document) -> Reservation:
        """Give a new Service what it needs, in place.

        Raises:
            Invalid: what it asks for cannot be had; InternalError: nothing is left.
        """
        return self._allocate(document, None)

    def update(self, new: Document, old: Document) -> Reservation:
        """Give a changed Service what it needs beyond what it has, in place.

        Raises:
            Invalid, InternalError.
        """
        return self._allocate(new, old)

    def _allocate(self, new: Document, old: Document | None) -> Reservation:
        complaints = init_families(new)
        if complaints:
            raise _invalid(new, complaints)
        reservation = Reservation(self)
        try:
            self._allocate_ips(new, old, reservation)
            self._allocate_ports(new, old, reservation)
            self._allocate_health_port(new, old, reservation)
        except BaseException:
            reservation.close()
            raise
        return reservation

    def _allocate_ips(self, new: Document, old: Document | None, reservation: Reservation) -> None:
        spec = new["spec"]
        if spec.get("type", "ClusterIP") not in WITH_CLUSTER_IP or spec.get("clusterIP") == NONE:
            return
        wanted = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
        owned = ips_of(old)
        if not wanted:
            try:
                number = self.cluster_ips.reserve_any()
            except Refused as error:
                raise errors.internal_error(f"failed to allocate a serviceIP: {error}") from error
            reservation.ips.append(number)
            spec["clusterIP"] = self.cluster_ips.address(number)
            spec["clusterIPs"] = [spec["clusterIP"]]
            return
        for address in wanted:
            if address in owned:
                continue
            try:
                reservation.ips.append(self.cluster_ips.reserve(address))
            except Refused as error:
                why = f"failed to allocate IP {address}: {error}"
                raise _invalid(new, [field_errors.invalid_value("spec.clusterIPs", wanted, why)]) from error
        spec["clusterIPs"], spec["clusterIP"] = wanted, wanted[0]

    def _allocate_ports(self, new: Document, old: Document | None, reservation: Reservation) -> None:
        if not assigns_node_ports(new["spec"]):
            return
        owned = set(ports_of(old))
        mine: dict[int, str] = {}
        """Node ports of this Service so far; one may serve the same port in several protocols."""
        by_port: dict[tuple[int, str], int] = {}
        rows = new["spec"].get("ports") or []
        for index, row in enumerate(rows):
            wanted = row.get("nodePort")
            if not wanted:
                continue
            protocol = row.get("protocol", "TCP")
            if wanted not in owned and wanted not in mine:
                try:
                    reservation.ports.append(self.node_ports.reserve(wanted))
                except Refused as error:
                    path = f"spec.ports[{index}].nodePort"
                    raise _invalid(new, [field_errors.invalid_value(path, wanted, str(error))]) from error
            mine[wanted] = protocol
            by_port[row["port"], protocol] = wanted
        for row in rows:
            if row.get("nodePort"):
                continue
            protocol = row.get("protocol", "TCP")
            others = (port for (own, other), port in by_port.items() if own == row["port"] and other != protocol)
            shared = next(others, None)
            if shared is None:
                try:
                    number = self.node_ports.reserve_any()
                except Refused as error:
                    raise errors.internal_error(f"failed to allocate a nodePort: {error}") from error
                reservation.ports.append(number)
                shared = self.node_ports.first + number
            row["nodePort"] = by_port[row["port"], protocol] = shared

    def _allocate_health_port(self, new: Document, old: Document | None, reservation: Reservation) -> None:
        spec = new["spec"]
        if spec.get("type") != "LoadBalancer" or spec.get("externalTrafficPolicy") != "Local":
            return
        wanted = spec.get("healthCheckNodePort")
        try:
            if not wanted:
                number = self.node_ports.reserve_any()
                reservation.ports.append(number)
                spec["healthCheckNodePort"] = self.node_ports.first + number
            elif wanted not in ports_of(old):
                reservation.ports.append(self.node_ports.reserve(wanted))
        except Refused as error:
            if not wanted:
                raise errors.internal_error(f"failed to allocate a HealthCheck NodePort: {error}") from error
            why = f"failed to allocate requested HealthCheck NodePort {wanted}: {error}"
            raise errors.internal_error(why) from error


def ips_of(document: Document | None) -> list[str]:
    """The cluster IPs a Service holds."""
    spec = (document or {}).get("spec") or {}
    if spec.get("type", "ClusterIP") not in WITH_CLUSTER_IP:
        return []
    found = spec.get("clusterIPs") or ([spec["clusterIP"]] if spec.get("clusterIP") else [])
    return [address for address in found if address and address != NONE]


def ports_of(document: Document | None) -> list[int]:
    """The node ports a Service holds, the health check's among them, each once."""
    spec = (document or {}).get("spec") or {}
    found = [row["nodePort"] for row in spec.get("ports") or () if row.get("nodePort")]
    if spec.get("healthCheckNodePort"):
        found.append(spec["healthCheckNodePort"])
    return list(dict.fromkeys(found))


def assigns_node_ports(spec: Document) -> bool:
    if spec.get("type") == "LoadBalancer":
        return spec.get("allocateLoadBalancerNodePorts") is not False
    return spec.get("type") == "NodePort"


def init_families(service: Document) -> list[FieldError]:
    """Fill in ipFamilies and ipFamilyPolicy for a cluster with IPv4 only; what is wrong with those given.

    Follows: alloc.go, initIPFamilyFields.
    """
    spec: dict[str, Any] = service.setdefault("spec", {})
    if spec.get("type") == "ExternalName":
        return []
    complaints = []
    if spec.get("ipFamilyPolicy") == REQUIRE_DUAL_STACK:
        why = "this cluster is not configured for dual-stack services"
        complaints.append(field_errors.invalid_value("spec.ipFamilyPolicy", REQUIRE_DUAL_STACK, why))
    headless_without_selector = spec.get("clusterIP") == NONE and not spec.get("selector")
    for index, family in enumerate(spec.get("ipFamilies") or ()):
        if family != "IPv4" and not headless_without_selector:
            why = "not configured on this cluster"
            complaints.append(field_errors.invalid_value(f"spec.ipFamilies[{index}]", family, why))
    if complaints:
        return complaints
    if spec.get("clusterIP") == NONE:
        spec["clusterIPs"] = [NONE]
    if not spec.get("ipFamilyPolicy"):
        spec["ipFamilyPolicy"] = SINGLE_STACK
    if not spec.get("ipFamilies"):
        spec["ipFamilies"] = ["IPv4"]
    return []


def _invalid(service: Document, complaints: list[FieldError]) -> errors.Invalid:
    metadata = service.get("metadata") or {}
    name = metadata.get("name") or metadata.get("generateName") or ""
    return field_errors.invalid("Service", "", name, complaints)
