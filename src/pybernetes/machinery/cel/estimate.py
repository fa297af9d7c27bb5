"""What an expression can cost at most, known before any value is: the sizes come from the declared types.

`self.items.all(x, x.name.startsWith('a'))` with at most 10 items is at most 10 × (cost of one round), plus the ends.
Everything without a limit of its own is limited by the size of a request.

Follows: cel-go checker/cost.go; apiserver pkg/cel/library/cost.go, EstimateCallCost.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from pybernetes.machinery.cel import types, values
from pybernetes.machinery.cel.ast import (
    Call,
    Comprehension,
    Ident,
    ListLiteral,
    Literal,
    MapLiteral,
    Node,
    Select,
    StructLiteral,
)
from pybernetes.machinery.cel.limits import LIST_CREATE, MAP_CREATE, STRING_TRAVERSAL_FACTOR, STRUCT_CREATE
from pybernetes.machinery.cel.types import Kind, Type

UNBOUNDED = 2**64 - 1
_TWO_TO_64 = math.ldexp(1.0, 64)


@dataclass(frozen=True, slots=True)
class Estimate:
    """The least and the most: a size, or a cost. Sums and products stop at 2⁶⁴-1."""

    min: int
    max: int

    def __add__(self, other: "Estimate") -> "Estimate":
        return Estimate(min(self.min + other.min, UNBOUNDED), min(self.max + other.max, UNBOUNDED))

    def __mul__(self, other: "Estimate") -> "Estimate":
        return Estimate(min(self.min * other.min, UNBOUNDED), min(self.max * other.max, UNBOUNDED))

    def scaled(self, factor: float) -> "Estimate":
        return Estimate(_scaled(self.min, factor), _scaled(self.max, factor))

    def union(self, other: "Estimate") -> "Estimate":
        return Estimate(min(self.min, other.min), max(self.max, other.max))


def fixed(number: int) -> Estimate:
    return Estimate(number, number)


def _scaled(number: int, factor: float) -> int:
    product = math.ceil(float(number) * factor)
    return UNBOUNDED if product >= _TWO_TO_64 else product


NOTHING, ONE, UNKNOWN = fixed(0), fixed(1), Estimate(0, UNBOUNDED)


@dataclass(frozen=True, slots=True)
class CallEstimate:
    """The cost of a call without its arguments', and the size of its result if it is known."""

    cost: Estimate
    size: Estimate | None = None


@dataclass(frozen=True, slots=True)
class _Entries:
    """Sizes of what a container holds."""

    kind: Kind
    key: Estimate
    value: Estimate

    def union(self, other: "_Entries") -> "_Entries":
        return _Entries(self.kind, self.key.union(other.key), self.value.union(other.value))


@dataclass(frozen=True, slots=True)
class _Local:
    """A loop's variable: where in the schema its values are, and their size."""

    located: Type | None
    size: Estimate | None = None
    entries: _Entries | None = None


def step_into(located: Type | None, part: str) -> Type | None:
    """The schema's type of the items, keys or values of a container."""
    if located is None:
        return None
    if located.kind is Kind.LIST and part == "@items":
        return located.parameters[0]
    if located.kind is Kind.MAP and part in {"@keys", "@values"}:
        return located.parameters[0 if part == "@keys" else 1]
    return None


def located_size(located: Type | None) -> Estimate | None:
    """The size values of a schema's type can have."""
    if located is None or located.max_elements is None:
        return None
    return Estimate(0, located.max_elements)


_SCALARS = frozenset({Kind.BOOL, Kind.DOUBLE, Kind.DURATION, Kind.INT, Kind.TIMESTAMP, Kind.UINT})


def _is_scalar(checked: Type) -> bool:
    inner, optional = types.unwrap_optional(checked)
    return _is_scalar(inner) if optional else checked.kind in _SCALARS


