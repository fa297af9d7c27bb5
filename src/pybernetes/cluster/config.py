"""What a cluster is made of: the settings `up` decides once and keeps in `cluster.json`.

Later commands read them; a later `up` may change what its options name, while the cluster is stopped.
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Any

import msgspec

from pybernetes.cluster.errors import BadOption, BadState

DEFAULT_NAME = "pybernetes"
DEFAULT_PORT = 6443
KUBELET_PORT = 10250
MAX_NODES = 1
"""Real nodes on one machine."""
MAX_SIMULATED_NODES = 5000

NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])?")
"""A DNS label, short enough that names made from it (cgroups, nft tables) stay legal."""


class ClusterConfig(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The settings of one cluster; see the options of `pybernetes up`."""

    name: str = DEFAULT_NAME
    port: int = DEFAULT_PORT
    nodes: int = 0
    simulated_nodes: int = 0
    storage: str = "sqlite"
    node_name: str = ""
    """Name of the real node; simulated ones are `sim-node-0` …"""
    pod_cidr: str = "10.244.0.0/16"
    service_cidr: str = "10.96.0.0/12"
    domain: str = "cluster.local"
    kubelet_port: int = KUBELET_PORT
    kubeconfig: str = ""
    """The file that got the context, so that `delete` can take it out again."""

    @property
    def api_service_ip(self) -> str:
        """Where pods find the API server: the first address of the service range, 10.96.0.1."""
        return str(ipaddress.ip_network(self.service_cidr.split(",")[0])[1])

    @property
    def dns_ip(self) -> str:
        """Where pods find DNS: the tenth address of the service range, 10.96.0.10."""
        return str(ipaddress.ip_network(self.service_cidr.split(",")[0])[10])

    @property
    def machine_ip(self) -> str:
        """The address under which pods reach this machine: the last but one of the pod range, kept on `lo`.

        It is the node's InternalIP. No other machine can reach it, so that what listens on it (API server, kubelet,
        DNS) is as private as on 127.0.0.1; a real interface's address would publish them.
        """
        return str(ipaddress.ip_network(self.pod_cidr.split(",")[0])[-2])

    @property
    def node_pod_cidr(self) -> str:
        """The part of the pod range the real node gives to its pods: the first /24."""
        return str(next(ipaddress.IPv4Network(self.pod_cidr).subnets(new_prefix=24)))

    @property
    def server(self) -> str:
        return f"https://127.0.0.1:{self.port}"

    @property
    def cgroup_root(self) -> str:
        """Parent of every pod's cgroup, of this cluster's own."""
        return f"/pybernetes-{self.name}"

    @property
    def network_name(self) -> str:
        """Of the pod network, as CNI writes it into its files."""
        return f"pybernetes-{self.name}"

    @property
    def nft_table(self) -> str:
        return f"pybernetes-{self.name}"


OPTIONS = ("port", "nodes", "simulated_nodes", "storage")
"""What `up` can change later."""


def decode(data: bytes) -> ClusterConfig:
    """The configuration in `cluster.json`.

    Raises:
        BadState: it is damaged.
    """
    try:
        return check(msgspec.json.decode(data, type=ClusterConfig))
    except (msgspec.MsgspecError, BadOption) as error:
        raise BadState(
            f"cluster.json is damaged: {error}", "repair it, or start anew with: pybernetes delete, pybernetes up"
        ) from error


def encode(config: ClusterConfig) -> bytes:
    return msgspec.json.format(msgspec.json.encode(config), indent=2) + b"\n"


def check(config: ClusterConfig) -> ClusterConfig:
    """The same configuration, if it can work.

    Raises:
        BadOption: with what would be right.
    """
    check_name(config.name)
    if not 1 <= config.port <= 65535:
        raise BadOption(f"--port {config.port} is no TCP port", "use a number from 1 to 65535, e.g. --port 6443")
    if not 0 <= config.nodes <= MAX_NODES:
        raise BadOption(
            f"--nodes {config.nodes}: one machine runs {MAX_NODES} real node",
            "use --nodes 1 (or 0), and --simulated-nodes K for more nodes",
        )
    if not 0 <= config.simulated_nodes <= MAX_SIMULATED_NODES:
        raise BadOption(
            f"--simulated-nodes {config.simulated_nodes} is out of range",
            f"use a number from 0 to {MAX_SIMULATED_NODES}",
        )
    if config.storage not in ("sqlite", "memory"):
        raise BadOption(
            f"--storage {config.storage!r} is not supported",
            "use sqlite (durable, the default) or memory (gone when the cluster stops)",
        )
    return config


def check_name(name: str) -> str:
    """The name, if a cluster can be called so.

    Raises:
        BadOption: it cannot.
    """
    if not NAME.fullmatch(name):
        raise BadOption(
            f"--name {name!r} cannot name a cluster",
            "use at most 40 lower-case letters, digits and '-', beginning and ending with a letter or digit",
        )
    return name


def changed(config: ClusterConfig, options: Mapping[str, Any]) -> ClusterConfig:
    """`config` with the options that were given (not None).

    Raises:
        BadOption: the result could not work.
    """
    given = {name: value for name, value in options.items() if name in OPTIONS and value is not None}
    return check(msgspec.structs.replace(config, **given))


def free_cidr(wanted: str, taken: list[str], step_prefix: int) -> str:
    """`wanted`, or the next range of its size that overlaps nothing in `taken`.

    Two clusters on one machine need different pod ranges: the second gets 10.245.0.0/16. The search stays within
    the /8 (`step_prefix` 8) the wanted range lies in.

    Raises:
        BadOption: everything is taken.
    """
    first = ipaddress.IPv4Network(wanted)
    others = [ipaddress.IPv4Network(cidr, strict=False) for cidr in taken]
    around = first.supernet(new_prefix=step_prefix)
    candidates = list(around.subnets(new_prefix=first.prefixlen))
    start = candidates.index(first)
    for candidate in candidates[start:] + candidates[:start]:
        if not any(candidate.overlaps(other) for other in others):
            return str(candidate)
    raise BadOption(f"no free network of the size of {wanted} in {around}", "delete a cluster that is no longer used")
