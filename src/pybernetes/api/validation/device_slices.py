"""Checks of what drivers publish, ResourceSlices, and of taints put on devices.

Follows: pkg/apis/resource/validation/validation.go, validateResourceSliceSpec, validateDevice.
"""

import re
from typing import Any, Final

from pybernetes.api.validation import common, devices, placement
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names

Json = dict[str, Any]

MAX_DEVICES: Final = 128
MAX_ADVANCED_DEVICES: Final = 64
MAX_PROPERTIES: Final = 32
MAX_VALUES: Final = 48
MAX_VALUE_BYTES: Final = 64
MAX_TAINTS: Final = 16
MAX_COUNTER_SETS: Final = 8
MAX_COUNTERS: Final = 32
MAX_CONSUMPTIONS: Final = 2
MAX_BINDING_CONDITIONS: Final = 4
_LISTS: Final = ("bools", "ints", "strings", "versions")
_SCALARS: Final = ("bool", "int", "string", "version")
_NUMBER: Final = r"(0|[1-9]\d*)"
_PRE: Final = r"(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)"
_semver = re.compile(
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(-{_PRE}(\.{_PRE})*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?", re.ASCII
).fullmatch
_WHERE: Final = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required"
_WHERE_DEVICE: Final = (
    "exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to "
    "true in the ResourceSlice spec"
)
_PER_DEVICE_ONLY: Final = (
    "`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the "
    "ResourceSlice spec"
)
_UNSET_OR_TRUE: Final = "must be either unset or set to true"


def resource_slice(errors: Errors, document: Json) -> None:
    _slice(errors, document.get("spec") or {}, {})


def resource_slice_update(errors: Errors, new: Json, old: Json) -> None:
    _slice(errors, new.get("spec") or {}, old.get("spec") or {})


def _slice(errors: Errors, spec: Json, old: Json) -> None:
    devices.driver_name(errors, "spec.driver", spec.get("driver", ""))
    pool = spec.get("pool") or {}
    devices.pool_name(errors, "spec.pool.name", pool.get("name", ""))
    if pool.get("resourceSliceCount", 0) <= 0:
        value = pool.get("resourceSliceCount", 0)
        errors.append(fe.invalid_value("spec.pool.resourceSliceCount", value, common.POSITIVE))
    if pool.get("generation", 0) < 0:
        text = "must be greater than or equal to zero"
        errors.append(fe.invalid_value("spec.pool.generation", pool["generation"], text))
    if old:
        common.immutable(errors, "spec.pool.name", pool.get("name", ""), (old.get("pool") or {}).get("name", ""))
        for field in ("driver", "nodeName"):
            common.immutable(errors, f"spec.{field}", spec.get(field), old.get(field))
    _where(errors, spec)
    items = spec.get("devices") or []
    if spec.get("sharedCounters") and items:
        text = "only one of `sharedCounters` or `devices` is allowed"
        errors.append(fe.invalid_value("spec", "", text))
    advanced = any(_is_advanced(_flat(item)) for item in items)
    most = MAX_ADVANCED_DEVICES if advanced else MAX_DEVICES
    stored = {item.get("name"): _flat(item) for item in old.get("devices") or ()}
    per_device = bool(spec.get("perDeviceNodeSelection"))

    def device(errors: Errors, path: str, item: Json) -> None:
        _device(errors, path, _flat(item), stored.get(item.get("name")), per_device=per_device)

    devices.several(errors, "spec.devices", items, most, device)
    devices.distinct(errors, "spec.devices", [item.get("name", "") for item in items], most)
    sets = spec.get("sharedCounters") or []
    devices.several(errors, "spec.sharedCounters", sets, MAX_COUNTER_SETS, _counter_set)
    devices.distinct(errors, "spec.sharedCounters", [item.get("name", "") for item in sets], MAX_COUNTER_SETS)


def _flat(device: Json) -> Json:
    """v1beta1 keeps everything but the name under `basic`."""
    return {"name": device.get("name", ""), **device["basic"]} if "basic" in device else device


def _is_advanced(device: Json) -> bool:
    if device.get("taints") or device.get("consumesCounters"):
        return True
    return any(field in value for value in (device.get("attributes") or {}).values() for field in _LISTS)


def _where(errors: Errors, spec: Json) -> None:
    present: list[str] = []
    node = spec.get("nodeName")
    if node is not None:
        if node:
            present.append("`nodeName`")
            add_invalid(errors, "spec.nodeName", node, names.dns_subdomain(node))
        else:
            errors.append(fe.invalid_value("spec.nodeName", node, "must be either unset or set to a non-empty string"))
    selector = spec.get("nodeSelector")
    if selector is not None:
        present.append("`nodeSelector`")
        placement.node_selector(errors, "spec.nodeSelector", selector)
        terms = selector.get("nodeSelectorTerms") or []
        if len(terms) != 1:
            text = "must have exactly one node selector term"
            errors.append(fe.invalid_value("spec.nodeSelector.nodeSelectorTerms", terms, text))
    for field in ("allNodes", "perDeviceNodeSelection"):
        if spec.get(field):
            present.append(f"`{field}`")
        elif spec.get(field) is not None:
            errors.append(fe.invalid_value(f"spec.{field}", False, _UNSET_OR_TRUE))
    if not present:
        errors.append(fe.required("spec", _WHERE))
    elif len(present) > 1:
        shown = f"{{{', '.join(present)}}}"
        errors.append(fe.invalid_value("spec", shown, f"{_WHERE}, but multiple fields are set"))


def _device(errors: Errors, path: str, item: Json, old: Json | None, *, per_device: bool) -> None:
    devices.label(errors, f"{path}.name", item.get("name", ""))
    attributes, capacity = item.get("attributes") or {}, item.get("capacity") or {}
    count = len(attributes) + len(capacity)
    if count > MAX_PROPERTIES:
        text = f"the total number of attributes and capacities must not exceed {MAX_PROPERTIES}"
        errors.append(fe.invalid_value(path, count, text))
    values = sum(sum(len(value.get(field) or ()) for field in _LISTS) or 1 for value in attributes.values())
    if values > MAX_VALUES:
        text = f"the total number of attribute values must not exceed {MAX_VALUES}"
        errors.append(fe.invalid_value(path, values, text))
    for name, value in attributes.items():
        devices.qualified(errors, f"{path}.attributes", name)
        _attribute(errors, f"{path}.attributes[{name}]", value)
    if old is None or old.get("capacity") != item.get("capacity"):
        for name, value in capacity.items():
            devices.qualified(errors, f"{path}.capacity", name)
            if value.get("requestPolicy") is not None and not item.get("allowMultipleAllocations"):
                text = "allowMultipleAllocations must be true"
                errors.append(fe.forbidden_value(f"{path}.capacity[{name}].requestPolicy", text))
    if old is None or old.get("taints") != item.get("taints"):
        devices.several(errors, f"{path}.taints", item.get("taints") or [], MAX_TAINTS, devices.taint)
    consumed = item.get("consumesCounters") or []
    devices.several(errors, f"{path}.consumesCounters", consumed, MAX_CONSUMPTIONS, _consumption)
    keys = [use.get("counterSet", "") for use in consumed]
    devices.distinct(errors, f"{path}.consumesCounters", keys, MAX_CONSUMPTIONS)
    _device_where(errors, path, item, per_device=per_device)
    _binding(errors, path, item)


def _device_where(errors: Errors, path: str, item: Json, *, per_device: bool) -> None:
    given = [field for field in ("nodeName", "nodeSelector", "allNodes") if item.get(field) is not None]
    if not per_device:
        if given:
            errors.append(fe.invalid_value(path, None, _PER_DEVICE_ONLY))
        return
    present = [f"`{field}`" for field in given if item[field] or field == "nodeSelector"]
    if item.get("nodeName") == "":
        errors.append(fe.invalid_value(f"{path}.nodeName", "", "must not be empty"))
    elif "nodeName" in given:
        add_invalid(errors, f"{path}.nodeName", item["nodeName"], names.dns_subdomain(item["nodeName"]))
    if "nodeSelector" in given:
        placement.node_selector(errors, f"{path}.nodeSelector", item["nodeSelector"])
    if item.get("allNodes") is False:
        errors.append(fe.invalid_value(f"{path}.allNodes", False, _UNSET_OR_TRUE))
    if not present:
        errors.append(fe.required(path, _WHERE_DEVICE))
    elif len(present) > 1:
        errors.append(fe.invalid_value(path, f"{{{', '.join(present)}}}", _WHERE_DEVICE))


def _attribute(errors: Errors, path: str, value: Json) -> None:
    present = [field for field in (*_SCALARS, *_LISTS) if field in value]
    for field in ("string", "version"):
        if field in value:
            _text(errors, f"{path}.{field}", value[field], version=field == "version")
    for field in _LISTS:
        if field in value and not value[field]:
            errors.append(fe.invalid_value(f"{path}.{field}", value[field], "must not be empty if specified"))
        elif field in {"strings", "versions"}:
            for index, text in enumerate(value.get(field) or ()):
                _text(errors, f"{path}.{field}[{index}]", text, version=field == "versions")
    if len(present) != 1:
        shown = value if present else ""
        errors.append(fe.invalid_value(path, shown, "exactly one value must be specified"))


def _text(errors: Errors, path: str, value: str, *, version: bool) -> None:
    if version and not _semver(value):
        errors.append(fe.invalid_value(path, value, "must be a string compatible with semver.org spec 2.0.0"))
    if len(value.encode()) > MAX_VALUE_BYTES:
        errors.append(fe.too_long(path, MAX_VALUE_BYTES))


def _counter_set(errors: Errors, path: str, item: Json) -> None:
    _counters(errors, path, item, "name")


def _consumption(errors: Errors, path: str, item: Json) -> None:
    _counters(errors, path, item, "counterSet")


def _counters(errors: Errors, path: str, item: Json, field: str) -> None:
    if not item.get(field):
        errors.append(fe.required(f"{path}.{field}"))
    else:
        devices.label(errors, f"{path}.{field}", item[field])
    counters = item.get("counters") or {}
    if not counters:
        errors.append(fe.required(f"{path}.counters"))
    elif len(counters) > MAX_COUNTERS:
        errors.append(fe.too_many(f"{path}.counters", len(counters), MAX_COUNTERS))
    else:
        for name in counters:
            devices.label(errors, f"{path}.counters", name)


def _binding(errors: Errors, path: str, item: Json) -> None:
    conditions, failures = item.get("bindingConditions") or [], item.get("bindingFailureConditions") or []
    for field, values in (("bindingConditions", conditions), ("bindingFailureConditions", failures)):
        devices.several(errors, f"{path}.{field}", values, MAX_BINDING_CONDITIONS, common.label_name)
    devices.distinct(errors, f"{path}.bindingConditions", conditions)
    devices.distinct(errors, f"{path}.bindingFailureConditions", failures)
    for index, name in enumerate(failures):
        if name in conditions:
            text = "bindingFailureConditions must not overlap with bindingConditions"
            errors.append(fe.invalid_value(f"{path}.bindingFailureConditions[{index}]", name, text))
    if failures and not conditions:
        text = "bindingConditions are required to use bindingFailureConditions"
        errors.append(fe.invalid_value(f"{path}.bindingConditions", conditions, text))
    if conditions and not failures:
        text = "bindingFailureConditions are required to use bindingConditions"
        errors.append(fe.invalid_value(f"{path}.bindingFailureConditions", failures, text))


def taint_rule(errors: Errors, document: Json) -> None:
    _taint_rule(errors, document.get("spec") or {}, {})


def taint_rule_update(errors: Errors, new: Json, old: Json) -> None:
    _taint_rule(errors, new.get("spec") or {}, old.get("spec") or {})


def _taint_rule(errors: Errors, spec: Json, old: Json) -> None:
    chosen = spec.get("deviceSelector") or {}
    checks = (("driver", devices.driver_name), ("pool", devices.pool_name), ("device", devices.label))
    for field, check in checks:
        if chosen.get(field) is not None:
            check(errors, f"spec.deviceSelector.{field}", chosen[field])
    taint = spec.get("taint") or {}
    known = bool(old) and (old.get("taint") or {}).get("effect", "") == taint.get("effect", "")
    devices.taint(errors, "spec.taint", taint, effect_known=known)
