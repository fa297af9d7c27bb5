"""Service ports as elements of constant nftables maps, and the difference between two such states.

A connection is sent on in three steps, whatever the number of Services:

    dispatch    address . protocol . port        → chain `PATH-lbN`, N the number of endpoints
    PATH-lbN    a random number below N          → packet mark (or the number kept for this client)
    PATH-ep     address . protocol . port . mark → endpoint address and port

so that a change of one Service is a change of a few elements, never of rules. Indices must be dense: when an
endpoint goes, the last one moves into its place (`reindex`).

    paths       svc        connections to cluster IPs and external addresses, all endpoints
                svc-local  external addresses under policy Local: endpoints on this node
                node       node ports          node-local  node ports under policy Local
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pybernetes.proxy.services import Backend, ServicePort

Elements = dict[str, dict[str, str]]
"""Map or set name → element key → value; sets have empty values."""

STATIC_MAPS = (
    "cluster-dispatch",
    "external-dispatch",
    "internal-dispatch",
    "node-dispatch",
    "internal-node-dispatch",
    "dead-external",
    "dead-node",
    "svc-ep",
    "svc-local-ep",
    "node-ep",
    "node-local-ep",
    "hostports",
    "ip-hostports",
)
STATIC_SETS = ("cluster-ips", "external-masq", "node-masq", "hairpin", "firewalled", "allowed")


@dataclass(frozen=True, slots=True)
class LoadBalancer:
    """The chain that picks one of `size` endpoints on `path`, remembering clients for `affinity_seconds` (0: not)."""

    path: str
    size: int
    affinity_seconds: int = 0

    @property
    def chain(self) -> str:
        sticky = f"-a{self.affinity_seconds}" if self.affinity_seconds else ""
        return f"{self.path}-lb{self.size}{sticky}"


@dataclass(frozen=True, slots=True)
class HostPort:
    """A container port published on the node's addresses; an empty `host_ip` means all of them."""

    protocol: str
    host_ip: str
    host_port: int
    backend: Backend


@dataclass(slots=True)
class Ruleset:
    """Everything that depends on Services: elements, and the chains they point to."""

    elements: Elements = field(default_factory=lambda: {name: {} for name in (*STATIC_MAPS, *STATIC_SETS)})
    balancers: set[LoadBalancer] = field(default_factory=set)
    slots: dict[str, tuple[Backend, ...]] = field(default_factory=dict)
    """Endpoints of each `PATH KEY` by index."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What to change in the kernel, in one transaction."""

    new_balancers: Sequence[LoadBalancer]
    old_balancers: Sequence[LoadBalancer]
    removed: Elements
    added: Elements

    def __bool__(self) -> bool:
        return bool(self.new_balancers or self.old_balancers or self.removed or self.added)


def reindex(previous: Sequence[Backend], wanted: Iterable[Backend]) -> tuple[Backend, ...]:
    """`wanted` in dense order, each endpoint at its previous index where that is possible.

    Newcomers fill the holes, then the last ones move into those that are left:
    (a, b, c, d) with b, c, d wanted gives (d, b, c).
    """
    remaining = set(wanted)
    slots: list[Backend | None] = [backend if backend in remaining else None for backend in previous]
    newcomers = sorted(remaining.difference(previous))
    for index, backend in enumerate(slots):
        if backend is None and newcomers:
            slots[index] = newcomers.pop(0)
    slots.extend(newcomers)
    while None in slots:
        last = slots.pop()
        if last is not None:
            slots[slots.index(None)] = last
    return tuple(backend for backend in slots if backend is not None)


def build(ports: Iterable[ServicePort], host_ports: Iterable[HostPort], previous: Ruleset) -> Ruleset:
    """The wanted state; indices stay as in `previous` where they can."""
    made = Ruleset()
    builder = _Builder(made, previous)
    for port in ports:
        builder.add_service_port(port)
    for host_port in host_ports:
        builder.add_host_port(host_port)
    return made


