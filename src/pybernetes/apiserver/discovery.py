"""What the server tells clients it serves: groups, versions and resources, one by one or all at once.

    /api  /apis                 the legacy lists, or everything in one document when the client asks for it
    /apis/GROUP                 the versions of one group
    /api/v1  /apis/GROUP/V      the resources of one version

Documents are made when first asked for and kept as bytes until the set of resources changes.

Follows: apiserver pkg/endpoints/discovery and pkg/endpoints/discovery/aggregated.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson

from pybernetes.api.registry import Resource, Subresource, group_versions
from pybernetes.apiserver.aggregation.remotes import Remote
from pybernetes.apiserver.aggregation.services import CUSTOM_PRIORITY
from pybernetes.apiserver.published import JSON, Published, tagged

Json = dict[str, Any]

DISCOVERY_GROUP = "apidiscovery.k8s.io"
AGGREGATED_VERSIONS = ("v2", "v2beta1")
AGGREGATED_KIND = "APIGroupDiscoveryList"
VARY = {"Vary": "Accept"}


def versions_by_group(resources: Iterable[Resource], remotes: Iterable[Remote] = ()) -> dict[str, list[str]]:
    """Served versions of each group, preferred first.

    Built-in groups in upstream's order, then others by the priority of their APIService and by name.
    """
    served: dict[str, set[str]] = {}
    for resource in resources:
        served.setdefault(resource.group, set()).add(resource.version)
    ranks: dict[str, int] = {}
    version_ranks: dict[tuple[str, str], int] = {}
    for remote in remotes:
        served.setdefault(remote.group, set()).add(remote.version)
        ranks[remote.group] = max(remote.priorities[0], ranks.get(remote.group, 0))
        version_ranks[remote.group, remote.version] = remote.priorities[1]
    known = group_versions()
    ordered = [group for group in known if group in served]
    ordered += sorted((g for g in served if g not in known), key=lambda g: (-ranks.get(g, CUSTOM_PRIORITY[0]), g))
    found: dict[str, list[str]] = {}
    for group in ordered:
        order = known.get(group, ())
        found[group] = sorted(
            served[group],
            key=lambda v: (
                order.index(v) if v in order else -1,
                -version_ranks.get((group, v), CUSTOM_PRIORITY[1]),
                version_rank(v),
            ),
        )
    return found


def version_rank(version: str) -> tuple[int, int, int, str]:
    """Sorts versions as clients prefer them: GA before beta before alpha, newer first, other names last by text.

    Follows: apimachinery pkg/version/helpers.go, CompareKubeAwareVersionStrings.
    """
    digits = version.removeprefix("v")
    for stage, marker in ((1, "beta"), (2, "alpha")):
        major, found, minor = digits.partition(marker)
        if found and major.isdigit() and (minor.isdigit() or not minor):
            return stage, -int(major), -int(minor or 0), ""
    if version.startswith("v") and digits.isdigit():
        return 0, -int(digits), 0, ""
    return 3, 0, 0, version


_TERMINATING_VERBS = ("delete", "deletecollection", "get", "list", "watch")


def verbs_of(resource: Resource) -> list[str]:
    """What may be done with it; with custom resources whose definition goes, less."""
    if resource.custom is not None and resource.custom.terminating:
        return list(_TERMINATING_VERBS)
    return list(resource.verbs)


def resource_rows(resource: Resource) -> list[Json]:
    """The rows of one resource and its subresources in an APIResourceList."""
    row: Json = {
        "name": resource.plural,
        "singularName": resource.singular,
        "namespaced": resource.namespaced,
        "kind": resource.kind,
        "verbs": verbs_of(resource),
    }
    if resource.short_names:
        row["shortNames"] = list(resource.short_names)
    if resource.categories:
        row["categories"] = list(resource.categories)
    if resource.storage_version_hash:
        row["storageVersionHash"] = resource.storage_version_hash
    rows = [row] if resource.verbs else []
    for name, subresource in sorted(resource.subresources.items()):
        sub: Json = {"name": f"{resource.plural}/{name}", "singularName": "", "namespaced": resource.namespaced}
        if subresource.group_version is not None:
            sub["group"], sub["version"] = subresource.group_version
        rows.append({**sub, "kind": subresource.kind, "verbs": list(subresource.verbs)})
    return rows


def resource_list(group: str, version: str, resources: Iterable[Resource]) -> Json:
    """APIResourceList of one group and version, sorted by name."""
    rows = [row for r in resources if (r.group, r.version) == (group, version) for row in resource_rows(r)]
    document: Json = {"kind": "APIResourceList"}
    if group:
        document["apiVersion"] = "v1"
    document["groupVersion"] = f"{group}/{version}" if group else version
    document["resources"] = sorted(rows, key=lambda row: str(row["name"]))
    return document


def api_group(group: str, versions: list[str]) -> Json:
    """APIGroup without kind and apiVersion, as the list has it."""
    rows = [{"groupVersion": f"{group}/{version}", "version": version} for version in versions]
    return {"name": group, "versions": rows, "preferredVersion": rows[0]}


def _response_kind(resource: Resource, subresource: Subresource) -> Json:
    group, version = subresource.group_version or resource.group_version
    return {"group": group, "version": version, "kind": subresource.kind}


def _aggregated_resource(resource: Resource) -> Json:
    row: Json = {
        "resource": resource.plural,
        "responseKind": {"group": resource.group, "version": resource.version, "kind": resource.kind},
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": resource.singular,
        "verbs": verbs_of(resource),
    }
    if resource.short_names:
        row["shortNames"] = list(resource.short_names)
    if resource.categories:
        row["categories"] = list(resource.categories)
    if resource.subresources:
        row["subresources"] = [
            {"subresource": name, "responseKind": _response_kind(resource, sub), "verbs": list(sub.verbs)}
            for name, sub in sorted(resource.subresources.items())
        ]
    return row


def aggregated(resources: Iterable[Resource], api_version: str, *, core: bool, remotes: Iterable[Remote] = ()) -> Json:
    """APIGroupDiscoveryList: everything under `/api` (`core`) or `/apis`; of silent servers what they said last."""
    remotes = list(remotes)
    stale = {(remote.group, remote.version) for remote in remotes if not remote.available}
    served = list(resources)
    by_version: dict[tuple[str, str], list[Resource]] = {}
    for resource in served:
        by_version.setdefault((resource.group, resource.version), []).append(resource)
    items = []
    for group, versions in versions_by_group(served, remotes).items():
        if (group == "") is not core:
            continue
        rows = [
            {
                "version": version,
                "resources": [
                    _aggregated_resource(r) for r in sorted(by_version.get((group, version), ()), key=_plural)
                ],
                "freshness": "Stale" if (group, version) in stale else "Current",
            }
            for version in versions
        ]
        metadata: Json = {"name": group} if group else {}
        items.append({"metadata": metadata, "versions": rows})
    return {
        "kind": AGGREGATED_KIND,
        "apiVersion": f"{DISCOVERY_GROUP}/{api_version}",
        "metadata": {},
        "items": items,
    }


def _plural(resource: Resource) -> str:
    return resource.plural


def wanted_form(accept: str) -> str:
    """The version of the aggregated document that `accept` asks for first, or empty for the legacy lists.

    `application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json` → `v2`
    """
    for clause in accept.split(","):
        media_type, *rest = (part.strip() for part in clause.split(";"))
        parameters = dict(part.split("=", 1) for part in rest if "=" in part)
        if media_type in {JSON, "*/*", "application/*", ""} and "as" not in parameters:
            return ""
        asked = (parameters.get("g"), parameters.get("as"))
        version = parameters.get("v", "")
        if media_type == JSON and asked == (DISCOVERY_GROUP, AGGREGATED_KIND) and version in AGGREGATED_VERSIONS:
            return version
    return ""


class Discovery:
    """The discovery documents of whatever `resources` gives, made again when `generation` changes."""

    def __init__(
        self,
        resources: Callable[[], Iterable[Resource]],
        generation: Callable[[], int] = lambda: 0,
        server_address: str = "",
        remotes: Callable[[], Iterable[Remote]] = tuple,
    ) -> None:
        self._remotes = remotes
        self._resources = resources
        self._generation = generation
        self._server_address = server_address
        self._made_for = generation()
        self._made: dict[tuple[str, str], Published] = {}

    def answer(self, path: str, accept: str = "") -> Published | None:
        """The document at `path`, or None where this room has none there (the group is not served)."""
        if self._made_for != self._generation():
            self._made.clear()
            self._made_for = self._generation()
        path = path.rstrip("/")
        form = wanted_form(accept) if path in {"/api", "/apis"} else ""
        found = self._made.get((path, form))
        if found is None:
            found = self._make(path, form)
            if found is not None:
                self._made[path, form] = found
        return found

    def _make(self, path: str, form: str) -> Published | None:
        remotes = list(self._remotes())
        taken = {(remote.group, remote.version) for remote in remotes}
        resources = [r for r in self._resources() if not taken or (r.group, r.version) not in taken]
        resources += [resource for remote in remotes for resource in remote.resources]
        if form:
            document = aggregated(resources, form, core=path == "/api", remotes=remotes)
            content_type = f"{JSON};g={DISCOVERY_GROUP};v={form};as={AGGREGATED_KIND}"
            return tagged(orjson.dumps(document), content_type, VARY)
        legacy = self._legacy(path, resources, remotes)
        return tagged(orjson.dumps(legacy), JSON, VARY) if legacy is not None else None

    def _legacy(self, path: str, resources: list[Resource], remotes: list[Remote]) -> Mapping[str, Any] | None:
        groups = versions_by_group(resources, remotes)
        match path.split("/")[1:]:
            case ["api"]:
                address = [{"clientCIDR": "0.0.0.0/0", "serverAddress": self._server_address}]
                return {"kind": "APIVersions", "versions": groups.get("", []), "serverAddressByClientCIDRs": address}
            case ["apis"]:
                rows = [api_group(group, versions) for group, versions in groups.items() if group]
                return {"kind": "APIGroupList", "apiVersion": "v1", "groups": rows}
            case ["apis", group] if group in groups and group:
                return {"kind": "APIGroup", "apiVersion": "v1", **api_group(group, groups[group])}
            case ["api", version] if version in groups.get("", ()):
                return resource_list("", version, resources)
            case ["apis", group, version] if group and version in groups.get(group, ()):
                return resource_list(group, version, resources)
            case _:
                return None
