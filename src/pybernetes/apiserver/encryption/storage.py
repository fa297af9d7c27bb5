"""A store around the store: values are plain above and encrypted below. Used only where encryption is configured."""

import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from pybernetes.apiserver.encryption.config import Encryption
from pybernetes.apiserver.encryption.transformers import Transformer, Undecryptable
from pybernetes.storage.interface import Change, Entry, Page, Revision, RevisionConflict, Storage, Subscriber

log = logging.getLogger("pybernetes.apiserver.encryption")

ResourceOf = Callable[[str], tuple[str, str]]
"""Store key → group and plural."""


def by_prefix(prefixes: Mapping[str, tuple[str, str]], root: str) -> ResourceOf:
    """Finds resources by their prefixes, `/registry/secrets/`; what is none of these is a custom resource."""

    def resource_of(key: str) -> tuple[str, str]:
        first, _, rest = key[len(root) :].partition("/")
        second = rest.partition("/")[0]
        return prefixes.get(f"{root}{first}/") or prefixes.get(f"{root}{first}/{second}/") or (first, second)

    return resource_of


class EncryptedStorage:
    """See the module. Implements `storage.interface.Storage`."""

    def __init__(self, storage: Storage, encryption: Encryption, resource_of: ResourceOf) -> None:
        self._storage = storage
        self._encryption = encryption
        self._resource_of = resource_of
        self._transformers: dict[tuple[str, str], Transformer | None] = {}
        self._prefixes: dict[str, bytes] = {}
        """How present values of encrypted resources are stored, for `is_stale`."""
        self._followed = False
        """The present state has been read; from now on it is told by changes."""

    def configure(self, encryption: Encryption) -> None:
        """Other keys from now on."""
        self._encryption = encryption
        self._transformers.clear()

    def is_stale(self, key: str) -> bool:
        """The value is stored otherwise than it would be now: writing it again is no idle write."""
        transformer = self._of(key)
        return transformer is not None and self._prefixes.get(key) != transformer.prefix

    def _of(self, key: str) -> Transformer | None:
        resource = self._resource_of(key)
        if resource not in self._transformers:
            self._transformers[resource] = self._encryption.transformer(*resource)
        return self._transformers[resource]

    def _plain(self, key: str, value: bytes, *, present: bool = True) -> bytes:
        transformer = self._of(key)
        if transformer is None:
            return value
        plain, prefix = transformer.from_storage(value, key)
        if present:
            self._prefixes[key] = prefix
        return plain

    def _entry(self, entry: Entry) -> Entry:
        value = self._plain(entry.key, entry.value, present=not self._followed)
        return Entry(entry.key, value, entry.create_revision, entry.mod_revision)

    def _change(self, change: Change) -> Change:
        if self._of(change.key) is None:
            return change
        previous = change.previous
        if previous is not None:
            try:
                previous = self._plain(change.key, previous, present=False)
            except Undecryptable as error:  # its key is gone; what replaces it counts
                log.warning("a replaced value cannot be read error=%s", error)
        value = None
        if change.value is not None:
            value = self._plain(change.key, change.value)
        else:
            self._prefixes.pop(change.key, None)
        return Change(
            change.key, value, previous, change.create_revision, change.mod_revision, change.previous_revision
        )

    # ── storage.interface.Storage ──

    @property
    def revision(self) -> Revision:
        return self._storage.revision

    async def get(self, key: str, revision: Revision | None = None) -> Entry:
        return self._entry(await self._storage.get(key, revision))

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: Revision | None = None) -> Page:
        page = await self._storage.range(prefix, start=start, limit=limit, revision=revision)
        return Page([self._entry(entry) for entry in page.entries], page.revision, page.more, page.remaining)

    async def put(self, key: str, value: bytes, *, expected: Revision | None = None, ttl_seconds: int = 0) -> Revision:
        transformer = self._of(key)
        stored = value if transformer is None else transformer.to_storage(value, key)
        try:
            return await self._storage.put(key, stored, expected=expected, ttl_seconds=ttl_seconds)
        except RevisionConflict as conflict:
            if transformer is not None:
                conflict.current = self._entry(conflict.current)
            raise

    async def delete(self, key: str, *, expected: Revision | None = None) -> tuple[Entry, Revision]:
        try:
            entry, revision = await self._storage.delete(key, expected=expected)
        except RevisionConflict as conflict:
            if self._of(key) is not None:
                conflict.current = self._entry(conflict.current)
            raise
        return self._entry(entry), revision

    async def watch(self, prefix: str, since: Revision) -> AsyncIterator[Sequence[Change]]:
        async for changes in self._storage.watch(prefix, since):
            yield [self._change(change) for change in changes]

    def subscribe(self, subscriber: Subscriber) -> None:
        self._followed = True
        self._storage.subscribe(lambda changes: subscriber([self._change(change) for change in changes]))

    async def compact(self, revision: Revision) -> None:
        await self._storage.compact(revision)

    async def wait_failed(self) -> None:
        await self._storage.wait_failed()

    async def close(self) -> None:
        await self._storage.close()
