"""Types of variables from OpenAPI schemas, with the converters that make documents values of these types.

    schema_type({"type": "object", "properties": {"replicas": {"type": "integer"}}})

What the schema does not describe, expressions cannot reach: `x-kubernetes-preserve-unknown-fields` opens nothing, and
a schema without a type gives no field at all. Sizes are bounded by maxLength, maxItems and maxProperties, or by what
fits into one request.

Follows: apiserver pkg/cel/common/{schemas,values}.go, pkg/cel/types.go; apiextensions-apiserver
pkg/apiserver/schema/cel/model.
"""

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pybernetes.machinery.cel import types
from pybernetes.machinery.cel.errors import EvaluationError
from pybernetes.machinery.cel.escaping import escape
from pybernetes.machinery.cel.limits import MAX_REQUEST_SIZE_BYTES
from pybernetes.machinery.cel.times import parse_date, parse_duration, parse_timestamp
from pybernetes.machinery.cel.types import Converter, Field, Kind, Type
from pybernetes.machinery.cel.values import ListView, MapView, ObjectView

Schema = Mapping[str, Any]
"""An OpenAPI v3 schema as a JSON document."""

_MAX_DURATION, _DATE, _MAX_DATETIME = 32, 12, 32
_MIN_DURATION, _MIN_DATETIME, _MIN_STRING = 3, 21, 2
"""Bytes of the JSON texts, with their quotation marks."""
_LONGEST_STRING = MAX_REQUEST_SIZE_BYTES - 2

_BOOL = replace(types.BOOL, max_elements=0, min_serialized_size=4)
_INT = replace(types.INT, max_elements=0, min_serialized_size=1)
_KEY = replace(types.STRING, max_elements=0, min_serialized_size=_MIN_STRING)
_META = {"type": "object", "properties": {"name": {"type": "string"}, "generateName": {"type": "string"}}}
_ROOT_PROPERTIES = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": _META}


def schema_type(schema: Schema, *, name: str = "selfType", resource_root: bool = False) -> Type | None:
    """The type of the values a schema admits; None if expressions cannot see them.

    `name` is what error messages call the object; fields add theirs to it. A resource root always has apiVersion, kind
    and metadata.name and generateName, whatever the schema says; so has every embedded resource.
    """
    if schema.get("x-kubernetes-int-or-string"):
        length = schema.get("maxLength")
        most = _LONGEST_STRING if length is None else max(length, 0) * 4
        return replace(types.DYN, max_elements=most, min_serialized_size=1)
    if resource_root or schema.get("x-kubernetes-embedded-resource"):
        schema = {**schema, "type": "object", "properties": {**schema.get("properties", {}), **_ROOT_PROPERTIES}}
        schema.pop("additionalProperties", None)
    match schema.get("type"):
        case "array":
            return _list(schema, name)
        case "object":
            additional = schema.get("additionalProperties")
            return _map(schema, additional, name) if isinstance(additional, Mapping) else _object(schema, name)
        case "string":
            return _string(schema)
        case "boolean":
            return _BOOL
        case "number":
            return replace(types.DOUBLE, max_elements=0, min_serialized_size=1, convert=_nullable(_double))
        case "integer":
            return _INT
        case _:
            return None


def _list(schema: Schema, name: str) -> Type | None:
    items = schema.get("items")
    if not isinstance(items, Mapping):
        return None
    element = schema_type(items, name=f"{name}.@idx")
    if element is None:
        return None
    most = schema.get("maxItems")
    if most is None:
        most = (MAX_REQUEST_SIZE_BYTES - 2) // (element.min_serialized_size + 1)
    kind = schema.get("x-kubernetes-list-type")
    unordered = kind in {"set", "map"}
    keys = tuple(schema.get("x-kubernetes-list-map-keys") or ()) if kind == "map" else ()
    convert: Converter | None = None
    if unordered or element.convert is not None:
        inner = element.convert

        def convert(value: Any) -> Any:
            return ListView(value, inner, unordered=unordered, keys=keys) if type(value) is list else value

    return Type(Kind.LIST, "list", (element,), max_elements=max(most, 0), min_serialized_size=2, convert=convert)


def _map(schema: Schema, values_schema: Schema, name: str) -> Type | None:
    value = schema_type(values_schema, name=f"{name}.@elem")
    if value is None:
        return None
    most = schema.get("maxProperties")
    if most is None:
        most = (MAX_REQUEST_SIZE_BYTES - 2) // (value.min_serialized_size + 6)
    convert: Converter | None = None
    if value.convert is not None:
        inner = value.convert

        def convert(document: Any) -> Any:
            return MapView(document, inner) if type(document) is dict else document

    return Type(Kind.MAP, "map", (_KEY, value), max_elements=max(most, 0), min_serialized_size=2, convert=convert)


def _object(schema: Schema, name: str) -> Type:
    required = set(schema.get("required") or ())
    fields: dict[str, Field] = {}
    smallest = 2  # {}
    for property_name, property_schema in (schema.get("properties") or {}).items():
        declared = schema_type(property_schema, name=f"{name}.{property_name}")
        if declared is None:
            continue
        written = escape(property_name)
        if written is not None:
            fields[written] = Field(property_name, declared)
        if property_name in required and "default" not in property_schema:
            smallest += len(property_name) + declared.min_serialized_size + 4
    return Type(
        Kind.STRUCT,
        name,
        fields=fields,
        max_elements=0,
        min_serialized_size=smallest,
        convert=_object_converter(fields),
    )


def _object_converter(fields: Mapping[str, Field]) -> Converter | None:
    """A view where a field's name or value differs from the document's; otherwise the document itself is the value."""
    if all(field.type.convert is None and field.name == written for written, field in fields.items()):
        return None
    names = {written: (field.name, field.type.convert) for written, field in fields.items()}

    def convert(document: Any) -> Any:
        return ObjectView(document, names) if type(document) is dict else document

    return convert


def _string(schema: Schema) -> Type:
    length = schema.get("maxLength")
    match schema.get("format"):
        case "byte":
            most = _LONGEST_STRING if length is None else max(length, 0)
            return _scalar(types.BYTES, most, _MIN_STRING, _decoded(_bytes, "byte"))
        case "duration":
            return _scalar(types.DURATION, _MAX_DURATION, _MIN_DURATION, _decoded(parse_duration, "duration"))
        case "date":
            return _scalar(types.TIMESTAMP, _DATE, _DATE, _decoded(parse_date, "date"))
        case "date-time":
            return _scalar(types.TIMESTAMP, _MAX_DATETIME, _MIN_DATETIME, _decoded(parse_timestamp, "date-time"))
        case _:
            pass
    if length is not None:
        most = max(length, 0) * 4  # bytes of as many code points
    elif schema.get("enum"):
        most = max((len(value.encode()) for value in schema["enum"] if isinstance(value, str)), default=0)
    else:
        most = _LONGEST_STRING
    return replace(types.STRING, max_elements=most, min_serialized_size=_MIN_STRING)


def _scalar(kind: Type, most: int, least: int, convert: Converter) -> Type:
    return replace(kind, max_elements=most, min_serialized_size=least, convert=_nullable(convert))


def _nullable(convert: Converter) -> Converter:
    return lambda value: None if value is None else convert(value)


def _double(value: Any) -> Any:
    return float(value) if type(value) is int else value


def _bytes(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _decoded(parse: Callable[[str], Any], form: str) -> Converter:
    def convert(value: Any) -> Any:
        if type(value) is not str:
            return value
        try:
            return parse(value)
        except ValueError as error:
            raise EvaluationError(f"Invalid {form} format: {error}") from None

    return convert
