"""Whether values fit their schema: type, range, length, pattern, format, enumeration, anyOf, oneOf, allOf, not.

The texts are those users know from upstream's 422:

    spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"
    <nil>: Invalid value: "": "spec" must validate one and only one schema (oneOf). Found none valid

A part that did not change is not held against an update (ratcheting): its complaints are dropped, where old and new
parts can be told to be the same one.

Follows: kube-openapi pkg/validation/validate; apiextensions-apiserver pkg/apiserver/validation/{validation,ratcheting}.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import orjson

from pybernetes.api.structural.formats import text_format
from pybernetes.api.structural.schema import Structural
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery.cel import regex
from pybernetes.machinery.cel.errors import EvaluationError
from pybernetes.machinery.field_errors import FieldError

Json = dict[str, Any]

NO_PATH: Final = "<nil>"
"""How Go writes a path that is none."""
ABSENT: Final = object()
"""There is no old value to compare with."""

_JSON_TYPES: Final[Mapping[type, str]] = {
    dict: "object",
    list: "array",
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
}
_NUMBER_FORMATS: Final = {"integer": {"int32": 2**31, "int64": 2**63}, "number": {"float": 0, "double": 0}}
_INT64: Final = 2**63
_MAX_FLOAT32: Final = 3.4028234663852886e38


class Result:
    """Complaints about one place, and how many checks it came through: the best of several failures is told."""

    __slots__ = ("errors", "passed")

    def __init__(self) -> None:
        self.errors: list[FieldError] = []
        self.passed = 0

    def add(self, error: FieldError) -> None:
        if error not in self.errors:
            self.errors.append(error)

    def merge(self, other: "Result") -> None:
        self.passed += other.passed
        for error in other.errors:
            self.add(error)


def check(value: Any, schema: Json, *, old: Any = ABSENT, structural: Structural | None = None) -> list[FieldError]:
    """All complaints about a value. With `old` and the `structural` form of the schema, unchanged parts get none."""
    if old is ABSENT:
        return _validate(value, schema, "").errors
    return _ratcheted(value, schema, "", old, structural).errors


def _ratcheted(value: Any, schema: Json, path: str, old: Any, structural: Structural | None) -> Result:
    result = _validate(value, schema, path, old, structural)
    if result.errors and same(value, old):
        unchanged = Result()
        unchanged.passed = result.passed
        return unchanged
    return result


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: true is not 1."""
    if type(one) is not type(other):
        return type(one) in _NUMBERS and type(other) in _NUMBERS and one == other
    if type(one) is dict:
        return one.keys() == other.keys() and all(same(item, other[key]) for key, item in one.items())
    if type(one) is list:
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


_NUMBERS: Final = (int, float)


def _validate(value: Any, schema: Json, path: str, old: Any = ABSENT, structural: Structural | None = None) -> Result:
    result = Result()
    types = _types(schema)
    if value is None:
        if types and not schema.get("nullable"):
            result.add(_type_error(path, ",".join(types), "null"))
        _enumeration(result, value, schema, path)
        return result
    kind = _JSON_TYPES[type(value)]
    form = _known_format(schema, types)
    _type(result, value, kind, types, form, path)
    _junctors(result, value, schema, path, old, structural)
    if kind == "string":
        _text(result, value, schema, form, path)
    elif kind in {"integer", "number"}:
        _number(result, value, schema, types, form, path)
    elif kind == "array":
        _list(result, value, schema, path, old, structural)
    _enumeration(result, value, schema, path)
    if kind == "object":
        _object(result, value, schema, path, old, structural)
    result.passed += 1
    return result


def _types(schema: Json) -> Sequence[str]:
    if schema.get("x-kubernetes-int-or-string"):
        return ("integer", "string")
    named = schema.get("type")
    return (named,) if named else ()


def _known_format(schema: Json, types: Sequence[str]) -> str:
    """The format, where it means something for the type."""
    form: str = schema.get("format", "")
    if not form:
        return ""
    if not types or types == ("string",) or len(types) > 1:
        return form if text_format(form) is not None else ""
    return form if form in _NUMBER_FORMATS.get(types[0], ()) else ""


def _error_path(name: str) -> str:
    return name.removeprefix(".") or NO_PATH


def _invalid(path: str, value: Any, text: str) -> FieldError:
    return fe.invalid_value(_error_path(path), "" if value is None else value, text)


def _plain(text: str) -> FieldError:
    """A complaint of a schema as a whole, which names no field."""
    return fe.invalid_value(NO_PATH, "", text)


def _type_error(path: str, wanted: str, found: str) -> FieldError:
    return fe.type_invalid(_error_path(path), found, f"{path} in body must be of type {wanted}: {fe.quote(found)}")