class Estimator:
    """Walks one tree; variables' types say where sizes come from."""

    def __init__(self, variables: Mapping[str, Type]) -> None:
        self.variables = variables
        self.locals: dict[str, list[_Local]] = {}
        self.located: dict[Node, Type | None] = {}
        self.sizes: dict[Node, Estimate] = {}
        self.entries: dict[Node, _Entries] = {}

    # ----- sizes

    def local(self, node: Node) -> _Local | None:
        stack = self.locals.get(node.name) if isinstance(node, Ident) else None
        return stack[-1] if stack else None

    def place(self, node: Node) -> Type | None:
        local = self.local(node)
        return self.located.get(node) if local is None else local.located

    def size(self, node: Node) -> Estimate | None:
        """What is known of the size of a node's value. Follows: computeSize."""
        known = self.sizes.get(node) or _written_size(node) or located_size(self.place(node))
        if known is not None:
            return known
        if _is_scalar(node.type):
            return ONE
        local = self.local(node)
        return None if local is None else local.size

    def size_or_unknown(self, node: Node) -> Estimate:
        return self.size(node) or UNKNOWN

    def contents(self, node: Node) -> _Entries | None:
        known = self.entries.get(node)
        if known is not None:
            return known
        local = self.local(node)
        return None if local is None else local.entries

    def element(self, node: Node) -> tuple[Type, Estimate] | None:
        """The type and size of the items of a list."""
        if not node.type.parameters:
            return None
        return node.type.parameters[0], located_size(step_into(self.place(node), "@items")) or UNKNOWN

    # ----- costs

    def cost(self, node: Node) -> Estimate:
        """The cost of evaluating `node`."""
        match node:
            case Ident():
                if self.local(node) is None:
                    self.located[node] = self.variables.get(node.name.removeprefix("."))
                return ONE
            case Select():
                return self.select(node)
            case Call():
                return self.call(node)
            case ListLiteral():
                return self.list_literal(node)
            case MapLiteral():
                return self.map_literal(node)
            case StructLiteral():
                total = fixed(STRUCT_CREATE)
                for entry in node.entries:
                    total += self.cost(entry.value)
                return total
            case Comprehension():
                return self.bind(node) if node.macro.name == "bind" else self.loop(node)
            case _:
                return NOTHING

    def select(self, node: Select) -> Estimate:
        total = self.cost(node.operand)
        if not node.field:
            self.located[node] = self.place(node.operand)
            return total
        if node.test_only:
            return total
        if node.operand.type.kind in {Kind.MAP, Kind.STRUCT, Kind.PARAMETER}:
            total += ONE
        located = self.place(node.operand)
        declared = (located.fields or {}).get(node.field) if located is not None else None
        self.located[node] = None if declared is None else declared.type
        return total

    def call(self, node: Call) -> Estimate:
        if node.function == "dyn":
            total = self.cost(node.args[0])
            self.copy(node, node.args[0])
            return total + ONE
        costs = [self.cost(argument) for argument in node.args]
        if not node.overloads:
            return NOTHING
        total = self.cost(node.target) if node.target is not None else NOTHING
        least: Estimate | None = None
        size: Estimate | None = None
        for overload in node.overloads:
            one = self.function(node, overload, costs)
            least = one.cost if least is None else least.union(one.cost)
            if one.size is not None:
                size = one.size if size is None else size.union(one.size)
            if overload in {"index_list", "index_map"}:
                held = self.contents(node.args[0])
                size = None if held is None else held.value
                part = "@items" if overload == "index_list" else "@values"
                self.located[node] = step_into(self.place(node.args[0]), part)
            if size is None:
                size = self.size(node)
        if size is not None:
            self.sizes[node] = size
        assert least is not None
        return total + least

    def list_literal(self, node: ListLiteral) -> Estimate:
        total, item = fixed(LIST_CREATE), None
        for element in node.elements:
            total += self.cost(element)
            size = self.size_or_unknown(element)
            item = size if item is None else item.union(size)
        self.entries[node] = _Entries(Kind.LIST, ONE, item or NOTHING)
        return total

    def map_literal(self, node: MapLiteral) -> Estimate:
        total, keys, held = fixed(MAP_CREATE), None, None
        for entry in node.entries:
            total = total + self.cost(entry.key) + self.cost(entry.value)
            key, value = self.size_or_unknown(entry.key), self.size_or_unknown(entry.value)
            keys = key if keys is None else keys.union(key)
            held = value if held is None else held.union(value)
        self.entries[node] = _Entries(Kind.MAP, keys or NOTHING, held or NOTHING)
        return total

    def copy(self, to: Node, source: Node) -> None:
        size, held = self.size(source), self.contents(source)
        if size is not None:
            self.sizes[to] = size
        if held is not None:
            self.entries[to] = held

    def bind(self, node: Comprehension) -> Estimate:
        total = self.cost(node.range) + self.cost(node.init)
        local = _Local(self.place(node.init), self.size(node.init), self.contents(node.init))
        self.locals.setdefault(node.accumulator, []).append(local)
        total += self.cost(node.result)
        self.copy(node, node.result)
        self.located[node] = self.place(node.result)
        self.locals[node.accumulator].pop()
        return total

    def loop(self, node: Comprehension) -> Estimate:
        total = self.cost(node.range) + self.cost(node.init)
        accumulated = _Local(self.place(node.init), self.size(node.init), self.contents(node.init))
        bound = {node.accumulator: accumulated, **self.variables_of(node)}
        for name, local in bound.items():
            self.locals.setdefault(name, []).append(local)
        per_item = self.cost(node.condition) + self.cost(node.step)
        stepped = self.contents(node.step)
        for name in bound:
            if name != node.accumulator:
                self.locals[name].pop()
        total += self.cost(node.result)
        self.locals[node.accumulator].pop()
        count = self.size_or_unknown(node.range)
        match node.init:
            case Literal():
                size = self.size(node.init)
                if size is not None:
                    self.sizes[node] = size
            case ListLiteral() | MapLiteral():
                self.sizes[node] = count
                if stepped is not None:
                    self.entries[node] = stepped
            case _:
                pass
        return total + count * per_item

    def variables_of(self, node: Comprehension) -> dict[str, _Local]:
        held, place = self.contents(node.range), self.place(node.range)
        is_list = (node.range.type.kind if held is None else held.kind) is Kind.LIST
        key, value = (None, None) if held is None else (held.key, held.value)
        items = _Local(step_into(place, "@items" if is_list else "@values"), value)
        keys = _Local(None if is_list else step_into(place, "@keys"), key)
        if node.variable2:
            return {node.variable: keys, node.variable2: items}
        return {node.variable: items if is_list else keys}

    # ----- functions

    def function(self, node: Call, overload: str, costs: list[Estimate]) -> CallEstimate:
        """One overload's cost, arguments included."""
        from pybernetes.machinery.cel import function_estimates  # noqa: PLC0415 - it needs this module's types

        arguments = NOTHING
        for cost in costs:
            arguments += cost
        match overload:
            case "logical_or" | "logical_and":
                return CallEstimate(Estimate(costs[0].min, (costs[0] + costs[1]).max))
            case "conditional":
                return self.conditional(node, costs)
            case _:
                pass
        found = function_estimates.estimate(self, node, overload)
        if found is None:
            found = self.standard(node, overload)
        return CallEstimate(found.cost + arguments, found.size)

    def conditional(self, node: Call, costs: list[Estimate]) -> CallEstimate:
        chosen, other = node.args[1], node.args[2]
        one, two = self.contents(chosen), self.contents(other)
        if one is not None and two is not None:
            self.entries[node] = one.union(two)
        size = self.size_or_unknown(chosen).union(self.size_or_unknown(other))
        return CallEstimate(costs[0] + costs[1].union(costs[2]), size)

    def standard(self, node: Call, overload: str) -> CallEstimate:
        """The language's own functions."""
        args = node.args
        if overload.startswith("add_") and overload[4:] in {"string", "bytes", "list"}:
            one, two = self.contents(args[0]), self.contents(args[1])
            if one is not None and two is not None:
                self.entries[node] = one.union(two)
            size = self.size_or_unknown(args[0]) + self.size_or_unknown(args[1])
            return CallEstimate(ONE if overload == "add_list" else size.scaled(STRING_TRAVERSAL_FACTOR), size)
        if overload in {"equals", "not_equals"} or (
            overload.endswith(("_string", "_bytes")) and overload.startswith(("less_", "greater_"))
        ):
            largest = min(self.size_or_unknown(args[0]).max, self.size_or_unknown(args[1]).max)
            return CallEstimate(Estimate(1 if largest else 0, largest).scaled(STRING_TRAVERSAL_FACTOR))
        return CallEstimate(ONE)


def _written_size(node: Node) -> Estimate | None:
    match node:
        case Literal(value=value) if isinstance(value, str | bytes):
            return fixed(len(value))
        case Literal(value=value):
            return ONE if value is None or isinstance(value, int | float | values.Uint) else None
        case ListLiteral():
            return fixed(len(node.elements))
        case MapLiteral():
            return fixed(len(node.entries))
        case _:
            return None
