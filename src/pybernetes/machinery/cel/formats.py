"""Named formats: `!format.dns1123Label().validate(self.name).hasValue()`.

Follows: apiserver pkg/cel/library/format.go; kube-openapi pkg/validation/strfmt.
"""

import base64
import binascii
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from pybernetes.machinery import names
from pybernetes.machinery.cel.functions import Library
from pybernetes.machinery.cel.times import parse_date, parse_timestamp
from pybernetes.machinery.cel.types import Type, opaque
from pybernetes.machinery.cel.urls import url_error
from pybernetes.machinery.cel.values import NONE, Optional

FORMAT = opaque("kubernetes.NamedFormat")
_UUID = re.compile(r"^(?i:[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12})$", re.ASCII)

Complaints = Callable[[str], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class FormatValue:
    """A format; equal by name. `max_regex_size` prices its checks."""

    cel_type: ClassVar[Type] = FORMAT
    name: str
    complaints: Complaints
    max_regex_size: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FormatValue) and self.name == other.name

    def __hash__(self) -> int:
        return hash(self.name)


def _prefix(check: Complaints) -> Complaints:
    """The check for what a suffix is still added to: a closing dash is no error. Follows: maskTrailingDash."""
    return lambda text: check(f"{text[:-2]}a" if len(text) > 1 and text.endswith("-") else text)


def _simple(matches: Callable[[str], bool], complaint: str) -> Complaints:
    return lambda text: () if matches(text) else (complaint,)


def _parses(parse: Callable[[str], object]) -> Callable[[str], bool]:
    def matches(text: str) -> bool:
        try:
            parse(text)
        except ValueError:
            return False
        return True

    return matches


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError from error


def _uri(text: str) -> tuple[str, ...]:
    error = url_error(text)
    return () if error is None else (error,)


_FORMATS = {
    "dns1123Label": FormatValue("DNS1123Label", names.dns_label, 30),
    "dns1123Subdomain": FormatValue("DNS1123Subdomain", names.dns_subdomain, 60),
    "dns1035Label": FormatValue("DNS1035Label", names.dns_1035_label, 30),
    "qualifiedName": FormatValue("QualifiedName", names.qualified_name, 60),
    "dns1123LabelPrefix": FormatValue("DNS1123LabelPrefix", _prefix(names.dns_label), 30),
    "dns1123SubdomainPrefix": FormatValue("DNS1123SubdomainPrefix", _prefix(names.dns_subdomain), 60),
    "dns1035LabelPrefix": FormatValue("DNS1035LabelPrefix", _prefix(names.dns_1035_label), 30),
    "labelValue": FormatValue("LabelValue", names.label_value, 40),
    "uri": FormatValue("URI", _uri, 1000),
    "uuid": FormatValue(
        "uuid", _simple(lambda text: _UUID.match(text) is not None, "does not match the UUID format"), 101
    ),
    "byte": FormatValue("byte", _simple(_parses(_base64), "invalid base64"), 84),
    "date": FormatValue("date", _simple(_parses(parse_date), "invalid date"), 67),
    "datetime": FormatValue("datetime", _simple(_parses(parse_timestamp), "invalid datetime"), 67),
}

FORMATS = Library("kubernetes.format")
FORMATS.declare(FORMAT)
_OWN = FORMAT.name

for _name, _value in _FORMATS.items():
    FORMATS.add(f"format.{_name}", f"format.{_name}() -> {_OWN}", lambda value=_value: value)


@FORMATS.define("format-named", f"format.named(string) -> optional({_OWN})")
def _named(name: str) -> Optional:
    found = _FORMATS.get(name)
    return NONE if found is None else Optional(True, found)


@FORMATS.define("format-validate", f"{_OWN}|validate(string) -> optional(list(string))")
def _validate(checked: FormatValue, text: str) -> Optional:
    complaints = checked.complaints(text)
    return Optional(True, list(complaints)) if complaints else NONE
