"""What the API server serves, as metadata-only classes: one per resource, custom ones too.

Follows: client-go discovery/discovery_client.go, aggregated_discovery.go, helper.go (ServerPreferredResources).
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from pybernetes.client.interface import Client, Unreachable
from pybernetes.client.metadata import MetadataOnly, partial
from pybernetes.machinery.errors import StatusError

AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"

Kind = type[MetadataOnly]
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Discovered:
    """Every resource once, at its preferred version; `failures` are group versions that did not answer."""

    kinds: Sequence[Kind]
    failures: Mapping[str, str] = field(default_factory=dict)

    def with_verbs(self, *verbs: str) -> Sequence[Kind]:
        return [kind for kind in self.kinds if set(verbs) <= set(kind.VERBS)]

    def find(self, group: str, kind: str) -> Kind | None:
        return next((found for found in self.kinds if group == found.GROUP and kind == found.KIND), None)


async def discover(client: Client) -> Discovered:
    """Ask for everything that is served.

    Raises:
        StatusError, Unreachable: the server does not even tell its groups.
    """
    core, groups = await asyncio.gather(
        client.request("GET", "/api", accept=AGGREGATED), client.request("GET", "/apis", accept=AGGREGATED)
    )
    documents: list[Json] = [orjson.loads(core), orjson.loads(groups)]
    if all(document.get("kind") == "APIGroupDiscoveryList" for document in documents):
        return _preferred(row for document in documents for row in _aggregated(document))
    return await _one_by_one(client, documents[1])


def _aggregated(document: Json) -> Iterator[Kind]:
    for group in document.get("items", ()):
        name = group.get("metadata", {}).get("name", "")
        for version in group.get("versions", ()):
            for resource in version.get("resources", ()):
                yield partial(
                    name,
                    version["version"],
                    resource.get("responseKind", {}).get("kind", ""),
                    resource["resource"],
                    namespaced=resource.get("scope") == "Namespaced",
                    verbs=tuple(resource.get("verbs", ())),
                )


async def _one_by_one(client: Client, groups: Json) -> Discovered:
    """The older documents: one request for each group and version."""
    versions = ["v1"]
    for group in groups.get("groups", ()):
        preferred = group.get("preferredVersion", {}).get("groupVersion", "")
        served = [version["groupVersion"] for version in group.get("versions", ())]
        versions += sorted(served, key=lambda version: version != preferred)
    kinds: list[Kind] = []
    failures: dict[str, str] = {}
    for version in versions:
        path = f"/apis/{version}" if "/" in version else f"/api/{version}"
        try:
            document: Json = orjson.loads(await client.request("GET", path))
        except (StatusError, Unreachable) as error:
            failures[version] = str(error)
            continue
        kinds += _resources(version, document)
    return Discovered(_preferred(kinds).kinds, failures)


def _resources(version: str, document: Json) -> Iterator[Kind]:
    group, _, name = version.rpartition("/")
    for resource in document.get("resources", ()):
        if "/" not in resource["name"]:
            yield partial(
                resource.get("group") or group,
                resource.get("version") or name,
                resource["kind"],
                resource["name"],
                namespaced=bool(resource.get("namespaced")),
                verbs=tuple(resource.get("verbs", ())),
            )


def _preferred(kinds: Iterable[Kind]) -> Discovered:
    """The first version of each resource: servers tell the preferred one first."""
    chosen: dict[tuple[str, str], Kind] = {}
    for kind in kinds:
        chosen.setdefault((kind.GROUP, kind.PLURAL), kind)
    return Discovered([*chosen.values()])
