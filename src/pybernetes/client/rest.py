"""Requests over HTTPS: one identity, one pool of connections, typed objects decoded straight from the bytes.

Follows: client-go rest/request.go for paths, parameters and retries.
"""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar
from urllib.parse import quote

import aiohttp
import msgspec
import orjson

from pybernetes.api import meta_v1
from pybernetes.api.object import Object, decode, encode
from pybernetes.client import kubeconfig
from pybernetes.client.connection import Connection
from pybernetes.client.interface import EventType, Listing, PatchType, Propagation, Unreachable, WatchEvent
from pybernetes.client.metadata import MetadataOnly
from pybernetes.effects import Clock, SystemClock
from pybernetes.machinery.errors import StatusError, from_status

T = TypeVar("T", bound=Object)

REQUEST_SECONDS = 34.0
"""A little more than the server allows itself."""
CONNECT_SECONDS = 5.0
MAX_CONNECTIONS = 32
"""Of requests at once: more would only cost memory at both ends. Watches are not counted, each has one of its own."""
WATCH_SILENCE_SECONDS = 180.0
"""A watch that says nothing this long is dead: bookmarks come each minute."""
MAX_ATTEMPTS = 10
"""Of a request the server asked to send again with 429 and Retry-After."""
READ_CHUNK_LIMIT = 64 * 1024 * 1024
"""The longest line of a watch: no object is larger."""


class _Page(msgspec.Struct):
    """A list as the server writes it, its items still bytes."""

    metadata: meta_v1.ListMeta = msgspec.field(default_factory=meta_v1.ListMeta)
    items: list[msgspec.Raw] = msgspec.field(default_factory=list)


class _Frame(msgspec.Struct):
    type: str
    object: msgspec.Raw


_pages = msgspec.json.Decoder(_Page)
_frames = msgspec.json.Decoder(_Frame)


def collection_path(kind: type[Object], namespace: str) -> str:
    """`/apis/apps/v1/namespaces/default/deployments`."""
    root = f"/apis/{kind.GROUP}/{kind.VERSION}" if kind.GROUP else f"/api/{kind.VERSION}"
    inside = f"/namespaces/{quote(namespace)}" if kind.NAMESPACED and namespace else ""
    return f"{root}{inside}/{kind.PLURAL}"


def object_path(kind: type[Object], name: str, namespace: str, subresource: str = "") -> str:
    tail = f"/{subresource}" if subresource else ""
    return f"{collection_path(kind, namespace)}/{quote(name, safe='')}{tail}"


def delete_options(
    uid: str, resource_version: str, grace_period_seconds: int | None, propagation: Propagation | None
) -> bytes:
    """The body of a DELETE; empty when nothing is asked for."""
    options: dict[str, Any] = {}
    preconditions = {name: value for name, value in (("uid", uid), ("resourceVersion", resource_version)) if value}
    if preconditions:
        options["preconditions"] = preconditions
    if grace_period_seconds is not None:
        options["gracePeriodSeconds"] = grace_period_seconds
    if propagation is not None:
        options["propagationPolicy"] = propagation.value
    return orjson.dumps({"kind": "DeleteOptions", "apiVersion": "v1", **options}) if options else b""


def accept_for(kind: type[Object], *, listing: bool = False) -> str:
    """What is asked for: of a metadata-only kind its metadata, or the whole where a server cannot do that."""
    if not issubclass(kind, MetadataOnly):
        return "application/json"
    form = "PartialObjectMetadataList" if listing else "PartialObjectMetadata"
    return f"application/json;as={form};g=meta.k8s.io;v=v1,application/json"


