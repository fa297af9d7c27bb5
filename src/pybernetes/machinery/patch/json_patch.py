"""JSON patch: a list of operations on paths, all or nothing.

Follows: RFC 6902 and 6901; evanphx/json-patch v4 patch.go; apiserver pkg/endpoints/handlers/patch.go.
"""

from typing import Any, Final

MAX_OPERATIONS: Final = 10_000
"""More are refused before any is tried."""


class PatchError(ValueError):
    """The patch is well formed but does not fit the document (422)."""


class MalformedPatchError(ValueError):
    """The patch is no list of operations (400)."""


def apply(document: Any, operations: Any) -> Any:
    """The patched document; the argument is not changed, untouched parts are shared with it.

    Raises:
        MalformedPatchError, PatchError.
    """
    if type(operations) is not list or not all(type(operation) is dict for operation in operations):
        raise MalformedPatchError("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    for operation in operations:
        document = _apply_one(document, operation)
    return document


def _apply_one(document: Any, operation: dict[str, Any]) -> Any:
    kind = operation.get("op")
    path = operation.get("path")
    if not isinstance(path, str):
        raise PatchError(f"{kind} operation: missing path")
    match kind:
        case "add":
            return _edit(document, path, kind, _value(operation, kind))
        case "remove":
            return _edit(document, path, kind, None)
        case "replace":
            return _edit(document, path, kind, _value(operation, kind))
        case "test":
            present = _find(document, path, missing_is_null=True)
            if not _equal(present, operation.get("value")):
                raise PatchError(f"testing value {path} failed")
            return document
        case "move":
            source = _source(operation, kind)
            moved = _find(document, source)
            return _edit(_edit(document, source, "remove", None), path, "add", moved)
        case "copy":
            return _edit(document, path, "add", _find(document, _source(operation, kind)))
        case _:
            raise PatchError(f"Unexpected kind: {kind}")


def _value(operation: dict[str, Any], kind: str) -> Any:
    if "value" not in operation:
        raise PatchError(f"{kind} operation: missing value")
    return operation["value"]


def _source(operation: dict[str, Any], kind: str) -> str:
    source = operation.get("from")
    if not isinstance(source, str):
        raise PatchError(f"{kind} operation: missing from")
    return source


def _parts(path: str) -> list[str]:
    if not path:
        return []
    if not path.startswith("/"):
        raise PatchError(f"path must begin with '/': {path!r}")
    return [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]


def _index(part: str, length: int, path: str) -> int:
    """A list index; negative ones count from the end, as upstream's library has them."""
    try:
        index = int(part)
    except ValueError:
        raise PatchError(f"{path}: {part!r} is not a list index") from None
    if index < 0:
        index += length
    if not 0 <= index < length:
        raise PatchError(f"Unable to access invalid index: {part}")
    return index


def _find(document: Any, path: str, *, missing_is_null: bool = False) -> Any:
    value = document
    for part in _parts(path):
        if type(value) is dict:
            if part not in value:
                if missing_is_null:
                    return None
                raise PatchError(f"{path}: missing path")
            value = value[part]
        elif type(value) is list:
            value = value[_index(part, len(value), path)]
        elif missing_is_null and value is None:
            return None
        else:
            raise PatchError(f"{path}: missing path")
    return value


def _edit(document: Any, path: str, kind: str, value: Any) -> Any:
    parts = _parts(path)
    if not parts:
        if kind == "remove":
            raise PatchError("unable to remove the whole document")
        return value
    return _edit_below(document, parts, 0, path, kind, value)


def _edit_below(node: Any, parts: list[str], depth: int, path: str, kind: str, value: Any) -> Any:
    part, last = parts[depth], depth == len(parts) - 1
    if type(node) is dict:
        copy: Any = dict(node)
        if not last:
            if part not in copy:
                raise PatchError(f"{kind} operation does not apply: doc is missing path: {path}: missing value")
            copy[part] = _edit_below(copy[part], parts, depth + 1, path, kind, value)
        elif kind == "add":
            copy[part] = value
        elif part not in copy:
            raise PatchError(f"{kind} operation does not apply: doc is missing key: {path}: missing value")
        elif kind == "remove":
            del copy[part]
        else:
            copy[part] = value
        return copy
    if type(node) is list:
        copy = list(node)
        if not last:
            index = _index(part, len(copy), path)
            copy[index] = _edit_below(copy[index], parts, depth + 1, path, kind, value)
        elif kind == "add":
            copy.insert(len(copy) if part == "-" else _index(part, len(copy) + 1, path), value)
        elif kind == "remove":
            del copy[_index(part, len(copy), path)]
        else:
            copy[_index(part, len(copy), path)] = value
        return copy
    raise PatchError(f"{kind} operation does not apply: doc is missing path: {path}: missing value")


def _equal(one: Any, other: Any) -> bool:
    """Equality of JSON, where true is not 1."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if type(one) is dict and type(other) is dict:
        return one.keys() == other.keys() and all(_equal(value, other[key]) for key, value in one.items())
    if type(one) is list and type(other) is list:
        return len(one) == len(other) and all(_equal(a, b) for a, b in zip(one, other, strict=True))
    return bool(one == other)
