"""The garbage collector: watches the metadata of every kind there is, and deletes what lost its owners.

    an owner goes        → its dependents are looked at
    a dependent comes    → it is looked at if an owner is not known
    foregroundDeletion   → dependents that block are deleted first, then the finalizer goes
    orphan               → dependents lose the reference, then the finalizer goes

Caches only say whom to look at; before anything is deleted, the server itself is asked for object and owners.

Follows: kubernetes 1.36 pkg/controller/garbagecollector/{garbagecollector,graph_builder,operations}.go.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Coroutine, Iterable, Sequence
from typing import Any

from pybernetes.api import meta_v1
from pybernetes.api.object import Object
from pybernetes.client.events import WARNING
from pybernetes.client.informer import Informer
from pybernetes.client.interface import PatchType, Unreachable
from pybernetes.client.metadata import MetadataOnly, partial
from pybernetes.controllers.discovery import Discovered, Kind, discover
from pybernetes.controllers.framework import Context, Controller, within
from pybernetes.controllers.garbagecollector import graph as facts
from pybernetes.controllers.garbagecollector.graph import FOREGROUND, ORPHAN, Graph
from pybernetes.controllers.garbagecollector.reconcile import Owner, Verdict, judge
from pybernetes.machinery.errors import Conflict, NotFound, StatusError

log = logging.getLogger("pybernetes.controllers")

IGNORED = {("", "events"), ("events.k8s.io", "events")}
NEEDED_VERBS = ("delete", "list", "watch")
SYNC_SECONDS = 30.0
"""How long new kinds may take to be listed before work goes on without them."""
DISCOVERY_DELAY_SECONDS = 0.5
"""From a change of what is served to asking what is served, so that a series of changes is asked about once."""
ABSENT_SIZE = 500
"""Owners remembered to be gone, so that each of their dependents does not ask again."""

CRDS = partial("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
API_SERVICES = partial("apiregistration.k8s.io", "v1", "APIService", "apiservices", namespaced=False)


class UnknownKind(StatusError):
    """An owner's kind is not served (yet); perhaps it will be."""


