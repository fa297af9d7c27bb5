"""A write as strangers see it: in the version they ask for, with what only the wire shows, and back again.

    Attributes      what a request is about, in the words of rules and AdmissionReviews
    Equivalents     other groups and versions under which the same objects are served
    Views           object and old object in the version a webhook or policy wants

Inside the server an UPDATE carries no resourceVersion, and `scale` is a change of the workload; outside, documents have
their version and `scale` shows a Scale.

Follows: apiserver pkg/admission/conversion.go, VersionedAttributes; apimachinery pkg/runtime/mapper.go.
"""

from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qs

from pybernetes.api import decoding, defaults
from pybernetes.api.registry import Resource
from pybernetes.apiserver.admission.plugin import CONNECT, CREATE, DELETE, UPDATE
from pybernetes.apiserver.admission.rules import GroupVersionKind, GroupVersionResource
from pybernetes.apiserver.request import AdmissionRequest, Document
from pybernetes.apiserver.resources import conversion
from pybernetes.apiserver.resources.scale import set_replicas, to_scale
from pybernetes.apiserver.scheme import Scheme, Served
from pybernetes.machinery import errors
from pybernetes.machinery.errors import StatusError

OPTIONS_KINDS: Final = {CREATE: "CreateOptions", UPDATE: "UpdateOptions", DELETE: "DeleteOptions"}
_META_VERSION: Final = "meta.k8s.io/v1"
SCALE: Final = "scale"


def kind_of(resource: Resource, subresource: str) -> GroupVersionKind:
    """The kind a request to the resource carries: that of the subresource, where it has its own."""
    found = resource.subresources.get(subresource) if subresource else None
    if found is None:
        return GroupVersionKind(resource.group, resource.version, resource.kind)
    group_version = found.group_version or resource.group_version
    return GroupVersionKind(group_version.group, group_version.version, found.kind)


@dataclass(slots=True)
class Attributes:
    """What a request is about."""

    request: AdmissionRequest
    resource: GroupVersionResource
    kind: GroupVersionKind
    namespace: str
    """Of a namespace, its own name."""
    name: str

    @property
    def operation(self) -> str:
        return self.request.operation

    @property
    def subresource(self) -> str:
        return self.request.subresource


def attributes_of(request: AdmissionRequest) -> Attributes:
    """The attributes of a write."""
    resource = request.resource
    gvr = GroupVersionResource(resource.group, resource.version, resource.plural)
    namespace = request.namespace
    if resource.plural == "namespaces" and not resource.group:
        namespace = namespace or request.name
    return Attributes(request, gvr, kind_of(resource, request.subresource), namespace, request.name)


def options_document(request: AdmissionRequest) -> Document | None:
    """The options of the operation, as its kind carries them; None for CONNECT, which has none.

    Follows: apiserver pkg/endpoints/handlers/patch.go, patchToUpdateOptions.
    """
    if request.operation == CONNECT:
        return None
    head = {"kind": OPTIONS_KINDS[request.operation], "apiVersion": _META_VERSION}
    if request.operation == DELETE:
        return {**{k: v for k, v in request.options.items() if k not in head}, **head}
    query = parse_qs(request.query_text)
    found: Document = dict(head)
    if request.dry_run:
        found["dryRun"] = ["All"]
    for name in ("fieldManager", "fieldValidation"):
        if query.get(name):
            found[name] = query[name][0]
    return found


class Equivalents:
    """Under which groups and versions else the same objects are served. Follows: EquivalentResourceRegistry."""

    def __init__(self, scheme: Scheme) -> None:
        self._scheme = scheme
        self._generation = -1
        self._by_prefix: dict[str, list[Served]] = {}

    def _rows(self) -> dict[str, list[Served]]:
        if self._generation != self._scheme.generation:
            self._by_prefix = {}
            for served in self._scheme:
                self._by_prefix.setdefault(served.prefix, []).append(served)
            self._generation = self._scheme.generation
        return self._by_prefix

    def of(self, group: str, plural: str, subresource: str) -> list[Served]:
        """All resources that show the same objects and have the subresource, itself among them."""
        own = self._scheme.any_version(group, plural)
        if own is None:
            return []
        rows = self._rows().get(own.prefix, [])
        return [served for served in rows if not subresource or subresource in served.resource.subresources]

    def find(self, group: str, version: str, plural: str) -> Served | None:
        return self._scheme.find(group, version, plural)


@dataclass(frozen=True, slots=True)
class View:
    """Object and old object in one version; shared, nobody changes them."""

    object: Document | None
    old: Document | None


