"""Lists that are sets or maps name each item once.

Follows: apiextensions-apiserver pkg/apiserver/schema/listtype/validation.go.
"""

from collections.abc import Iterable
from typing import Any

import orjson

from pybernetes.api.structural.schema import Structural
from pybernetes.machinery import field_errors as fe
from pybernetes.machinery.field_errors import FieldError

Json = dict[str, Any]


def check(value: Any, schema: Structural, path: str = "") -> list[FieldError]:
    """A complaint for each item that stands in its list before."""
    if type(value) is dict:
        found: list[FieldError] = []
        for key, item in value.items():
            known = schema.properties.get(key)
            if known is not None:
                found += check(item, known, f"{path}.{key}" if path else key)
            elif schema.additional is not None:
                found += check(item, schema.additional, f"{path}[{key}]")
        return found
    if type(value) is list:
        return _check_list(value, schema, path)
    return []


def _check_list(value: list[Any], schema: Structural, path: str) -> list[FieldError]:
    found: list[FieldError] = []
    if schema.list_type == "set":
        found += [fe.duplicate(f"{path}[{index}]", value[index]) for index in _repeated(value)]
    elif schema.list_type == "map":
        wrong = next((i for i, item in enumerate(value) if item is not None and type(item) is not dict), None)
        if wrong is not None:
            text = "must be an object for an array of list-type map"
            found.append(fe.invalid_value(f"{path}[{wrong}]", value[wrong], text))
        else:
            keys = [{key: item[key] for key in schema.list_keys if key in item} if item else {} for item in value]
            found += [fe.duplicate(f"{path}[{index}]", keys[index]) for index in _repeated(keys)]
    if schema.items is not None:
        for index, item in enumerate(value):
            found += check(item, schema.items, f"{path}[{index}]")
    return found


def _repeated(items: Iterable[Any]) -> list[int]:
    """Where an item stands for the second time; the third is not told again."""
    times: dict[bytes, int] = {}
    found = []
    for index, item in enumerate(items):
        text = orjson.dumps(item, option=orjson.OPT_SORT_KEYS)
        times[text] = times.get(text, 0) + 1
        if times[text] == 2:
            found.append(index)
    return found
