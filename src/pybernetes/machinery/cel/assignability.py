"""When a value of one type may stand where another is expected, and what type variables then mean.

Follows: cel-go checker/types.go, checker/mapping.go.
"""

from pybernetes.machinery.cel.types import DYN, Kind, Type

Bindings = dict[str, Type]
"""What each type variable stands for."""

_NULLABLE = frozenset({Kind.OPAQUE, Kind.STRUCT, Kind.DURATION, Kind.TIMESTAMP})
_LOOSE = frozenset({Kind.DYN, Kind.ERROR})
_COMPOUND = frozenset({Kind.OPAQUE, Kind.LIST, Kind.MAP})


def assignable(bindings: Bindings, one: list[Type], other: list[Type]) -> Bindings | None:
    """The bindings under which each of `one` fits its `other`; None if there are none."""
    tried = dict(bindings)
    if len(one) != len(other) or not all(_fits(tried, left, right) for left, right in zip(one, other, strict=True)):
        return None
    return tried


def _fits(bindings: Bindings, one: Type, other: Type) -> bool:
    if other.kind is Kind.PARAMETER:
        valid, bound = _substitutes(bindings, one, other)
        if valid:
            return True
        if bound:
            return False
    if one.kind is Kind.PARAMETER:
        return _substitutes(bindings, other, one)[0]
    if one.kind in _LOOSE or other.kind in _LOOSE:
        return True
    if one.kind is Kind.NULL:
        return other.kind in _NULLABLE or other.kind is Kind.NULL
    if other.kind is Kind.NULL:
        return one.kind in _NULLABLE
    if one.kind is Kind.TYPE:
        return other.kind is Kind.TYPE
    if one.kind in _COMPOUND:
        return (
            one.kind is other.kind
            and one.name == other.name
            and len(one.parameters) == len(other.parameters)
            and all(_fits(bindings, left, right) for left, right in zip(one.parameters, other.parameters, strict=True))
        )
    return one.kind is other.kind and one.name == other.name


def _substitutes(bindings: Bindings, one: Type, variable: Type) -> tuple[bool, bool]:
    """Whether `variable` can stand for `one`, and whether it stood for something already."""
    if one == variable:
        return True, True
    known = bindings.get(variable.name)
    if known is not None:
        if known == one:
            return True, True
        if _fits(bindings, one, known):
            wider = most_general(one, known)
            if _not_inside(bindings, variable, wider):
                bindings[variable.name] = wider
            return True, True
        return False, True
    if _not_inside(bindings, variable, one):
        bindings[variable.name] = one
        return True, False
    return False, False


def _not_inside(bindings: Bindings, variable: Type, within: Type) -> bool:
    if variable == within:
        return False
    if within.kind is Kind.PARAMETER:
        known = bindings.get(within.name)
        return known is None or _not_inside(bindings, variable, known)
    return all(_not_inside(bindings, variable, part) for part in within.parameters)


def most_general(one: Type, other: Type) -> Type:
    return one if _less_specific(one, other) else other


def _less_specific(one: Type, other: Type) -> bool:
    if one.kind in {Kind.DYN, Kind.PARAMETER}:
        return True
    if other.kind in {Kind.DYN, Kind.PARAMETER} or one.kind is not other.kind:
        return False
    if one.kind is Kind.TYPE:
        return True
    if one.kind in _COMPOUND:
        return (
            one.name == other.name
            and len(one.parameters) == len(other.parameters)
            and all(_less_specific(left, right) for left, right in zip(one.parameters, other.parameters, strict=True))
        )
    return one == other


def substitute(bindings: Bindings, checked: Type, *, to_dyn: bool = False) -> Type:
    """The type with its variables replaced; `to_dyn` makes those without a meaning dynamic."""
    if checked.kind is Kind.PARAMETER:
        known = bindings.get(checked.name)
        if known is not None:
            return substitute(bindings, known, to_dyn=to_dyn)
        return DYN if to_dyn else checked
    if not checked.parameters:
        return checked
    parameters = tuple(substitute(bindings, part, to_dyn=to_dyn) for part in checked.parameters)
    if parameters == checked.parameters and all(a is b for a, b in zip(parameters, checked.parameters, strict=True)):
        return checked
    return Type(
        checked.kind,
        checked.name,
        parameters,
        checked.fields,
        checked.max_elements,
        checked.min_serialized_size,
        checked.convert,
    )
