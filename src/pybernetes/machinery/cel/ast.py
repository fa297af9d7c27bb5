"""The tree of an expression: seven shapes of node, each knowing its place. The checker adds types and overloads.

Macros are already expanded: `list.all(x, p)` is a `Comprehension`, as the language defines it, so that types and
costs follow from the same expansion as upstream's. `Comprehension.macro` remembers what it was, for the compiler.

Follows: cel-go common/ast/expr.go.
"""

from dataclasses import dataclass, field
from typing import Any

from pybernetes.machinery.cel.types import DYN, Type

ACCUMULATOR = "@result"
"""The hidden variable of comprehensions; no text can name it."""


@dataclass(slots=True, eq=False)
class Node:
    """What every node has: `offset` in code points; `type` and `overloads` once it is checked."""

    offset: int
    type: Type = field(default=DYN, init=False)
    overloads: tuple[str, ...] = field(default=(), init=False)


@dataclass(slots=True, eq=False)
class Literal(Node):
    value: Any


@dataclass(slots=True, eq=False)
class Ident(Node):
    """A name; the checker makes it a constant where it names a type."""

    name: str
    constant: Any = None


@dataclass(slots=True, eq=False)
class Select(Node):
    operand: Node
    field: str
    test_only: bool = False


@dataclass(slots=True, eq=False)
class Call(Node):
    function: str
    target: Node | None
    args: list[Node]


@dataclass(slots=True, eq=False)
class ListLiteral(Node):
    elements: list[Node]
    optionals: frozenset[int]
    """Positions written `?e`."""


@dataclass(slots=True, eq=False)
class Entry:
    """`key: value` of a map, `name: value` of an object (then the key is a Literal); `optional` is written `?key`."""

    offset: int
    key: Node
    value: Node
    optional: bool


@dataclass(slots=True, eq=False)
class MapLiteral(Node):
    entries: list[Entry]


@dataclass(slots=True, eq=False)
class StructLiteral(Node):
    name: str
    entries: list[Entry]


@dataclass(slots=True, eq=False)
class Macro:
    """What a comprehension was written as: its name and its parts after the variables."""

    name: str
    parts: tuple[Node, ...]


@dataclass(slots=True, eq=False)
class Comprehension(Node):
    """The general loop: `accumulator = init; for variable in range: if not condition: break; accumulator = step`."""

    range: Node
    variable: str
    variable2: str
    accumulator: str
    init: Node
    condition: Node
    step: Node
    result: Node
    macro: Macro


def qualified_name(node: Node) -> str | None:
    """`a.b.c` of a chain of selections on a name; None for anything else. Follows: containers.ToQualifiedName."""
    if isinstance(node, Ident):
        return node.name
    if isinstance(node, Select) and not node.test_only:
        prefix = qualified_name(node.operand)
        return None if prefix is None else f"{prefix}.{node.field}"
    return None
