"""Documents drawn from the published types: every field of every kind gets its turn.

Drawn from a seed rather than from hypothesis' strategies, which take seconds for the larger kinds.
"""

from typing import Any

from pybernetes.api import schema
from pybernetes.effects import Chance
from pybernetes.machinery.type_table import Shape, Type

Json = dict[str, Any]

TEXTS = ("", "a", "b-c", "é\n", "1e3", "y", "null", "2026-01-01", " x: [", "0x1", "~")
QUANTITIES = ("1", "100m", "2Gi", "1500m", "-3", "1e3", "0", "1Ki")
TIMES = ("2024-01-02T03:04:05Z", "1969-12-31T23:59:59Z")
MICRO_TIMES = ("2024-01-02T03:04:05.123456Z", "2024-01-02T03:04:05.000000Z")
INT32 = (0, 1, -1, 80, 2**31 - 1, -(2**31))
INT64 = (*INT32, 2**63 - 1, -(2**63))
RAW: tuple[Any, ...] = ({"kind": "X", "a": [1, None, {"b": 0.5}]}, {"a": {}})
JSON_VALUES: tuple[Any, ...] = (1, "a", True, [], {"a": [None]}, 0.5)
MAX_FIELDS = 5


def document(alias: str, chance: Chance, depth: int = 7) -> Json:
    """An object of a type, `depth` levels of structs, lists and maps deep."""
    found: Json = value(schema.type_of(alias), chance, depth)
    return found


def value(type_: Type, chance: Chance, depth: int) -> Any:
    """A value that fits a type."""
    match type_.shape:
        case Shape.STRING:
            return chance.choice(TEXTS)
        case Shape.BOOLEAN:
            return chance.choice((True, False))
        case Shape.INT32:
            return chance.choice(INT32)
        case Shape.INT64:
            return chance.choice(INT64)
        case Shape.DOUBLE:
            return chance.choice((0.5, -1.25, 3.0))
        case Shape.QUANTITY:
            return chance.choice(QUANTITIES)
        case Shape.INT_OR_STRING:
            return chance.choice((*INT32, *TEXTS))
        case Shape.TIME:
            return chance.choice(TIMES)
        case Shape.MICRO_TIME:
            return chance.choice(MICRO_TIMES)
        case Shape.BYTES:
            return chance.choice(("", "YQ==", "AAECAw=="))
        case Shape.LIST:
            assert type_.element is not None
            return [value(type_.element, chance, depth - 1) for _ in range(chance.randint(0, 2))]
        case Shape.MAP:
            assert type_.element is not None
            return {chance.choice(TEXTS): value(type_.element, chance, depth - 1) for _ in range(chance.randint(0, 2))}
        case Shape.STRUCT:
            return _struct(type_, chance, depth)
        case _:
            return _anything(type_, chance)


def _struct(type_: Type, chance: Chance, depth: int) -> Json:
    names = [name for name in type_.fields if name not in {"apiVersion", "kind"}]
    if depth <= 0 or not names:
        return {}
    chosen = {chance.choice(names) for _ in range(chance.randint(0, MAX_FIELDS))}
    return {name: value(type_.fields[name].type, chance, depth - 1) for name in sorted(chosen)}


def _anything(type_: Type, chance: Chance) -> Any:
    if type_.name == "meta.v1.FieldsV1":
        return {"f:a": {"f:b": {}}}
    if type_.name == "apiextensions.v1.JSON":
        return chance.choice(JSON_VALUES)
    if type_.name.rsplit(".", 1)[-1].startswith("JSONSchemaPropsOr"):
        return {"type": "string"}
    return chance.choice(RAW) if type_.name in {"runtime.RawExtension", "object", "any"} else {}
