"""Objects as they reach validation: normalised, with defaults and server-set fields."""

from datetime import UTC, datetime
from typing import Any

from pybernetes.api import defaults, normalize, registry, strategy, validation
from pybernetes.api.registry import Resource

Json = dict[str, Any]
NOW = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def resource(kind: str, group: str = "") -> Resource:
    return next(r for r in registry.built_in() if r.kind == kind and r.group == group)


def read(what: Resource, content: Json) -> Json:
    document = {"apiVersion": what.api_version, "kind": what.kind, **content}
    return defaults.apply(normalize.normalize(document, what.type_alias), what)


def make(what: Resource, content: Json) -> Json:
    metadata = {"name": "x", **({"namespace": "n"} if what.namespaced else {}), **content.get("metadata", {})}
    return strategy.prepare_create(what, read(what, {**content, "metadata": metadata}), NOW, "u1")


def complaints(kind: str, group: str = "", **content: Any) -> list[str]:
    """What is said about a new object."""
    what = resource(kind, group)
    return [str(error) for error in validation.validate_create(what, make(what, content))]


def update_complaints(kind: str, group: str, old: Json, new: Json, subresource: str = "") -> list[str]:
    """What is said about a change."""
    what = resource(kind, group)
    stored = make(what, old)
    if "status" in old:
        stored["status"] = read(what, old)["status"]
    changed = read(what, {**new, "metadata": {**stored["metadata"], **new.get("metadata", {})}})
    prepared = strategy.prepare_update(what, subresource, changed, stored)
    return [str(error) for error in validation.validate_update(what, subresource, prepared, stored)]
