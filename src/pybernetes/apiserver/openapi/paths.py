"""The paths of a resource and the operations on them, as the published documents list them.

    /api/v1/namespaces/{namespace}/pods            list create deletecollection
    /api/v1/namespaces/{namespace}/pods/{name}     get update patch delete
    /api/v1/pods                                   list over all namespaces

What clients read: `x-kubernetes-group-version-kind`, `x-kubernetes-action`, and that writes take `fieldValidation`,
`dryRun` and `fieldManager`.

Follows: apiserver pkg/endpoints/installer.go.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pybernetes.api.registry import Resource

Json = dict[str, Any]

MEDIA_TYPES = (
    "application/json",
    "application/yaml",
)
CUSTOM_PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/apply-patch+yaml",
)
"""Of custom resources: kubectl looks here for what it may send."""
PATCH_TYPES = (
    "application/json-patch+json",
    "application/merge-patch+json",
    "application/strategic-merge-patch+json",
    "application/apply-patch+yaml",
)
_LIST_QUERY = {
    "allowWatchBookmarks": "boolean",
    "continue": "string",
    "fieldSelector": "string",
    "labelSelector": "string",
    "limit": "integer",
    "resourceVersion": "string",
    "resourceVersionMatch": "string",
    "sendInitialEvents": "boolean",
    "timeoutSeconds": "integer",
    "watch": "boolean",
}
_WRITE_QUERY = {"dryRun": "string", "fieldManager": "string", "fieldValidation": "string"}
_DELETE_QUERY = {
    "dryRun": "string",
    "gracePeriodSeconds": "integer",
    "ignoreStoreReadErrorWithClusterBreakingPotential": "boolean",
    "orphanDependents": "boolean",
    "propagationPolicy": "string",
}
_QUERY: dict[str, dict[str, str]] = {
    "list": _LIST_QUERY,
    "create": _WRITE_QUERY,
    "update": _WRITE_QUERY,
    "patch": {**_WRITE_QUERY, "force": "boolean"},
    "delete": _DELETE_QUERY,
    "deletecollection": {**_DELETE_QUERY, **_LIST_QUERY},
    "get": {},
}
_METHODS = {
    "get": "get",
    "list": "get",
    "create": "post",
    "update": "put",
    "patch": "patch",
    "delete": "delete",
    "deletecollection": "delete",
}
_ACTIONS = {"create": "post", "update": "put"}
_OPERATION_VERBS = {"get": "read", "update": "replace", "deletecollection": "deleteCollection"}
_COLLECTION_VERBS = ("list", "create", "deletecollection")
_OBJECT_VERBS = ("get", "update", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `body` and `answer` are names of types of the table, or empty for none."""

    verb: str
    method: str
    operation_id: str
    group: str
    version: str
    kind: str
    body: str
    answer: str
    query: dict[str, str]
    patch_types: tuple[str, ...] = PATCH_TYPES

    @property
    def action(self) -> str:
        return _ACTIONS.get(self.verb, self.verb)

    @property
    def group_version_kind(self) -> Json:
        return {"group": self.group, "kind": self.kind, "version": self.version}


@dataclass(frozen=True, slots=True)
class Path:
    """One path with its operations; `parameters` are the names in braces."""

    path: str
    parameters: tuple[str, ...]
    operations: tuple[Operation, ...]


def paths_of(resource: Resource, aliases: dict[tuple[str, str], str]) -> Iterator[Path]:
    """All paths of `resource`. `aliases` finds the package of the type table for a group and version."""
    root = f"/apis/{resource.group}/{resource.version}" if resource.group else f"/api/{resource.version}"
    package = aliases.get((resource.group, resource.version), "")
    kind = f"{package}.{resource.kind}" if package else ""
    listed = f"{package}.{resource.list_kind}" if package else ""
    if resource.custom is not None:
        kind, listed = custom_name(resource), custom_name(resource, resource.list_kind)
    scope = f"{root}/namespaces/{{namespace}}" if resource.namespaced else root
    namespace = ("namespace",) if resource.namespaced else ()
    yield from _path(f"{scope}/{resource.plural}", namespace, resource, _COLLECTION_VERBS, kind, listed)
    yield from _path(f"{scope}/{resource.plural}/{{name}}", ("name", *namespace), resource, _OBJECT_VERBS, kind, listed)
    if resource.namespaced:
        yield from _path(f"{root}/{resource.plural}", (), resource, ("list",), kind, listed, everywhere=True)
    for name, subresource in sorted(resource.subresources.items()):
        group, version = subresource.group_version or resource.group_version
        sub_package = aliases.get((group, version), "")
        alias = f"{sub_package}.{subresource.kind}" if sub_package else ""
        if resource.custom is not None and subresource.group_version is None:
            alias = kind
        operations = tuple(
            Operation(
                verb,
                _METHODS[verb],
                _operation_id(resource, verb, suffix=name.title()),
                group,
                version,
                subresource.kind,
                "meta.v1.Patch" if verb == "patch" else alias if verb in {"create", "update"} else "",
                alias,
                _QUERY[verb],
                _patch_types(resource),
            )
            for verb in subresource.verbs
            if verb in _METHODS
        )
        if operations:
            yield Path(f"{scope}/{resource.plural}/{{name}}/{name}", ("name", *namespace), operations)


def _path(
    path: str,
    parameters: tuple[str, ...],
    resource: Resource,
    verbs: Sequence[str],
    kind: str,
    listed: str,
    *,
    everywhere: bool = False,
) -> Iterator[Path]:
    operations = tuple(
        Operation(
            verb,
            _METHODS[verb],
            _operation_id(resource, verb, everywhere=everywhere),
            resource.group,
            resource.version,
            resource.kind,
            _body(verb, kind),
            listed if verb == "list" else "meta.v1.Status" if verb.startswith("delete") else kind,
            _QUERY[verb],
            _patch_types(resource),
        )
        for verb in verbs
        if verb in resource.verbs
    )
    if operations:
        yield Path(path, parameters, operations)


def _patch_types(resource: Resource) -> tuple[str, ...]:
    return PATCH_TYPES if resource.type_alias else CUSTOM_PATCH_TYPES


def custom_name(resource: Resource, kind: str = "") -> str:
    """The schema name of a custom resource, or of its list: `com.example.stable.v1.CronTab`."""
    return ".".join([*reversed(resource.group.split(".")), resource.version, kind or resource.kind])


def _body(verb: str, kind: str) -> str:
    if verb == "patch":
        return "meta.v1.Patch"
    if verb.startswith("delete"):
        return "meta.v1.DeleteOptions"
    return kind if verb in {"create", "update"} else ""


def _operation_id(resource: Resource, verb: str, *, everywhere: bool = False, suffix: str = "") -> str:
    """`listCoreV1NamespacedPod`, `readAppsV1NamespacedDeploymentStatus`, `listCoreV1PodForAllNamespaces`."""
    group = (resource.group or "core").removesuffix(".k8s.io").replace(".", " ").title().replace(" ", "")
    scope = "Namespaced" if resource.namespaced and not everywhere else ""
    tail = "ForAllNamespaces" if everywhere else ""
    version = resource.version[:1].upper() + resource.version[1:]
    return f"{_OPERATION_VERBS.get(verb, verb)}{group}{version}{scope}{resource.kind}{suffix}{tail}"
