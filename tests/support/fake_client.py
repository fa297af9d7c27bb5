# ruff: noqa: ARG002  (the parameters are the protocol's)
"""An API server's behaviour in memory, behind the `Client` protocol: for unit tests of components.

Real are: decoding to documents, defaults, the rules of `api.strategy`, patches, selectors, resource versions and
conflicts, finalizers and grace of deletions, watches from a version. There is no admission, validation or paging.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import msgspec
import orjson

from pybernetes.api import defaults, field_selectors, registry, schema, strategy
from pybernetes.api.object import Object, decode, encode
from pybernetes.client.interface import EventType, Listing, PatchType, Propagation, WatchEvent
from pybernetes.effects import Chance, Clock, Ids, VirtualClock, format_time
from pybernetes.machinery import labels as label_selectors
from pybernetes.machinery.errors import StatusError, already_exists, conflict, expired, forbidden, not_found
from pybernetes.machinery.patch import json_patch, merge_patch, strategic

T = TypeVar("T", bound=Object)
Document = dict[str, Any]
Key = tuple[str, str, str, str]
Fault = Callable[[str, str, str], StatusError | Exception | None]


class FakeClient:
    """`actions` lists writes as (verb, plural, `namespace/name`); `fault` may raise in their place."""

    def __init__(self, clock: Clock | None = None, chance: Chance | None = None) -> None:
        self.clock = clock or VirtualClock()
        self._chance = chance or Chance(1)
        self._ids = Ids(self._chance)
        self.documents: dict[Key, Document] = {}
        self.revision = 1
        self.history: list[tuple[int, EventType, Key, Document, Document | None]] = []
        self.oldest = 0
        self.actions: list[tuple[str, str, str]] = []
        self.fault: Fault = lambda _verb, _plural, _name: None
        self._changed = asyncio.Event()
        self.resources = {(r.group, r.version, r.kind): r for r in registry.built_in()}
        self.by_plural = {(r.group, r.version, r.plural): r for r in registry.built_in()}

    async def get(self, kind: type[T], name: str, namespace: str = "") -> T:
        await self.clock.sleep(0)
        return _typed(kind, self._require(kind, namespace, name))

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
        await self.clock.sleep(0)
        matches = self._filter(kind, namespace, labels, fields)
        return Listing(
            [_typed(kind, document) for key, document in sorted(self.documents.items()) if matches(key, document)],
            str(self.revision),
        )

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
        since = int(resource_version or 0)
        if since < self.oldest:
            raise expired("too old resource version")
        matches = self._filter(kind, namespace, labels, fields)
        position = 0
        while True:
            while position < len(self.history):
                revision, event, key, document, previous = self.history[position]
                position += 1
                if revision <= since:
                    continue
                before = previous is not None and matches(key, previous)
                after = event is not EventType.DELETED and matches(key, document)
                if after:
                    yield WatchEvent(EventType.MODIFIED if before else EventType.ADDED, _typed(kind, document))
                elif before:
                    yield WatchEvent(EventType.DELETED, _typed(kind, document))
            self._changed.clear()
            await self._changed.wait()

    async def create(self, value: T, *, dry_run: bool = False) -> T:
        await self.clock.sleep(0)
        resource = self._resource(type(value))
        document = orjson.loads(encode(value))
        metadata = document.setdefault("metadata", {})
        if resource.namespaced and not metadata.get("namespace"):
            metadata["namespace"] = "default"
        if not metadata.get("name"):
            metadata["name"] = strategy.generated_name(metadata["generateName"], self._chance.name_suffix())
        namespace = metadata.get("namespace", "")
        self._act("create", resource, namespace, metadata["name"])
        key = (resource.group, resource.plural, namespace, metadata["name"])
        if key in self.documents:
            raise already_exists(resource.plural, resource.group, metadata["name"])
        if namespace and self._terminating(namespace):
            raise forbidden(resource.plural, resource.group, metadata["name"], "namespace is being terminated")
        document = defaults.apply(document, resource)
        document = strategy.prepare_create(resource, document, self.clock.now(), self._ids.uid())
        return _typed(type(value), self._store(EventType.ADDED, key, document))

    async def create_subresource(self, parent: Object, subresource: str, value: Object, answer: type[T]) -> T:
        await self.clock.sleep(0)
        resource = self._resource(type(parent))
        self._act(f"create/{subresource}", resource, parent.namespace, parent.name)
        if subresource == "eviction":
            await self.delete(type(parent), parent.name, parent.namespace)
        return decode(answer, encode(value))

    async def update(self, value: T, *, subresource: str = "") -> T:
        await self.clock.sleep(0)
        kind = type(value)
        resource = self._resource(kind)
        verb = f"update/{subresource}" if subresource else "update"
        self._act(verb, resource, value.namespace, value.name)
        old = self._require(kind, value.namespace, value.name)
        return _typed(kind, self._change(resource, subresource, orjson.loads(encode(value)), old))

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
        await self.clock.sleep(0)
        resource = self._resource(kind)
        self._act(f"patch/{subresource}" if subresource else "patch", resource, namespace, name)
        old = self._require(kind, namespace, name)
        raw = orjson.loads(msgspec.json.encode(patch))
        match patch_type:
            case PatchType.JSON:
                new = json_patch.apply(_copy(old), raw)
            case PatchType.STRATEGIC:
                new = strategic.apply(_copy(old), raw, schema.type_of(resource.type_alias))
            case _:
                new = merge_patch.apply(_copy(old), raw)
        if new["metadata"].get("uid") != old["metadata"]["uid"]:
            raise conflict(resource.plural, resource.group, name, "Precondition failed: UID in precondition")
        return _typed(kind, self._change(resource, subresource, new, old))

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
        await self.clock.sleep(0)
        resource = self._resource(kind)
        self._act("delete", resource, namespace, name)
        document = self._require(kind, namespace, name)
        meta = document["metadata"]
        if uid and meta["uid"] != uid:
            raise conflict(resource.plural, resource.group, name, "Precondition failed: UID in precondition")
        if resource_version and meta["resourceVersion"] != resource_version:
            raise conflict(resource.plural, resource.group, name)
        grace = grace_period_seconds
        if (resource.group, resource.plural) != ("", "pods") or not document["spec"].get("nodeName"):
            grace = 0
        elif grace is None:
            grace = document["spec"].get("terminationGracePeriodSeconds", 30)
        finalizers = list(meta.get("finalizers", ()))
        if propagation is Propagation.ORPHAN:
            finalizers.append("orphan")
        if propagation is Propagation.FOREGROUND:
            finalizers.append("foregroundDeletion")
        key = (resource.group, resource.plural, namespace, name)
        keeps = (resource.group, resource.plural) == ("", "namespaces") and document["spec"].get("finalizers")
        if not finalizers and not grace and not keeps:
            self._remove(key)
            return
        new = _copy(document)
        new["metadata"].setdefault("deletionTimestamp", format_time(self.clock.now()))
        new["metadata"]["deletionGracePeriodSeconds"] = grace
        if finalizers:
            new["metadata"]["finalizers"] = list(dict.fromkeys(finalizers))
        if keeps:
            new["status"]["phase"] = "Terminating"
        if new != document:
            self._store(EventType.MODIFIED, key, new)

    async def request(
        self, method: str, path: str, *, body: bytes = b"", content_type: str = "application/json", accept: str = ""
    ) -> bytes:
        """Discovery as documents; DELETE of collections."""
        await self.clock.sleep(0)
        parts = urlsplit(path).path.strip("/").split("/")
        if method == "GET":
            return orjson.dumps(self._discovery(parts))
        group, version, rest = ("", parts[1], parts[2:]) if parts[0] == "api" else (parts[1], parts[2], parts[3:])
        namespace, plural = (rest[1], rest[2]) if rest[0] == "namespaces" and len(rest) > 2 else ("", rest[0])
        resource = self.by_plural[(group, version, plural)]
        self._act("deletecollection", resource, namespace, "")
        for key in [key for key in self.documents if key[:2] == (group, plural) and namespace in ("", key[2])]:
            await self.delete(_kind_of(resource), key[3], key[2])
        return b"{}"

    def serve(self, resource: registry.Resource) -> None:
        """Serve one more resource, as after a CustomResourceDefinition."""
        self.resources[resource.group, resource.version, resource.kind] = resource
        self.by_plural[resource.group, resource.version, resource.plural] = resource

    def forget_history(self) -> None:
        """Watches from before now are answered with 410."""
        self.oldest = self.revision + 1
        self.revision += 1

    def remove_now(self, kind: type[Object], key: str) -> None:
        """As a kubelet's last delete: no grace, whatever finalizers say."""
        namespace, _, name = key.rpartition("/")
        resource = self._resource(kind)
        self._remove((resource.group, resource.plural, namespace, name))

    def writes(self, plural: str = "") -> Sequence[tuple[str, str, str]]:
        """What was written since the last call, other than events."""
        chosen = [action for action in self.actions if action[1] != "events" and plural in ("", action[1])]
        self.actions.clear()
        return chosen

    def _resource(self, kind: type[Object]) -> registry.Resource:
        return self.resources[(kind.GROUP, kind.VERSION, kind.KIND)]

    def _act(self, verb: str, resource: registry.Resource, namespace: str, name: str) -> None:
        failure = self.fault(verb, resource.plural, name)
        if failure is not None:
            raise failure
        self.actions.append((verb, resource.plural, f"{namespace}/{name}" if namespace else name))

    def _require(self, kind: type[Object], namespace: str, name: str) -> Document:
        resource = self._resource(kind)
        document = self.documents.get((resource.group, resource.plural, namespace, name))
        if document is None:
            raise not_found(resource.plural, resource.group, name)
        return document

    def _terminating(self, namespace: str) -> bool:
        found = self.documents.get(("", "namespaces", "", namespace))
        return found is not None and "deletionTimestamp" in found["metadata"]

    def _change(self, resource: registry.Resource, subresource: str, new: Document, old: Document) -> Document:
        meta = old["metadata"]
        key = (resource.group, resource.plural, meta.get("namespace", ""), meta["name"])
        asked = new["metadata"].get("resourceVersion")
        if asked and asked != meta["resourceVersion"]:
            raise conflict(resource.plural, resource.group, meta["name"])
        if new["metadata"].get("uid") not in (None, meta["uid"]):
            raise conflict(resource.plural, resource.group, meta["name"], "Precondition failed: UID in precondition")
        new = strategy.prepare_update(resource, subresource, defaults.apply(new, resource), _copy(old))
        new["metadata"]["resourceVersion"] = meta["resourceVersion"]
        gone = (
            new["metadata"].get("deletionTimestamp")
            and not new["metadata"].get("finalizers")
            and not new["metadata"].get("deletionGracePeriodSeconds")
            and not (resource.plural == "namespaces" and new["spec"].get("finalizers"))
        )
        if gone:
            return self._remove(key)
        return old if new == old else self._store(EventType.MODIFIED, key, new)

    def _store(self, event: EventType, key: Key, document: Document) -> Document:
        self.revision += 1
        document["metadata"]["resourceVersion"] = str(self.revision)
        previous = self.documents.get(key)
        self.documents[key] = document
        self.history.append((self.revision, event, key, document, previous))
        self._changed.set()
        return document

    def _remove(self, key: Key) -> Document:
        self.revision += 1
        previous = self.documents.pop(key)
        document = _copy(previous)
        document["metadata"]["resourceVersion"] = str(self.revision)
        self.history.append((self.revision, EventType.DELETED, key, document, previous))
        self._changed.set()
        return document

    def _filter(self, kind: type[Object], namespace: str, labels: str, fields: str) -> Callable[[Key, Document], bool]:
        resource = self._resource(kind)
        by_label = label_selectors.parse(labels)
        by_field = field_selectors.parse(fields, resource)

        def matches(key: Key, document: Document) -> bool:
            return (
                key[:2] == (resource.group, resource.plural)
                and namespace in ("", key[2])
                and by_label.matches(document["metadata"].get("labels"))
                and by_field.matches(document)
            )

        return matches

    def _discovery(self, parts: Sequence[str]) -> Document:
        match parts:
            case ["api"]:
                return {"kind": "APIVersions", "versions": ["v1"]}
            case ["apis"]:
                preferred = registry.preferred_versions()
                groups = [
                    {
                        "name": group,
                        "versions": [{"groupVersion": f"{group}/{v}", "version": v} for v in versions],
                        "preferredVersion": {
                            "groupVersion": f"{group}/{preferred[group]}",
                            "version": preferred[group],
                        },
                    }
                    for group, versions in registry.group_versions().items()
                    if group
                ]
                groups += [
                    {"name": r.group, "versions": [{"groupVersion": r.api_version, "version": r.version}]}
                    for r in self.by_plural.values()
                    if r.group not in preferred
                ]
                return {"kind": "APIGroupList", "groups": groups}
            case ["api", version]:
                return self._resource_list("", version)
            case ["apis", group, version]:
                return self._resource_list(group, version)
            case _:
                raise AssertionError(f"the fake serves no {parts}")

    def _resource_list(self, group: str, version: str) -> Document:
        return {
            "kind": "APIResourceList",
            "groupVersion": f"{group}/{version}" if group else version,
            "resources": [
                {"name": r.plural, "kind": r.kind, "namespaced": r.namespaced, "verbs": [*r.verbs]}
                for r in self.by_plural.values()
                if (r.group, r.version) == (group, version)
            ],
        }


def _kind_of(resource: registry.Resource) -> type[Object]:
    facts = {"GROUP": resource.group, "VERSION": resource.version, "KIND": resource.kind, "PLURAL": resource.plural}
    return cast("type[Object]", msgspec.defstruct("Any", [], bases=(Object,), namespace=facts, frozen=True))


def _typed(kind: type[T], document: Document) -> T:
    return decode(kind, orjson.dumps(document))


def _copy(document: Document) -> Document:
    copy: Document = orjson.loads(orjson.dumps(document))
    return copy
