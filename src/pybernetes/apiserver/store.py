"""Objects into and out of the store: documents become stored bytes, store errors become Status errors.

Reads come from the watch cache, which has every acknowledged write; writes go to the store, guarded by the revision
the caller has seen, and return once the cache shows them.

Follows: apiserver pkg/registry/generic/registry/store.go; pkg/storage/errors.
"""

import logging
from collections.abc import Awaitable, Callable

import orjson

from pybernetes.api import normalize
from pybernetes.api.registry import Resource
from pybernetes.apiserver.cache.objects import CachedObject, api_version_of, body_of
from pybernetes.apiserver.cache.resource_cache import ResourceCache
from pybernetes.apiserver.cache.watch_cache import WatchCache
from pybernetes.apiserver.encryption.storage import EncryptedStorage
from pybernetes.apiserver.request import Document
from pybernetes.apiserver.resources import conversion
from pybernetes.apiserver.scheme import Scheme, Served
from pybernetes.machinery import errors
from pybernetes.machinery.errors import Conflict, StatusError
from pybernetes.machinery.field_errors import quote
from pybernetes.storage.interface import (
    MUST_NOT_EXIST,
    Entry,
    KeyExists,
    KeyNotFound,
    Revision,
    RevisionConflict,
    Storage,
)

log = logging.getLogger("pybernetes.apiserver.store")

TOO_LARGE_BYTES = 1536 * 1024
"""An object larger than this is refused, as etcd does by default. Follows: etcd --max-request-bytes."""


def relative_key(namespace: str, name: str) -> str:
    return f"{namespace}/{name}" if namespace else name


def encode(document: Document) -> bytes:
    """The stored bytes of a document: apiVersion, kind and metadata first, no resourceVersion."""
    metadata = document["metadata"]
    if "resourceVersion" in metadata:
        metadata = {key: value for key, value in metadata.items() if key != "resourceVersion"}
    ordered = {"apiVersion": document["apiVersion"], "kind": document["kind"], "metadata": metadata}
    for key, value in document.items():
        if key not in ordered:
            ordered[key] = value
    return orjson.dumps(ordered)


def _converted(document: Document, source: Resource, target: Resource) -> Document:
    """The document in the version it is stored in.

    Raises:
        BadRequest: what the older version keeps in annotations does not fit.
    """
    try:
        found = conversion.convert(dict(document), source.api_version, target)
        return normalize.normalize(found, target.type_alias)
    except (orjson.JSONDecodeError, normalize.TypeMismatch) as error:
        text = f'{source.kind} in version "{source.version}" cannot be handled as a {source.kind}: {error}'
        raise errors.BadRequest(text) from None


class ChangedMeanwhile(Exception):
    """The object is no longer at the revision the writer saw; `current` is what is there, None when it is gone."""

    def __init__(self, current: CachedObject | None) -> None:
        super().__init__("the object has changed")
        self.current = current


def check_path_segment(name: str) -> None:
    """Refuse a name that no object can have because paths are made of names.

    Raises:
        BadRequest. Follows: store.go, NoNamespaceKeyFunc; pkg/api/validation/path, IsValidPathSegmentName.
    """
    complaint = ""
    if name in {".", ".."}:
        complaint = f"may not be '{name}'"
    elif "%" in name:
        complaint = "may not contain '%'"
    if complaint:
        raise errors.BadRequest(f"Name parameter invalid: {quote(name)}: {complaint}")


