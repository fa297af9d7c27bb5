"""Advice about definitions of custom resources, and about the finalizers of custom resources.

Follows: apiextensions-apiserver pkg/registry/customresourcedefinition/strategy.go;
pkg/registry/customresource/validator.go, validateKubeFinalizerName.
"""

from collections.abc import Iterator
from typing import Any, Final

from pybernetes.api.structural.formats import text_format
from pybernetes.machinery import names
from pybernetes.machinery.field_errors import quote

Json = dict[str, Any]

STANDARD_FINALIZERS: Final = frozenset({"kubernetes", "orphan", "foregroundDeletion"})
_NUMBER_FORMATS: Final = {"integer": ("int32", "int64"), "number": ("float", "double")}


def definition(found: list[str], document: Json) -> None:
    """Formats that mean nothing, and sets of what is no scalar."""
    found.extend(_advice(document))


def definition_update(found: list[str], new: Json, old: Json) -> None:
    """The same, without what was there before."""
    known = set(_advice(old))
    found.extend(text for text in _advice(new) if text not in known)


def finalizers(found: list[str], new: Json, old: Json | None = None) -> None:
    """Finalizers that are added and might clash with those of others."""
    known = set(((old or {}).get("metadata") or {}).get("finalizers") or ())
    for finalizer in sorted(set((new.get("metadata") or {}).get("finalizers") or ()) - known):
        place = f"metadata.finalizers: {quote(finalizer)}"
        found += [f"{place}: {complaint}" for complaint in names.qualified_name(finalizer)]
        if "/" not in finalizer and finalizer not in STANDARD_FINALIZERS:
            how = " including a path (/)" if "." in finalizer else ""
            advice = f"prefer a domain-qualified finalizer name{how}"
            found.append(f"{place}: {advice} to avoid accidental conflicts with other finalizer writers")


def _advice(document: Json) -> list[str]:
    formats: list[str] = []
    sets: set[str] = set()
    for version in (document.get("spec") or {}).get("versions") or ():
        for place in _places((version.get("schema") or {}).get("openAPIV3Schema")):
            form = place.get("format", "")
            if form and not _known(form, place.get("type", "")):
                formats.append(f"unrecognized format {quote(form)}")
            items = place.get("items")
            kind = items.get("type") if isinstance(items, dict) else None
            if place.get("x-kubernetes-list-type") == "set" and kind in {"object", "array"}:
                sets.add(
                    f"x-kubernetes-list-type: set for items of type {quote(kind)} is not supported by server-side "
                    "apply or CEL validation rules"
                )
    return [*formats, *sorted(sets)]


def _known(form: str, kind: str) -> bool:
    if kind in {"", "string"}:
        return text_format(form) is not None
    return form in _NUMBER_FORMATS.get(kind, ())


def _places(schema: Any) -> Iterator[Json]:
    """A schema and every schema in it."""
    if not isinstance(schema, dict):
        return
    yield schema
    for name in ("items", "not", "additionalProperties"):
        yield from _places(schema.get(name))
    for name in ("allOf", "anyOf", "oneOf"):
        for below in schema.get(name, ()):
            yield from _places(below)
    for below in schema.get("properties", {}).values():
        yield from _places(below)
