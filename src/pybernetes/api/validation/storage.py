"""Checks of volumes, claims and storage classes.

Follows: pkg/apis/core/validation/validation.go, ValidatePersistentVolume(Claim); pkg/apis/storage/validation.
"""

from typing import Any, Final

from pybernetes.api.validation import common, placement, volumes
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names, quantity

Json = dict[str, Any]

ACCESS_MODES: Final = ("ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod")
_VOLUME_MODES: Final = ("Block", "Filesystem")
_RECLAIM: Final = ("Delete", "Recycle", "Retain")
VOLUME_SOURCES: Final = frozenset(
    {"awsElasticBlockStore", "azureDisk", "azureFile", "cephfs", "cinder", "csi", "fc", "flexVolume", "flocker"}
    | {"gcePersistentDisk", "glusterfs", "hostPath", "iscsi", "local", "nfs", "photonPersistentDisk"}
    | {"portworxVolume", "quobyte", "rbd", "scaleIO", "storageos", "vsphereVolume"}
)
CLAIM_IMMUTABLE: Final = (
    "spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims"
)


def _modes(errors: Errors, path: str, modes: list[str]) -> None:
    if not modes:
        errors.append(fe.required(path, "at least 1 access mode is required"))
    for mode in modes:
        if mode not in ACCESS_MODES:
            errors.append(fe.not_supported(path, mode, ACCESS_MODES))
    if "ReadWriteOncePod" in modes and len(modes) > 1:
        text = "may not use ReadWriteOncePod with other access modes"
        errors.append(fe.forbidden_value(path, text))


def claim(errors: Errors, document: Json) -> None:
    claim_spec(errors, "spec", document.get("spec") or {})


def claim_spec(errors: Errors, path: str, spec: Json) -> None:
    _modes(errors, f"{path}.accessModes", spec.get("accessModes") or [])
    common.label_selector(errors, f"{path}.selector", spec.get("selector"))
    requests = (spec.get("resources") or {}).get("requests") or {}
    place = f"{path}.resources[storage]"
    if "storage" not in requests:
        errors.append(fe.required(place))
    elif quantity.parse(requests["storage"]).nanos <= 0:
        text = "must be greater than zero"
        errors.append(fe.invalid_value(f"{path}.resources.storage", requests["storage"], text))
    name = spec.get("storageClassName")
    if name:
        add_invalid(errors, f"{path}.storageClassName", name, names.dns_subdomain(name))
    mode = spec.get("volumeMode")
    if mode is not None and mode not in _VOLUME_MODES:
        errors.append(fe.not_supported(f"{path}.volumeMode", mode, _VOLUME_MODES))
    for field in ("dataSource", "dataSourceRef"):
        source = spec.get(field)
        if source is not None:
            for part in ("name", "kind"):
                if not source.get(part):
                    errors.append(fe.required(f"{path}.{field}.{part}"))


def claim_update(errors: Errors, new: Json, old: Json) -> None:
    claim(errors, new)
    spec, stored = dict(new.get("spec") or {}), dict(old.get("spec") or {})
    bound = (old.get("status") or {}).get("phase") == "Bound"
    if not stored.get("volumeName"):  # binding sets it once
        spec.pop("volumeName", None)
        stored.pop("volumeName", None)
    now = ((spec.get("resources") or {}).get("requests") or {}).get("storage")
    before = ((stored.get("resources") or {}).get("requests") or {}).get("storage")
    if bound:
        if now and before and quantity.compare(now, before) < 0:
            granted = ((old.get("status") or {}).get("capacity") or {}).get("storage")
            if granted is None or quantity.compare(now, granted) <= 0:
                text = "field can not be less than previous value"
                errors.append(fe.forbidden_value("spec.resources.requests.storage", text))
        for one in (spec, stored):
            one.pop("volumeAttributesClassName", None)
            one["resources"] = {**(one.get("resources") or {}), "requests": None}
    if stored.get("storageClassName") is None and spec.get("storageClassName") is not None:
        spec.pop("storageClassName")  # retroactive default class
    if spec != stored:
        errors.append(fe.forbidden_value("spec", CLAIM_IMMUTABLE))


