"""Which schemas are structural: every place says what it is, and the junctors only restrict what is there.

    every place has a type, or int-or-string, or preserve-unknown-fields
    inside allOf, anyOf, oneOf, not       only validations of values, of fields that the structure has
    metadata at the root                  may restrict name and generateName
    additionalProperties                  not at the root

Follows: apiextensions-apiserver pkg/apiserver/schema/validation.go.
"""

from typing import Any, Final

from pybernetes.api.structural.schema import META_FIELDS
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery.cel import regex
from pybernetes.machinery.cel.errors import EvaluationError
from pybernetes.machinery.field_errors import FieldError

Json = dict[str, Any]
Errors = list[FieldError]

_ROOT, _ITEM, _FIELD = "at the root", "for specified array items", "for specified object fields"
_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
_JUNCTORS: Final = ("anyOf", "allOf", "oneOf")

_FORBIDDEN_BELOW_JUNCTORS: Final = (
    ("type", "must be empty to be structural"),
    ("additionalProperties", "must be undefined to be structural"),
    ("default", "must be undefined to be structural"),
    ("title", "must be empty to be structural"),
    ("description", "must be empty to be structural"),
    ("nullable", "must be false to be structural"),
    ("x-kubernetes-preserve-unknown-fields", "must be false to be structural"),
    ("x-kubernetes-embedded-resource", "must be false to be structural"),
    ("x-kubernetes-int-or-string", "must be false to be structural"),
    ("x-kubernetes-list-map-keys", "must be empty to be structural"),
    ("x-kubernetes-list-type", "must be undefined to be structural"),
    ("x-kubernetes-map-type", "must be undefined to be structural"),
    ("x-kubernetes-validations", "must be empty to be structural"),
)


def check(schema: Json, path: str) -> list[FieldError]:
    """All complaints, sorted; none for a structural schema."""
    errors: Errors = []
    _invariants(errors, schema, _ROOT, path)
    _completeness(errors, schema, schema, path, path)
    return sorted(errors, key=str)


def _invariants(errors: Errors, schema: Json, level: str, path: str) -> None:
    kind, items = schema.get("type", ""), schema.get("items")
    if kind == "array" and not isinstance(items, dict):
        errors.append(fe.required(f"{path}.items", "must be specified"))
    if isinstance(items, dict):
        _invariants(errors, items, _ITEM, f"{path}.items")
    for name, below in schema.get("properties", {}).items():
        _invariants(errors, below, _FIELD, f"{path}.properties[{name}]")
    additional = schema.get("additionalProperties")
    if additional is not None:
        if level == _ROOT:
            errors.append(fe.forbidden_value(f"{path}.additionalProperties", "must not be used at the root"))
        if isinstance(additional, dict):
            _invariants(errors, additional, _FIELD, f"{path}.additionalProperties")
    _extensions(errors, schema, path)
    first = (schema.get("allOf") or [{}])[0]
    _value_validation(
        errors,
        schema,
        path,
        skip_any_of=schema.get("anyOf") == _INT_OR_STRING,
        skip_first_all_of=first.get("anyOf") == _INT_OR_STRING,
    )
    _type(errors, schema, kind, level, path)
    _meta(errors, schema, level, path)


def _extensions(errors: Errors, schema: Json, path: str) -> None:
    if not schema.get("x-kubernetes-int-or-string"):
        return
    for name in ("x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource"):
        if schema.get(name):
            text = "must be false if x-kubernetes-int-or-string is true"
            errors.append(fe.invalid_value(f"{path}.{name}", True, text))


def _type(errors: Errors, schema: Json, kind: str, level: str, path: str) -> None:
    embedded, preserve = (
        schema.get("x-kubernetes-embedded-resource"),
        schema.get("x-kubernetes-preserve-unknown-fields"),
    )
    if embedded and kind != "object":
        text = "must be object if x-kubernetes-embedded-resource is true"
        error = fe.invalid_value(f"{path}.type", kind, text) if kind else fe.required(f"{path}.type", text)
        errors.append(error)
    elif not kind and not schema.get("x-kubernetes-int-or-string") and not preserve:
        errors.append(fe.required(f"{path}.type", f"must not be empty {level}"))
    if embedded and schema.get("additionalProperties") is not None:
        text = "must not be used if x-kubernetes-embedded-resource is set"
        errors.append(fe.forbidden_value(f"{path}.additionalProperties", text))
    if level == _ROOT and kind and kind != "object":
        errors.append(fe.invalid_value(f"{path}.type", kind, "must be object at the root"))
    if embedded and not preserve and not schema.get("properties"):
        text = (
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields"
        )
        errors.append(fe.required(f"{path}.properties", text))


