"""Documents as Go would have written them.

Types are checked, nulls and unknown fields go, zero values are kept or left out field by field, quantities and times
become canonical. One walk does all of it; each type is compiled once into a closure over its table.

What stays and what goes, by the flags of the field (`data/types.json`):

    pointer                     present stays, also zero; absent stays absent
    struct, not a pointer       always there, `{}` when it holds nothing (`resources`, `status`)
    omitempty                   zero, empty text, empty list and empty map go
    otherwise                   scalars are always there (`restartCount: 0`); empty lists stay when given

Differs: where Go writes `null` (a nil list without omitempty, a zero time), nothing is written: null means absent.

Follows: encoding/json and sigs.k8s.io/json decode.go for the texts of type errors.
"""

import base64
import binascii
import functools
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from pybernetes.api import schema
from pybernetes.machinery import content, quantity
from pybernetes.machinery.content import Known
from pybernetes.machinery.type_table import Field, Shape, Type

Json = dict[str, Any]
Convert = Callable[[Any, list[str]], Any]
Entry = tuple[type | None, bool, Convert]

_RANGES = {Shape.INT32: 2**31, Shape.INT64: 2**63}
_GO_SCALARS = {
    Shape.STRING: "string",
    Shape.BYTES: "[]uint8",
    Shape.BOOLEAN: "bool",
    Shape.INT32: "int32",
    Shape.INT64: "int64",
    Shape.DOUBLE: "float64",
    Shape.QUANTITY: "resource.Quantity",
    Shape.INT_OR_STRING: "intstr.IntOrString",
    Shape.TIME: "v1.Time",
    Shape.MICRO_TIME: "v1.MicroTime",
}
_CACHED_TIMES = 4096
"""Distinct time texts remembered; arbitrary."""


class TypeMismatch(ValueError):
    """A value does not fit its field. The text is what Go's decoder says."""

    def __init__(self, value: str, go_type: str, *, text: str = "") -> None:
        super().__init__()
        self.value, self.go_type, self.text = value, go_type, text
        self.struct = ""
        self.path: list[str] = []

    def inside(self, struct: str, key: str) -> None:
        """Note that the value stands in field `key` of `struct`; called from the inside out."""
        self.struct = self.struct or struct
        self.path.insert(0, key)

    def __str__(self) -> str:
        if self.text:
            return self.text
        if not self.path:
            return f"json: cannot unmarshal {self.value} into Go value of type {self.go_type}"
        place = f"{self.struct}.{'.'.join(self.path)}"
        return f"json: cannot unmarshal {self.value} into Go struct field {place} of type {self.go_type}"


def normalize(document: Any, type_alias: str, dropped: list[str] | None = None) -> Json:
    """The document as Go would write it, keys in order apiVersion, kind, metadata, and the rest.

    The argument is not changed; only free-form parts are shared with it.
    Names of unknown fields are appended to `dropped`; `unknown_fields` tells where they stood.

    Raises:
        TypeMismatch: a value has the wrong type.
    """
    found = _by_content(document, type_alias, [] if dropped is None else dropped)
    ordered: Json = {key: found.pop(key) for key in ("apiVersion", "kind", "metadata") if key in found}
    ordered.update(found)
    return ordered


_NORMAL_SPECS = Known[bytes]()
"""What a spec becomes, by type and content, where nothing is dropped: reading it anew is cheaper than the walk."""


def _by_content(document: Any, type_alias: str, dropped: list[str]) -> Json:
    convert = converter(type_alias)
    spec = document.get("spec") if type(document) is dict else None
    key = content.key_of(spec, type_alias.encode()) if type(spec) is dict and spec else None
    normal = _NORMAL_SPECS.get(key)
    if normal is not None:
        found: Json = convert({**document, "spec": {}}, dropped)
        found["spec"] = orjson.loads(normal)
        return found
    before = len(dropped)
    found = convert(document, dropped)
    if key and len(dropped) == before and "spec" in found:
        _NORMAL_SPECS.learn(key, orjson.dumps(found["spec"]))
    return found


