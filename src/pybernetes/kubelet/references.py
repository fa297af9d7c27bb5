"""The ConfigMaps and Secrets that pods of this node refer to, each watched while a pod refers to it.

A node may read only what its pods refer to, one object at a time, so there is one small watch per object rather than
one of everything. Immutable objects are read once.

Follows: kubernetes pkg/kubelet/util/manager/watch_based_manager.go.
"""

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

from pybernetes.api import core_v1
from pybernetes.api.object import Object
from pybernetes.client.interface import Client, EventType, Unreachable
from pybernetes.effects import Clock
from pybernetes.machinery.errors import Expired, NotFound, ServiceUnavailable, StatusError, not_found

log = logging.getLogger("pybernetes.kubelet.references")

SYNC_TIMEOUT_SECONDS = 1.0
"""How long a pod waits for the first answer about an object; it is asked again at the pod's next sync."""
RETRY_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Pauses after failures; the last one repeats."""

Referable = TypeVar("Referable", core_v1.ConfigMap, core_v1.Secret)
Key = tuple[type[Object], str, str]
"""Kind, namespace, name."""


def references_of(pod: core_v1.Pod) -> frozenset[Key]:
    """Everything a pod refers to by name: variables, volumes, image pull secrets."""
    return frozenset(
        [(core_v1.ConfigMap, pod.namespace, name) for name in _config_maps(pod) if name]
        + [(core_v1.Secret, pod.namespace, name) for name in _secrets(pod) if name]
    )


def _containers(pod: core_v1.Pod) -> list[core_v1.Container | core_v1.EphemeralContainer]:
    return [*pod.spec.initContainers, *pod.spec.containers, *pod.spec.ephemeralContainers]


def _config_maps(pod: core_v1.Pod) -> Iterator[str]:
    for container in _containers(pod):
        yield from (source.configMapRef.name for source in container.envFrom if source.configMapRef is not None)
        for variable in container.env:
            if variable.valueFrom is not None and variable.valueFrom.configMapKeyRef is not None:
                yield variable.valueFrom.configMapKeyRef.name
    for volume in pod.spec.volumes:
        if volume.configMap is not None:
            yield volume.configMap.name
        if volume.projected is not None:
            yield from (part.configMap.name for part in volume.projected.sources if part.configMap is not None)


def _secrets(pod: core_v1.Pod) -> Iterator[str]:
    yield from (reference.name for reference in pod.spec.imagePullSecrets)
    for container in _containers(pod):
        yield from (source.secretRef.name for source in container.envFrom if source.secretRef is not None)
        for variable in container.env:
            if variable.valueFrom is not None and variable.valueFrom.secretKeyRef is not None:
                yield variable.valueFrom.secretKeyRef.name
    for volume in pod.spec.volumes:
        if volume.secret is not None:
            yield volume.secret.secretName
        if volume.projected is not None:
            yield from (part.secret.name for part in volume.projected.sources if part.secret is not None)


@dataclass(eq=False)
class _Item:
    """One watched object. `current` is None while it does not exist."""

    kind: type[Object]
    namespace: str
    name: str
    users: set[str] = field(default_factory=set)
    current: Object | None = None
    synced: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None


class WatchedReferences:
    """Implements `seam.References`; `run` owns the watches."""

    def __init__(self, client: Client, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._items: dict[Key, _Item] = {}
        self._of_pod: dict[str, frozenset[Key]] = {}
        self._listeners: list[Callable[[frozenset[str]], None]] = []
        self._group: asyncio.TaskGroup | None = None

    def on_change(self, listener: Callable[[frozenset[str]], None]) -> None:
        """Call `listener` with the uids of the pods that refer to an object when that object changes."""
        self._listeners.append(listener)

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            for item in self._items.values():
                self._start(item)
            try:
                await asyncio.Event().wait()
            finally:
                self._group = None
                for item in self._items.values():
                    item.task = None

    def register(self, pod: core_v1.Pod) -> None:
        uid = pod.metadata.uid
        wanted, held = references_of(pod), self._of_pod.get(uid, frozenset())
        self._of_pod[uid] = wanted
        for key in sorted(wanted - held, key=lambda key: (key[0].__name__, *key[1:])):
            item = self._items.get(key)
            if item is None:
                kind, namespace, name = key
                item = self._items[key] = _Item(kind, namespace, name)
                self._start(item)
            item.users.add(uid)
        self._release(uid, held - wanted)

    def unregister(self, uid: str) -> None:
        self._release(uid, self._of_pod.pop(uid, frozenset()))

    def _release(self, uid: str, keys: frozenset[Key]) -> None:
        for key in keys:
            item = self._items[key]
            item.users.discard(uid)
            if not item.users:
                del self._items[key]
                if item.task is not None:
                    item.task.cancel()

    async def config_map(self, namespace: str, name: str) -> core_v1.ConfigMap:
        return await self._current(core_v1.ConfigMap, namespace, name)

    async def secret(self, namespace: str, name: str) -> core_v1.Secret:
        return await self._current(core_v1.Secret, namespace, name)

    async def _current(self, kind: type[Referable], namespace: str, name: str) -> Referable:
        item = self._items.get((kind, namespace, name))
        if item is None or item.task is None:  # of a pod that is not registered, or before `run`
            return await self._fetched(kind, namespace, name)
        if not item.synced.is_set():
            waiting = asyncio.ensure_future(item.synced.wait())
            timeout = asyncio.ensure_future(self._clock.sleep(SYNC_TIMEOUT_SECONDS))
            try:
                await asyncio.wait((waiting, timeout), return_when=asyncio.FIRST_COMPLETED)
            finally:
                waiting.cancel()
                timeout.cancel()
            if not item.synced.is_set():
                raise ServiceUnavailable(
                    f"failed to sync {kind.KIND.lower()} cache: timed out waiting for the condition"
                )
        if item.current is None:
            raise not_found(kind.KIND.lower(), "", name)
        assert isinstance(item.current, kind)
        return item.current

    async def _fetched(self, kind: type[Referable], namespace: str, name: str) -> Referable:
        try:
            return await self._client.get(kind, name, namespace)
        except NotFound as error:
            raise not_found(kind.KIND.lower(), "", name) from error

    def _start(self, item: _Item) -> None:
        if self._group is not None:
            item.task = self._group.create_task(
                self._follow(item), name=f"kubelet/reference-{item.kind.PLURAL}/{item.namespace}/{item.name}"
            )

    async def _follow(self, item: _Item) -> None:
        """Keep `item.current` as the API server has it, until cancelled or until it cannot change any more."""
        failures = 0
        version = ""
        while True:
            try:
                if not version:
                    listing = await self._client.list(item.kind, item.namespace, fields=f"metadata.name={item.name}")
                    self._set(item, listing.items[0] if listing.items else None)
                    version = listing.resource_version
                    failures = 0
                if _is_immutable(item.current):
                    return
                async for event in self._client.watch(
                    item.kind, item.namespace, fields=f"metadata.name={item.name}", resource_version=version
                ):
                    version = event.object.metadata.resourceVersion or version
                    if event.type is not EventType.BOOKMARK:
                        self._set(item, None if event.type is EventType.DELETED else event.object)
                    failures = 0
                    if _is_immutable(item.current):
                        return
            except Expired:
                version = ""
            except (StatusError, Unreachable) as error:
                version = ""
                log.warning(
                    "reference not read kind=%s object=%s/%s error=%s",
                    item.kind.KIND,
                    item.namespace,
                    item.name,
                    error,
                )
                await self._clock.sleep(RETRY_SECONDS[min(failures, len(RETRY_SECONDS) - 1)])
                failures += 1

    def _set(self, item: _Item, value: Object | None) -> None:
        before, was_synced = item.current, item.synced.is_set()
        item.current = value
        item.synced.set()
        if was_synced and _content(before) != _content(value):
            for listener in self._listeners:
                listener(frozenset(item.users))


def _is_immutable(value: Object | None) -> bool:
    return isinstance(value, core_v1.ConfigMap | core_v1.Secret) and bool(value.immutable)


def _content(value: Object | None) -> object:
    """What of an object pods see; its metadata changes without their notice."""
    if isinstance(value, core_v1.ConfigMap):
        return (value.data, value.binaryData)
    return value.data if isinstance(value, core_v1.Secret) else None