def _meta(errors: Errors, schema: Json, level: str, path: str) -> None:
    """The fields that every object has say nothing but their type."""
    if level != _ROOT and not schema.get("x-kubernetes-embedded-resource"):
        return
    properties = schema.get("properties", {})
    for name, wanted in zip(META_FIELDS, ("string", "string", "object"), strict=True):
        found = properties.get(name)
        if found is not None and found.get("type", "") != wanted:
            errors.append(
                fe.invalid_value(f"{path}.properties[{name}].type", found.get("type", ""), f"must be {wanted}")
            )
    metadata = properties.get("metadata")
    if level == _ROOT and metadata is not None:
        rest = {key: value for key, value in metadata.items() if key not in {"type", "default", "properties"}}
        if rest or not metadata.get("properties", {}).keys() <= {"name", "generateName"}:
            text = "must not specify anything other than name and generateName, but metadata is implicitly specified"
            errors.append(fe.forbidden_value(f"{path}.properties[metadata]", text))


def _value_validation(
    errors: Errors, schema: Json, path: str, *, skip_any_of: bool = False, skip_first_all_of: bool = False
) -> None:
    for name in _JUNCTORS:
        if name == "anyOf" and skip_any_of:
            continue
        for index, nested in enumerate(schema.get(name, ())):
            skip = skip_first_all_of and name == "allOf" and index == 0
            _nested(errors, nested, f"{path}.{name}[{index}]", skip_any_of=skip)
    if "not" in schema:
        _nested(errors, schema["not"], f"{path}.not")
    pattern = schema.get("pattern")
    if pattern:
        try:
            regex.compiled(pattern)
        except EvaluationError as error:
            text = f"must be a valid regular expression, but isn't: {error}"
            errors.append(fe.invalid_value(f"{path}.pattern", pattern, text))


def _nested(errors: Errors, schema: Json, path: str, *, skip_any_of: bool = False) -> None:
    """A schema inside of a junctor."""
    _value_validation(errors, schema, path, skip_any_of=skip_any_of)
    if isinstance(schema.get("items"), dict):
        _nested(errors, schema["items"], f"{path}.items")
    for name, below in schema.get("properties", {}).items():
        _nested(errors, below, f"{path}.properties[{name}]")
    for name, text in _FORBIDDEN_BELOW_JUNCTORS:
        if schema.get(name) is not None and (schema[name] or name in {"default", "additionalProperties"}):
            errors.append(fe.forbidden_value(f"{path}.{name}", text))
    if "metadata" in schema.get("properties", {}):
        text = "must not be specified in a nested context"
        errors.append(fe.forbidden_value(f"{path}.properties[metadata]", text))


def _completeness(errors: Errors, nested: Json, structure: Json, place: str, path: str) -> None:
    """What junctors speak about stands in the structure, too."""
    for name in ("not", "allOf", "anyOf", "oneOf"):
        found = nested.get(name)
        if isinstance(found, dict):
            _nested_completeness(errors, found, structure, place, f"{path}.{name}")
        else:
            for index, below in enumerate(found or ()):
                _nested_completeness(errors, below, structure, place, f"{path}.{name}[{index}]")


def _nested_completeness(errors: Errors, nested: Json, structure: Json | None, place: str, path: str) -> None:
    if structure is None:
        errors.append(fe.required(place, f"because it is defined in {path}"))
        return
    _completeness(errors, nested, structure, place, path)
    items, known = nested.get("items"), structure.get("items")
    if isinstance(items, dict):
        _nested_completeness(
            errors, items, known if isinstance(known, dict) else None, f"{place}.items", f"{path}.items"
        )
    for name, below in nested.get("properties", {}).items():
        found = structure.get("properties", {}).get(name)
        _nested_completeness(errors, below, found, f"{place}.properties[{name}]", f"{path}.properties[{name}]")
