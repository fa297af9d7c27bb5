"""Paths to a field as schemas write them: `.spec.replicas`, `.spec.map['key']`.

Follows: apiextensions-apiserver pkg/apiserver/schema/cel/validation.go, ValidFieldPath.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from pybernetes.api.structural.schema import Structural

_TOKEN = re.compile(r"'(?:[^'\\]|\\.)*'|[.\[\]]|[^.\[\]]+")


class FieldPathError(ValueError):
    """The path cannot be read, or the schema has no such field."""


class Found(NamedTuple):
    path: str
    """As field errors write it: `spec.map[key]`."""
    names: tuple[str, ...]
    schema: Structural | None


def find(path: str, schema: Structural, *, arrays: bool = True) -> Found:
    """The place a path leads to; without `arrays` brackets are refused.

    Raises:
        FieldPathError.
    """
    tokens = iter(_TOKEN.findall(path))
    shown, names = "", []
    place: Structural | None = schema
    for part in tokens:
        if part == ".":
            name = _next(tokens)
        elif part == "[":
            name = _key(tokens, arrays=arrays)
        else:
            raise FieldPathError(f"expected [ or . but got: {part}")
        if place is None or not (place.properties or place.allows_additional):
            raise FieldPathError("does not refer to a valid field")
        if place.properties:
            if name not in place.properties:
                raise FieldPathError("does not refer to a valid field")
            shown, place = f"{shown}.{name}" if shown else name, place.properties[name]
        else:
            shown, place = f"{shown}[{name}]", place.additional
        names.append(name)
    return Found(shown, tuple(names), place)


def _next(tokens: Iterator[str]) -> str:
    found = next(tokens, None)
    if found is None:
        raise FieldPathError("unexpected end of JSON path")
    return found


def _key(tokens: Iterator[str], *, arrays: bool) -> str:
    if not arrays:
        raise FieldPathError("array notation is not allowed")
    text = _next(tokens)
    if len(text) < 2 or text[0] != "'" or text[-1] != "'":
        raise FieldPathError(f"expected single quoted string but got {text}")
    closing = _next(tokens)
    if closing != "]":
        raise FieldPathError(f"expected ] but got {closing}")
    return re.sub(r"\\(.)", r"\1", text[1:-1])
