"""What an admission plugin is: what it looks at, what it changes, what it refuses."""

from collections.abc import Awaitable, Callable
from typing import Any, ClassVar

from pybernetes.apiserver.request import AdmissionRequest, Document, ObjectReader
from pybernetes.machinery import errors
from pybernetes.machinery.errors import Forbidden

CREATE, UPDATE, DELETE, CONNECT = "CREATE", "UPDATE", "DELETE", "CONNECT"

Kinds = frozenset[tuple[str, str]]
"""Pairs of group and plural."""

PODS: Kinds = frozenset({("", "pods")})


class Plugin:
    """Base of all plugins. A subclass overrides `mutate`, `validate` or both.

    `mutate` may change `request.object` in place and sees it before it is validated; `validate` sees what will be
    stored. Either may return an awaitable where it has to wait.
    """

    NAME: ClassVar[str] = ""
    """As `--enable-admission-plugins` names it."""
    KINDS: ClassVar[Kinds | None] = None
    """What it looks at; None for every kind."""
    OPERATIONS: ClassVar[frozenset[str]] = frozenset({CREATE})
    SUBRESOURCES: ClassVar[frozenset[str] | None] = frozenset({""})
    """`""` is the object itself; None for all."""

    def handles(self, group: str, plural: str, subresource: str, operation: str) -> bool:
        """Whether the plugin looks at such writes at all."""
        return (
            operation in self.OPERATIONS
            and (self.KINDS is None or (group, plural) in self.KINDS)
            and (self.SUBRESOURCES is None or subresource in self.SUBRESOURCES)
        )

    def follow(self, changed: Callable[[], None]) -> None:
        """Follow what configures the plugin, and call `changed` when `handles` may answer differently from now on."""

    def mutate(self, request: AdmissionRequest) -> Awaitable[None] | None:  # noqa: ARG002 - for those who override it
        """Change the object.

        Raises:
            StatusError: the write is refused.
        """
        return None  # a plugin that changes nothing is not asked, see `chain.Chain`

    def validate(self, request: AdmissionRequest) -> Awaitable[None] | None:  # noqa: ARG002 - for those who override it
        """Refuse the write.

        Raises:
            StatusError.
        """
        return None


def name_of(request: AdmissionRequest) -> str:
    """The name refusals show: that of the request, of the object, or what its name will begin with."""
    metadata = (request.object or {}).get("metadata") or {}
    return request.name or metadata.get("name") or metadata.get("generateName") or "Unknown"


def deny(request: AdmissionRequest, why: str) -> Forbidden:
    """The 403 of an admission plugin. Follows: apiserver pkg/admission/errors.go, NewForbidden."""
    return errors.forbidden(request.resource.plural, request.resource.group, name_of(request), why)


def spec_of(request: AdmissionRequest) -> Document:
    """The object's spec, to be changed in place."""
    assert request.object is not None
    spec: Document = request.object.setdefault("spec", {})
    return spec


def metadata_of(document: Document | None) -> dict[str, Any]:
    metadata: dict[str, Any] = (document or {}).get("metadata") or {}
    return metadata


def annotations_of(document: Document | None) -> dict[str, str]:
    return metadata_of(document).get("annotations") or {}


def newest_default(reader: ObjectReader, group: str, plural: str, annotations: tuple[str, ...]) -> Document | None:
    """The object that an annotation marks as default; of several the newest, then the first by name."""
    found = [
        document
        for document in reader.list(group, plural)
        if any(annotations_of(document).get(annotation) == "true" for annotation in annotations)
    ]
    found.sort(key=lambda document: str(document["metadata"]["name"]))
    found.sort(key=lambda document: str(document["metadata"].get("creationTimestamp", "")), reverse=True)
    return found[0] if found else None
