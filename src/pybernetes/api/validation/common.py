"""Checks that many kinds share: numbers, ports, label selectors, immutable fields.

Every check appends to a list of `FieldError`; paths are texts (`spec.containers[0].name`).

Follows: apimachinery pkg/api/validation, pkg/apis/meta/v1/validation; pkg/apis/core/validation/validation.go.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from pybernetes.machinery import field_errors as fe
from pybernetes.machinery import names, quantity
from pybernetes.machinery.field_errors import FieldError

Json = dict[str, Any]
Errors = list[FieldError]

IMMUTABLE: Final = "field is immutable"
NOT_NEGATIVE: Final = "must be greater than or equal to 0"
POSITIVE: Final = "must be greater than zero"
MAX_INT32: Final = 2**31 - 1
PROTOCOLS: Final = ("SCTP", "TCP", "UDP")


def add_invalid(errors: Errors, path: str, value: Any, complaints: Iterable[str]) -> None:
    errors.extend(fe.invalid_value(path, value, complaint) for complaint in complaints)


def range_text(low: int, high: int) -> str:
    return f"must be between {low} and {high}, inclusive"


def not_negative(errors: Errors, path: str, value: Any) -> None:
    """For a number that may be absent."""
    if value is not None and value < 0:
        errors.append(fe.invalid_value(path, value, NOT_NEGATIVE))


def one_of(errors: Errors, path: str, value: Any, supported: Sequence[str], *, required: bool = True) -> None:
    """A text out of a fixed set; absent or empty is a complaint of its own when required."""
    if not value:
        if required:
            errors.append(fe.required(path))
    elif value not in supported:
        errors.append(fe.not_supported(path, value, supported))


def immutable(errors: Errors, path: str, new: Any, old: Any) -> None:
    if new != old:
        errors.append(fe.invalid_value(path, new, IMMUTABLE))


def port_or_name(errors: Errors, path: str, port: Any) -> None:
    if isinstance(port, int):
        add_invalid(errors, path, port, names.port_number(port))
    else:
        add_invalid(errors, path, port or "", names.port_name(port or ""))


_PERCENT = re.compile(r"[0-9]+%").fullmatch


def int_or_percent(errors: Errors, path: str, value: Any) -> None:
    """A count or a percentage, not negative. Follows: ValidatePositiveIntOrPercent."""
    if isinstance(value, str):
        if not _PERCENT(value):
            errors.append(fe.invalid_value(path, value, names.percent(value)[0]))
    elif isinstance(value, int):
        not_negative(errors, path, value)
    elif value is not None:
        errors.append(fe.invalid_value(path, value, "must be an integer or percentage (e.g '5%%')"))


def at_most_all(errors: Errors, path: str, value: Any) -> None:
    """A percentage of at most 100. Follows: IsNotMoreThan100Percent."""
    if isinstance(value, str) and _PERCENT(value) and _above_100(value[:-1]):
        errors.append(fe.invalid_value(path, value, "must not be greater than 100%"))


def _above_100(digits: str) -> bool:
    digits = digits.lstrip("0")
    return len(digits) > 3 or int(digits or "0") > 100


def is_zero(value: Any) -> bool:
    """Nothing, as a count or a percentage."""
    return value in {0, "0%"} or (isinstance(value, str) and bool(_PERCENT(value)) and not value[:-1].strip("0"))


def labels(errors: Errors, path: str, values: Mapping[str, str] | None) -> None:
    if values:
        for key, value in values.items():
            if complaints := names.qualified_name(key):
                add_invalid(errors, path, key, complaints)
            if value and (complaints := names.label_value(value)):
                add_invalid(errors, path, value, complaints)


def label_name(errors: Errors, path: str, key: str) -> None:
    add_invalid(errors, path, key, names.qualified_name(key))


def label_selector(errors: Errors, path: str, selector: Json | None, *, allow_bad_values: bool = False) -> None:
    """Follows: metav1validation.ValidateLabelSelector."""
    if not selector:
        return
    labels(errors, f"{path}.matchLabels", selector.get("matchLabels"))
    for index, term in enumerate(selector.get("matchExpressions") or ()):
        place = f"{path}.matchExpressions[{index}]"
        values = term.get("values") or ()
        match term.get("operator"):
            case "In" | "NotIn":
                if not values:
                    errors.append(fe.required(f"{place}.values", MUST_HAVE_VALUES))
            case "Exists" | "DoesNotExist":
                if values:
                    errors.append(fe.forbidden_value(f"{place}.values", MUST_NOT_HAVE_VALUES))
            case operator:
                errors.append(fe.invalid_value(f"{place}.operator", operator or "", "not a valid selector operator"))
        label_name(errors, f"{place}.key", term.get("key", ""))
        if not allow_bad_values:
            for number, value in enumerate(values):
                add_invalid(errors, f"{place}.values[{number}]", value, names.label_value(value))


MUST_HAVE_VALUES: Final = "must be specified when `operator` is 'In' or 'NotIn'"
MUST_NOT_HAVE_VALUES: Final = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"


def is_empty_selector(selector: Json | None) -> bool:
    return not selector or not (selector.get("matchLabels") or selector.get("matchExpressions"))


def amount(errors: Errors, path: str, text: str) -> None:
    """A quantity that is not negative."""
    if text.startswith("-") and quantity.parse(text) < quantity.ZERO:
        errors.append(fe.invalid_value(path, text, NOT_NEGATIVE))


_INTEGER_RESOURCES: Final = frozenset(
    {"pods", "services", "replicationcontrollers", "resourcequotas", "secrets", "configmaps"}
    | {"persistentvolumeclaims", "services.nodeports", "services.loadbalancers"}
)


def resource_amount(errors: Errors, path: str, name: str, text: str) -> None:
    """The amount of a resource: not negative, and whole where parts make no sense."""
    amount(errors, path, text)
    whole = name in _INTEGER_RESOURCES or is_extended_resource(name)
    if whole and not quantity.parse(text).is_integer:
        errors.append(fe.invalid_value(path, text, "must be an integer"))


def is_native_resource(name: str) -> bool:
    return "/" not in name or "kubernetes.io/" in name


def is_extended_resource(name: str) -> bool:
    """A resource somebody else counts: `example.com/gpu`. Follows: helper.IsExtendedResourceName."""
    if is_native_resource(name) or name.startswith("requests."):
        return False
    return not names.qualified_name(f"requests.{name}")


def is_huge_page(name: str) -> bool:
    return name.startswith("hugepages-")


def strip_prefix_dash(name: str) -> str:
    """A generateName as it is checked: the trailing dash stands for what will follow."""
    return f"{name[:-2]}a" if len(name) > 1 and name.endswith("-") else name
