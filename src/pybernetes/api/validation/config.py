"""Checks of ConfigMaps, Secrets, namespaces, nodes, quotas and other small kinds.

Follows: pkg/apis/core/validation/validation.go; scheduling, node, coordination validation.
"""

import base64
from typing import Any, Final

import orjson

from pybernetes.api.validation import common, metadata
from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names, quantity

Json = dict[str, Any]

MAX_DATA_BYTES: Final = 1024 * 1024
FROZEN: Final = "field is immutable when `immutable` is set"
_REDACTED: Final = "<secret contents redacted>"


def _decoded_size(text: str) -> int:
    return len(text) * 3 // 4 - text[-2:].count("=")


def config_map(errors: Errors, document: Json) -> None:
    data, binary = document.get("data") or {}, document.get("binaryData") or {}
    total = 0
    for key, value in data.items():
        add_invalid(errors, f"data[{key}]", key, names.config_key(key))
        if key in binary:
            errors.append(fe.invalid_value(f"data[{key}]", key, "duplicate of key present in binaryData"))
        total += len(value.encode()) if not value.isascii() else len(value)
    for key, value in binary.items():
        add_invalid(errors, f"binaryData[{key}]", key, names.config_key(key))
        total += _decoded_size(value)
    if total > MAX_DATA_BYTES:
        errors.append(fe.too_long("", MAX_DATA_BYTES))


def config_map_update(errors: Errors, new: Json, old: Json) -> None:
    _frozen(errors, new, old, ("data", "binaryData"))
    config_map(errors, new)


def _frozen(errors: Errors, new: Json, old: Json, fields: tuple[str, ...]) -> None:
    if not old.get("immutable"):
        return
    if not new.get("immutable"):
        errors.append(fe.forbidden_value("immutable", FROZEN))
    for field in fields:
        if (new.get(field) or {}) != (old.get(field) or {}):
            errors.append(fe.forbidden_value(field, FROZEN))


_ACCOUNT_NAME: Final = "kubernetes.io/service-account.name"


def secret(errors: Errors, document: Json) -> None:
    data = document.get("data") or {}
    total = 0
    for key, value in data.items():
        add_invalid(errors, f"data[{key}]", key, names.config_key(key))
        total += _decoded_size(value)
    if total > MAX_DATA_BYTES:
        errors.append(fe.too_long("data", MAX_DATA_BYTES))
    match document.get("type"):
        case "kubernetes.io/service-account-token":
            annotations = (document.get("metadata") or {}).get("annotations") or {}
            if not annotations.get(_ACCOUNT_NAME):
                errors.append(fe.required(f"metadata.annotations[{_ACCOUNT_NAME}]"))
        case "kubernetes.io/dockercfg":
            _json_key(errors, data, ".dockercfg")
        case "kubernetes.io/dockerconfigjson":
            _json_key(errors, data, ".dockerconfigjson")
        case "kubernetes.io/basic-auth":
            if "username" not in data and "password" not in data:
                errors.append(fe.required("data[username]"))
                errors.append(fe.required("data[password]"))
        case "kubernetes.io/ssh-auth":
            if not data.get("ssh-privatekey"):
                errors.append(fe.required("data[ssh-privatekey]"))
        case "kubernetes.io/tls":
            errors.extend(fe.required(f"data[{key}]") for key in ("tls.crt", "tls.key") if key not in data)
        case _:
            pass


def _json_key(errors: Errors, data: Json, key: str) -> None:
    if key not in data:
        errors.append(fe.required(f"data[{key}]"))
        return
    try:
        orjson.loads(base64.b64decode(data[key]))
    except orjson.JSONDecodeError as error:
        errors.append(fe.invalid_value(f"data[{key}]", _REDACTED, str(error)))


def secret_update(errors: Errors, new: Json, old: Json) -> None:
    common.immutable(errors, "type", new.get("type"), old.get("type"))
    _frozen(errors, new, old, ("data",))
    secret(errors, new)


def namespace_update(errors: Errors, new: Json, _old: Json) -> None:
    namespace_finalize(errors, new, new)


def namespace_finalize(errors: Errors, new: Json, _old: Json) -> None:
    for index, finalizer in enumerate((new.get("spec") or {}).get("finalizers") or ()):
        add_invalid(errors, "spec.finalizers", finalizer, names.qualified_name(finalizer))
        metadata.finalizer_word(errors, f"spec.finalizers[{index}]", finalizer)


_EFFECTS: Final = ("NoExecute", "NoSchedule", "PreferNoSchedule")


