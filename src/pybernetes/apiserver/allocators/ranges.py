"""Node ports as a pool of numbers, with the bands and words of upstream; addresses: `addresses.py`.

Follows: kubernetes pkg/registry/core/service/portallocator/allocator.go, calculateRangeOffset.
"""

from pybernetes.apiserver.allocators.pool import Exhausted, Pool, Taken
from pybernetes.effects import Chance

DEFAULT_NODE_PORTS = (30000, 32767)
FULL = "range is full"


class Refused(Exception):
    """A wanted value cannot be had; the text says why, as clients see it."""


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


def _port_offset(size: int) -> int:
    """Size of the static band: a thirty-second, at least 16 and at most 128; none where the range is that small."""
    return 0 if size <= 16 else min(max(16, size // 32), 128)
