"""The proxy's nftables table as text for `nft -f`: the constant rules once, then elements only.

The packet's way:

    prerouting -110  firewall    load balancer source ranges
    prerouting -100  nat         hostPorts, services (marks what must be masqueraded in the connection mark)
    prerouting  -90  refusal     whatever still asks for a cluster IP has no endpoint or no such port
    postrouting 100  nat         masquerade: marked, hairpin, pods to the outside
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pybernetes.proxy.ruleset import STATIC_MAPS, STATIC_SETS, Delta, Elements, LoadBalancer, Ruleset

MASQUERADE_BIT = "0x4000"
"""In the connection mark, as kube-proxy's default `--iptables-masquerade-bit` 14."""

NO_INDEX = "0xffffffff"
AFFINITY_SIZE = 65536
"""Remembered clients at most; the oldest time out."""

ELEMENTS_PER_COMMAND = 2000


@dataclass(frozen=True, slots=True)
class Family:
    """The words that differ between the two IP families."""

    version: int
    nft: str
    address: str
    loopback: str


FAMILIES = {4: Family(4, "ip", "ipv4_addr", "127.0.0.0/8"), 6: Family(6, "ip6", "ipv6_addr", "::1/128")}

PATHS = ("svc", "svc-local", "node", "node-local")


@dataclass(frozen=True, slots=True)
class Table:
    """One table of one family: its name, and the networks whose sources count as pods."""

    name: str
    family: Family
    pod_networks: tuple[str, ...]
    masquerade_pod_egress: bool = False

    @property
    def spec(self) -> str:
        return f"{self.family.nft} {self.name}"

    def match(self, path: str) -> str:
        """The expression whose value is looked up on a path."""
        if path.startswith("node"):
            return "meta l4proto . th dport"
        return f"{self.family.nft} daddr . meta l4proto . th dport"

    def key_type(self, path: str) -> str:
        if path.startswith("node"):
            return "inet_proto . inet_service"
        return f"{self.family.address} . inet_proto . inet_service"


def full(table: Table, rules: Ruleset) -> str:
    """Makes the table as it must be, whatever was there; remembered clients stay."""
    lines = [f"add table {table.spec}"]
    lines += [f"add {kind} {table.spec} {name} {{ {body} }}" for kind, name, body in _declarations(table)]
    lines += [f"add chain {table.spec} {name}{hook}" for name, hook, _ in _chains(table)]
    lines += [f"flush chain {table.spec} {name}" for name, _, _ in _chains(table)]
    for name, _, rule_lines in _chains(table):
        lines += [f"add rule {table.spec} {name} {rule}" for rule in rule_lines]
    lines += [f"flush map {table.spec} {name}" for name in STATIC_MAPS]
    lines += [f"flush set {table.spec} {name}" for name in (*STATIC_SETS, "pod-networks")]
    if table.pod_networks:
        lines.append(f"add element {table.spec} pod-networks {{ {', '.join(table.pod_networks)} }}")
    for balancer in sorted(rules.balancers, key=lambda balancer: balancer.chain):
        lines += _balancer(table, balancer)
    lines += _elements(table, "add", rules.elements)
    return "\n".join(lines) + "\n"


def change(table: Table, delta: Delta, stale: Elements) -> str:
    """The transaction that carries out a difference. Chains go last: elements point to them until then."""
    lines: list[str] = []
    for balancer in delta.new_balancers:
        lines += _balancer(table, balancer)
    lines += _elements(table, "delete", stale)
    lines += _elements(table, "delete", delta.removed)
    lines += _elements(table, "add", delta.added)
    for balancer in delta.old_balancers:
        lines += [f"flush chain {table.spec} {balancer.chain}", f"delete chain {table.spec} {balancer.chain}"]
    return "\n".join(lines) + "\n"


def _elements(table: Table, verb: str, elements: Elements) -> list[str]:
    lines = []
    for name, pairs in elements.items():
        texts = [f"{key} : {value}" if value and verb == "add" else key for key, value in pairs.items()]
        for first in range(0, len(texts), ELEMENTS_PER_COMMAND):
            chunk = ", ".join(texts[first : first + ELEMENTS_PER_COMMAND])
            lines.append(f"{verb} element {table.spec} {name} {{ {chunk} }}")
    return lines


