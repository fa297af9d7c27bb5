"""Checks of environment variables and of what the downward API may tell.

Follows: pkg/apis/core/validation/validation.go, ValidateEnv, ValidateEnvFrom, validateObjectFieldSelector.
"""

import re
from typing import Any, Final

from pybernetes.api.validation.common import Errors, add_invalid
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names, quantity

Json = dict[str, Any]

_SOURCES: Final = ("fieldRef", "resourceFieldRef", "configMapKeyRef", "secretKeyRef", "fileKeyRef")
ONE_SOURCE: Final = (
    "must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`"
)
_ENV_PATHS: Final = frozenset(
    {"metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName"}
    | {"status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"}
)
_FILE_PATHS: Final = frozenset(
    {"metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid"}
)
_KNOWN_PATHS: Final = _ENV_PATHS | _FILE_PATHS | {"status.phase", "spec.restartPolicy", "spec.schedulerName"}
_SUBSCRIPT = re.compile(r"(metadata\.(?:labels|annotations))\['(.*)'\]").fullmatch
_RESOURCES: Final = tuple(
    f"{kind}.{name}" for kind in ("limits", "requests") for name in ("cpu", "memory", "ephemeral-storage")
)
_CPU_DIVISORS: Final = frozenset({"1m", "1"})
_SIZE_DIVISORS: Final = ("1", "1k", "1M", "1G", "1T", "1P", "1E", "1Ki", "1Mi", "1Gi", "1Ti", "1Pi", "1Ei")


def env(errors: Errors, path: str, variables: list[Json]) -> None:
    for index, variable in enumerate(variables):
        name = variable.get("name", "")
        if not name:
            errors.append(fe.required(f"{path}[{index}].name"))
        elif complaints := names.env_name(name):
            add_invalid(errors, f"{path}[{index}].name", name, complaints)
        if "valueFrom" in variable:
            _value_from(errors, f"{path}[{index}].valueFrom", variable)


def _value_from(errors: Errors, path: str, variable: Json) -> None:
    source = variable["valueFrom"]
    present = [kind for kind in _SOURCES if kind in source]
    if not present:
        errors.append(fe.invalid_value(path, "", ONE_SOURCE))
    elif variable.get("value"):
        errors.append(fe.invalid_value(path, "", "may not be specified when `value` is not empty"))
    elif len(present) > 1:
        errors.append(fe.invalid_value(path, "", "may not have more than one field specified at a time"))
    for kind in present:
        part, place = source[kind], f"{path}.{kind}"
        if kind == "fieldRef":
            field_reference(errors, place, part, _ENV_PATHS, subscripts=True)
        elif kind == "resourceFieldRef":
            resource_reference(errors, place, part, volume=False)
        elif not part.get("key"):
            errors.append(fe.required(f"{place}.key"))
        elif kind != "fileKeyRef":
            add_invalid(errors, f"{place}.key", part["key"], names.config_key(part["key"]))


def field_reference(errors: Errors, path: str, part: Json, allowed: frozenset[str], *, subscripts: bool) -> None:
    field = part.get("fieldPath", "")
    if not part.get("apiVersion"):
        errors.append(fe.required(f"{path}.apiVersion"))
        return
    if not field:
        errors.append(fe.required(f"{path}.fieldPath"))
        return
    subscript = _SUBSCRIPT(field) if subscripts else None
    if subscript is not None:
        key = subscript[2] if subscript[1] == "metadata.labels" else subscript[2].lower()
        add_invalid(errors, path, field, names.qualified_name(key))
    elif field in allowed:
        return
    elif field in _KNOWN_PATHS:
        errors.append(fe.not_supported(f"{path}.fieldPath", field, allowed))
    else:
        text = f"error converting fieldPath: field label not supported: {field}"
        errors.append(fe.invalid_value(f"{path}.fieldPath", field, text))


def resource_reference(errors: Errors, path: str, part: Json, *, volume: bool) -> None:
    resource = part.get("resource", "")
    if volume and not part.get("containerName"):
        errors.append(fe.required(f"{path}.containerName"))
    elif not resource:
        errors.append(fe.required(f"{path}.resource"))
    elif resource not in _RESOURCES and not resource.startswith(("limits.hugepages-", "requests.hugepages-")):
        errors.append(fe.not_supported(f"{path}.resource", resource, _RESOURCES))
    _divisor(errors, f"{path}.divisor", resource, part.get("divisor", "0"))


def _divisor(errors: Errors, path: str, resource: str, divisor: Any) -> None:
    shown = quantity.canonical(divisor)
    if shown == "0":
        return
    if resource.endswith(".cpu"):
        if shown not in _CPU_DIVISORS:
            text = "only divisor's values 1m and 1 are supported with the cpu resource"
            errors.append(fe.invalid_value(path, shown, text))
        return
    if quantity.parse(divisor) not in {quantity.parse(text) for text in _SIZE_DIVISORS}:
        what = {"memory": "memory", "ephemeral-storage": "local ephemeral storage"}.get(
            resource.partition(".")[2], "hugepages"
        )
        text = f"only divisor's values {', '.join(_SIZE_DIVISORS)} are supported with the {what} resource"
        errors.append(fe.invalid_value(path, shown, text))


def downward_source(errors: Errors, path: str, item: Json) -> None:
    """What a file of a downward API volume holds: one of a field and a resource."""
    if "fieldRef" in item:
        field_reference(errors, f"{path}.fieldRef", item["fieldRef"], _FILE_PATHS, subscripts=True)
        if "resourceFieldRef" in item:
            text = "fieldRef and resourceFieldRef can not be specified simultaneously"
            errors.append(fe.invalid_value(path, "resource", text))
    elif "resourceFieldRef" in item:
        resource_reference(errors, f"{path}.resourceFieldRef", item["resourceFieldRef"], volume=True)
    else:
        errors.append(fe.required(path, "one of fieldRef and resourceFieldRef is required"))


def env_from(errors: Errors, path: str, sources: list[Json]) -> None:
    for index, source in enumerate(sources):
        place = f"{path}[{index}]"
        prefix = source.get("prefix")
        if prefix:
            add_invalid(errors, f"{place}.prefix", prefix, names.env_name(prefix))
        present = [kind for kind in ("configMapRef", "secretRef") if kind in source]
        for kind in present:
            if not source[kind].get("name"):
                errors.append(fe.required(f"{place}.{kind}.name"))
        if not present:
            errors.append(fe.invalid_value(place, "", "must specify one of: `configMapRef` or `secretRef`"))
        elif len(present) > 1:
            errors.append(fe.invalid_value(place, "", "may not have more than one field specified at a time"))
