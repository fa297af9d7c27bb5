"""How components talk to the API server, whatever carries it: HTTPS (`rest.RestClient`) or the same process.

Typed objects go in and come out. Failures are `machinery.errors.StatusError` and its classes; a server that cannot
be reached raises `Unreachable`.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Protocol, TypeVar

from pybernetes.api.object import Object

T = TypeVar("T", bound=Object)
T_co = TypeVar("T_co", bound=Object, covariant=True)


class Unreachable(Exception):
    """No answer from the API server: refused, reset, timed out. Retry with back-off."""


class PatchType(StrEnum):
    JSON = "application/json-patch+json"
    MERGE = "application/merge-patch+json"
    STRATEGIC = "application/strategic-merge-patch+json"
    APPLY = "application/apply-patch+yaml"


class Propagation(StrEnum):
    ORPHAN = "Orphan"
    BACKGROUND = "Background"
    FOREGROUND = "Foreground"


class EventType(StrEnum):
    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


@dataclass(frozen=True, slots=True)
class Listing(Generic[T_co]):
    items: Sequence[T_co]
    resource_version: str
    continue_token: str = ""


@dataclass(frozen=True, slots=True)
class WatchEvent(Generic[T_co]):
    """One event. `object` of a BOOKMARK has only its resourceVersion."""

    type: EventType
    object: T_co


class Client(Protocol):
    """Requests as one identity. `namespace` stays empty for cluster-scoped kinds, and for lists over all namespaces."""

    async def get(self, kind: type[T], name: str, namespace: str = "") -> T: ...

    async def list(
        self,
        kind: type[T],
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        limit: int = 0,
        continue_token: str = "",
        resource_version: str = "",
    ) -> Listing[T]: ...

    def watch(
        self,
        kind: type[T],
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        resource_version: str = "",
        timeout_seconds: int = 0,
    ) -> AsyncIterator[WatchEvent[T]]:
        """Events since `resource_version`, bookmarks included; ends when the server ends it.

        Raises:
            Expired: the version is too old; list again.
        """
        ...

    async def create(self, value: T, *, dry_run: bool = False) -> T: ...

    async def create_subresource(self, parent: Object, subresource: str, value: Object, answer: type[T]) -> T:
        """POST to a subresource: bindings, evictions, token requests."""
        ...

    async def update(self, value: T, *, subresource: str = "") -> T: ...

    async def patch(
        self,
        kind: type[T],
        name: str,
        namespace: str = "",
        *,
        patch: Any,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> T: ...

    async def delete(
        self,
        kind: type[Object],
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        resource_version: str = "",
        grace_period_seconds: int | None = None,
        propagation: Propagation | None = None,
    ) -> None: ...

    async def request(
        self, method: str, path: str, *, body: bytes = b"", content_type: str = "application/json", accept: str = ""
    ) -> bytes:
        """Any request, for documents that have no typed object (discovery, custom resources).

        Raises:
            StatusError, Unreachable.
        """
        ...
