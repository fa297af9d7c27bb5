"""Quantities: `quantity("1.5Gi").isGreaterThan(quantity("1G"))`.

Follows: apiserver pkg/cel/library/quantity.go, pkg/cel/quantity.go.
"""

from dataclasses import dataclass
from typing import ClassVar

from pybernetes.machinery import quantity as quantities
from pybernetes.machinery.cel.errors import EvaluationError
from pybernetes.machinery.cel.functions import Library
from pybernetes.machinery.cel.types import Type, opaque
from pybernetes.machinery.cel.values import MAX_INT, MIN_INT

QUANTITY = opaque("kubernetes.Quantity")


@dataclass(frozen=True, slots=True)
class QuantityValue:
    """A quantity as expressions hold it; equal by amount."""

    cel_type: ClassVar[Type] = QUANTITY
    quantity: quantities.Quantity


QUANTITIES = Library("kubernetes.quantity")
QUANTITIES.declare(QUANTITY)
_define = QUANTITIES.define
_LONGEST = 1000
"""Characters of a quantity that is read at all."""
_OWN = "kubernetes.Quantity"


@_define("string_to_quantity", f"quantity(string) -> {_OWN}")
def _quantity(text: str) -> QuantityValue:
    try:
        return QuantityValue(_parsed(text))
    except quantities.QuantityError as error:
        raise EvaluationError(str(error)) from None


def _parsed(text: str) -> quantities.Quantity:
    if text != text.strip() or len(text) > _LONGEST:
        raise quantities.QuantityError(quantities.FORMAT_ERROR)
    return quantities.parse(text)


@_define("is_quantity_string", "isQuantity(string) -> bool")
def _is_quantity(text: str) -> bool:
    try:
        _parsed(text)
    except quantities.QuantityError:
        return False
    return True


@_define("quantity_sign", f"{_OWN}|sign() -> int")
def _sign(value: QuantityValue) -> int:
    return (value.quantity.nanos > 0) - (value.quantity.nanos < 0)


@_define("quantity_is_greater_than", f"{_OWN}|isGreaterThan({_OWN}) -> bool")
def _is_greater_than(one: QuantityValue, other: QuantityValue) -> bool:
    return one.quantity.nanos > other.quantity.nanos


@_define("quantity_is_less_than", f"{_OWN}|isLessThan({_OWN}) -> bool")
def _is_less_than(one: QuantityValue, other: QuantityValue) -> bool:
    return one.quantity.nanos < other.quantity.nanos


@_define("quantity_compare_to", f"{_OWN}|compareTo({_OWN}) -> int")
def _compare_to(one: QuantityValue, other: QuantityValue) -> int:
    return (one.quantity.nanos > other.quantity.nanos) - (one.quantity.nanos < other.quantity.nanos)


@_define("quantity_get_float", f"{_OWN}|asApproximateFloat() -> double")
def _as_float(value: QuantityValue) -> float:
    return value.quantity.nanos / quantities.NANO


@_define("quantity_get_int", f"{_OWN}|asInteger() -> int")
def _as_integer(value: QuantityValue) -> int:
    if not _is_integer(value):
        raise EvaluationError("cannot convert value to integer")
    return value.quantity.value


@_define("quantity_is_integer", f"{_OWN}|isInteger() -> bool")
def _is_integer(value: QuantityValue) -> bool:
    return value.quantity.is_integer and MIN_INT <= value.quantity.value <= MAX_INT


def _amount(other: QuantityValue | int) -> quantities.Quantity:
    return quantities.Quantity(other * quantities.NANO) if isinstance(other, int) else other.quantity


@_define("quantity_add", f"{_OWN}|add({_OWN}) -> {_OWN}", "quantity_add_int", f"{_OWN}|add(int) -> {_OWN}")
def _add(one: QuantityValue, other: QuantityValue | int) -> QuantityValue:
    return QuantityValue(one.quantity + _amount(other))


@_define("quantity_sub", f"{_OWN}|sub({_OWN}) -> {_OWN}", "quantity_sub_int", f"{_OWN}|sub(int) -> {_OWN}")
def _sub(one: QuantityValue, other: QuantityValue | int) -> QuantityValue:
    return QuantityValue(one.quantity - _amount(other))
