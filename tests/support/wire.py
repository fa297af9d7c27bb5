"""Protobuf answers read a second time, by Google's own runtime instead of the project's codec.

    load the published field numbers ── one FileDescriptorProto ── messages of google.protobuf ── plain documents

Only the table of numbers and types is shared with `pybernetes.api.protobuf`; framing, varints, maps, inlining and the
types with a JSON form of their own are read here once more, by other code. Zero values that Go writes and JSON leaves
out stay in the result: `same` knows.
"""

import base64
import functools
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import Message
from google.protobuf.unknown_fields import UnknownFieldSet

from pybernetes.api.registry import load_data

Json = dict[str, Any]

MAGIC = b"k8s\x00"
UNKNOWN = "runtime.Unknown"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _Field.TYPE_STRING,
    "bytes": _Field.TYPE_BYTES,
    "bool": _Field.TYPE_BOOL,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
    "double": _Field.TYPE_DOUBLE,
}


@functools.cache
def _table() -> Mapping[str, Mapping[str, list[Any]]]:
    table: dict[str, Any] = dict(load_data("protobuf.json")["messages"])
    table[UNKNOWN] = {
        "typeMeta": [1, 2, "runtime.TypeMeta"],
        "raw": [2, 2, "bytes"],
        "contentEncoding": [3, 2, "string"],
        "contentType": [4, 2, "string"],
    }
    table["runtime.TypeMeta"] = {"apiVersion": [1, 2, "string"], "kind": [2, 2, "string"]}
    return table


def _proto_name(alias: str) -> str:
    return alias.replace(".", "_")


@functools.cache
def _pool() -> descriptor_pool.DescriptorPool:
    file = descriptor_pb2.FileDescriptorProto(name="published.proto", package="published", syntax="proto2")
    for alias, fields in _table().items():
        message = file.message_type.add(name=_proto_name(alias))
        for number, _, kind, *rest in fields.values():
            field = message.field.add(name=f"f{number}", number=number, label=_Field.LABEL_OPTIONAL)
            if kind.startswith("map<"):
                entry = message.nested_type.add(name=f"F{number}Entry")
                entry.options.map_entry = True
                _typed(entry.field.add(name="key", number=1, label=_Field.LABEL_OPTIONAL), "string")
                _typed(entry.field.add(name="value", number=2, label=_Field.LABEL_OPTIONAL), kind[4:-1].split(",")[1])
                field.label, field.type = _Field.LABEL_REPEATED, _Field.TYPE_MESSAGE
                field.type_name = f".published.{_proto_name(alias)}.F{number}Entry"
            else:
                _typed(field, kind)
                if rest and "r" in rest[0]:
                    field.label = _Field.LABEL_REPEATED
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return pool


def _typed(field: Any, kind: str) -> None:
    if kind in _SCALARS:
        field.type = _SCALARS[kind]
    else:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".published.{_proto_name(kind)}"


def _parse(alias: str, data: bytes) -> Message:
    """A message of google.protobuf; bytes that the published numbers do not explain are an error."""
    descriptor = _pool().FindMessageTypeByName(f"published.{_proto_name(alias)}")
    found: Message = message_factory.GetMessageClass(descriptor)()
    found.ParseFromString(data)
    return found


def read_body(data: bytes) -> Json:
    """The document in an enveloped body, whatever its kind."""
    assert data.startswith(MAGIC), data[:20]
    unknown = _struct(UNKNOWN, _parse(UNKNOWN, data[len(MAGIC) :]))
    api_version, kind = unknown["typeMeta"]["apiVersion"], unknown["typeMeta"]["kind"]
    content = read(alias_of(api_version, kind), base64.b64decode(unknown["raw"]))
    return {"apiVersion": api_version, "kind": kind, **content}


def read_frame(data: bytes) -> Json:
    """A watch event without the four bytes of its length."""
    event = _parse("meta.v1.WatchEvent", data)
    inner: Any = event.f2  # type: ignore[attr-defined]
    return {"type": event.f1, "object": read_body(inner.f1)}  # type: ignore[attr-defined]


def read(alias: str, data: bytes) -> Json:
    """The document in a bare message."""
    found: Json = _value(alias, _parse(alias, data))
    return found