class ObjectStore:
    """See the module."""

    def __init__(self, storage: Storage, cache: WatchCache, scheme: Scheme) -> None:
        self.storage = storage
        self._is_stale = storage.is_stale if isinstance(storage, EncryptedStorage) else None
        self.cache = cache
        self.scheme = scheme
        self.after_delete: dict[str, Callable[[CachedObject], Awaitable[None]]] = {}
        """By prefix: what is done before the deletion of an object is answered."""

    def cache_of(self, served: Served) -> ResourceCache:
        return self.cache.resource(served.prefix)

    @property
    def is_current(self) -> bool:
        """The cache shows everything the store has committed."""
        return self.cache.revision >= self.storage.revision

    async def catch_up(self) -> None:
        """Return when the cache shows everything committed before the call."""
        await self.cache.wait_for(self.storage.revision)

    def find(self, served: Served, namespace: str, name: str) -> CachedObject | None:
        return self.cache_of(served).objects.get(relative_key(namespace, name))

    def read(self, served: Served, namespace: str, name: str) -> CachedObject:
        """The object.

        Raises:
            NotFound.
        """
        found = self.find(served, namespace, name)
        if found is None:
            check_path_segment(name)
            raise errors.not_found(served.resource.plural, served.resource.group, name)
        return found

    def document(self, served: Served, obj: CachedObject) -> Document:
        """The object as a document of the caller's own, in the version of `served`; a lens has been prepared."""
        if served.lens is not None:
            resource = served.resource
            return {"apiVersion": resource.api_version, "kind": resource.kind, **served.lens.view(obj).decode()}
        found = {"apiVersion": "", "kind": "", **obj.decode()}
        return conversion.convert(found, obj.api_version or served.storage_version, served.resource)

    def _encode(self, served: Served, document: Document) -> bytes:
        """The document as it is stored."""
        if served.storage_version != served.resource.api_version:
            stored = self.scheme.any_version(served.resource.group, served.resource.plural)
            if served.needs_conversion:
                owner = self.scheme.by_kind(served.storage_version, served.resource.kind)
                assert owner is not None
                document = _converted(document, served.resource, owner.resource)
            elif stored is not None and not served.custom:
                document = {**document, "apiVersion": served.storage_version}
        value = encode(document)
        if len(value) > TOO_LARGE_BYTES:
            raise errors.RequestEntityTooLarge("etcdserver: request is too large")
        return value

    async def create(self, served: Served, namespace: str, document: Document, *, ttl_seconds: int = 0) -> CachedObject:
        """Store a new object.

        Raises:
            AlreadyExists.
        """
        name = document["metadata"]["name"]
        key = served.prefix + relative_key(namespace, name)
        if served.lens is not None:
            document = await served.lens.to_storage(document)
        value = self._encode(served, document)
        self.cache.expect(key, value, document)
        try:
            revision = await self.storage.put(key, value, expected=MUST_NOT_EXIST, ttl_seconds=ttl_seconds)
        except KeyExists:
            raise errors.already_exists(served.resource.plural, served.resource.group, name) from None
        finally:
            self.cache.unexpect(key, value)
        return await self._written(served, key, value, revision, revision)

    async def update(
        self,
        served: Served,
        current: CachedObject,
        document: Document,
        *,
        old: Document | None = None,
        ttl_seconds: int = 0,
    ) -> CachedObject:
        """Store a new version of `current`; returns `current` itself when nothing differs.

        `old`: `current` in the version of `served` without a resourceVersion, if the caller has it; nobody changes it.

        Raises:
            ChangedMeanwhile.
        """
        key = served.prefix + current.key
        if served.lens is not None:
            document, old = await served.lens.to_storage(document), None
        elif served.storage_version != served.resource.api_version:
            old = None
        value = self._encode(served, document)
        if _same(value, current, document, old) and not (self._is_stale is not None and self._is_stale(key)):
            return current
        self.cache.expect(key, value, document, old)
        try:
            revision = await self.storage.put(key, value, expected=Revision(current.revision), ttl_seconds=ttl_seconds)
        except RevisionConflict as conflict:
            raise ChangedMeanwhile(self._from_entry(served, conflict.current)) from None
        except KeyNotFound:
            raise ChangedMeanwhile(None) from None
        finally:
            self.cache.unexpect(key, value)
        return await self._written(served, key, value, revision, current.create_revision)

    async def delete(self, served: Served, current: CachedObject) -> CachedObject:
        """Remove the object; its last content under the revision of the deletion.

        Raises:
            ChangedMeanwhile.
        """
        key = served.prefix + current.key
        try:
            _, revision = await self.storage.delete(key, expected=Revision(current.revision))
        except RevisionConflict as conflict:
            raise ChangedMeanwhile(self._from_entry(served, conflict.current)) from None
        except KeyNotFound:
            raise ChangedMeanwhile(None) from None
        await self.cache.wait_for(revision)
        deleted = current.at(revision)
        after = self.after_delete.get(served.prefix)
        if after is not None:
            await after(deleted)
        if served.lens is not None:
            await served.lens.prepare((deleted,))
        return deleted

    async def _written(
        self, served: Served, key: str, value: bytes, revision: Revision, create_revision: int
    ) -> CachedObject:
        await self.cache.wait_for(revision)
        relative = key[len(served.prefix) :]
        found = self.cache_of(served).objects.get(relative)
        if found is None or found.revision != revision:
            found = CachedObject(relative, body_of(value, revision), revision, create_revision, api_version_of(value))
        if served.lens is not None:
            await served.lens.prepare((found,))
        return found

    def _from_entry(self, served: Served, entry: Entry) -> CachedObject:
        return from_entry(served.prefix, entry)


def _same(value: bytes, current: CachedObject, document: Document, old: Document | None) -> bool:
    """Whether a write would change nothing, not even by another order of keys."""
    if api_version_of(value) != current.api_version:
        return False
    body = body_of(value, current.revision)
    if body == current.body or len(body) != len(current.body):
        return body == current.body
    if old is not None:
        return document == old
    return bool(orjson.loads(b"{" + body) == current.decode())


def from_entry(prefix: str, entry: Entry) -> CachedObject:
    """What the store holds, as the cache would show it."""
    return CachedObject(
        entry.key[len(prefix) :],
        body_of(entry.value, entry.mod_revision),
        entry.mod_revision,
        entry.create_revision,
        api_version_of(entry.value),
    )


def modified(served: Served, name: str) -> Conflict:
    """The 409 for a write that carries an old resourceVersion."""
    return errors.conflict(served.resource.plural, served.resource.group, name)


def gone(served: Served, name: str) -> StatusError:
    """The 404 for an object that vanished between read and write."""
    return errors.not_found(served.resource.plural, served.resource.group, name)
