"""The types of the language: what variables are declared as, what the checker infers, what sizes values can have.

A `Type` is a kind, a name and parameters; equality is exactness. Types made from schemas carry two more things that
equality ignores: the fields of a struct with the real property names, and `max_elements`, the largest size a value can
have, for the static cost.

Follows: cel-go common/types/types.go, checker/types.go; apiserver pkg/cel/types.go.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Any


class Kind(Enum):
    """What a type is made of. Follows: types.Kind."""

    DYN = auto()
    ERROR = auto()
    NULL = auto()
    BOOL = auto()
    INT = auto()
    UINT = auto()
    DOUBLE = auto()
    STRING = auto()
    BYTES = auto()
    TIMESTAMP = auto()
    DURATION = auto()
    LIST = auto()
    MAP = auto()
    STRUCT = auto()
    TYPE = auto()
    OPAQUE = auto()
    PARAMETER = auto()


Converter = Callable[[Any], Any]
"""Makes the value of a JSON document the value of its declared type, lazily where it contains others."""


@dataclass(frozen=True, slots=True)
class Type:
    """A type; `name` is its run-time name except for type parameters."""

    kind: Kind
    name: str
    parameters: "tuple[Type, ...]" = ()
    fields: "Mapping[str, Field] | None" = field(default=None, compare=False, repr=False)
    max_elements: int | None = field(default=None, compare=False)
    """Largest size of a value (bytes, items, entries); None is unknown."""
    min_serialized_size: int = field(default=0, compare=False, repr=False)
    """Bytes the smallest value takes in a document."""
    convert: Converter | None = field(default=None, compare=False, repr=False)
    """None: a document's value is used as it is."""

    def __str__(self) -> str:
        """The type as error messages show it: `list(int)`, `map(string, dyn)`."""
        name = _SHOWN.get(self.kind, self.name)
        return f"{name}({', '.join(map(str, self.parameters))})" if self.parameters else name

    def with_max(self, elements: int) -> "Type":
        """The same type for values of at most `elements`."""
        return replace(self, max_elements=elements)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a struct: its property name in documents and its type."""

    name: str
    type: Type


_SHOWN = {Kind.ERROR: "!error!", Kind.NULL: "null", Kind.TIMESTAMP: "timestamp", Kind.DURATION: "duration"}

DYN = Type(Kind.DYN, "dyn")
ERROR = Type(Kind.ERROR, "*error*")
NULL = Type(Kind.NULL, "null_type")
BOOL = Type(Kind.BOOL, "bool")
INT = Type(Kind.INT, "int")
UINT = Type(Kind.UINT, "uint")
DOUBLE = Type(Kind.DOUBLE, "double")
STRING = Type(Kind.STRING, "string")
BYTES = Type(Kind.BYTES, "bytes")
TIMESTAMP = Type(Kind.TIMESTAMP, "google.protobuf.Timestamp")
DURATION = Type(Kind.DURATION, "google.protobuf.Duration")
TYPE = Type(Kind.TYPE, "type")


def list_of(element: Type = DYN, *, max_elements: int | None = None) -> Type:
    return Type(Kind.LIST, "list", (element,), max_elements=max_elements)


def map_of(key: Type = STRING, value: Type = DYN, *, max_elements: int | None = None) -> Type:
    return Type(Kind.MAP, "map", (key, value), max_elements=max_elements)


def optional_of(value: Type) -> Type:
    return Type(Kind.OPAQUE, "optional_type", (value,))


def type_of(instance: Type) -> Type:
    return Type(Kind.TYPE, "type", (instance,))


def opaque(name: str) -> Type:
    """A library's type whose values only its functions understand."""
    return Type(Kind.OPAQUE, name)


def struct(name: str, fields: Mapping[str, Type | Field], *, convert: Converter | None = None) -> Type:
    """An object type with named fields; a plain type means a property of the same name."""
    declared = {key: item if isinstance(item, Field) else Field(key, item) for key, item in fields.items()}
    return Type(Kind.STRUCT, name, fields=declared, convert=convert)


def parameter(name: str) -> Type:
    """A type variable of an overload."""
    return Type(Kind.PARAMETER, name)


def is_optional(checked: Type) -> bool:
    return checked.kind is Kind.OPAQUE and checked.name == "optional_type"


def unwrap_optional(checked: Type) -> tuple[Type, bool]:
    """The type inside an optional, and whether there was one."""
    return (checked.parameters[0], True) if is_optional(checked) else (checked, False)
