"""From pods to endpoints, and from endpoints to slices of at most so many. Pure.

Slices are changed as little as possible, since every node reads every change:

    1  endpoints that are gone or different are changed where they stand
    2  new ones fill slices that are written anyway
    3  then one slice that has room for the rest of them
    4  then new slices

Follows: kubernetes 1.36 staging/src/k8s.io/endpointslice/reconciler.go, trafficdist/trafficdist.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from pybernetes.api import core_v1, discovery_v1, meta_v1
from pybernetes.controllers import owners
from pybernetes.controllers import pods as pod_facts
from pybernetes.controllers.endpointslice import membership

CONTROLLER = "endpointslice-controller.k8s.io"
ZONE_LABEL = "topology.kubernetes.io/zone"
PREFER_CLOSE, PREFER_SAME_ZONE, PREFER_SAME_NODE = "PreferClose", "PreferSameZone", "PreferSameNode"
_RESERVED = (membership.SERVICE_NAME_LABEL, membership.MANAGED_BY_LABEL, membership.HEADLESS_LABEL)

Slice = discovery_v1.EndpointSlice
Endpoint = discovery_v1.Endpoint
Ports = tuple[discovery_v1.EndpointPort, ...]


@dataclass(slots=True)
class Changes:
    """What to write; `update` holds slices as they should be."""

    create: list[Slice] = field(default_factory=list)
    update: list[Slice] = field(default_factory=list)
    delete: list[Slice] = field(default_factory=list)


def ports_of(service: core_v1.Service, pod: core_v1.Pod) -> Ports:
    """The Service's ports as this pod has them; a port it has not is left out."""
    found = []
    for port in service.spec.ports:
        number = membership.target_port(pod, port)
        if number is not None:
            found.append(
                discovery_v1.EndpointPort(
                    name=port.name, port=number, protocol=port.protocol or "TCP", appProtocol=port.appProtocol
                )
            )
    return tuple(found)


def endpoint(service: core_v1.Service, pod: core_v1.Pod, addresses: Sequence[str], zone: str) -> Endpoint:
    """One pod as an endpoint."""
    serving = pod_facts.is_ready(pod)
    terminating = pod_facts.is_terminating(pod)
    ready = service.spec.publishNotReadyAddresses or (serving and not terminating)
    return Endpoint(
        addresses=[*addresses],
        conditions=discovery_v1.EndpointConditions(ready=ready, serving=serving, terminating=terminating),
        hostname=membership.hostname(service, pod) or None,
        nodeName=pod.spec.nodeName or None,
        targetRef=membership.reference(pod),
        zone=zone or None,
    )


def hinted(service: core_v1.Service, value: Endpoint) -> Endpoint:
    """The endpoint with hints for whom it is near, when the Service prefers near ones."""
    preference = service.spec.trafficDistribution
    if preference not in (PREFER_CLOSE, PREFER_SAME_ZONE, PREFER_SAME_NODE) or not value.conditions.ready:
        return value
    zones = [discovery_v1.ForZone(name=value.zone)] if value.zone else []
    nodes = [discovery_v1.ForNode(name=value.nodeName)] if preference == PREFER_SAME_NODE and value.nodeName else []
    if not zones and not nodes:
        return value
    return msgspec.structs.replace(value, hints=discovery_v1.EndpointHints(forZones=zones, forNodes=nodes))


def desired(
    service: core_v1.Service,
    pods: Iterable[core_v1.Pod],
    nodes: Mapping[str, core_v1.Node | None],
    address_type: str,
) -> dict[Ports, list[Endpoint]]:
    """Endpoints of one address type by the ports they have.

    A pod on a node we do not know of is left out, unless not ready ones are wanted too.
    """
    groups: dict[Ports, list[Endpoint]] = {}
    for pod in pods:
        if not membership.belongs(pod, include_terminating=True):
            continue
        chosen = [a for a in membership.addresses(pod) if membership.family(a) == address_type]
        if not chosen:
            continue
        node = nodes.get(pod.spec.nodeName)
        if node is None and not service.spec.publishNotReadyAddresses:
            continue
        ports = ports_of(service, pod)
        if service.spec.ports and not ports:
            continue
        zone = node.metadata.labels.get(ZONE_LABEL, "") if node is not None else ""
        groups.setdefault(ports, []).append(hinted(service, endpoint(service, pod, chosen, zone)))
    return groups


