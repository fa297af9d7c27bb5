"""How each place of a document is owned: as a whole, field by field, or item by item.

    leaf      scalars, atomic lists and maps: one owner for all of it
    struct    published fields          f:NAME
    map       any keys                  f:KEY
    items     list of named items       k:{"name":"c"}
    set       list of scalars           v:"x"

Without a schema, objects are maps and everything else is a leaf.

Follows: structured-merge-diff typed/{typed,helpers,deduced}.go; kube-openapi pkg/schemaconv.
"""

import functools
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, Final

import orjson

from pybernetes.machinery.managed_fields.sets import SELF
from pybernetes.machinery.type_table import Field, Shape, Type

Json = dict[str, Any]


class Kind(Enum):
    LEAF = "leaf"
    STRUCT = "struct"
    MAP = "map"
    ITEMS = "items"
    SET = "set"


class FieldPlan:
    """A field of a struct: its step, how it is owned, and whether Go writes it even when there is nothing."""

    __slots__ = ("always_written", "plan", "step")

    def __init__(self, field: Field) -> None:
        self.step = f"f:{field.name}"
        self.plan = plan_of(field.type, field)
        # Go writes null or {} for these, so they are there before anybody sets them, and owning what is inside
        # does not own the field.
        container = field.type.shape in {Shape.LIST, Shape.MAP}
        struct = field.type.shape is Shape.STRUCT and not field.pointer
        self.always_written = struct or (not field.omit_empty and (container or field.pointer))

    @classmethod
    def of(cls, name: str, plan: "Plan", *, always_written: bool = False) -> "FieldPlan":
        """A field that no Go struct describes: of a custom resource."""
        found = cls.__new__(cls)
        found.step, found.plan, found.always_written = f"f:{name}", plan, always_written
        return found


Owned = Callable[[Any], Json]


class Plan:
    """How the value at one place is owned. `fields` is made on first use: types refer to themselves."""

    __slots__ = ("_fields", "_type", "allows_unknown", "element", "keys", "kind", "owned")

    owned: "Owned"
    """The node of a value that was not there before: itself and all below it in the set. Shared: never change it."""

    def __init__(
        self,
        kind: Kind,
        type_: Type | None = None,
        element: "Plan | None" = None,
        keys: tuple[tuple[str, Any], ...] = (),
    ) -> None:
        self.kind = kind
        self.element = element
        self.keys = keys
        self._type = type_
        self._fields: Mapping[str, FieldPlan] | None = None
        self.allows_unknown = False
        """Of a struct: fields it does not name are fields, too."""
        self.owned = _OWNED[kind](self)

    @classmethod
    def of_fields(cls, fields: Mapping[str, FieldPlan], *, allows_unknown: bool = False) -> "Plan":
        """A struct with these fields."""
        found = cls(Kind.STRUCT)
        found._fields = fields
        found.allows_unknown = allows_unknown
        return found

    @property
    def fields(self) -> Mapping[str, FieldPlan]:
        if self._fields is None:
            fields = self._type.fields if self._type is not None else {}
            self._fields = {name: FieldPlan(field) for name, field in fields.items()}
        return self._fields

    def child(self, name: str) -> "Plan":
        """How a key of a struct or map is owned; unknown ones by what they look like."""
        if self.kind is Kind.STRUCT:
            found = self.fields.get(name)
            return found.plan if found is not None else DEDUCED
        return self.element or DEDUCED

    def item_step(self, item: Any) -> str:
        """The step of an item of a list.

        Raises:
            OwnershipError: the item lacks a key that has no default.
        """
        if self.kind is Kind.SET:
            return f"v:{orjson.dumps(item).decode()}"
        if type(item) is not dict:
            raise OwnershipError("associative list item is not an object")
        if len(self.keys) == 1:
            name, default = self.keys[0]
            value = item.get(name, default)
            if value is None:
                raise _missing(name)
            return f"k:{_key_text(name, value)}"
        values = tuple(item.get(name, default) for name, default in self.keys)
        if None in values:
            raise _missing(next(name for (name, _), value in zip(self.keys, values, strict=True) if value is None))
        return _keys_text(tuple(name for name, _ in self.keys), values)


_CACHED_STEPS: Final = 8192
"""Distinct item steps remembered; arbitrary."""