def alias_of(api_version: str, kind: str) -> str:
    """The message of a kind: the package of its group and version, or one of those that every version has."""
    group, _, version = api_version.rpartition("/")
    for package, row in load_data("protobuf.json")["packages"].items():
        if (row.get("group"), row.get("version")) == (group, version) and f"{package}.{kind}" in _table():
            return f"{package}.{kind}"
    return f"meta.v1.{kind}"


def _struct(alias: str, message: Any) -> Json:
    result: Json = {}
    for name, (number, _, kind, *rest) in _table()[alias].items():
        flags = rest[0] if rest else ""
        attribute = f"f{number}"
        if kind.startswith("map<"):
            inner = kind[4:-1].split(",")[1]
            found = getattr(message, attribute)
            if found:
                result[name] = {key: _value(inner, found[key]) for key in found}
        elif "r" in flags:
            found = getattr(message, attribute)
            if found:
                result[name] = [_value(kind, item) for item in found]
        elif message.HasField(attribute):
            value = _value(kind, getattr(message, attribute))
            if "i" in flags:
                result |= value
            else:
                result[name] = value
    strange = UnknownFieldSet(message)
    assert len(strange) == 0, f"{alias} has no field {strange[0].field_number}"
    return result


def _value(kind: str, value: Any) -> Any:
    if kind == "bytes":
        return base64.b64encode(value).decode()
    if kind in _SCALARS:
        return value
    if kind in {"meta.v1.Time", "meta.v1.MicroTime"}:
        if not value.HasField("f1"):
            return None
        time = datetime.fromtimestamp(value.f1, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        return f"{time}.{value.f2 // 1000:06d}Z" if kind == "meta.v1.MicroTime" else f"{time}Z"
    if kind.startswith("api.resource.Quantity"):
        return value.f1
    if kind == "intstr.IntOrString":
        return value.f3 if value.f1 else value.f2
    if kind in {"meta.v1.FieldsV1", "runtime.RawExtension", "apiextensions.v1.JSON"}:
        return orjson.loads(value.f1) if value.f1 else None
    if kind.endswith(("ExtraValue", "meta.v1.Verbs")):
        return list(value.f1)
    if kind.rpartition(".")[2].startswith("JSONSchemaPropsOr"):
        return _schema_or(kind, value)
    return _struct(kind, value)


def _schema_or(kind: str, value: Any) -> Any:
    schema_field = "f2" if kind.endswith("OrBool") else "f1"
    if value.HasField(schema_field):
        return _struct(f"{kind.rpartition('.')[0]}.JSONSchemaProps", getattr(value, schema_field))
    if kind.endswith("OrBool"):
        return value.f1
    if kind.endswith("StringArray"):
        return list(value.f2)
    return [_value(f"{kind.rpartition('.')[0]}.JSONSchemaProps", item) for item in value.f2]


def differences(json: Any, wire: Any, path: str = "") -> list[str]:
    """Where a document read from the wire says other than its JSON form; nothing where only Go's zero values differ."""
    if isinstance(json, dict) and isinstance(wire, dict):
        found = []
        for key in json.keys() | wire.keys():
            place = f"{path}.{key}"
            if key not in json:
                found += [] if _is_zero(wire[key]) else [f"{place}: only on the wire: {wire[key]!r}"]
            elif key not in wire and key in {"apiVersion", "kind"} and "volumeClaimTemplates" in path:
                continue  # messages have no room for the kind of an embedded object
            elif key not in wire:
                found += [] if _is_empty(json[key]) else [f"{place}: only in JSON: {json[key]!r}"]
            else:
                found += differences(json[key], wire[key], place)
        return found
    if isinstance(json, list) and isinstance(wire, list) and len(json) == len(wire):
        pairs = zip(json, wire, strict=True)
        return [line for i, pair in enumerate(pairs) for line in differences(*pair, f"{path}[{i}]")]
    return [] if json == wire or (_is_empty(json) and _is_empty(wire)) else [f"{path}: JSON {json!r}, wire {wire!r}"]


def _is_zero(value: Any) -> bool:
    """What Go writes for a field that was never set."""
    if isinstance(value, dict):
        return all(map(_is_zero, value.values()))
    return value in (None, "", "0", 0, False, [])


def _is_empty(value: Any) -> bool:
    """Objects and lists without content have no form of their own in messages."""
    return value is None or value in ([], {})
