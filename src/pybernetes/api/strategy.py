"""What a write may change and what the server sets: the rules between the old object and the new one.

    create    identity, time, generation 1, status at its start value       prepare_create
    update    spec from the client, status from the store                   prepare_update(subresource="")
    status    status from the client, everything else from the store        prepare_update(subresource="status")
    others    ephemeralcontainers, resize, finalize, approval               prepare_update(subresource=…)

Works in place on documents that passed `normalize` and `defaults`. What belongs to one kind alone lies in
`api.kind_rules`.

Follows: apiserver pkg/registry/rest/{create,update,meta}.go; pkg/registry/*/*/strategy.go.
"""

from datetime import datetime
from typing import Any, Final

from pybernetes.api import kind_rules, normalize, schema
from pybernetes.api.registry import Resource
from pybernetes.effects import format_time
from pybernetes.machinery.type_table import Shape

Json = dict[str, Any]
Kind = tuple[str, str]

MAX_GENERATED_BASE: Final = 58
"""Characters of generateName that survive, so that five more make a name of at most 63."""
NAME_ATTEMPTS: Final = 8
"""How often a clash of generated names is tried anew."""

_APPS, _BATCH, _NET = "apps", "batch", "networking.k8s.io"
_ADMISSION, _FLOW, _RESOURCE = "admissionregistration.k8s.io", "flowcontrol.apiserver.k8s.io", "resource.k8s.io"
_CRD: Final[Kind] = ("apiextensions.k8s.io", "CustomResourceDefinition")

WITH_GENERATION: Final[frozenset[Kind]] = frozenset(
    {
        ("", "Pod"),
        ("", "PodTemplate"),
        ("", "ReplicationController"),
        (_APPS, "Deployment"),
        (_APPS, "ReplicaSet"),
        (_APPS, "DaemonSet"),
        (_APPS, "StatefulSet"),
        (_BATCH, "Job"),
        (_BATCH, "CronJob"),
        ("policy", "PodDisruptionBudget"),
        (_NET, "Ingress"),
        (_NET, "IngressClass"),
        (_NET, "NetworkPolicy"),
        ("discovery.k8s.io", "EndpointSlice"),
        (_FLOW, "FlowSchema"),
        (_FLOW, "PriorityLevelConfiguration"),
        ("scheduling.k8s.io", "PriorityClass"),
        ("storage.k8s.io", "CSIDriver"),
        (_ADMISSION, "ValidatingWebhookConfiguration"),
        (_ADMISSION, "MutatingWebhookConfiguration"),
        (_ADMISSION, "ValidatingAdmissionPolicy"),
        (_ADMISSION, "ValidatingAdmissionPolicyBinding"),
        (_ADMISSION, "MutatingAdmissionPolicy"),
        (_ADMISSION, "MutatingAdmissionPolicyBinding"),
        (_RESOURCE, "DeviceClass"),
        (_RESOURCE, "ResourceSlice"),
        (_RESOURCE, "DeviceTaintRule"),
        _CRD,
    }
)
"""Kinds whose metadata.generation the server counts."""

_NO_RAISE: Final[frozenset[Kind]] = frozenset({("scheduling.k8s.io", "PriorityClass")})
_STARTS_AT_ZERO: Final[frozenset[Kind]] = frozenset({("storage.k8s.io", "CSIDriver")})

WITH_STATUS: Final[frozenset[Kind]] = frozenset(
    {
        ("", "Pod"),
        ("", "Service"),
        ("", "Namespace"),
        ("", "Node"),
        ("", "ReplicationController"),
        ("", "PersistentVolume"),
        ("", "PersistentVolumeClaim"),
        ("", "ResourceQuota"),
        (_APPS, "Deployment"),
        (_APPS, "ReplicaSet"),
        (_APPS, "DaemonSet"),
        (_APPS, "StatefulSet"),
        (_BATCH, "Job"),
        (_BATCH, "CronJob"),
        ("autoscaling", "HorizontalPodAutoscaler"),
        ("policy", "PodDisruptionBudget"),
        (_NET, "Ingress"),
        (_NET, "ServiceCIDR"),
        ("certificates.k8s.io", "CertificateSigningRequest"),
        (_FLOW, "FlowSchema"),
        (_FLOW, "PriorityLevelConfiguration"),
        (_RESOURCE, "ResourceClaim"),
        (_RESOURCE, "DeviceTaintRule"),
        (_RESOURCE, "ResourcePoolStatusRequest"),
        ("scheduling.k8s.io", "PodGroup"),
        ("certificates.k8s.io", "PodCertificateRequest"),
        (_ADMISSION, "ValidatingAdmissionPolicy"),
        ("storage.k8s.io", "VolumeAttachment"),
        ("storagemigration.k8s.io", "StorageVersionMigration"),
        ("internal.apiserver.k8s.io", "StorageVersion"),
        ("apiregistration.k8s.io", "APIService"),
        _CRD,
    }
)
"""Kinds whose status is written through its own door only."""

_KEEPS_CREATED_STATUS: Final[frozenset[Kind]] = frozenset({("", "Node")})

