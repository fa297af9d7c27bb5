"""What else a definition's schema must keep to: supported keywords, list types, rules that are well-formed.

Expressions of rules are compiled and priced elsewhere (`cel_rules`): here are their texts only.

Follows: apiextensions-apiserver pkg/apis/apiextensions/validation/validation.go,
ValidateCustomResourceDefinitionOpenAPISchema.
"""

import dataclasses
import re
from collections.abc import Callable
from typing import Any, Final

from pybernetes.api.structural import field_paths
from pybernetes.api.structural.schema import META_FIELDS, Structural
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery.field_errors import FieldError

Json = dict[str, Any]
Errors = list[FieldError]

MAX_COST: Final = 2**64 - 1
"""Costs stop here, as Go's counters do."""
TYPES: Final = ("array", "boolean", "integer", "number", "object", "string")
REASONS: Final = ("FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired")
_UNSUPPORTED: Final = (
    ("id", "id is not supported"),
    ("additionalItems", "additionalItems is not supported"),
    ("patternProperties", "patternProperties is not supported"),
    ("definitions", "definitions is not supported"),
    ("dependencies", "dependencies is not supported"),
    ("$ref", "$ref is not supported"),
)
_LINE_BREAK = re.compile(r"[\n\r]").search


@dataclasses.dataclass(frozen=True, slots=True)
class Place:
    """What is known of a place from those above it."""

    root: bool = False
    structural: bool = True
    """Reached through properties and items only: rules here are compiled."""
    no_defaults: str | None = None
    """Why defaults are forbidden here; empty without a reason, None when they are not."""
    in_metadata: bool = False
    cardinality: int | None = 1
    """How often the place can be there in one object; None where nothing bounds it."""
    uncorrelated: str = ""
    """Path of the place above whose parts, old and new, cannot be told to be the same: no oldSelf below."""


Rules = Callable[[Errors, Json, str, Place], None]
"""Compiles the rules of one place: (errors, schema, path, place)."""


def check(schema: Json, path: str, rules: Rules | None = None) -> list[FieldError]:
    """All complaints about the schema of a resource; `rules` is asked only below places that are well-formed."""
    errors: Errors = []
    expressions: Errors = []
    _check(errors, expressions, schema, path, Place(root=True), rules)
    return errors + expressions


def _check(errors: Errors, expressions: Errors, schema: Json, path: str, place: Place, rules: Rules | None) -> None:
    before = len(errors)
    _keywords(errors, schema, path, place)
    for below, name, where in _below(schema, path, place):
        _check(errors, expressions, below, name, where, rules)
    _extensions(errors, schema, path)
    _list_keys(errors, schema, path)
    _required_keys(errors, schema, path)
    for index, rule in enumerate(schema.get("x-kubernetes-validations", ())):
        _rule(errors, schema, rule, f"{path}.x-kubernetes-validations[{index}]")
    if rules is not None and place.structural and len(errors) == before and schema.get("x-kubernetes-validations"):
        rules(expressions, schema, path, place)


def _below(schema: Json, path: str, place: Place) -> list[tuple[Json, str, Place]]:
    """The schemas right below, with their paths."""
    inner = dataclasses.replace(place, root=False, cardinality=_times(place.cardinality, schema))
    found: list[tuple[Json, str, Place]] = []
    additional = schema.get("additionalProperties")
    if isinstance(additional, dict):
        where = inner
        if place.in_metadata:
            where = dataclasses.replace(inner, no_defaults="inside additionalProperties applying to object metadata")
        found.append((additional, f"{path}.additionalProperties", where))
    for name, below in schema.get("properties", {}).items():
        where = inner
        if name in META_FIELDS and (place.root or schema.get("x-kubernetes-embedded-resource")):
            where = dataclasses.replace(where, in_metadata=True)
            if place.root:
                where = dataclasses.replace(where, no_defaults=f"in top-level {name}")
        found.append((below, f"{path}.properties[{name}]", where))
    outside = dataclasses.replace(inner, structural=False)
    if "not" in schema:
        found.append((schema["not"], f"{path}.not", outside))
    for junctor in ("allOf", "oneOf", "anyOf"):
        found += [(below, f"{path}.{junctor}[{index}]", outside) for index, below in enumerate(schema.get(junctor, ()))]
    items = schema.get("items")
    if isinstance(items, dict):
        where = inner
        if schema.get("x-kubernetes-list-type") != "map":
            where = dataclasses.replace(where, uncorrelated=where.uncorrelated or path)
        found.append((items, f"{path}.items", where))
    return found


