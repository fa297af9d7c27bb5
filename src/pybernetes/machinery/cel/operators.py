"""Arithmetic, equality, order and membership, by the kinds the values have when they meet.

Numbers of different kinds compare by value and never compute together. Whole numbers are 64 bits wide and overflow is
an error.

Follows: cel-go common/types/{int,uint,double,string,bytes,list,map,compare,overflow}.go; apiserver
pkg/cel/common/{equality,maplist,valuesunstructured}.go.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

from pybernetes.machinery.cel import values
from pybernetes.machinery.cel.errors import EvaluationError, no_such_key, no_such_overload
from pybernetes.machinery.cel.times import Duration, Timestamp
from pybernetes.machinery.cel.types import Type
from pybernetes.machinery.cel.values import MAX_INT, MAX_UINT, MIN_INT, NONE, ListView, Optional, Uint

MAX_ITEMS = 4_000_000
"""Longest list `+` makes; more items than a request has bytes."""
_NUMBERS = frozenset({int, Uint, float})
_SCALARS = frozenset({str, int, bool, float, bytes, type(None), Uint, Timestamp, Duration})


def _integer(number: int) -> int:
    if MIN_INT <= number <= MAX_INT:
        return number
    raise EvaluationError("integer overflow")


def _unsigned(number: int) -> Uint:
    if 0 <= number <= MAX_UINT:
        return Uint(number)
    raise EvaluationError("unsigned integer overflow")


def add(one: Any, other: Any) -> Any:
    kind = type(one)
    if kind is type(other):
        if kind is int:
            return _integer(one + other)
        if kind is str or kind is float or kind is bytes:
            return one + other
        if kind is Uint:
            return _unsigned(int(one) + int(other))
        if kind is Duration:
            return Duration(one.nanos + other.nanos)
    if values.is_list(one) and values.is_list(other):
        return _concatenated(one, other)
    if (kind is Timestamp and type(other) is Duration) or (kind is Duration and type(other) is Timestamp):
        return Timestamp(one.nanos + other.nanos)
    raise no_such_overload()


def _concatenated(one: Any, other: Any) -> Any:
    """Lists joined, up to `MAX_ITEMS`; sets keep one of equals, map lists replace in place what has the same keys."""
    if len(one) + len(other) > MAX_ITEMS:
        raise EvaluationError(f"a list of {len(one) + len(other)} items is longer than {MAX_ITEMS}")
    if type(one) is not ListView or not one.unordered:
        return [*one, *other]
    found = list(one)
    if not one.keys:
        for item in other:
            if not contains(found, item):
                found.append(item)
        return ListView(found, None, unordered=True)
    places = {_key_of(item, one.keys): place for place, item in enumerate(found)}
    for item in other:
        key = _key_of(item, one.keys)
        if key in places:
            found[places[key]] = item
        else:
            places[key] = len(found)
            found.append(item)
    return ListView(found, None, unordered=True, keys=one.keys)


def _key_of(item: Any, keys: Iterable[str]) -> tuple[str, ...]:
    return tuple(repr(item[key]) if key in item else "" for key in keys)


def subtract(one: Any, other: Any) -> Any:
    kind = type(one)
    if kind is type(other):
        if kind is int:
            return _integer(one - other)
        if kind is float:
            return one - other
        if kind is Uint:
            return _unsigned(int(one) - int(other))
        if kind is Duration or kind is Timestamp:
            return Duration(one.nanos - other.nanos)
    if kind is Timestamp and type(other) is Duration:
        return Timestamp(one.nanos - other.nanos)
    raise no_such_overload()


def multiply(one: Any, other: Any) -> Any:
    kind = type(one)
    if kind is type(other):
        if kind is int:
            return _integer(one * other)
        if kind is float:
            return one * other
        if kind is Uint:
            return _unsigned(int(one) * int(other))
    raise no_such_overload()


def divide(one: Any, other: Any) -> Any:
    kind = type(one)
    if kind is type(other):
        if kind is float:
            return _float_division(one, other)
        if kind is int or kind is Uint:
            if other == 0:
                raise EvaluationError("division by zero")
            if kind is Uint:
                return Uint(int(one) // int(other))
            quotient = abs(one) // abs(other)
            return _integer(quotient if (one < 0) == (other < 0) else -quotient)
    raise no_such_overload()


def _float_division(one: float, other: float) -> float:
    if other:
        return one / other
    if one == 0 or math.isnan(one):
        return math.nan
    return math.copysign(math.inf, math.copysign(1, one) * math.copysign(1, other))


def modulo(one: Any, other: Any) -> Any:
    kind = type(one)
    if kind is type(other) and (kind is int or kind is Uint):
        if other == 0:
            raise EvaluationError("modulus by zero")
        if kind is Uint:
            return Uint(int(one) % int(other))
        if one == MIN_INT and other == -1:
            raise EvaluationError("integer overflow")
        rest = abs(one) % abs(other)
        return -rest if one < 0 else rest
    raise no_such_overload()


def negate(one: Any) -> Any:
    if type(one) is int:
        return _integer(-one)
    if type(one) is float:
        return -one
    raise no_such_overload()


def equal(one: Any, other: Any) -> bool:
    """Heterogeneous equality: values of kinds that cannot be equal are not."""
    kind = type(one)
    if kind in _SCALARS:
        if kind is type(other):
            return bool(one == other)
        return kind in _NUMBERS and type(other) in _NUMBERS and bool(one == other)
    if values.is_list(one):
        return values.is_list(other) and _lists_equal(one, other)
    if values.is_map(one):
        return values.is_map(other) and _maps_equal(one, other)
    if kind is Optional:
        if type(other) is not Optional or one.present != other.present:
            return False
        return not one.present or equal(one.value, other.value)
    if kind is Type:
        return type(other) is Type and one.name == other.name
    return kind is type(other) and bool(one == other)


def unequal(one: Any, other: Any) -> bool:
    return not equal(one, other)


def _lists_equal(one: Any, other: Any) -> bool:
    if len(one) != len(other):
        return False
    if not getattr(one, "unordered", False) and not getattr(other, "unordered", False):
        return all(equal(left, right) for left, right in zip(one, other, strict=True))
    keys = getattr(one, "keys", ()) or getattr(other, "keys", ())
    if keys:
        places = {_key_of(item, keys): item for item in other}
        return all((key := _key_of(item, keys)) in places and equal(item, places[key]) for item in one)
    return all(contains(other, item) for item in one) and all(contains(one, item) for item in other)


def _maps_equal(one: Any, other: Any) -> bool:
    if len(one) != len(other):
        return False
    for key in one:
        found = find(other, key)
        if not found.present or not equal(one[key], found.value):
            return False
    return True


def contains(items: Iterable[Any], item: Any) -> bool:
    """`item in items` of a list."""
    if type(item) is str:
        return item in items if type(items) is list else any(item == other for other in items)
    return any(equal(item, other) for other in items)


def member(item: Any, holder: Any) -> bool:
    """`item in holder`."""
    if values.is_list(holder):
        return contains(holder, item)
    if values.is_map(holder):
        return find(holder, item).present
    raise no_such_overload()


def find(holder: Any, key: Any) -> Optional:
    """The value a map has for a key; numbers find the equal number of another kind."""
    kind = type(key)
    if kind is str:
        return Optional(True, holder[key]) if key in holder else NONE
    if kind is float:
        if not key.is_integer():
            return NONE
        key = int(key)
    elif kind not in {int, Uint, bool}:
        raise EvaluationError(f"unsupported key type: {values.type_name(key)}")
    if key not in holder:
        return NONE
    if any((type(own) is bool) != (kind is bool) for own in holder):  # Python takes true for 1
        own_kind = next((own for own in holder if own == key and (type(own) is bool) == (kind is bool)), None)
        return NONE if own_kind is None else Optional(True, holder[own_kind])
    return Optional(True, holder[key])


def index(holder: Any, key: Any) -> Any:
    """`holder[key]`."""
    if type(key) is str and type(holder) is dict:
        try:
            return holder[key]
        except KeyError:
            raise no_such_key(key) from None
    if values.is_list(holder):
        place = _place(key)
        if 0 <= place < len(holder):
            return holder[place]
        raise EvaluationError(f"index out of bounds: {place}")
    if values.is_map(holder):
        found = find(holder, key)
        if found.present:
            return found.value
        raise no_such_key(key)
    if type(holder) is Optional:
        return optional_index(holder, key)
    raise no_such_overload()


def _place(key: Any) -> int:
    if type(key) is int or type(key) is Uint:
        return int(key)
    if type(key) is float:
        if key.is_integer():
            return int(key)
        raise EvaluationError(f"unsupported index value: {key}")
    raise EvaluationError(f"unsupported index type '{values.type_name(key)}' in list")


def optional_index(holder: Any, key: Any) -> Optional:
    """`holder[?key]`."""
    if type(holder) is Optional:
        if not holder.present:
            return NONE
        holder = holder.value
    if values.is_list(holder):
        place = _place(key)
        return Optional(True, holder[place]) if 0 <= place < len(holder) else NONE
    if values.is_map(holder):
        return find(holder, key)
    raise no_such_overload()


def compare(one: Any, other: Any) -> int | None:
    """-1, 0 or 1; None where one is not a number (NaN).

    Raises:
        EvaluationError: `no such overload` for kinds without an order.
    """
    kind = type(one)
    comparable = (kind in _NUMBERS and type(other) in _NUMBERS) or (
        kind is type(other) and kind in _SCALARS and one is not None
    )
    if not comparable:
        raise no_such_overload()
    if one < other:
        return -1
    if one > other:
        return 1
    return 0 if one == other else None


def _ordering(decide: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    def ordered(one: Any, other: Any) -> bool:
        kind = type(one)
        if (kind is type(other) and kind in _SCALARS and one is not None) or (
            kind in _NUMBERS and type(other) in _NUMBERS
        ):
            return decide(one, other)
        raise no_such_overload()

    return ordered


less = _ordering(lambda one, other: one < other)
less_equal = _ordering(lambda one, other: one <= other)
greater = _ordering(lambda one, other: one > other)
greater_equal = _ordering(lambda one, other: one >= other)
