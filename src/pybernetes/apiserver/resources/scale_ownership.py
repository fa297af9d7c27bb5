"""Who owns the replicas of a workload, told as owners of a Scale, and back.

    managedFields of the workload                    of its Scale
    kubectl Update apps/v1  f:spec.f:replicas, …  ─▶  kubectl Update autoscaling/v1  f:spec.f:replicas
                                                       … an apply takes the field …
    kubectl Update apps/v1  …                     ◀─  tester  Apply  autoscaling/v1  f:spec.f:replicas
    tester  Apply  apps/v1  f:spec.f:replicas (subresource scale)

Follows: apimachinery pkg/util/managedfields/scalehandler.go.
"""

from collections.abc import Sequence
from typing import Any, Final

from pybernetes.machinery.managed_fields import sets
from pybernetes.machinery.managed_fields.managers import UPDATE, Owned, Ownership
from pybernetes.machinery.managed_fields.sets import Trie

Json = dict[str, Any]

SCALE_VERSION: Final = "autoscaling/v1"
IN_SCALE: Final = ("f:spec", "f:replicas")


def steps_of(json_path: str) -> tuple[str, ...]:
    """`.spec.replicas` as a definition writes it → the steps of a field set."""
    return tuple(f"f:{name}" for name in json_path.removeprefix(".").split("."))


def of_scale(entries: Sequence[Json] | None, path: Sequence[str] = IN_SCALE) -> list[Json]:
    """The managedFields of the Scale of a workload that has its replicas at `path`."""
    found = Ownership()
    for manager, owned in Ownership.read(entries).managers.items():
        if _has(owned.fields, path):
            found.managers[manager] = Owned(_only(IN_SCALE), SCALE_VERSION, owned.time)
    return found.write()


def of_workload(
    entries: Sequence[Json] | None, scale_entries: Sequence[Json], api_version: str, path: Sequence[str] = IN_SCALE
) -> list[Json]:
    """The managedFields of the workload after those of its Scale became `scale_entries`.

    Whoever lost the replicas keeps the rest; whoever gained them is entered under the workload's `api_version`.
    """
    result = Ownership.read(entries)
    owners = {
        manager._replace(version=""): owned
        for manager, owned in Ownership.read(scale_entries).managers.items()
        if _has(owned.fields, IN_SCALE)
    }
    for manager, owned in list(result.managers.items()):
        if _has(owned.fields, path) and owners.pop(manager._replace(version=""), None) is None:
            result.replace(manager, sets.difference(owned.fields, _only(path)))
    for manager, owned in owners.items():
        version = api_version if manager.operation == UPDATE else ""
        result.managers[manager._replace(version=version)] = Owned(_only(path), api_version, owned.time)
    return result.write()


def _has(fields: Trie, path: Sequence[str]) -> bool:
    node: Any = fields
    for step in path:
        if step not in node:
            return False
        node = node[step]
    return True


def _only(path: Sequence[str]) -> Trie:
    fields: Trie = {}
    for step in reversed(path):
        fields = {step: fields}
    return fields
