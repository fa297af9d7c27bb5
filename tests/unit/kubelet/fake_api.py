"""An API server in a few lines: objects in a dictionary, watches that tell of changes, tokens that are numbered."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any, TypeVar

import msgspec

from pybernetes.api import authentication_v1
from pybernetes.api.object import Object
from pybernetes.client.interface import EventType, Listing, Unreachable, WatchEvent
from pybernetes.effects import Clock, format_time
from pybernetes.machinery.errors import not_found

T = TypeVar("T", bound=Object)


class FakeApi:
    """The part of `client.interface.Client` the node's volumes and references use."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.objects: dict[tuple[type[Object], str, str], Any] = {}
        self.watches = 0
        self.tokens: list[Any] = []
        self.reachable = True
        self._version = 0
        self._queues: list[tuple[type[Object], str, str, asyncio.Queue[WatchEvent[Any]]]] = []

    def put(self, value: T) -> T:
        self._version += 1
        metadata = msgspec.structs.replace(value.metadata, resourceVersion=str(self._version))
        value = msgspec.structs.replace(value, metadata=metadata)
        key = (type(value), value.namespace, value.name)
        kind = EventType.MODIFIED if key in self.objects else EventType.ADDED
        self.objects[key] = value
        self._tell(key, WatchEvent(kind, value))
        return value

    def remove(self, kind: type[Object], namespace: str, name: str) -> None:
        value = self.objects.pop((kind, namespace, name))
        self._tell((kind, namespace, name), WatchEvent(EventType.DELETED, value))

    def _tell(self, key: tuple[type[Object], str, str], event: WatchEvent[Any]) -> None:
        for kind, namespace, name, queue in self._queues:
            if (kind, namespace, name) == key:
                queue.put_nowait(event)

    def _check(self) -> None:
        if not self.reachable:
            raise Unreachable("connection refused")

    async def get(self, kind: type[T], name: str, namespace: str = "") -> T:
        self._check()
        found = self.objects.get((kind, namespace, name))
        if not isinstance(found, kind):
            raise not_found(kind.PLURAL, kind.GROUP, name)
        return found

    async def list(self, kind: type[T], namespace: str = "", *, fields: str = "", **_more: Any) -> Listing[T]:
        self._check()
        name = fields.removeprefix("metadata.name=")
        found = self.objects.get((kind, namespace, name))
        return Listing([found] if found is not None else [], str(self._version))

    async def watch(
        self, kind: type[T], namespace: str = "", *, fields: str = "", **_more: Any
    ) -> AsyncIterator[WatchEvent[T]]:
        self._check()
        queue: asyncio.Queue[WatchEvent[Any]] = asyncio.Queue()
        entry = (kind, namespace, fields.removeprefix("metadata.name="), queue)
        self._queues.append(entry)
        self.watches += 1
        try:
            while True:
                yield await queue.get()
        finally:
            self.watches -= 1
            self._queues.remove(entry)

    async def create_subresource(self, parent: Object, subresource: str, value: Object, answer: type[T]) -> T:
        self._check()
        assert subresource == "token"
        assert isinstance(value, authentication_v1.TokenRequest)
        self.tokens.append((parent.key, value.spec))
        expires = self.clock.now() + timedelta(seconds=value.spec.expirationSeconds or 0)
        status = authentication_v1.TokenRequestStatus(
            token=f"token-{len(self.tokens)}", expirationTimestamp=format_time(expires)
        )
        made = msgspec.structs.replace(value, status=status)
        assert isinstance(made, answer)
        return made
