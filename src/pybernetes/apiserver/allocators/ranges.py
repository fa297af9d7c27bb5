"""Cluster IPs and node ports as pools of numbers, with the bands and words of upstream.

Follows: kubernetes pkg/registry/core/service/ipallocator/ipallocator.go, calculateRangeOffset;
portallocator/allocator.go, calculateRangeOffset.
"""

import ipaddress

from pybernetes.apiserver.allocators.pool import Exhausted, Pool, Taken
from pybernetes.effects import Chance

DEFAULT_NODE_PORTS = (30000, 32767)
FULL = "range is full"


class Refused(Exception):
    """A wanted value cannot be had; the text says why, as clients see it."""


class ClusterIps:
    """The addresses of one service CIDR: all but the network's own and the broadcast address.

    `10.96.0.0/12` → 10.96.0.1 … 10.111.255.254; automatically from 10.96.1.1 on.
    """

    def __init__(self, cidr: str, chance: Chance) -> None:
        self.network = ipaddress.IPv4Network(cidr)
        self._first = int(self.network.network_address) + 1
        size = self.network.num_addresses - 2
        if size < 1:
            raise ValueError(f"service CIDR {cidr} has no usable address; choose a larger one")
        self.pool = Pool(size, _ip_offset(size), chance)

    def number(self, address: str) -> int | None:
        """The number of an address, None for one that is not of this range."""
        try:
            number = int(ipaddress.IPv4Address(address)) - self._first
        except ValueError:
            return None
        return number if 0 <= number < self.pool.size else None

    def address(self, number: int) -> str:
        return str(ipaddress.IPv4Address(self._first + number))

    @property
    def api_service(self) -> str:
        """The address of `default/kubernetes`: the first one."""
        return self.address(0)

    def reserve(self, address: str) -> int:
        """Keep a wanted address.

        Raises:
            Refused.
        """
        number = self.number(address)
        if number is None:
            raise Refused("the provided network does not match the current range")
        try:
            self.pool.reserve(number)
        except Taken as error:
            raise Refused("provided IP is already allocated") from error
        return number

    def reserve_any(self) -> int:
        """Keep any address.

        Raises:
            Refused: none is left.
        """
        try:
            return self.pool.reserve_any()
        except Exhausted as error:
            raise Refused(FULL) from error


class NodePorts:
    """The ports of `--service-node-port-range`; automatically from the 87th on."""

    def __init__(self, first: int, last: int, chance: Chance) -> None:
        self.first, self.last = first, last
        size = last - first + 1
        self.pool = Pool(size, _port_offset(size), chance)

    def number(self, port: int) -> int | None:
        return port - self.first if self.first <= port <= self.last else None

    def reserve(self, port: int) -> int:
        """Keep a wanted port.

        Raises:
            Refused.
        """
        number = self.number(port)
        if number is None:
            why = f"provided port is not in the valid range. The range of valid ports is {self.first}-{self.last}"
            raise Refused(why)
        try:
            self.pool.reserve(number)
        except Taken as error:
            raise Refused("provided port is already allocated") from error
        return number

    def reserve_any(self) -> int:
        """Keep any port; its number, add `first` for the port.

        Raises:
            Refused.
        """
        try:
            return self.pool.reserve_any()
        except Exhausted as error:
            raise Refused(FULL) from error


def _ip_offset(size: int) -> int:
    """Size of the static band: a sixteenth, at least 16 and at most 256; none where the range is that small."""
    return 0 if size <= 16 else min(max(16, size // 16), 256)


def _port_offset(size: int) -> int:
    """Size of the static band: a thirty-second, at least 16 and at most 128; none where the range is that small."""
    return 0 if size <= 16 else min(max(16, size // 32), 128)
