"""Which cluster IPs are free: the ranges that ServiceCIDRs name, less what IPAddress objects and Services hold.

    10.96.0.0/24, ready       10.96.0.1 … .16 static band     10.96.0.17 … .254 dynamic band
    10.97.0.0/24, terminating nothing is given out; what is held stays held

An address is *held* while an IPAddress object of its name or a stored Service has it, and *reserved* while a write that
wants it is under way in this process. That is only what this process knows: whoever creates the IPAddress object owns
the address, so several servers cannot give out the same one.

Follows: kubernetes pkg/registry/core/service/ipallocator/cidrallocator.go, MetaAllocator; ipallocator.go.
"""

import ipaddress
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from pybernetes.apiserver.allocators.ranges import FULL, Refused
from pybernetes.apiserver.request import Document, ObjectReader
from pybernetes.effects import Chance

IPV4, IPV6 = "IPv4", "IPv6"
NETWORKING = "networking.k8s.io"
READY = "Ready"
MISMATCHED: Final = "the provided network does not match the current range"
ALLOCATED: Final = "provided IP is already allocated"
SMALLEST_BAND, LARGEST_BAND, BAND_SHARE = 16, 256, 16
SHORTEST_IPV6_PREFIX = 64

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def family_of(address: str) -> str:
    return IPV6 if ":" in address else IPV4


@dataclass(frozen=True, slots=True)
class Range:
    """The addresses of one CIDR that may be given out, as numbers; the last one included."""

    network: Network
    first: int
    last: int
    dynamic: int
    """The first number of the dynamic band."""

    @property
    def family(self) -> str:
        return IPV4 if self.network.version == 4 else IPV6

    def number(self, address: str) -> int:
        """Raises: Refused, for the network's own address and the broadcast address."""
        number = int(ipaddress.ip_address(address))
        if not self.first <= number <= self.last:
            why = f"the provided IP ({address}) is not in the valid range. The range of valid IPs is {self.network}"
            raise Refused(why)
        return number

    def address(self, number: int) -> str:
        return str(ipaddress.IPv4Address(number) if self.network.version == 4 else ipaddress.IPv6Address(number))

    @property
    def size(self) -> int:
        return self.last - self.first + 1


