"""What APIService objects say, and what they should say: priorities of our own groups, whether a server can be asked.

Follows: kube-aggregator pkg/controllers/status/remote/remote_available_controller.go;
kubernetes pkg/controlplane/apiserver/aggregator.go, DefaultGenericAPIServicePriorities.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from pybernetes.api.registry import GroupVersion, Resource, Subresource
from pybernetes.apiserver.request import Document, ObjectReader

GROUP: Final = "apiregistration.k8s.io"
PLURAL: Final = "apiservices"
AUTOMANAGED: Final = "kube-aggregator.kubernetes.io/automanaged"
ON_START, ALWAYS = "onstart", "true"
AVAILABLE: Final = "Available"
SERVICE_NAME_LABEL: Final = "kubernetes.io/service-name"
CUSTOM_PRIORITY: Final = (1000, 100)
"""Of every group of custom resources, and of its versions."""
UNKNOWN_PRIORITY: Final = (15000, 9)
"""Of a built-in group the table below does not know."""

GROUP_PRIORITIES: Final[Mapping[str, int]] = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "apiextensions.k8s.io": 16700,
    "admissionregistration.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "resource.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "internal.apiserver.k8s.io": 16000,
    "storagemigration.k8s.io": 15900,
}
_VERSION_PRIORITIES: Final[Mapping[tuple[str, str], int]] = {
    ("", "v1"): 1,
    ("autoscaling", "v2"): 30,
    ("flowcontrol.apiserver.k8s.io", "v1"): 21,
    ("admissionregistration.k8s.io", "v1beta1"): 12,
    ("admissionregistration.k8s.io", "v1alpha1"): 9,
    ("coordination.k8s.io", "v1beta1"): 13,
    ("coordination.k8s.io", "v1alpha2"): 12,
}


class Verdict(NamedTuple):
    """The Available condition."""

    status: bool
    reason: str
    message: str


PASSED: Final = Verdict(True, "Passed", "all checks passed")


def name_of(group: str, version: str) -> str:
    """`v1.apps`, `v1.`."""
    return f"{version}.{group}"


def priorities(group: str, version: str) -> tuple[int, int]:
    """GroupPriorityMinimum and versionPriority of a built-in group and version."""
    found = GROUP_PRIORITIES.get(group)
    if found is None:
        return UNKNOWN_PRIORITY
    stage = 15 if not any(c in version for c in "ab") else 9 if "beta" in version else 1
    return found, _VERSION_PRIORITIES.get((group, version), stage)


def wanted(resources: Iterable[Resource]) -> dict[str, Document]:
    """The APIService of every group and version we serve, by name; the group of APIServices itself has none."""
    found: dict[str, Document] = {}
    for resource in resources:
        if resource.group == GROUP:
            continue
        name = name_of(resource.group, resource.version)
        custom = resource.custom is not None
        ranks = CUSTOM_PRIORITY if custom else priorities(resource.group, resource.version)
        if name not in found:
            found[name] = {
                "apiVersion": f"{GROUP}/v1",
                "kind": "APIService",
                "metadata": {"name": name, "labels": {AUTOMANAGED: ALWAYS if custom else ON_START}},
                "spec": {
                    **({"group": resource.group} if resource.group else {}),
                    "groupPriorityMinimum": ranks[0],
                    "version": resource.version,
                    "versionPriority": ranks[1],
                },
            }
    return found


def judge(spec: Mapping[str, Any], reader: ObjectReader) -> Verdict | None:
    """Why nobody can answer, as far as Service and EndpointSlices tell; None when the server has to be asked."""
    reference = spec["service"]
    name, namespace, port = reference["name"], reference["namespace"], reference.get("port") or 443
    service = reader.get("", "services", namespace, name)
    if service is None:
        return Verdict(False, "ServiceNotFound", f'service/{name} in "{namespace}" is not present')
    about = service.get("spec") or {}
    if (about.get("type") or "ClusterIP") != "ClusterIP":
        return None
    row = next((row for row in about.get("ports") or () if row.get("port") == port), None)
    if row is None:
        return Verdict(False, "ServicePortError", f'service/{name} in "{namespace}" is not listening on port {port}')
    port_name = row.get("name") or ""
    slices = [
        one
        for one in reader.list("discovery.k8s.io", "endpointslices", namespace)
        if (one["metadata"].get("labels") or {}).get(SERVICE_NAME_LABEL) == name
    ]
    if not slices:
        text = f'cannot find endpointslices for service/{name} in "{namespace}"'
        return Verdict(False, "EndpointsNotFound", text)
    if not any(_answers(one, port_name) for one in slices):
        text = f'endpoints for service/{name} in "{namespace}" have no addresses with port name "{port_name}"'
        return Verdict(False, "MissingEndpoints", text)
    return None


def _answers(endpoint_slice: Document, port_name: str) -> bool:
    ready = any(
        (endpoint.get("conditions") or {}).get("ready") is not False and endpoint.get("addresses")
        for endpoint in endpoint_slice.get("endpoints") or ()
    )
    return ready and any((port.get("name") or "") == port_name for port in endpoint_slice.get("ports") or ())


def condition_of(document: Document) -> Mapping[str, Any]:
    """The Available condition; empty where there is none yet."""
    conditions = (document.get("status") or {}).get("conditions") or ()
    return next((row for row in conditions if row.get("type") == AVAILABLE), {})


def with_verdict(document: Document, verdict: Verdict, now: str) -> list[Document] | None:
    """The conditions to write, None when they say so already."""
    present = condition_of(document)
    status = "True" if verdict.status else "False"
    if (present.get("status"), present.get("reason"), present.get("message")) == (status, *verdict[1:]):
        return None
    since = present.get("lastTransitionTime", now) if present.get("status") == status else now
    row = {"type": AVAILABLE, "status": status, "lastTransitionTime": since, **verdict._asdict()}
    row["status"] = status
    others = [row for row in (document.get("status") or {}).get("conditions") or () if row.get("type") != AVAILABLE]
    return [*others, row]


def resources_from(group: str, version: str, document: Document) -> list[Resource]:
    """The resources an extension server's `APIResourceList` names.

    Raises:
        ValueError: it is no such list.
    """
    listed = document.get("resources")
    if document.get("kind") != "APIResourceList" or not isinstance(listed, list):
        raise ValueError("the answer is no APIResourceList")
    subresources: dict[str, dict[str, Subresource]] = {}
    rows = []
    for row in listed:
        if not str(row["name"]):
            raise ValueError("a resource has no name")
        parent, slash, name = row["name"].partition("/")
        if slash:
            own = GroupVersion(row.get("group") or group, row.get("version") or version)
            verbs = tuple(row.get("verbs") or ())
            subresources.setdefault(parent, {})[name] = Subresource(name, str(row.get("kind", "")), verbs, own)
        else:
            rows.append(row)
    return [
        Resource(
            group=group,
            version=version,
            kind=str(row.get("kind", "")),
            plural=row["name"],
            singular=row.get("singularName") or "",
            namespaced=bool(row.get("namespaced")),
            verbs=tuple(row.get("verbs") or ()),
            list_kind=f"{row.get('kind', '')}List",
            short_names=tuple(row.get("shortNames") or ()),
            categories=tuple(row.get("categories") or ()),
            storage_version_hash=row.get("storageVersionHash") or "",
            subresources=subresources.get(row["name"], {}),
        )
        for row in rows
    ]
