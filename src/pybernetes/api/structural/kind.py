"""One version of one custom resource: everything documents of it need, read from its definition.

    decoded     a document from a client or from the store: metadata typed, unknown fields and empty nulls out
    default     what is absent, filled in
    created     complaints about a new object
    updated     complaints about a change, of the whole or through /status

Follows: apiextensions-apiserver pkg/registry/customresource/{strategy,status_strategy,validator}.go.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pybernetes.api import definitions
from pybernetes.api.structural import cel_rules, defaulting, lists, metadata, ownership, pruning, rules, values
from pybernetes.api.structural.metadata import WrongMetadata
from pybernetes.api.structural.schema import META_FIELDS, PRESERVING, Structural, has_below
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery.field_errors import FieldError
from pybernetes.machinery.managed_fields.plans import DEDUCED, Plan

Json = dict[str, Any]

MAX_INT32: Final = 2**31 - 1
AGE_COLUMN: Final[Json] = {
    "name": "Age",
    "type": "date",
    "jsonPath": ".metadata.creationTimestamp",
    "description": "When the server created the object; clients cannot set it.",
}


class CustomKind:
    """See the module. Immutable; made by `of_version`."""

    def __init__(self, definition: Json, version: Json) -> None:
        spec = definition["spec"]
        accepted = (definition.get("status") or {}).get("acceptedNames") or {}
        self.kind: str = accepted.get("kind") or spec["names"]["kind"]
        self.terminating: bool = definitions.is_true(definition, definitions.TERMINATING)
        """The definition goes: nothing new is created."""
        self.published: Json | None = (version.get("schema") or {}).get("openAPIV3Schema")
        """The schema as the definition has it."""
        self.columns: Sequence[Json] = version.get("additionalPrinterColumns") or (AGE_COLUMN,)
        self.selectable: Mapping[str, str] = {
            row["jsonPath"].lstrip("."): row["jsonPath"] for row in version.get("selectableFields") or ()
        }
        subresources = version.get("subresources") or {}
        self.has_status: bool = subresources.get("status") is not None
        self.scale: Json | None = subresources.get("scale")
        self.warning: str = ""
        """What clients of a deprecated version are told; empty for all others."""
        if version.get("deprecated"):
            self.warning = version.get("deprecationWarning") or deprecation_warning(spec, version)

    @functools.cached_property
    def schema(self) -> Structural:
        """The schema as a tree, made when the first document is looked at.

        A server may have hundreds of large definitions, and starts before anybody asks for their objects.
        """
        if self.published is None:
            return PRESERVING
        found = Structural(self.published)
        defaulting.prune_defaults(found)
        return found

    @functools.cached_property
    def _embeds(self) -> bool:
        return has_below(self.schema, ("embedded",))

    @functools.cached_property
    def _lists(self) -> bool:
        return has_below(self.schema, ("list_type",))

    @functools.cached_property
    def plan(self) -> Plan:
        """How fields are owned."""
        return ownership.plan_of(self.schema) if self.published is not None else DEDUCED

    # ── on the way in ──

    def decoded(self, document: Json, unknown: list[str]) -> Json:
        """The document, whose own metadata is typed already, without what the schema does not know.

        Paths of unknown fields are appended.

        Raises:
            WrongMetadata: of an object inside.
        """
        own: Json = {key: document[key] for key in META_FIELDS if key in document}
        result: Json = pruning.prune(document, self.schema, root=True, unknown=unknown)
        result = defaulting.drop_nulls(result, self.schema)
        if self._embeds:
            inside: list[str] = []
            result = metadata.coerced(result, self.schema, inside)
            unknown.extend(sorted(inside))
        return {**own, **{key: value for key, value in result.items() if key not in own}}

    def default(self, document: Json) -> None:
        """Fill in what is absent, in place at the top; parts below are replaced, never changed."""
        document.update(defaulting.default(document, self.schema))

    # ── checks ──

    def created(self, document: Json) -> list[FieldError]:
        """All complaints about a new object; its own metadata is looked at elsewhere."""
        if document.get("kind") != self.kind:
            return [fe.invalid_value("kind", document.get("kind"), f"must be {self.kind}")]
        found = values.check(document, self.schema.json)
        found += self._scale(document, spec=True)
        return self._finished(found + self._structure(document), document, None)

    def updated(self, new: Json, old: Json) -> list[FieldError]:
        """All complaints about a change of the whole."""
        if new.get("kind") != self.kind:
            return [fe.invalid_value("kind", new.get("kind"), f"must be {self.kind}")]
        found = values.check(new, self.schema.json, old=old, structural=self.schema)
        found += self._scale(new, spec=True)
        return self._finished(found + self._structure(new, old), new, old)

    def status_updated(self, new: Json, old: Json) -> list[FieldError]:
        """All complaints about a change through /status: only the status is looked at."""
        below = self.schema.properties.get("status")
        found: list[FieldError] = []
        if "status" in new and below is not None:
            before = old.get("status", values.ABSENT)
            found = values.below("status", values.check(new["status"], below.json, old=before, structural=below))
        found += self._scale(new, spec=False)
        return self._finished(found + self._structure(new, old), new, old)

    def _structure(self, new: Json, old: Json | None = None) -> list[FieldError]:
        found = metadata.check(new, self.schema) if self._embeds else []
        if self._lists and (old is None or not lists.check(old, self.schema)):
            found += lists.check(new, self.schema)
        return found

    @functools.cached_property
    def _rules(self) -> cel_rules.Node | None:
        """Compiled when the first object is written: most definitions are loaded and never written to."""
        return cel_rules.compiled(self.schema)

    def _finished(self, found: list[FieldError], new: Json, old: Json | None) -> list[FieldError]:
        """The rules of the schema have the last word; only an object of the right shape can be asked."""
        if self._rules is None:
            return found
        if cel_rules.blocks(found):
            return [*found, cel_rules.not_checked()]
        evaluation = cel_rules.Evaluation()
        evaluation.run(self._rules, new, old, update=old is not None)
        return found + evaluation.errors

    def _scale(self, document: Json, *, spec: bool) -> list[FieldError]:
        if self.scale is None:
            return []
        found = _replicas(document, self.scale["specReplicasPath"]) if spec else []
        found += _replicas(document, self.scale["statusReplicasPath"])
        path = self.scale.get("labelSelectorPath")
        if path:
            value, wrong = nested(document, path)
            if wrong or not isinstance(value, str | None):
                found.append(fe.invalid_value(path, "", wrong or _accessor(path, value, "string")))
        return found


def of_version(definition: Json, name: str) -> CustomKind:
    """The kind that a stored CustomResourceDefinition describes in one of its versions."""
    versions = definition["spec"]["versions"]
    return CustomKind(definition, next(version for version in versions if version["name"] == name))


def is_structural(schema: Json) -> bool:
    return not rules.check(schema, "")


def nested(document: Json, path: str) -> tuple[Any, str]:
    """The value at a path of dots, None where nothing stands; the second part tells what is in the way."""
    value: Any = document
    names = path.removeprefix(".").split(".")
    for index, name in enumerate(names):
        if type(value) is not dict:
            if value is None:
                return None, ""
            shown = ".".join(names[: index + 1])
            return None, _accessor(shown, value, "map[string]interface{}")
        value = value.get(name)
    return value, ""


def _accessor(path: str, value: Any, wanted: str) -> str:
    return f".{path.removeprefix('.')} accessor error: {value} is of the type {_go_type(value)}, expected {wanted}"


def _go_type(value: Any) -> str:
    names = {str: "string", bool: "bool", int: "int64", float: "float64", list: "[]interface {}"}
    return names.get(type(value), "map[string]interface {}")


def _replicas(document: Json, path: str) -> list[FieldError]:
    value, wrong = nested(document, path)
    if not wrong and value is not None and type(value) is not int:
        wrong = _accessor(path, value, "int64")
    if wrong:
        return [fe.invalid_value(path, 0, wrong)]
    if value is None:
        return []
    if value < 0:
        return [fe.invalid_value(path, value, "should be a non-negative integer")]
    if value > MAX_INT32:
        return [fe.invalid_value(path, value, f"should be less than or equal to {MAX_INT32}")]
    return []


def deprecation_warning(spec: Json, version: Json) -> str:
    """What a deprecated version says of itself: the best version to use instead. Follows: defaultDeprecationWarning."""
    group, kind = spec["group"], spec["names"]["kind"]
    better = [
        other["name"]
        for other in spec["versions"]
        if other.get("served") and not other.get("deprecated") and rank(other["name"]) < rank(version["name"])
    ]
    text = f"{group}/{version['name']} {kind} is deprecated"
    return f"{text}; use {group}/{min(better, key=rank)} {kind}" if better else text


def rank(version: str) -> tuple[int, int, int, str]:
    """Sorts versions as clients prefer them: GA before beta before alpha, newer first, other names last by text.

    Follows: apimachinery pkg/version/helpers.go, CompareKubeAwareVersionStrings.
    """
    digits = version.removeprefix("v")
    for stage, marker in ((1, "beta"), (2, "alpha")):
        major, found, minor = digits.partition(marker)
        if found and major.isdigit() and (minor.isdigit() or not minor):
            return stage, -int(major), -int(minor or 0), ""
    if version.startswith("v") and digits.isdigit():
        return 0, -int(digits), 0, ""
    return 3, 0, 0, version


__all__ = ["CustomKind", "WrongMetadata", "deprecation_warning", "is_structural", "nested", "of_version", "rank"]
