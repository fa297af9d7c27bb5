"""Label selectors, as text (`app=web,tier in (a,b),!old`) and in structured form, to one thing that matches labels.

Follows: apimachinery pkg/labels/selector.go; pkg/apis/meta/v1/helpers.go, LabelSelectorAsSelector.
"""

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pybernetes.machinery import names
from pybernetes.machinery.field_errors import quote
from pybernetes.machinery.numbers import NotANumber, parse_int

Labels = Mapping[str, str]

IN: Final = "in"
NOT_IN: Final = "notin"
EXISTS: Final = "exists"
NOT_EXISTS: Final = "!"
EQUALS: Final = "="
NOT_EQUALS: Final = "!="
GREATER: Final = "gt"
LESS: Final = "lt"

_STRUCTURED = {"In": IN, "NotIn": NOT_IN, "Exists": EXISTS, "DoesNotExist": NOT_EXISTS}
_CACHED_SELECTORS = 4096
"""Distinct selector texts remembered; arbitrary."""
_REMEMBERED_CHARACTERS = 2048
"""Longer texts are read anew each time, so that the cache stays small."""


class SelectorError(ValueError):
    """The selector cannot be read; the message is upstream's."""


class SelectorExpression(Protocol):
    """`meta/v1 LabelSelectorRequirement`, whatever class carries it."""

    @property
    def key(self) -> str: ...
    @property
    def operator(self) -> str: ...
    @property
    def values(self) -> Sequence[str]: ...


class StructuredSelector(Protocol):
    """`meta/v1 LabelSelector`, whatever class carries it."""

    @property
    def matchLabels(self) -> Labels: ...  # noqa: N802
    @property
    def matchExpressions(self) -> Sequence[SelectorExpression]: ...  # noqa: N802


