"""What a Service gets when it is written: cluster IPs, node ports, and the fields that go with them.

    async with allocator.create(document):       document now has clusterIP, clusterIPs, ipFamilies, nodePorts …
        … validate, admit, store …               IPAddress objects exist
    … failed: new IPAddress objects are gone again; stored: those the Service no longer has

Which numbers are in use is learnt from the stored Services and IPAddresses, at start and with every change. Creating
the IPAddress object is what decides between several servers; this process's reservations only spare it the attempt.

Follows: kubernetes pkg/registry/core/service/storage/alloc.go.
"""

import logging
from dataclasses import dataclass, field
from typing import Final, Protocol

from pybernetes.apiserver.allocators.addresses import ALLOCATED, Addresses, family_of
from pybernetes.apiserver.allocators.families import NONE, init_families
from pybernetes.apiserver.allocators.ranges import DEFAULT_NODE_PORTS, NodePorts, Refused
from pybernetes.apiserver.request import Document, ObjectReader
from pybernetes.effects import Chance
from pybernetes.machinery import errors, field_errors
from pybernetes.machinery.errors import AlreadyExists, NotFound, StatusError
from pybernetes.machinery.field_errors import FieldError

log = logging.getLogger("pybernetes.apiserver.allocators")

WITH_CLUSTER_IP: Final = frozenset({"ClusterIP", "NodePort", "LoadBalancer"})
DRY_RUN_PORT: Final = 32768
"""What a dry run shows as node port: outside the usual range. Follows: portallocator/operation.go."""
MAX_COLLISIONS: Final = 32
"""Addresses another server was faster to take, before a write gives up; arbitrary."""


class Ledger(Protocol):
    """IPAddress objects in the store."""

    async def create(self, address: str, service: Document) -> None:
        """Raises: AlreadyExists, StatusError."""

    async def delete(self, address: str) -> None:
        """Raises: NotFound, StatusError."""


@dataclass(slots=True)
class Reservation:
    """What is kept for one write, from `async with` to its end; see the module."""

    allocator: "ServiceAllocator"
    document: Document
    old: Document | None
    chosen: list[tuple[int, str, bool]] = field(default_factory=list)
    """Places in clusterIPs, addresses, and whether any other would do."""
    created: list[str] = field(default_factory=list)
    ports: list[int] = field(default_factory=list)
    ports_shown: list[int] = field(default_factory=list)
    """Made up for a dry run."""
    dry_run: bool = False

    async def __aenter__(self) -> None:
        try:
            for place, address, free_choice in tuple(self.chosen):
                self.created.append(await self.allocator.secure(self, place, address, free_choice=free_choice))
        except BaseException:
            await self._give_back(self.created)
            self.close()
            raise

    async def __aexit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if self.dry_run:
                return
            if kind is not None:
                await self._give_back(self.created)
            elif self.old is not None:
                kept = ips_of(self.document)
                await self._give_back([address for address in ips_of(self.old) if address not in kept])
        finally:
            self.close()

    async def _give_back(self, addresses: list[str]) -> None:
        for address in addresses:
            await self.allocator.release(address)

    def close(self) -> None:
        """End the reservation; a second call does nothing."""
        for _, address, _ in self.chosen:
            self.allocator.addresses.unreserve(address)
        for number in self.ports:
            self.allocator.node_ports.pool.unreserve(number)
        self.chosen, self.ports = [], []


