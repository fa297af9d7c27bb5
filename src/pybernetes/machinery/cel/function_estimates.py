"""Estimates of single functions, from the sizes of their receivers and arguments.

Follows: apiserver pkg/cel/library/cost.go, EstimateCallCost; cel-go checker/cost.go, functionCost; ext/{lists,sets}.go.
"""

import math
from collections.abc import Callable

from pybernetes.machinery.cel.ast import Call, Literal, Node
from pybernetes.machinery.cel.costs import AUTHORIZER_CHECK
from pybernetes.machinery.cel.estimate import NOTHING, ONE, UNBOUNDED, CallEstimate, Estimate, Estimator, fixed
from pybernetes.machinery.cel.limits import LIST_CREATE, REGEX_LENGTH_FACTOR, STRING_TRAVERSAL_FACTOR, STRUCT_CREATE
from pybernetes.machinery.cel.types import Kind

MAX_NAME_FORMAT_REGEX_SIZE = 128
_MAX_FORMAT_SIZE = 64
_NETWORK_BYTES = Estimate(4, 16)

FunctionEstimate = Callable[[Estimator, Call, str], CallEstimate | None]


def _walk(size: Estimate, factor: float = 1) -> Estimate:
    return size.scaled(factor * STRING_TRAVERSAL_FACTOR)


def _receiver_or_first(node: Call) -> Node | None:
    if node.target is not None:
        return node.target
    return node.args[0] if node.args else None


def _one(_: Estimator, __: Call, ___: str) -> CallEstimate:
    return CallEstimate(ONE)


def _check(_: Estimator, __: Call, ___: str) -> CallEstimate:
    return CallEstimate(fixed(AUTHORIZER_CHECK))


def _selector(estimator: Estimator, node: Call, _: str) -> CallEstimate:
    size = estimator.size_or_unknown(node.args[0])
    requirements = size.scaled(0.5).scaled(LIST_CREATE + STRUCT_CREATE)
    return CallEstimate(fixed(LIST_CREATE) + _walk(size) + requirements)


def _scan(estimator: Estimator, node: Call, _: str) -> CallEstimate | None:
    """One visit of every item; strings are walked."""
    if node.target is None:
        return None
    element = estimator.element(node.target)
    size = estimator.size_or_unknown(node.target)
    if element is None:
        return CallEstimate(_walk(size))
    per_item = ONE
    if element[0].kind in {Kind.STRING, Kind.BYTES}:
        per_item += _walk(element[1])
    return CallEstimate(size * per_item)


def _same_size(estimator: Estimator, node: Call, _: str) -> CallEstimate | None:
    source = _receiver_or_first(node)
    if source is None:
        return None
    size = estimator.size_or_unknown(source)
    return CallEstimate(_walk(size), size)


def _parse(factor: float) -> FunctionEstimate:
    def estimate(estimator: Estimator, node: Call, _: str) -> CallEstimate | None:
        if not node.args:
            return None
        return CallEstimate(_walk(estimator.size_or_unknown(node.args[0]), factor))

    return estimate


def _replace(estimator: Estimator, node: Call, _: str) -> CallEstimate | None:
    if node.target is None:
        return None
    size = estimator.size_or_unknown(node.target)
    old, new = estimator.size_or_unknown(node.args[0]), estimator.size_or_unknown(node.args[1])
    if old.min == 0:
        most, kept_most = min(size.max + 1, UNBOUNDED), size.max
    elif new.max <= old.min:
        most, kept_most = 0, size.max
    else:
        most, kept_most = math.ceil(size.max / old.min), 0
    if old.max == 0:
        least, kept_least = min(size.min + 1, UNBOUNDED), size.min
    elif old.max <= new.min:
        least, kept_least = 0, size.min
    else:
        least, kept_least = math.ceil(size.min / old.max), 0
    result = Estimate(least, most) * new + Estimate(kept_least, kept_most)
    return CallEstimate(_walk(size, 2), result)


