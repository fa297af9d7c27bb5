"""The schema of a custom resource as clients see it in OpenAPI.

What every object has is added. In version 2, what that version (or kubectl reading it) cannot express is left out:

    version 2    no junctors; nullable places without type and contents; no contents where unknown fields are kept

Follows: apiextensions-apiserver pkg/controller/openapi/{builder/builder,v2/conversion}.go.
"""

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

Texts = Mapping[str, str]
"""Descriptions of what every object has: apiVersion, kind, metadata, and `list` for the metadata of lists."""

PLAIN_TEXTS: Final[Texts] = {
    "apiVersion": "Group and version of the schema this object follows.",
    "kind": "The kind of this object, in CamelCase.",
    "metadata": "Metadata that every object has.",
    "list": "Metadata that every list has.",
}
"""Where the published descriptions are not at hand."""
OBJECT_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
LIST_META: Final = "io.k8s.apimachinery.pkg.apis.meta.v1.ListMeta"

_PREFIXES: Final = {2: "#/definitions/", 3: "#/components/schemas/"}
_JUNCTORS: Final = ("allOf", "oneOf", "anyOf", "not")
_INT_OR_STRING: Final = [{"type": "integer"}, {"type": "string"}]
_PRESERVE, _INT_OR_STRING_FLAG = "x-kubernetes-preserve-unknown-fields", "x-kubernetes-int-or-string"


def reference(name: str, version: int, description: str = "") -> Json:
    """A place of a published type; version 3 keeps a reference and a description apart."""
    target = {"$ref": _PREFIXES[version] + name}
    if not description:
        return target
    return {"description": description, "allOf": [target]} if version == 3 else {"description": description, **target}


def type_meta(texts: Texts) -> Json:
    return {field: {"description": texts[field], "type": "string"} for field in ("apiVersion", "kind")}


def schema(found: Json | None, version: int, texts: Texts = PLAIN_TEXTS) -> Json:
    """The published schema of a kind; `found` is what the definition has, None where it has none."""
    if found is None or (version == 2 and found.get(_PRESERVE)):
        # With properties kubectl would take anything else for a mistake.
        return {"type": "object"}
    result = _place(found, version, texts)
    metadata = {"metadata": reference(OBJECT_META, version, texts["metadata"])}
    result["properties"] = {**result.get("properties", {}), **type_meta(texts), **metadata}
    return result


def listed(name: str, plural: str, kind: str, list_kind: str, version: int, texts: Texts = PLAIN_TEXTS) -> Json:
    """The schema of the list of a kind; `name` is the published name of the kind."""
    items = {"description": f"List of {plural}.", "type": "array", "items": reference(name, version)}
    metadata = reference(LIST_META, version, texts["list"])
    return {
        "description": f"{list_kind} is a list of {kind}",
        "type": "object",
        "required": ["items"],
        "properties": {**type_meta(texts), "items": items, "metadata": metadata},
    }


def _place(found: Json, version: int, texts: Texts) -> Json:
    """One place with everything below it."""
    result = dict(found)
    if result.get(_INT_OR_STRING_FLAG):
        _unfold(result)
    if version == 2:
        _reduce(result, found)
    if isinstance(result.get("items"), dict):
        result["items"] = _place(result["items"], version, texts)
    if "properties" in result:
        result["properties"] = {name: _place(below, version, texts) for name, below in result["properties"].items()}
    if isinstance(result.get("additionalProperties"), dict):
        result["additionalProperties"] = _place(result["additionalProperties"], version, texts)
    if result.get("x-kubernetes-embedded-resource") and not (version == 2 and result.get(_PRESERVE)):
        metadata = {"metadata": reference(OBJECT_META, version, texts["metadata"])}
        result["properties"] = {**result.get("properties", {}), **type_meta(texts), **metadata}
        required = result.get("required", [])
        result["required"] = [*required, *(name for name in ("kind", "apiVersion") if name not in required)]
    return result


def _unfold(place: Json) -> None:
    """Say what int-or-string means, unless it is said."""
    first = (place.get("allOf") or [{}])[0]
    if place.get("anyOf") == _INT_OR_STRING or first.get("anyOf") == _INT_OR_STRING:
        return
    if "anyOf" in place:
        place["allOf"] = [{"anyOf": _INT_OR_STRING}, *place.get("allOf", ())]
    else:
        place["anyOf"] = _INT_OR_STRING


def _reduce(place: Json, found: Json) -> None:
    """Leave out what version 2 has no words for."""
    for name in _JUNCTORS:
        place.pop(name, None)
    if place.pop("nullable", False):
        for name in ("type", "items", "properties"):
            place.pop(name, None)
    if place.get(_PRESERVE):
        for name in ("items", "properties"):
            place.pop(name, None)
        if place.get("type") == "object":
            place.pop("type")
    if place.get("type") == "array" and "items" not in place:
        place.pop("type")
    required = place.get("required")
    if required:
        properties = found.get("properties", {})
        kept = [name for name in required if not properties.get(name, {}).get("nullable")]
        additional = found.get("additionalProperties")
        if isinstance(additional, dict) and additional.get("nullable"):
            kept = []
        place.pop("required")
        if kept:
            place["required"] = kept