def _type(result: Result, value: Any, kind: str, types: Sequence[str], form: str, path: str) -> None:
    if not types and not form:
        return
    whole = kind == "number" and value.is_integer() and "integer" in types
    fits = kind in types or whole or (kind == "integer" and "number" in types)
    if kind not in {"string", "array"} and form and not fits:
        result.add(fe.type_invalid(_error_path(path), "", f"{path} in body must be of type {form}: {fe.quote('')}"))
    elif form and kind in {"string", "array"} and not {"number", "integer"} & set(types):
        result.passed += 1
    elif not fits:
        result.add(_type_error(path, ",".join(types), kind))
    else:
        result.passed += 1


def _enumeration(result: Result, value: Any, schema: Json, path: str) -> None:
    allowed = schema.get("enum")
    if not allowed:
        return
    if any(same(value, item) for item in allowed):
        result.passed += 1
        return
    shown = [item if isinstance(item, str) else orjson.dumps(item).decode() for item in allowed]
    detail = f"supported values: {', '.join(fe.quote(text) for text in shown)}"
    result.add(FieldError(fe.NOT_SUPPORTED, _error_path(path), value, detail))


# ── texts and numbers ──


def _text(result: Result, value: str, schema: Json, form: str, path: str) -> None:
    longest, shortest, pattern = schema.get("maxLength"), schema.get("minLength"), schema.get("pattern")
    if longest is not None and len(value) > longest:
        result.add(fe.too_long(_error_path(path), longest))
    elif shortest is not None and len(value) < shortest:
        result.add(_invalid(path, value, f"{path} in body should be at least {shortest} chars long"))
    elif pattern:
        try:
            if regex.compiled(pattern).search(value) is None:
                result.add(_invalid(path, value, f"{path} in body should match '{pattern}'"))
        except EvaluationError as error:
            text = f"{path} in body should match '{pattern}, but pattern is invalid: {error}'"
            result.add(_invalid(path, value, text))
    valid = text_format(form)
    if valid is not None:
        if valid(value):
            result.passed += 1
        else:
            text = f"{path} in body must be of type {form}: {fe.quote(value)}"
            result.add(fe.type_invalid(_error_path(path), value, text))


def _number(result: Result, value: float, schema: Json, types: Sequence[str], form: str, path: str) -> None:
    named = types[0] if len(types) == 1 else ""
    if not _in_range(value, named, form):
        kind = f"{named} with format {form}" if form else f"{named} (default format)"
        result.add(_plain(f"Checked value must be of type {kind} in {path}"))
    factor = schema.get("multipleOf")
    if factor is not None:
        if factor <= 0:
            text = f"factor MultipleOf declared for {path} must be positive: {_shown(factor)}"
            result.add(_invalid(path, factor, text))
        elif not _is_multiple(value, factor):
            result.add(_invalid(path, value, f"{path} in body should be a multiple of {_shown(factor)}"))
    most, least = schema.get("maximum"), schema.get("minimum")
    if most is not None and (value >= most if schema.get("exclusiveMaximum") else value > most):
        word = "less than" if schema.get("exclusiveMaximum") else "less than or equal to"
        result.add(_invalid(path, value, f"{path} in body should be {word} {_shown(most)}"))
    if least is not None and (value <= least if schema.get("exclusiveMinimum") else value < least):
        word = "greater than" if schema.get("exclusiveMinimum") else "greater than or equal to"
        result.add(_invalid(path, value, f"{path} in body should be {word} {_shown(least)}"))
    result.passed += 1


def _in_range(value: float, named: str, form: str) -> bool:
    if named == "integer":
        limit = 2**31 if form == "int32" else _INT64
        return float(value).is_integer() and -limit <= value < limit
    return form != "float" or abs(value) <= _MAX_FLOAT32


def _is_multiple(value: float, factor: float) -> bool:
    if type(value) is int and float(factor).is_integer():
        return value % int(factor) == 0
    return math.isclose(value / factor, round(value / factor), rel_tol=1e-9, abs_tol=1e-9)


def _shown(number: float) -> str:
    """As Go prints a number without a fraction."""
    return str(int(number)) if float(number).is_integer() and abs(number) < 1e21 else repr(number)


# ── lists and objects ──


def _list(result: Result, value: list[Any], schema: Json, path: str, old: Any, structural: Structural | None) -> None:
    items = schema.get("items")
    if isinstance(items, dict):
        before = Correlated(old, structural)
        below = structural.items if structural is not None else None
        for index, item in enumerate(value):
            place = f"{path}[{index}]"
            stored = before.item(item)
            if stored is ABSENT:
                result.merge(_validate(item, items, place))
            else:
                result.merge(_ratcheted(item, items, place, stored, below))
    fewest, most = schema.get("minItems"), schema.get("maxItems")
    if fewest is not None and len(value) < fewest:
        result.add(_invalid(path, len(value), f"{path} in body should have at least {fewest} items"))
    if most is not None and len(value) > most:
        result.add(fe.too_many(_error_path(path), len(value), most))
    if schema.get("uniqueItems") and any(same(item, other) for i, item in enumerate(value) for other in value[:i]):
        result.add(_invalid(path, None, f"{path} in body shouldn't contain duplicates"))
    result.passed += 1


