"""Repairs what disagrees between Services and the addresses and ports they hold, and tells of what nobody can repair.

    Service web 10.96.0.7 ─── IPAddress 10.96.0.7 of default/web          as it should be
    Service web 10.96.0.7 ─── nothing, or an object that names nobody     the object is made (anew)
    Service web 10.96.0.7 ─── IPAddress of another Service that has it    told: recreate one of them
    nothing               ─── IPAddress of default/web                    deleted, once it is a minute old

    service_repairs, address_repairs, port_repairs       pure
    Repair.run                                           carries them out, soon after a change and every three minutes

Follows: kubernetes pkg/registry/core/service/ipallocator/controller/repairip.go; portallocator/controller/repair.go.
"""

import asyncio
import ipaddress
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pybernetes.api import core_v1
from pybernetes.apiserver.allocators.addresses import NETWORKING, Addresses, family_of
from pybernetes.apiserver.allocators.ledger import CONTROLLER, MANAGED_BY_LABEL, labels
from pybernetes.apiserver.allocators.ranges import NodePorts
from pybernetes.apiserver.allocators.services import Ledger, ips_of, ports_of
from pybernetes.apiserver.request import Document, ObjectReader
from pybernetes.client.events import WARNING, EventRecorder
from pybernetes.client.interface import Client
from pybernetes.effects import Clock, parse_time
from pybernetes.machinery.errors import AlreadyExists, NotFound, StatusError

log = logging.getLogger("pybernetes.apiserver.allocators")

INTERVAL_SECONDS: Final = 180.0
SETTLE_SECONDS: Final = 1.0
"""Between a change and the look at it, so that a write under way can finish; arbitrary."""
GRACE = timedelta(seconds=60)
"""An address without Service may belong to a Service that is being created."""
ADDRESS_COMPONENT, PORT_COMPONENT = "ipallocator-repair-controller", "portallocator-repair-controller"


@dataclass(frozen=True, slots=True)
class Tell:
    """An event about a Service or IPAddress."""

    about: Document
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Remove:
    address: str


@dataclass(frozen=True, slots=True)
class Create:
    address: str
    service: Document


Action = Tell | Remove | Create


def service_repairs(
    service: Document,
    address_object: Callable[[str], Document | None],
    service_object: Callable[[str, str], Document | None],
    is_within: Callable[[str], bool],
) -> list[Action]:
    """What is to be done for the cluster IPs of one stored Service."""
    actions: list[Action] = []
    namespace, name = service["metadata"]["namespace"], service["metadata"]["name"]
    for ip in ips_of(service):
        try:
            canonical = str(ipaddress.ip_address(ip))
        except ValueError:
            text = f"Cluster IP {ip} is not a valid IP; please recreate Service"
            actions.append(Tell(service, "ClusterIPNotValid", text))
            continue
        family = family_of(canonical)
        if not is_within(canonical):
            text = f"Cluster IP [{family}]: {ip} is not within any configured Service CIDR; please recreate service"
            actions.append(Tell(service, "ClusterIPOutOfRange", text))
            continue
        found = address_object(canonical)
        if found is None:
            text = f"Cluster IP [{family}]: {ip} is not allocated; repairing"
            actions += [Tell(service, "ClusterIPNotAllocated", text), Create(canonical, service)]
            continue
        anew: list[Action] = [Remove(canonical), Create(canonical, service)]
        parent = (found.get("spec") or {}).get("parentRef") or {}
        wrong = Tell(
            service,
            "ClusterIPNotAllocated",
            f"the ClusterIP [{family}]: {ip} for Service {namespace}/{name} has a wrong reference; repairing",
        )
        if parent.get("group") or parent.get("resource") != "services":
            actions += [wrong, *anew]
            continue
        if (parent.get("namespace"), parent.get("name")) != (namespace, name):
            other = service_object(parent.get("namespace", ""), parent.get("name", ""))
            if other is None or canonical not in ips_of(other):
                actions += [wrong, *anew]
                continue
            text = f"Cluster IP [{family}]:{ip} was assigned to multiple services; please recreate service"
            actions.append(Tell(service, "ClusterIPAlreadyAllocated", text))
        elif not labels(canonical).items() <= (found["metadata"].get("labels") or {}).items():
            actions += anew
    return actions


def address_repairs(address: Document, service: Document | None, now: datetime) -> list[Action]:
    """What is to be done about one IPAddress; `service`: the one it names."""
    metadata = address["metadata"]
    if (metadata.get("labels") or {}).get(MANAGED_BY_LABEL) != CONTROLLER:
        return []
    name, parent = metadata["name"], (address.get("spec") or {}).get("parentRef") or {}
    if parent.get("group") or parent.get("resource") != "services":
        text = f"IPAddress {name} appears to have been modified, not referencing a Service {parent}: cleaning up"
        return [Tell(address, "IPAddressNotAllocated", text), Remove(name)]
    about = f"IPAddress: {name} for Service {parent.get('namespace', '')}/{parent.get('name', '')}"
    if service is None:
        if now - parse_time(metadata["creationTimestamp"]) <= GRACE:
            return []
        text = f"{about} appears to have leaked: cleaning up"
        return [Tell(address, "IPAddressNotAllocated", text), Remove(name)]
    if name in ips_of(service):
        return []
    if now - parse_time(metadata["creationTimestamp"]) <= GRACE:
        return []  # an update that adds it may be under way
    text = f"{about} has a wrong reference; cleaning up"
    return [Tell(address, "IPAddressWrongReference", text), Remove(name)]


