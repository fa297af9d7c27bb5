"""Advice that many kinds share: node labels of old, parts of bytes, addresses written in unusual ways.

Follows: pkg/api/node/util.go; apimachinery pkg/util/validation/ip.go, GetWarningsForIP, GetWarningsForCIDR.
"""

import ipaddress
from collections.abc import Mapping
from typing import Any, Final

from pybernetes.machinery import names, quantity
from pybernetes.machinery.field_errors import quote

Json = dict[str, Any]
Texts = list[str]

NODE_LABELS: Final[Mapping[str, str]] = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
}
"""Labels of nodes that have a successor, and which."""

PARTS: Final = ("m", "u", "n")
"""How canonical quantities end that are no whole number."""


def node_labels(texts: Texts, path: str, selector: Mapping[str, str]) -> None:
    """For labels asked of a node, each in brackets."""
    texts.extend(f"{path}[{key}]: {NODE_LABELS[key]}" for key in selector if key in NODE_LABELS)


def node_term(texts: Texts, path: str, term: Json, *, check_values: bool = False) -> None:
    """For one term of a node selector."""
    for index, expression in enumerate(term.get("matchExpressions") or ()):
        key = expression.get("key", "")
        if key in NODE_LABELS:
            texts.append(f"{path}.matchExpressions[{index}].key: {key} is {NODE_LABELS[key]}")
        if check_values:
            for number, value in enumerate(expression.get("values") or ()):
                place = f"{path}.matchExpressions[{index}].values[{number}]"
                texts.extend(f"{place}: {value} is invalid, {why}" for why in names.label_value(value))


def whole_bytes(texts: Texts, path: str, amounts: Mapping[str, str] | None, *resources: str) -> None:
    """Sizes in canonical form that end amid a byte."""
    for name in resources if amounts else ():
        text = (amounts or {}).get(name, "")
        if text.endswith(PARTS) and quantity.milli_value(text) % 1000:
            texts.append(f"{path}[{name}]: fractional byte value {quote(text)} is invalid, must be an integer")


def _lenient(value: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address as the older, laxer reader understands it."""
    try:
        address = ipaddress.ip_address(value)
    except ValueError:
        parts = value.split(".")
        if len(parts) == 4 and all(part.isdecimal() and int(part) < 256 for part in parts):
            return ipaddress.IPv4Address(".".join(str(int(part)) for part in parts))
        return None
    if address.version == 6 and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def address(texts: Texts, path: str, value: str) -> None:
    read = _lenient(value)
    if read is None:
        return
    if names.ip_address(value):
        texts.append(
            f"{path}: non-standard IP address {quote(value)} will be considered invalid in a future Kubernetes "
            f"release: use {quote(str(read))}"
        )
    elif read.version == 6 and str(read) != value:
        form = quote(str(read))
        texts.append(f"{path}: IPv6 address {quote(value)} should be in RFC 5952 canonical format ({form})")


def network(texts: Texts, path: str, value: str) -> None:
    text, slash, length = value.partition("/")
    read = _lenient(text)
    if read is None or not slash or not length.isdecimal() or int(length) > read.max_prefixlen:
        return
    whole = ipaddress.ip_network((read, int(length)), strict=False)
    complaints = names.cidr(value)
    if whole.network_address != read:
        one, all_bits = quote(str(whole)), quote(f"{read}/{read.max_prefixlen}")
        texts.append(f"{path}: CIDR value {quote(value)} is ambiguous in this context (should be {one} or {all_bits}?)")
    elif complaints:
        texts.append(
            f"{path}: non-standard CIDR value {quote(value)} will be considered invalid in a future Kubernetes "
            f"release: use {quote(str(whole))}"
        )
    elif read.version == 6 and str(whole) != value:
        form = quote(str(whole))
        texts.append(f"{path}: IPv6 CIDR value {quote(value)} should be in RFC 5952 canonical format ({form})")
