r"""The binary form of built-in kinds: tables of field numbers in, plain documents out, and back.

    b"k8s\0" · Unknown{typeMeta, raw} ── raw: the message of the kind

Typed clients of client-go send it by default, so requests must be understood; answers may be given in it. Decoded
documents still need `normalize`: servers and clients write zero values that JSON leaves out.

Follows: apimachinery pkg/runtime/serializer/protobuf/protobuf.go; the wire format of protocol buffers; field numbers
in `data/protobuf.json`.
"""

import base64
import functools
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from pybernetes.api import schema
from pybernetes.api.body_limits import check_depth, may_be_deep
from pybernetes.api.registry import load_data

Json = dict[str, Any]
Decode = Callable[[bytes, int, int], Any]
Encode = Callable[[Any], bytes]

MAGIC: Final = b"k8s\x00"
_JSON_MESSAGES: Final = frozenset({"meta.v1.FieldsV1", "runtime.RawExtension", "apiextensions.v1.JSON"})
_TIMES: Final = frozenset({"meta.v1.Time", "meta.v1.MicroTime"})
_QUANTITIES: Final = frozenset({"api.resource.Quantity", "api.resource.QuantityValue"})
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_TIMES_REMEMBERED = 1024
"""Objects of one rollout carry the same few seconds many times; arbitrary."""
_WORD = 2**64
_HALF_WORD = 2**63


CLOSING: Final = b"\x1a\x00\x22\x00"
"""Empty contentEncoding and contentType end an envelope."""


class ProtobufError(ValueError):
    """The bytes are no message of that kind."""


@functools.cache
def _messages() -> Mapping[str, Mapping[str, list[Any]]]:
    messages: Mapping[str, Mapping[str, list[Any]]] = load_data("protobuf.json")["messages"]
    return messages


def knows(alias: str) -> bool:
    """Whether a type has a binary form."""
    return alias in _messages()


# --- reading ---------------------------------------------------------------------------------------------------------


def _read_varint(data: bytes, position: int) -> tuple[int, int]:
    byte = data[position]
    if byte < 0x80:
        return byte, position + 1
    result, shift = byte & 0x7F, 7
    while True:
        position += 1
        byte = data[position]
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position + 1
        shift += 7
        if shift > 63:
            raise ProtobufError("proto: integer overflow")


def _signed(value: int) -> int:
    return value - _WORD if value >= _HALF_WORD else value


def _skip(data: bytes, position: int, wire: int) -> int:
    if wire == _VARINT:
        return _read_varint(data, position)[1]
    if wire == _BYTES:
        length, position = _read_varint(data, position)
        return position + length
    if wire in {_FIXED64, _FIXED32}:
        return position + (8 if wire == _FIXED64 else 4)
    raise ProtobufError(f"proto: illegal wireType {wire}")


_INLINE, _SINGLE, _REPEATED, _MAP, _TEXT, _TEXTS, _NUMBER = range(7)


@functools.cache
def _decoder(alias: str) -> Decode:
    """The reader of one message type: (data, start, end) → value."""
    special = _special_decoder(alias)
    if special is not None:
        return special
    fields: dict[int, tuple[str, int, Decode]] = {}
    for name, entry in _messages()[alias].items():
        number, wire, kind = entry[:3]
        flags = entry[3] if len(entry) > 3 else ""
        how = _INLINE if "i" in flags else _REPEATED if "r" in flags else _SINGLE
        if kind.startswith("map<"):
            how = _MAP
        elif kind == "string":
            how = _TEXTS if how == _REPEATED else _TEXT
        fields[number << 3 | wire] = (name, how, _lazy_decoder(kind))
    find = fields.get

    def decode(data: bytes, position: int, end: int) -> Json:
        # The hot loop of every request of a Go client: short varints are read in place.
        result: Json = {}
        while position < end:
            tag = data[position]
            if tag < 0x80:
                position += 1
            else:
                tag, position = _read_varint(data, position)
            entry = find(tag)
            wire = tag & 7
            if entry is None:
                position = _skip(data, position, wire)
                continue
            name, how, read = entry
            if wire == _BYTES:
                length = data[position]
                if length < 0x80:
                    start = position + 1
                else:
                    length, start = _read_varint(data, position)
                position = start + length
                if position > end:
                    raise ProtobufError("unexpected EOF")
                if how == _TEXT:
                    result[name] = data[start:position].decode()
                    continue
                value = read(data, start, position)
            elif wire == _VARINT:
                number, position = _read_varint(data, position)
                value = read(data, _signed(number), 0)
            else:
                value = read(data, position, position + 8)
                position += 8
            if how == _SINGLE:
                if value is not None:
                    result[name] = value
            elif how == _MAP:
                found = result.get(name)
                if found is None:
                    result[name] = {value[0]: value[1]}
                else:
                    found[value[0]] = value[1]
            elif how == _INLINE:
                result.update(value)
            else:
                found = result.get(name)
                if found is None:
                    result[name] = [value]
                else:
                    found.append(value)
        return result

    return decode


