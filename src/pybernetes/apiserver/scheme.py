"""What this server serves, and where it lies in the store: group, version and plural → `Resource` and key prefix.

Built-in resources are there from the start, custom resources come and go (`add`, `remove`).

Follows: kube-apiserver pkg/kubeapiserver/default_storage_factory_builder.go, SpecialDefaultResourcePrefixes;
apiserver pkg/registry/generic/registry/store.go, key functions.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pybernetes.api.registry import Resource, built_in, preferred_versions

if TYPE_CHECKING:
    from pybernetes.apiserver.extensions.lens import Lens

ROOT = "/registry/"

SPECIAL_PREFIXES = {
    ("", "replicationcontrollers"): "controllers",
    ("", "endpoints"): "services/endpoints",
    ("", "services"): "services/specs",
    ("", "nodes"): "minions",
    ("networking.k8s.io", "ingresses"): "ingress",
    ("networking.k8s.io", "networkpolicies"): "networkpolicies",
    ("events.k8s.io", "events"): "events",
    ("apiextensions.k8s.io", "customresourcedefinitions"): "apiextensions.k8s.io/customresourcedefinitions",
    ("apiregistration.k8s.io", "apiservices"): "apiregistration.k8s.io/apiservices",
}

STORED_ELSEWHERE = {("events.k8s.io", "events"): ("", "events")}
"""Resources that are another view of what a resource of another group stores."""


def storage_prefix(group: str, plural: str, *, custom: bool = False) -> str:
    """Where objects lie: `/registry/pods/`, with upstream's historical exceptions; ends with a slash."""
    special = SPECIAL_PREFIXES.get((group, plural))
    if special is not None:
        return f"{ROOT}{special}/"
    return f"{ROOT}{group}/{plural}/" if custom else f"{ROOT}{plural}/"


@dataclass(frozen=True, slots=True, eq=False)
class Served:
    """One served resource. `head` opens every object of it, before `"metadata":…`."""

    resource: Resource
    prefix: str
    storage_version: str
    """`apiVersion` under which the resource is stored."""
    custom: bool = False
    selectable: Mapping[str, str] = field(default_factory=dict)
    """Of custom resources: field label → JSON path, from `selectableFields`."""
    lens: "Lens | None" = None
    """Of custom resources: how stored objects look in this version."""

    @property
    def head(self) -> bytes:
        return f'{{"apiVersion":"{self.resource.api_version}","kind":"{self.resource.kind}",'.encode()

    @property
    def needs_conversion(self) -> bool:
        """The request's version differs from the stored one in more than its name, see `resources/conversion.py`."""
        return (self.resource.api_version, self.storage_version, self.resource.kind) in _REAL_CONVERSIONS


_REAL_CONVERSIONS = {
    ("events.k8s.io/v1", "v1", "Event"),
    ("autoscaling/v1", "autoscaling/v2", "HorizontalPodAutoscaler"),
    ("resource.k8s.io/v1beta1", "resource.k8s.io/v1", "ResourceClaim"),
    ("resource.k8s.io/v1beta1", "resource.k8s.io/v1", "ResourceClaimTemplate"),
    ("resource.k8s.io/v1beta1", "resource.k8s.io/v1", "ResourceSlice"),
}


class Scheme:
    """The resources of one server."""

    def __init__(self, resources: Iterable[Resource]) -> None:
        self._served: dict[tuple[str, str, str], Served] = {}
        self.generation = 0
        """Grows with every change, for caches of what is served."""
        resources = tuple(resources)
        self._built_in = frozenset((resource.group, resource.plural) for resource in resources)
        for resource in resources:
            self._serve(resource, resources)

    @classmethod
    def built_in(cls, *, all_versions: bool = False) -> "Scheme":
        """What a default server serves; with `all_versions` the alpha and beta ones, too."""
        return cls(resource for resource in built_in() if all_versions or resource.enabled_by_default)

    def _serve(self, resource: Resource, siblings: tuple[Resource, ...]) -> None:
        group, plural = resource.group, resource.plural
        versions = {r.api_version for r in siblings if (r.group, r.plural) == (group, plural)}
        owner = STORED_ELSEWHERE.get((group, plural))
        stored = resource.storage_version
        if owner is None and stored not in versions:  # never store what is not served
            preferred = f"{group}/{preferred_versions().get(group, '')}" if group else "v1"
            stored = preferred if preferred in versions else resource.api_version
        self._served[group, resource.version, plural] = Served(resource, storage_prefix(group, plural), stored)

    def add(self, resource: Resource, storage_version: str, lens: "Lens | None" = None) -> None:
        """Serve a custom resource from now on, instead of what was served under its name."""
        prefix = storage_prefix(resource.group, resource.plural, custom=True)
        selectable = resource.custom.selectable if resource.custom is not None else {}
        self._served[resource.group, resource.version, resource.plural] = Served(
            resource, prefix, storage_version, custom=True, selectable=selectable, lens=lens
        )
        self.generation += 1

    def remove(self, resource: Resource) -> None:
        self._served.pop((resource.group, resource.version, resource.plural), None)
        self.generation += 1

    def is_built_in(self, group: str, plural: str) -> bool:
        """A resource of the server's own has this name: no definition may take its place."""
        return (group, plural) in self._built_in

    def find(self, group: str, version: str, plural: str) -> Served | None:
        return self._served.get((group, version, plural))

    def any_version(self, group: str, plural: str) -> Served | None:
        """The resource in its stored version, or else in any."""
        found = None
        for served in self:
            if (served.resource.group, served.resource.plural) == (group, plural):
                if served.resource.api_version == served.storage_version:
                    return served
                found = found or served
        return found

    def by_kind(self, api_version: str, kind: str) -> Served | None:
        for served in self:
            if served.resource.kind == kind and served.resource.api_version == api_version:
                return served
        return None

    def __iter__(self) -> Iterator[Served]:
        return iter(list(self._served.values()))

    @property
    def resources(self) -> tuple[Resource, ...]:
        return tuple(served.resource for served in self)