@dataclass(slots=True)
class Views:
    """One request in the versions asked for so far."""

    attributes: Attributes
    equivalents: Equivalents
    _found: dict[tuple[str, str], View] = field(default_factory=dict)

    async def of(self, resource: Resource) -> View:
        """The request as if it had been sent to `resource`, an equivalent of the one it was sent to.

        Raises:
            StatusError: it cannot be converted.
        """
        key = (resource.api_version, resource.plural)
        found = self._found.get(key)
        if found is None:
            request = self.attributes.request
            found = View(
                await self._shown(request.object, resource),
                await self._shown(request.old, resource),
            )
            self._found[key] = found
        return found

    async def _shown(self, document: Document | None, target: Resource) -> Document | None:
        request = self.attributes.request
        if document is None:
            return None
        if not is_whole(request):
            return document
        document = with_version(document, request) if request.operation == UPDATE else document
        if request.subresource == SCALE:
            return to_scale(document, request.resource)
        if target.api_version != request.resource.api_version or target.plural != request.resource.plural:
            return await self._converted(document, request.resource, target)
        return document

    async def _converted(self, document: Document, source: Resource, target: Resource) -> Document:
        """The document in another version; the argument is left alone.

        Raises:
            InternalError.
        """
        served = self.equivalents.find(target.group, target.version, target.plural)
        if served is not None and served.lens is not None:
            return await served.lens.from_version(document)
        return conversion.convert(dict(document), source.api_version, target)

    async def replace(self, document: Document, resource: Resource) -> bool:
        """Take a changed object, as `resource` shows it; whether it differs from what was there.

        Raises:
            InternalError: it is no such object any more.
        """
        request = self.attributes.request
        before = (await self.of(resource)).object
        kind = kind_of(resource, request.subresource)
        document = checked(document, kind, resource if kind.kind == resource.kind else None)
        _check_place(document, request)
        self._found.clear()
        if is_whole(request) and request.subresource == SCALE:
            assert request.object is not None
            request.object = set_replicas(dict(request.object), document, request.resource)
            request.object["metadata"].pop("resourceVersion", None)
        elif is_whole(request):
            if resource.api_version != request.resource.api_version:
                document = await self._converted(document, resource, request.resource)
            if request.operation == UPDATE:
                document = {**document, "metadata": {k: v for k, v in document["metadata"].items() if k != _VERSION}}
            request.object = document
        else:
            request.object = document
        return before != (await self.of(resource)).object


_VERSION: Final = "resourceVersion"


def _check_place(document: Document, request: AdmissionRequest) -> None:
    """An object stays in its namespace, and gets its version from the store.

    Raises:
        BadRequest.
    """
    metadata = document["metadata"]
    if request.operation == CREATE:
        metadata.pop(_VERSION, None)
    if is_whole(request) and request.resource.namespaced and metadata.get("namespace") != request.namespace:
        raise errors.BadRequest("the namespace of the provided object does not match the namespace sent on the request")


def is_whole(request: AdmissionRequest) -> bool:
    """Whether the request carries the object itself, and not a Binding, an Eviction, options of a connection."""
    if request.operation == CONNECT:
        return False
    return not request.subresource or request.operation != CREATE


def with_version(document: Document, request: AdmissionRequest) -> Document:
    metadata = document.get("metadata") or {}
    if not request.revision or metadata.get(_VERSION):
        return document
    return {**document, "metadata": {**metadata, _VERSION: str(request.revision)}}


def checked(document: Any, kind: GroupVersionKind, resource: Resource | None) -> Document:
    """What a stranger made of an object, decoded as a client's document would be, with defaults.

    Raises:
        InternalError: it is no object of that kind any more.
    """
    if not isinstance(document, dict):
        raise errors.internal_error("the patched object is not a JSON object")
    if (document.get("apiVersion"), document.get("kind")) != (kind.api_version, kind.kind):
        raise errors.internal_error(
            f"admission must not change the kind: {kind.api_version}, Kind={kind.kind} became "
            f"{document.get('apiVersion')}, Kind={document.get('kind')}"
        )
    try:
        found = decoding.check(document, resource, field_validation=decoding.IGNORE).document
    except StatusError as error:
        raise errors.internal_error(error.message) from None
    found.setdefault("metadata", {})
    if resource is not None and resource.custom is not None:
        resource.custom.default(found)
    elif resource is not None and resource.type_alias:
        defaults.apply(found, resource)
    return found