def _lazy_decoder(kind: str) -> Decode:
    """The reader of a field's type; messages are compiled on first use, because they refer to each other."""
    scalar = _SCALAR_DECODERS.get(kind)
    if scalar is not None:
        return scalar
    if kind.startswith("map<"):
        return _map_decoder(kind[4:-1].split(",", 1)[1])
    compiled: list[Decode] = []

    def decode(data: bytes, start: int, end: int) -> Any:
        if not compiled:
            compiled.append(_decoder(kind))
        return compiled[0](data, start, end)

    return decode


def _map_decoder(value_kind: str) -> Decode:
    read_value = _lazy_decoder(value_kind)

    def decode(data: bytes, position: int, end: int) -> tuple[str, Any]:
        key: str = ""
        value: Any = "" if value_kind in {"string", "bytes"} else None
        while position < end:
            tag, position = _read_varint(data, position)
            if tag & 7 != _BYTES:
                position = _skip(data, position, tag & 7)
                continue
            length, start = _read_varint(data, position)
            position = start + length
            if tag >> 3 == 1:
                key = data[start:position].decode()
            elif tag >> 3 == 2:
                value = read_value(data, start, position)
        return key, value

    return decode


_SCALAR_DECODERS: Final[Mapping[str, Decode]] = {
    "string": lambda data, start, end: data[start:end].decode(),
    "bytes": lambda data, start, end: base64.b64encode(data[start:end]).decode(),
    "bool": lambda _data, value, _end: bool(value),
    "int32": lambda _data, value, _end: value,
    "int64": lambda _data, value, _end: value,
    "double": lambda data, start, end: struct.unpack("<d", data[start:end])[0],
}


def _special_decoder(alias: str) -> Decode | None:
    if alias in _JSON_MESSAGES:
        return _decode_json
    if alias in _TIMES:
        return functools.partial(_decode_time, micro=alias == "meta.v1.MicroTime")
    if alias in _QUANTITIES:
        return lambda data, start, end: _raw_fields(data, start, end).get(1, b"").decode() or "0"
    if alias == "intstr.IntOrString":
        return _decode_int_or_string
    if alias.endswith((".ExtraValue", "meta.v1.Verbs")):
        return _decode_texts
    if alias.rsplit(".", 1)[-1].startswith("JSONSchemaPropsOr"):
        return functools.partial(_decode_schema_or, alias)
    return None


def _raw_fields(data: bytes, position: int, end: int) -> dict[int, Any]:
    """Fields of a small message by number: integers, or bytes."""
    found: dict[int, Any] = {}
    while position < end:
        tag, position = _read_varint(data, position)
        if tag & 7 == _VARINT:
            number, position = _read_varint(data, position)
            found[tag >> 3] = _signed(number)
        else:
            start = position
            position = _skip(data, position, tag & 7)
            if tag & 7 == _BYTES:
                _, start = _read_varint(data, start)
            found[tag >> 3] = data[start:position]
    return found


def _decode_json(data: bytes, start: int, end: int) -> Any:
    raw = _raw_fields(data, start, end).get(1, b"")
    if not raw:
        return None
    return decode(raw) if raw.startswith(MAGIC) else orjson.loads(raw)


