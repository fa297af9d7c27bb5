"""The published types of built-in kinds, from `data/types.json`, as tables to walk.

`type_of("core.v1.Pod")` is the table of one type; `alias_of("apps/v1", "Deployment")` finds the row of a manifest.
"""

import functools
from collections.abc import Mapping
from typing import Any

from pybernetes.api.registry import load_data
from pybernetes.machinery.type_table import Field, Shape, Type

_SCALARS = {
    "string": Shape.STRING,
    "string/byte": Shape.BYTES,
    "string/date-time": Shape.TIME,
    "boolean": Shape.BOOLEAN,
    "integer/int32": Shape.INT32,
    "integer/int64": Shape.INT64,
    "number/double": Shape.DOUBLE,
    "object": Shape.ANY,
    "any": Shape.ANY,
    "api.resource.Quantity": Shape.QUANTITY,
    "intstr.IntOrString": Shape.INT_OR_STRING,
    "meta.v1.Time": Shape.TIME,
    "meta.v1.MicroTime": Shape.MICRO_TIME,
}

_CACHED_NAMES = 1024
"""Distinct names of kinds remembered, whoever made them up; arbitrary, several times what is built in."""
_LONGEST_NAME = 512
"""No built-in version and kind together are nearly as long."""

_META_KINDS = {"DeleteOptions", "CreateOptions", "UpdateOptions", "PatchOptions", "GetOptions", "ListOptions", "Status"}
"""Kinds of meta/v1 that may carry the version of any group."""


@functools.cache
def _rows() -> Mapping[str, Any]:
    rows: Mapping[str, Any] = load_data("types.json")["types"]
    return rows


def aliases() -> list[str]:
    """All rows of the table."""
    return list(_rows())


@functools.cache
def type_of(name: str) -> Type:
    """The table of a type by alias; also `[]alias` and `map<alias>`.

    Raises:
        KeyError: there is no such type.
    """
    if name.startswith("[]"):
        return Type(name, Shape.LIST, type_of(name[2:]))
    if name.startswith("map<"):
        return Type(name, Shape.MAP, type_of(name[4:-1]))
    if name in _SCALARS:
        return Type(name, _SCALARS[name])
    row = _rows()[name]
    if "fields" not in row:
        return Type(name, _SCALARS.get(row.get("type", "any"), Shape.ANY))
    return Type(name, Shape.STRUCT, atomic=row.get("map") == "atomic", load=lambda: _fields(row))


def _fields(row: Mapping[str, Any]) -> dict[str, Field]:
    fields = {}
    for name, (type_text, extras) in row["fields"].items():
        fields[name] = Field(
            name=name,
            type=type_of(type_text),
            list_kind=extras.get("list", "atomic"),
            keys=tuple(extras.get("keys", ())),
            patch=frozenset(extras.get("patch", "").split(",")) - {""},
            merge_key=extras.get("mergeKey", ""),
            atomic=extras.get("map") == "atomic",
            pointer=extras.get("pointer", False),
            omit_empty=extras.get("omitempty", False),
            omit_zero=extras.get("omitzero", False),
            default=extras.get("default"),
        )
    return fields


@functools.cache
def _packages() -> Mapping[tuple[str, str], str]:
    packages = load_data("protobuf.json")["packages"]
    return {(row["group"], row["version"]): alias for alias, row in packages.items() if "group" in row}


def alias_of(api_version: str, kind: str) -> str:
    """The row of a kind as a manifest names it; empty when it is no built-in kind."""
    return _alias_of(api_version, kind) if len(api_version) + len(kind) <= _LONGEST_NAME else ""


@functools.lru_cache(maxsize=_CACHED_NAMES)
def _alias_of(api_version: str, kind: str) -> str:
    group, _, version = api_version.rpartition("/")
    package = _packages().get((group, version))
    if package is not None and f"{package}.{kind}" in _rows():
        return f"{package}.{kind}"
    meta = f"meta.v1.{kind}"
    return meta if kind in _META_KINDS and meta in _rows() else ""