def node(errors: Errors, document: Json) -> None:
    spec, status = document.get("spec") or {}, document.get("status") or {}
    _taints(errors, spec.get("taints") or [])
    seen: set[tuple[Any, Any]] = set()
    for index, address in enumerate(status.get("addresses") or ()):
        key = (address.get("type"), address.get("address"))
        if key in seen:
            errors.append(fe.duplicate(f"status.addresses[{index}]", address))
        seen.add(key)
    cidrs = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
    for index, cidr in enumerate(cidrs):
        add_invalid(errors, f"spec.podCIDRs[{index}]", cidr, names.cidr(cidr))
    if len(cidrs) > 2:
        text = "may specify no more than one CIDR for each IP family"
        errors.append(fe.invalid_value("spec.podCIDRs", cidrs, text))
    for kind in ("capacity", "allocatable"):
        for name, amount in (status.get(kind) or {}).items():
            common.resource_amount(errors, f"status.{kind}[{name}]", name, amount)


def _taints(errors: Errors, taints: list[Json]) -> None:
    seen: set[tuple[Any, Any]] = set()
    for index, taint in enumerate(taints):
        path = f"metadata.taints[{index}]"
        key, effect = taint.get("key", ""), taint.get("effect", "")
        common.label_name(errors, f"{path}.key", key)
        if complaints := names.label_value(taint.get("value", "")):
            errors.append(fe.invalid_value(f"{path}.value", taint["value"], ";".join(complaints)))
        common.one_of(errors, f"{path}.effect", effect, _EFFECTS)
        if (key, effect) in seen:
            text = "taints must be unique by key and effect pair"
            errors.append(fe.FieldError(fe.DUPLICATE, path, taint, text))
        seen.add((key, effect))


def node_update(errors: Errors, new: Json, old: Json) -> None:
    node(errors, new)
    spec, stored = new.get("spec") or {}, old.get("spec") or {}
    text = 'node updates may not change podCIDR except from "" to valid'
    before = stored.get("podCIDRs") or ([stored["podCIDR"]] if stored.get("podCIDR") else [])
    now = spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else [])
    if before and now != before:
        errors.append(fe.forbidden_value("spec.podCIDRs", text))
    if stored.get("providerID") and spec.get("providerID") != stored["providerID"]:
        text = 'node updates may not change providerID except from "" to valid'
        errors.append(fe.forbidden_value("spec.providerID", text))


def service_account(_errors: Errors, _document: Json) -> None:
    """Nothing beyond metadata."""


def event(errors: Errors, document: Json) -> None:
    about = document.get("involvedObject") or document.get("regarding") or {}
    namespace = (document.get("metadata") or {}).get("namespace", "")
    if about.get("namespace", "") not in {"", namespace}:
        path = "involvedObject.namespace" if "involvedObject" in document else "regarding.namespace"
        errors.append(fe.invalid_value(path, about["namespace"], "does not match event.namespace"))
    if document.get("apiVersion") == "events.k8s.io/v1":
        _new_event(errors, document)


def _new_event(errors: Errors, document: Json) -> None:
    if not document.get("eventTime"):
        errors.append(fe.required("eventTime"))
    for field in ("reportingController", "reportingInstance", "action", "reason"):
        if not document.get(field):
            errors.append(fe.required(field))
    kind = document.get("type", "")
    if kind not in {"Normal", "Warning"}:
        errors.append(fe.invalid_value("type", kind, "has invalid value: " + kind))


def event_update(_errors: Errors, _new: Json, _old: Json) -> None:
    """Series updates change freely."""


_QUOTA_STANDARD: Final = frozenset(
    {"cpu", "memory", "ephemeral-storage", "requests.cpu", "requests.memory", "requests.storage"}
    | {"requests.ephemeral-storage", "limits.cpu", "limits.memory", "limits.ephemeral-storage", "pods"}
    | {"resourcequotas", "services", "replicationcontrollers", "secrets", "persistentvolumeclaims", "configmaps"}
    | {"services.nodeports", "services.loadbalancers"}
)
_SCOPES: Final = (
    *("BestEffort", "CrossNamespacePodAffinity", "NotBestEffort", "NotTerminating", "PriorityClass"),
    *("Terminating", "VolumeAttributesClass"),
)
_CONFLICTS: Final = (("Terminating", "NotTerminating"), ("BestEffort", "NotBestEffort"))