class RestClient:
    """Implements `client.interface.Client`. Close it, or use it as an async context manager."""

    def __init__(self, connection: Connection, clock: Clock | None = None) -> None:
        self.connection = connection
        self._clock = clock or SystemClock()
        self._requests: aiohttp.ClientSession | None = None
        self._watches: aiohttp.ClientSession | None = None

    @classmethod
    def from_kubeconfig(
        cls, path: Path, context: str = "", *, clock: Clock | None = None, user_agent: str = "pybernetes"
    ) -> Self:
        """The client of a kubeconfig's context, or current context.

        Raises:
            KubeconfigError: the file cannot be used.
        """
        return cls(kubeconfig.load(path, context, user_agent=user_agent), clock)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        for session in (self._requests, self._watches):
            if session is not None:
                await session.close()

    def _session(self, limit: int) -> aiohttp.ClientSession:
        headers = {"User-Agent": self.connection.user_agent}
        if self.connection.token:
            headers["Authorization"] = f"Bearer {self.connection.token}"
        connector = aiohttp.TCPConnector(ssl=self.connection.ssl_context(), limit=limit)
        return aiohttp.ClientSession(connector=connector, headers=headers, auto_decompress=True)

    def _for_requests(self) -> aiohttp.ClientSession:
        if self._requests is None:
            self._requests = self._session(MAX_CONNECTIONS)
        return self._requests

    def _for_watches(self) -> aiohttp.ClientSession:
        if self._watches is None:
            self._watches = self._session(0)
        return self._watches

    async def request(
        self, method: str, path: str, *, body: bytes = b"", content_type: str = "application/json", accept: str = ""
    ) -> bytes:
        return await self._send(method, path, {}, body, content_type, accept)

    async def _send(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str],
        body: bytes = b"",
        content_type: str = "application/json",
        accept: str = "",
    ) -> bytes:
        headers = {"Accept": accept or "application/json"}
        if body:
            headers["Content-Type"] = content_type
        for attempt in range(1, MAX_ATTEMPTS + 1):
            code, data, retry_after = await self._exchange(method, path, parameters, body, headers)
            if code < 400:
                return data
            if code != 429 or not retry_after or attempt == MAX_ATTEMPTS:
                raise failure(code, data)
            await self._clock.sleep(float(retry_after))
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def _exchange(
        self, method: str, path: str, parameters: Mapping[str, str], body: bytes, headers: Mapping[str, str]
    ) -> tuple[int, bytes, str]:
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS, sock_connect=CONNECT_SECONDS)
        try:
            async with self._for_requests().request(
                method,
                self.connection.server + path,
                params=parameters or None,
                data=body or None,
                headers=headers,
                timeout=timeout,
                server_hostname=self.connection.server_name or None,
            ) as answer:
                return answer.status, await answer.read(), answer.headers.get("Retry-After", "")
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise Unreachable(f"{method} {self.connection.server}{path}: {error!r}") from error

    async def get(self, kind: type[T], name: str, namespace: str = "") -> T:
        data = await self._send("GET", object_path(kind, name, namespace), {}, accept=accept_for(kind))
        return decode(kind, data)

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
    ) -> Listing[T]:
        parameters = {
            "labelSelector": labels,
            "fieldSelector": fields,
            "limit": str(limit) if limit else "",
            "continue": continue_token,
            "resourceVersion": resource_version,
        }
        chosen = {name: value for name, value in parameters.items() if value}
        page = _pages.decode(
            await self._send("GET", collection_path(kind, namespace), chosen, accept=accept_for(kind, listing=True))
        )
        items = [decode(kind, item) for item in page.items]
        return Listing(items, page.metadata.resourceVersion, page.metadata.continue_)

    async def watch(
        self,
        kind: type[T],
        namespace: str = "",
        *,
        labels: str = "",
        fields: str = "",
        resource_version: str = "",
        timeout_seconds: int = 0,
    ) -> AsyncIterator[WatchEvent[T]]:
        parameters = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "labelSelector": labels,
            "fieldSelector": fields,
            "resourceVersion": resource_version,
            "timeoutSeconds": str(timeout_seconds) if timeout_seconds else "",
        }
        chosen = {name: value for name, value in parameters.items() if value}
        path = collection_path(kind, namespace)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=WATCH_SILENCE_SECONDS)
        try:
            async with self._for_watches().get(
                self.connection.server + path,
                params=chosen,
                headers={"Accept": accept_for(kind)},
                timeout=timeout,
                server_hostname=self.connection.server_name or None,
            ) as answer:
                if answer.status >= 400:
                    raise failure(answer.status, await answer.read())
                async for line in lines(answer.content):
                    yield event_of(kind, line)
        except (aiohttp.ClientError, TimeoutError, ConnectionError) as error:
            raise Unreachable(f"WATCH {self.connection.server}{path}: {error!r}") from error

    async def create(self, value: T, *, dry_run: bool = False) -> T:
        kind = type(value)
        parameters = {"dryRun": "All"} if dry_run else {}
        return decode(kind, await self._send("POST", collection_path(kind, value.namespace), parameters, encode(value)))

    async def create_subresource(self, parent: Object, subresource: str, value: Object, answer: type[T]) -> T:
        path = object_path(type(parent), parent.name, parent.namespace, subresource)
        return decode(answer, await self._send("POST", path, {}, encode(value)))

    async def update(self, value: T, *, subresource: str = "") -> T:
        kind = type(value)
        path = object_path(kind, value.name, value.namespace, subresource)
        return decode(kind, await self._send("PUT", path, {}, encode(value)))

    async def patch(
        self,
        kind: type[T],
        name: str,
        namespace: str = "",
        *,
        patch: Any,
        patch_type: PatchType = PatchType.MERGE,
        subresource: str = "",
    ) -> T:
        path = object_path(kind, name, namespace, subresource)
        body = msgspec.json.encode(patch)
        return decode(kind, await self._send("PATCH", path, {}, body, patch_type.value, accept_for(kind)))

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
    ) -> None:
        body = delete_options(uid, resource_version, grace_period_seconds, propagation)
        await self._send("DELETE", object_path(kind, name, namespace), {}, body)


def failure(code: int, body: bytes) -> StatusError:
    """The exception for an answer of 400 or above; texts that are no Status keep their words."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = {"message": body[:1000].decode(errors="replace").strip()}
    return from_status(status if isinstance(status, dict) else {}, code)


def event_of(kind: type[T], line: bytes) -> WatchEvent[T]:
    """One line of a watch.

    Raises:
        StatusError: the line is an ERROR event; Expired when history is lost.
    """
    frame = _frames.decode(line)
    if frame.type == "ERROR":
        status = orjson.loads(bytes(frame.object))
        raise from_status(status, int(status.get("code") or 500))
    return WatchEvent(EventType(frame.type), decode(kind, bytes(frame.object)))


async def lines(stream: aiohttp.StreamReader) -> AsyncIterator[bytes]:
    """Whole lines of a stream, however it arrives.

    Raises:
        Unreachable: the stream ended within a line.
    """
    pending = bytearray()
    async for chunk in stream.iter_any():
        pending += chunk
        if b"\n" not in chunk:
            if len(pending) > READ_CHUNK_LIMIT:
                raise Unreachable("a line of the watch exceeds the largest object")
            continue
        *whole, rest = bytes(pending).split(b"\n")
        pending = bytearray(rest)
        for line in whole:
            if line:
                yield line
    if pending:
        raise Unreachable("the watch ended within an event")
