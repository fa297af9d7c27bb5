"""Rows of volumes, claims and storage classes. Follows: pkg/printers/internalversion/printers.go."""

from datetime import datetime
from typing import Any

from pybernetes.api.cells import text

Json = dict[str, Any]

_DEFAULT_CLASS = ("storageclass.kubernetes.io/is-default-class", "storageclass.beta.kubernetes.io/is-default-class")
_OLD_CLASS = "volume.beta.kubernetes.io/storage-class"


def _phase(document: Json) -> str:
    if "deletionTimestamp" in (document.get("metadata") or {}):
        return "Terminating"
    return str((document.get("status") or {}).get("phase", ""))


def _class_name(document: Json) -> str:
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(_OLD_CLASS) or (document.get("spec") or {}).get("storageClassName") or "")


def persistent_volume(document: Json, now: datetime) -> list[Any]:
    spec = document.get("spec") or {}
    claim = spec.get("claimRef")
    return [
        text.name(document),
        (spec.get("capacity") or {}).get("storage", "0"),
        text.access_modes(spec.get("accessModes")),
        spec.get("persistentVolumeReclaimPolicy", ""),
        _phase(document),
        f"{claim.get('namespace', '')}/{claim.get('name', '')}" if claim else "",
        _class_name(document),
        spec.get("volumeAttributesClassName") or text.UNSET,
        (document.get("status") or {}).get("reason", ""),
        text.age(document, now),
        spec.get("volumeMode") or text.UNSET,
    ]


def persistent_volume_claim(document: Json, now: datetime) -> list[Any]:
    spec, status = document.get("spec") or {}, document.get("status") or {}
    bound = bool(spec.get("volumeName"))
    return [
        text.name(document),
        _phase(document),
        spec.get("volumeName", ""),
        (status.get("capacity") or {}).get("storage", "0") if bound else "",
        text.access_modes(status.get("accessModes")) if bound else "",
        _class_name(document),
        spec.get("volumeAttributesClassName") or text.UNSET,
        text.age(document, now),
        spec.get("volumeMode") or text.UNSET,
    ]


def storage_class(document: Json, now: datetime) -> list[Any]:
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    default = any(annotations.get(key) == "true" for key in _DEFAULT_CLASS)
    return [
        text.name(document) + " (default)" * default,
        document.get("provisioner", ""),
        document.get("reclaimPolicy", "Delete"),
        document.get("volumeBindingMode") or text.UNSET,
        bool(document.get("allowVolumeExpansion")),
        text.age(document, now),
    ]


def volume_attributes_class(document: Json, now: datetime) -> list[Any]:
    return [text.name(document), document.get("driverName", ""), text.age(document, now)]


def volume_attachment(document: Json, now: datetime) -> list[Any]:
    spec = document.get("spec") or {}
    return [
        text.name(document),
        spec.get("attacher", ""),
        (spec.get("source") or {}).get("persistentVolumeName", ""),
        spec.get("nodeName", ""),
        bool((document.get("status") or {}).get("attached")),
        text.age(document, now),
    ]


def csi_node(document: Json, now: datetime) -> list[Any]:
    return [text.name(document), len((document.get("spec") or {}).get("drivers") or ()), text.age(document, now)]


def csi_driver(document: Json, now: datetime) -> list[Any]:
    spec = document.get("spec") or {}
    tokens = [token.get("audience", "") for token in spec.get("tokenRequests") or ()]
    return [
        text.name(document),
        spec.get("attachRequired", True),
        bool(spec.get("podInfoOnMount")),
        bool(spec.get("storageCapacity")),
        ",".join(tokens) or text.UNSET,
        bool(spec.get("requiresRepublish")),
        ",".join(spec.get("volumeLifecycleModes") or ()) or text.NONE,
        text.age(document, now),
    ]


def csi_storage_capacity(document: Json, _now: datetime) -> list[Any]:
    return [text.name(document), document.get("storageClassName", ""), document.get("capacity") or text.UNSET]
