"""IP addresses and networks: `cidr("10.0.0.0/8").containsIP("10.1.2.3")`.

Follows: apiserver pkg/cel/library/{ip,cidr}.go; Go net/netip.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import ClassVar

from pybernetes.machinery.cel.errors import EvaluationError
from pybernetes.machinery.cel.functions import Library
from pybernetes.machinery.cel.types import Type, opaque

IP = opaque("net.IP")
CIDR = opaque("net.CIDR")
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_LENGTH = re.compile(r"^(?:0|[1-9][0-9]{0,2})\Z", re.ASCII)
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class Address:
    """An IP address without a zone."""

    cel_type: ClassVar[Type] = IP
    address: _Address

    @property
    def cel_size(self) -> int:
        """Bytes of the address."""
        return self.address.max_prefixlen // 8


@dataclass(frozen=True, slots=True)
class Prefix:
    """A network as written: the address may have bits beyond the prefix."""

    cel_type: ClassVar[Type] = CIDR
    address: _Address
    length: int

    @property
    def cel_size(self) -> int:
        """Bytes of the prefix. Follows: CIDR.Size."""
        return -(-self.length // 8)

    @property
    def network(self) -> _Network:
        return ipaddress.ip_network((self.address, self.length), strict=False)

    def __str__(self) -> str:
        return f"{self.address}/{self.length}"


NETWORKS = Library("kubernetes.net")
NETWORKS.declare(IP, CIDR)
_define = NETWORKS.define


def _parse_ip(text: str) -> _Address:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        why = f'ParseAddr("{text}"): unable to parse IP'
        raise EvaluationError(f'IP Address "{text}" parse error during conversion from string: {why}') from None
    if "%" in text:
        raise EvaluationError(f'IP address "{text}" with zone value is not allowed')
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise EvaluationError(f'IPv4-mapped IPv6 address "{text}" is not allowed')
    return address


def _split_prefix(text: str) -> tuple[_Address | None, int]:
    """The address and the length as written; no address if one of them cannot be read."""
    host, slash, bits = text.partition("/")
    if not slash or "%" in host or not _LENGTH.match(bits):
        return None, 0
    try:
        return ipaddress.ip_address(host), int(bits)
    except ValueError:
        return None, 0


def _parse_cidr(text: str) -> Prefix:
    opening = "network address parse error during conversion from string: "
    address, length = _split_prefix(text)
    if address is None or length > address.max_prefixlen:
        why = f'netip.ParsePrefix("{text}"): invalid prefix'
        raise EvaluationError(f"{opening}{opening}{why}")
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        raise EvaluationError(f'{opening}IPv4-mapped IPv6 address "{text}" is not allowed')
    return Prefix(address, length)


@_define("string_to_ip", "ip(string) -> net.IP")
def _ip(text: str) -> Address:
    return Address(_parse_ip(text))


@_define("is_ip", "isIP(string) -> bool")
def _is_ip(text: str) -> bool:
    try:
        _parse_ip(text)
    except EvaluationError:
        return False
    return True


@_define("ip_is_canonical", "ip.isCanonical(string) -> bool")
def _is_canonical(text: str) -> bool:
    return str(_parse_ip(text)) == text


@_define("ip_to_string", "string(net.IP) -> string")
def _ip_text(ip: Address) -> str:
    return str(ip.address)


@_define("ip_family", "net.IP|family() -> int")
def _family(ip: Address) -> int:
    return ip.address.version


@_define("ip_is_unspecified", "net.IP|isUnspecified() -> bool")
def _is_unspecified(ip: Address) -> bool:
    return ip.address.is_unspecified


@_define("ip_is_loopback", "net.IP|isLoopback() -> bool")
def _is_loopback(ip: Address) -> bool:
    return ip.address.is_loopback


@_define("ip_is_link_local_multicast", "net.IP|isLinkLocalMulticast() -> bool")
def _is_link_local_multicast(ip: Address) -> bool:
    packed = ip.address.packed
    if ip.address.version == 4:
        return packed[:3] == b"\xe0\x00\x00"
    return packed[0] == 0xFF and packed[1] & 0x0F == 0x02


@_define("ip_is_link_local_unicast", "net.IP|isLinkLocalUnicast() -> bool")
def _is_link_local_unicast(ip: Address) -> bool:
    return ip.address.is_link_local


@_define("ip_is_global_unicast", "net.IP|isGlobalUnicast() -> bool")
def _is_global_unicast(ip: Address) -> bool:
    address = ip.address
    broadcast = address.version == 4 and address.packed == b"\xff\xff\xff\xff"
    special = address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local
    return not (broadcast or special)


@_define("string_to_cidr", "cidr(string) -> net.CIDR")
def _cidr(text: str) -> Prefix:
    return _parse_cidr(text)


@_define("is_cidr", "isCIDR(string) -> bool")
def _is_cidr(text: str) -> bool:
    try:
        _parse_cidr(text)
    except EvaluationError:
        return False
    return True


@_define("cidr_to_string", "string(net.CIDR) -> string")
def _cidr_text(prefix: Prefix) -> str:
    return str(prefix)


@_define("cidr_contains_ip_string", "net.CIDR|containsIP(string) -> bool",
         "cidr_contains_ip_ip", "net.CIDR|containsIP(net.IP) -> bool")  # fmt: skip
def _contains_ip(prefix: Prefix, ip: Address | str) -> bool:
    address = _parse_ip(ip) if isinstance(ip, str) else ip.address
    return address.version == prefix.address.version and address in prefix.network


@_define("cidr_contains_cidr_string", "net.CIDR|containsCIDR(string) -> bool",
         "cidr_contains_cidr", "net.CIDR|containsCIDR(net.CIDR) -> bool")  # fmt: skip
def _contains_cidr(prefix: Prefix, other: Prefix | str) -> bool:
    inner = _parse_cidr(other) if isinstance(other, str) else other
    same = inner.address.version == prefix.address.version
    return same and prefix.length <= inner.length and prefix.network.overlaps(inner.network)


@_define("cidr_ip", "net.CIDR|ip() -> net.IP")
def _network_ip(prefix: Prefix) -> Address:
    return Address(prefix.address)


@_define("cidr_prefix_length", "net.CIDR|prefixLength() -> int")
def _prefix_length(prefix: Prefix) -> int:
    return prefix.length


@_define("cidr_masked", "net.CIDR|masked() -> net.CIDR")
def _masked(prefix: Prefix) -> Prefix:
    return Prefix(prefix.network.network_address, prefix.length)