def _decode_time(data: bytes, start: int, end: int, *, micro: bool) -> str | None:
    if start == end:
        return None
    fields = _raw_fields(data, start, end)
    time = datetime.fromtimestamp(fields.get(1, 0), UTC)
    if micro:
        return time.strftime("%Y-%m-%dT%H:%M:%S") + f".{fields.get(2, 0) // 1000:06d}Z"
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _decode_int_or_string(data: bytes, start: int, end: int) -> int | str:
    fields = _raw_fields(data, start, end)
    if fields.get(1, 0) == 1:
        text: bytes = fields.get(3, b"")
        return text.decode()
    return int(fields.get(2, 0))


def _decode_texts(data: bytes, position: int, end: int) -> list[str]:
    texts = []
    while position < end:
        _, position = _read_varint(data, position)
        length, position = _read_varint(data, position)
        texts.append(data[position : position + length].decode())
        position += length
    return texts


def _decode_schema_or(alias: str, data: bytes, start: int, end: int) -> Any:
    found = _plain_decoder(alias)(data, start, end)
    if found.get("schema") is not None:
        return found["schema"]
    for field in ("jSONSchemas", "property"):
        if field in found:
            return found[field]
    return found.get("allows", False)


@functools.cache
def _plain_decoder(alias: str) -> Decode:
    """The table-driven reader of a message whose JSON form is something else."""
    readers = {entry[0]: (name, entry, _lazy_decoder(entry[2])) for name, entry in _messages()[alias].items()}

    def decode(data: bytes, position: int, end: int) -> Json:
        result: Json = {}
        while position < end:
            tag, position = _read_varint(data, position)
            name, entry, read = readers[tag >> 3]
            if tag & 7 == _VARINT:
                number, position = _read_varint(data, position)
                result[name] = read(data, number, 0)
                continue
            length, start = _read_varint(data, position)
            position = start + length
            value = read(data, start, position)
            if len(entry) > 3 and "r" in entry[3]:
                result.setdefault(name, []).append(value)
            else:
                result[name] = value
        return result

    return decode