@functools.cache
def converter(type_alias: str) -> Convert:
    """The compiled walk of a type: `convert(value, dropped)`."""
    return _compile(schema.type_of(type_alias))


@functools.cache
def zero(type_alias: str) -> Callable[[], Json]:
    """What an absent struct that Go always writes looks like; a fresh one per call."""
    convert = converter(type_alias)
    return lambda: convert({}, [])


def go_type(type_: Type) -> str:
    """The type as Go's messages name it: `v1.Container`, `[]string`, `map[string]string`."""
    if type_.shape is Shape.LIST and type_.element is not None:
        return f"[]{go_type(type_.element)}"
    if type_.shape is Shape.MAP and type_.element is not None:
        return f"map[string]{go_type(type_.element)}"
    return _GO_SCALARS.get(type_.shape) or ".".join(type_.name.split(".")[-2:])


def _json_word(value: Any) -> str:
    if isinstance(value, str):
        return "string"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, list):
        return "array"
    return "object" if isinstance(value, dict) else "number"


def _compile(type_: Type) -> Convert:
    match type_.shape:
        case Shape.STRUCT:
            return _struct(type_)
        case Shape.LIST:
            return _list(type_)
        case Shape.MAP:
            return _map(type_)
        case Shape.INT32 | Shape.INT64:
            return _integer(type_)
        case Shape.ANY:
            return _schema_or_other if type_.name.startswith(_SCHEMA_UNIONS) else _any
        case Shape.QUANTITY:
            return _quantity
        case Shape.INT_OR_STRING:
            return _int_or_string
        case Shape.TIME | Shape.MICRO_TIME:
            return _time if type_.shape is Shape.TIME else _micro_time
        case Shape.BYTES:
            return _bytes
        case Shape.DOUBLE:
            return _double
        case Shape.STRING | Shape.BOOLEAN:
            return _exact(type_, str if type_.shape is Shape.STRING else bool)


def _exact(type_: Type, expected: type) -> Convert:
    name = go_type(type_)

    def convert(value: Any, _dropped: list[str]) -> Any:
        if type(value) is not expected:
            raise TypeMismatch(_json_word(value), name)
        return value

    return convert


def _integer(type_: Type) -> Convert:
    limit, name = _RANGES[type_.shape], go_type(type_)

    def convert(value: Any, _dropped: list[str]) -> Any:
        if type(value) is int:
            if -limit <= value < limit:
                return value
            raise TypeMismatch(f"number {value}", name)
        if type(value) is float and value.is_integer() and -limit <= value < limit:
            return int(value)
        raise TypeMismatch(f"number {value}" if type(value) is float else _json_word(value), name)

    return convert


def _any(value: Any, _dropped: list[str]) -> Any:
    return value


_SCHEMA_UNIONS = "apiextensions.v1.JSONSchemaPropsOr"


def _schema_or_other(value: Any, dropped: list[str]) -> Any:
    """Where a custom resource's schema has a schema, a list of them, a boolean or texts."""
    if isinstance(value, dict):
        return converter("apiextensions.v1.JSONSchemaProps")(value, dropped)
    if isinstance(value, list):
        return [_schema_or_other(item, dropped) for item in value]
    return value


def _double(value: Any, _dropped: list[str]) -> Any:
    if type(value) is float or type(value) is int:
        return value
    raise TypeMismatch(_json_word(value), "float64")


def _quantity(value: Any, _dropped: list[str]) -> Any:
    if type(value) is bool or not isinstance(value, str | int | float):
        raise TypeMismatch("", "", text=quantity.FORMAT_ERROR)
    try:
        return quantity.canonical(value)
    except quantity.QuantityError as error:
        raise TypeMismatch("", "", text=str(error)) from None


def _resource_amount(value: Any, _dropped: list[str]) -> Any:
    if type(value) is bool or not isinstance(value, str | int | float):
        raise TypeMismatch("", "", text=quantity.FORMAT_ERROR)
    try:
        return quantity.canonical_milli(value)
    except quantity.QuantityError as error:
        raise TypeMismatch("", "", text=str(error)) from None


