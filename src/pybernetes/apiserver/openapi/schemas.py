"""Published schemas of built-in types, from the type table; texts from the data file the build makes, where it is.

    core.v1.Container  →  io.k8s.api.core.v1.Container

Version 3 wraps a reference that has a description or a default in `allOf`, version 2 writes both side by side.

Follows: kube-openapi pkg/builder and pkg/builder3; names as upstream's definitions.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pybernetes.api.registry import load_data

Json = dict[str, Any]
Rows = Mapping[str, Any]

_PACKAGES = {
    "meta.v1": "io.k8s.apimachinery.pkg.apis.meta.v1",
    "api.resource": "io.k8s.apimachinery.pkg.api.resource",
    "intstr": "io.k8s.apimachinery.pkg.util.intstr",
    "runtime": "io.k8s.apimachinery.pkg.runtime",
    "version": "io.k8s.apimachinery.pkg.version",
    "apiextensions.v1": "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1",
    "apiregistration.v1": "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1",
}

_SPECIAL: dict[str, Json] = {
    "api.resource.Quantity": {"type": "string"},
    "intstr.IntOrString": {"type": "string", "format": "int-or-string"},
    "apiextensions.v1.JSON": {},
    "apiextensions.v1.JSONSchemaPropsOrArray": {},
    "apiextensions.v1.JSONSchemaPropsOrBool": {},
    "apiextensions.v1.JSONSchemaPropsOrStringArray": {},
    "meta.v1.Patch": {"type": "object"},
}
_SPECIAL_V3: dict[str, Json] = {
    "api.resource.Quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "intstr.IntOrString": {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]},
}


def schema_name(alias: str) -> str:
    """The published name of a type of the table."""
    package, _, name = alias.rpartition(".")
    return f"{_PACKAGES.get(package, f'io.k8s.api.{package}')}.{name}"


def load_rows() -> Rows:
    """The type table, read anew: it is large, and documents are made rarely."""
    rows: Rows = load_data("types.json")["types"]
    return rows


@functools.cache
def load_enumerations() -> Mapping[str, Mapping[str, list[str]]]:
    """Values by type and field, where the type of the field is an enumeration (`+enum`); of its items for a list."""
    found: Mapping[str, Mapping[str, list[str]]] = load_data("enumerations.json")
    return found


def closure(rows: Rows, aliases: Iterable[str]) -> list[str]:
    """`aliases` and all they refer to, by name."""
    found: set[str] = set()
    waiting = [alias for alias in aliases if alias in rows]
    while waiting:
        alias = waiting.pop()
        if alias in found:
            continue
        found.add(alias)
        for text, _ in rows[alias].get("fields", {}).values():
            base = _base(text)
            if base in rows:
                waiting.append(base)
    return sorted(found)


def _base(text: str) -> str:
    while True:
        if text.startswith("[]"):
            text = text[2:]
        elif text.startswith("map<"):
            text = text[4:-1]
        else:
            return text


class SchemaWriter:
    """Writes schemas for one version (2 or 3) of the specification."""

    def __init__(self, rows: Rows, descriptions: Mapping[str, Mapping[str, str]], version: int) -> None:
        self._rows = rows
        self._descriptions = descriptions
        self._prefix = "#/components/schemas/" if version == 3 else "#/definitions/"
        self._version = version
        self._enumerations = load_enumerations()
        self.custom: set[str] = set()
        """Published names of custom kinds and their lists."""

    def knows(self, alias: str) -> bool:
        """The type is published. Options of exec and the like are query parameters, not types."""
        return alias in self._rows or alias in self.custom

    def reference(self, alias: str) -> Json:
        if alias in self.custom:
            return {"$ref": self._prefix + alias}
        return {"$ref": self._prefix + schema_name(alias)}

    def write(self, aliases: Iterable[str], kinds: Mapping[str, list[Json]]) -> Iterator[tuple[str, Json]]:
        """Name and schema of each type; `kinds` are the group, version and kind that a type is served as."""
        for alias in aliases:
            schema = self.schema(alias)
            if alias in kinds:
                schema["x-kubernetes-group-version-kind"] = kinds[alias]
            yield schema_name(alias), schema

    def schema(self, alias: str) -> Json:
        texts = self._descriptions.get(schema_name(alias), {})
        schema: Json = {"description": texts[""]} if texts.get("") else {}
        row = self._rows.get(alias, {})
        special = (_SPECIAL_V3.get(alias) if self._version == 3 else None) or _SPECIAL.get(alias)
        if special is not None:
            return {**schema, **special}
        if "fields" not in row:
            return {**schema, **_scalar(row.get("type", "object"))}
        schema["type"] = "object"
        if row.get("required"):
            schema["required"] = sorted(row["required"])
        schema["properties"] = {
            name: self._field(text, extras, texts.get(name, "")) for name, (text, extras) in row["fields"].items()
        }
        for name, values in self._enumerations.get(alias, {}).items():
            _enumerate(schema["properties"][name], values)
        if row.get("map") == "atomic":
            schema["x-kubernetes-map-type"] = "atomic"
        if "unions" in row:
            schema["x-kubernetes-unions"] = row["unions"]
        return schema

    def _field(self, text: str, extras: Mapping[str, Any], description: str) -> Json:
        schema: Json = {"description": description} if description else {}
        is_struct = text in self._rows and not extras.get("pointer")
        schema |= self._type(text, described=bool(description) or is_struct)
        if "default" in extras:
            schema["default"] = extras["default"]
        elif is_struct and self._version == 3:
            schema["default"] = {}
        if "keys" in extras:
            schema["x-kubernetes-list-map-keys"] = extras["keys"]
        if "list" in extras:
            schema["x-kubernetes-list-type"] = extras["list"]
        if "map" in extras:
            schema["x-kubernetes-map-type"] = extras["map"]
        if "mergeKey" in extras:
            schema["x-kubernetes-patch-merge-key"] = extras["mergeKey"]
        if "patch" in extras:
            schema["x-kubernetes-patch-strategy"] = extras["patch"]
        return schema

    def _type(self, text: str, *, described: bool) -> Json:
        if text.startswith("[]"):
            return {"type": "array", "items": self._item(text[2:])}
        if text.startswith("map<"):
            return {"type": "object", "additionalProperties": self._item(text[4:-1])}
        if text in self._rows:
            reference = self.reference(text)
            return {"allOf": [reference]} if described and self._version == 3 else reference
        return _scalar(text)

    def _item(self, text: str) -> Json:
        schema = self._type(text, described=True)
        if self._version == 3:
            schema["default"] = {} if text in self._rows else "" if schema.get("type") == "string" else None
            if schema["default"] is None:
                del schema["default"]
        return schema


def _enumerate(schema: Json, values: list[str]) -> None:
    """Tell the values of a string, or of the strings in a list or map. Follows: kube-openapi pkg/generators/enum.go."""
    inner = schema.get("items") or schema.get("additionalProperties") or schema
    inner["enum"] = values


def _scalar(text: str) -> Json:
    """`integer/int32` → type and format; `any` → no restriction."""
    if text == "any":
        return {}
    kind, _, form = text.partition("/")
    return {"type": kind, "format": form} if form else {"type": kind}
