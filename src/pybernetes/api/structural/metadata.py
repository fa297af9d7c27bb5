"""Whole objects inside of custom resources (`x-kubernetes-embedded-resource`): their kind and metadata are checked.

    coerced    metadata as Go would write it, unknown fields out; raises what has the wrong type
    check      apiVersion and kind must be there, metadata must make sense

Follows: apiextensions-apiserver pkg/apiserver/schema/objectmeta/{algorithm,coerce,validation}.go.
"""

from typing import Any, Final

from pybernetes.api import normalize
from pybernetes.api.structural.schema import Structural
from pybernetes.api.validation import common
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names
from pybernetes.machinery.field_errors import FieldError

Json = dict[str, Any]

OBJECT_META: Final = "meta.v1.ObjectMeta"


class WrongMetadata(ValueError):
    """apiVersion, kind or metadata of an embedded object has the wrong type."""

    def __init__(self, error: FieldError) -> None:
        super().__init__(str(error))
        self.error = error


def coerced(value: Any, schema: Structural | None, unknown: list[str], path: str = "") -> Any:
    """The value with the metadata of embedded objects normalised; paths of unknown fields are appended.

    Raises:
        WrongMetadata.
    """
    if schema is None:
        return value
    if type(value) is dict:
        result = dict(value)
        if schema.embedded:
            _coerce_object(result, path, unknown)
        for key, item in result.items():
            below = schema.child(key)
            if below is not None and type(item) in _CONTAINERS:
                result[key] = coerced(item, below, unknown, f"{path}.{key}" if path else key)
        return result
    if type(value) is list:
        return [coerced(item, schema.items, unknown, f"{path}[{index}]") for index, item in enumerate(value)]
    return value


_CONTAINERS = (dict, list)


def _coerce_object(value: Json, path: str, unknown: list[str]) -> None:
    for key in ("apiVersion", "kind"):
        if key in value and type(value[key]) is not str:
            raise WrongMetadata(fe.invalid_value(_join(path, key), value[key], "must be a string"))
    given = value.get("metadata")
    if given is None:
        value.pop("metadata", None)
        return
    place = _join(path, "metadata")
    dropped: list[str] = []
    try:
        value["metadata"] = normalize.normalize(given, OBJECT_META, dropped)
    except normalize.TypeMismatch as error:
        raise WrongMetadata(fe.invalid_value(place, given, str(error))) from None
    if dropped:
        unknown.extend(f"{place}.{below}" for below in normalize.unknown_fields(given, OBJECT_META))


def check(value: Any, schema: Structural | None, path: str = "") -> list[FieldError]:
    """Complaints about embedded objects below the value."""
    if schema is None:
        return []
    found: list[FieldError] = []
    if type(value) is dict:
        if schema.embedded:
            found += check_object(value, path)
        for key, item in value.items():
            if key in schema.properties:
                found += check(item, schema.properties[key], _join(path, key))
            elif schema.additional is not None:
                found += check(item, schema.additional, f"{path}[{key}]")
    elif type(value) is list:
        for index, item in enumerate(value):
            found += check(item, schema.items, f"{path}[{index}]")
    return found


def check_object(value: Json, path: str) -> list[FieldError]:
    """Complaints about apiVersion, kind and metadata of one embedded object."""
    found = [fe.required(_join(path, key)) for key in ("apiVersion", "kind") if key not in value]
    for key, item in value.items():
        place = _join(path, key)
        if key in {"apiVersion", "kind"}:
            if type(item) is not str:
                found.append(fe.invalid_value(place, item, "must be a string"))
            elif not item:
                found.append(fe.invalid_value(place, item, "must not be empty"))
            elif key == "apiVersion" and item.count("/") > 1:
                found.append(fe.invalid_value(place, item, f"unexpected GroupVersion string: {item}"))
            elif key == "kind" and (complaints := names.dns_1035_label(item.lower())):
                text = f"may have mixed case, but should otherwise match: {','.join(complaints)}"
                found.append(fe.invalid_value(place, item, text))
        elif key == "metadata" and type(item) is dict:
            _check_metadata(found, item, place)
    return found


def _check_metadata(errors: list[FieldError], metadata: Json, path: str) -> None:
    """Follows: ValidateObjectMeta with path segments as names; an absent name is no complaint."""
    for field in ("name", "generateName"):
        if metadata.get(field):
            common.add_invalid(errors, f"{path}.{field}", metadata[field], names.path_segment(metadata[field]))
    if metadata.get("namespace"):
        common.add_invalid(errors, f"{path}.namespace", metadata["namespace"], names.dns_label(metadata["namespace"]))
    common.not_negative(errors, f"{path}.generation", metadata.get("generation"))
    if "labels" in metadata:
        common.labels(errors, f"{path}.labels", metadata["labels"])
    for key in metadata.get("annotations") or ():
        common.add_invalid(errors, f"{path}.annotations", key, names.qualified_name(key.lower()))
    for finalizer in metadata.get("finalizers") or ():
        common.add_invalid(errors, f"{path}.finalizers", finalizer, names.qualified_name(finalizer))


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
