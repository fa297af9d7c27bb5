"""The paths of a resource and the operations on them, as the published documents list them.

    /api/v1/namespaces/{namespace}/pods            list create deletecollection
    /api/v1/namespaces/{namespace}/pods/{name}     get update patch delete
    /api/v1/pods                                   list over all namespaces
    /api/v1/watch/…                                the old way to watch, of built-in resources
    …/pods/{name}/proxy  …/proxy/{path}            connect, with every method
    /apis/apps/v1/                                 which resources there are

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
    "application/vnd.kubernetes.protobuf",
)
WATCH_TYPES = (
    "application/json;stream=watch",
    "application/vnd.kubernetes.protobuf;stream=watch",
)
"""Of lists and watches of built-in resources, too."""
CUSTOM_MEDIA_TYPES = MEDIA_TYPES[:2]
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
_CONNECT_QUERY: dict[str, dict[str, str]] = {
    "attach": {"container": "string", **dict.fromkeys(("stderr", "stdin", "stdout", "tty"), "boolean")},
    "exec": {"command": "string", "container": "string"}
    | dict.fromkeys(("stderr", "stdin", "stdout", "tty"), "boolean"),
    "portforward": {"ports": "integer"},
    "proxy": {"path": "string"},
}
"""Subresources that connect, and their parameters."""
_CONNECT_METHODS = ("get", "post")
_PROXY_METHODS = ("delete", "get", "head", "options", "patch", "post", "put")
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
    custom: bool = False

    @property
    def media_types(self) -> tuple[str, ...]:
        """What the answer may come in."""
        if self.custom:
            return CUSTOM_MEDIA_TYPES
        return (*MEDIA_TYPES, *WATCH_TYPES) if self.verb in {"list", "watch", "watchlist"} else MEDIA_TYPES

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
    if resource.custom is None and "watch" in resource.verbs:
        yield from _watches(resource, root)
    for name, subresource in sorted(resource.subresources.items()):
        if name in _CONNECT_QUERY and resource.custom is None:
            yield from _connections(resource, name, subresource.kind, scope)
            continue
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
                resource.custom is not None,
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
            resource.custom is not None,
        )
        for verb in verbs
        if verb in resource.verbs
    )
    if operations:
        yield Path(path, parameters, operations)


def _watches(resource: Resource, root: str) -> Iterator[Path]:
    """The old paths of watches. Follows: installer.go, the actions WATCH and WATCHLIST."""
    namespace = ("namespace",) if resource.namespaced else ()
    scope = f"{root}/watch/namespaces/{{namespace}}" if resource.namespaced else f"{root}/watch"
    rows = [
        (f"{scope}/{resource.plural}", namespace, "watchlist", "List", False),
        (f"{scope}/{resource.plural}/{{name}}", ("name", *namespace), "watch", "", False),
    ]
    if resource.namespaced:
        rows.append((f"{root}/watch/{resource.plural}", (), "watchlist", "List", True))
    for path, parameters, verb, suffix, everywhere in rows:
        name = _operation_id(resource, "watch", everywhere=everywhere, suffix=suffix)
        gvk = (resource.group, resource.version, resource.kind)
        yield Path(path, parameters, (Operation(verb, "get", name, *gvk, "", "meta.v1.WatchEvent", _LIST_QUERY),))


def _connections(resource: Resource, name: str, kind: str, scope: str) -> Iterator[Path]:
    """Paths that lead elsewhere, with every method the other side may understand."""
    namespace = ("namespace",) if resource.namespaced else ()
    path, parameters = f"{scope}/{resource.plural}/{{name}}/{name}", ("name", *namespace)
    methods = _PROXY_METHODS if name == "proxy" else _CONNECT_METHODS
    rows = [(path, parameters, name.title())]
    if name == "proxy":
        rows.append((f"{path}/{{path}}", (*parameters, "path"), "ProxyWithPath"))
    for where, names, suffix in rows:
        operations = tuple(
            Operation(
                "connect",
                method,
                _operation_id(resource, "connect", suffix=suffix, method=method.title()),
                resource.group,
                resource.version,
                kind,
                "",
                "",
                _CONNECT_QUERY[name],
            )
            for method in methods
        )
        yield Path(where, names, operations)


def version_path(group: str, version: str) -> Path:
    """Which resources a version has: `/apis/apps/v1/`."""
    return _document(
        f"/apis/{group}/{version}/" if group else f"/api/{version}/",
        f"get{_group_words(group)}{version[:1].upper()}{version[1:]}APIResources",
        "meta.v1.APIResourceList",
    )


def document_paths(groups: Sequence[str]) -> Iterator[Path]:
    """What stands above versions: `/api/`, `/apis/`, `/apis/apps/`, `/version/`."""
    yield _document("/api/", "getCoreAPIVersions", "meta.v1.APIVersions")
    yield _document("/apis/", "getAPIVersions", "meta.v1.APIGroupList")
    yield _document("/version/", "getCodeVersion", "")
    yield _document("/openid/v1/jwks/", "getServiceAccountIssuerOpenIDKeyset", "")
    yield _document("/.well-known/openid-configuration/", "getServiceAccountIssuerOpenIDConfiguration", "")
    for group in groups:
        yield _document(f"/apis/{group}/", f"get{_group_words(group)}APIGroup", "meta.v1.APIGroup")


def _document(path: str, name: str, answer: str) -> Path:
    return Path(path, (), (Operation("get", "get", name, "", "", "", "", answer, {}),))


def _group_words(group: str) -> str:
    return (group or "core").removesuffix(".k8s.io").replace(".", " ").title().replace(" ", "")


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


def _operation_id(
    resource: Resource, verb: str, *, everywhere: bool = False, suffix: str = "", method: str = ""
) -> str:
    """`listCoreV1NamespacedPod`, `readAppsV1NamespacedDeploymentStatus`, `listCoreV1PodForAllNamespaces`."""
    group = _group_words(resource.group)
    scope = "Namespaced" if resource.namespaced and not everywhere else ""
    tail = "ForAllNamespaces" if everywhere else ""
    version = resource.version[:1].upper() + resource.version[1:]
    return f"{_OPERATION_VERBS.get(verb, verb)}{group}{version}{method}{scope}{resource.kind}{suffix}{tail}"
