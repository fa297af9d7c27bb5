"""JSON patch: a list of operations on paths, all or nothing.

Follows: RFC 6902 and 6901; evanphx/json-patch v4 patch.go; apiserver pkg/endpoints/handlers/patch.go.
"""

from typing import Any, Final

import orjson

from pybernetes.machinery.numbers import NotANumber, parse_int

MAX_COPIED_BYTES: Final = 3 * 1024 * 1024
"""Of JSON that all `copy` operations of a patch may add. Follows: apiserver config.go, JSONPatchMaxCopyBytes."""


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
    patching = _Patching()
    for operation in operations:
        document = patching.applied(document, operation)
    return document


class _Patching:
    """One patch on its way: containers that this patch has made are changed in place, all others copied first."""

    def __init__(self) -> None:
        self._own: dict[int, Any] = {}
        """By identity; the reference keeps the identity from being used again."""
        self._copied_bytes = 0

    def applied(self, document: Any, operation: dict[str, Any]) -> Any:
        """The document after one operation.

        Raises:
            PatchError.
        """
        kind = operation.get("op")
        path = operation.get("path")
        if not isinstance(path, str):
            raise PatchError(f"{kind} operation: missing path")
        match kind:
            case "add" | "replace":
                return self._edit(document, path, kind, _value(operation, kind))
            case "remove":
                return self._edit(document, path, kind, None)
            case "test":
                present = _find(document, path, missing_is_null=True)
                if not _equal(present, operation.get("value")):
                    raise PatchError(f"testing value {path} failed")
                return document
            case "move":
                source = _source(operation, kind)
                moved = _find(document, source)
                return self._edit(self._edit(document, source, "remove", None), path, "add", moved)
            case "copy":
                return self._edit(document, path, "add", self._copy(_find(document, _source(operation, kind))))
            case _:
                raise PatchError(f"Unexpected kind: {kind}")

    def _copy(self, value: Any) -> Any:
        """The value apart from its original, so that a later operation changes one of them."""
        try:
            data = orjson.dumps(value)
        except TypeError:  # nested deeper than JSON is written
            raise PatchError("Unable to complete the copy, the value is nested too deeply") from None
        self._copied_bytes += len(data)
        if self._copied_bytes > MAX_COPIED_BYTES:
            raise PatchError(
                f"Unable to complete the copy, the accumulated size increase of copy is {self._copied_bytes}, "
                f"exceeding the limit {MAX_COPIED_BYTES}"
            )
        return orjson.loads(data)

    def _edit(self, document: Any, path: str, kind: str, value: Any) -> Any:
        parts = _parts(path)
        if not parts:
            if kind == "remove":
                raise PatchError("unable to remove the whole document")
            return value
        document = place = self._owned(document)
        for part in parts[:-1]:
            place = self._inside(place, part, path, kind)
        _edit_at(place, parts[-1], path, kind, value)
        return document

    def _inside(self, node: Any, part: str, path: str, kind: str) -> Any:
        """The container below `node`, ready to be changed."""
        key: Any = part
        if type(node) is dict:
            if part not in node:
                raise PatchError(f"{kind} operation does not apply: doc is missing path: {path}: missing value")
        elif type(node) is list:
            key = _index(part, len(node), path)
        else:
            raise PatchError(f"{kind} operation does not apply: doc is missing path: {path}: missing value")
        found = node[key] = self._owned(node[key])
        return found

    def _owned(self, node: Any) -> Any:
        if id(node) in self._own or type(node) not in {dict, list}:
            return node
        copy = node.copy()
        self._own[id(copy)] = copy
        return copy


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
        index = parse_int(part)
    except NotANumber:
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


def _edit_at(node: Any, part: str, path: str, kind: str, value: Any) -> None:
    """Change one entry of a container, in place."""
    if type(node) is dict:
        if kind == "add":
            node[part] = value
        elif part not in node:
            raise PatchError(f"{kind} operation does not apply: doc is missing key: {path}: missing value")
        elif kind == "remove":
            del node[part]
        else:
            node[part] = value
    elif type(node) is list:
        if kind == "add":
            node.insert(len(node) if part == "-" else _index(part, len(node) + 1, path), value)
        elif kind == "remove":
            del node[_index(part, len(node), path)]
        else:
            node[_index(part, len(node), path)] = value
    else:
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
