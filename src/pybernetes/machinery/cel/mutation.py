"""Objects and JSON patches that mutating policies write: `Object{spec: Object.spec{replicas: 3}}`, `JSONPatch{…}`.

    environment = Environment(variables, mutation=True)
    value = environment.compile(text).evaluate(…)
    check_paths(value)      # Object.spec must stand in the field spec
    plain(value)            # as a document

Follows: apiserver pkg/cel/mutation/{typeresolver,jsonpatch}.go, pkg/cel/mutation/dynamic/objects.go,
pkg/cel/library/jsonpatch.go.
"""

import base64
from collections.abc import Iterator, Mapping
from typing import Any

from pybernetes.machinery.cel import types, values
from pybernetes.machinery.cel.errors import EvaluationError
from pybernetes.machinery.cel.functions import Library
from pybernetes.machinery.cel.times import Duration, Timestamp
from pybernetes.machinery.cel.types import Field, Kind, Type
from pybernetes.machinery.cel.values import Constructed, Optional

OBJECT = "Object"

JSON_PATCH = types.struct(
    "JSONPatch", {"op": types.STRING, "path": types.STRING, "from": types.STRING, "value": types.DYN}
)

JSON_PATCHES = Library("kubernetes.jsonpatch")


@JSON_PATCHES.define("string_jsonpatch_escapeKey_string", "jsonpatch.escapeKey(string) -> string")
def _escape_key(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


class _AnyField(Mapping[str, Field]):
    """Every field, of dynamic type."""

    def __getitem__(self, name: str) -> Field:
        return Field(name, types.DYN)

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 1  # never empty


_ANY_FIELD = _AnyField()


def object_type(name: str = OBJECT) -> Type:
    """`Object`, `Object.spec` …: any field, of any value."""
    return Type(Kind.STRUCT, name, fields=_ANY_FIELD)


class MutationTypes(Mapping[str, Type]):
    """Types by name, with every `Object…` and `JSONPatch` besides those given."""

    def __init__(self, others: Mapping[str, Type]) -> None:
        self.others = others

    def __getitem__(self, name: str) -> Type:
        if name == OBJECT or name.startswith(f"{OBJECT}."):
            return object_type(name)
        return JSON_PATCH if name == JSON_PATCH.name else self.others[name]

    def __iter__(self) -> Iterator[str]:
        return iter([*self.others, OBJECT, JSON_PATCH.name])

    def __len__(self) -> int:
        return len(self.others) + 2


def check_paths(value: Any) -> list[str]:
    """What is wrong with the names of built objects: each must be its holder's and the field it stands in."""
    return _check(value, value.type.name) if isinstance(value, Constructed) else []


def _check(value: Any, path: str) -> list[str]:
    if isinstance(value, Constructed):
        name = value.type.name
        own = []
        if name != path:
            own = [
                f'unexpected type name "{name}", expected "{path}", which matches field name path from root Object type'
            ]
        return own + [error for field, item in value.items() for error in _check(item, f"{path}.{field}")]
    if values.is_list(value):
        return [error for item in value for error in _check(item, path)]
    if type(value) is dict:
        return [error for item in value.values() for error in _check(item, path)]
    return []


def plain(value: Any) -> Any:
    """The value as a JSON document.

    Raises:
        EvaluationError: it has no JSON form.
    """
    if value is None or type(value) in {bool, int, float, str}:
        return value
    if isinstance(value, values.Uint):
        return int(value)
    if isinstance(value, values.ObjectView | values.MapView):
        return value.document
    if isinstance(value, values.ListView):
        return value.items
    if values.is_list(value):
        return [plain(item) for item in value]
    if values.is_map(value):
        for key in value:
            if type(key) is not str:
                raise EvaluationError(f'map key "{key}" is of type {values.type_name(key)}, not string')
        return {key: plain(value[key]) for key in value}
    if isinstance(value, Timestamp | Duration):
        return str(value)
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, Optional):
        return plain(value.value) if value.present else None
    raise EvaluationError(f"type conversion error from '{values.type_name(value)}' to a JSON value")