def range_of(cidr: str) -> Range:
    """The usable addresses of a CIDR: `10.96.0.0/12` → 10.96.0.1 … 10.111.255.254, dynamic from 10.96.1.1 on.

    Raises:
        ValueError: no CIDR, without usable addresses, or larger than an IPv6 /64.
    """
    network = ipaddress.ip_network(cidr)
    if network.version == 6 and network.prefixlen < SHORTEST_IPV6_PREFIX:
        why = f"shortest allowed prefix length for service CIDR is {SHORTEST_IPV6_PREFIX}, got {network.prefixlen}"
        raise ValueError(why)
    first = int(network.network_address) + 1
    last = int(network.broadcast_address) - (1 if network.version == 4 else 0)
    if last < first:
        raise ValueError(f"service CIDR {cidr} has no usable address; choose a larger one")
    size = network.num_addresses
    band = 0 if size <= SMALLEST_BAND else min(max(SMALLEST_BAND, size // BAND_SHARE), LARGEST_BAND)
    return Range(network, first, last, first + band)


def is_ready(document: Document) -> bool:
    """Addresses may be taken from a ServiceCIDR; one that nobody has judged yet is ready."""
    if document["metadata"].get("deletionTimestamp"):
        return False
    for condition in (document.get("status") or {}).get("conditions") or ():
        if condition.get("type") == READY:
            return bool(condition.get("status") == "True")
    return True


class Addresses:
    """See the module. `cidrs`: of the server's own flag, ready until a ServiceCIDR names them."""

    def __init__(self, cidrs: Iterable[str], chance: Chance) -> None:
        self._chance = chance
        self.default = [range_of(cidr) for cidr in cidrs]
        self.families = tuple(dict.fromkeys(found.family for found in self.default))
        """Configured ones, the primary one first."""
        self._by_cidr: dict[str, Range] = {str(found.network): found for found in self.default}
        self._ready: list[Range] = list(self.default)
        self._service_cidrs: dict[str, Document] = {}
        self._held: Counter[str] = Counter()
        self._reserved: set[str] = set()

    def follow(self, reader: ObjectReader) -> None:
        """Learn of ranges and addresses, from now on."""
        reader.subscribe(NETWORKING, "servicecidrs", self.service_cidr_changed)
        reader.subscribe(NETWORKING, "ipaddresses", self.ip_address_changed)

    def service_cidr_changed(self, old: Document | None, new: Document | None) -> None:
        if old is not None:
            self._service_cidrs.pop(old["metadata"]["name"], None)
        if new is not None:
            self._service_cidrs[new["metadata"]["name"]] = new
        ready: dict[str, Range] = {}
        for document in self._service_cidrs.values():
            if not is_ready(document):
                continue
            for cidr in (document.get("spec") or {}).get("cidrs") or ():
                found = self._by_cidr.get(cidr)
                if found is None:
                    try:
                        found = self._by_cidr[cidr] = range_of(cidr)
                    except ValueError:
                        continue  # nothing can be given out of it, as upstream
                ready[cidr] = found
        self._by_cidr = {cidr: found for cidr, found in self._by_cidr.items() if cidr in ready}
        self._ready = [*ready.values()] if self._service_cidrs else list(self.default)

    def ip_address_changed(self, old: Document | None, new: Document | None) -> None:
        if old is None and new is not None:
            self.hold(new["metadata"]["name"])
        elif new is None and old is not None:
            self.unhold(old["metadata"]["name"])

    def hold(self, address: str) -> None:
        self._held[address] += 1

    def unhold(self, address: str) -> None:
        self._held[address] -= 1
        if self._held[address] <= 0:
            del self._held[address]

    def is_free(self, address: str) -> bool:
        return address not in self._held and address not in self._reserved

    def containing(self, address: str) -> Range:
        """The largest ready range with this address.

        Raises:
            Refused.
        """
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            raise Refused(MISMATCHED) from None
        found = [one for one in self._ready if one.network.version == parsed.version and parsed in one.network]
        if not found:
            raise Refused(MISMATCHED)
        return max(found, key=lambda one: one.size)

    def is_within(self, address: str) -> bool:
        """Some ServiceCIDR names a range with this address, ready or not."""
        parsed = ipaddress.ip_address(address)
        named = [cidr for one in self._service_cidrs.values() for cidr in (one.get("spec") or {}).get("cidrs") or ()]
        networks = (ipaddress.ip_network(cidr) for cidr in named or [str(one.network) for one in self.default])
        return any(parsed in network for network in networks)

    def reserve(self, address: str) -> str:
        """Keep a wanted address; its canonical form.

        Raises:
            Refused.
        """
        found = self.containing(address)
        canonical = found.address(found.number(address))
        if not self.is_free(canonical):
            raise Refused(ALLOCATED)
        self._reserved.add(canonical)
        return canonical

    def reserve_any(self, family: str) -> str:
        """Keep any address: random in a dynamic band, else random in a static one.

        Raises:
            Refused: none is left.
        """
        ranges = [one for one in self._ready if one.family == family]
        for one in ranges:
            for low, high in ((one.dynamic, one.last), (one.first, one.dynamic - 1)):
                address = self._search(one, low, min(high, one.last))
                if address is not None:
                    self._reserved.add(address)
                    return address
        raise Refused(FULL)

    def _search(self, one: Range, low: int, high: int) -> str | None:
        """The first free address from a random one on, around the band once."""
        if low > high:
            return None
        start = self._chance.randint(low, high)
        for band in (range(start, high + 1), range(low, start)):
            for number in band:
                address = one.address(number)
                if self.is_free(address):
                    return address
        return None

    def placeholder(self, family: str) -> str:
        """What a dry run shows: the address of a network, which nobody is ever given. Follows: dryRunAllocator."""
        for one in self._ready:
            if one.family == family:
                return str(one.network.network_address)
        raise Refused(FULL)

    def unreserve(self, address: str) -> None:
        self._reserved.discard(address)

    @property
    def api_service(self) -> str:
        """The address of `default/kubernetes`: the first one of the primary range."""
        return self.default[0].address(self.default[0].first)

    def statistics(self) -> dict[str, int]:
        return {"held": len(self._held), "reserved": len(self._reserved), "ranges": len(self._ready)}
