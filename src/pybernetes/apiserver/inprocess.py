"""The API server for components in the same process: the same pipeline, no sockets.

Implements `client.interface.Client` as one identity. Objects are encoded and decoded as over HTTP, so that nobody
shares memory with the server by accident.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec
import orjson

from pybernetes.api.object import Object, decode, encode
from pybernetes.apiserver.http.message import Answer, Chunk, Connection, Request, Response, Stream, Streaming
from pybernetes.apiserver.pipeline import Pipeline
from pybernetes.apiserver.request import MASTERS_GROUP, User
from pybernetes.client.interface import EventType, Listing, PatchType, Propagation, WatchEvent
from pybernetes.machinery.errors import from_status

T = TypeVar("T", bound=Object)

ADMIN = User("system:apiserver", groups=(MASTERS_GROUP,))
MAX_BUFFERED_BYTES = 1024 * 1024
"""A watch that nobody reads is paused from here on."""

_JSON = "application/json"


class MemoryStream:
    """The body of a streaming answer, read in the same loop."""

    def __init__(self) -> None:
        self._chunks: deque[bytes] = deque()
        self._size = 0
        self._arrived = asyncio.Event()
        self._drained = asyncio.Event()
        self._drained.set()
        self.ended = False
        self.on_resume: Callable[[], None] | None = None

    @property
    def closed(self) -> bool:
        return self.ended

    @property
    def paused(self) -> bool:
        return not self._drained.is_set()

    def write(self, chunk: Chunk) -> None:
        if self.ended or not chunk.data:
            return
        self._chunks.append(chunk.data)
        self._size += len(chunk.data)
        if self._size > MAX_BUFFERED_BYTES:
            self._drained.clear()
        self._arrived.set()

    async def drain(self) -> None:
        await self._drained.wait()

    async def wait_closed(self) -> None:
        while not self.ended:
            self._arrived.clear()
            await self._arrived.wait()

    def end(self) -> None:
        """The writer has finished."""
        self.ended = True
        self._drained.set()
        self._arrived.set()

    async def read(self) -> bytes:
        """What has arrived; b"" at the end."""
        while not self._chunks:
            if self.ended:
                return b""
            self._arrived.clear()
            await self._arrived.wait()
        data = b"".join(self._chunks)
        self._chunks.clear()
        self._size = 0
        if not self._drained.is_set():
            self._drained.set()
            if self.on_resume is not None:
                self.on_resume()
        return data


class InProcessClient:
    """Requests as `user`, straight into the pipeline. Implements `client.interface.Client`."""

    def __init__(self, pipeline: Pipeline, user: User = ADMIN, user_agent: str = "kube-apiserver") -> None:
        self._pipeline = pipeline
        self._user_agent = user_agent
        """Field manager of what this client writes."""
        self._connection = Connection(peer="in-process", secure=True, user=user)

    # ── plumbing ──

    async def _ask(
        self, method: str, path: str, query_text: str, body: bytes, content_type: str, accept: str
    ) -> Answer:
        headers = {"user-agent": self._user_agent, **({"accept": accept} if accept else {})}
        if body:
            headers["content-type"] = content_type
        request = Request(method, path, query_text, headers, body, self._connection)
        answer = self._pipeline.answer(request)
        return await answer if isinstance(answer, Awaitable) else answer

    async def _call(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        body: bytes = b"",
        content_type: str = _JSON,
    ) -> bytes:
        query_text = urlencode(query) if query else ""
        return await _whole(await self._ask(method, path, query_text, body, content_type, _JSON), path)

    @staticmethod
    def _path(kind: type[Object], namespace: str, name: str = "", subresource: str = "") -> str:
        root = f"/apis/{kind.GROUP}/{kind.VERSION}" if kind.GROUP else f"/api/{kind.VERSION}"
        if namespace and kind.NAMESPACED:
            root = f"{root}/namespaces/{namespace}"
        parts = [root, kind.PLURAL, name, subresource]
        return "/".join(part for part in parts if part)

    # ── client.interface.Client ──

    async def get(self, kind: type[T], name: str, namespace: str = "") -> T:
        return decode(kind, await self._call("GET", self._path(kind, namespace, name)))

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
        query = _query(
            labelSelector=labels,
            fieldSelector=fields,
            limit=str(limit) if limit else "",
            resourceVersion=resource_version,
        )
        if continue_token:
            query["continue"] = continue_token
        data = await self._call("GET", self._path(kind, namespace), query)
        listing = _list_decoder(kind).decode(data)
        metadata = listing.metadata
        return Listing(listing.items, metadata.get("resourceVersion", ""), metadata.get("continue", ""))

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
        query = _query(
            watch="true",
            allowWatchBookmarks="true",
            labelSelector=labels,
            fieldSelector=fields,
            resourceVersion=resource_version,
            timeoutSeconds=str(timeout_seconds) if timeout_seconds else "",
        )
        path = self._path(kind, namespace)
        answer = await self._ask("GET", path, urlencode(query), b"", _JSON, _JSON)
        if isinstance(answer, Response):
            raise _error(answer)
        assert isinstance(answer, Streaming)
        async for line in _lines(answer, path):
            event = _event_decoder.decode(line)
            if event.type == "ERROR":
                status = orjson.loads(bytes(event.object))
                raise from_status(status, int(status.get("code") or 500))
            yield WatchEvent(EventType(event.type), decode(kind, bytes(event.object)))

    async def create(self, value: T, *, dry_run: bool = False) -> T:
        kind = type(value)
        query = _query(dryRun="All" if dry_run else "")
        return decode(kind, await self._call("POST", self._path(kind, value.namespace), query, encode(value)))

    async def create_subresource(self, parent: Object, subresource: str, value: Object, answer: type[T]) -> T:
        path = self._path(type(parent), parent.namespace, parent.name, subresource)
        return decode(answer, await self._call("POST", path, None, encode(value)))

    async def update(self, value: T, *, subresource: str = "") -> T:
        kind = type(value)
        path = self._path(kind, value.namespace, value.name, subresource)
        return decode(kind, await self._call("PUT", path, None, encode(value)))

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
        path = self._path(kind, namespace, name, subresource)
        body = msgspec.json.encode(patch)
        return decode(kind, await self._call("PATCH", path, None, body, patch_type.value))

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
        options: dict[str, Any] = {"kind": "DeleteOptions", "apiVersion": "v1"}
        preconditions = _query(uid=uid, resourceVersion=resource_version)
        if preconditions:
            options["preconditions"] = preconditions
        if grace_period_seconds is not None:
            options["gracePeriodSeconds"] = grace_period_seconds
        if propagation is not None:
            options["propagationPolicy"] = propagation.value
        await self._call("DELETE", self._path(kind, namespace, name), None, orjson.dumps(options))

    async def request(
        self, method: str, path: str, *, body: bytes = b"", content_type: str = _JSON, accept: str = ""
    ) -> bytes:
        path, _, query_text = path.partition("?")
        return await _whole(await self._ask(method, path, query_text, body, content_type, accept), path)


class _Event(msgspec.Struct):
    type: str
    object: msgspec.Raw


_event_decoder = msgspec.json.Decoder(_Event)
_list_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def _list_decoder(kind: type[T]) -> msgspec.json.Decoder[Any]:
    found = _list_decoders.get(kind)
    if found is None:
        shape = msgspec.defstruct(
            f"{kind.KIND}List",
            [("items", list[kind]), ("metadata", dict[str, Any])],  # type: ignore[valid-type]
        )
        found = _list_decoders[kind] = msgspec.json.Decoder(shape)
    return found


def _query(**parameters: str) -> dict[str, str]:
    return {key: value for key, value in parameters.items() if value}


def _error(answer: Response) -> Exception:
    try:
        status = orjson.loads(answer.data)
    except orjson.JSONDecodeError:
        status = {"message": answer.data.decode("utf-8", "replace")}
    return from_status(status, answer.status)


async def _whole(answer: Answer, path: str) -> bytes:
    match answer:
        case Response():
            if answer.status >= 400:
                raise _error(answer)
            return answer.data
        case Streaming():
            return await _read_all(answer)
        case _:
            raise TypeError(f"{path} is an upgrade: it needs a connection")


async def _read_all(answer: Streaming) -> bytes:
    stream = MemoryStream()
    pieces: list[bytes] = []

    async def collect() -> None:
        while data := await stream.read():
            pieces.append(data)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(collect(), name="in-process/read")
        await answer.run(stream)
        stream.end()
    return b"".join(pieces)


async def _lines(answer: Streaming, path: str) -> AsyncIterator[bytes]:
    """Lines of a stream as they come; leaving the loop ends the stream."""
    stream = MemoryStream()

    async def write(to: Stream) -> None:
        try:
            await answer.run(to)
        finally:
            stream.end()

    task = asyncio.create_task(write(stream), name=f"in-process/watch {path}")
    rest = b""
    try:
        while data := await stream.read():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield line
        await task
    finally:
        task.cancel()