CREATE_ON_UPDATE: Final[frozenset[Kind]] = frozenset(
    {
        ("node.k8s.io", "RuntimeClass"),
        ("rbac.authorization.k8s.io", "Role"),
        ("rbac.authorization.k8s.io", "RoleBinding"),
        ("rbac.authorization.k8s.io", "ClusterRole"),
        ("rbac.authorization.k8s.io", "ClusterRoleBinding"),
        ("coordination.k8s.io", "Lease"),
        ("coordination.k8s.io", "LeaseCandidate"),
        ("", "LimitRange"),
        ("", "Event"),
        ("events.k8s.io", "Event"),
        ("", "Service"),
        ("", "Endpoints"),
    }
)
"""Kinds that a PUT of a missing name creates."""

NEEDS_RESOURCE_VERSION: Final[frozenset[Kind]] = frozenset(
    {
        (_ADMISSION, "ValidatingWebhookConfiguration"),
        (_ADMISSION, "MutatingWebhookConfiguration"),
        (_ADMISSION, "ValidatingAdmissionPolicy"),
        (_ADMISSION, "ValidatingAdmissionPolicyBinding"),
        (_ADMISSION, "MutatingAdmissionPolicy"),
        (_ADMISSION, "MutatingAdmissionPolicyBinding"),
        ("coordination.k8s.io", "Lease"),
        ("coordination.k8s.io", "LeaseCandidate"),
        ("certificates.k8s.io", "ClusterTrustBundle"),
        ("node.k8s.io", "RuntimeClass"),
        ("policy", "PodDisruptionBudget"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSINode"),
        ("storage.k8s.io", "CSIStorageCapacity"),
        ("storage.k8s.io", "VolumeAttachment"),
        ("internal.apiserver.k8s.io", "StorageVersion"),
        ("storagemigration.k8s.io", "StorageVersionMigration"),
        _CRD,
        ("apiregistration.k8s.io", "APIService"),
    }
)
"""Kinds that refuse an update without metadata.resourceVersion."""

ORPHAN_BY_DEFAULT: Final[frozenset[Kind]] = frozenset({("", "ReplicationController"), (_BATCH, "Job")})
"""Kinds whose dependents stay when a deletion names no policy."""

ANSWERS_DELETE_WITH_OBJECT: Final[frozenset[Kind]] = frozenset(
    {
        ("", "Pod"),
        ("", "Service"),
        ("", "ServiceAccount"),
        ("", "PodTemplate"),
        ("", "ResourceQuota"),
        ("", "Namespace"),
        ("", "PersistentVolume"),
        ("", "PersistentVolumeClaim"),
        ("storage.k8s.io", "StorageClass"),
        ("storage.k8s.io", "CSIDriver"),
        ("storage.k8s.io", "CSINode"),
        ("storage.k8s.io", "VolumeAttachment"),
        ("storage.k8s.io", "VolumeAttributesClass"),
        (_RESOURCE, "ResourceClaim"),
        (_RESOURCE, "ResourceClaimTemplate"),
        (_RESOURCE, "ResourceSlice"),
        (_RESOURCE, "DeviceClass"),
        (_RESOURCE, "DeviceTaintRule"),
    }
)
"""Kinds whose finished deletion answers with the object; all others answer with a Status."""

_NOT_CONTENT: Final = frozenset({"apiVersion", "kind", "metadata", "status"})


def _kind(resource: Resource) -> Kind:
    return resource.group, resource.kind


def counts_generation(resource: Resource) -> bool:
    return not resource.type_alias or _kind(resource) in WITH_GENERATION


def has_status(resource: Resource) -> bool:
    """Whether plain writes leave the status alone."""
    if not resource.type_alias:
        return "status" in resource.subresources
    return _kind(resource) in WITH_STATUS


def allows_create_on_update(resource: Resource) -> bool:
    return _kind(resource) in CREATE_ON_UPDATE


def allows_unconditional_update(resource: Resource) -> bool:
    return bool(resource.type_alias) and _kind(resource) not in NEEDS_RESOURCE_VERSION


def merge_owners(document: Json) -> list[str]:
    """Drop owners that are named twice, in place; the warning about it.

    Follows: apiserver pkg/endpoints/handlers/rest.go, dedupOwnerReferencesAndAddWarning.
    """
    metadata = document.get("metadata") or {}
    owners = metadata.get("ownerReferences") or ()
    if len(owners) < 2:
        return []
    kept: list[Json] = []
    repeated: list[str] = []
    for owner in owners:
        if owner in kept:
            repeated.append(owner.get("uid", ""))
        else:
            kept.append(owner)
    if not repeated:
        return []
    metadata["ownerReferences"] = kept
    return [
        ".metadata.ownerReferences contains duplicate entries; API server dedups owner references in 1.20+, and may "
        "reject such requests as early as 1.24; please fix your requests; duplicate UID(s) observed: "
        + ", ".join(dict.fromkeys(repeated))
    ]


def generated_name(base: str, suffix: str) -> str:
    """The name for a generateName and five random characters."""
    return base[:MAX_GENERATED_BASE] + suffix


def _empty_status(type_alias: str) -> Json:
    """A status nobody has written yet, with the zeros Go writes (`replicas: 0`)."""
    field = schema.type_of(type_alias).field("status")
    if field is None or field.type.shape is not Shape.STRUCT:
        return {}
    return normalize.zero(field.type.name)()


def prepare_create(resource: Resource, document: Json, now: datetime, uid: str) -> Json:
    """The document as it goes to validation: identity and time are the server's, status is at its start."""
    metadata = document.setdefault("metadata", {})
    for field in ("selfLink", "resourceVersion", "deletionTimestamp", "deletionGracePeriodSeconds"):
        metadata.pop(field, None)
    metadata["uid"] = uid
    metadata["creationTimestamp"] = format_time(now)
    kind = _kind(resource)
    if counts_generation(resource):
        if kind in _STARTS_AT_ZERO:
            metadata.pop("generation", None)
        else:
            metadata["generation"] = 1
    if has_status(resource) and kind not in _KEEPS_CREATED_STATUS:
        if resource.type_alias:
            document["status"] = _empty_status(resource.type_alias)
        else:
            document.pop("status", None)
    rule = kind_rules.ON_CREATE.get(kind)
    if rule is not None:
        rule(document)
    return document


def prepare_update(resource: Resource, subresource: str, new: Json, old: Json) -> Json:
    """The document as it goes to validation, made of `new` where this door may write and of `old` where not.

    `new` may be changed and parts of `old` may be shared with the result; nobody changes the result's old parts.
    """
    if subresource in {"", "scale"}:
        return _prepare_main(resource, new, old)
    if subresource == "status":
        return _prepare_status(resource, new, old)
    rule = kind_rules.SUBRESOURCES.get((*_kind(resource), subresource))
    merged = rule(new, old) if rule is not None else new
    merged["metadata"] = _server_metadata(merged.get("metadata") or {}, old["metadata"])
    if "generation" in old["metadata"]:
        merged["metadata"]["generation"] = old["metadata"]["generation"]
        if counts_generation(resource) and content_changed(merged, old):
            merged["metadata"]["generation"] += 1
    return merged


def _server_metadata(new: Json, old: Json) -> Json:
    """Client metadata with what only the server sets taken from the stored object."""
    metadata = dict(new)
    metadata.pop("selfLink", None)
    metadata.setdefault("name", old.get("name", ""))
    if "namespace" in old:
        metadata.setdefault("namespace", old["namespace"])
    if not metadata.get("uid") and "uid" in old:
        metadata["uid"] = old["uid"]
    if "creationTimestamp" in old:
        metadata["creationTimestamp"] = old["creationTimestamp"]
    if "deletionTimestamp" in old:
        metadata["deletionTimestamp"] = old["deletionTimestamp"]
    if "deletionGracePeriodSeconds" in old:
        metadata.setdefault("deletionGracePeriodSeconds", old["deletionGracePeriodSeconds"])
    if "generation" in old:
        metadata["generation"] = old["generation"]
    else:
        metadata.pop("generation", None)
    return metadata


def content_changed(new: Json, old: Json) -> bool:
    """Whether anything besides metadata and status differs."""
    keys = (new.keys() | old.keys()) - _NOT_CONTENT
    return any(new.get(key) != old.get(key) for key in keys)


def _prepare_main(resource: Resource, new: Json, old: Json) -> Json:
    kind = _kind(resource)
    old_metadata = old["metadata"]
    metadata = new["metadata"] = _server_metadata(new.get("metadata") or {}, old_metadata)
    if has_status(resource):
        if "status" in old:
            new["status"] = old["status"]
        else:
            new.pop("status", None)
    rule = kind_rules.ON_UPDATE.get(kind)
    if rule is not None:
        rule(new, old)
    if counts_generation(resource) and kind not in _NO_RAISE:
        changed = content_changed(new, old)
        if not resource.type_alias:
            changed = changed or new.get("status") != old.get("status")
        if kind == ("discovery.k8s.io", "EndpointSlice"):
            changed = changed or metadata.get("labels") != old_metadata.get("labels")
        if changed:
            metadata["generation"] = old_metadata.get("generation", 0) + 1
    return new


def _prepare_status(resource: Resource, new: Json, old: Json) -> Json:
    if not resource.type_alias:
        metadata = dict(old["metadata"])
        if "managedFields" in (new.get("metadata") or {}):
            metadata["managedFields"] = new["metadata"]["managedFields"]
        if "resourceVersion" in (new.get("metadata") or {}):
            metadata["resourceVersion"] = new["metadata"]["resourceVersion"]
        result = {**old, "metadata": metadata}
        if "status" in new:
            result["status"] = new["status"]
        else:
            result.pop("status", None)
        return result
    result = {**old, "metadata": _server_metadata(new.get("metadata") or {}, old["metadata"])}
    result["status"] = new.get("status", {})
    rule = kind_rules.ON_STATUS.get(_kind(resource))
    if rule is not None:
        rule(result, old)
    return result
