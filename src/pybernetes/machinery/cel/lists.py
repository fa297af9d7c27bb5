"""Lists: order, sums and positions from Kubernetes; slices, sorting and sets from cel-go.

Follows: apiserver pkg/cel/library/{lists,regex}.go; cel-go ext/{lists,sets}.go.
"""

import itertools
from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

from pybernetes.machinery.cel import operators, regex
from pybernetes.machinery.cel.errors import EvaluationError
from pybernetes.machinery.cel.functions import Library
from pybernetes.machinery.cel.times import Duration
from pybernetes.machinery.cel.values import NONE, Optional, Uint, is_list, type_value

LISTS = Library("lists")
_define = LISTS.define
_COMPARABLE = ("int", "uint", "double", "bool", "duration", "timestamp", "string", "bytes")
_ZEROES: dict[str, Any] = {"int": 0, "uint": Uint(0), "double": 0.0, "duration": Duration(0)}
MAX_RANGE = 1_000_000
"""Longest list `lists.range` makes: what a call may cost."""


def _per_type(function: str, kinds: tuple[str, ...], result: str, implementation: Callable[..., Any]) -> None:
    for kind in kinds:
        LISTS.add(f"list_{kind}_{function}", f"list({kind})|{function}() -> {result.format(kind)}", implementation)


def _is_sorted(items: Any) -> bool:
    listed = list(items)
    return all(operators.less_equal(one, other) for one, other in itertools.pairwise(listed))


def _extreme(name: str, better: Callable[[Any, Any], bool]) -> Callable[[Any], Any]:
    def find(items: Any) -> Any:
        if not len(items):
            raise EvaluationError(f"{name} called on empty list")
        best, *others = items
        for item in others:
            if better(item, best):
                best = item
        return best

    return find


def _sum(kind: str) -> Callable[[Any], Any]:
    def total(items: Any) -> Any:
        result = None
        for item in items:
            result = item if result is None else operators.add(result, item)
        return _ZEROES[kind] if result is None else result

    return total


_per_type("isSorted", _COMPARABLE, "bool", _is_sorted)
_per_type("min", _COMPARABLE, "{}", _extreme("min", operators.less))
_per_type("max", _COMPARABLE, "{}", _extreme("max", operators.greater))
for _kind in _ZEROES:
    _per_type("sum", (_kind,), "{}", _sum(_kind))


@_define("list_a_index_of_int", "list(T)|indexOf(T) -> int")
def _index_of(items: Any, wanted: Any) -> int:
    return next((place for place, item in enumerate(items) if operators.equal(item, wanted)), -1)


@_define("list_a_last_index_of_int", "list(T)|lastIndexOf(T) -> int")
def _last_index_of(items: Any, wanted: Any) -> int:
    return max((place for place, item in enumerate(items) if operators.equal(item, wanted)), default=-1)


@_define("list_first", "list(V)|first() -> optional(V)")
def _first(items: Any) -> Optional:
    return Optional(True, items[0]) if len(items) else NONE


@_define("list_last", "list(V)|last() -> optional(V)")
def _last(items: Any) -> Optional:
    return Optional(True, items[len(items) - 1]) if len(items) else NONE


@_define("list_slice", "list(T)|slice(int, int) -> list(T)")
def _slice(items: Any, start: int, end: int) -> list[Any]:
    what = f"cannot slice({start}, {end})"
    if start < 0 or end < 0:
        raise EvaluationError(f"{what}, negative indexes not supported")
    if start > end:
        raise EvaluationError(f"{what}, start index must be less than or equal to end index")
    if len(items) < end:
        raise EvaluationError(f"{what}, list is length {len(items)}")
    return [items[place] for place in range(start, end)]


@_define(
    "list_flatten", "list(list(T))|flatten() -> list(T)", "list_flatten_int", "list(dyn)|flatten(int) -> list(dyn)"
)
def _flatten(items: Any, depth: int = 1) -> list[Any]:
    if depth < 0:
        raise EvaluationError("level must be non-negative")
    found: list[Any] = []
    for item in items:
        if depth and is_list(item):
            found.extend(_flatten(item, depth - 1))
        else:
            found.append(item)
    return found


@_define("lists_range", "lists.range(int) -> list(int)")
def _range(count: int) -> list[int]:
    if count > MAX_RANGE:
        raise EvaluationError(f"lists.range({count}) is longer than {MAX_RANGE}")
    return list(range(count))


@_define("list_reverse", "list(T)|reverse() -> list(T)")
def _reverse(items: Any) -> list[Any]:
    return list(items)[::-1]


@_define("list_distinct", "list(T)|distinct() -> list(T)")
def _distinct(items: Any) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if not operators.contains(found, item):
            found.append(item)
    return found


def _by_key(one: tuple[Any, Any], other: tuple[Any, Any]) -> int:
    return operators.compare(one[0], other[0]) or 0


def _sort_by_keys(items: Any, keys: Any) -> list[Any]:
    pairs = list(zip(keys, items, strict=True))
    if pairs:
        kind = type_value(pairs[0][0]).name
        if any(type_value(key).name != kind for key, _ in pairs):
            raise EvaluationError("list elements must have the same type")
    ordered = cmp_to_key(_by_key)
    return [item for _, item in sorted(pairs, key=ordered)]


for _kind in _COMPARABLE:
    LISTS.add(f"list_{_kind}_sort", f"list({_kind})|sort() -> list({_kind})", lambda items: _sort_by_keys(items, items))
    LISTS.add(
        f"list_{_kind}_sortByAssociatedKeys", f"list(T)|@sortByAssociatedKeys(list({_kind})) -> list(T)", _sort_by_keys
    )


@_define("list_sets_contains_list", "sets.contains(list(T), list(T)) -> bool")
def _contains(items: Any, others: Any) -> bool:
    return all(operators.contains(items, other) for other in others)


@_define("list_sets_equivalent_list", "sets.equivalent(list(T), list(T)) -> bool")
def _equivalent(items: Any, others: Any) -> bool:
    return _contains(items, others) and _contains(others, items)


@_define("list_sets_intersects_list", "sets.intersects(list(T), list(T)) -> bool")
def _intersects(items: Any, others: Any) -> bool:
    return any(operators.contains(others, item) for item in items)


@_define("string_find_string", "string|find(string) -> string")
def _find(text: str, pattern: str) -> str:
    match = regex.compiled(pattern, "Illegal regex: ").search(text)
    return "" if match is None else str(match.group(0))


@_define("string_find_all_string", "string|findAll(string) -> list(string)",
         "string_find_all_string_int", "string|findAll(string, int) -> list(string)")  # fmt: skip
def _find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    found: list[str] = []
    end = -1
    for match in regex.compiled(pattern, "Illegal regex: ").finditer(text):
        if 0 <= limit <= len(found):
            break
        if match.start() == match.end() == end:
            continue  # an empty match right after another is none
        end = match.end()
        found.append(str(match.group(0)))
    return found