class _Builder:
    def __init__(self, made: Ruleset, previous: Ruleset) -> None:
        self.made, self.previous = made, previous

    def add_service_port(self, port: ServicePort) -> None:
        elements = self.made.elements
        key = f"{port.cluster_ip} . {port.protocol} . {port.port}"
        elements["cluster-ips"][port.cluster_ip] = ""
        self.balance("svc", key, port.cluster, port.affinity_seconds, "cluster-dispatch")
        for ip in port.external_ips:
            self.add_external(port, f"{ip} . {port.protocol} . {port.port}")
        for ip in port.load_balancer_ips if port.source_ranges else ():
            destination = f"{ip} . {port.protocol} . {port.port}"
            elements["firewalled"][destination] = ""
            for source in port.source_ranges:
                elements["allowed"][f"{destination} . {source}"] = ""
        if port.node_port:
            self.add_node_port(port, f"{port.protocol} . {port.node_port}")
        for ip in port.on_this_node:
            elements["hairpin"][f"{ip} . {ip}"] = ""

    def add_external(self, port: ServicePort, key: str) -> None:
        elements = self.made.elements
        if port.external_local:
            self.balance("svc-local", key, port.local, port.affinity_seconds, "external-dispatch")
            self.balance("svc", key, port.everywhere, port.affinity_seconds, "internal-dispatch")
        else:
            self.balance("svc", key, port.everywhere, port.affinity_seconds, "external-dispatch")
            elements["external-masq"][key] = ""
        if key not in elements["external-dispatch"]:
            elements["dead-external"][key] = "drop" if port.everywhere else "goto refuse"

    def add_node_port(self, port: ServicePort, key: str) -> None:
        elements = self.made.elements
        if port.external_local:
            self.balance("node-local", key, port.local, port.affinity_seconds, "node-dispatch")
            self.balance("node", key, port.everywhere, port.affinity_seconds, "internal-node-dispatch")
        else:
            self.balance("node", key, port.everywhere, port.affinity_seconds, "node-dispatch")
            elements["node-masq"][key] = ""
        if key not in elements["node-dispatch"]:
            elements["dead-node"][key] = "drop" if port.everywhere else "goto refuse"

    def balance(self, path: str, key: str, backends: Sequence[Backend], affinity: int, dispatch: str) -> None:
        """Make `key` reach `backends`; without any it is left out of `dispatch`."""
        if not backends:
            return
        slot = f"{path} {key}"
        ordered = reindex(self.previous.slots.get(slot, ()), backends)
        self.made.slots[slot] = ordered
        balancer = LoadBalancer(path, len(ordered), affinity)
        self.made.balancers.add(balancer)
        self.made.elements[dispatch][key] = f"goto {balancer.chain}"
        endpoints = self.made.elements[f"{path}-ep"]
        for index, backend in enumerate(ordered):
            endpoints[f"{key} . {index}"] = f"{backend.ip} . {backend.port}"

    def add_host_port(self, port: HostPort) -> None:
        key = f"{port.protocol} . {port.host_port}"
        value = f"{port.backend.ip} . {port.backend.port}"
        if port.host_ip:
            self.made.elements["ip-hostports"][f"{port.host_ip} . {key}"] = value
        else:
            self.made.elements["hostports"][key] = value
        self.made.elements["hairpin"][f"{port.backend.ip} . {port.backend.ip}"] = ""


def difference(old: Ruleset, new: Ruleset) -> Delta:
    """The elements and chains to remove and to add; a changed value is removed and added."""
    removed: Elements = {}
    added: Elements = {}
    for name, wanted in new.elements.items():
        present = old.elements[name]
        gone = {key: value for key, value in present.items() if wanted.get(key) != value}
        come = {key: value for key, value in wanted.items() if present.get(key) != value}
        if gone:
            removed[name] = gone
        if come:
            added[name] = come
    order = lambda balancer: balancer.chain  # noqa: E731 - a sort key
    return Delta(
        new_balancers=sorted(new.balancers - old.balancers, key=order),
        old_balancers=sorted(old.balancers - new.balancers, key=order),
        removed=removed,
        added=added,
    )


def stale_clients(delta: Delta, remembered: Mapping[str, Sequence[tuple[str, int]]]) -> Elements:
    """Remembered clients whose index now means another endpoint or none, as elements to delete.

    `remembered` has, by affinity map, the full element key (`… . client`) and the index it holds.
    """
    stale: Elements = {}
    for name, clients in remembered.items():
        path = name.removesuffix("-affinity")
        changed = delta.removed.get(f"{path}-ep", {})
        for key, index in clients:
            destination = key.rsplit(" . ", 1)[0]
            if f"{destination} . {index}" in changed:
                stale.setdefault(name, {})[key] = ""
    return stale


def lost_udp_flows(delta: Delta) -> list[tuple[str, str]]:
    """(original destination, endpoint) of every UDP endpoint that a destination no longer has.

    A destination that had no endpoint and has one now loses all its flows, which lead nowhere.
    """
    flows = set()
    for name in ("svc-ep", "svc-local-ep"):
        moved = {(destination_of(key), backend) for key, backend in delta.added.get(name, {}).items()}
        for key, backend in delta.removed.get(name, {}).items():
            destination = destination_of(key)
            if " . udp . " in destination and (destination, backend) not in moved:
                flows.add((destination.split(" . ")[0], backend.split(" . ")[0]))
    for key in delta.added.get("cluster-dispatch", {}):
        address, protocol, *_ = key.split(" . ")
        if protocol == "udp" and key not in delta.removed.get("cluster-dispatch", {}):
            flows.add((address, ""))
    return sorted(flows)


def destination_of(key: str) -> str:
    """`address . protocol . port` of an element key that ends with an index."""
    return key.rsplit(" . ", 1)[0]
