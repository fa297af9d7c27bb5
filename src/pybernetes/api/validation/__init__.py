"""Whether an object makes sense: every complaint with its path, in the words clients match.

Documents have passed `normalize`, `defaults` and `strategy`. Two tables tell which functions check a kind at creation
and at each door of an update; metadata is checked for all alike.

Follows: pkg/apis/*/validation; apiserver pkg/registry/rest/{create,update}.go.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pybernetes.api.registry import Resource
from pybernetes.api.validation import (
    access,
    addresses,
    batch,
    certificates,
    config,
    definitions,
    device_slices,
    devices,
    extensions,
    metadata,
    networking,
    pod_groups,
    pod_updates,
    pods,
    policy,
    services,
    storage,
    workloads,
)
from pybernetes.machinery.field_errors import FieldError

Json = dict[str, Any]
Create = Callable[[list[FieldError], Json], None]
Update = Callable[[list[FieldError], Json, Json], None]

_ADMISSION, _RBAC, _NET = "admissionregistration.k8s.io", "rbac.authorization.k8s.io", "networking.k8s.io"
_STORAGE, _FLOW, _DEVICES = "storage.k8s.io", "flowcontrol.apiserver.k8s.io", "resource.k8s.io"

_KINDS: Final[Mapping[tuple[str, str], tuple[Create, Update]]] = {
    ("", "Pod"): (pods.pod, pod_updates.update),
    ("", "PodTemplate"): (workloads.pod_template, workloads.pod_template_update),
    ("", "Service"): (services.service, services.service_update),
    ("", "Endpoints"): (services.endpoints, services.endpoints_update),
    ("", "ReplicationController"): (workloads.replication_controller, workloads.replication_controller_update),
    ("", "ConfigMap"): (config.config_map, config.config_map_update),
    ("", "Secret"): (config.secret, config.secret_update),
    ("", "Node"): (config.node, config.node_update),
    ("", "Event"): (config.event, config.event_update),
    ("", "ResourceQuota"): (config.resource_quota, config.resource_quota_update),
    ("", "LimitRange"): (config.limit_range, config.limit_range_update),
    ("", "PersistentVolume"): (storage.persistent_volume, storage.persistent_volume_update),
    ("", "PersistentVolumeClaim"): (storage.claim, storage.claim_update),
    ("events.k8s.io", "Event"): (config.event, config.event_update),
    ("apps", "Deployment"): (workloads.deployment, workloads.deployment_update),
    ("apps", "ReplicaSet"): (workloads.replica_set, workloads.replica_set_update),
    ("apps", "DaemonSet"): (workloads.daemon_set, workloads.daemon_set_update),
    ("apps", "StatefulSet"): (workloads.stateful_set, workloads.stateful_set_update),
    ("apps", "ControllerRevision"): (workloads.controller_revision, workloads.controller_revision_update),
    ("batch", "Job"): (batch.job, batch.job_update),
    ("batch", "CronJob"): (batch.cron_job, batch.cron_job_update),
    ("autoscaling", "HorizontalPodAutoscaler"): (policy.autoscaler, policy.autoscaler_update),
    ("autoscaling", "Scale"): (policy.scale, policy.scale_update),
    ("policy", "PodDisruptionBudget"): (policy.disruption_budget, policy.disruption_budget_update),
    (_RBAC, "Role"): (access.role, access.role_update),
    (_RBAC, "ClusterRole"): (access.cluster_role, access.cluster_role_update),
    (_RBAC, "RoleBinding"): (access.role_binding, access.role_binding_update),
    (_RBAC, "ClusterRoleBinding"): (access.cluster_role_binding, access.cluster_role_binding_update),
    ("certificates.k8s.io", "CertificateSigningRequest"): (access.signing_request, access.signing_request_update),
    ("certificates.k8s.io", "ClusterTrustBundle"): (certificates.trust_bundle, certificates.trust_bundle_update),
    ("coordination.k8s.io", "LeaseCandidate"): (certificates.lease_candidate, certificates.lease_candidate_update),
    ("storagemigration.k8s.io", "StorageVersionMigration"): (certificates.migration, certificates.migration_update),
    (_NET, "Ingress"): (networking.ingress, networking.ingress_update),
    (_NET, "IngressClass"): (networking.ingress_class, networking.ingress_class_update),
    (_NET, "NetworkPolicy"): (networking.network_policy, networking.network_policy_update),
    (_NET, "IPAddress"): (networking.ip_address, networking.ip_address_update),
    (_NET, "ServiceCIDR"): (networking.service_cidr, networking.service_cidr_update),
    ("discovery.k8s.io", "EndpointSlice"): (services.endpoint_slice, services.endpoint_slice_update),
    (_STORAGE, "StorageClass"): (storage.storage_class, storage.storage_class_update),
    (_STORAGE, "VolumeAttributesClass"): (storage.volume_attributes_class, storage.volume_attributes_class_update),
    (_STORAGE, "VolumeAttachment"): (storage.volume_attachment, storage.volume_attachment_update),
    (_STORAGE, "CSIDriver"): (storage.csi_driver, storage.csi_driver_update),
    (_STORAGE, "CSINode"): (storage.csi_node, storage.csi_node_update),
    (_STORAGE, "CSIStorageCapacity"): (storage.csi_storage_capacity, storage.csi_storage_capacity_update),
    (_DEVICES, "ResourceClaim"): (devices.claim, devices.claim_update),
    (_DEVICES, "ResourceClaimTemplate"): (devices.claim_template, devices.claim_update),
    (_DEVICES, "DeviceClass"): (devices.device_class, devices.device_class_update),
    (_DEVICES, "ResourceSlice"): (device_slices.resource_slice, device_slices.resource_slice_update),
    (_DEVICES, "DeviceTaintRule"): (device_slices.taint_rule, device_slices.taint_rule_update),
    ("scheduling.k8s.io", "Workload"): (pod_groups.workload, pod_groups.workload_update),
    ("scheduling.k8s.io", "PodGroup"): (pod_groups.pod_group, pod_groups.pod_group_update),
    ("scheduling.k8s.io", "PriorityClass"): (config.priority_class, config.priority_class_update),
    ("node.k8s.io", "RuntimeClass"): (config.runtime_class, config.runtime_class_update),
    ("coordination.k8s.io", "Lease"): (config.lease, config.lease_update),
    (_ADMISSION, "ValidatingWebhookConfiguration"): (extensions.webhooks, extensions.webhooks_update),
    (_ADMISSION, "MutatingWebhookConfiguration"): (extensions.webhooks, extensions.webhooks_update),
    (_ADMISSION, "ValidatingAdmissionPolicy"): (extensions.admission_policy, extensions.admission_policy_update),
    (_ADMISSION, "MutatingAdmissionPolicy"): (extensions.admission_policy, extensions.admission_policy_update),
    (_ADMISSION, "ValidatingAdmissionPolicyBinding"): (extensions.policy_binding, extensions.policy_binding_update),
    (_ADMISSION, "MutatingAdmissionPolicyBinding"): (extensions.policy_binding, extensions.policy_binding_update),
    (_FLOW, "FlowSchema"): (extensions.flow_schema, extensions.flow_schema_update),
    (_FLOW, "PriorityLevelConfiguration"): (extensions.priority_level, extensions.priority_level_update),
    ("apiextensions.k8s.io", "CustomResourceDefinition"): (definitions.definition, definitions.definition_update),
    ("apiregistration.k8s.io", "APIService"): (extensions.api_service, extensions.api_service_update),
}
"""What checks a kind: at creation, and through the main door of an update."""

_DOORS: Final[Mapping[tuple[str, str, str], Update]] = {
    ("", "Pod", "status"): pod_updates.status,
    ("", "Pod", "ephemeralcontainers"): pod_updates.ephemeral_containers,
    ("", "Pod", "resize"): pod_updates.resize,
    ("", "Namespace", "finalize"): config.namespace_finalize,
    ("", "Node", "status"): config.node_update,
    ("", "ReplicationController", "status"): workloads.replica_status,
    ("apps", "Deployment", "status"): workloads.replica_status,
    ("apps", "ReplicaSet", "status"): workloads.replica_status,
    ("apps", "StatefulSet", "status"): workloads.replica_status,
    ("apps", "DaemonSet", "status"): workloads.daemon_set_status,
    ("batch", "Job", "status"): batch.job_status,
    ("policy", "PodDisruptionBudget", "status"): policy.disruption_budget_status,
    ("certificates.k8s.io", "CertificateSigningRequest", "status"): access.signing_request_update,
    ("certificates.k8s.io", "CertificateSigningRequest", "approval"): access.signing_request_update,
    (_DEVICES, "ResourceClaim", "status"): devices.claim_status,
    ("apiextensions.k8s.io", "CustomResourceDefinition", "status"): definitions.definition_status,
}
"""What checks the other doors; a door that is not listed checks metadata only."""


def validate_create(resource: Resource, document: Json) -> list[FieldError]:
    """All complaints about a new object; none when it may be stored."""
    errors: list[FieldError] = []
    metadata.create(errors, resource, document.get("metadata") or {})
    checks = _KINDS.get((resource.group, resource.kind))
    if checks is not None:
        checks[0](errors, document)
    elif resource.custom is not None:
        errors += resource.custom.created(document)
    return errors


def validate_update(resource: Resource, subresource: str, new: Json, old: Json) -> list[FieldError]:
    """All complaints about a change; `subresource` is the door, empty for the main one.

    `metadata.resourceVersion` is the pipeline's business and not looked at. An address that was stored before today's
    stricter rules of writing stays acceptable.
    """
    errors = _update_errors(resource, subresource, new, old)
    return addresses.without_stored(errors, old) if errors else errors


def _update_errors(resource: Resource, subresource: str, new: Json, old: Json) -> list[FieldError]:
    errors: list[FieldError] = []
    metadata.update(errors, resource, new.get("metadata") or {}, old.get("metadata") or {})
    if subresource in {"", "scale"}:
        checks = _KINDS.get((resource.group, resource.kind))
        if checks is not None:
            checks[1](errors, new, old)
        elif resource.custom is not None:
            errors += resource.custom.updated(new, old)
        return errors
    if resource.custom is not None:
        errors += resource.custom.status_updated(new, old)
        return errors
    door = _DOORS.get((resource.group, resource.kind, subresource))
    if door is not None:
        door(errors, new, old)
    return errors
