"""Which resources exist: names, verbs, subresources, short names; built-in ones from `data/resources.json`.

Custom resources join at run time as further `Resource` values; nothing here knows a difference.
"""

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from pybernetes.api.deprecations import WARNINGS

if TYPE_CHECKING:
    from pybernetes.api.structural.kind import CustomKind


class GroupVersion(NamedTuple):
    group: str
    version: str

    def __str__(self) -> str:
        """`v1`, `apps/v1`: as `apiVersion` writes it."""
        return f"{self.group}/{self.version}" if self.group else self.version

    @classmethod
    def parse(cls, api_version: str) -> "GroupVersion":
        group, _, version = api_version.rpartition("/")
        return cls(group, version)


@dataclass(frozen=True, slots=True)
class Subresource:
    name: str
    kind: str
    verbs: tuple[str, ...]
    group_version: GroupVersion | None = None
    """Of the kind, where it differs from the parent's: `autoscaling/v1` for scale."""


@dataclass(frozen=True, slots=True)
class Resource:
    """One served resource of one group and version."""

    group: str
    version: str
    kind: str
    plural: str
    singular: str
    namespaced: bool
    verbs: tuple[str, ...]
    list_kind: str
    short_names: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    storage_version: str = ""
    """`apiVersion` under which objects are stored; empty for what is never stored."""
    storage_version_hash: str = ""
    schema: str = ""
    """Name of the published schema, `io.k8s.api.core.v1.Pod`."""
    type_alias: str = ""
    """Row of `data/types.json`, `core.v1.Pod`; empty for custom resources."""
    subresources: Mapping[str, Subresource] = field(default_factory=dict)
    enabled_by_default: bool = True
    deprecation: str = ""
    """What every answer warns of, as a Warning header; empty for nearly all."""
    custom: "CustomKind | None" = field(default=None, repr=False)
    """Of a custom resource: what its definition says of this version."""
    group_version: GroupVersion = field(init=False, repr=False)
    api_version: str = field(init=False)
    """`v1`, `apps/v1`: asked for with every request, so made once."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "group_version", GroupVersion(self.group, self.version))
        object.__setattr__(self, "api_version", str(self.group_version))

    @property
    def qualified_name(self) -> str:
        """`pods`, `deployments.apps`: as messages name it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural


def load_data(name: str) -> Any:
    """A generated table of `api/data` by file name."""
    return orjson.loads((resources.files("pybernetes.api") / "data" / name).read_bytes())


@functools.cache
def built_in() -> tuple[Resource, ...]:
    """All built-in resources of all versions, as every-API-enabled upstream serves them."""
    data = load_data("resources.json")
    aliases = {
        (package["group"], package["version"]): alias
        for alias, package in load_data("protobuf.json")["packages"].items()
        if "group" in package
    }
    return tuple(_resource(row, aliases) for row in data["resources"].values())


def _resource(row: dict[str, Any], aliases: dict[tuple[str, str], str]) -> Resource:
    subresources = {
        name: Subresource(
            name,
            sub["kind"],
            tuple(sub["verbs"]),
            GroupVersion.parse(sub["groupVersion"]) if "groupVersion" in sub else None,
        )
        for name, sub in row.get("subresources", {}).items()
    }
    return Resource(
        group=row["group"],
        version=row["version"],
        kind=row["kind"],
        plural=row["plural"],
        singular=row["singular"],
        namespaced=row["namespaced"],
        verbs=tuple(row["verbs"]),
        list_kind=row.get("listKind", row["kind"] + "List"),
        short_names=tuple(row.get("shortNames", ())),
        categories=tuple(row.get("categories", ())),
        storage_version=row.get("storageVersion", ""),
        storage_version_hash=row.get("storageVersionHash", ""),
        schema=row.get("schema", ""),
        type_alias=f"{aliases[(row['group'], row['version'])]}.{row['kind']}",
        subresources=subresources,
        enabled_by_default=row["defaultEnabled"],
        deprecation=WARNINGS.get((str(GroupVersion(row["group"], row["version"])), row["kind"]), ""),
    )


@functools.cache
def group_versions() -> Mapping[str, tuple[str, ...]]:
    """Versions of each built-in group, preferred order; groups in discovery order."""
    return {group: tuple(versions) for group, versions in load_data("resources.json")["groupVersions"].items()}


@functools.cache
def preferred_versions() -> Mapping[str, str]:
    return dict(load_data("resources.json")["preferredVersion"])
