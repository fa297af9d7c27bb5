"""A checked tree as nested Python closures: compiled once, run many times without looking at the tree again.

Each closure adds its cost to the frame, so that the sum is upstream's for the same evaluation: a name or a selection
1, a list 10, a map 30, an object 40 (constants nothing), a call what `costs` says.

Follows: cel-go interpreter/{planner,interpretable,decorators,runtimecost}.go.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pybernetes.machinery.cel import comprehensions, costs, operators, values
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
from pybernetes.machinery.cel.errors import EvaluationError, no_such_overload
from pybernetes.machinery.cel.frame import Frame, Step
from pybernetes.machinery.cel.functions import FunctionTable, Implementation
from pybernetes.machinery.cel.limits import LIST_CREATE, MAP_CREATE, STRUCT_CREATE
from pybernetes.machinery.cel.types import Kind, Type
from pybernetes.machinery.cel.values import Constructed, Optional

_KEY_KINDS = frozenset({str, int, bool, values.Uint})
_CONVERSIONS = frozenset({"bool", "bytes", "double", "duration", "dyn", "int", "string", "timestamp", "uint"})
"""Functions that upstream computes once when their argument is constant."""
_OPERATORS = frozenset({"_+_", "_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"})
"""Functions that cost by size for texts and containers and 1 for numbers, and that refuse what does not fit."""
_INDEXED: dict[str, Callable[[Any, Any], Any]] = {"_[_]": operators.index, "_[?_]": operators.optional_index}


class Compiler:
    """Turns nodes into steps; knows which variable has which slot."""

    def __init__(self, functions: FunctionTable, variables: dict[str, int], structs: Mapping[str, Type]) -> None:
        self.functions = functions
        self.slots = dict(variables)
        self.structs = structs
        self.size = len(variables)

    def slot(self, name: str) -> int:
        """A new slot for a local name, until `restore`."""
        self.slots[name] = self.size
        self.size += 1
        return self.slots[name]

    def scoped(self, names: tuple[str, ...], build: Callable[[], Step]) -> Step:
        """What `build` makes while `names` have slots of their own."""
        before = dict(self.slots)
        for name in names:
            if name:
                self.slot(name)
        step = build()
        self.slots = before
        return step

    def compile(self, node: Node) -> Step:
        constant = self.constant(node)
        if constant is not None:
            value = constant.value
            return lambda _frame: value
        match node:
            case Ident():
                return self.ident(node)
            case Select():
                return self.select(node)
            case Call():
                return self.call(node)
            case ListLiteral():
                return self.list_literal(node)
            case MapLiteral():
                return self.map_literal(node)
            case StructLiteral():
                return self.struct_literal(node)
            case Comprehension():
                return comprehensions.compile_loop(self, node)
            case _:
                raise AssertionError(node)

    def constant(self, node: Node) -> Optional | None:
        """The value of what is the same in every evaluation; None for everything else.

        The Optional is only a box here: its value may be None.
        """
        match node:
            case Literal():
                return Optional(True, node.value)
            case Ident() if node.constant is not None:
                return Optional(True, node.constant)
            case Select(field="", operand=Ident() as name) if name.constant is not None:
                return Optional(True, name.constant)
            case ListLiteral(optionals=optionals) if not optionals:
                items = [self.constant(element) for element in node.elements]
                if all(item is not None for item in items):
                    return Optional(True, [item.value for item in items if item is not None])
            case MapLiteral():
                return self.constant_map(node)
            case Call(function=function, target=None, args=[argument]) if function in _CONVERSIONS:
                return self.converted(node, self.constant(argument))
        return None

    def constant_map(self, node: MapLiteral) -> Optional | None:
        found: dict[Any, Any] = {}
        for entry in node.entries:
            key, value = self.constant(entry.key), self.constant(entry.value)
            if entry.optional or key is None or value is None or type(key.value) not in _KEY_KINDS:
                return None
            if key.value in found:
                return None
            found[key.value] = value.value
        return Optional(True, found)

    def converted(self, node: Call, argument: Optional | None) -> Optional | None:
        if argument is None:
            return None
        try:
            return Optional(True, self.implementation(node)(argument.value))
        except EvaluationError:
            return None  # it fails again, and reports, when it is evaluated

    def implementation(self, node: Call) -> Implementation:
        return self.functions.implementation(node.function, node.target is not None, node.overloads)

    def ident(self, node: Ident) -> Step:
        slot = self.slots[node.name.removeprefix(".")]

        def read(frame: Frame) -> Any:
            frame.cost += 1
            return frame.slots[slot]

        return read

    def select(self, node: Select) -> Step:
        if not node.field:
            return self.compile(node.operand)  # a variable whose name has dots
        if node.test_only:
            return self.has(node)
        names: list[str] = []
        root: Node = node
        while isinstance(root, Select) and root.field and not root.test_only:
            names.append(root.field)
            root = root.operand
        names.reverse()
        if isinstance(root, Ident) and root.constant is None:
            return _chain(self.slots[root.name.removeprefix(".")], tuple(names))
        operand = self.compile(root)
        return _selections(operand, tuple(names))

    def has(self, node: Select) -> Step:
        operand, name = self.compile(node.operand), node.field

        def test(frame: Frame) -> bool:
            value = operand(frame)
            return name in value if type(value) is dict else values.has(value, name)

        return test

    def call(self, node: Call) -> Step:
        match node.function:
            case "_&&_":
                return _and(self.compile(node.args[0]), self.compile(node.args[1]))
            case "_||_":
                return _or(self.compile(node.args[0]), self.compile(node.args[1]))
            case "_?_:_":
                condition, chosen, other = node.args
                return _conditional(self.compile(condition), self.branch(chosen), self.branch(other))
            case "_?._":
                return _optional_selection(self.compile(node.args[0]), node.args[1])
            case "_[_]" | "_[?_]":
                return _index(self.compile(node.args[0]), self.compile(node.args[1]), _INDEXED[node.function])
            case "@in":
                constant = self.constant(node.args[1])
                if constant is not None and isinstance(node.args[1], ListLiteral):
                    return _in_constant(self.compile(node.args[0]), constant.value)
            case _:
                pass
        args = [self.compile(argument) for argument in node.args]
        if node.target is not None:
            args.insert(0, self.compile(node.target))
        if node.function in {"orValue", "or"}:
            return _or_else(args[0], args[1], unwrap=node.function == "orValue")
        overload = node.overloads[0] if len(node.overloads) == 1 else ""
        cost = costs.runtime(node.function, overload)
        implementation = self.implementation(node)
        if cost is not None and node.function in _OPERATORS:
            return _operation(implementation, args[0], args[1], cost)
        if cost is None:
            return _invoke(implementation, args)
        admits = self.functions.admits(node.function, node.target is not None, node.overloads)
        return _counted(implementation, args, cost, admits)

    def branch(self, node: Node) -> Step:
        """One side of a conditional: reading a variable costs nothing there, only what is selected from it.

        Follows: cel-go interpreter/planner.go, planCallConditional: the attribute is resolved without being observed.
        """
        step, root = self.compile(node), node
        while True:
            match root:
                case Select(test_only=False, field=field) if field:
                    root = root.operand
                case Call(function="_[_]"):
                    root = root.args[0]
                case Ident(constant=None):
                    break
                case _:
                    return step

        def unpriced(frame: Frame) -> Any:
            frame.cost -= 1
            return step(frame)

        return unpriced

    def list_literal(self, node: ListLiteral) -> Step:
        elements = [self.compile(element) for element in node.elements]
        if not node.optionals:

            def make(frame: Frame) -> list[Any]:
                frame.cost += LIST_CREATE
                return [element(frame) for element in elements]

            return make
        optionals = node.optionals

        def make_some(frame: Frame) -> list[Any]:
            frame.cost += LIST_CREATE
            found = []
            for position, element in enumerate(elements):
                value = element(frame)
                if position not in optionals:
                    found.append(value)
                elif _optional(value).present:
                    found.append(value.value)
            return found

        return make_some

    def map_literal(self, node: MapLiteral) -> Step:
        entries = [(self.compile(entry.key), self.compile(entry.value), entry.optional) for entry in node.entries]

        def make(frame: Frame) -> dict[Any, Any]:
            frame.cost += MAP_CREATE
            found: dict[Any, Any] = {}
            for key_step, value_step, optional in entries:
                key, value = key_step(frame), value_step(frame)
                if type(key) not in _KEY_KINDS:
                    raise EvaluationError(f"unsupported key type: {values.type_name(key)}")
                if optional:
                    if not _optional(value).present:
                        continue
                    value = value.value
                if key in found:
                    raise EvaluationError(f"Failed with repeated key: {key}")
                found[key] = value
            return found

        return make

    def struct_literal(self, node: StructLiteral) -> Step:
        built = self.structs[node.name.removeprefix(".")]
        assert built.kind is Kind.STRUCT
        entries = [
            ((built.fields or {})[_text(entry.key)].name, self.compile(entry.value), entry.optional)
            for entry in node.entries
        ]

        def make(frame: Frame) -> Constructed:
            frame.cost += STRUCT_CREATE
            found: dict[str, Any] = {}
            for name, step, optional in entries:
                value = step(frame)
                if optional:
                    if not _optional(value).present:
                        continue
                    value = value.value
                found[name] = value
            return Constructed(built, found)

        return make


def _text(key: Node) -> str:
    assert isinstance(key, Literal)
    return str(key.value)


def _optional(value: Any) -> Optional:
    if type(value) is not Optional:
        raise EvaluationError(f"cannot initialize optional list element from non-optional value {value}")
    return value


def _chain(slot: int, names: tuple[str, ...]) -> Step:
    """`variable.a.b.c` in one step, the commonest thing rules do."""
    cost = 1 + len(names)
    if len(names) == 1:
        only = names[0]

        def one(frame: Frame) -> Any:
            frame.cost += 2
            value = frame.slots[slot]
            if type(value) is dict and only in value:
                return value[only]
            return values.select(value, only)

        return one

    def many(frame: Frame) -> Any:
        frame.cost += cost
        value = frame.slots[slot]
        for name in names:
            value = value[name] if type(value) is dict and name in value else values.select(value, name)
        return value

    return many


def _selections(operand: Step, names: tuple[str, ...]) -> Step:
    cost = len(names)

    def read(frame: Frame) -> Any:
        value = operand(frame)
        frame.cost += cost
        for name in names:
            value = values.select(value, name)
        return value

    return read


def _optional_selection(operand: Step, name: Node) -> Step:
    field = _text(name)

    def read(frame: Frame) -> Optional:
        value = operand(frame)
        frame.cost += 1
        return values.optional_select(value, field)

    return read


def _index(holder: Step, key: Step, read: Callable[[Any, Any], Any]) -> Step:
    def step(frame: Frame) -> Any:
        held = holder(frame)
        frame.cost += 1
        return read(held, key(frame))

    return step


def _in_constant(item: Step, items: list[Any]) -> Step:
    """Membership in a list known beforehand; costs nothing of its own, as upstream's set of constants."""
    plain = frozenset(one for one in items if type(one) is str)
    if len(plain) == len(set(map(str, items))) and all(type(one) is str for one in items):
        return lambda frame: (value := item(frame)).__class__ is str and value in plain
    return lambda frame: operators.contains(items, item(frame))