def _int_or_string(value: Any, _dropped: list[str]) -> Any:
    if type(value) is str:
        return value
    if type(value) is int:
        if -(2**31) <= value < 2**31:
            return value
        raise TypeMismatch("", "", text=f"json: cannot unmarshal number {value} into Go value of type int32")
    raise TypeMismatch("", "", text=f"json: cannot unmarshal {_json_word(value)} into Go value of type int32")


_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[T]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII).fullmatch


@functools.lru_cache(maxsize=_CACHED_TIMES)
def _parsed_time(text: str) -> datetime | None:
    found = _RFC3339(text)
    if found is None:
        return None
    whole = text[:19]
    fraction = (found[1] or ".")[1:7].ljust(6, "0")
    offset = "+00:00" if found[2] == "Z" else found[2]
    try:
        return datetime.fromisoformat(f"{whole}.{fraction}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _time_text(value: Any, layout: str) -> datetime:
    if type(value) is not str:
        raise TypeMismatch("", "", text=f"json: cannot unmarshal {_json_word(value)} into Go value of type string")
    parsed = _parsed_time(value)
    if parsed is None:
        text = f'parsing time "{value}" as "{layout}": cannot parse "{value}" as "2006"'
        raise TypeMismatch("", "", text=text)
    return parsed


_WHOLE_SECONDS = len("2006-01-02T15:04:05Z")


def _time(value: Any, _dropped: list[str]) -> Any:
    if type(value) is str and len(value) == _WHOLE_SECONDS and _parsed_time(value) is not None:
        return value  # with seconds, in UTC: nothing else is so short
    return _time_text(value, "2006-01-02T15:04:05Z07:00").strftime("%Y-%m-%dT%H:%M:%SZ")


def _micro_time(value: Any, _dropped: list[str]) -> Any:
    return _time_text(value, "2006-01-02T15:04:05.000000Z07:00").strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _bytes(value: Any, _dropped: list[str]) -> Any:
    if type(value) is not str:
        raise TypeMismatch(_json_word(value), "[]uint8")
    text = value.replace("\n", "").replace("\r", "") if "\n" in value or "\r" in value else value
    try:
        base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise TypeMismatch("", "", text=f"illegal base64 data at input byte {_bad_base64(text)}") from None
    return text


def _bad_base64(text: str) -> int:
    """Where Go's decoder would stop."""
    for index, character in enumerate(text):
        if not (character.isascii() and (character.isalnum() or character in "+/")):
            return index
    return len(text) - len(text) % 4


def _list(type_: Type) -> Convert:
    element = type_.element
    assert element is not None
    name = go_type(type_)
    if element.shape in {Shape.STRING, Shape.BOOLEAN}:
        return _scalar_list(name, element)
    convert_item = _compile_lazily(element)

    def convert(value: Any, dropped: list[str]) -> Any:
        if type(value) is not list:
            raise TypeMismatch(_json_word(value), name)
        return [convert_item({} if item is None else item, dropped) for item in value]

    return convert


def _scalar_list(name: str, element: Type) -> Convert:
    expected = str if element.shape is Shape.STRING else bool
    zero_item = expected()

    def convert(value: Any, _dropped: list[str]) -> Any:
        if type(value) is not list:
            raise TypeMismatch(_json_word(value), name)
        for item in value:
            if type(item) is not expected:
                if item is None:
                    return [zero_item if i is None else i for i in value]
                raise TypeMismatch(_json_word(item), go_type(element))
        return value.copy()

    return convert


def _map(type_: Type) -> Convert:
    element = type_.element
    assert element is not None
    name, element_name = go_type(type_), go_type(element)
    if element.shape is Shape.STRING:

        def convert_texts(value: Any, _dropped: list[str]) -> Any:
            if type(value) is not dict:
                raise TypeMismatch(_json_word(value), name)
            nulls = False
            for item in value.values():
                if type(item) is not str:
                    if item is not None:
                        raise TypeMismatch(_json_word(item), element_name)
                    nulls = True
            return {key: "" if i is None else i for key, i in value.items()} if nulls else value.copy()

        return convert_texts
    convert_item = _resource_amount if element.shape is Shape.QUANTITY else _compile_lazily(element)

    def convert(value: Any, dropped: list[str]) -> Any:
        if type(value) is not dict:
            raise TypeMismatch(_json_word(value), name)
        return {key: convert_item(item, dropped) for key, item in value.items() if item is not None}

    return convert


def _compile_lazily(type_: Type) -> Convert:
    """A walk that is compiled when it is first used: types refer to themselves."""
    if type_.shape is not Shape.STRUCT:
        return _compile(type_)
    compiled: list[Convert] = []

    def convert(value: Any, dropped: list[str]) -> Any:
        if not compiled:
            compiled.append(converter(type_.name))
        return compiled[0](value, dropped)

    return convert


def _struct(type_: Type) -> Convert:
    name = go_type(type_)
    short_name = type_.name.rsplit(".", 1)[-1]
    entries = {field.name: _entry(field) for field in type_.fields.values()}
    always = tuple((field.name, _zero_of(field)) for field in type_.fields.values() if _always_written(field))
    find = entries.get

    def convert(value: Any, dropped: list[str]) -> Any:
        if type(value) is not dict:
            raise TypeMismatch(_json_word(value), name)
        result = {}
        for key, item in value.items():
            if item is None:
                continue
            entry = find(key)
            if entry is None:
                dropped.append(key)
                continue
            expected, keep_zero, convert_item = entry
            if type(item) is not expected:
                try:
                    item = convert_item(item, dropped)
                except TypeMismatch as error:
                    error.inside(short_name, key)
                    raise
            if item or keep_zero:
                result[key] = item
        for key, make in always:
            if key not in result:
                result[key] = make()
        return result

    return convert


def _entry(field: Field) -> Entry:
    """The Python type that needs no conversion, whether zero is kept, and the conversion."""
    expected = {Shape.STRING: str, Shape.BOOLEAN: bool}.get(field.type.shape)
    keep_zero = field.pointer or not field.omit_empty or _is_go_struct(field.type)
    return expected, keep_zero, _compile_lazily(field.type)


def _is_go_struct(type_: Type) -> bool:
    """`omitempty` never leaves these out."""
    return type_.shape in {Shape.STRUCT, Shape.QUANTITY, Shape.INT_OR_STRING}


def _always_written(field: Field) -> bool:
    if field.pointer or field.omit_zero or field.type.shape in {Shape.LIST, Shape.MAP, Shape.ANY}:
        return False
    if field.type.shape in {Shape.TIME, Shape.MICRO_TIME, Shape.BYTES}:
        return False
    return _is_go_struct(field.type) or not field.omit_empty


def _zero_of(field: Field) -> Callable[[], Any]:
    match field.type.shape:
        case Shape.STRUCT:
            return zero(field.type.name)
        case Shape.STRING:
            return str
        case Shape.BOOLEAN:
            return bool
        case Shape.QUANTITY:
            return lambda: "0"
        case _:
            return int


def unknown_fields(document: Any, type_alias: str) -> list[str]:
    """Paths of the fields the type does not have, in document order: `spec.containers[0].foo`."""
    found: list[str] = []
    _collect_unknown(document, schema.type_of(type_alias), "", found)
    return found


def _collect_unknown(value: Any, type_: Type, path: str, found: list[str]) -> None:
    if type_.shape is Shape.STRUCT and isinstance(value, dict):
        for key, item in value.items():
            place = f"{path}.{key}" if path else key
            field = type_.field(key)
            if field is None:
                found.append(place)
            else:
                _collect_unknown(item, field.type, place, found)
    elif type_.shape is Shape.LIST and isinstance(value, list) and type_.element is not None:
        for index, item in enumerate(value):
            _collect_unknown(item, type_.element, f"{path}[{index}]", found)
    elif type_.shape is Shape.MAP and isinstance(value, dict) and type_.element is not None:
        for key, item in value.items():
            _collect_unknown(item, type_.element, f"{path}.{key}", found)