def labels_of(service: core_v1.Service) -> dict[str, str]:
    """The labels of a slice: the Service's, and whose it is."""
    copied = {k: v for k, v in service.metadata.labels.items() if k not in _RESERVED}
    headless = {membership.HEADLESS_LABEL: ""} if membership.is_headless(service) else {}
    return {
        **copied,
        **headless,
        membership.SERVICE_NAME_LABEL: service.name,
        membership.MANAGED_BY_LABEL: CONTROLLER,
    }


def new_slice(service: core_v1.Service, address_type: str, ports: Ports, endpoints: Sequence[Endpoint]) -> Slice:
    prefix = f"{service.name}-"
    return Slice(
        metadata=meta_v1.ObjectMeta(
            generateName=prefix,
            namespace=service.namespace,
            labels=labels_of(service),
            ownerReferences=[owners.controller_reference(service)],
        ),
        addressType=address_type,
        ports=[*ports],
        endpoints=[*endpoints],
    )


def plan(
    service: core_v1.Service,
    groups: Mapping[str, Mapping[Ports, Sequence[Endpoint]]],
    existing: Iterable[Slice],
    limit: int,
) -> Changes:
    """What makes `existing` hold `groups`: address type → ports → endpoints, `limit` endpoints a slice."""
    changes = Changes()
    by_group: dict[tuple[str, Ports], list[Slice]] = {}
    for present in sorted(existing, key=lambda s: s.metadata.name):
        by_group.setdefault((present.addressType, tuple(present.ports)), []).append(present)
    for address_type, by_ports in groups.items():
        wanted = by_ports or {(): []}
        for ports, endpoints in wanted.items():
            present_slices = by_group.pop((address_type, ports), [])
            _plan_group(service, address_type, ports, endpoints, present_slices, limit, changes)
    for left in by_group.values():
        changes.delete += left
    return changes


def _identity(value: Endpoint) -> tuple[str, ...]:
    target = value.targetRef
    return (target.namespace, target.name, target.uid) if target is not None else tuple(value.addresses)


def _plan_group(
    service: core_v1.Service,
    address_type: str,
    ports: Ports,
    endpoints: Sequence[Endpoint],
    existing: Sequence[Slice],
    limit: int,
    changes: Changes,
) -> None:
    missing = {_identity(value): value for value in endpoints}
    kept: list[tuple[Slice, list[Endpoint]]] = []
    for present in existing:
        content = []
        for value in present.endpoints:
            wanted = missing.pop(_identity(value), None)
            if wanted is not None:
                content.append(wanted)
        kept.append((present, content))
    rest = [missing[identity] for identity in sorted(missing)]
    touched = [content for present, content in kept if content and content != present.endpoints]
    for content in sorted(touched, key=len, reverse=True):
        room = limit - len(content)
        content += rest[:room]
        rest = rest[room:]
    tail = len(rest) % limit
    if tail:
        fitting = [content for _, content in kept if content and len(content) + tail <= limit]
        if fitting:
            max(fitting, key=len).extend(rest[-tail:])
            rest = rest[:-tail]
    fresh = [rest[start : start + limit] for start in range(0, len(rest), limit)]
    if not fresh and not any(content for _, content in kept):
        # Nothing behind the Service: one empty slice says so.
        if kept:
            _keep(service, *kept.pop(0), changes)
        else:
            changes.create.append(new_slice(service, address_type, ports, []))
    for present, content in kept:
        if content:
            _keep(service, present, content, changes)
        elif fresh:
            _keep(service, present, fresh.pop(), changes)
        else:
            changes.delete.append(present)
    changes.create += [new_slice(service, address_type, ports, content) for content in fresh]


def _keep(service: core_v1.Service, present: Slice, content: list[Endpoint], changes: Changes) -> None:
    """Write the slice if its content or labels changed."""
    labels = labels_of(service)
    meta = present.metadata
    if content == present.endpoints and labels == meta.labels:
        return
    meta = msgspec.structs.replace(meta, labels=labels)
    changes.update.append(msgspec.structs.replace(present, metadata=meta, endpoints=content))
