"""Fields that the schema does not name are taken out.

    properties: {a}          {"a": 1, "b": 2}              →  {"a": 1}            unknown: b
    preserve-unknown-fields  keeps b, and prunes below a
    embedded-resource        apiVersion, kind and metadata stay without being named

Nothing is changed in place: parts that stay are shared with the argument.

Follows: apiextensions-apiserver pkg/apiserver/schema/pruning/algorithm.go.
"""

from typing import Any

from pybernetes.api.structural.schema import META_FIELDS, Structural

Json = dict[str, Any]


def prune(value: Any, schema: Structural | None, *, root: bool = False, unknown: list[str] | None = None) -> Any:
    """The value without unknown fields; their paths are appended to `unknown`, sorted.

    At the `root` of a resource apiVersion, kind and metadata are known.
    """
    found: list[str] = []
    result = _prune(value, schema, "", found, embedded=root)
    if unknown is not None:
        unknown.extend(sorted(found))
    return result


def _prune(value: Any, schema: Structural | None, path: str, unknown: list[str], *, embedded: bool = False) -> Any:
    if type(value) is dict:
        if schema is None:
            unknown.extend(_join(path, key) for key in value)
            return {}
        return _prune_object(value, schema, path, unknown, embedded=embedded or schema.embedded)
    if type(value) is list:
        if schema is None or not schema.preserve:
            items = schema.items if schema is not None else None
            return [_prune(item, items, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
        return [_keep(item, schema.items, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    return value


def _prune_object(value: Json, schema: Structural, path: str, unknown: list[str], *, embedded: bool) -> Json:
    properties, result = schema.properties, {}
    for key, item in value.items():
        if embedded and key in META_FIELDS:
            result[key] = item
            continue
        known = properties.get(key)
        if known is not None:
            result[key] = _prune(item, known, _join(path, key), unknown) if type(item) in _CONTAINERS else item
        elif schema.allows_additional:
            result[key] = _prune(item, schema.additional, _join(path, key), unknown)
        elif schema.preserve:
            result[key] = item
        else:
            unknown.append(_join(path, key))
    return result


def _keep(value: Any, schema: Structural | None, path: str, unknown: list[str]) -> Any:
    """Inside a list that keeps everything: only what items name is looked at."""
    if schema is None:
        return value
    if type(value) is dict:
        result = {}
        for key, item in value.items():
            below = schema.child(key)
            known = below is not None and not (schema.embedded and key in META_FIELDS)
            result[key] = _prune(item, below, _join(path, key), unknown) if known else item
        return result
    if type(value) is list:
        return [_keep(item, schema.items, f"{path}[{index}]", unknown) for index, item in enumerate(value)]
    return value


_CONTAINERS = (dict, list)


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key
