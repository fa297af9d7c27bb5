"""Which resources a definition makes: one for each served version, once it is established.

Follows: apiextensions-apiserver pkg/apiserver/{customresource_handler,customresource_discovery_controller}.go.
"""

import base64
import hashlib
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from pybernetes.api import definitions
from pybernetes.api.registry import GroupVersion, Resource, Subresource
from pybernetes.api.structural.kind import CustomKind
from pybernetes.apiserver.extensions.lens import Converter, Lens

Json = dict[str, Any]

VERBS: Final = ("delete", "deletecollection", "get", "list", "patch", "create", "update", "watch")
_SUBRESOURCE_VERBS: Final = ("get", "patch", "update")


class CustomResource(NamedTuple):
    """One version, ready for `Scheme.add`."""

    resource: Resource
    storage_version: str
    lens: Lens


def storage_version(definition: Json) -> str:
    """`GROUP/VERSION` of what is stored."""
    spec = definition["spec"]
    return f"{spec['group']}/{next(v['name'] for v in spec['versions'] if v.get('storage'))}"


def resources_of(definition: Json, converter: Converter | None) -> Sequence[CustomResource]:
    """The resources to serve; none before the definition is established."""
    if not definitions.is_true(definition, definitions.ESTABLISHED):
        return ()
    spec, names = definition["spec"], definition["status"]["acceptedNames"]
    stored = storage_version(definition)
    kinds = {version["name"]: CustomKind(definition, version) for version in spec["versions"]}
    found = []
    for version in spec["versions"]:
        if version.get("served"):
            kind = kinds[version["name"]]
            resource = _resource(spec, names, version["name"], kind, stored)
            found.append(CustomResource(resource, stored, Lens(resource, stored, kinds, converter)))
    return found


def _resource(spec: Json, names: Json, version: str, kind: CustomKind, stored: str) -> Resource:
    subresources = {}
    if kind.has_status:
        subresources["status"] = Subresource("status", names["kind"], _SUBRESOURCE_VERBS)
    if kind.scale is not None:
        scale = GroupVersion("autoscaling", "v1")
        subresources["scale"] = Subresource("scale", "Scale", _SUBRESOURCE_VERBS, scale)
    return Resource(
        group=spec["group"],
        version=version,
        kind=names["kind"],
        plural=names["plural"],
        singular=names.get("singular", ""),
        namespaced=spec["scope"] == "Namespaced",
        verbs=VERBS,
        list_kind=names.get("listKind") or f"{names['kind']}List",
        short_names=tuple(names.get("shortNames") or ()),
        categories=tuple(names.get("categories") or ()),
        storage_version=stored,
        storage_version_hash=_hash(f"{stored}/{names['kind']}"),
        subresources=subresources,
        custom=kind,
    )


def _hash(text: str) -> str:
    """Follows: apiserver pkg/endpoints/discovery/storageversionhash.go."""
    return base64.b64encode(hashlib.sha256(text.encode()).digest()[:8]).decode()
