"""Which part of the cluster's range each node gets. Pure but for the set that remembers.

    10.244.0.0/16 in ranges of /24: 10.244.0.0/24, 10.244.1.0/24 … 256 nodes

Follows: kubernetes 1.36 pkg/controller/nodeipam/ipam/{range_allocator,cidrset/cidr_set}.go.
"""

import ipaddress

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class RangeExhausted(Exception):
    """Every range is given to a node: the cluster range is too small, or the mask too short."""


class CidrSet:
    """The ranges of one cluster range. Freed ones are given out again only after the others, in turn."""

    def __init__(self, cluster: Network, mask: int) -> None:
        if mask < cluster.prefixlen:
            raise ValueError(f"node mask /{mask} is shorter than the cluster range {cluster}")
        self.cluster, self.mask = cluster, mask
        self._bits = cluster.max_prefixlen - mask
        self._count = 1 << (mask - cluster.prefixlen)
        self._used: set[int] = set()
        self._next = 0

    def occupy(self, network: Network) -> None:
        """Take what overlaps this network out of the choice; networks elsewhere do not matter."""
        self._used.update(self._indexes(network))

    def release(self, network: Network) -> None:
        self._used.difference_update(self._indexes(network))

    def allocate(self) -> Network:
        """A free range, now taken.

        Raises:
            RangeExhausted.
        """
        if len(self._used) >= self._count:
            raise RangeExhausted(f"no free /{self.mask} is left in {self.cluster}")
        index = self._next
        while index in self._used:
            index = (index + 1) % self._count
        self._next = (index + 1) % self._count
        self._used.add(index)
        start = int(self.cluster.network_address) + (index << self._bits)
        return ipaddress.ip_network((start, self.mask))

    def _indexes(self, network: Network) -> range:
        if network.version != self.cluster.version or not network.overlaps(self.cluster):
            return range(0)
        base = int(self.cluster.network_address)
        first = max(0, (int(network.network_address) - base) >> self._bits)
        last = min(self._count - 1, (int(network.broadcast_address) - base) >> self._bits)
        return range(first, last + 1)


def sets_of(cluster_cidr: str, mask_ipv4: int, mask_ipv6: int, service_cidr: str) -> list[CidrSet]:
    """One set per range of `cluster_cidr`, without the part that Services use.

    Raises:
        ValueError: a range is none, or is smaller than a node's.
    """
    sets = []
    for text in cluster_cidr.split(","):
        network = ipaddress.ip_network(text.strip())
        chosen = CidrSet(network, mask_ipv4 if network.version == 4 else mask_ipv6)
        for service in filter(None, service_cidr.split(",")):
            chosen.occupy(ipaddress.ip_network(service.strip()))
        sets.append(chosen)
    return sets
