"""What is wrong with an object, field by field, in the words clients match, and the 422 that carries all of it.

Follows: apimachinery pkg/util/validation/field/errors.go; pkg/api/errors/errors.go, NewInvalid.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from pybernetes.machinery.errors import Invalid

REQUIRED: Final = "FieldValueRequired"
INVALID: Final = "FieldValueInvalid"
TYPE_INVALID: Final = "FieldValueTypeInvalid"
NOT_SUPPORTED: Final = "FieldValueNotSupported"
DUPLICATE: Final = "FieldValueDuplicate"
NOT_FOUND: Final = "FieldValueNotFound"
FORBIDDEN: Final = "FieldValueForbidden"
TOO_LONG: Final = "FieldValueTooLong"
TOO_MANY: Final = "FieldValueTooMany"
INTERNAL: Final = "InternalError"

_WORDS = {
    REQUIRED: "Required value",
    INVALID: "Invalid value",
    TYPE_INVALID: "Invalid value",
    NOT_SUPPORTED: "Unsupported value",
    DUPLICATE: "Duplicate value",
    NOT_FOUND: "Not found",
    FORBIDDEN: "Forbidden",
    TOO_LONG: "Too long",
    TOO_MANY: "Too many",
    INTERNAL: "Internal error",
}
_WITHOUT_VALUE = {REQUIRED, FORBIDDEN, TOO_LONG, INTERNAL}


class Verbatim(str):
    """A value that messages show as it is, without quotes: Go's notation of a struct."""

    __slots__ = ()


OMITTED: Final = Verbatim()
"""The value of an Invalid that shows none: objects and lists that break a rule."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One complaint about one field. `field` is the path: list items as `[0]`, map keys as `[key]`."""

    type: str
    field: str
    value: Any = None
    detail: str = ""

    @property
    def body(self) -> str:
        """The complaint without the path."""
        text = _WORDS[self.type]
        if self.type not in _WITHOUT_VALUE and self.value is not OMITTED:
            text = f"{text}: {render(self.value)}"
        return f"{text}: {self.detail}" if self.detail else text

    def __str__(self) -> str:
        return f"{self.field}: {self.body}"


def render(value: Any) -> str:
    """A bad value as messages show it: strings quoted, numbers and booleans bare, the rest compact JSON."""
    if value is None:
        return '"null"'
    if isinstance(value, str):
        return str(value) if isinstance(value, Verbatim) else quote(value)
    return orjson.dumps(value).decode()


def quote(text: str) -> str:
    """Text in double quotes with escapes, as Go's %q for what is printable."""
    return orjson.dumps(text).decode()


def required(field: str, detail: str = "") -> FieldError:
    return FieldError(REQUIRED, field, "", detail)


def invalid_value(field: str, value: Any, detail: str) -> FieldError:
    return FieldError(INVALID, field, value, detail)


def type_invalid(field: str, value: Any, detail: str) -> FieldError:
    return FieldError(TYPE_INVALID, field, value, detail)


def not_supported(field: str, value: Any, supported: Iterable[str]) -> FieldError:
    """`supported` is shown sorted and quoted."""
    shown = ", ".join(quote(text) for text in sorted(supported))
    return FieldError(NOT_SUPPORTED, field, value, f"supported values: {shown}" if shown else "")


def duplicate(field: str, value: Any) -> FieldError:
    return FieldError(DUPLICATE, field, value)


def not_found_value(field: str, value: Any) -> FieldError:
    return FieldError(NOT_FOUND, field, value)


def forbidden_value(field: str, detail: str) -> FieldError:
    return FieldError(FORBIDDEN, field, "", detail)


def too_long(field: str, max_bytes: int) -> FieldError:
    return FieldError(TOO_LONG, field, "", f"may not be more than {max_bytes} bytes")


def too_many(field: str, count: int, most: int) -> FieldError:
    return FieldError(TOO_MANY, field, count, f"must have at most {most} items")


def internal(field: str, detail: str) -> FieldError:
    return FieldError(INTERNAL, field, None, detail)


def aggregate(errors: Sequence[FieldError]) -> str:
    """One complaint as it is, several as `[a, b]`, repeated ones once."""
    texts = list(dict.fromkeys(str(error) for error in errors))
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"


def invalid(kind: str, group: str, name: str, errors: Sequence[FieldError]) -> Invalid:
    """The 422 for an object with these complaints, a cause for each."""
    qualified = f"{kind}.{group}" if group else kind
    details: dict[str, Any] = {}
    if name:
        details["name"] = name
    if group:
        details["group"] = group
    if kind:
        details["kind"] = kind
    details["causes"] = [{"reason": e.type, "message": e.body, "field": e.field} for e in errors]
    return Invalid(f"{qualified} {quote(name)} is invalid: {aggregate(errors)}", details)
