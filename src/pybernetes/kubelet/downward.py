"""What a pod may learn about itself: `fieldRef` and `resourceFieldRef`, for variables and for files.

Follows: kubernetes pkg/fieldpath/fieldpath.go; pkg/apis/core/pods/helpers.go, ConvertDownwardAPIFieldLabel;
pkg/api/v1/resource/helpers.go; pkg/kubelet/kubelet_resources.go.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pybernetes.api import core_v1
from pybernetes.api.scalars import Quantity
from pybernetes.kubelet.seam import ContainerLike
from pybernetes.machinery import quantity


class DownwardError(ValueError):
    """A reference names something a pod cannot learn; the text is upstream's."""


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What of the node a pod may learn: its addresses, and what limits default to."""

    host_ips: tuple[str, ...] = ()
    allocatable: Mapping[str, Quantity] = field(default_factory=dict)


_FIELDS: dict[str, Callable[[core_v1.Pod], str]] = {
    "metadata.annotations": lambda pod: format_map(pod.metadata.annotations),
    "metadata.labels": lambda pod: format_map(pod.metadata.labels),
    "metadata.name": lambda pod: pod.metadata.name,
    "metadata.namespace": lambda pod: pod.metadata.namespace,
    "metadata.uid": lambda pod: pod.metadata.uid,
    "spec.nodeName": lambda pod: pod.spec.nodeName,
    "spec.host": lambda pod: pod.spec.nodeName,
    "spec.serviceAccountName": lambda pod: pod.spec.serviceAccountName,
}
_SUBSCRIPTED: dict[str, Callable[[core_v1.Pod], Mapping[str, str]]] = {
    "metadata.annotations": lambda pod: pod.metadata.annotations,
    "metadata.labels": lambda pod: pod.metadata.labels,
}
_CONVERTIBLE_ONLY = ("spec.restartPolicy", "spec.schedulerName", "status.phase")
"""Labels that are accepted as field labels and then have no value."""

_DEFAULTED_LIMITS = ("cpu", "memory", "ephemeral-storage")


def field_value(
    selector: core_v1.ObjectFieldSelector, pod: core_v1.Pod, pod_ips: Sequence[str], node: NodeFacts
) -> str:
    """The text a `fieldRef` means.

    Raises:
        DownwardError: no such field, or the node does not know its own address yet.
    """
    if selector.apiVersion not in ("", "v1"):
        raise DownwardError(f"unsupported pod version: {selector.apiVersion}")
    path = selector.fieldPath
    plain, subscript = split_subscript(path)
    if subscript is not None:
        values = _SUBSCRIPTED.get(plain)
        if values is None:
            raise DownwardError(f'fieldPath "{path}" does not support subscript')
        return values(pod).get(subscript, "")
    if path in ("status.podIP", "status.podIPs"):
        return ",".join(pod_ips[:1] if path == "status.podIP" else pod_ips)
    if path in ("status.hostIP", "status.hostIPs"):
        if not node.host_ips:
            raise DownwardError("cannot get host IPs: the node has no internal address yet")
        return ",".join(node.host_ips[:1] if path == "status.hostIP" else node.host_ips)
    reader = _FIELDS.get(path)
    if reader is None:
        if path in _CONVERTIBLE_ONLY:
            raise DownwardError(f"unsupported fieldPath: {path}")
        raise DownwardError(f"field label not supported: {path}")
    return reader(pod)


def split_subscript(path: str) -> tuple[str, str | None]:
    """`metadata.labels['a']` as (`metadata.labels`, `a`); without a subscript, (path, None)."""
    if not path.endswith("']"):
        return path, None
    plain, separator, rest = path.removesuffix("']").partition("['")
    return (plain, rest) if separator and plain else (path, None)


def resource_value(
    selector: core_v1.ResourceFieldSelector,
    pod: core_v1.Pod,
    container: ContainerLike | None,
    allocatable: Mapping[str, Quantity],
) -> str:
    """The number a `resourceFieldRef` means: the amount in units of the divisor, rounded up.

    A limit that is not set is what the pod as a whole may use, else what the node can give. `container` is whose
    variable it is; files name the container themselves.

    Raises:
        DownwardError: no such container or resource.
    """
    whose = container
    if selector.containerName:
        whose = next(
            (one for one in [*pod.spec.containers, *pod.spec.initContainers] if one.name == selector.containerName),
            None,
        )
    if whose is None:
        raise DownwardError(f"container {selector.containerName} not found")
    side, _, name = selector.resource.partition(".")
    if side not in ("limits", "requests") or not (name in _DEFAULTED_LIMITS or name.startswith("hugepages-")):
        raise DownwardError(f"Unsupported container resource : {selector.resource}")
    amounts = whose.resources.limits if side == "limits" else whose.resources.requests
    amount = quantity.parse(amounts.get(name, "0"))
    if side == "limits" and not amount and name in _DEFAULTED_LIMITS:
        of_pod = pod.spec.resources.limits if pod.spec.resources is not None else {}
        amount = quantity.parse(of_pod.get(name) or allocatable.get(name) or "0")
    divisor = quantity.parse(selector.divisor or "1") or quantity.parse("1")
    if name == "cpu":
        return str(-(-amount.milli_value // divisor.milli_value))
    return str(-(-amount.value // divisor.value))


def format_map(values: Mapping[str, str]) -> str:
    """`key="escaped value"` lines sorted by key. Follows: fieldpath.FormatMap."""
    return "\n".join(f"{key}={quote(value)}" for key, value in sorted(values.items()))


_ESCAPES = {
    "\a": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
    '"': '\\"',
}


def quote(text: str) -> str:
    r"""The text in double quotes as Go writes it with %q: printable characters stay, others become \x, \u or \U."""
    return '"' + "".join(_quoted(character) for character in text) + '"'


def _quoted(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    number = ord(character)
    if number < 0x20 or number == 0x7F:
        return f"\\x{number:02x}"
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
