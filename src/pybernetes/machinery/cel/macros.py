"""What macros expand to: loops and presence tests instead of calls.

The expansion is the language's own, node by node, because types, error texts and costs are defined on it.

Follows: cel-go parser/macro.go, ext/{bindings,comprehensions}.go, cel/library.go (optional macros).
"""

from collections.abc import Callable

from pybernetes.machinery.cel.ast import (
    ACCUMULATOR,
    Call,
    Comprehension,
    Ident,
    ListLiteral,
    Literal,
    Macro,
    MapLiteral,
    Node,
    Select,
    StructLiteral,
)

NOT_STRICTLY_FALSE = "@not_strictly_false"
MAP_INSERT = "cel.@mapInsert"
_SORTED = "@__sortBy_input__"
UNUSED = "#unused"
"""The loop variable of a binding, which no text can name."""


class MacroError(ValueError):
    """The arguments do not fit; `offset` is the place, None that of the call."""

    def __init__(self, message: str, node: Node | None = None) -> None:
        super().__init__(message)
        self.offset = None if node is None else node.offset


class _Maker:
    """Builds nodes at the place of the macro's call."""

    def __init__(self, offset: int) -> None:
        self.offset = offset

    def literal(self, value: object) -> Literal:
        return Literal(self.offset, value)

    def accumulator(self) -> Ident:
        return Ident(self.offset, ACCUMULATOR)

    def call(self, function: str, *args: Node) -> Call:
        return Call(self.offset, function, None, list(args))

    def one(self, element: Node) -> ListLiteral:
        return ListLiteral(self.offset, [element], frozenset())

    def nothing(self) -> ListLiteral:
        return ListLiteral(self.offset, [], frozenset())

    def append_if(self, condition: Node | None, element: Node) -> Call:
        step = self.call("_+_", self.accumulator(), self.one(element))
        return step if condition is None else self.call("_?_:_", condition, step, self.accumulator())


Expander = Callable[[int, Node | None, list[Node]], Node | None]


def _name(node: Node, message: str = "argument is not an identifier") -> str:
    if not isinstance(node, Ident) or node.name.startswith("."):
        raise MacroError(message, node)
    if node.name in {ACCUMULATOR, "__result__"}:
        raise MacroError("iteration variable overwrites accumulator variable", node)
    return node.name


def _has(offset: int, _: Node | None, args: list[Node]) -> Node:
    if isinstance(args[0], Select) and not args[0].test_only:
        return Select(offset, args[0].operand, args[0].field, test_only=True)
    raise MacroError("invalid argument to has() macro", args[0])


def _loop(
    make: _Maker,
    target: Node | None,
    variables: tuple[str, str],
    parts: tuple[Node, Node, Node, Node],
    macro: Macro,
) -> Comprehension:
    assert target is not None
    init, condition, step, result = parts
    return Comprehension(
        make.offset, target, variables[0], variables[1], ACCUMULATOR, init, condition, step, result, macro
    )


def _variables(args: list[Node], count: int) -> tuple[str, str]:
    message = "argument must be a simple name"
    if count == 1:
        return _name(args[0], message), ""
    first, second = _name(args[0], message), _name(args[1], message)
    if first == second:
        raise MacroError(f"duplicate variable name: {first}", args[1])
    return first, second


def _all(count: int) -> Expander:
    def expand(offset: int, target: Node | None, args: list[Node]) -> Node:
        make, predicate = _Maker(offset), args[count]
        condition = make.call(NOT_STRICTLY_FALSE, make.accumulator())
        step = make.call("_&&_", make.accumulator(), predicate)
        parts = (make.literal(True), condition, step, make.accumulator())
        return _loop(make, target, _variables(args, count), parts, Macro("all", (predicate,)))

    return expand


def _exists(count: int) -> Expander:
    def expand(offset: int, target: Node | None, args: list[Node]) -> Node:
        make, predicate = _Maker(offset), args[count]
        condition = make.call(NOT_STRICTLY_FALSE, make.call("!_", make.accumulator()))
        step = make.call("_||_", make.accumulator(), predicate)
        parts = (make.literal(False), condition, step, make.accumulator())
        return _loop(make, target, _variables(args, count), parts, Macro("exists", (predicate,)))

    return expand


def _exists_one(count: int) -> Expander:
    def expand(offset: int, target: Node | None, args: list[Node]) -> Node:
        make, predicate = _Maker(offset), args[count]
        more = make.call("_+_", make.accumulator(), make.literal(1))
        step = make.call("_?_:_", predicate, more, make.accumulator())
        result = make.call("_==_", make.accumulator(), make.literal(1))
        parts = (make.literal(0), make.literal(True), step, result)
        return _loop(make, target, _variables(args, count), parts, Macro("exists_one", (predicate,)))

    return expand


def _map(offset: int, target: Node | None, args: list[Node]) -> Node:
    make, name = _Maker(offset), _name(args[0])
    condition, transform = (args[1], args[2]) if len(args) == 3 else (None, args[1])
    parts = (make.nothing(), make.literal(True), make.append_if(condition, transform), make.accumulator())
    macro = Macro("map", (transform,) if condition is None else (condition, transform))
    return _loop(make, target, (name, ""), parts, macro)


