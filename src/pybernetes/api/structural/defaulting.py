"""Nulls that mean nothing are taken out, and what is absent gets its default.

    nullable: true    null stays
    with default      null becomes the default
    otherwise         null goes

Nothing is changed in place; defaults are copied, so that no two objects share one.

Follows: apiextensions-apiserver pkg/apiserver/schema/defaulting/{algorithm,prunenulls,prune}.go.
"""

from typing import Any

import orjson

from pybernetes.api.structural import pruning
from pybernetes.api.structural.schema import Structural

Json = dict[str, Any]


def drop_nulls(value: Any, schema: Structural | None) -> Any:
    """The value without nulls in fields that are neither nullable nor have a default."""
    if schema is None:
        return value
    if type(value) is dict:
        result = {}
        for key, item in value.items():
            below = schema.child(key)
            if below is None:
                result[key] = item
            elif item is not None:
                result[key] = drop_nulls(item, below) if type(item) in _CONTAINERS else item
            elif below.nullable or below.default is not None:
                result[key] = item
        return result
    if type(value) is list:
        return [drop_nulls(item, schema.items) for item in value]
    return value


def default(value: Any, schema: Structural | None) -> Any:
    """The value with defaults where fields are absent, or null without being allowed to."""
    if schema is None:
        return value
    if type(value) is dict:
        return _default_object(value, schema)
    if type(value) is list and schema.items is not None:
        return [_default_item(item, schema.items) for item in value]
    return value


def _default_object(value: Json, schema: Structural) -> Json:
    result = dict(value)
    for name, below in schema.properties.items():
        if below.default is not None and (name not in value or (value[name] is None and not below.nullable)):
            result[name] = copied(below.default)
    for key, item in result.items():
        if key in schema.properties:
            if type(item) in _CONTAINERS:
                result[key] = default(item, schema.properties[key])
        elif schema.additional is not None:
            result[key] = _default_item(item, schema.additional)
    return result


def _default_item(item: Any, schema: Structural) -> Any:
    if item is None and not schema.nullable and schema.default is not None:
        item = copied(schema.default)
    return default(item, schema) if type(item) in _CONTAINERS else item


_CONTAINERS = (dict, list)


def copied(value: Any) -> Any:
    """The value as one of the caller's own."""
    return orjson.loads(orjson.dumps(value)) if type(value) in _CONTAINERS else value


def prune_defaults(schema: Structural, *, inside_metadata: bool = False) -> None:
    """Take out of each default what the schema does not name; only for a schema nobody else holds yet."""
    if schema.default is not None and not inside_metadata:
        schema.default = pruning.prune(schema.default, schema, root=schema.embedded)
    for below in schema.below():
        prune_defaults(below)