def port_repairs(services: Iterable[Document], ports: NodePorts) -> list[Tell]:
    """What is to be told of node ports that lie outside the range, or that two Services have."""
    told: list[Tell] = []
    seen: set[int] = set()
    for service in services:
        for port in ports_of(service):
            if port in seen:
                text = f"Port {port} was assigned to multiple services; please recreate service"
                told.append(Tell(service, "PortAlreadyAllocated", text))
            elif ports.number(port) is None:
                text = f"Port {port} is not within the port range {ports.first}-{ports.last}; please recreate service"
                told.append(Tell(service, "PortOutOfRange", text))
            seen.add(port)
    return told


def reference(document: Document) -> core_v1.ObjectReference:
    metadata = document["metadata"]
    is_address = "parentRef" in (document.get("spec") or {})
    return core_v1.ObjectReference(
        apiVersion=f"{NETWORKING}/v1" if is_address else "v1",
        kind="IPAddress" if is_address else "Service",
        name=metadata["name"],
        namespace=metadata.get("namespace", ""),
        uid=metadata.get("uid", ""),
        resourceVersion=metadata.get("resourceVersion", ""),
    )


class Repair:
    """See the module. One per API server; several do each other no harm."""

    def __init__(
        self, reader: ObjectReader, client: Client, ledger: Ledger, addresses: Addresses, ports: NodePorts, clock: Clock
    ) -> None:
        self._reader, self._ledger, self._clock = reader, ledger, clock
        self._addresses, self._ports = addresses, ports
        self._ip_events = EventRecorder(client, ADDRESS_COMPONENT, "", clock)
        self._port_events = EventRecorder(client, PORT_COMPONENT, "", clock)
        self._changed = asyncio.Event()
        self._services: set[tuple[str, str]] = set()
        self._ips: set[str] = set()

    def follow(self) -> None:
        """Look at everything there is, and at what changes from now on."""
        self._reader.subscribe("", "services", self._service_changed)
        self._reader.subscribe(NETWORKING, "ipaddresses", self._address_changed)

    def _service_changed(self, old: Document | None, new: Document | None) -> None:
        if ips_of(old) == ips_of(new):
            return
        if new is not None:
            self._services.add((new["metadata"]["namespace"], new["metadata"]["name"]))
        self._ips.update(ips_of(old))
        self._changed.set()

    def _address_changed(self, old: Document | None, new: Document | None) -> None:
        for document in (old, new):
            if document is not None:
                self._ips.add(document["metadata"]["name"])
                parent = (document.get("spec") or {}).get("parentRef") or {}
                self._services.add((parent.get("namespace", ""), parent.get("name", "")))
        self._changed.set()

    async def run(self) -> None:
        """Repair until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._ip_events.run(), name="apiserver/ip-repair-events")
            tasks.create_task(self._port_events.run(), name="apiserver/port-repair-events")
            tasks.create_task(self._look_again(), name="apiserver/service-repair-interval")
            while True:
                await self._changed.wait()
                self._changed.clear()
                await self._clock.sleep(SETTLE_SECONDS)
                await self.repair()

    async def _look_again(self) -> None:
        while True:
            for told in port_repairs(self._reader.list("", "services"), self._ports):
                self._port_events.event(reference(told.about), WARNING, told.reason, told.message)
            await self._clock.sleep(INTERVAL_SECONDS)
            for service in self._reader.list("", "services"):
                self._services.add((service["metadata"]["namespace"], service["metadata"]["name"]))
            self._ips.update(found["metadata"]["name"] for found in self._reader.list(NETWORKING, "ipaddresses"))
            self._changed.set()

    async def repair(self) -> None:
        """Look at what has changed, once."""
        services, self._services = self._services, set()
        ips, self._ips = self._ips, set()
        for namespace, name in sorted(services):
            service = self._service(namespace, name)
            if service is not None:
                await self._act(service_repairs(service, self._address, self._service, self._addresses.is_within))
        for ip in sorted(ips):
            address = self._address(ip)
            if address is not None:
                parent = (address.get("spec") or {}).get("parentRef") or {}
                service = self._service(parent.get("namespace", ""), parent.get("name", ""))
                await self._act(address_repairs(address, service, self._clock.now()))

    def _service(self, namespace: str, name: str) -> Document | None:
        return self._reader.get("", "services", namespace, name)

    def _address(self, address: str) -> Document | None:
        return self._reader.get(NETWORKING, "ipaddresses", "", address)

    async def _act(self, actions: list[Action]) -> None:
        """Carry out in order; what fails is looked at again at the next interval."""
        for action in actions:
            try:
                match action:
                    case Tell(about, reason, message):
                        log.warning("service repair reason=%s message=%s", reason, message)
                        self._ip_events.event(reference(about), WARNING, reason, message)
                    case Remove(address):
                        await self._ledger.delete(address)
                    case Create(address, service):
                        await self._ledger.create(address, service)
            except (AlreadyExists, NotFound):
                continue  # somebody else was faster
            except StatusError as error:
                log.warning("service repair failed error=%s", error)
                return
