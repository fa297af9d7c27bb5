"""A schema as a tree of places, each with what decides about structure: properties, items, extensions, default.

Validations of values (`minimum`, `pattern`, `oneOf` …) stay in the JSON of the place: `values` reads them there.

Follows: apiextensions-apiserver pkg/apiserver/schema/{structural,convert}.go.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Json = dict[str, Any]

META_FIELDS: Final = ("apiVersion", "kind", "metadata")
ATOMIC: Final = "atomic"


class Structural:
    """One place of a schema. Immutable once it is made; `default` may be pruned by `defaulting.prune_defaults`."""

    __slots__ = (
        "additional",
        "allows_additional",
        "default",
        "embedded",
        "int_or_string",
        "items",
        "json",
        "list_keys",
        "list_type",
        "map_type",
        "nullable",
        "preserve",
        "properties",
        "type",
    )

    def __init__(self, schema: Json) -> None:
        self.json = schema
        """The place as the definition has it, with everything below."""
        self.type: str = schema.get("type", "")
        self.nullable: bool = schema.get("nullable", False)
        self.default: Any = schema.get("default")
        """None where there is none: a default cannot be null."""
        self.preserve: bool = schema.get("x-kubernetes-preserve-unknown-fields", False)
        self.embedded: bool = schema.get("x-kubernetes-embedded-resource", False)
        self.int_or_string: bool = schema.get("x-kubernetes-int-or-string", False)
        self.list_type: str = schema.get("x-kubernetes-list-type", "")
        self.list_keys: tuple[str, ...] = tuple(schema.get("x-kubernetes-list-map-keys", ()))
        self.map_type: str = schema.get("x-kubernetes-map-type", "")
        self.properties: Mapping[str, Structural] = {
            name: Structural(below) for name, below in schema.get("properties", {}).items()
        }
        items = schema.get("items")
        self.items = Structural(items) if isinstance(items, dict) else None
        additional = schema.get("additionalProperties")
        self.additional = Structural(additional) if isinstance(additional, dict) else None
        self.allows_additional: bool = additional is not None and additional is not False
        """Any key is a field of this place, with `additional` as its schema where that is set."""

    def child(self, name: str) -> "Structural | None":
        """The schema of a field, None where the schema says nothing of it."""
        found = self.properties.get(name)
        return found if found is not None else self.additional

    def below(self) -> "Iterator[Structural]":
        """The places right below this one."""
        yield from self.properties.values()
        if self.items is not None:
            yield self.items
        if self.additional is not None:
            yield self.additional


PRESERVING: Final = Structural({"type": "object", "x-kubernetes-preserve-unknown-fields": True})
"""Of a version without a schema, as old definitions have them: everything is kept."""


def has_below(schema: Structural, wanted: "tuple[str, ...]") -> bool:
    """Whether any place of the schema has one of the attributes (`default`, `embedded`)."""
    if any(getattr(schema, name) for name in wanted):
        return True
    return any(has_below(place, wanted) for place in schema.below())