@functools.lru_cache(maxsize=_CACHED_STEPS)
def _key_text(name: str, value: Any) -> str:
    return orjson.dumps({name: value}).decode()


@functools.lru_cache(maxsize=_CACHED_STEPS)
def _keys_text(names: tuple[str, ...], values: tuple[Any, ...]) -> str:
    keys = dict(zip(names, values, strict=True))
    return f"k:{orjson.dumps(keys, option=orjson.OPT_SORT_KEYS).decode()}"


def _missing(name: str) -> "OwnershipError":
    return OwnershipError(
        f'associative list with keys has an element that omits key field "{name}" (and doesn\'t have default value)'
    )


class OwnershipError(ValueError):
    """A document does not fit its schema, so nobody can own its fields."""


def _owned_leaf(_plan: Plan) -> Owned:
    return lambda _value: {}


# Below is the hot path of every creation: members are built at once instead of adding `"."` later, and each plan has a
# function of its own instead of asking what kind it is.


_FLAT_NODES: Final = 256
"""Nodes each struct remembers of values of leaves only, by their keys: an `env` entry, a port; arbitrary."""


def _owned_struct(plan: Plan) -> Owned:
    known: dict[str, tuple[str, Owned | None]] = {}
    flat: dict[tuple[str, ...], Json] = {}

    def owned(value: Any) -> Json:
        if type(value) is not dict or not value:
            return {}
        keys = tuple(value)
        remembered = flat.get(keys)
        if remembered is not None:
            return remembered
        if not known:
            for name, field in plan.fields.items():
                known[name] = (field.step, None if field.plan is LEAF else field.plan.owned)
        result: Json = {SELF: {}}
        is_flat = len(flat) < _FLAT_NODES
        for key, item in value.items():
            entry = known.get(key)
            if entry is None:
                is_flat = False
                result[f"f:{key}"] = DEDUCED.owned(item)
            else:
                step, below = entry
                if below is None:
                    result[step] = {}
                else:
                    is_flat = False
                    result[step] = below(item)
        if is_flat:
            flat[keys] = result
        return result

    return owned


def _owned_map(plan: Plan) -> Owned:
    def owned(value: Any) -> Json:
        if type(value) is not dict or not value:
            return {}
        result: Json = {SELF: {}}
        element = plan.element or DEDUCED
        if element is LEAF:
            for key in value:
                result[f"f:{key}"] = {}
        else:
            for key, item in value.items():
                result[f"f:{key}"] = element.owned(item)
        return result

    return owned


def _owned_items(plan: Plan) -> Owned:
    def owned(value: Any) -> Json:
        if type(value) is not list or not value:
            return {}
        result: Json = {SELF: {}}
        below = plan.element.owned if plan.element is not None else None
        for item in value:
            result[plan.item_step(item)] = {} if below is None else below(item)
        return result

    return owned


_OWNED: Final[Mapping[Kind, Callable[[Plan], Owned]]] = {
    Kind.LEAF: _owned_leaf,
    Kind.STRUCT: _owned_struct,
    Kind.MAP: _owned_map,
    Kind.ITEMS: _owned_items,
    Kind.SET: _owned_items,
}

LEAF: Final = Plan(Kind.LEAF)
DEDUCED: Final = Plan(Kind.MAP)
"""Objects key by key; whatever else stands there is a leaf."""


def plan_of(type_: Type | None, field: Field | None = None) -> Plan:
    """How a value of a type is owned, at the place of `field`."""
    if type_ is None:
        return DEDUCED
    match type_.shape:
        case Shape.STRUCT:
            if type_.atomic or (field is not None and field.atomic):
                return LEAF
            return Plan(Kind.STRUCT, type_)
        case Shape.MAP:
            if field is not None and field.atomic:
                return LEAF
            return Plan(Kind.MAP, element=plan_of(type_.element))
        case Shape.LIST if field is not None and field.list_kind == "set":
            return Plan(Kind.SET)
        case Shape.LIST if field is not None and field.list_kind == "map" and type_.element is not None:
            defaults = type_.element.fields
            keys = tuple((key, defaults[key].default if key in defaults else None) for key in field.keys)
            return Plan(Kind.ITEMS, element=plan_of(type_.element), keys=keys)
        case _:
            return LEAF
