"""Field selectors: `spec.nodeName=n1,status.phase!=Failed`, over the few fields each kind offers.

Which fields those are stands in `data/field_labels.json`; custom resources bring their own by `selectable`.

Follows: apimachinery pkg/fields/selector.go; the field label conversions and `ToSelectableFields` of each kind.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pybernetes.api.registry import Resource, load_data

Json = dict[str, Any]
Getter = Callable[[Json], str]


class FieldSelectorError(ValueError):
    """The selector cannot be read, or names a field the kind does not offer; the message is upstream's (400)."""


@dataclass(frozen=True, slots=True)
class Term:
    field: str
    equal: bool
    value: str


class FieldSelector:
    """All terms must hold; none at all selects everything. Immutable."""

    __slots__ = ("_checks", "terms")

    def __init__(self, terms: Sequence[tuple[Term, Getter]] = ()) -> None:
        self.terms = tuple(term for term, _ in terms)
        self._checks = tuple((getter, term.equal, term.value) for term, getter in terms)

    @property
    def everything(self) -> bool:
        return not self.terms

    def matches(self, document: Json) -> bool:
        return all((getter(document) == value) is equal for getter, equal, value in self._checks)

    def matches_values(self, value_of: Callable[[str, Getter], str]) -> bool:
        """As `matches`, for callers that remember values: `value_of(field, getter)`."""
        return all(
            (value_of(term.field, getter) == value) is equal
            for term, (getter, equal, value) in zip(self.terms, self._checks, strict=True)
        )

    def requires(self, field: str) -> str | None:
        """The value `field` must have, None when the selector does not pin it: `metadata.name` of a watch."""
        return next((term.value for term in self.terms if term.equal and term.field == field), None)

    def __str__(self) -> str:
        return ",".join(f"{t.field}{'=' if t.equal else '!='}{_escape(t.value)}" for t in self.terms)


EVERYTHING = FieldSelector()


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,").replace("=", "\\=")


def _split(text: str) -> list[str]:
    """Terms between commas; a backslash keeps the next character."""
    terms, start, position = [], 0, 0
    while position < len(text):
        if text[position] == "\\":
            position += 1
        elif text[position] == ",":
            terms.append(text[start:position])
            start = position + 1
        position += 1
    terms.append(text[start:])
    return [term for term in terms if term]


def _unescape(value: str) -> str:
    result, position = [], 0
    while position < len(value):
        character = value[position]
        if character == "\\":
            position += 1
            if position == len(value) or value[position] not in "\\,=":
                raise FieldSelectorError(f"invalid field selector: invalid escape sequence in value: {value}")
            character = value[position]
        elif character in ",=":
            raise FieldSelectorError(f"invalid field selector: unescaped character in value: {character}")
        result.append(character)
        position += 1
    return "".join(result)


def _read_term(text: str, whole: str) -> tuple[str, bool, str]:
    for position, character in enumerate(text):
        if character == "!" and text[position + 1 : position + 2] == "=":
            return text[:position], False, _unescape(text[position + 2 :])
        if character == "=":
            skip = 2 if text[position + 1 : position + 2] == "=" else 1
            return text[:position], True, _unescape(text[position + skip :])
    raise FieldSelectorError(f"invalid selector: '{whole}'; can't understand '{text}'")


def parse(text: str, resource: Resource, selectable: Mapping[str, str] | None = None) -> FieldSelector:
    """The selector a query parameter means for a resource. `selectable` are the JSON paths of a custom resource.

    Raises:
        FieldSelectorError: it cannot be read, or the kind does not offer the field.
    """
    if not text:
        return EVERYTHING
    terms = []
    for part in _split(text):
        label, equal, value = _read_term(part, text)
        label, getter = _lookup(label, resource, selectable or {})
        terms.append((Term(label, equal, value), getter))
    return FieldSelector(terms)


@functools.cache
def _kinds() -> Mapping[str, Any]:
    kinds: Mapping[str, Any] = load_data("field_labels.json")["kinds"]
    return kinds


def _lookup(label: str, resource: Resource, selectable: Mapping[str, str]) -> tuple[str, Getter]:
    row = _kinds().get(f"{resource.api_version}.{resource.kind}")
    if row is not None:
        if label not in row["labels"]:
            raise FieldSelectorError(f"field label not supported: {label}")
        label = row.get("renamed", {}).get(label, label)
        return label, getter(resource.kind, label)
    if label in {"metadata.name", "metadata.namespace"}:
        return label, path_getter(label)
    if label in selectable:
        return label, path_getter(selectable[label].lstrip("."))
    if not resource.type_alias:
        raise FieldSelectorError(f"field label not supported: {label}")
    raise FieldSelectorError(f'"{label}" is not a known field selector: only "metadata.name", "metadata.namespace"')


@functools.cache
def path_getter(path: str) -> Getter:
    """The text at a dotted path: booleans as true and false, what is absent as the empty text."""
    parts = tuple(path.split("."))

    def get(document: Json) -> str:
        value: Any = document
        for part in parts:
            if type(value) is not dict:
                return ""
            value = value.get(part)
        if isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        return "" if value is None else str(value)

    return get


def _or(first: Getter, default: str) -> Getter:
    return lambda document: first(document) or default


def _event_source(document: Json) -> str:
    source = document.get("source") or document.get("deprecatedSource") or {}
    return source.get("component") or document.get("reportingComponent") or document.get("reportingController") or ""


def _pod_ip(document: Json) -> str:
    status = document.get("status") or {}
    ips = status.get("podIPs") or ()
    return (ips[0].get("ip") or "") if ips else status.get("podIP") or ""


def _event_getter(label: str) -> Getter:
    """Events are one store under two APIs: `involvedObject` here is `regarding` there."""
    here = path_getter(label)
    there = path_getter(label.replace("involvedObject", "regarding").replace("Component", "Controller"))
    return lambda document: here(document) or there(document)


@functools.cache
def getter(kind: str, label: str) -> Getter:
    """How the value of a label is read from a document of a built-in kind."""
    plain = path_getter(label)
    match kind, label:
        case "Event", "source":
            return _event_source
        case "Event", _:
            return _event_getter(label)
        case "Pod", "status.podIP" | "status.podIPs":
            return _pod_ip
        case ("Pod", "spec.hostNetwork") | ("Node", "spec.unschedulable"):
            return _or(plain, "false")
        case ("Job", "status.successful"):
            return _or(path_getter("status.succeeded"), "0")
        case (_, "status.replicas"):
            return _or(plain, "0")
        case _:
            return plain