def _times(cardinality: int | None, schema: Json) -> int | None:
    """How often what is right below can be there. Follows: cel_validation.go, extractMaxElements."""
    factor: int | None = 1
    if schema.get("type") == "array":
        factor = schema.get("maxItems")
    elif schema.get("type") == "object" and schema.get("additionalProperties") is not None:
        factor = schema.get("maxProperties")
    return None if cardinality is None or factor is None else min(cardinality * max(factor, 0), MAX_COST)


def _keywords(errors: Errors, schema: Json, path: str, place: Place) -> None:
    kind = schema.get("type", "")
    if kind and kind not in TYPES:
        errors.append(fe.not_supported(f"{path}.type", kind, TYPES))
    if schema.get("default") is not None and place.no_defaults is not None:
        text = f"must not be set {place.no_defaults}".rstrip()
        errors.append(fe.forbidden_value(f"{path}.default", text))
    for name, text in _UNSUPPORTED:
        if schema.get(name) is not None:
            errors.append(fe.forbidden_value(f"{path}.{name}", text))
    if kind == "null":
        text = "type cannot be set to null, use nullable as an alternative"
        errors.append(fe.forbidden_value(f"{path}.type", text))
    if isinstance(schema.get("items"), list):
        errors.append(fe.forbidden_value(f"{path}.items", "items must be a schema object and not an array"))
    if place.in_metadata and schema.get("x-kubernetes-embedded-resource"):
        text = "must not be used inside of resource meta"
        errors.append(fe.forbidden_value(f"{path}.x-kubernetes-embedded-resource", text))
    if schema.get("uniqueItems"):
        text = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic"
        errors.append(fe.forbidden_value(f"{path}.uniqueItems", text))
    additional = schema.get("additionalProperties")
    if additional is not None and additional is not True and schema.get("properties"):
        text = "additionalProperties and properties are mutual exclusive"
        errors.append(fe.forbidden_value(f"{path}.additionalProperties", text))


def _extensions(errors: Errors, schema: Json, path: str) -> None:
    kind = schema.get("type", "")
    if schema.get("x-kubernetes-preserve-unknown-fields") is False:
        name = f"{path}.x-kubernetes-preserve-unknown-fields"
        errors.append(fe.invalid_value(name, False, "must be true or undefined"))
    map_type, list_type = schema.get("x-kubernetes-map-type"), schema.get("x-kubernetes-list-type")
    if map_type is not None:
        if kind != "object":
            errors.append(_wrong_type(path, kind, "must be object if x-kubernetes-map-type is specified"))
        if map_type not in {"atomic", "granular"}:
            errors.append(fe.not_supported(f"{path}.x-kubernetes-map-type", map_type, ("atomic", "granular")))
    if list_type is None:
        return
    items = schema.get("items")
    if kind != "array":
        errors.append(_wrong_type(path, kind, "must be array if x-kubernetes-list-type is specified"))
    elif list_type == "set" and isinstance(items, dict):
        text = "must be atomic as item of a list with x-kubernetes-list-type=set"
        below = items.get("x-kubernetes-list-type")
        if items.get("type") == "array" and below not in {None, "atomic"}:
            errors.append(fe.invalid_value(f"{path}.items.x-kubernetes-list-type", below, text))
        elif items.get("type") == "object" and items.get("x-kubernetes-map-type") != "atomic":
            errors.append(fe.invalid_value(f"{path}.items.x-kubernetes-map-type", below, text))
    if list_type not in {"atomic", "set", "map"}:
        errors.append(fe.not_supported(f"{path}.x-kubernetes-list-type", list_type, ("atomic", "set", "map")))


def _wrong_type(path: str, kind: str, text: str) -> FieldError:
    return fe.invalid_value(f"{path}.type", kind, text) if kind else fe.required(f"{path}.type", text)


