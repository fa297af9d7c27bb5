"""The values expressions compute with, as Python values.

    null None · bool bool · int int · uint Uint · double float · string str · bytes bytes · list list, ListView
    map dict · object dict, ObjectView, Constructed · timestamp Timestamp · duration Duration · type Type
    optional Optional · a library's types: classes with `cel_type`

Documents are used as they are: a view stands before a list or object only where the declared type gives its values
another meaning (a date, bytes, a field whose name had to be escaped).

Follows: cel-go common/types; apiserver pkg/cel/common/values.go.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from pybernetes.machinery.cel import types
from pybernetes.machinery.cel.errors import EvaluationError, no_such_key, no_such_overload
from pybernetes.machinery.cel.types import Type

MIN_INT, MAX_INT, MAX_UINT = -(2**63), 2**63 - 1, 2**64 - 1


class Uint(int):
    """An unsigned number; equal to the int of the same value, as numbers of all kinds are."""

    __slots__ = ()

    def __repr__(self) -> str:
        return int.__repr__(self)


class LibraryValue(Protocol):
    """A value of a library's opaque type."""

    cel_type: ClassVar[Type]


@dataclass(frozen=True, slots=True)
class Optional:
    """A value that may be absent."""

    present: bool
    value: Any = None

    def get(self) -> Any:
        if not self.present:
            raise EvaluationError("optional.none() dereference")
        return self.value


NONE = Optional(False)


class ListView(Sequence[Any]):
    """A document's list whose items are converted when they are read."""

    __slots__ = ("convert", "items", "keys", "unordered")

    def __init__(
        self,
        items: list[Any],
        convert: Callable[[Any], Any] | None,
        *,
        unordered: bool = False,
        keys: tuple[str, ...] = (),
    ) -> None:
        self.items = items
        self.convert = convert
        self.unordered = unordered
        """Whether equality ignores the order: x-kubernetes-list-type set and map."""
        self.keys = keys
        """x-kubernetes-list-map-keys, for `+` to merge by."""

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.items) if self.convert is None else map(self.convert, self.items)

    def __getitem__(self, index: Any) -> Any:
        return self.items[index] if self.convert is None else self.convert(self.items[index])


class ObjectView(Mapping[str, Any]):
    """A document's object read by the names expressions use; reading a field converts it.

    `names`: real property name and converter per name in expressions. Fields the schema does not name are hidden.
    """

    __slots__ = ("document", "names")

    def __init__(self, document: dict[str, Any], names: Mapping[str, tuple[str, types.Converter | None]]) -> None:
        self.document = document
        self.names = names

    def __getitem__(self, name: str) -> Any:
        known = self.names.get(name)
        if known is None:
            raise KeyError(name)
        value = self.document[known[0]]
        return value if known[1] is None else known[1](value)

    def __contains__(self, name: object) -> bool:
        known = self.names.get(name) if type(name) is str else None
        return known is not None and known[0] in self.document

    def __iter__(self) -> Iterator[str]:
        return (name for name, (real, _) in self.names.items() if real in self.document)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class MapView(Mapping[str, Any]):
    """A document's map whose values are converted when they are read."""

    __slots__ = ("convert", "document")

    def __init__(self, document: dict[str, Any], convert: types.Converter) -> None:
        self.document = document
        self.convert = convert

    def __getitem__(self, name: str) -> Any:
        return self.convert(self.document[name])

    def __contains__(self, name: object) -> bool:
        return name in self.document

    def __iter__(self) -> Iterator[str]:
        return iter(self.document)

    def __len__(self) -> int:
        return len(self.document)


class LazyObject(Mapping[str, Any]):
    """An object whose fields are computed once, when first read: `variables` of admission policies.

    A field that fails raises the same error at every reading.
    """

    __slots__ = ("_fields", "_known")

    def __init__(self, fields: Mapping[str, Callable[[], Any]]) -> None:
        self._fields = fields
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._known:
            compute = self._fields[name]
            try:
                self._known[name] = compute()
            except EvaluationError as error:
                self._known[name] = error
        value = self._known[name]
        if isinstance(value, EvaluationError):
            raise EvaluationError(str(value))
        return value

    def __contains__(self, name: object) -> bool:
        return name in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class Constructed(dict[str, Any]):
    """An object an expression built: `Object.spec{replicas: 1}`. Follows: pkg/cel/mutation/dynamic/objects.go."""

    __slots__ = ("type",)

    def __init__(self, declared: Type, fields: dict[str, Any]) -> None:
        super().__init__(fields)
        self.type = declared


_PLAIN: dict[type, Type] = {
    type(None): types.NULL,
    bool: types.BOOL,
    int: types.INT,
    Uint: types.UINT,
    float: types.DOUBLE,
    str: types.STRING,
    bytes: types.BYTES,
    list: types.list_of(),
    ListView: types.list_of(),
    dict: types.map_of(types.DYN, types.DYN),
    MapView: types.map_of(types.DYN, types.DYN),
    Optional: types.optional_of(types.DYN),
    Type: types.TYPE,
}


def type_name(value: Any) -> str:
    """The run-time name of a value's type: `int`, `list`, `kubernetes.Quantity`."""
    return type_value(value).name


def type_value(value: Any) -> Type:
    """What `type(value)` is, without parameters."""
    plain = _PLAIN.get(type(value))
    if plain is not None:
        return plain
    if isinstance(value, Constructed):
        return value.type
    declared = getattr(value, "cel_type", None)
    if isinstance(declared, Type):
        return declared
    return Type(types.Kind.STRUCT, "object")


def is_list(value: Any) -> bool:
    return type(value) is list or type(value) is ListView


def is_map(value: Any) -> bool:
    return type(value) is dict or isinstance(value, Mapping)


def select(value: Any, name: str) -> Any:
    """`value.name`.

    Raises:
        EvaluationError: `no such key: name`, or `no such overload` where the value has no fields.
    """
    if type(value) is dict or isinstance(value, Mapping):
        try:
            return value[name]
        except KeyError:
            raise no_such_key(name) from None
    if type(value) is Optional:
        return optional_select(value, name)
    raise no_such_overload()


def optional_select(value: Any, name: Any) -> Optional:
    """`value.?name`: none where the value or the field is absent."""
    if type(value) is Optional:
        if not value.present:
            return NONE
        value = value.value
    if is_map(value):
        return Optional(True, value[name]) if name in value else NONE
    raise no_such_overload()


def has(value: Any, name: str) -> bool:
    """`has(value.name)`."""
    if type(value) is dict or isinstance(value, Mapping):
        return name in value
    if type(value) is Optional:
        return value.present and has(value.value, name)
    raise no_such_overload()


def size(value: Any) -> int:
    """The size costs count: code points, bytes, items or entries; 1 of everything else. Follows: actualSize."""
    kind = type(value)
    if kind is str or kind is list or kind is dict or kind is bytes or kind is ListView:
        return len(value)
    if kind is Optional:
        return size(value.value) if value.present else 1
    if isinstance(value, Mapping):
        return len(value)
    own = getattr(value, "cel_size", None)
    return own if isinstance(own, int) else 1
