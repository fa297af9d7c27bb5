"""Addresses and networks written in forms that are no longer accepted, but lie in the store.

Follows: pkg/apis/core/validation/validation.go, IsValidIPForLegacyField and IsValidCIDRForLegacyField with their
`validOldIPs`.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from pybernetes.machinery import field_errors as fe
from pybernetes.machinery.field_errors import FieldError

Json = dict[str, Any]

STRICT: Final = frozenset(
    {
        "must not have leading 0s",
        "must not be an IPv4-mapped IPv6 address",
        "must not have leading 0s in prefix length",
        "must not have bits set beyond the prefix length",
    }
)
"""What is said about addresses that older readers understood all the same."""


def without_stored(errors: Sequence[FieldError], old: Json) -> list[FieldError]:
    """The complaints without those about the form of an address that the stored object holds, too."""
    doubtful = {error.value for error in errors if error.type == fe.INVALID and error.detail in STRICT}
    if not doubtful:
        return list(errors)
    stored = doubtful.intersection(_texts(old))
    return [error for error in errors if error.detail not in STRICT or error.value not in stored]


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