class Correlated:
    """Finds the old item that an item of a list-map is the successor of."""

    __slots__ = ("_keys", "_stored")

    def __init__(self, old: Any, structural: Structural | None) -> None:
        self._keys: tuple[str, ...] = ()
        self._stored: dict[bytes, Any] = {}
        if structural is not None and structural.list_type == "map" and type(old) is list:
            self._keys = structural.list_keys
            for item in old:
                if type(item) is dict:
                    self._stored.setdefault(self._key(item), item)

    def _key(self, item: Json) -> bytes:
        return orjson.dumps([item.get(name) for name in self._keys])

    def item(self, item: Any) -> Any:
        if not self._stored or type(item) is not dict:
            return ABSENT
        return self._stored.get(self._key(item), ABSENT)


_TYPE_META: Final = ("apiVersion", "kind")


def _object(result: Result, value: Json, schema: Json, path: str, old: Any, structural: Structural | None) -> None:
    fewest, most = schema.get("minProperties"), schema.get("maxProperties")
    if fewest is not None and len(value) < fewest:
        result.add(_invalid(path, len(value), f"{path} in body should have at least {fewest} properties"))
    if most is not None and len(value) > most:
        result.add(fe.too_many(_error_path(path), len(value), most))
    properties, additional = schema.get("properties", {}), schema.get("additionalProperties")
    correlates = type(old) is dict and structural is not None

    def field(name: str, below: Json, place: str) -> None:
        if correlates and name in old and not (path == "" and name in _TYPE_META):
            assert structural is not None
            result.merge(_ratcheted(value[name], below, place, old[name], structural.child(name)))
        else:
            result.merge(_validate(value[name], below, place))

    if additional is False:
        for name in value:
            if name not in properties:
                result.add(_invalid(path, name, f"{path}.{name} in body is a forbidden property"))
    elif isinstance(additional, dict):
        for name in value:
            if name not in properties:
                field(name, additional, f"{path}.{name}")
    for name, below in properties.items():
        if name in value:
            field(name, below, f"{path}.{name}" if path else name)
    for name in schema.get("required", ()):
        if name not in value:
            result.add(fe.required(_error_path(f"{path}.{name}")))


# ── several schemas for one value ──


def _junctors(result: Result, value: Any, schema: Json, path: str, old: Any, structural: Structural | None) -> None:
    def each(name: str) -> list[Result]:
        return [_validate(value, below, path, old, structural) for below in schema.get(name, ())]

    if "anyOf" in schema:
        _any_of(result, each("anyOf"), path)
    if "oneOf" in schema:
        _one_of(result, each("oneOf"), path)
    if "allOf" in schema:
        outcomes = each("allOf")
        valid = sum(not outcome.errors for outcome in outcomes)
        for outcome in outcomes:
            result.merge(outcome)
        if valid != len(outcomes):
            tail = "" if valid else ". None validated"
            result.add(_plain(f"{fe.quote(path)} must validate all the schemas (allOf){tail}"))
    if "not" in schema and not _validate(value, schema["not"], path, old, structural).errors:
        result.add(_plain(f"{fe.quote(path)} must not validate the schema (not)"))
    result.passed += 1


def _best(outcomes: Sequence[Result]) -> Result:
    """The failure that came furthest; the first of equals."""
    return max(outcomes, key=lambda outcome: outcome.passed)


def _any_of(result: Result, outcomes: Sequence[Result], path: str) -> None:
    valid = next((outcome for outcome in outcomes if not outcome.errors), None)
    if valid is not None:
        result.merge(valid)
    elif outcomes:
        result.add(_plain(f"{fe.quote(path)} must validate at least one schema (anyOf)"))
        result.merge(_best(outcomes))


def _one_of(result: Result, outcomes: Sequence[Result], path: str) -> None:
    valid = [outcome for outcome in outcomes if not outcome.errors]
    if len(valid) == 1:
        result.merge(valid[0])
    elif outcomes:
        tail = f"Found {len(valid)} valid alternatives" if valid else "Found none valid"
        result.add(_plain(f"{fe.quote(path)} must validate one and only one schema (oneOf). {tail}"))
        if not valid:
            result.merge(_best(outcomes))


def below(prefix: str, errors: Sequence[FieldError]) -> list[FieldError]:
    """The same complaints about a value that stands at `prefix`."""
    return [
        FieldError(e.type, prefix if e.field == NO_PATH else f"{prefix}.{e.field}", e.value, e.detail) for e in errors
    ]