def _filter(offset: int, target: Node | None, args: list[Node]) -> Node:
    make, name = _Maker(offset), _name(args[0])
    parts = (make.nothing(), make.literal(True), make.append_if(args[1], args[0]), make.accumulator())
    return _loop(make, target, (name, ""), parts, Macro("filter", (args[1],)))


def _two_names(args: list[Node]) -> tuple[str, str]:
    return _variables(args, 2)


def _transform_list(offset: int, target: Node | None, args: list[Node]) -> Node:
    make, names = _Maker(offset), _two_names(args)
    condition, transform = (args[2], args[3]) if len(args) == 4 else (None, args[2])
    parts = (make.nothing(), make.literal(True), make.append_if(condition, transform), make.accumulator())
    macro = Macro("map", (transform,) if condition is None else (condition, transform))
    return _loop(make, target, names, parts, macro)


def _into_map(name: str) -> Expander:
    def expand(offset: int, target: Node | None, args: list[Node]) -> Node:
        make, names = _Maker(offset), _two_names(args)
        condition, transform = (args[2], args[3]) if len(args) == 4 else (None, args[2])
        inserted: list[Node] = [make.accumulator()]
        inserted += [Ident(args[0].offset, names[0]), transform] if name == "transformMap" else [transform]
        step: Node = make.call(MAP_INSERT, *inserted)
        if condition is not None:
            step = make.call("_?_:_", condition, step, make.accumulator())
        parts = (MapLiteral(offset, []), make.literal(True), step, make.accumulator())
        macro = Macro(name, (transform,) if condition is None else (condition, transform))
        return _loop(make, target, names, parts, macro)

    return expand


def _bind_at(offset: int, name: str, value: Node, body: Node) -> Comprehension:
    make = _Maker(offset)
    return Comprehension(
        offset, make.nothing(), UNUSED, "", name, value, make.literal(False), Ident(offset, name), body,
        Macro("bind", (body,)),
    )  # fmt: skip


def _bind(offset: int, target: Node | None, args: list[Node]) -> Node | None:
    if not isinstance(target, Ident) or target.name != "cel":
        return None
    name = args[0]
    if not isinstance(name, Ident):
        raise MacroError("cel.bind() variable names must be simple identifiers", name)
    return _bind_at(offset, name.name, args[1], args[2])


def _sort_by(offset: int, target: Node | None, args: list[Node]) -> Node:
    assert target is not None
    if isinstance(target, Literal | MapLiteral | StructLiteral):
        raise MacroError(
            "sortBy can only be applied to a list, identifier, comprehension, call or select expression", target
        )
    keys = _map(offset, Ident(offset, _SORTED), args)
    body = Call(offset, "@sortByAssociatedKeys", Ident(offset, _SORTED), [keys])
    return _bind_at(offset, _SORTED, target, body)


def _optional_map(*, flat: bool) -> Expander:
    function = "optFlatMap" if flat else "optMap"

    def expand(offset: int, target: Node | None, args: list[Node]) -> Node:
        assert target is not None
        name = args[0]
        if not isinstance(name, Ident):
            raise MacroError(f"{function}() variable name must be a simple identifier", name)
        make = _Maker(offset)
        holder = f"@target{offset}"  # the target is evaluated once
        inside = Call(offset, "value", Ident(offset, holder), [])
        mapped: Node = _bind_at(offset, name.name, inside, args[1])
        if not flat:
            mapped = make.call("optional.of", mapped)
        present = Call(offset, "hasValue", Ident(offset, holder), [])
        chosen = make.call("_?_:_", present, mapped, make.call("optional.none"))
        return _bind_at(offset, holder, target, chosen)

    return expand


MACROS: dict[tuple[str, int, bool], Expander] = {
    ("has", 1, False): _has,
    ("all", 2, True): _all(1),
    ("all", 3, True): _all(2),
    ("exists", 2, True): _exists(1),
    ("exists", 3, True): _exists(2),
    ("exists_one", 2, True): _exists_one(1),
    ("existsOne", 2, True): _exists_one(1),
    ("exists_one", 3, True): _exists_one(2),
    ("existsOne", 3, True): _exists_one(2),
    ("map", 2, True): _map,
    ("map", 3, True): _map,
    ("filter", 2, True): _filter,
    ("transformList", 3, True): _transform_list,
    ("transformList", 4, True): _transform_list,
    ("transformMap", 3, True): _into_map("transformMap"),
    ("transformMap", 4, True): _into_map("transformMap"),
    ("transformMapEntry", 3, True): _into_map("transformMapEntry"),
    ("transformMapEntry", 4, True): _into_map("transformMapEntry"),
    ("sortBy", 2, True): _sort_by,
    ("bind", 3, True): _bind,
    ("optMap", 2, True): _optional_map(flat=False),
    ("optFlatMap", 2, True): _optional_map(flat=True),
}
"""By name, number of arguments and whether there is a receiver."""
