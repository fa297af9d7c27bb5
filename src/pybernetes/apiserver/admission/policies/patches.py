"""What a mutation's expression makes of an object: an apply configuration merged, or a JSON patch applied. Pure.

Follows: apiserver pkg/admission/plugin/policy/mutating/patch/{json_patch,smd}.go; pkg/cel/mutation/dynamic/objects.go.
"""

from collections.abc import Iterator
from typing import Any

from pybernetes.apiserver.request import Document
from pybernetes.machinery import cel
from pybernetes.machinery.managed_fields.compare import DuplicateItem, merge
from pybernetes.machinery.managed_fields.plans import Kind, OwnershipError, Plan
from pybernetes.machinery.patch import json_patch


class Unusable(Exception):
    """The expression's result cannot be used; the text says why, in upstream's words."""


def _plain(value: Any) -> Any:
    """A value of an expression as JSON has it; objects it built must fit their fields.

    Raises:
        Unusable.
    """
    wrong = cel.check_paths(value)
    if wrong:
        raise Unusable("type mismatch: " + "\n".join(wrong))
    try:
        return cel.plain(value)
    except cel.EvaluationError as error:
        raise Unusable(str(error)) from None


def apply_configuration(live: Document, value: Any, plan: Plan) -> Document:
    """The object with an apply configuration merged into it; nothing is owned by it afterwards.

    Raises:
        Unusable.
    """
    patch = {**_plain(value), "apiVersion": live["apiVersion"], "kind": live["kind"]}
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
    operations = [{key: _plain(row[key]) for key in row if key != "from" or row[key]} for row in value]
    try:
        patched: Document = json_patch.apply(live, operations)
    except json_patch.PatchError as error:
        if str(error).startswith("testing value"):
            return live
        raise Unusable(f"JSON Patch: {error}") from None
    except json_patch.MalformedPatchError as error:
        raise Unusable(f"JSON Patch: {error}") from None
    return patched