def _and(left: Step, right: Step) -> Step:
    def step(frame: Frame) -> bool:
        try:
            one = left(frame)
        except EvaluationError as error:
            return _absorbed(error, right, frame, False)
        if one is False:
            return False
        other = right(frame)
        if other is False:
            return False
        if one is True and other is True:
            return True
        raise no_such_overload()

    return step


def _or(left: Step, right: Step) -> Step:
    def step(frame: Frame) -> bool:
        try:
            one = left(frame)
        except EvaluationError as error:
            return _absorbed(error, right, frame, True)
        if one is True:
            return True
        other = right(frame)
        if other is True:
            return True
        if one is False and other is False:
            return False
        raise no_such_overload()

    return step


def _absorbed(error: EvaluationError, right: Step, frame: Frame, decisive: bool) -> bool:
    """The right side decides alone, or the first error stands."""
    try:
        other = right(frame)
    except EvaluationError:
        raise error from None
    if other == decisive and type(other) is bool:
        return decisive
    raise error


def _conditional(condition: Step, chosen: Step, other: Step) -> Step:
    def step(frame: Frame) -> Any:
        decided = condition(frame)
        if decided is True:
            return chosen(frame)
        if decided is False:
            return other(frame)
        raise no_such_overload()

    return step


def _or_else(optional: Step, other: Step, *, unwrap: bool) -> Step:
    """`or` and `orValue`: the second is only evaluated where the first is absent."""

    def step(frame: Frame) -> Any:
        held = optional(frame)
        if type(held) is not Optional:
            raise no_such_overload()
        if not held.present:
            return other(frame)
        return held.value if unwrap else held

    return step


