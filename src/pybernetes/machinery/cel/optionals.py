"""Optional values: `optional.of`, `orValue` and the like.

Follows: cel-go cel/library.go, optionalLib; common/types/optional.go.
"""

from typing import Any

from pybernetes.machinery.cel import types, values
from pybernetes.machinery.cel.errors import no_such_overload
from pybernetes.machinery.cel.functions import Library
from pybernetes.machinery.cel.times import Duration
from pybernetes.machinery.cel.values import NONE, Optional

OPTIONALS = Library("optional")
OPTIONALS.types["optional_type"] = types.optional_of(types.DYN)
_define = OPTIONALS.define


@_define("optional_of", "optional.of(V) -> optional(V)")
def _of(value: Any) -> Optional:
    return Optional(True, value)


@_define("optional_ofNonZeroValue", "optional.ofNonZeroValue(V) -> optional(V)")
def _of_non_zero(value: Any) -> Optional:
    return NONE if _is_zero(value) else Optional(True, value)


def _is_zero(value: Any) -> bool:
    if value is None or type(value) in {bool, int, values.Uint, float, str, bytes}:
        return not value
    if isinstance(value, Duration):
        return value.nanos == 0
    if type(value) is Optional:
        return not value.present
    return (values.is_list(value) or values.is_map(value)) and len(value) == 0


@_define("optional_none", "optional.none() -> optional(V)")
def _none() -> Optional:
    return NONE


@_define("optional_value", "optional(V)|value() -> V")
def _value(optional: Optional) -> Any:
    return optional.get()


@_define("optional_hasValue", "optional(V)|hasValue() -> bool")
def _has_value(optional: Optional) -> bool:
    return optional.present


@_define(
    "optional_or_optional", "optional(V)|or(optional(V)) -> optional(V)",
    "optional_orValue_value", "optional(V)|orValue(V) -> V",
)  # fmt: skip
def _compiled_elsewhere(*_: Any) -> Any:
    raise no_such_overload()


@_define("optional_unwrap", "optional.unwrap(list(optional(V))) -> list(V)",
         "optional_unwrapOpt", "list(optional(V))|unwrapOpt() -> list(V)")  # fmt: skip
def _unwrap(items: Any) -> list[Any]:
    return [item.value for item in items if _optional(item).present]


def _optional(item: Any) -> Optional:
    if type(item) is not Optional:
        raise no_such_overload()
    return item
