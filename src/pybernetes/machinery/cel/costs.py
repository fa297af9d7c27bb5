"""What calls cost when they are made, from the sizes of their arguments.

    runtime("contains", "contains_string") → cost(args), or None where a call always costs 1

A cost of None from that function means that it depends on the result: then `of_result` says it.

Follows: apiserver pkg/cel/library/cost.go, CallCost; cel-go interpreter/runtimecost.go, costCall.
"""

import math
from collections.abc import Callable
from typing import Any

from pybernetes.machinery.cel import values
from pybernetes.machinery.cel.limits import (
    LIST_CREATE,
    REGEX_LENGTH_FACTOR,
    STRING_TRAVERSAL_FACTOR,
    STRUCT_CREATE,
)

RuntimeCost = Callable[[list[Any]], int | None]

AUTHORIZER_CHECK = 350_000
"""Lets one evaluation make two authorization checks."""
_COPIED_PER_UNIT = 1000
"""Items or code points copied for one unit; arbitrary, so that doubling a list cannot outrun the budget."""
_SELECTOR_REQUIREMENTS = 0.5
"""Requirements per character of a selector: `k,` is the shortest."""


def _walk(length: int, factor: float = 1) -> int:
    return math.ceil(length * factor * STRING_TRAVERSAL_FACTOR)


def _receiver(factor: float = 1) -> RuntimeCost:
    return lambda args: _walk(values.size(args[0]), factor)


def _traversal(value: Any) -> int:
    """The cost of visiting everything a value contains. Follows: traversalCost."""
    if isinstance(value, str):
        return int(len(value.encode()) * STRING_TRAVERSAL_FACTOR)
    if isinstance(value, bytes):
        return int(len(value) * STRING_TRAVERSAL_FACTOR)
    if values.is_list(value):
        return sum(map(_traversal, value))
    if values.is_map(value):
        return sum(_traversal(key) + _traversal(value[key]) for key in value)
    return 1


def _regex(args: list[Any]) -> int:
    return math.ceil((1 + values.size(args[0])) * STRING_TRAVERSAL_FACTOR) * math.ceil(
        values.size(args[1]) * REGEX_LENGTH_FACTOR
    )


def _equality(args: list[Any]) -> int:
    return math.ceil(min(values.size(args[0]), values.size(args[1])) * STRING_TRAVERSAL_FACTOR)


def _selector(args: list[Any]) -> int:
    length = values.size(args[1])
    requirements = math.ceil(length * _SELECTOR_REQUIREMENTS)
    return LIST_CREATE + _walk(length) + requirements * (LIST_CREATE + STRUCT_CREATE)


def _contains_network(args: list[Any], *, network: bool) -> int:
    own = values.size(args[0])
    cost = _walk(2 * own) + (_walk(own) + 1 if network else 0)
    return cost + (_walk(len(args[1])) if type(args[1]) is str else 0)


def _validate(args: list[Any]) -> int:
    longest = getattr(args[0], "max_regex_size", 0)
    return math.ceil((1 + values.size(args[1])) * STRING_TRAVERSAL_FACTOR) * math.ceil(longest * REGEX_LENGTH_FACTOR)


def _ip(args: list[Any]) -> int:
    return _walk(len(args[0])) if type(args[0]) is str else 1


def of_result(result: Any) -> int:
    """`join`: the walk and the making of what came out."""
    return _walk(values.size(result), 2)


def _check(_: list[Any]) -> int:
    return AUTHORIZER_CHECK


def _sets(args: list[Any]) -> int:
    return values.size(args[0]) * values.size(args[1]) + 1


def _new_list(size: Callable[[list[Any]], float]) -> RuntimeCost:
    """A call, a list, and the work by size. Follows: cel-go ext/lists.go, trackAllocatingListCall."""
    return lambda args: 1 + LIST_CREATE + math.ceil(size(args))


def _self_compared(items: Any) -> float:
    count = values.size(items)
    factor = 2 + (STRING_TRAVERSAL_FACTOR if count and isinstance(items[0], str | bytes) else 0)
    return factor * count * count


def _first(args: list[Any]) -> int:
    return _traversal(args[0])


def _nothing(_: list[Any]) -> None:
    return None


def _addition(args: list[Any]) -> int:
    """One, as upstream's joined lists are views; ours are copies, whose size shows where it matters."""
    return 1 + (values.size(args[0]) + values.size(args[1])) // _COPIED_PER_UNIT


def _sum_of_sizes(args: list[Any]) -> int:
    return _walk(values.size(args[0]) + values.size(args[1]))


_BY_FUNCTION: dict[str, RuntimeCost] = {
    "check": _check,
    "fieldSelector": _selector,
    "labelSelector": _selector,
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _first),
    **dict.fromkeys(("url", "lowerAscii", "upperAscii", "substring", "trim", "jsonpatch.escapeKey"), _receiver()),
    **dict.fromkeys(("cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"), _receiver()),
    **dict.fromkeys(("replace", "split", "ip.isCanonical"), _receiver(2)),
    "join": _nothing,
    "find": _regex,
    "findAll": _regex,
    "ip": _ip,
    "containsIP": lambda args: _contains_network(args, network=False),
    "containsCIDR": lambda args: _contains_network(args, network=True),
    "validate": _validate,
    "_==_": lambda args: 1 if hasattr(args[0], "cel_type") else _equality(args),
    "_!=_": _equality,
    "slice": _new_list(lambda args: max(args[2] - args[1], 0)),
    "lists.range": _new_list(lambda args: max(args[0], 0)),
    "reverse": _new_list(lambda args: values.size(args[0])),
    "flatten": _new_list(lambda args: values.size(args[0]) * (max(args[1], 0) if len(args) > 1 else 1)),
    "distinct": _new_list(lambda args: _self_compared(args[0])),
    "sort": _new_list(lambda args: _self_compared(args[0])),
    "@sortByAssociatedKeys": _new_list(lambda args: _self_compared(args[1])),
    "sets.contains": _sets,
    "sets.intersects": _sets,
    "sets.equivalent": lambda args: 2 * _sets(args) - 1,
}

_BY_OVERLOAD: dict[str, RuntimeCost] = {
    **dict.fromkeys(
        (
            "starts_with_string",
            "ends_with_string",
            "string_to_bytes",
            "bytes_to_string",
            "strings_quote",
            "string_format",
        ),
        _receiver(),
    ),
    "add_list": _addition,
    "in_list": lambda args: values.size(args[1]),
    **dict.fromkeys(
        (
            f"{order}_{kind}"
            for order in ("less", "less_equals", "greater", "greater_equals")
            for kind in ("string", "bytes")
        ),
        _equality,
    ),
    "add_string": _sum_of_sizes,
    "add_bytes": _sum_of_sizes,
    "matches_string": _regex,
    "matches": _regex,
    "contains_string": lambda args: _walk(values.size(args[0])) * _walk(values.size(args[1])),
}


def runtime(function: str, overload: str) -> RuntimeCost | None:
    """The cost of calling `function`; `overload` is empty where only the values decide which it is."""
    if function == "_+_" and not overload:
        return _addition
    return _BY_FUNCTION.get(function) or _BY_OVERLOAD.get(overload)
