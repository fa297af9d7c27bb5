"""Strategic merge patch: a merge patch that knows which lists are sets of named items.

Directives a patch may hold:

    $patch: replace | delete | merge        on an object or an item of a list
    $deleteFromPrimitiveList/FIELD: [...]   beside a list of scalars that merges
    $setElementOrder/FIELD: [...]           beside a list that merges: the order of its items afterwards
    $retainKeys: [...]                      on an object: every other field goes

Follows: apimachinery pkg/util/strategicpatch/patch.go, StrategicMergeMapPatch; pkg/util/mergepatch/errors.go.
"""

from typing import Any, Final

import orjson

from pybernetes.machinery.type_table import Field, Shape, Type

Json = dict[str, Any]

DIRECTIVE: Final = "$patch"
DELETE_FROM: Final = "$deleteFromPrimitiveList/"
SET_ORDER: Final = "$setElementOrder/"
RETAIN_KEYS: Final = "$retainKeys"


class StrategicPatchError(ValueError):
    """The patch cannot be applied (400)."""


def apply(document: Json, patch: Json, schema: Type) -> Json:
    """The patched document; the arguments are not changed, untouched parts are shared with `document`.

    `schema` is the type of the document, `api.schema.type_of(alias)`.

    Raises:
        StrategicPatchError: a directive or a list of the patch has no legal form.
    """
    return _merge_object(document, patch, schema)


def _merge_object(original: Any, patch: Json, schema: Type | None) -> Json:
    directive = patch.get(DIRECTIVE)
    if directive is not None:
        if directive == "replace":
            return {key: value for key, value in patch.items() if key != DIRECTIVE}
        if directive == "delete":
            return {}
        if directive != "merge":
            raise StrategicPatchError(f"Unknown patch type found: {directive}")
    result: Json = dict(original) if type(original) is dict else {}
    if RETAIN_KEYS in patch:
        _retain_keys(result, patch)
    orders: dict[str, list[Any]] = {}
    removals: dict[str, list[Any]] = {}
    for key, value in patch.items():
        if key in (DIRECTIVE, RETAIN_KEYS):
            continue
        if key.startswith(SET_ORDER):
            orders[key.removeprefix(SET_ORDER)] = _as_list(key, value)
        elif key.startswith(DELETE_FROM):
            removals[key.removeprefix(DELETE_FROM)] = _as_list(key, value)
    for key, removed in removals.items():
        if type(result.get(key)) is list:
            gone = {_hashable(item) for item in removed}
            result[key] = [item for item in result[key] if _hashable(item) not in gone]
    for key, value in patch.items():
        if key[:1] == "$" and (key in (DIRECTIVE, RETAIN_KEYS) or key.startswith((SET_ORDER, DELETE_FROM))):
            continue
        _merge_field(result, key, value, schema, orders.pop(key, None))
    for key, order in orders.items():
        _only_reorder(result, key, order, schema)
    return result


def _merge_field(result: Json, key: str, value: Any, schema: Type | None, order: list[Any] | None) -> None:
    field = schema.field(key) if schema is not None else None
    below = field.type if field is not None else _map_element(schema)
    if value is None:
        result.pop(key, None)
    elif type(value) is dict:
        if value.get(DIRECTIVE) == "delete" and len(value) == 1:
            result.pop(key, None)
        elif field is not None and "replace" in field.patch and DIRECTIVE not in value:
            result[key] = value
        else:
            result[key] = _merge_object(result.get(key), value, below)
    elif type(value) is list and field is not None and "merge" in field.patch:
        present = result.get(key)
        result[key] = _merge_list(present if type(present) is list else [], value, field, order)
    else:
        result[key] = value


def _map_element(schema: Type | None) -> Type | None:
    """The type below any key of a map."""
    return schema.element if schema is not None and schema.shape is Shape.MAP else None


def _as_list(key: str, value: Any) -> list[Any]:
    if type(value) is not list:
        raise StrategicPatchError(f"The patch contains a directive {key} that is no list")
    return value


def _retain_keys(result: Json, patch: Json) -> None:
    kept = patch[RETAIN_KEYS]
    if type(kept) is not list:
        raise StrategicPatchError("invalid patch format of retainKeys")
    kept = frozenset(key for key in kept if type(key) is str)
    for key in patch:
        if key[:1] != "$" and patch[key] is not None and key not in kept:
            raise StrategicPatchError("invalid patch format of retainKeys")
    for key in [key for key in result if key not in kept]:
        del result[key]