def _split(estimator: Estimator, node: Call, _: str) -> CallEstimate | None:
    if node.target is None:
        return None
    size = estimator.size_or_unknown(node.target)
    most = size.max
    if len(node.args) > 1 and isinstance(node.args[1], Literal) and type(node.args[1].value) is int:
        most = node.args[1].value % 2**64  # a negative limit is none
    return CallEstimate(_walk(size, 2), Estimate(0, most))


def _join(estimator: Estimator, node: Call, _: str) -> CallEstimate | None:
    if node.target is None:
        return None
    count, element = estimator.size_or_unknown(node.target), estimator.element(node.target)
    size = NOTHING if element is None else count * element[1]
    if node.args:
        separators = Estimate(max(count.min - 1, 0), max(count.max - 1, 0))
        size += estimator.size_or_unknown(node.args[0]) * separators
    return CallEstimate(_walk(size), size)


def _regex(estimator: Estimator, node: Call, overload: str) -> CallEstimate | None:
    if node.target is None:
        return None
    size = estimator.size_or_unknown(node.target)
    pattern = estimator.size_or_unknown(node.args[0]).scaled(REGEX_LENGTH_FACTOR)
    result = None if overload == "matches_string" else Estimate(0, size.max)
    return CallEstimate(_walk(size + ONE) * pattern, result)


def _network(*, network: bool) -> FunctionEstimate:
    def estimate(estimator: Estimator, node: Call, overload: str) -> CallEstimate | None:
        if not node.args:
            return None
        cost = _walk(_NETWORK_BYTES + _NETWORK_BYTES)
        if network:
            cost = cost + _walk(_NETWORK_BYTES) + ONE
        if overload.endswith("_string"):
            cost += _walk(estimator.size_or_unknown(node.args[0]))
        return CallEstimate(cost)

    return estimate


def _ip(estimator: Estimator, node: Call, overload: str) -> CallEstimate | None:
    if overload == "cidr_ip":
        return CallEstimate(ONE)
    return _parse(1)(estimator, node, overload)


def _validate(estimator: Estimator, node: Call, _: str) -> CallEstimate | None:
    if not node.args:
        return None
    size = estimator.size_or_unknown(node.args[0])
    return CallEstimate(_walk(size).scaled(MAX_NAME_FORMAT_REGEX_SIZE * REGEX_LENGTH_FACTOR))


def _equality(estimator: Estimator, node: Call, _: str) -> CallEstimate | None:
    one, other = node.args
    if one.type != other.type:
        return None
    match one.type.name:
        case name if name in _CHEAP_TO_COMPARE:
            return CallEstimate(ONE)
        case "kubernetes.NamedFormat":
            return CallEstimate(_walk(Estimate(1, _MAX_FORMAT_SIZE)))
        case "kubernetes.URL":
            size = estimator.size(other) or ONE
            return CallEstimate(_walk(Estimate(1, size.max)))
        case _:
            return None


_CHEAP_TO_COMPARE = frozenset(
    {"net.IP", "net.CIDR", "kubernetes.Quantity", "kubernetes.Semver", "kubernetes.authorization.Authorizer"}
    | {f"kubernetes.authorization.{kind}" for kind in ("PathCheck", "GroupCheck", "ResourceCheck", "Decision")}
)


def _sets(factor: int) -> FunctionEstimate:
    def estimate(estimator: Estimator, node: Call, _: str) -> CallEstimate:
        product = estimator.size_or_unknown(node.args[0]) * estimator.size_or_unknown(node.args[1])
        return CallEstimate(product.scaled(factor) + ONE)

    return estimate


def _number(node: Node, default: int) -> int:
    return max(node.value, 0) if isinstance(node, Literal) and type(node.value) is int else default


def _new_list(size: Estimate, factor: float = 1) -> CallEstimate:
    return CallEstimate(size.scaled(factor) + ONE + fixed(LIST_CREATE), size)


