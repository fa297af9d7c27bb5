"""What a mutation's expression makes of an object: an apply configuration merged, or a JSON patch applied. Pure.

Follows: apiserver pkg/admission/plugin/policy/mutating/patch/{json_patch,smd}.go; pkg/cel/mutation/dynamic/objects.go.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pybernetes.apiserver.request import Document
from pybernetes.machinery.cel.values import Constructed, Uint
from pybernetes.machinery.managed_fields.compare import DuplicateItem, merge
from pybernetes.machinery.managed_fields.plans import Kind, OwnershipError, Plan
from pybernetes.machinery.patch import json_patch


class Unusable(Exception):
    """The expression's result cannot be used; the text says why, in upstream's words."""


def plain(value: Any) -> Any:
    """A value of an expression as JSON has it.

    Raises:
        Unusable.
    """
    match value:
        case None | bool() | str():
            return value
        case Uint():
            return int(value)
        case int() | float():
            return value
        case bytes():
            return base64.b64encode(value).decode()
        case Mapping():
            wrong = [key for key in value if not isinstance(key, str)]
            if wrong:
                raise Unusable(f"map key {wrong[0]!r} is not a string")
            return {key: plain(value[key]) for key in value}
        case Sequence():
            return [plain(item) for item in value]
        case _:
            return str(value)


def check_type_names(value: Any, path: str = "") -> None:
    """An object built for a field must say so: `Object.spec` belongs into `spec`.

    Raises:
        Unusable.
    """
    found = list(_wrong_names(value, path or _type_name(value)))
    if found:
        raise Unusable("type mismatch: " + "\n".join(found))


def _type_name(value: Any) -> str:
    return value.type.name if isinstance(value, Constructed) else ""


def _wrong_names(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, Constructed):
        name = value.type.name
        if name != path:
            yield (
                f'unexpected type name "{name}", expected "{path}", which matches field name path from root Object type'
            )
        for key, item in value.items():
            yield from _wrong_names(item, f"{path}.{key}")
    elif isinstance(value, Mapping):
        for key in value:
            yield from _wrong_names(value[key], path)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for item in value:
            yield from _wrong_names(item, path)


def apply_configuration(live: Document, value: Any, plan: Plan) -> Document:
    """The object with an apply configuration merged into it; nothing is owned by it afterwards.

    Raises:
        Unusable.
    """
    check_type_names(value)
    patch = plain(value)
    patch["apiVersion"], patch["kind"] = live["apiVersion"], live["kind"]
    atomics = list(_atomics(patch, plan, ""))
    if atomics:
        why = f"invalid ApplyConfiguration: may not mutate atomic arrays, maps or structs: {', '.join(atomics)}"
        raise Unusable(f"error applying patch: {why}")
    try:
        merged: Document = merge(live, patch, plan)
    except (OwnershipError, DuplicateItem) as error:
        raise Unusable(f"error applying patch: failed to convert patch object to typed object: {error}") from None
    return merged


def _atomics(value: Any, plan: Plan, path: str) -> Iterator[str]:
    if isinstance(value, dict):
        if plan.kind is Kind.LEAF:
            yield path
        elif plan.kind is Kind.STRUCT:
            for key, item in value.items():
                if key in plan.fields:
                    yield from _atomics(item, plan.child(key), f"{path}.{key}")
    elif isinstance(value, list):
        if plan.kind is Kind.LEAF:
            yield path
        elif plan.element is not None:
            for index, item in enumerate(value):
                yield from _atomics(item, plan.element, f"{path}[{index}]")


def json_patched(live: Document, value: Any) -> Document:
    """The object with a JSON patch applied; one whose `test` fails changes nothing.

    Raises:
        Unusable.
    """
    operations = []
    for row in value:
        check_type_names(row.get("value"))
        operation = {key: plain(row[key]) for key in row if key != "from" or row[key]}
        operations.append(operation)
    try:
        patched: Document = json_patch.apply(live, operations)
    except json_patch.PatchError as error:
        if str(error).startswith("testing value"):
            return live
        raise Unusable(f"JSON Patch: {error}") from None
    except json_patch.MalformedPatchError as error:
        raise Unusable(f"JSON Patch: {error}") from None
    return patched