def envelope(data: bytes) -> tuple[str, str, bytes]:
    """apiVersion, kind and the message inside a body.

    Raises:
        ProtobufError: the magic bytes are missing, or the envelope is broken.
    """
    if not data.startswith(MAGIC):
        raise ProtobufError("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    try:
        fields = _raw_fields(data, len(MAGIC), len(data))
        type_meta = _raw_fields(fields.get(1, b""), 0, len(fields.get(1, b"")))
        return type_meta.get(1, b"").decode(), type_meta.get(2, b"").decode(), fields.get(2, b"")
    except (IndexError, UnicodeDecodeError, TypeError, AttributeError) as error:  # also numbers in place of bytes
        raise ProtobufError(f"unexpected EOF ({error})") from None


def decode(data: bytes, *, api_version: str = "", kind: str = "") -> Json:
    """The document in a body; version and kind are used where the envelope says nothing.

    Raises:
        ProtobufError: no such kind, or the bytes do not fit it.
    """
    found_version, found_kind, raw = envelope(data)
    api_version, kind = found_version or api_version, found_kind or kind
    alias = schema.alias_of(api_version, kind) or schema.alias_of("meta.k8s.io/v1", kind)
    if not alias or not knows(alias):
        raise ProtobufError(f'no kind "{kind}" is registered for version "{api_version}"')
    try:
        document = _decoder(alias)(raw, 0, len(raw))
        if may_be_deep(data) or kind == "CustomResourceDefinition":  # the one type that contains itself
            check_depth(document)
    except RecursionError:
        raise ProtobufError("exceeded max depth") from None
    except ProtobufError:
        raise
    except (IndexError, ValueError, TypeError, AttributeError, OverflowError, OSError, struct.error) as error:
        # Texts, JSON and times within, or a number where a small message has bytes.
        raise ProtobufError(f"unexpected EOF ({error})") from None
    return {"apiVersion": api_version, "kind": kind, **document}


# --- writing ---------------------------------------------------------------------------------------------------------


def _varint(value: int) -> bytes:
    if 0 <= value < 0x80:
        return bytes((value,))
    value %= _WORD
    result = bytearray()
    while value >= 0x80:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    result.append(value)
    return bytes(result)


def _block(tag: bytes, content: bytes) -> bytes:
    size = len(content)
    return tag + (_SHORT[size] if size < 0x80 else _varint(size)) + content


_SHORT: Final = tuple(bytes((size,)) for size in range(0x80))


@functools.cache
def _encoder(alias: str) -> Encode:
    """The writer of one message type: value → bytes, fields in order of their numbers, as upstream writes them."""
    special = _special_encoder(alias)
    if special is not None:
        return special
    rows = []
    for name, entry in sorted(_messages()[alias].items(), key=lambda item: item[1][0]):
        number, wire, kind = entry[:3]
        flags = entry[3] if len(entry) > 3 else ""
        tag = _varint(number << 3 | wire)
        always = not {"p", "r", "i"} & set(flags) and not kind.startswith("map<") and kind != "bytes"
        write = _lazy_encoder(kind)
        if "i" in flags:
            how = _INLINE
        elif kind.startswith("map<"):
            how = _MAP
        elif "r" in flags:
            how = _REPEATED
            write = functools.partial(_framed, tag, write) if wire == _BYTES else functools.partial(_tagged, tag, write)
        else:
            how = _TEXT if kind == "string" else _SINGLE if wire == _BYTES else _NUMBER
        absent = b""
        if always:  # values that are never absent in Go: no type holds itself so, and the recursion ends
            zero = write(_ZEROS.get(kind, {}))
            absent = _block(tag, zero) if wire == _BYTES else tag + zero
        rows.append((name, how, tag, write, absent))

    def encode(value: Json) -> bytes:
        # The hot loop of answers to Go clients: short texts are framed in place.
        parts: list[bytes] = []
        append = parts.append
        get = value.get
        for name, how, tag, write, absent in rows:
            item = get(name)
            if item is None:
                if how == _INLINE:
                    append(_block(tag, write(value)))
                elif absent:
                    append(absent)
            elif how == _TEXT:
                content = item.encode()
                size = len(content)
                append(tag + (_SHORT[size] if size < 0x80 else _varint(size)) + content)
            elif how == _SINGLE:
                content = write(item)
                size = len(content)
                append(tag + (_SHORT[size] if size < 0x80 else _varint(size)) + content)
            elif how == _NUMBER:
                append(tag + write(item))
            elif how == _REPEATED:
                parts += map(write, item)
            elif how == _MAP:
                parts += [_block(tag, write(pair)) for pair in sorted(item.items())]
            else:
                append(_block(tag, write(value)))
        return b"".join(parts)

    return encode


def _framed(tag: bytes, write: Encode, item: Any) -> bytes:
    return _block(tag, write(item))


def _tagged(tag: bytes, write: Encode, item: Any) -> bytes:
    return tag + write(item)


_ZEROS: Final[Mapping[str, Any]] = {
    "string": "",
    "bool": False,
    "int32": 0,
    "int64": 0,
    "double": 0.0,
    "intstr.IntOrString": 0,
    "api.resource.Quantity": "0",
    "meta.v1.Time": "",
    "meta.v1.MicroTime": "",
}


def _lazy_encoder(kind: str) -> Encode:
    scalar = _SCALAR_ENCODERS.get(kind)
    if scalar is not None:
        return scalar
    if kind.startswith("map<"):
        write = _lazy_encoder(kind[4:-1].split(",", 1)[1])
        return lambda pair: _block(b"\x0a", pair[0].encode()) + _block(b"\x12", write(pair[1]))
    compiled: list[Encode] = []

    def encode(value: Any) -> bytes:
        if not compiled:
            compiled.append(_encoder(kind))
        return compiled[0](value)

    return encode


_SCALAR_ENCODERS: Final[Mapping[str, Encode]] = {
    "string": lambda value: value.encode(),
    "bytes": base64.b64decode,
    "bool": lambda value: b"\x01" if value else b"\x00",
    "int32": _varint,
    "int64": _varint,
    "double": lambda value: struct.pack("<d", value),
}


def _special_encoder(alias: str) -> Encode | None:
    if alias in _JSON_MESSAGES:
        return lambda value: _block(b"\x0a", orjson.dumps(value)) if value != {} or "JSON" in alias else b""
    if alias in _TIMES:
        return _encode_time
    if alias in _QUANTITIES:
        return lambda value: _block(b"\x0a", str(value).encode())
    if alias == "intstr.IntOrString":
        return _encode_int_or_string
    if alias.endswith((".ExtraValue", "meta.v1.Verbs")):
        return lambda value: b"".join(_block(b"\x0a", text.encode()) for text in value)
    if alias.rsplit(".", 1)[-1].startswith("JSONSchemaPropsOr"):
        return functools.partial(_encode_schema_or, alias)
    return None


def _plain_encode_time(value: str) -> bytes:
    if not value:
        return b""
    time = datetime.fromisoformat(value)
    return b"\x08" + _varint(int(time.timestamp())) + b"\x10" + _varint(time.microsecond * 1000)


_encode_time = functools.lru_cache(maxsize=_TIMES_REMEMBERED)(_plain_encode_time)


def _encode_int_or_string(value: int | str) -> bytes:
    if isinstance(value, str):
        return b"\x08\x01\x10\x00" + _block(b"\x1a", value.encode())
    return b"\x08\x00\x10" + _varint(value) + b"\x1a\x00"


def _encode_schema_or(alias: str, value: Any) -> bytes:
    props = _encoder(alias.rsplit(".", 1)[0] + ".JSONSchemaProps")
    if isinstance(value, bool):
        return b"\x08\x01" if value else b"\x08\x00"
    if isinstance(value, dict):
        prefix = b"\x08\x01" if alias.endswith("OrBool") else b""
        return prefix + _block(b"\x12" if prefix else b"\x0a", props(value))
    if alias.endswith("OrStringArray"):
        return b"".join(_block(b"\x12", text.encode()) for text in value)
    return b"".join(_block(b"\x12", props(item)) for item in value)


def encode(document: Json) -> bytes:
    """The body for a normalised document of a built-in kind.

    Raises:
        ProtobufError: the kind has no binary form.
    """
    api_version, kind = document.get("apiVersion", ""), document.get("kind", "")
    alias = schema.alias_of(api_version, kind)
    if not alias or not knows(alias):
        raise ProtobufError(f'no kind "{kind}" is registered for version "{api_version}"')
    return wrap(api_version, kind, encode_message(alias, document))


def encode_message(alias: str, document: Json) -> bytes:
    """The bare message of a type, without envelope."""
    return _encoder(alias)(document)


def wrap(api_version: str, kind: str, message: bytes) -> bytes:
    """Magic and envelope around a message."""
    type_meta = _block(b"\x0a", api_version.encode()) + _block(b"\x12", kind.encode())
    return MAGIC + _block(b"\x0a", type_meta) + _block(b"\x12", message) + CLOSING


def opening(api_version: str, kind: str, size: int) -> bytes:
    """What stands before a message of `size` bytes; `CLOSING` stands after it."""
    type_meta = _block(b"\x0a", api_version.encode()) + _block(b"\x12", kind.encode())
    return MAGIC + _block(b"\x0a", type_meta) + b"\x12" + _varint(size)


def list_item(message: bytes) -> bytes:
    """A message as one of the `items` of a list: field 2 of every list kind."""
    return _block(b"\x12", message)


def list_metadata(document: Json) -> bytes:
    """`metadata` of a list: field 1 of every list kind."""
    return _block(b"\x0a", encode_message("meta.v1.ListMeta", document))


def watch_frame(event_type: str, document: bytes) -> bytes:
    """One event of a watch: its length in four bytes, then a bare `WatchEvent` whose object is an enveloped document.

    Follows: apimachinery pkg/util/framer, NewLengthDelimitedFrameWriter.
    """
    event = _block(b"\x0a", event_type.encode()) + _block(b"\x12", _block(b"\x0a", document))
    return len(event).to_bytes(4, "big") + event
