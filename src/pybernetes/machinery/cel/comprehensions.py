"""Loops as steps: one specialised step per macro, with the costs of the general loop each macro stands for.

The general loop evaluates, per item, its condition and its step; the constants here are what those cost beyond the
parts the author wrote. An item that is left out costs nothing more: a variable is free where a conditional chooses it.
`all` over three items with a predicate of cost p: 3 × (2 + 1 + p) + 1.

Follows: cel-go interpreter/interpretable.go, evalFold; parser/macro.go.
"""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from pybernetes.machinery.cel import values
from pybernetes.machinery.cel.ast import Comprehension
from pybernetes.machinery.cel.errors import CostExceeded, EvaluationError, no_such_overload
from pybernetes.machinery.cel.frame import Frame, Step
from pybernetes.machinery.cel.limits import LIST_CREATE

if TYPE_CHECKING:
    from pybernetes.machinery.cel.compiler import Compiler

_ALL_CONDITION = 2
"""`@not_strictly_false(accumulator)`."""
_EXISTS_CONDITION = 3
"""`@not_strictly_false(!accumulator)`."""
_READ = 1
"""The accumulator."""

Assign = Callable[[list[Any], Any], None]
Binder = Callable[[Any], Iterable[Any]]


def compile_loop(compiler: "Compiler", node: Comprehension) -> Step:
    """The step of a macro's loop."""
    if node.macro.name == "bind":
        return _bind(compiler, node)
    ranged = compiler.compile(node.range)
    names = (node.variable, node.variable2)
    before = dict(compiler.slots)
    first = compiler.slot(node.variable)
    second = compiler.slot(node.variable2) if node.variable2 else -1
    parts = [compiler.compile(part) for part in node.macro.parts]
    built = [compiler.constant(part) is not None for part in node.macro.parts]
    compiler.slots = before
    loop = _Loop(ranged, first, second)
    match node.macro.name:
        case "all":
            return _quantifier(loop, parts[0], decisive=False, condition=_ALL_CONDITION)
        case "exists":
            return _quantifier(loop, parts[0], decisive=True, condition=_EXISTS_CONDITION)
        case "exists_one":
            return _exists_one(loop, parts[0])
        case "filter":
            return _filter(loop, parts[0])
        case "map":
            create = 0 if built[-1] else LIST_CREATE
            return _map(loop, parts[-1], parts[0] if len(parts) == 2 else None, create)
        case "transformMap":
            return _transform_map(loop, parts[-1], parts[0] if len(parts) == 2 else None)
        case _:
            assert names[1]
            return _transform_entries(loop, parts[-1], parts[0] if len(parts) == 2 else None)


class _Loop:
    """Where the items come from and where the loop's variables live; `second` is -1 with one variable."""

    __slots__ = ("first", "ranged", "second")

    def __init__(self, ranged: Step, first: int, second: int) -> None:
        self.ranged = ranged
        self.first = first
        self.second = second

    def items(self, frame: Frame) -> list[Any] | Iterable[Any]:
        """What one round binds; pairs with two variables."""
        held = self.ranged(frame)
        if values.is_list(held):
            return held if self.second < 0 else list(enumerate(held))
        if values.is_map(held):
            return list(held) if self.second < 0 else [(key, held[key]) for key in held]
        raise no_such_overload()

    def binder(self) -> Assign:
        first, second = self.first, self.second
        if second < 0:

            def one(slots: list[Any], item: Any) -> None:
                slots[first] = item

            return one

        def two(slots: list[Any], item: Any) -> None:
            slots[first], slots[second] = item

        return two


def _bind(compiler: "Compiler", node: Comprehension) -> Step:
    init = compiler.compile(node.init)
    before = dict(compiler.slots)
    slot = compiler.slot(node.accumulator)
    body = compiler.compile(node.result)
    compiler.slots = before

    def step(frame: Frame) -> Any:
        frame.slots[slot] = init(frame)
        return body(frame)

    return step


