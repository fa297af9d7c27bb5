"""Tables, as `kubectl get` shows them: the columns of a resource and the cells of an object.

Columns of built-in kinds lie in `data/print_columns.json`, their cells in `api.cells`. Custom resources bring
additionalPrinterColumns; whatever has neither shows its name and when it was created.

Follows: pkg/printers/internalversion/printers.go; apiextensions-apiserver pkg/registry/customresource/tableconvertor.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import orjson

from pybernetes.api import published_texts
from pybernetes.api.cells import access, cluster, network, pods, storage, text, workloads
from pybernetes.api.registry import Resource, load_data
from pybernetes.machinery import json_path

Json = dict[str, Any]

_CELLS: Final[Mapping[str, Callable[[Json, datetime], list[Any]]]] = {
    "core/Pod": pods.pod,
    "core/PodTemplate": pods.pod_template,
    "core/ReplicationController": workloads.replication_controller,
    "core/Service": network.service,
    "core/Endpoints": network.endpoints,
    "core/Node": cluster.node,
    "core/Event": cluster.event,
    "core/Namespace": cluster.namespace,
    "core/Secret": cluster.secret,
    "core/ServiceAccount": cluster.name_and_age,
    "core/ConfigMap": cluster.config_map,
    "core/ResourceQuota": cluster.resource_quota,
    "core/ComponentStatus": cluster.component_status,
    "core/PersistentVolume": storage.persistent_volume,
    "core/PersistentVolumeClaim": storage.persistent_volume_claim,
    "apps/Deployment": workloads.deployment,
    "apps/ReplicaSet": workloads.replica_set,
    "apps/DaemonSet": workloads.daemon_set,
    "apps/StatefulSet": workloads.stateful_set,
    "apps/ControllerRevision": workloads.controller_revision,
    "batch/Job": workloads.job,
    "batch/CronJob": workloads.cron_job,
    "policy/PodDisruptionBudget": workloads.disruption_budget,
    "autoscaling/HorizontalPodAutoscaler": workloads.autoscaler,
    "autoscaling/Scale": workloads.scale,
    "networking/Ingress": network.ingress,
    "networking/IngressClass": network.ingress_class,
    "networking/NetworkPolicy": network.network_policy,
    "networking/ServiceCIDR": network.service_cidr,
    "networking/IPAddress": network.ip_address,
    "discovery/EndpointSlice": network.endpoint_slice,
    "rbac/RoleBinding": access.binding,
    "rbac/ClusterRoleBinding": access.binding,
    "certificates/CertificateSigningRequest": access.signing_request,
    "certificates/ClusterTrustBundle": access.trust_bundle,
    "certificates/PodCertificateRequest": access.pod_certificate_request,
    "coordination/Lease": cluster.lease,
    "coordination/LeaseCandidate": cluster.lease_candidate,
    "storage/StorageClass": storage.storage_class,
    "storage/VolumeAttributesClass": storage.volume_attributes_class,
    "storage/VolumeAttachment": storage.volume_attachment,
    "storage/CSINode": storage.csi_node,
    "storage/CSIDriver": storage.csi_driver,
    "storage/CSIStorageCapacity": storage.csi_storage_capacity,
    "scheduling/PriorityClass": cluster.priority_class,
    "scheduling/Workload": cluster.workload,
    "scheduling/PodGroup": cluster.pod_group,
    "node/RuntimeClass": cluster.runtime_class,
    "admissionregistration/MutatingWebhookConfiguration": access.webhooks,
    "admissionregistration/ValidatingWebhookConfiguration": access.webhooks,
    "admissionregistration/ValidatingAdmissionPolicy": access.validating_policy,
    "admissionregistration/ValidatingAdmissionPolicyBinding": access.policy_binding,
    "admissionregistration/MutatingAdmissionPolicy": access.mutating_policy,
    "admissionregistration/MutatingAdmissionPolicyBinding": access.policy_binding,
    "flowcontrol/FlowSchema": access.flow_schema,
    "flowcontrol/PriorityLevelConfiguration": access.priority_level,
    "apiserverinternal/StorageVersion": access.storage_version,
    "storagemigration/StorageVersionMigration": access.migration,
    "resource/DeviceClass": cluster.name_and_age,
    "resource/ResourceClaim": access.resource_claim,
    "resource/ResourceClaimTemplate": cluster.name_and_age,
    "resource/ResourceSlice": access.resource_slice,
    "resource/DeviceTaintRule": access.taint_rule,
    "resource/ResourcePoolStatusRequest": access.pool_status_request,
    "apiregistration/APIService": access.api_service,
    "meta/Status": cluster.status,
}

_API_SERVICE_COLUMNS: Final = [
    ["Name", "string", "name", 0],
    ["Service", "string", "", 0],
    ["Available", "string", "", 0],
    ["Age", "date", "", 0],
]
_GROUP_NAMES: Final = {"": "core", "internal": "apiserverinternal", "events": "core"}


def _key(group: str, kind: str) -> str:
    """The internal group and kind, `rbac/RoleBinding`."""
    short = group.split(".", maxsplit=1)[0]
    return f"{_GROUP_NAMES.get(short, short)}/{kind}"


def _definition(row: Sequence[Any], key: str = "") -> Json:
    name, kind, form, priority = row
    description = published_texts.column_text(key, name)
    return {"name": name, "type": kind, "format": form, "description": description, "priority": priority}


@functools.cache
def _built_in_columns(key: str) -> tuple[Json, ...]:
    table = load_data("print_columns.json")
    rows = table["kinds"].get(key) if key in _CELLS else None
    if key == "apiregistration/APIService":
        rows = _API_SERVICE_COLUMNS
    return tuple(_definition(row, key) for row in rows or table["fallback"])


def columns(resource: Resource, additional: Sequence[Json] | None = None) -> Sequence[Json]:
    """The columnDefinitions of a resource. `additional` are the printer columns of a custom resource."""
    if resource.type_alias:
        return _built_in_columns(_key(resource.group, resource.kind))
    name = _definition(("Name", "string", "name", 0))
    if resource.custom is not None:
        additional = resource.custom.columns
    if not additional:
        return [name, _definition(("Age", "date", "", 0))]
    return [name, *(_additional_definition(column) for column in additional)]


def _additional_definition(column: Json) -> Json:
    definition = _definition((column["name"], column["type"], column.get("format", ""), column.get("priority", 0)))
    path = column.get("jsonPath", "")
    undescribed = f"Custom resource definition column (in JSONPath format): {path}"
    definition["description"] = column.get("description") or undescribed
    return definition


def cells(resource: Resource, document: Json, now: datetime, additional: Sequence[Json] | None = None) -> list[Any]:
    """The cells of one object, one per column."""
    if not resource.type_alias:
        if resource.custom is not None:
            additional = resource.custom.columns
        shown = [_additional_cell(column, document, now) for column in additional or ({"jsonPath": _CREATED},)]
        return [text.name(document), *shown]
    row = _CELLS.get(_key(resource.group, resource.kind))
    if row is not None:
        return row(document, now)
    return [text.name(document), (document.get("metadata") or {}).get("creationTimestamp")]


_CREATED = ".metadata.creationTimestamp"


def _additional_cell(column: Json, document: Json, now: datetime) -> Any:
    """The first value at the column's path, as the column's type; None when there is none or it does not fit.

    Follows: apiextensions-apiserver pkg/registry/customresource/tableconvertor, cellForJSONValue.
    """
    try:
        found = json_path.compile_path(column.get("jsonPath", ""))(document)
    except json_path.JsonPathError:
        return None
    if not found:
        return None
    value = found[0]
    match column.get("type", "date"):
        case "integer":
            return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "number":
            return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
        case "boolean":
            return value if isinstance(value, bool) else None
        case "date":
            return _ago(value, now) if isinstance(value, str) else None
        case _:
            return value if isinstance(value, str) else _as_text(value)


def _ago(time: str, now: datetime) -> str:
    try:
        return text.since(time, now)
    except ValueError:
        return "<invalid>"


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    return str(value)


def row_conditions(resource: Resource, document: Json) -> Sequence[Json]:
    """Conditions of the row: finished pods are marked so that clients can leave them out."""
    return pods.row_conditions(document) if (resource.group, resource.kind) == ("", "Pod") else ()