def _merge_list(original: list[Any], patch: list[Any], field: Field, order: list[Any] | None) -> list[Any]:
    if not field.merge_key:
        present = {_hashable(item) for item in original}
        added = {name: item for item in patch if (name := _hashable(item)) not in present}
        merged = [*original, *added.values()]
        return _ordered(merged, patch, original, order, None)
    key = field.merge_key
    if not patch:
        return original
    if any(type(item) is not dict for item in patch):
        raise StrategicPatchError(f"The patch does not contain objects for a list with the merge key {key}")
    directives = [item for item in patch if DIRECTIVE in item]
    if any(item[DIRECTIVE] == "replace" for item in directives):
        return [item for item in patch if DIRECTIVE not in item]
    result: list[Any] = list(original)
    element = field.type.element
    gone = set()
    for item in directives:
        if item[DIRECTIVE] == "delete":
            gone.add(_hashable(_key_of(item, key)))
        elif item[DIRECTIVE] != "merge":
            raise StrategicPatchError(f"Unknown patch type found: {item[DIRECTIVE]}")
    if gone:
        result = [item for item in result if type(item) is not dict or _hashable(item.get(key)) not in gone]
    places: dict[Any, int] = {}
    for index, item in enumerate(result):
        if type(item) is dict:
            places.setdefault(_hashable(item.get(key)), index)
    for item in patch:
        if item.get(DIRECTIVE) == "delete":
            continue
        place = places.setdefault(_hashable(_key_of(item, key)), len(result))
        if place < len(result):
            result[place] = _merge_object(result[place], item, element)
        else:
            result.append(_merge_object({}, item, element))
    changed = [item for item in patch if item.get(DIRECTIVE) != "delete"]
    return _ordered(result, changed, original, order, key)


def _key_of(item: Json, key: str) -> Any:
    if key not in item:
        raise StrategicPatchError(f"map: {item} does not contain declared merge key: {key}")
    return item[key]


def _identity(item: Any, key: str | None) -> Any:
    return item.get(key) if key is not None and type(item) is dict else item


def _ordered(
    merged: list[Any], patch: list[Any], original: list[Any], order: list[Any] | None, key: str | None
) -> list[Any]:
    """The merged list in the order the patch asks for.

    Items named in the order stand in that order; the others keep their places relative to their neighbours on the
    server. Follows: mergeSliceWithoutSpecialElements, normalizeElementOrder, mergeSortedSlice.
    """
    if order is None:
        return merged
    rank = {_hashable(_identity(item, key)): index for index, item in enumerate(order)}
    for item in patch:
        if _hashable(_identity(item, key)) not in rank:
            raise StrategicPatchError(
                f"The order in patch list:\n{patch}\n doesn't match ${SET_ORDER[1:-1]} list:\n{order}\n"
            )
    listed = [item for item in merged if _hashable(_identity(item, key)) in rank]
    listed.sort(key=lambda item: rank[_hashable(_identity(item, key))])
    others = [item for item in merged if _hashable(_identity(item, key)) not in rank]
    place = {_hashable(_identity(item, key)): index for index, item in enumerate(original)}
    result: list[Any] = []
    taken = 0
    for item in listed:
        own_place = place.get(_hashable(_identity(item, key)))
        while own_place is not None and taken < len(others):
            if place.get(_hashable(_identity(others[taken], key)), len(original)) > own_place:
                break
            result.append(others[taken])
            taken += 1
        result.append(item)
    return result + others[taken:]


def _hashable(value: Any) -> Any:
    """What tells values apart in sets and dictionaries; equal numbers of different types stay apart from booleans."""
    if value.__hash__ is None:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return (bool, value) if type(value) is bool else value


def _only_reorder(result: Json, key: str, order: list[Any], schema: Type | None) -> None:
    """An order without a list beside it: nothing changes but the order."""
    present = result.get(key)
    field = schema.field(key) if schema is not None else None
    if type(present) is list and field is not None and "merge" in field.patch:
        result[key] = _ordered(present, [], present, order, field.merge_key or None)
