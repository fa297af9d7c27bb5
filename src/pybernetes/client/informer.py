"""A local, always current copy of one kind: list once, then watch, and list again only when history is lost.

    list ──► watch from its version ──► event, event, bookmark … ──► watch again from the last version seen
      ▲                                                                       │
      └───────────── 410: that version is compacted; jittered back-off ◄──────┘

Objects are frozen and shared: handlers and callers read them and make new ones. A handler is a plain function, called
in the order of events, and must not raise; work belongs into a queue.

Whoever writes can wait until its own write shows here (`wait_until_observed`, `wait_for`), and so decides on a view
that has what it did before: that replaces upstream's expectations.

Follows: client-go tools/cache/reflector.go, shared_informer.go.
"""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import msgspec

from pybernetes.api.object import Object
from pybernetes.client.interface import Client, EventType, Unreachable
from pybernetes.effects import Chance, Clock, SystemClock
from pybernetes.machinery.errors import Gone, StatusError

log = logging.getLogger("pybernetes.client")

T = TypeVar("T", bound=Object)

BACKOFF_SECONDS = 0.8
MAX_BACKOFF_SECONDS = 30.0
"""Between attempts to list, doubling and jittered, as upstream's reflector."""
PAGE_SIZE = 500
MIN_WATCH_SECONDS = 300
"""A watch is asked to last between this and twice this, so that watches spread over the server's life."""
SHORT_WATCH_SECONDS = 1.0
"""A watch that ends sooner than this without a word was no watch: back off before the next."""

Handler = Callable[[T], None]
UpdateHandler = Callable[[T, T], None]
Condition = Callable[[T | None], bool]


@dataclass(frozen=True, slots=True)
class InformerStatistics:
    objects: int
    lists: int
    watches: int
    events: int
    resource_version: str


def without_managed_fields(value: T) -> T:
    """The object without what only appliers read and nobody should pay memory for; a `transform` of informers."""
    meta = value.metadata
    if not meta.managedFields:
        return value
    return msgspec.structs.replace(value, metadata=msgspec.structs.replace(meta, managedFields=[]))