def _quantifier(loop: _Loop, predicate: Step, *, decisive: bool, condition: int) -> Step:
    """`all` and `exists`: errors of items are forgotten where another item decides."""
    assign, per_item = loop.binder(), condition + _READ
    wanted: object = decisive  # as an object, so that the result's type stays bool

    def step(frame: Frame) -> bool:
        slots, limit = frame.slots, frame.limit
        error: EvaluationError | None = None
        items = loop.items(frame)
        remaining = len(items)  # type: ignore[arg-type]  # lists and list views
        for item in items:
            frame.cost += per_item
            if frame.cost > limit:
                raise CostExceeded
            assign(slots, item)
            remaining -= 1
            try:
                decided = predicate(frame)
            except EvaluationError as failure:
                error = error or failure
                continue
            if decided is wanted:
                frame.cost += _READ + (condition if remaining else 0)
                return decisive
            if decided is not (not decisive):
                error = error or no_such_overload()
        frame.cost += _READ
        if error is not None:
            raise error
        return not decisive

    return step


def _exists_one(loop: _Loop, predicate: Step) -> Step:
    assign = loop.binder()

    def step(frame: Frame) -> bool:
        count = 0
        for item in loop.items(frame):
            assign(frame.slots, item)
            if _true(predicate(frame)):
                count += 1
                frame.cost += _READ + 1
            if frame.cost > frame.limit:
                raise CostExceeded
        frame.cost += _READ + 1
        return count == 1

    return step


def _filter(loop: _Loop, predicate: Step) -> Step:
    assign = loop.binder()
    kept = _READ + LIST_CREATE + 1 + 1  # the accumulator, `+`, a list, the item

    def step(frame: Frame) -> list[Any]:
        found = []
        for item in loop.items(frame):
            assign(frame.slots, item)
            if _true(predicate(frame)):
                found.append(item)
                frame.spend(kept)
            elif frame.cost > frame.limit:
                raise CostExceeded
        frame.cost += _READ
        return found

    return step


def _map(loop: _Loop, transform: Step, predicate: Step | None, create: int) -> Step:
    assign, made = loop.binder(), _READ + create + 1

    def step(frame: Frame) -> list[Any]:
        found = []
        for item in loop.items(frame):
            assign(frame.slots, item)
            if predicate is None or _true(predicate(frame)):
                found.append(transform(frame))
                frame.spend(made)
            elif frame.cost > frame.limit:
                raise CostExceeded
        frame.cost += _READ
        return found

    return step


def _transform_map(loop: _Loop, transform: Step, predicate: Step | None) -> Step:
    assign = loop.binder()

    def step(frame: Frame) -> dict[Any, Any]:
        found = {}
        for item in loop.items(frame):
            assign(frame.slots, item)
            if predicate is None or _true(predicate(frame)):
                found[item[0]] = transform(frame)
                frame.spend(_READ + 1 + 1)
            elif frame.cost > frame.limit:
                raise CostExceeded
        frame.cost += _READ
        return found

    return step


def _transform_entries(loop: _Loop, transform: Step, predicate: Step | None) -> Step:
    assign = loop.binder()

    def step(frame: Frame) -> dict[Any, Any]:
        found: dict[Any, Any] = {}
        for item in loop.items(frame):
            assign(frame.slots, item)
            if predicate is not None and not _true(predicate(frame)):
                frame.spend(0)
                continue
            entry = transform(frame)
            if not values.is_map(entry):
                raise no_such_overload()
            for key in entry:
                if key in found:
                    raise EvaluationError(f"insert failed: key {key} already exists")
                found[key] = entry[key]
            frame.spend(_READ + 1)
        frame.cost += _READ
        return found

    return step


def _true(value: Any) -> bool:
    if value is True or value is False:
        return bool(value)
    raise no_such_overload()
