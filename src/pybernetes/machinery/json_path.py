"""The part of JSONPath that printer columns and selectable fields use: `.a.b`, `['a']`, `[0]`, `[*]`, `[?(@.k=="v")]`.

Follows: client-go util/jsonpath/jsonpath.go.
"""

import functools
import re
from collections.abc import Callable
from typing import Any

Step = Callable[[Any], list[Any]]

_CACHED_PATHS = 1024
"""Distinct paths remembered; arbitrary."""

_TOKEN = re.compile(
    r"""
      \.?\[\?\(\s*@(?P<filter>[^=!<>\s)]*)\s*(?:(?P<operator>==|!=)\s*(?P<literal>"[^"]*"|'[^']*'|[^)\s]+))?\s*\)\]
    | \.?\[(?P<quoted>'[^']*'|"[^"]*")\]
    | \.?\[(?P<index>-?\d+)\]
    | \.?\[(?P<start>-?\d*):(?P<stop>-?\d*)\]
    | \.?\[\*\] | \.\*(?P<all>)
    | \.(?P<name>(?:\\.|[^.\[\]\\])+)
    """,
    re.VERBOSE,
)


class JsonPathError(ValueError):
    """The path cannot be read."""


@functools.lru_cache(maxsize=_CACHED_PATHS)
def compile_path(path: str) -> Callable[[Any], list[Any]]:
    """A function from a document to all values at the path.

    Raises:
        JsonPathError
    """
    text = path.strip()
    text = text.removeprefix("{").removesuffix("}").removeprefix("$")
    if text and text[0] not in ".[":
        text = "." + text
    steps: list[Step] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            if text[position:] == ".":
                break
            raise JsonPathError(f"unrecognized character in JSONPath {path!r} at {position}")
        steps.append(_step(match))
        position = match.end()

    def find(document: Any) -> list[Any]:
        values = [document]
        for step in steps:
            values = [found for value in values for found in step(value)]
        return values

    return find


def _step(match: re.Match[str]) -> Step:
    if match["name"] is not None:
        return _child(re.sub(r"\\(.)", r"\1", match["name"]))
    if match["quoted"] is not None:
        return _child(match["quoted"][1:-1])
    if match["index"] is not None:
        index = int(match["index"])
        return lambda value: [value[index]] if isinstance(value, list) and -len(value) <= index < len(value) else []
    if match["start"] is not None:
        bounds = slice(*(int(part) if part else None for part in (match["start"], match["stop"])))
        return lambda value: value[bounds] if isinstance(value, list) else []
    if match["filter"] is not None:
        return _filter(match["filter"], match["operator"], match["literal"])
    return _every


def _child(name: str) -> Step:
    return lambda value: [value[name]] if isinstance(value, dict) and name in value else []


def _every(value: Any) -> list[Any]:
    if isinstance(value, list):
        return value
    return list(value.values()) if isinstance(value, dict) else []


def _literal(text: str) -> Any:
    if text[:1] in {'"', "'"}:
        return text[1:-1]
    if text in {"true", "false"}:
        return text == "true"
    try:
        return int(text)
    except ValueError:
        return text


def _filter(path: str, operator: str | None, literal: str | None) -> Step:
    find = compile_path(path) if path else (lambda value: [value])
    wanted = None if literal is None else _literal(literal)

    def keep(value: Any) -> list[Any]:
        kept = []
        for item in _every(value):
            found = find(item)
            if found and (operator is None or (found[0] == wanted) is (operator == "==")):
                kept.append(item)
        return kept

    return keep