class GarbageCollectorController(Controller):
    NAME = "garbage-collector-controller"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.graph = Graph()
        self.recorder = context.recorder("garbage-collector-controller")
        self._discovered = Discovered([])
        self._monitors: dict[Kind, Informer[Any]] = {}
        self._absent: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._served_changed = asyncio.Event()
        for kind in (CRDS, API_SERVICES):
            source = context.informers.of(kind)
            source.add_handler(
                lambda _: self._served_changed.set(),
                lambda _old, _new: self._served_changed.set(),
                lambda _: self._served_changed.set(),
            )

    def workers(self) -> int:
        return self.context.options.concurrent_gc_syncs

    async def start(self) -> None:
        while True:
            try:
                await self._monitor()
            except (StatusError, Unreachable) as error:
                log.info("discovery failed error=%s", error)
                await self.clock.sleep(1.0)
            else:
                return

    def tasks(self) -> Iterable[tuple[str, Coroutine[Any, Any, None]]]:
        return [("discovery", self._follow_served())]

    async def _follow_served(self) -> None:
        """Watch new kinds as they come, and forget those that go."""
        while True:
            await self._served_changed.wait()
            await self.clock.sleep(DISCOVERY_DELAY_SECONDS)
            self._served_changed.clear()
            try:
                await self._monitor()
            except (StatusError, Unreachable) as error:
                log.info("discovery failed error=%s", error)
                self._served_changed.set()
                await self.clock.sleep(1.0)

    async def _monitor(self) -> None:
        discovered = await discover(self.client)
        wanted = [k for k in discovered.with_verbs(*NEEDED_VERBS) if (k.GROUP, k.PLURAL) not in IGNORED]
        failing = {version.rpartition("/")[0] for version in discovered.failures}
        for kind in [kind for kind in self._monitors if kind not in wanted and kind.GROUP not in failing]:
            self._unwatch(kind)
        for kind in wanted:
            if kind not in self._monitors:
                self._watch(kind)
        self._discovered = discovered
        waits = [informer.wait_synced() for informer in self._monitors.values() if not informer.has_synced]
        if not await within(self.clock, SYNC_SECONDS, waits):
            behind = [informer.kind.PLURAL for informer in self._monitors.values() if not informer.has_synced]
            log.warning("going on without some kinds kinds=%s", ",".join(behind))

    def _watch(self, kind: Kind) -> None:
        informers = self.context.informers
        informer = informers.find(kind.GROUP, kind.KIND) or informers.of(kind)
        self._monitors[kind] = informer
        informer.add_handler(
            lambda new: self._put(informer, new),
            lambda old, new: self._put(informer, new, old),
            self._removed,
        )

    def _unwatch(self, kind: Kind) -> None:
        informer = self._monitors.pop(kind)
        for value in informer.list():
            self.graph.remove(value)
        if issubclass(informer.kind, MetadataOnly) and informer.kind not in (CRDS, API_SERVICES):
            self.context.informers.drop(informer)

    def _put(self, informer: Informer[Any], new: Object, old: Object | None = None) -> None:
        self.graph.put(informer, new, old)
        uid = new.metadata.uid
        if facts.orphans_dependents(new) or facts.deletes_dependents(new):
            self.queue.add(uid)
        if old is not None and old.metadata.ownerReferences == new.metadata.ownerReferences:
            return
        if any(owner.uid not in self.graph for owner in new.metadata.ownerReferences):
            self.queue.add(uid)
        self._look_at_owners(new)
        if old is not None:
            self._look_at_owners(old)

    def _removed(self, value: Object) -> None:
        self.graph.remove(value)
        for uid in self.graph.dependents(value.metadata.uid):
            self.queue.add(uid)
        self._look_at_owners(value)

    def _look_at_owners(self, value: Object) -> None:
        """Owners that wait for their dependents may go on, or have one more to wait for."""
        for reference in value.metadata.ownerReferences:
            owner = self.graph.get(reference.uid)
            if owner is not None and facts.deletes_dependents(owner):
                self.queue.add(reference.uid)
                if not facts.is_deleting(value):
                    self.queue.add(value.metadata.uid)

    async def reconcile(self, key: str) -> None:
        value = self.graph.get(key)
        if value is None:
            return
        if facts.orphans_dependents(value):
            await self._orphan(value)
        elif facts.deletes_dependents(value):
            await self._delete_dependents(value)
        elif not facts.is_deleting(value) and self._suspect(value):
            await self._collect(value)

    def _suspect(self, value: Object) -> bool:
        """Whether, as far as we know, an owner is gone or waits."""
        for reference in value.metadata.ownerReferences:
            owner = self.graph.get(reference.uid)
            if owner is None or facts.deletes_dependents(owner) or owner.namespace not in ("", value.namespace):
                return True
        return False

    async def _collect(self, cached: Object) -> None:
        kind = type(cached)
        try:
            value = await self.client.get(kind, cached.name, cached.namespace)
        except NotFound:
            return
        if value.metadata.uid != cached.metadata.uid or facts.is_deleting(value):
            return
        states = []
        for reference in value.metadata.ownerReferences:
            state = await self._state(value, reference)
            if state is None:
                return
            states.append((reference, state))
        dependents = [d for uid in self.graph.dependents(value.metadata.uid) if (d := self.graph.get(uid)) is not None]
        verdict = judge(
            value,
            states,
            has_dependents=bool(dependents),
            dependent_waits=any(facts.deletes_dependents(d) for d in dependents),
        )
        await self._carry_out(value, verdict)

    async def _carry_out(self, value: Object, verdict: Verdict) -> None:
        if verdict.keep_references is not None:
            await self._patch_meta(value, {"ownerReferences": verdict.keep_references})
        if verdict.unblock:
            references = [
                {**_document(reference), "blockOwnerDeletion": False} for reference in value.metadata.ownerReferences
            ]
            value = await self._patch_meta(value, {"ownerReferences": references}) or value
        if verdict.delete is not None:
            log.debug("collecting kind=%s key=%s", type(value).KIND, value.key)
            try:
                await self.client.delete(
                    type(value),
                    value.name,
                    value.namespace,
                    uid=value.metadata.uid,
                    resource_version=value.metadata.resourceVersion,
                    propagation=verdict.delete,
                )
            except NotFound:
                return

    async def _state(self, value: Object, reference: meta_v1.OwnerReference) -> Owner | None:
        """What became of an owner; None when the reference makes no sense and the object is left alone.

        Raises:
            UnknownKind: the owner's kind is not served now.
        """
        group = reference.apiVersion.rpartition("/")[0]
        kind = self._discovered.find(group, reference.kind)
        if kind is None:
            raise UnknownKind(f"{reference.apiVersion} {reference.kind}, the kind of an owner, is not served")
        if kind.NAMESPACED and not value.namespace:
            self._report(value, f"owner {reference.kind} {reference.name} is namespaced, {value.name} is not")
            return None
        namespace = value.namespace if kind.NAMESPACED else ""
        if (reference.uid, namespace) in self._absent:
            return Owner.DANGLING
        try:
            owner = await self.client.get(kind, reference.name, namespace)
        except NotFound:
            owner = None
        if owner is None or owner.metadata.uid != reference.uid:
            self._remember_absent(reference.uid, namespace)
            elsewhere = self.graph.get(reference.uid)
            if elsewhere is not None and elsewhere.namespace != namespace:
                self._report(
                    value,
                    f"ownerRef [{reference.apiVersion}/{reference.kind}, namespace: {value.namespace}, name: "
                    f'{reference.name}, uid: {reference.uid}] does not exist in namespace "{value.namespace}"',
                )
            return Owner.DANGLING
        return Owner.WAITING if facts.deletes_dependents(owner) else Owner.SOLID

    def _report(self, value: Object, message: str) -> None:
        self.recorder.event(value, WARNING, "OwnerRefInvalidNamespace", message)

    def _remember_absent(self, uid: str, namespace: str) -> None:
        self._absent[uid, namespace] = None
        while len(self._absent) > ABSENT_SIZE:
            self._absent.popitem(last=False)

    async def _delete_dependents(self, owner: Object) -> None:
        """Look at all dependents; when none that blocks is left, the owner may go."""
        uid = owner.metadata.uid
        known = [value for d in self.graph.dependents(uid) if (value := self.graph.get(d)) is not None]
        if not any(facts.blocks(value, uid) for value in known):
            await self._drop_finalizer(owner, FOREGROUND)
        for value in known:
            if not facts.is_deleting(value):
                self.queue.add(value.metadata.uid)

    async def _orphan(self, owner: Object) -> None:
        uid = owner.metadata.uid
        for dependent in self.graph.dependents(uid):
            cached = self.graph.get(dependent)
            if cached is None:
                continue
            try:
                value = await self.client.get(type(cached), cached.name, cached.namespace)
            except NotFound:
                continue
            kept = [reference for reference in value.metadata.ownerReferences if reference.uid != uid]
            if len(kept) < len(value.metadata.ownerReferences):
                await self._patch_meta(value, {"ownerReferences": kept})
        await self._drop_finalizer(owner, ORPHAN)

    async def _drop_finalizer(self, cached: Object, finalizer: str) -> None:
        try:
            value = await self.client.get(type(cached), cached.name, cached.namespace)
        except NotFound:
            return
        if value.metadata.uid != cached.metadata.uid or finalizer not in value.metadata.finalizers:
            return
        kept = [name for name in value.metadata.finalizers if name != finalizer]
        await self._patch_meta(value, {"finalizers": kept})

    async def _patch_meta(self, value: Object, changes: dict[str, Sequence[object]]) -> Object | None:
        """Write metadata of the very state we have seen; None when the object has gone.

        Raises:
            Conflict: it has changed since.
        """
        meta = value.metadata
        patch = {"metadata": {**changes, "uid": meta.uid, "resourceVersion": meta.resourceVersion}}
        try:
            return await self.client.patch(
                type(value), value.name, value.namespace, patch=patch, patch_type=PatchType.MERGE
            )
        except NotFound:
            return None
        except Conflict:
            log.debug("changed meanwhile kind=%s key=%s", type(value).KIND, value.key)
            raise


def _document(reference: meta_v1.OwnerReference) -> dict[str, Any]:
    return {
        "apiVersion": reference.apiVersion,
        "kind": reference.kind,
        "name": reference.name,
        "uid": reference.uid,
        "controller": bool(reference.controller),
    }
