"""The shape of published types as tables that normalisation, patches and field ownership walk.

    Type ── STRUCT ── fields: name → Field(type, list/map rules, merge key, Go flags)
         ├─ LIST ──── element
         ├─ MAP ───── element
         └─ scalars

Nothing here knows a kind: `api.schema` fills the tables.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Shape(Enum):
    STRUCT = "struct"
    LIST = "list"
    MAP = "map"
    STRING = "string"
    BYTES = "bytes"
    BOOLEAN = "boolean"
    INT32 = "int32"
    INT64 = "int64"
    DOUBLE = "double"
    QUANTITY = "quantity"
    INT_OR_STRING = "int-or-string"
    TIME = "time"
    MICRO_TIME = "micro-time"
    ANY = "any"
    """Free form: no shape below this point."""


@dataclass(slots=True)
class Type:
    """One type. `fields` is filled on first use, because types refer to each other in circles."""

    name: str
    """Alias of the row, `core.v1.Pod`; `[]…` and `map<…>` for lists and maps."""
    shape: Shape
    element: "Type | None" = None
    atomic: bool = False
    """A struct or map that one field manager owns as a whole."""
    load: Callable[[], Mapping[str, "Field"]] | None = None
    _fields: Mapping[str, "Field"] | None = None

    @property
    def fields(self) -> Mapping[str, "Field"]:
        """JSON name → field, for structs; empty for everything else."""
        if self._fields is None:
            self._fields = self.load() if self.load else {}
        return self._fields

    def field(self, name: str) -> "Field | None":
        return self.fields.get(name)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a struct, with the rules that belong to the place and not to the type."""

    name: str
    type: Type
    list_kind: str = "atomic"
    """`atomic`, `set` or `map`: how field ownership sees the list."""
    keys: tuple[str, ...] = ()
    """Of a list of kind map: the fields that name an item."""
    patch: frozenset[str] = frozenset()
    """Strategic merge: `merge`, `replace`, `retainKeys`."""
    merge_key: str = ""
    """Strategic merge: the field that names an item; empty for lists of scalars."""
    atomic: bool = False
    """A map or struct that is owned as a whole at this place."""
    pointer: bool = False
    """Presence has a meaning of its own: zero and absent differ."""
    omit_empty: bool = False
    omit_zero: bool = False
    default: Any = field(default=None)
    """Published default that is not the zero value."""
