"""Which slices mirror an Endpoints object. Pure.

One slice per set of ports and kind of address: subsets with equal ports share theirs.

    10.0.0.1, 10.0.0.2 (not ready), fd00::1, port 80      →  IPv4: .1 ready, .2 not ready, port 80
                                                             IPv6: fd00::1 ready, port 80

Follows: kubernetes 1.36 pkg/controller/endpointslicemirroring/{reconciler,utils,endpointset}.go.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import msgspec

from pybernetes.api import core_v1, discovery_v1, meta_v1
from pybernetes.controllers import owners
from pybernetes.controllers.endpointslice.membership import MANAGED_BY_LABEL, SERVICE_NAME_LABEL

CONTROLLER: Final = "endpointslicemirroring-controller.k8s.io"
SKIP_LABEL: Final = "endpointslice.kubernetes.io/skip-mirror"
LEADER_ANNOTATION: Final = "control-plane.alpha.kubernetes.io/leader"
MAX_PER_SUBSET: Final = 1000
"""Addresses beyond are not mirrored, as --mirroring-max-endpoints-per-subset."""
_NOT_MIRRORED: Final = frozenset(
    {"kubectl.kubernetes.io/last-applied-configuration", "endpoints.kubernetes.io/last-change-trigger-time"}
)

Group = tuple[str, tuple[tuple[str, str, int, str | None], ...]]
"""Kind of address and ports."""


@dataclass(frozen=True, slots=True)
class Changes:
    create: Sequence[discovery_v1.EndpointSlice] = ()
    update: Sequence[discovery_v1.EndpointSlice] = ()
    delete: Sequence[discovery_v1.EndpointSlice] = field(default=())


def should_mirror(endpoints: core_v1.Endpoints | None, service: core_v1.Service | None) -> bool:
    """Whether people wrote these: the Service has no selector, and nobody asked to leave them alone."""
    if endpoints is None or service is None or service.spec.selector:
        return False
    metadata = endpoints.metadata
    if metadata.deletionTimestamp is not None or metadata.labels.get(SKIP_LABEL) == "true":
        return False
    return LEADER_ANNOTATION not in metadata.annotations


def plan(endpoints: core_v1.Endpoints, existing: Sequence[discovery_v1.EndpointSlice]) -> Changes:
    """What turns the slices of these Endpoints into their mirror."""
    wanted = _groups(endpoints)
    labels = {**endpoints.metadata.labels, SERVICE_NAME_LABEL: endpoints.name, MANAGED_BY_LABEL: CONTROLLER}
    annotations = {k: v for k, v in endpoints.metadata.annotations.items() if k not in _NOT_MIRRORED}
    update, delete = [], []
    for present in existing:
        rows = wanted.pop(_group_of(present), None)
        if rows is None:
            delete.append(present)
            continue
        metadata = msgspec.structs.replace(present.metadata, labels=labels, annotations=annotations)
        changed = msgspec.structs.replace(present, metadata=metadata, endpoints=rows)
        if changed != present:
            update.append(changed)
    create = [
        discovery_v1.EndpointSlice(
            metadata=meta_v1.ObjectMeta(
                generateName=f"{endpoints.name}-",
                namespace=endpoints.namespace,
                labels=labels,
                annotations=annotations,
                ownerReferences=[owners.controller_reference(endpoints)],
            ),
            addressType=address_type,
            ports=[
                discovery_v1.EndpointPort(name=name, protocol=protocol, port=port, appProtocol=app)
                for name, protocol, port, app in ports
            ],
            endpoints=rows,
        )
        for (address_type, ports), rows in wanted.items()
    ]
    return Changes(create, update, delete)


def _groups(endpoints: core_v1.Endpoints) -> dict[Group, list[discovery_v1.Endpoint]]:
    found: dict[Group, dict[str, discovery_v1.Endpoint]] = {}
    for subset in endpoints.subsets:
        ports = tuple(sorted({(p.name, p.protocol or "TCP", p.port, p.appProtocol) for p in subset.ports}, key=str))
        for count, endpoint in enumerate(_rows(subset)):
            if count == MAX_PER_SUBSET:
                break
            group = ("IPv6" if ":" in endpoint.addresses[0] else "IPv4", ports)
            found.setdefault(group, {}).setdefault(endpoint.addresses[0], endpoint)
    return {group: [rows[address] for address in sorted(rows)] for group, rows in found.items()}


def _rows(subset: core_v1.EndpointSubset) -> Iterator[discovery_v1.Endpoint]:
    for ready, addresses in ((True, subset.addresses), (False, subset.notReadyAddresses)):
        for address in addresses:
            yield discovery_v1.Endpoint(
                addresses=[address.ip],
                conditions=discovery_v1.EndpointConditions(ready=ready),
                hostname=address.hostname or None,
                nodeName=address.nodeName,
                targetRef=address.targetRef,
            )


def _group_of(value: discovery_v1.EndpointSlice) -> Group:
    rows = {(p.name or "", p.protocol or "TCP", p.port or 0, p.appProtocol) for p in value.ports}
    return value.addressType, tuple(sorted(rows, key=str))
