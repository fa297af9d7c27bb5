"""What the server fills in where a manifest says nothing: a function per kind, chosen from one table.

`apply` works in place on a normalised document (`api.normalize`), so absent means absent. It is idempotent, because it
also runs on objects read from storage and again after each mutating webhook. Server-set fields that need to know the
old object, the time or an identity are `api.strategy`'s business.

Follows: pkg/apis/*/v1/defaults.go.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pybernetes.api.defaults import (
    admission,
    autoscaling,
    batch,
    core,
    extensions,
    flowcontrol,
    networking,
    pods,
    rbac,
    resource_claims,
    services,
    storage,
    workloads,
)
from pybernetes.api.registry import Resource

Json = dict[str, Any]

_TABLE: Final[Mapping[tuple[str, str], Callable[[Json], None]]] = {
    ("", "Pod"): pods.pod,
    ("", "PodTemplate"): pods.pod_template,
    ("", "Service"): services.service,
    ("", "Endpoints"): services.endpoints,
    ("", "ReplicationController"): workloads.replication_controller,
    ("", "Namespace"): core.namespace,
    ("", "Secret"): core.secret,
    ("", "Node"): core.node,
    ("", "LimitRange"): core.limit_range,
    ("", "PersistentVolume"): storage.persistent_volume,
    ("", "PersistentVolumeClaim"): storage.persistent_volume_claim,
    ("apps", "Deployment"): workloads.deployment,
    ("apps", "ReplicaSet"): workloads.replica_set,
    ("apps", "DaemonSet"): workloads.daemon_set,
    ("apps", "StatefulSet"): workloads.stateful_set,
    ("batch", "Job"): batch.job,
    ("batch", "CronJob"): batch.cron_job,
    ("autoscaling", "HorizontalPodAutoscaler"): autoscaling.horizontal_pod_autoscaler,
    ("networking.k8s.io", "NetworkPolicy"): networking.network_policy,
    ("networking.k8s.io", "IngressClass"): networking.ingress_class,
    ("discovery.k8s.io", "EndpointSlice"): networking.endpoint_slice,
    ("storage.k8s.io", "StorageClass"): storage.storage_class,
    ("storage.k8s.io", "CSIDriver"): storage.csi_driver,
    ("rbac.authorization.k8s.io", "RoleBinding"): rbac.binding,
    ("rbac.authorization.k8s.io", "ClusterRoleBinding"): rbac.binding,
    ("scheduling.k8s.io", "PriorityClass"): core.priority_class,
    ("admissionregistration.k8s.io", "ValidatingWebhookConfiguration"): admission.validating_webhooks,
    ("admissionregistration.k8s.io", "MutatingWebhookConfiguration"): admission.mutating_webhooks,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"): admission.policy,
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicy"): admission.policy,
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicyBinding"): admission.policy_binding,
    ("admissionregistration.k8s.io", "MutatingAdmissionPolicyBinding"): admission.policy_binding,
    ("flowcontrol.apiserver.k8s.io", "FlowSchema"): flowcontrol.flow_schema,
    ("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration"): flowcontrol.priority_level,
    ("resource.k8s.io", "ResourceClaim"): resource_claims.claim,
    ("resource.k8s.io", "ResourceClaimTemplate"): resource_claims.claim_template,
    ("apiextensions.k8s.io", "CustomResourceDefinition"): extensions.custom_resource_definition,
    ("apiregistration.k8s.io", "APIService"): extensions.api_service,
    ("authentication.k8s.io", "TokenRequest"): core.token_request,
}


def apply(document: Json, resource: Resource) -> Json:
    """Fill in defaults, in place; the same document comes back."""
    fill = _TABLE.get((resource.group, resource.kind))
    if fill is not None:
        fill(document)
    return document


def apply_kind(document: Json, group: str, kind: str) -> Json:
    """As `apply`, for documents that are no resource of their own: `TokenRequest`."""
    fill = _TABLE.get((group, kind))
    if fill is not None:
        fill(document)
    return document
