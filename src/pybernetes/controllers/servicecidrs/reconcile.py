"""Whether a ServiceCIDR may go: not while an address would be left outside of every range.

Pure. Follows: kubernetes 1.36 pkg/controller/servicecidrs/servicecidrs_controller.go, canDeleteCIDR;
pkg/api/servicecidr/servicecidr.go.
"""

import ipaddress
from collections.abc import Iterable, Sequence
from typing import Final

from pybernetes.api import networking_v1

FINALIZER: Final = "networking.k8s.io/service-cidr-finalizer"
READY: Final = "Ready"
TERMINATING: Final = "Terminating"
IS_READY: Final = "Kubernetes Service CIDR is ready"
STILL_USED: Final = (
    "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"
)
MANAGED_BY_LABEL: Final = "ipaddress.kubernetes.io/managed-by"
ALLOCATOR: Final = "ipallocator.k8s.io"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def networks(value: networking_v1.ServiceCIDR) -> list[Network]:
    return [ipaddress.ip_network(cidr) for cidr in value.spec.cidrs]


def covers(outer: Network, inner: Network) -> bool:
    if isinstance(outer, ipaddress.IPv4Network) and isinstance(inner, ipaddress.IPv4Network):
        return inner.subnet_of(outer)
    if isinstance(outer, ipaddress.IPv6Network) and isinstance(inner, ipaddress.IPv6Network):
        return inner.subnet_of(outer)
    return False


def containing(all_cidrs: Iterable[networking_v1.ServiceCIDR], address: str) -> list[networking_v1.ServiceCIDR]:
    """The ServiceCIDRs an address lies in."""
    parsed = ipaddress.ip_address(address)
    return [one for one in all_cidrs if any(parsed in network for network in networks(one))]


def may_go(
    cidr: networking_v1.ServiceCIDR,
    all_cidrs: Sequence[networking_v1.ServiceCIDR],
    addresses: Iterable[networking_v1.IPAddress],
) -> bool:
    """Another ServiceCIDR has all of its addresses, or none that it alone has is in use."""
    others = [one for one in all_cidrs if one.name != cidr.name]
    if all(any(covers(outer, own) for one in others for outer in networks(one)) for own in networks(cidr)):
        return True
    for address in addresses:
        if address.metadata.labels.get(MANAGED_BY_LABEL) != ALLOCATOR:
            continue
        if [one.name for one in containing(all_cidrs, address.name)] == [cidr.name]:
            return False
    return True


def is_ready(cidr: networking_v1.ServiceCIDR) -> bool:
    return any(row.type == READY and row.status == "True" for row in cidr.status.conditions)


def is_blocked(cidr: networking_v1.ServiceCIDR) -> bool:
    """Its status already says that it cannot go yet."""
    return any((row.type, row.status, row.reason) == (READY, "False", TERMINATING) for row in cidr.status.conditions)
