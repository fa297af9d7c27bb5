"""What a request is, as every stage of the pipeline sees it: who asks, what for, and what admission may change.

The pipeline reads:  TLS → authenticate → RequestInfo → authorize → decode → admit → validate → store → answer.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pybernetes.api.registry import Resource

Document = dict[str, Any]
"""An object as plain JSON. The API server is about documents, components are about typed objects."""


@dataclass(frozen=True, slots=True)
class User:
    """Who asks. Follows: apiserver pkg/authentication/user."""

    name: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


ANONYMOUS = User("system:anonymous", groups=("system:unauthenticated",))
MASTERS_GROUP = "system:masters"
AUTHENTICATED_GROUP = "system:authenticated"


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """A request read from method and path. Follows: apiserver pkg/endpoints/request/requestinfo.go.

    `verb` is get, list, watch, create, update, patch, delete, deletecollection or, for non-resource paths, the
    lower-case method. `name` also comes from a `metadata.name` field selector of lists and watches.
    """

    verb: str
    path: str
    is_resource: bool = False
    group: str = ""
    version: str = ""
    resource: str = ""
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path_parts: tuple[str, ...] = ()
    """What follows the subresource: the path behind `proxy/`."""
    field_selector: str = ""
    """Of lists, watches and deletions of collections, as sent: a node may list its own pods only."""


@dataclass(slots=True)
class AdmissionRequest:
    """One write on its way to the store. Mutating plugins change `object` in place.

    `operation` is CREATE, UPDATE, DELETE or CONNECT. `object` is None for DELETE, `old` for CREATE.
    `warnings` become Warning headers.
    """

    operation: str
    resource: Resource
    subresource: str
    namespace: str
    name: str
    object: Document | None
    old: Document | None
    user: User
    dry_run: bool = False
    options: Document = field(default_factory=dict)
    """Of a DELETE, as sent. Those of other operations are read from `query_text` when somebody wants them."""
    warnings: list[str] = field(default_factory=list)
    query_text: str = ""
    revision: int = 0
    """Of `old`: documents of an UPDATE carry no resourceVersion inside the server."""
    annotations: dict[str, str] = field(default_factory=dict)
    """What admission wants to be known about the request afterwards, `webhook.example.com/key` → value."""
    reinvocation: "Reinvocation | None" = None
    """Set by the first plugin that may want to be asked again."""

    def annotate(self, key: str, value: str) -> None:
        """Note something for the audit log; the first value of a key stays. Follows: attributesRecord.AddAnnotation."""
        self.annotations.setdefault(key, value)


@dataclass(slots=True)
class Reinvocation:
    """Whether mutating admission runs a second time. Follows: apiserver pkg/admission/attributes.go."""

    wanted: bool = False
    again: bool = False
    """The second time is under way."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What each plugin remembers between the two, by its name."""


class ObjectReader(Protocol):
    """Reads of present state from memory, for authorization and admission; never blocks.

    Documents are shared: nobody changes what comes back.
    """

    def get(self, group: str, plural: str, namespace: str, name: str) -> Document | None: ...

    def list(self, group: str, plural: str, namespace: str = "") -> Iterator[Document]: ...

    def subscribe(self, group: str, plural: str, observer: Callable[[Document | None, Document | None], None]) -> None:
        """Call `observer(old, new)` for every change from now on, and once for each present object (old None)."""
        ...