def _list_keys(errors: Errors, schema: Json, path: str) -> None:
    keys, list_type = schema.get("x-kubernetes-list-map-keys"), schema.get("x-kubernetes-list-type")
    if keys and list_type != "map":
        text, name = "must be map if x-kubernetes-list-map-keys is non-empty", f"{path}.x-kubernetes-list-type"
        errors.append(fe.required(name, text) if list_type is None else fe.invalid_value(name, list_type, text))
    if list_type != "map":
        return
    name = f"{path}.x-kubernetes-list-map-keys"
    if not keys:
        errors.append(fe.required(name, "must not be empty if x-kubernetes-list-type is map"))
    items = schema.get("items")
    if items is None:
        errors.append(fe.required(f"{path}.items", "must have a schema if x-kubernetes-list-type is map"))
        return
    if not isinstance(items, dict):
        text = "must only have a single schema if x-kubernetes-list-type is map"
        errors.append(fe.invalid_value(f"{path}.items", items, text))
        return
    if items.get("type") != "object":
        text = "must be object if parent array's x-kubernetes-list-type is map"
        errors.append(fe.invalid_value(f"{path}.items.type", items.get("type", ""), text))
        return
    seen: set[str] = set()
    for key in keys or ():
        found = items.get("properties", {}).get(key)
        if found is None:
            errors.append(fe.invalid_value(name, keys, "entries must all be names of item properties"))
        elif found.get("type") in {"array", "object"}:
            text = "must be a scalar type if parent array's x-kubernetes-list-type is map"
            errors.append(fe.invalid_value(f"{path}.items.properties[{key}].type", items["type"], text))
        if key in seen:
            errors.append(fe.invalid_value(name, keys, "must not contain duplicate entries"))
        seen.add(key)


def _required_keys(errors: Errors, schema: Json, path: str) -> None:
    """Follows: validateMapListKeysMapSet."""
    list_type, items = schema.get("x-kubernetes-list-type"), schema.get("items")
    if list_type not in {"set", "map"} or not isinstance(items, dict):
        return
    if items.get("nullable"):
        text = f"cannot be nullable when x-kubernetes-list-type is {list_type}"
        errors.append(fe.forbidden_value(f"{path}.items.nullable", text))
    for key in schema.get("x-kubernetes-list-map-keys", ()) if list_type == "map" else ():
        found, place = items.get("properties", {}).get(key), f"{path}.items.properties[{key}]"
        if found is None:
            continue
        if key not in items.get("required", ()) and found.get("default") is None:
            text = "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property"
            errors.append(fe.required(f"{place}.default", text))
        if found.get("nullable"):
            text = "this property is in x-kubernetes-list-map-keys, so it cannot be nullable"
            errors.append(fe.forbidden_value(f"{place}.nullable", text))


def _rule(errors: Errors, schema: Json, rule: Json, path: str) -> None:
    text, message = rule.get("rule", "").strip(), rule.get("message", "")
    if not text:
        errors.append(fe.required(f"{path}.rule", "rule is not specified"))
    elif message and not message.strip():
        errors.append(fe.invalid_value(f"{path}.message", message, "must be non-empty if specified"))
    elif _LINE_BREAK(message.strip()):
        errors.append(fe.invalid_value(f"{path}.message", message, "must not contain line breaks"))
    elif _LINE_BREAK(text) and not message.strip():
        errors.append(fe.required(f"{path}.message", "message must be specified if rule contains line breaks"))
    expression = rule.get("messageExpression", "")
    if expression and not expression.strip():
        errors.append(fe.required(f"{path}.messageExpression", "messageExpression must be non-empty if specified"))
    reason, place = rule.get("reason"), rule.get("fieldPath", "")
    if reason is not None and reason not in REASONS:
        errors.append(fe.not_supported(f"{path}.reason", reason, REASONS))
    if place and not place.strip():
        errors.append(fe.invalid_value(f"{path}.fieldPath", place, "must be non-empty if specified"))
    if _LINE_BREAK(place):
        errors.append(fe.invalid_value(f"{path}.fieldPath", place, "must not contain line breaks"))
    if place:
        try:
            field_paths.find(place, Structural(schema))
        except field_paths.FieldPathError:
            errors.append(fe.invalid_value(f"{path}.fieldPath", place, "must be a valid path"))
