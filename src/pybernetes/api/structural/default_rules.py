"""Defaults of a schema are valid under it themselves.

Follows: apiextensions-apiserver pkg/apiserver/schema/defaulting/validation.go.
"""

from collections.abc import Callable
from typing import Any

from pybernetes.api.structural import metadata, pruning, values
from pybernetes.api.structural.schema import META_FIELDS, Structural
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery.field_errors import FieldError

Rules = Callable[[Any, Structural, str], list[FieldError]]
"""Complaints of the rules of a place about a default: (value, schema, path)."""


def check(schema: Structural, path: str, rules: Rules | None = None) -> list[FieldError]:
    """All complaints about the defaults below a resource's schema."""
    return _check(schema, path, rules, in_metadata=False, root=True)


def _check(
    schema: Structural, path: str, rules: Rules | None, *, in_metadata: bool, root: bool = False
) -> list[FieldError]:
    found: list[FieldError] = []
    if schema.default is not None:
        found += _default(schema, f"{path}.default", rules, in_metadata=in_metadata)
    if schema.items is not None:
        found += _check(schema.items, f"{path}.items", rules, in_metadata=in_metadata)
    for name, below in schema.properties.items():
        inside = (in_metadata and not schema.embedded) or ((root or schema.embedded) and name in META_FIELDS)
        found += _check(below, f"{path}.properties[{name}]", rules, in_metadata=inside)
    return found


def _default(schema: Structural, path: str, rules: Rules | None, *, in_metadata: bool) -> list[FieldError]:
    value = schema.default
    found: list[FieldError] = []
    if not in_metadata and pruning.prune(value, schema, root=schema.embedded) != value:
        found.append(fe.invalid_value(path, value, "must not have unknown fields"))
    try:
        metadata.coerced(value, schema, [], path)
    except metadata.WrongMetadata as error:
        return [*found, error.error]
    wrong = metadata.check(value, schema, path) or values.below(path, values.check(value, schema.json))
    if not wrong and rules is not None:
        wrong = rules(value, schema, path)
    return found + wrong