def resource_quota(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    for name, amount in (spec.get("hard") or {}).items():
        path = f"spec.hard[{name}]"
        add_invalid(errors, path, name, names.qualified_name(name))
        if "/" not in name and name not in _QUOTA_STANDARD and not _counted(name):
            errors.append(fe.invalid_value(path, name, "must be a standard resource for quota"))
        common.resource_amount(errors, path, name, amount)
    scopes = spec.get("scopes") or []
    for scope in scopes:
        if scope not in _SCOPES:
            errors.append(fe.invalid_value("spec.scopes", scopes, "unsupported scope"))
        elif scope == "BestEffort" and any(name != "pods" for name in spec.get("hard") or {}):
            text = "unsupported scope applied to resource"
            errors.append(fe.invalid_value("spec.scopes", scopes, text))
    for one, other in _CONFLICTS:
        if one in scopes and other in scopes:
            errors.append(fe.invalid_value("spec.scopes", scopes, "conflicting scopes"))


def _counted(name: str) -> bool:
    return name.startswith(("count/", "requests.hugepages-", "hugepages-", "requests."))


def resource_quota_update(errors: Errors, new: Json, old: Json) -> None:
    resource_quota(errors, new)
    now, before = (sorted((d.get("spec") or {}).get("scopes") or ()) for d in (new, old))
    if now != before:
        errors.append(fe.invalid_value("spec.scopes", now, common.IMMUTABLE))


def limit_range(errors: Errors, document: Json) -> None:
    seen: set[Any] = set()
    for index, item in enumerate((document.get("spec") or {}).get("limits") or ()):
        path, kind = f"spec.limits[{index}]", item.get("type", "")
        if not kind:
            errors.append(fe.required(f"{path}.type"))
        if kind in seen:
            errors.append(fe.duplicate(f"{path}.type", kind))
        seen.add(kind)
        if kind == "Pod":
            for field in ("default", "defaultRequest"):
                if item.get(field):
                    text = "may not be specified when `type` is 'Pod'"
                    errors.append(fe.forbidden_value(f"{path}.{field}", text))
        if kind == "PersistentVolumeClaim" and not (
            "storage" in (item.get("min") or {}) or "storage" in (item.get("max") or {})
        ):
            text = "either minimum or maximum storage value is required, but neither was provided"
            errors.append(fe.required(f"{path}.limits", text))
        _limit_order(errors, path, item)


_ORDER: Final = (
    ("min", "max", "min value {} is greater than max value {}", "min"),
    ("min", "defaultRequest", "min value {} is greater than default request value {}", "defaultRequest"),
    ("defaultRequest", "max", "default request value {} is greater than max value {}", "defaultRequest"),
    ("defaultRequest", "default", "default request value {} is greater than default limit value {}", "defaultRequest"),
    ("min", "default", "min value {} is greater than default value {}", "default"),
    ("default", "max", "default value {} is greater than max value {}", "default"),
)


def _limit_order(errors: Errors, path: str, item: Json) -> None:
    for low, high, text, field in _ORDER:
        lower, upper = item.get(low) or {}, item.get(high) or {}
        for name in sorted(lower.keys() & upper.keys()):
            if quantity.compare(lower[name], upper[name]) > 0:
                value = (item.get(field) or {}).get(name)
                place = f"{path}.{field}[{name}]"
                errors.append(fe.invalid_value(place, value, text.format(lower[name], upper[name])))
    for name, ratio in (item.get("maxLimitRequestRatio") or {}).items():
        if quantity.compare(ratio, "1") < 0:
            place = f"{path}.maxLimitRequestRatio[{name}]"
            errors.append(fe.invalid_value(place, ratio, f"ratio {ratio} is less than 1"))


def limit_range_update(errors: Errors, new: Json, _old: Json) -> None:
    limit_range(errors, new)


MAX_USER_PRIORITY: Final = 1_000_000_000
_SYSTEM_PRIORITIES: Final = {"system-node-critical": 2_000_001_000, "system-cluster-critical": 2_000_000_000}
_PREEMPTION: Final = ("Never", "PreemptLowerPriority")


def priority_class(errors: Errors, document: Json) -> None:
    name, value = (document.get("metadata") or {}).get("name", ""), document.get("value", 0)
    if name.startswith("system-"):
        if _SYSTEM_PRIORITIES.get(name) != value:
            text = (
                "priority class names with 'system-' prefix are reserved for system use only. error: "
                f"{name} is not a known system priority class"
            )
            errors.append(fe.forbidden_value("metadata.name", text))
    elif value > MAX_USER_PRIORITY:
        text = f"maximum allowed value of a user defined priority is {MAX_USER_PRIORITY}"
        errors.append(fe.forbidden_value("value", text))
    if "preemptionPolicy" in document:
        common.one_of(errors, "preemptionPolicy", document["preemptionPolicy"], _PREEMPTION)


def priority_class_update(errors: Errors, new: Json, old: Json) -> None:
    if new.get("value", 0) != old.get("value", 0):
        errors.append(fe.forbidden_value("value", "may not be changed in an update."))
    common.immutable(errors, "preemptionPolicy", new.get("preemptionPolicy"), old.get("preemptionPolicy"))


def runtime_class(errors: Errors, document: Json) -> None:
    handler = document.get("handler", "")
    add_invalid(errors, "handler", handler, names.dns_label(handler))


def runtime_class_update(errors: Errors, new: Json, old: Json) -> None:
    runtime_class(errors, new)
    common.immutable(errors, "handler", new.get("handler"), old.get("handler"))


def lease(errors: Errors, document: Json) -> None:
    spec = document.get("spec") or {}
    duration = spec.get("leaseDurationSeconds")
    if duration is not None and duration <= 0:
        errors.append(fe.invalid_value("spec.leaseDurationSeconds", duration, "must be greater than 0"))
    transitions = spec.get("leaseTransitions")
    common.not_negative(errors, "spec.leaseTransitions", transitions)


def lease_update(errors: Errors, new: Json, _old: Json) -> None:
    lease(errors, new)
