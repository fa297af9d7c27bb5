"""Defaults of volumes, claims and storage classes. Follows: pkg/apis/core/v1 and storage/v1 defaults.go."""

from typing import Any, Final

from pybernetes.api.defaults import pods

Json = dict[str, Any]


def persistent_volume(document: Json) -> None:
    status = document.setdefault("status", {})
    status.setdefault("phase", "Pending")
    spec = document.setdefault("spec", {})
    spec.setdefault("persistentVolumeReclaimPolicy", "Retain")
    spec.setdefault("volumeMode", "Filesystem")
    for kind, source in spec.items():
        if type(source) is dict:
            pods.old_volume_source(kind, source)
            if kind == "hostPath":
                source.setdefault("type", "")


def persistent_volume_claim(document: Json) -> None:
    document.setdefault("status", {}).setdefault("phase", "Pending")
    document.setdefault("spec", {}).setdefault("volumeMode", "Filesystem")


def storage_class(document: Json) -> None:
    document.setdefault("reclaimPolicy", "Delete")
    document.setdefault("volumeBindingMode", "Immediate")


_CSI_DRIVER: Final[dict[str, Any]] = {
    "attachRequired": True,
    "podInfoOnMount": False,
    "storageCapacity": False,
    "fsGroupPolicy": "ReadWriteOnceWithFSType",
    "requiresRepublish": False,
    "seLinuxMount": False,
}


def csi_driver(document: Json) -> None:
    spec = document.setdefault("spec", {})
    for field, value in _CSI_DRIVER.items():
        spec.setdefault(field, value)
    if not spec.get("volumeLifecycleModes"):
        spec["volumeLifecycleModes"] = ["Persistent"]
