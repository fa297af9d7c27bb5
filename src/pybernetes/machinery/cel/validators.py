"""Literals that can only fail: a regular expression, duration or moment that will not parse is a compile error.

Follows: cel-go cel/validator.go.
"""

from collections.abc import Iterator

from pybernetes.machinery.cel import regex
from pybernetes.machinery.cel.ast import (
    Call,
    Comprehension,
    ListLiteral,
    Literal,
    MapLiteral,
    Node,
    Select,
    StructLiteral,
)
from pybernetes.machinery.cel.errors import EvaluationError, Issue
from pybernetes.machinery.cel.times import parse_duration, parse_timestamp


def check_literals(tree: Node) -> list[Issue]:
    """The issues of literal arguments of `matches`, `duration` and `timestamp`."""
    return [
        Issue(f"invalid {node.function} argument", wrong.offset)
        for node in walk(tree)
        if isinstance(node, Call) and (wrong := _invalid(node)) is not None
    ]


def _invalid(node: Call) -> Literal | None:
    """The offending literal."""
    if node.function not in {"matches", "duration", "timestamp"} or not node.args:
        return None
    literal = node.args[-1]
    if not isinstance(literal, Literal) or type(literal.value) is not str:
        return None
    try:
        match node.function:
            case "matches":
                regex.compiled(literal.value)
            case "duration":
                parse_duration(literal.value)
            case _:
                parse_timestamp(literal.value)
    except (EvaluationError, ValueError):
        return literal
    return None


def walk(node: Node) -> Iterator[Node]:
    """The node and everything below it; parts shared by a macro's expansion come as often as they are used."""
    pending = [node]
    while pending:
        current = pending.pop()
        yield current
        pending.extend(children(current))


def children(node: Node) -> list[Node]:
    """The nodes directly below."""
    match node:
        case Select():
            return [node.operand]
        case Call():
            return [*([] if node.target is None else [node.target]), *node.args]
        case ListLiteral():
            return node.elements
        case MapLiteral() | StructLiteral():
            return [part for entry in node.entries for part in (entry.key, entry.value)]
        case Comprehension():
            return [node.range, node.init, node.condition, node.step, node.result]
        case _:
            return []