def _declarations(table: Table) -> Iterable[tuple[str, str, str]]:
    address = table.family.address
    service = f"{address} . inet_proto . inet_service"
    node = "inet_proto . inet_service"
    for name in ("cluster-dispatch", "external-dispatch", "internal-dispatch", "dead-external"):
        yield "map", name, f"type {service} : verdict;"
    for name in ("node-dispatch", "internal-node-dispatch", "dead-node"):
        yield "map", name, f"type {node} : verdict;"
    for path in PATHS:
        key = table.key_type(path)
        yield "map", f"{path}-ep", f"type {key} . mark : {address} . inet_service;"
        flags = f"flags dynamic, timeout; size {AFFINITY_SIZE};"
        yield "map", f"{path}-affinity", f"type {key} . {address} : mark; {flags}"
    yield "map", "hostports", f"type {node} : {address} . inet_service;"
    yield "map", "ip-hostports", f"type {service} : {address} . inet_service;"
    for name in ("external-masq", "firewalled"):
        yield "set", name, f"type {service};"
    yield "set", "node-masq", f"type {node};"
    yield "set", "cluster-ips", f"type {address};"
    yield "set", "hairpin", f"type {address} . {address};"
    yield "set", "allowed", f"type {service} . {address}; flags interval;"
    yield "set", "pod-networks", f"type {address}; flags interval;"


def _chains(table: Table) -> Iterable[tuple[str, str, list[str]]]:
    """Name, hook clause and rules of every constant chain; targets before those who go to them."""
    ip = table.family.nft
    destination = f"{ip} daddr . meta l4proto . th dport"
    local = f"{ip} daddr != {table.family.loopback} fib daddr type local"
    masquerade = f"ct mark set ct mark | {MASQUERADE_BIT}"
    yield "refuse", "", ["meta l4proto tcp reject with tcp reset", "reject"]
    for path in PATHS:
        match = table.match(path)
        yield f"{path}-select", "", [f"dnat {ip} to {match} . meta mark map @{path}-ep"]
    yield (
        "host-ports",
        "",
        [
            f"dnat {ip} to {destination} map @ip-hostports",
            f"{local} dnat {ip} to meta l4proto . th dport map @hostports",
        ],
    )
    yield (
        "services",
        "",
        [
            f"{ip} saddr != @pod-networks {ip} daddr @cluster-ips {masquerade}",
            f"{destination} vmap @cluster-dispatch",
            f"{destination} @external-masq {masquerade}",
            f"{destination} vmap @external-dispatch",
            f"{local} meta l4proto . th dport @node-masq {masquerade}",
            f"{local} meta l4proto . th dport vmap @node-dispatch",
        ],
    )
    # From inside the cluster an address under policy Local reaches every endpoint, as upstream short-circuits it.
    yield (
        "services-from-inside",
        "",
        [
            f"{destination} vmap @internal-dispatch",
            f"{local} meta l4proto . th dport vmap @internal-node-dispatch",
        ],
    )
    dead = [
        f"{ip} daddr @cluster-ips goto refuse",
        f"{destination} vmap @dead-external",
        f"{local} meta l4proto . th dport vmap @dead-node",
    ]
    yield "no-endpoints", "", dead
    yield (
        "firewall",
        " { type filter hook prerouting priority -110; }",
        [f"{destination} @firewalled {destination} . {ip} saddr != @allowed drop"],
    )
    yield (
        "nat-prerouting",
        " { type nat hook prerouting priority -100; }",
        ["jump host-ports", f"{ip} saddr @pod-networks jump services-from-inside", "jump services"],
    )
    yield (
        "nat-output",
        " { type nat hook output priority -100; }",
        ["jump host-ports", "jump services-from-inside", "jump services"],
    )
    yield "refusal-prerouting", " { type filter hook prerouting priority -90; }", ["jump no-endpoints"]
    yield "refusal-output", " { type filter hook output priority -90; }", ["jump no-endpoints"]
    egress = f"{ip} saddr @pod-networks {ip} daddr != @pod-networks masquerade"
    yield (
        "nat-postrouting",
        " { type nat hook postrouting priority 100; }",
        [
            f"ct mark & {MASQUERADE_BIT} == {MASQUERADE_BIT} masquerade",
            f"{ip} saddr . {ip} daddr @hairpin masquerade",
            *([egress] if table.masquerade_pod_egress else []),
        ],
    )


def _balancer(table: Table, balancer: LoadBalancer) -> list[str]:
    chain, match = balancer.chain, table.match(balancer.path)
    random = f"meta mark set numgen random mod {balancer.size}"
    rules = [random]
    if balancer.affinity_seconds:
        client = f"{match} . {table.family.nft} saddr"
        affinity = f"@{balancer.path}-affinity"
        rules = [
            f"meta mark set {NO_INDEX}",
            f"meta mark set {client} map {affinity}",
            f"meta mark {NO_INDEX} {random}",
            f"update {affinity} {{ {client} timeout {balancer.affinity_seconds}s : meta mark }}",
        ]
    rules.append(f"goto {balancer.path}-select")
    lines = [f"add chain {table.spec} {chain}", f"flush chain {table.spec} {chain}"]
    return lines + [f"add rule {table.spec} {chain} {rule}" for rule in rules]