@dataclass(frozen=True, slots=True)
class Requirement:
    """One term: key, operator, values."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Labels) -> bool:
        value = labels.get(self.key)
        match self.operator:
            case "in" | "=":
                return value is not None and value in self.values
            case "notin" | "!=":
                return value is None or value not in self.values
            case "exists":
                return value is not None
            case "!":
                return value is None
            case _:
                return self._compares(value)

    def _compares(self, value: str | None) -> bool:
        try:
            number, limit = parse_int(value or ""), parse_int(self.values[0])
        except NotANumber:
            return False
        return number > limit if self.operator == GREATER else number < limit

    def __str__(self) -> str:
        match self.operator:
            case "exists":
                return self.key
            case "!":
                return f"!{self.key}"
            case "in" | "notin":
                return f"{self.key} {self.operator} ({','.join(sorted(self.values))})"
            case "gt":
                return f"{self.key}>{self.values[0]}"
            case "lt":
                return f"{self.key}<{self.values[0]}"
            case _:
                return f"{self.key}{self.operator}{self.values[0]}"


class Selector:
    """All requirements must hold; none at all selects everything. Immutable."""

    __slots__ = ("_equal", "_none", "_others", "requirements")

    def __init__(self, requirements: Sequence[Requirement] = (), *, nothing: bool = False) -> None:
        self.requirements = tuple(sorted(requirements, key=lambda r: r.key))
        self._none = nothing
        # Equality is what nearly all selectors are about: a loop over pairs, no calls.
        single = [r for r in self.requirements if r.operator in {IN, EQUALS} and len(r.values) == 1]
        self._equal = tuple((r.key, r.values[0]) for r in single)
        self._others = tuple(r for r in self.requirements if r not in single)

    @property
    def everything(self) -> bool:
        """Selects whatever there is."""
        return not self.requirements and not self._none

    @property
    def nothing(self) -> bool:
        """Selects nothing, whatever there is: an absent structured selector."""
        return self._none

    def matches(self, labels: Labels | None) -> bool:
        if self._none:
            return False
        present = labels or {}
        for key, value in self._equal:
            if present.get(key) != value:
                return False
        return all(requirement.matches(present) for requirement in self._others)

    def __str__(self) -> str:
        return ",".join(str(requirement) for requirement in self.requirements)

    def __repr__(self) -> str:
        return f"Selector({self!s})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Selector) and self.requirements == other.requirements and self._none == other._none

    def __hash__(self) -> int:
        return hash((self.requirements, self._none))


EVERYTHING = Selector()
NOTHING = Selector(nothing=True)

_TOKEN = re.compile(r"\s*(?:(==|!=|[=!<>(),])|([^\s=!<>(),]+))")


def _words(text: str) -> list[str]:
    found, position = [], 0
    while (match := _TOKEN.match(text, position)) is not None:
        found.append(match[1] or match[2])
        position = match.end()
    return found


class _Parser:
    """Reads one selector text, word by word."""

    def __init__(self, text: str) -> None:
        self.words = _words(text)
        self.position = 0

    def peek(self) -> str:
        return self.words[self.position] if self.position < len(self.words) else ""

    def take(self) -> str:
        word = self.peek()
        self.position += 1
        return word

    def parse(self) -> list[Requirement]:
        requirements: list[Requirement] = []
        if not self.words:
            return requirements
        while True:
            requirements.append(self.requirement())
            word = self.take()
            if not word:
                return requirements
            if word != ",":
                raise SelectorError(f"found '{word}', expected: ',' or 'end of string'")
            if self.peek() in {"", ","}:
                raise SelectorError(f"found '{self.peek()}', expected: identifier after ','")

    def requirement(self) -> Requirement:
        try:
            return self._requirement()
        except SelectorError as error:
            raise SelectorError(f"unable to parse requirement: {error}") from None

    def _requirement(self) -> Requirement:
        negated = self.peek() == "!"
        if negated:
            self.take()
        key = self.take()
        if not key or key in "=!<>(),==!=":
            raise SelectorError(f"found '{key}', expected: identifier")
        _check("key", key, names.qualified_name(key))
        if negated:
            if self.peek() not in {"", ","}:
                raise SelectorError(f"found '{self.peek()}', expected: ',' or 'end of string'")
            return Requirement(key, NOT_EXISTS)
        operator = self.peek()
        if operator in {"", ","}:
            return Requirement(key, EXISTS)
        self.take()
        if operator in {IN, NOT_IN}:
            return _checked(Requirement(key, operator, self.value_set()))
        if operator in {"=", "==", "!="}:
            return _checked(Requirement(key, NOT_EQUALS if operator == "!=" else EQUALS, (self.exact_value(),)))
        if operator in "<>":
            return _checked(Requirement(key, GREATER if operator == ">" else LESS, (self.exact_value(),)))
        raise SelectorError(f"found '{operator}', expected: in, notin, =, ==, !=, gt, lt")

    def exact_value(self) -> str:
        if self.peek() in {"", ","}:
            return ""
        word = self.take()
        if word in {"=", "==", "!=", "!", "<", ">", "(", ")"}:
            raise SelectorError(f"found '{word}', expected: identifier")
        return word

    def value_set(self) -> tuple[str, ...]:
        if (word := self.take()) != "(":
            raise SelectorError(f"found '{word}' expected: '('")
        values = [""]
        while (word := self.take()) != ")":
            if word == ",":
                values.append("")
            elif not word or values[-1] or word in {"=", "==", "!=", "!", "<", ">", "("}:
                raise SelectorError(f"found '{word}', expected: ',', ')' or identifier")
            else:
                values[-1] = word
        return tuple(dict.fromkeys(values))


def _check(what: str, text: str, complaints: Sequence[str]) -> None:
    if complaints:
        raise SelectorError(f"{what}: Invalid value: {quote(text)}: {'; '.join(complaints)}")


def _checked(requirement: Requirement) -> Requirement:
    if requirement.operator in {GREATER, LESS}:
        try:
            parse_int(requirement.values[0])
        except ValueError:
            raise SelectorError(
                f"values[0]: Invalid value: {quote(requirement.values[0])}: for 'Gt', 'Lt' operators, "
                "the value must be an integer"
            ) from None
    for index, value in enumerate(requirement.values):
        _check(f"values[{index}][{requirement.key}]", value, names.label_value(value))
    return requirement


def parse(text: str) -> Selector:
    """The selector a query parameter means.

    Raises:
        SelectorError: with upstream's text.
    """
    return _remembered(text) if len(text) <= _REMEMBERED_CHARACTERS else _parse(text)


def _parse(text: str) -> Selector:
    return Selector(_Parser(text).parse()) if text.strip() else EVERYTHING


_remembered = functools.lru_cache(maxsize=_CACHED_SELECTORS)(_parse)


def from_label_selector(selector: StructuredSelector | Mapping[str, Any] | None) -> Selector:
    """The selector a `LabelSelector` means: absent selects nothing, empty everything.

    Raises:
        SelectorError: an operator is unknown or has values it may not have.
    """
    if selector is None:
        return NOTHING
    if isinstance(selector, Mapping):
        equal = selector.get("matchLabels") or {}
        expressions = [
            (e.get("key", ""), e.get("operator", ""), tuple(e.get("values") or ()))
            for e in selector.get("matchExpressions") or ()
        ]
    else:
        equal = selector.matchLabels
        expressions = [(e.key, e.operator, tuple(e.values)) for e in selector.matchExpressions]
    requirements = [Requirement(key, EQUALS, (value,)) for key, value in equal.items()]
    for key, operator, values in expressions:
        if operator not in _STRUCTURED:
            raise SelectorError(f"{quote(operator)} is not a valid label selector operator")
        if operator in {"In", "NotIn"} and not values:
            raise SelectorError("values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty")
        if operator in {"Exists", "DoesNotExist"} and values:
            raise SelectorError("values: Invalid value: values set must be empty for exists and does not exist")
        requirements.append(_checked(Requirement(key, _STRUCTURED[operator], values)))
    return Selector(requirements)


def from_map(labels: Labels | None) -> Selector:
    """The selector of a Service or ReplicationController: every pair must be there; none selects everything."""
    return Selector([Requirement(key, EQUALS, (value,)) for key, value in (labels or {}).items()])