def _invoke(implementation: Implementation, args: list[Step]) -> Step:
    """A call that costs 1."""
    if len(args) == 2:
        first, second = args

        def binary(frame: Frame) -> Any:
            one = first(frame)
            other = second(frame)
            frame.cost += 1
            return implementation(one, other)

        return binary
    if len(args) == 1:
        only = args[0]

        def unary(frame: Frame) -> Any:
            value = only(frame)
            frame.cost += 1
            return implementation(value)

        return unary

    def call(frame: Frame) -> Any:
        given = [argument(frame) for argument in args]
        frame.cost += 1
        return implementation(*given)

    return call


def _operation(implementation: Implementation, first: Step, second: Step, cost: costs.RuntimeCost) -> Step:
    def step(frame: Frame) -> Any:
        one = first(frame)
        other = second(frame)
        kind = type(one)
        if kind is int or kind is bool or one is None:
            frame.cost += 1
        else:
            frame.spend(cost([one, other]) or 0)
        return implementation(one, other)

    return step


def _counted(
    implementation: Implementation,
    args: list[Step],
    cost: costs.RuntimeCost,
    admits: Callable[[list[Any]], bool],
) -> Step:
    """A call whose cost depends on its arguments, or else on its result."""

    def counted(frame: Frame) -> Any:
        given = [argument(frame) for argument in args]
        if not admits(given):
            raise no_such_overload()
        before = cost(given)
        if before is not None:
            frame.spend(before)
            return implementation(*given)
        result = implementation(*given)
        frame.spend(costs.of_result(result))
        return result

    return counted
