"""Checks of metadata, the same for all kinds, and what names each kind allows.

Follows: apimachinery pkg/api/validation/objectmeta.go; pkg/apis/core/validation/validation.go, ValidateObjectMeta.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from pybernetes.api.registry import Resource
from pybernetes.api.validation import common
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names

Json = dict[str, Any]
NameCheck = Callable[[str], Sequence[str]]

MAX_ANNOTATIONS_BYTES: Final = 256 * 1024
STANDARD_FINALIZERS: Final = frozenset({"kubernetes", "orphan", "foregroundDeletion"})

_RBAC = "rbac.authorization.k8s.io"


def _ip_name(name: str) -> Sequence[str]:
    return names.ip_address(name)


def _any_name(_name: str) -> Sequence[str]:
    """Checked where the kind is checked."""
    return ()


_NAME_CHECKS: Final[Mapping[tuple[str, str], NameCheck]] = {
    ("", "Namespace"): names.dns_label,
    ("", "Service"): names.dns_label,
    ("apps", "StatefulSet"): names.dns_label,
    (_RBAC, "Role"): names.path_segment,
    (_RBAC, "ClusterRole"): names.path_segment,
    (_RBAC, "RoleBinding"): names.path_segment,
    (_RBAC, "ClusterRoleBinding"): names.path_segment,
    ("apiregistration.k8s.io", "APIService"): names.path_segment,
    ("networking.k8s.io", "IPAddress"): _ip_name,
    ("certificates.k8s.io", "ClusterTrustBundle"): _any_name,
    ("", "Event"): _any_name,
    ("events.k8s.io", "Event"): _any_name,
}
"""Kinds whose names are no DNS subdomains."""

_NOT_NAMED: Final = frozenset({"authentication.k8s.io", "authorization.k8s.io"})


def name_check(resource: Resource) -> NameCheck:
    return _NAME_CHECKS.get((resource.group, resource.kind), names.dns_subdomain)


def create(errors: Errors, resource: Resource, metadata: Json) -> None:
    """Follows: ValidateObjectMeta."""
    if resource.group in _NOT_NAMED:
        return
    check = name_check(resource)
    base = metadata.get("generateName")
    if base:
        add_invalid(errors, "metadata.generateName", base, check(common.strip_prefix_dash(base)))
    name = metadata.get("name")
    if not name:
        errors.append(fe.required("metadata.name", "name or generateName is required"))
    else:
        add_invalid(errors, "metadata.name", name, check(name))
    namespace = metadata.get("namespace")
    if resource.namespaced:
        if not namespace:
            errors.append(fe.required("metadata.namespace"))
        else:
            add_invalid(errors, "metadata.namespace", namespace, names.dns_label(namespace))
    elif namespace:
        errors.append(fe.forbidden_value("metadata.namespace", "not allowed on this type"))
    _contents(errors, metadata, custom=_any_finalizer(resource))


def _any_finalizer(resource: Resource) -> bool:
    """Custom resources and their definitions may have any finalizer; others need a domain and a path."""
    return not resource.type_alias or resource.group == "apiextensions.k8s.io"


def _contents(errors: Errors, metadata: Json, *, custom: bool = False) -> None:
    if "generation" in metadata:
        common.not_negative(errors, "metadata.generation", metadata["generation"])
    if "labels" in metadata:
        common.labels(errors, "metadata.labels", metadata["labels"])
    if "annotations" in metadata:
        annotations(errors, "metadata.annotations", metadata["annotations"])
    if "ownerReferences" in metadata:
        _owners(errors, metadata["ownerReferences"])
    if "finalizers" in metadata:
        _finalizers(errors, metadata["finalizers"], custom=custom)


def annotations(errors: Errors, path: str, values: Mapping[str, str]) -> None:
    total = 0
    for key, value in values.items():
        if complaints := names.qualified_name(key.lower() if not key.islower() else key):
            add_invalid(errors, path, key, complaints)
        total += len(key) + len(value)
    if total > MAX_ANNOTATIONS_BYTES:
        errors.append(fe.too_long(path, MAX_ANNOTATIONS_BYTES))


def _owners(errors: Errors, owners: Sequence[Json]) -> None:
    path = "metadata.ownerReferences"
    controller = ""
    for owner in owners:
        api_version = owner.get("apiVersion", "")
        if not api_version.rpartition("/")[2]:
            errors.append(fe.invalid_value(f"{path}.apiVersion", api_version, "version must not be empty"))
        for field in ("kind", "name", "uid"):
            if not owner.get(field):
                errors.append(fe.invalid_value(f"{path}.{field}", "", "must not be empty"))
        if owner.get("kind") == "Event" and api_version in {"v1", "events.k8s.io/v1"}:
            group = "/v1" if api_version == "v1" else api_version
            text = f"{group}, Kind=Event is disallowed from being an owner"
            errors.append(fe.invalid_value(path, owner, text))
        if owner.get("controller"):
            if controller:
                text = (
                    'Only one reference can have Controller set to true. Found "true" in references for '
                    f"{controller} and {owner.get('name', '')}"
                )
                errors.append(fe.invalid_value(path, list(owners), text))
            controller = owner.get("name", "")


def _finalizers(errors: Errors, finalizers: Sequence[str], *, custom: bool) -> None:
    path = "metadata.finalizers"
    for index, finalizer in enumerate(finalizers):
        add_invalid(errors, path, finalizer, names.qualified_name(finalizer))
        if not custom:
            finalizer_word(errors, f"{path}[{index}]", finalizer)
    if "orphan" in finalizers and "foregroundDeletion" in finalizers:
        text = "finalizer set contains both orphan and foregroundDeletion"
        errors.append(fe.invalid_value(path, list(finalizers), text))


def finalizer_word(errors: Errors, path: str, finalizer: str) -> None:
    """A finalizer without a domain must be one of the known words."""
    if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
        text = "name is neither a standard finalizer name nor is it fully qualified"
        errors.append(fe.invalid_value(path, finalizer, text))


_NEVER_CHANGE: Final = ("name", "namespace", "uid", "creationTimestamp", "deletionTimestamp")


def update(errors: Errors, resource: Resource, new: Json, old: Json) -> None:
    """Follows: ValidateObjectMetaAccessorUpdate."""
    for field in _NEVER_CHANGE:
        if new.get(field) != old.get(field):
            errors.append(fe.invalid_value(f"metadata.{field}", new.get(field), common.IMMUTABLE))
    shorter = new.get("deletionGracePeriodSeconds"), old.get("deletionGracePeriodSeconds")
    if shorter[1] is not None and shorter[0] != shorter[1]:
        errors.append(fe.invalid_value("metadata.deletionGracePeriodSeconds", shorter[0], common.IMMUTABLE))
    if new.get("generation", 0) < old.get("generation", 0):
        errors.append(fe.invalid_value("metadata.generation", new.get("generation", 0), "must not be decremented"))
    _contents(errors, new, custom=_any_finalizer(resource))
    if "deletionTimestamp" in old:
        added = [f for f in new.get("finalizers") or () if f not in (old.get("finalizers") or ())]
        if added:
            shown = " ".join(f'"{finalizer}"' for finalizer in added)
            text = (
                "no new finalizers can be added if the object is being deleted, found new finalizers "
                f"[]string{{{shown.replace(' ', ', ')}}}"
            )
            errors.append(fe.forbidden_value("metadata.finalizers", text))
