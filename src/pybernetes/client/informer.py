"""A local, always current copy of one kind: list once, then watch, and list again only when history is lost.

    list ──► watch from its version ──► event, event, bookmark … ──► watch again from the last version seen
      ▲                                                                       │
      └───────────── 410: that version is compacted; jittered back-off ◄──────┘

Objects are frozen and shared: handlers and callers read them and make new ones. A handler is a plain function, called
in the order of events, and must not raise; work belongs into a queue.

Follows: client-go tools/cache/reflector.go, shared_informer.go.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pybernetes.api.object import Object
from pybernetes.client.interface import Client, EventType, Unreachable
from pybernetes.effects import Chance, Clock, SystemClock
from pybernetes.machinery.errors import Expired, StatusError

log = logging.getLogger("pybernetes.client")

T = TypeVar("T", bound=Object)

BACKOFF_SECONDS = 0.8
MAX_BACKOFF_SECONDS = 30.0
"""Between attempts to list, doubling and jittered, as upstream's reflector."""
PAGE_SIZE = 500

Handler = Callable[[T], None]
UpdateHandler = Callable[[T, T], None]


@dataclass(frozen=True, slots=True)
class InformerStatistics:
    objects: int
    lists: int
    watches: int
    events: int
    resource_version: str


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
        transform: Callable[[T], T] | None = None,
    ) -> None:
        self.client, self.kind = client, kind
        self._namespace, self._labels, self._fields = namespace, labels, fields
        self._clock, self._chance = clock or SystemClock(), chance or Chance()
        self._transform = transform or (lambda value: value)
        self._objects: dict[str, T] = {}
        self._indexes: dict[str, tuple[Callable[[T], Iterable[str]], dict[str, dict[str, T]]]] = {}
        self._handlers: list[tuple[Handler[T] | None, UpdateHandler[T] | None, Handler[T] | None]] = []
        self._synced = asyncio.Event()
        self._advanced = asyncio.Condition()
        self.resource_version = ""
        self._lists = self._watches = self._events = 0

    def index(self, name: str, keys_of: Callable[[T], Iterable[str]]) -> None:
        """Keep objects findable by the values `keys_of` gives; call before `run`."""
        self._indexes[name] = (keys_of, {})

    def add_handler(
        self,
        on_add: Handler[T] | None = None,
        on_update: UpdateHandler[T] | None = None,
        on_delete: Handler[T] | None = None,
    ) -> None:
        """Call these for every change from now on, and `on_add` at once for each present object."""
        self._handlers.append((on_add, on_update, on_delete))
        if on_add is not None:
            for value in self._objects.values():
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
        async with self._advanced:
            await self._advanced.wait_for(lambda: int(self.resource_version or 0) >= int(resource_version or 0))

    def statistics(self) -> InformerStatistics:
        return InformerStatistics(len(self._objects), self._lists, self._watches, self._events, self.resource_version)

    async def run(self) -> None:
        """List and watch until cancelled; failures are retried with back-off."""
        backoff = BACKOFF_SECONDS
        relist = True
        while True:
            try:
                if relist:
                    await self._list()
                    relist, backoff = False, BACKOFF_SECONDS
                await self._watch()
                backoff = BACKOFF_SECONDS
            except Expired:
                log.info("history lost, listing again kind=%s", self.kind.KIND)
                relist = True
            except (StatusError, Unreachable) as error:
                log.info("watch interrupted kind=%s retry_seconds=%.1f error=%s", self.kind.KIND, backoff, error)
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
        await self._advance(page.resource_version)
        self._synced.set()

    async def _watch(self) -> None:
        self._watches += 1
        events = self.client.watch(
            self.kind,
            self._namespace,
            labels=self._labels,
            fields=self._fields,
            resource_version=self.resource_version,
        )
        async for event in events:
            self._events += 1
            if event.type in (EventType.ADDED, EventType.MODIFIED):
                self._put(event.object)
            elif event.type is EventType.DELETED:
                self._delete(event.object)
            await self._advance(event.object.metadata.resourceVersion)

    async def _advance(self, resource_version: str) -> None:
        async with self._advanced:
            self.resource_version = resource_version
            self._advanced.notify_all()

    def _put(self, value: T) -> None:
        value = self._transform(value)
        key = value.key
        old = self._objects.get(key)
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

    def _delete(self, value: T) -> None:
        key = value.key
        old = self._objects.pop(key, None)
        self._reindex(key, old, None)
        if old is not None:
            for _, _, on_delete in self._handlers:
                if on_delete is not None:
                    on_delete(value)

    def _reindex(self, key: str, old: T | None, new: T | None) -> None:
        for keys_of, table in self._indexes.values():
            for name in keys_of(old) if old is not None else ():
                bucket = table.get(name)
                if bucket is not None:
                    bucket.pop(key, None)
                    if not bucket:
                        del table[name]
            for name in keys_of(new) if new is not None else ():
                table.setdefault(name, {})[key] = new  # type: ignore[assignment]  # not None here
