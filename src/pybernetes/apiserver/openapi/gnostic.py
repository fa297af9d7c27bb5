"""An OpenAPI v2 document in the protobuf form that kubectl and client-go ask for.

Client-go knows no other form of `/openapi/v2`, so the document that browsers get as JSON is written here in the
messages of gnostic. Values of any type, such as extensions, travel as YAML text, and JSON is YAML.

    Document ─ paths ─ NamedPathItem ─ PathItem ─ Operation ─ ParametersItem
             └ definitions ─ NamedSchema ─ Schema ─ Properties …

Follows: google/gnostic-models openapiv2/OpenAPIv2.proto (field numbers).
"""

import struct
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

Json = Mapping[str, Any]

_LENGTH_DELIMITED = 2
_OPERATIONS = {"get": 2, "put": 3, "post": 4, "delete": 5, "options": 6, "head": 7, "patch": 8}


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _field(number: int, payload: bytes) -> bytes:
    return _varint(number << 3 | _LENGTH_DELIMITED) + _varint(len(payload)) + payload


def _text(number: int, value: str | None) -> bytes:
    return _field(number, value.encode()) if value else b""


def _flag(number: int, value: Any) -> bytes:
    return _varint(number << 3) + b"\x01" if value else b""


def _texts(number: int, values: Iterable[str] | None) -> bytes:
    return b"".join(_field(number, value.encode()) for value in values or ())


def _any(number: int, value: Any) -> bytes:
    """google.protobuf.Any is left out: readers use the YAML text."""
    return _field(number, _field(2, orjson.dumps(value) + b"\n"))


def _extensions(number: int, node: Json) -> bytes:
    return b"".join(
        _field(number, _text(1, name) + _any(2, value)) for name, value in node.items() if name.startswith("x-")
    )


def _named(number: int, name: str, message: bytes) -> bytes:
    return _field(number, _text(1, name) + _field(2, message))


_NUMBERS = {"multipleOf": 6, "maximum": 7, "minimum": 9}
_COUNTS = {
    "maxLength": 11,
    "minLength": 12,
    "maxItems": 14,
    "minItems": 15,
    "maxProperties": 17,
    "minProperties": 18,
}
_DOUBLE = 1
"""Wire type of eight bytes."""


def _values(schema: Json) -> bytes:
    """What restricts values."""
    parts = [
        _varint(number << 3 | _DOUBLE) + struct.pack("<d", schema[name])
        for name, number in _NUMBERS.items()
        if name in schema
    ]
    parts += [_flag(8, schema.get("exclusiveMaximum")), _flag(10, schema.get("exclusiveMinimum"))]
    parts += [_varint(number << 3) + _varint(schema[name]) for name, number in _COUNTS.items() if name in schema]
    return b"".join([*parts, _text(13, schema.get("pattern")), _text(3, schema.get("title"))])


def encode_schema(schema: Json) -> bytes:
    """A Schema message."""
    parts = [
        _text(1, schema.get("$ref")),
        _text(2, schema.get("format")),
        _text(4, schema.get("description")),
        _any(5, schema["default"]) if "default" in schema else b"",
        _values(schema),
        _texts(19, schema.get("required")),
        b"".join(_any(20, value) for value in schema.get("enum", ())),
    ]
    if "additionalProperties" in schema:
        additional = schema["additionalProperties"]
        below = _field(1, encode_schema(additional)) if isinstance(additional, dict) else _flag(2, additional)
        parts.append(_field(21, below))
    if "type" in schema:
        parts.append(_field(22, _texts(1, [schema["type"]])))
    if "items" in schema:
        parts.append(_field(23, _field(1, encode_schema(schema["items"]))))
    if "properties" in schema:
        rows = schema["properties"].items()
        parts.append(_field(25, b"".join(_named(1, name, encode_schema(value)) for name, value in rows)))
    parts.append(_extensions(31, schema))
    return b"".join(parts)


def _parameter(parameter: Json) -> bytes:
    """ParametersItem."""
    place = parameter["in"]
    if place == "body":
        body = (
            _text(2, parameter["name"])
            + _text(3, place)
            + _flag(4, parameter.get("required"))
            + _field(5, encode_schema(parameter["schema"]))
        )
        return _field(1, _field(1, body))
    kind = 3 if place == "query" else 4
    shift = 1 if place == "query" else 0  # query parameters have `allow_empty_value` before the type
    message = (
        _flag(1, parameter.get("required"))
        + _text(2, place)
        + _text(3, parameter.get("description"))
        + _text(4, parameter["name"])
        + _text(5 + shift, parameter.get("type"))
    )
    return _field(1, _field(2, _field(kind, message)))


def _response(response: Json) -> bytes:
    """ResponseValue."""
    message = _text(1, response.get("description"))
    if "schema" in response:
        message += _field(2, _field(1, encode_schema(response["schema"])))
    return _field(1, message)


def _operation(operation: Json) -> bytes:
    responses = b"".join(_named(1, code, _response(value)) for code, value in operation["responses"].items())
    return b"".join(
        [
            _text(3, operation.get("description")),
            _text(5, operation.get("operationId")),
            _texts(6, operation.get("produces")),
            _texts(7, operation.get("consumes")),
            b"".join(_field(8, _parameter(parameter)) for parameter in operation.get("parameters", ())),
            _field(9, responses),
            _extensions(13, operation),
        ]
    )


def _path_item(item: Json) -> bytes:
    operations = b"".join(
        _field(number, _operation(item[method])) for method, number in _OPERATIONS.items() if method in item
    )
    return operations + b"".join(_field(9, _parameter(parameter)) for parameter in item.get("parameters", ()))


def encode_document(document: Json) -> bytes:
    """A Document message of a whole OpenAPI v2 document."""
    info = document["info"]
    paths = b"".join(_named(2, path, _path_item(item)) for path, item in document["paths"].items())
    schemas = b"".join(_named(1, name, encode_schema(value)) for name, value in document["definitions"].items())
    return b"".join(
        [
            _text(1, document["swagger"]),
            _field(2, _text(1, info["title"]) + _text(2, info["version"])),
            _field(8, paths),
            _field(9, schemas),
        ]
    )