class Informer(Generic[T]):
    """One kind, or the part of it that selectors name. `run` keeps it current until cancelled."""

    def __init__(
        self,
        client: Client,
        kind: type[T],
        *,
        namespace: str = "",
        labels: str = "",
        fields: str = "",
        clock: Clock | None = None,
        chance: Chance | None = None,
        transform: Callable[[T], T] = without_managed_fields,
    ) -> None:
        self.client, self.kind = client, kind
        self._namespace, self._labels, self._fields = namespace, labels, fields
        self._clock, self._chance = clock or SystemClock(), chance or Chance()
        self._transform = transform
        self._objects: dict[str, T] = {}
        self._indexes: dict[str, tuple[Callable[[T], Iterable[str]], dict[str, dict[str, T]]]] = {}
        self._handlers: list[tuple[Handler[T] | None, UpdateHandler[T] | None, Handler[T] | None]] = []
        self._synced = asyncio.Event()
        self._version_waiters: list[tuple[int, int, asyncio.Future[None]]] = []
        self._object_waiters: dict[str, list[tuple[Condition[T], asyncio.Future[None]]]] = {}
        self._numbers = itertools.count()
        self.resource_version = ""
        self._lists = self._watches = self._events = 0

    def index(self, name: str, keys_of: Callable[[T], Iterable[str]]) -> None:
        """Keep objects findable by the values `keys_of` gives."""
        table: dict[str, dict[str, T]] = {}
        self._indexes[name] = (keys_of, table)
        for key, value in self._objects.items():
            for entry in keys_of(value):
                table.setdefault(entry, {})[key] = value

    def has_index(self, name: str) -> bool:
        return name in self._indexes

    def add_handler(
        self,
        on_add: Handler[T] | None = None,
        on_update: UpdateHandler[T] | None = None,
        on_delete: Handler[T] | None = None,
    ) -> None:
        """Call these for every change from now on, and `on_add` at once for each present object."""
        self._handlers.append((on_add, on_update, on_delete))
        if on_add is not None:
            for value in [*self._objects.values()]:
                on_add(value)

    def get(self, key: str) -> T | None:
        """The object of a `namespace/name` or, for cluster-scoped kinds, name."""
        return self._objects.get(key)

    def list(self, namespace: str = "") -> Sequence[T]:
        if not namespace:
            return [*self._objects.values()]
        return [value for value in self._objects.values() if value.metadata.namespace == namespace]

    def by_index(self, name: str, value: str) -> Sequence[T]:
        return [*self._indexes[name][1].get(value, {}).values()]

    @property
    def has_synced(self) -> bool:
        return self._synced.is_set()

    async def wait_synced(self) -> None:
        """Return once the first list is complete."""
        await self._synced.wait()

    async def wait_until_observed(self, resource_version: str) -> None:
        """Return once this copy is at least as new as a write that was answered with `resource_version`."""
        wanted = int(resource_version or 0)
        if int(self.resource_version or 0) >= wanted:
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._version_waiters, (wanted, next(self._numbers), future))
        await future

    async def wait_for(self, key: str, holds: Condition[T]) -> None:
        """Return once `holds` is true of the object of this key (None: there is none)."""
        if holds(self._objects.get(key)):
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (holds, future)
        self._object_waiters.setdefault(key, []).append(entry)
        try:
            await future
        finally:
            waiters = self._object_waiters.get(key, [])
            if entry in waiters:
                waiters.remove(entry)
            if not waiters:
                self._object_waiters.pop(key, None)

    def statistics(self) -> InformerStatistics:
        return InformerStatistics(len(self._objects), self._lists, self._watches, self._events, self.resource_version)

    async def run(self) -> None:
        """List and watch until cancelled; failures are retried with back-off."""
        backoff = BACKOFF_SECONDS
        relist = True
        while True:
            started, events = self._clock.monotonic(), self._events
            try:
                if relist:
                    await self._list()
                    relist = False
                await self._watch()
                if self._events > events or self._clock.monotonic() - started >= SHORT_WATCH_SECONDS:
                    backoff = BACKOFF_SECONDS
                    continue
                log.info("watch ended at once kind=%s retry_seconds=%.1f", self.kind.KIND, backoff)
            except Gone:
                log.info("history lost, listing again kind=%s", self.kind.KIND)
                relist = True
            except StatusError as error:
                # Also "too large resource version": the store was restored to an earlier state.
                log.info("watch refused kind=%s retry_seconds=%.1f error=%s", self.kind.KIND, backoff, error)
                relist = True
            except Unreachable as error:
                log.info("watch interrupted kind=%s retry_seconds=%.1f error=%s", self.kind.KIND, backoff, error)
            if self._events > events:
                backoff = BACKOFF_SECONDS
            await self._clock.sleep(self._chance.jitter(backoff, 1.0))
            backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)

    async def _list(self) -> None:
        self._lists += 1
        items: list[T] = []
        token = ""
        while True:
            page = await self.client.list(
                self.kind,
                self._namespace,
                labels=self._labels,
                fields=self._fields,
                limit=PAGE_SIZE,
                continue_token=token,
            )
            items.extend(page.items)
            token = page.continue_token
            if not token:
                break
        present = {value.key: value for value in items}
        for key in [key for key in self._objects if key not in present]:
            self._delete(self._objects[key])
        for value in present.values():
            self._put(value)
        self._advance(page.resource_version)
        self._synced.set()

    async def _watch(self) -> None:
        self._watches += 1
        events = self.client.watch(
            self.kind,
            self._namespace,
            labels=self._labels,
            fields=self._fields,
            resource_version=self.resource_version,
            timeout_seconds=int(self._chance.jitter(MIN_WATCH_SECONDS, 1.0)),
        )
        async for event in events:
            self._events += 1
            if event.type in (EventType.ADDED, EventType.MODIFIED):
                self._put(event.object)
            elif event.type is EventType.DELETED:
                self._delete(event.object)
            self._advance(event.object.metadata.resourceVersion)

    def _advance(self, resource_version: str) -> None:
        self.resource_version = resource_version
        waiters = self._version_waiters
        while waiters and waiters[0][0] <= int(resource_version or 0):
            _wake(heapq.heappop(waiters)[2])

    def _put(self, value: T) -> None:
        value = self._transform(value)
        key = value.key
        old = self._objects.get(key)
        if old is not None and old.metadata.uid != value.metadata.uid:
            self._delete(old)  # deleted and made anew while nobody watched: two objects, two events
            old = None
        if old is not None and old.metadata.resourceVersion == value.metadata.resourceVersion:
            return
        self._objects[key] = value
        self._reindex(key, old, value)
        for on_add, on_update, _ in self._handlers:
            if old is None:
                if on_add is not None:
                    on_add(value)
            elif on_update is not None:
                on_update(old, value)
        self._notify(key, value)

    def _delete(self, value: T) -> None:
        value = self._transform(value)
        key = value.key
        old = self._objects.pop(key, None)
        self._reindex(key, old, None)
        if old is not None:
            for _, _, on_delete in self._handlers:
                if on_delete is not None:
                    on_delete(value)
        self._notify(key, None)

    def _notify(self, key: str, value: T | None) -> None:
        for holds, future in self._object_waiters.get(key, ()):
            if holds(value):
                _wake(future)

    def _reindex(self, key: str, old: T | None, new: T | None) -> None:
        for keys_of, table in self._indexes.values():
            for name in keys_of(old) if old is not None else ():
                bucket = table.get(name)
                if bucket is not None:
                    bucket.pop(key, None)
                    if not bucket:
                        del table[name]
            if new is not None:
                for name in keys_of(new):
                    table.setdefault(name, {})[key] = new


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
