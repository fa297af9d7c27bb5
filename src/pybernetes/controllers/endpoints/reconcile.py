"""From pods to the subsets of an Endpoints object. Pure.

Addresses with the same ports share a subset; everything is sorted, so that equal content is equal text.

Follows: kubernetes 1.36 pkg/controller/endpoint/endpoints_controller.go; pkg/api/v1/endpoints/util.go, RepackSubsets.
"""

from collections.abc import Iterable, Sequence

import msgspec

from pybernetes.api import core_v1
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.endpointslice import membership

MAX_ADDRESSES = 1000
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
TRUNCATED = "truncated"
MANAGED_BY_LABEL = "endpoints.kubernetes.io/managed-by"
CONTROLLER = "endpoint-controller"

Address = core_v1.EndpointAddress
Subset = core_v1.EndpointSubset
Ports = tuple[core_v1.EndpointPort, ...]


def subsets(service: core_v1.Service, pods: Iterable[core_v1.Pod]) -> Sequence[Subset]:
    """All addresses behind the Service, ready and not ready, by the ports they have."""
    publish = service.spec.publishNotReadyAddresses
    wanted_family = membership.families(service)[0]
    addresses: dict[tuple[str, str, bool], tuple[Address, list[core_v1.EndpointPort]]] = {}
    for pod in pods:
        if not membership.belongs(pod, include_terminating=publish):
            continue
        chosen = [a for a in membership.addresses(pod) if membership.family(a) == wanted_family]
        ports = _ports(service, pod)
        if not chosen or (service.spec.ports and not ports):
            continue
        address = Address(
            ip=chosen[0],
            hostname=membership.hostname(service, pod),
            nodeName=pod.spec.nodeName or None,
            targetRef=membership.reference(pod),
        )
        ready = publish or pod_facts.is_ready(pod)
        addresses[address.ip, pod.metadata.uid, ready] = (address, ports)
    grouped: dict[Ports, tuple[list[Address], list[Address]]] = {}
    for (_, _, ready), (address, ports) in sorted(addresses.items(), key=lambda item: item[0]):
        lists = grouped.setdefault(tuple(sorted(ports, key=_port_order)), ([], []))
        lists[0 if ready else 1].append(address)
    return [
        Subset(addresses=ready, notReadyAddresses=unready, ports=[*ports])
        for ports, (ready, unready) in sorted(grouped.items(), key=lambda item: [_port_order(p) for p in item[0]])
    ]


def _ports(service: core_v1.Service, pod: core_v1.Pod) -> list[core_v1.EndpointPort]:
    found = []
    for port in service.spec.ports:
        number = membership.target_port(pod, port)
        if number is not None:
            found.append(
                core_v1.EndpointPort(
                    name=port.name, port=number, protocol=port.protocol or "TCP", appProtocol=port.appProtocol
                )
            )
    return found


def _port_order(port: core_v1.EndpointPort) -> tuple[str, int, str]:
    return (port.protocol, port.port, port.name)


def truncated(whole: Sequence[Subset]) -> tuple[Sequence[Subset], bool]:
    """At most MAX_ADDRESSES, ready ones first, and whether something was left out."""
    total = sum(len(s.addresses) + len(s.notReadyAddresses) for s in whole)
    if total <= MAX_ADDRESSES:
        return whole, False
    room = MAX_ADDRESSES
    chosen: list[tuple[list[Address], list[Address]]] = [([], []) for _ in whole]
    for which in (0, 1):
        for subset, lists in zip(whole, chosen, strict=True):
            source = subset.notReadyAddresses if which else subset.addresses
            lists[which].extend(source[:room])
            room -= len(lists[which])
    result = [
        Subset(addresses=ready, notReadyAddresses=unready, ports=subset.ports)
        for subset, (ready, unready) in zip(whole, chosen, strict=True)
        if ready or unready
    ]
    return result, True


def wanted(
    service: core_v1.Service, pods: Iterable[core_v1.Pod], present: core_v1.Endpoints | None
) -> core_v1.Endpoints:
    """The Endpoints object as it should be; equal to `present` when nothing needs to be written."""
    chosen, cut = truncated(subsets(service, pods))
    base = present or core_v1.Endpoints()
    headless = {membership.HEADLESS_LABEL: ""} if membership.is_headless(service) else {}
    labels = {k: v for k, v in service.metadata.labels.items() if k != membership.HEADLESS_LABEL}
    annotations = {k: v for k, v in base.metadata.annotations.items() if k != OVER_CAPACITY}
    if cut:
        annotations[OVER_CAPACITY] = TRUNCATED
    meta = msgspec.structs.replace(
        base.metadata,
        name=service.name,
        namespace=service.namespace,
        labels={**labels, **headless, MANAGED_BY_LABEL: CONTROLLER},
        annotations=annotations,
    )
    return msgspec.structs.replace(base, metadata=meta, subsets=[*chosen])