def persistent_volume(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    _modes(errors, "spec.accessModes", spec.get("accessModes") or [])
    capacity = spec.get("capacity") or {}
    if not capacity:
        errors.append(fe.required("spec.capacity"))
    elif set(capacity) != {"storage"}:
        errors.append(fe.not_supported("spec.capacity", capacity, ("storage",)))
    for name, amount in capacity.items():
        common.resource_amount(errors, f"spec.capacity[{name}]", name, amount)
        if not quantity.parse(amount):
            errors.append(fe.invalid_value(f"spec.capacity[{name}]", amount, common.POSITIVE))
    common.one_of(errors, "spec.persistentVolumeReclaimPolicy", spec.get("persistentVolumeReclaimPolicy"), _RECLAIM)
    volumes.source_of_persistent_volume(errors, "spec", spec, VOLUME_SOURCES)
    affinity = (spec.get("nodeAffinity") or {}).get("required")
    if affinity is not None:
        placement.node_selector(errors, "spec.nodeAffinity.required", affinity)
    if "local" in spec:
        if not spec["local"].get("path"):
            errors.append(fe.required("spec.local.path"))
        if affinity is None:
            errors.append(fe.required("spec.nodeAffinity", "Local volume requires node affinity"))
    host_path = (spec.get("hostPath") or {}).get("path")
    if host_path == "/" and spec.get("persistentVolumeReclaimPolicy") == "Recycle":
        text = "may not be 'recycle' for a hostPath mount of '/'"
        errors.append(fe.forbidden_value("spec.persistentVolumeReclaimPolicy", text))
    name = spec.get("storageClassName")
    if name:
        add_invalid(errors, "spec.storageClassName", name, names.dns_subdomain(name))
    mode = spec.get("volumeMode")
    if mode is not None and mode not in _VOLUME_MODES:
        errors.append(fe.not_supported("spec.volumeMode", mode, _VOLUME_MODES))


def persistent_volume_update(errors: Errors, new: Json, old: Json) -> None:
    persistent_volume(errors, new)
    spec, stored = new.get("spec") or {}, old.get("spec") or {}
    now = {kind: spec[kind] for kind in spec if kind in VOLUME_SOURCES}
    before = {kind: stored[kind] for kind in stored if kind in VOLUME_SOURCES}
    if now != before:
        text = "spec.persistentvolumesource is immutable after creation"
        errors.append(fe.forbidden_value("spec.persistentvolumesource", text))
    common.immutable(errors, "volumeMode", spec.get("volumeMode"), stored.get("volumeMode"))
    if stored.get("nodeAffinity") is not None:
        common.immutable(errors, "nodeAffinity", spec.get("nodeAffinity"), stored["nodeAffinity"])


_BINDING_MODES: Final = ("Immediate", "WaitForFirstConsumer")


def storage_class(errors: Errors, document: Json) -> None:
    provisioner = document.get("provisioner", "")
    if not provisioner:
        errors.append(fe.required("provisioner"))
    else:
        add_invalid(errors, "provisioner", provisioner, names.qualified_name(provisioner.lower()))
    for key in document.get("parameters") or {}:
        if not key:
            errors.append(fe.invalid_value("parameters", "", "field can not be empty."))
    common.one_of(errors, "reclaimPolicy", document.get("reclaimPolicy"), ("Delete", "Retain"), required=False)
    common.one_of(errors, "volumeBindingMode", document.get("volumeBindingMode"), _BINDING_MODES)


def storage_class_update(errors: Errors, new: Json, old: Json) -> None:
    storage_class(errors, new)
    for field in ("parameters", "provisioner", "reclaimPolicy"):
        if (new.get(field) or None) != (old.get(field) or None):
            errors.append(fe.forbidden_value(field, f"updates to {field} are forbidden."))
    common.immutable(errors, "volumeBindingMode", new.get("volumeBindingMode"), old.get("volumeBindingMode"))


def volume_attributes_class(errors: Errors, document: Json) -> None:
    if not document.get("driverName"):
        errors.append(fe.required("driverName"))
    if not document.get("parameters"):
        text = "must contain at least one key/value pair"
        errors.append(fe.required("parameters", text))


def volume_attributes_class_update(errors: Errors, new: Json, old: Json) -> None:
    for field in ("driverName", "parameters"):
        if new.get(field) != old.get(field):
            errors.append(fe.forbidden_value(field, f"updates to {field} are forbidden."))


def volume_attachment(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    source = spec.get("source") or {}
    if not spec.get("attacher"):
        errors.append(fe.required("spec.attacher"))
    kinds = [kind for kind in ("inlineVolumeSpec", "persistentVolumeName") if kind in source]
    if not kinds:
        text = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        errors.append(fe.required("spec.source", text))
    elif len(kinds) > 1:
        text = "must specify exactly one of inlineVolumeSpec and persistentVolumeName"
        errors.append(fe.invalid_value("spec.source", source, text))
    name = spec.get("nodeName", "")
    if not name:
        errors.append(fe.required("spec.nodeName"))
    else:
        add_invalid(errors, "spec.nodeName", name, names.dns_subdomain(name))


def volume_attachment_update(errors: Errors, new: Json, old: Json) -> None:
    if new.get("spec") != old.get("spec"):
        errors.append(fe.invalid_value("spec", new.get("spec"), common.IMMUTABLE))


_GROUP_POLICIES: Final = ("File", "None", "ReadWriteOnceWithFSType")
_LIFECYCLES: Final = ("Ephemeral", "Persistent")
_DRIVER_IMMUTABLE: Final = ("attachRequired", "fsGroupPolicy", "volumeLifecycleModes")


def csi_driver(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    for field in ("attachRequired", "podInfoOnMount", "storageCapacity"):
        if field not in spec:
            errors.append(fe.required(f"spec.{field}"))
    common.one_of(errors, "spec.fsGroupPolicy", spec.get("fsGroupPolicy"), _GROUP_POLICIES, required=False)
    for mode in spec.get("volumeLifecycleModes") or ():
        if mode not in _LIFECYCLES:
            errors.append(fe.not_supported("spec.volumeLifecycleModes", mode, _LIFECYCLES))


def csi_driver_update(errors: Errors, new: Json, old: Json) -> None:
    csi_driver(errors, new)
    spec, stored = new.get("spec") or {}, old.get("spec") or {}
    for field in _DRIVER_IMMUTABLE:
        common.immutable(errors, f"spec.{field}", spec.get(field), stored.get(field))


def csi_node(errors: Errors, document: Json) -> None:
    seen: set[str] = set()
    for index, driver in enumerate((document.get("spec") or {}).get("drivers") or ()):
        path, name = f"spec.drivers[{index}]", driver.get("name", "")
        if not name:
            errors.append(fe.required(f"{path}.name"))
        if not driver.get("nodeID"):
            errors.append(fe.required(f"{path}.nodeID"))
        if name in seen:
            errors.append(fe.duplicate(f"{path}.name", name))
        seen.add(name)


def csi_node_update(errors: Errors, new: Json, old: Json) -> None:
    csi_node(errors, new)
    stored = {d.get("name"): d for d in (old.get("spec") or {}).get("drivers") or ()}
    for driver in (new.get("spec") or {}).get("drivers") or ():
        before = stored.get(driver.get("name"))
        if before is not None and {**before, "allocatable": None} != {**driver, "allocatable": None}:
            errors.append(fe.invalid_value("CSINodeDriver", driver, common.IMMUTABLE))


def csi_storage_capacity(errors: Errors, document: Json) -> None:
    if not document.get("storageClassName"):
        errors.append(fe.required("storageClassName"))
    common.label_selector(errors, "nodeTopology", document.get("nodeTopology"))


def csi_storage_capacity_update(errors: Errors, new: Json, old: Json) -> None:
    csi_storage_capacity(errors, new)
    for field in ("nodeTopology", "storageClassName"):
        common.immutable(errors, field, new.get(field), old.get(field))
