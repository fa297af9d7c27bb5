"""Semantic versions: `semver("1.2.3").isLessThan(semver("1.10.0"))`.

Follows: apiserver pkg/cel/library/semverlib.go; blang/semver.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from pybernetes.machinery.cel.errors import EvaluationError
from pybernetes.machinery.cel.functions import Library
from pybernetes.machinery.cel.types import Type, opaque

SEMVER = opaque("kubernetes.Semver")
_NAMES = ("Major", "Minor", "Patch")
_IDENTIFIER = re.compile(r"^[0-9A-Za-z-]+$", re.ASCII)
_MAX_UINT64 = 2**64 - 1


@dataclass(frozen=True, slots=True)
class SemverValue:
    """A version; builds do not count in comparisons, pre-releases come before their release."""

    cel_type: ClassVar[Type] = SEMVER
    numbers: tuple[int, int, int]
    pre: tuple[str, ...]
    build: tuple[str, ...]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SemverValue) and self.rank == other.rank

    def __hash__(self) -> int:
        return hash(self.rank)

    @property
    def rank(self) -> tuple[tuple[int, int, int], bool, tuple[tuple[bool, int, str], ...]]:
        """Orders versions: numbers before words within pre-releases."""
        parts = tuple((False, int(part), "") if part.isdigit() else (True, 0, part) for part in self.pre)
        return self.numbers, not self.pre, parts


SEMVERS = Library("kubernetes.Semver")
SEMVERS.declare(SEMVER)
_define = SEMVERS.define
_OWN = SEMVER.name


def _parse(text: str) -> SemverValue:
    if not text:
        raise EvaluationError("Version string empty")
    parts = text.split(".", 2)
    if len(parts) != 3:
        raise EvaluationError("No Major.Minor.Patch elements found")
    rest, _, build = parts[2].partition("+")
    rest, dash, pre = rest.partition("-")
    numbers = [_number(part, name) for part, name in zip((parts[0], parts[1], rest), _NAMES, strict=True)]
    pres = pre.split(".") if dash else []
    for part in pres:
        _identifier(part, "Prerelease")
        if part.isdigit() and len(part) > 1 and part[0] == "0":
            raise EvaluationError(f'Numeric PreRelease version must not contain leading zeroes "{part}"')
    builds = build.split(".") if "+" in parts[2] else []
    for part in builds:
        _identifier(part, "Build meta data")
    return SemverValue((numbers[0], numbers[1], numbers[2]), tuple(pres), tuple(builds))


def _identifier(part: str, what: str) -> None:
    if not part:
        raise EvaluationError(f"{what} is empty")
    if not _IDENTIFIER.match(part):
        raise EvaluationError(f'Invalid character(s) found in {what.lower()} "{part}"')


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise EvaluationError(f'Invalid character(s) found in {name.lower()} number "{text}"')
    if len(text) > 1 and text[0] == "0":
        raise EvaluationError(f'{name} number must not contain leading zeroes "{text}"')
    if len(text) > 20 or int(text) > _MAX_UINT64:
        raise EvaluationError(f'strconv.ParseUint: parsing "{text}": value out of range')
    return int(text)


def _normalized(text: str) -> str:
    """`v1.2` as `1.2.0`. Follows: normalizeAndParse."""
    text = text.removeprefix("v")
    parts = text.split(".", 2)
    parts = [part.lstrip("0") or "0" if place < 2 or part.isdigit() else part for place, part in enumerate(parts)]
    if len(parts) < 3:
        if any(mark in parts[-1] for mark in "+-"):
            raise EvaluationError("Short version cannot contain PreRelease/Build meta data")
        parts += ["0"] * (3 - len(parts))
    return ".".join(parts)


@_define("string_to_semver", f"semver(string) -> {_OWN}", "string_bool_to_semver", f"semver(string, bool) -> {_OWN}")
def _semver(text: str, normalize: bool = False) -> SemverValue:
    return _parse(_normalized(text) if normalize else text)


@_define("is_semver_string", "isSemver(string) -> bool", "is_semver_string_bool", "isSemver(string, bool) -> bool")
def _is_semver(text: str, normalize: bool = False) -> bool:
    try:
        _semver(text, normalize)
    except EvaluationError:
        return False
    return True


@_define("semver_is_greater_than", f"{_OWN}|isGreaterThan({_OWN}) -> bool")
def _is_greater_than(one: SemverValue, other: SemverValue) -> bool:
    return one.rank > other.rank


@_define("semver_is_less_than", f"{_OWN}|isLessThan({_OWN}) -> bool")
def _is_less_than(one: SemverValue, other: SemverValue) -> bool:
    return one.rank < other.rank


@_define("semver_compare_to", f"{_OWN}|compareTo({_OWN}) -> int")
def _compare_to(one: SemverValue, other: SemverValue) -> int:
    return (one.rank > other.rank) - (one.rank < other.rank)


for _place, _name in enumerate(_NAMES):
    SEMVERS.add(
        f"semver_{_name.lower()}",
        f"{_OWN}|{_name.lower()}() -> int",
        lambda value, place=_place: value.numbers[place],
    )