def _list_function(estimator: Estimator, node: Call, overload: str) -> CallEstimate | None:
    """What makes lists of lists. Follows: cel-go ext/lists.go."""
    if node.function == "lists.range":
        return _new_list(fixed(_number(node.args[0], UNBOUNDED)))
    if node.target is None:
        return None
    size = estimator.size_or_unknown(node.target)
    match node.function:
        case "slice":
            return _new_list(fixed(max(_number(node.args[1], size.max) - _number(node.args[0], 0), 0)))
        case "flatten":
            return _new_list(size, _number(node.args[0], UNBOUNDED) if node.args else 1)
        case "reverse":
            return _new_list(size)
        case "@sortByAssociatedKeys":
            size = estimator.size_or_unknown(node.args[0])
        case _:
            pass
    walked = (node.function != "distinct" and "_string_" in overload) or "_bytes_" in overload
    return _new_list(size * size, 2 + (STRING_TRAVERSAL_FACTOR if walked else 0))


def _contains(estimator: Estimator, node: Call, overload: str) -> CallEstimate | None:
    if overload != "contains_string" or node.target is None:
        return None
    return CallEstimate(_walk(estimator.size_or_unknown(node.target)) * _walk(estimator.size_or_unknown(node.args[0])))


def _of_argument(estimator: Estimator, node: Call, _: str) -> CallEstimate:
    return CallEstimate(_walk(estimator.size_or_unknown(node.args[0])))


def _of_receiver(estimator: Estimator, node: Call, _: str) -> CallEstimate | None:
    return None if node.target is None else CallEstimate(_walk(estimator.size_or_unknown(node.target)))


def _in(estimator: Estimator, node: Call, overload: str) -> CallEstimate | None:
    return CallEstimate(estimator.size_or_unknown(node.args[1])) if overload == "in_list" else None


def _quote(estimator: Estimator, node: Call, _: str) -> CallEstimate:
    size = estimator.size_or_unknown(node.args[0])
    return CallEstimate(_walk(size), Estimate(min(size.min + 2, UNBOUNDED), min(size.max * 2 + 2, UNBOUNDED)))


def _conversion(estimator: Estimator, node: Call, overload: str) -> CallEstimate | None:
    size = estimator.size_or_unknown(node.args[0])
    if overload == "string_to_bytes":
        return CallEstimate(_walk(size), Estimate(size.min, min(size.max * 4, UNBOUNDED)))
    if overload == "bytes_to_string":
        return CallEstimate(_walk(size), Estimate(size.min // 4, size.max))
    return None


_BY_FUNCTION: dict[str, FunctionEstimate] = {
    "check": _check,
    "fieldSelector": _selector,
    "labelSelector": _selector,
    **dict.fromkeys(("isSorted", "sum", "max", "min", "indexOf", "lastIndexOf"), _scan),
    **dict.fromkeys(("url", "jsonpatch.escapeKey", "lowerAscii", "upperAscii", "substring", "trim"), _same_size),
    "replace": _replace,
    "split": _split,
    "join": _join,
    "find": _regex,
    "findAll": _regex,
    "matches": _regex,
    **dict.fromkeys(("cidr", "isIP", "isCIDR", "quantity", "isQuantity", "semver", "isSemver"), _parse(1)),
    "ip": _ip,
    "ip.isCanonical": _parse(2),
    "containsIP": _network(network=False),
    "containsCIDR": _network(network=True),
    "validate": _validate,
    "_==_": _equality,
    **dict.fromkeys(
        ("slice", "flatten", "reverse", "distinct", "sort", "lists.range", "@sortByAssociatedKeys"), _list_function
    ),
    "sets.contains": _sets(1),
    "sets.intersects": _sets(1),
    "sets.equivalent": _sets(2),
    "contains": _contains,
    "startsWith": _of_argument,
    "endsWith": _of_argument,
    "format": _of_receiver,
    "@in": _in,
    "strings.quote": _quote,
    "bytes": _conversion,
    "string": _conversion,
}


def estimate(estimator: Estimator, node: Call, overload: str) -> CallEstimate | None:
    """The cost and result size of one overload, without its arguments; None leaves it to the language's own rules."""
    known = _BY_FUNCTION.get(node.function)
    return None if known is None else known(estimator, node, overload)