class ServiceAllocator:
    """See the module. One per API server. `service_cidr` may name two, one of each family, separated by a comma."""

    def __init__(self, service_cidr: str, chance: Chance, node_ports: tuple[int, int] = DEFAULT_NODE_PORTS) -> None:
        self.addresses = Addresses(service_cidr.split(","), chance)
        self.node_ports = NodePorts(*node_ports, chance)
        self.ledger: Ledger | None = None

    def follow(self, reader: ObjectReader, ledger: Ledger) -> None:
        """Learn what is held, from now on; `ledger` writes IPAddress objects."""
        self.ledger = ledger
        self.addresses.follow(reader)
        reader.subscribe("", "services", self.service_changed)

    def service_changed(self, old: Document | None, new: Document | None) -> None:
        for document, ips, ports in (
            (new, self.addresses.hold, self.node_ports.pool.hold),
            (old, self.addresses.unhold, self.node_ports.pool.unhold),
        ):
            for address in ips_of(document):
                ips(address)
            for port in ports_of(document):
                number = self.node_ports.number(port)
                if number is not None:
                    ports(number)

    def create(self, document: Document, *, dry_run: bool = False) -> Reservation:
        """Give a new Service what it needs, in place.

        Raises:
            Invalid: what it asks for cannot be had; InternalError: nothing is left.
        """
        return self._allocate(document, None, dry_run=dry_run)

    def update(self, new: Document, old: Document, *, dry_run: bool = False) -> Reservation:
        """Give a changed Service what it needs beyond what it has, in place.

        Raises:
            Invalid, InternalError.
        """
        return self._allocate(new, old, dry_run=dry_run)

    def _allocate(self, new: Document, old: Document | None, *, dry_run: bool) -> Reservation:
        complaints = init_families(new, old, self.addresses.families)
        if complaints:
            raise _invalid(new, complaints)
        reservation = Reservation(self, new, old, dry_run=dry_run)
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
        wanted = list(spec.get("clusterIPs") or ())
        owned = ips_of(old)
        families = spec.get("ipFamilies") or []
        for place, family in enumerate(families):
            address = wanted[place] if place < len(wanted) else ""
            if address and address in owned:
                continue
            try:
                found = self._address(address, family, wanted, new, dry_run=reservation.dry_run)
            except Refused as error:
                raise errors.internal_error(f"failed to allocate a serviceIP: {error}") from error
            if not reservation.dry_run:
                reservation.chosen.append((place, found, not address))
            wanted[place:] = [found, *wanted[place + 1 :]]
        if wanted:
            spec["clusterIPs"], spec["clusterIP"] = wanted, wanted[0]

    def _address(self, address: str, family: str, wanted: list[str], new: Document, *, dry_run: bool) -> str:
        """A reserved address, or what stands for one in a dry run.

        Raises:
            Refused: none is left. Invalid: the wanted one cannot be had.
        """
        if not address:
            return self.addresses.placeholder(family) if dry_run else self.addresses.reserve_any(family)
        try:
            if not dry_run:
                return self.addresses.reserve(address)
            self.addresses.containing(address).number(address)
        except Refused as error:
            raise _taken(new, wanted, address, str(error)) from error
        return address

    async def secure(self, reservation: Reservation, place: int, address: str, *, free_choice: bool) -> str:
        """Create the IPAddress of a reserved address; of another one where somebody was faster and any will do.

        Raises:
            Invalid, InternalError, StatusError.
        """
        document = reservation.document
        assert self.ledger is not None
        for _ in range(MAX_COLLISIONS):
            try:
                await self.ledger.create(address, document)
            except AlreadyExists:
                if not free_choice:
                    raise _taken(document, document["spec"]["clusterIPs"], address, ALLOCATED) from None
                log.info("address taken meanwhile address=%s", address)
            else:
                return address
            try:
                address = self.addresses.reserve_any(family_of(address))
            except Refused as error:
                raise errors.internal_error(f"failed to allocate a serviceIP: {error}") from error
            reservation.chosen.append((place, address, True))
            document["spec"]["clusterIPs"][place] = address
            if place == 0:
                document["spec"]["clusterIP"] = address
        raise errors.internal_error("failed to allocate a serviceIP: other writers were faster every time")

    async def release(self, address: str) -> None:
        """Remove the IPAddress of an address nobody has any more; what fails is left to the repair loop."""
        assert self.ledger is not None
        try:
            await self.ledger.delete(address)
        except NotFound:
            return
        except StatusError as error:
            log.warning("address not released address=%s error=%s", address, error)

    async def service_deleted(self, document: Document) -> None:
        """Give back what a deleted Service had."""
        for address in ips_of(document):
            await self.release(address)

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
                    self._reserve_port(wanted, reservation)
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
                    shared = self._reserve_any_port(reservation)
                except Refused as error:
                    raise errors.internal_error(f"failed to allocate a nodePort: {error}") from error
            row["nodePort"] = by_port[row["port"], protocol] = shared

    def _allocate_health_port(self, new: Document, old: Document | None, reservation: Reservation) -> None:
        spec = new["spec"]
        if spec.get("type") != "LoadBalancer" or spec.get("externalTrafficPolicy") != "Local":
            return
        wanted = spec.get("healthCheckNodePort")
        try:
            if not wanted:
                spec["healthCheckNodePort"] = self._reserve_any_port(reservation)
            elif wanted not in ports_of(old):
                self._reserve_port(wanted, reservation)
        except Refused as error:
            if not wanted:
                raise errors.internal_error(f"failed to allocate a HealthCheck NodePort: {error}") from error
            why = f"failed to allocate requested HealthCheck NodePort {wanted}: {error}"
            raise errors.internal_error(why) from error

    def _reserve_port(self, port: int, reservation: Reservation) -> None:
        number = self.node_ports.reserve(port)
        if reservation.dry_run:
            self.node_ports.pool.unreserve(number)
        else:
            reservation.ports.append(number)

    def _reserve_any_port(self, reservation: Reservation) -> int:
        if reservation.dry_run:
            shown = DRY_RUN_PORT + len(reservation.ports_shown)
            reservation.ports_shown.append(shown)
            return shown
        number = self.node_ports.reserve_any()
        reservation.ports.append(number)
        return self.node_ports.first + number


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


def _taken(service: Document, wanted: list[str], address: str, why: str) -> errors.Invalid:
    complaint = field_errors.invalid_value("spec.clusterIPs", wanted, f"failed to allocate IP {address}: {why}")
    return _invalid(service, [complaint])


def _invalid(service: Document, complaints: list[FieldError]) -> errors.Invalid:
    metadata = service.get("metadata") or {}
    name = metadata.get("name") or metadata.get("generateName") or ""
    return field_errors.invalid("Service", "", name, complaints)
