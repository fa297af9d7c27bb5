"""The whole store in memory: one `ResourceCache` per prefix, fed by every commit before it is acknowledged.

Whoever got an answer to a write reads that write here, because the store calls `apply` before it answers. The API
server's reads, authorization and admission all use this one copy.

Follows: apiserver pkg/storage/cacher/cacher.go.
"""

import asyncio
import heapq
import itertools
import logging
from collections.abc import Iterator, Sequence

from pybernetes.api.registry import group_versions
from pybernetes.apiserver.cache.resource_cache import Observer, ResourceCache
from pybernetes.apiserver.request import Document
from pybernetes.apiserver.scheme import ROOT, STORED_ELSEWHERE, Scheme, storage_prefix
from pybernetes.storage.interface import Change, Storage

log = logging.getLogger("pybernetes.apiserver.cache")

_TWO_LEVELS = frozenset({"services"})
"""First path components that are no prefix of their own; names with a dot are groups, which never are."""
KEPT = frozenset(
    {
        "apiservices",
        "clusterrolebindings",
        "clusterroles",
        "customresourcedefinitions",
        "flowschemas",
        "limitranges",
        "minions",
        "mutatingwebhookconfigurations",
        "namespaces",
        "priorityclasses",
        "prioritylevelconfigurations",
        "resourcequotas",
        "rolebindings",
        "roles",
        "runtimeclasses",
        "serviceaccounts",
        "validatingadmissionpolicies",
        "validatingadmissionpolicybindings",
        "validatingwebhookconfigurations",
    }
)
"""Prefixes whose documents stay decoded: few objects, read by authorization and admission with every request."""
LOAD_PAGE = 5000
"""Objects read from the store at a time at start."""


class WatchCache:
    """See the module. Implements `request.ObjectReader`."""

    def __init__(self, storage: Storage, scheme: Scheme) -> None:
        self._storage = storage
        self._scheme = scheme
        self._resources: dict[str, ResourceCache] = {}
        self._loaded_at = 0
        self.revision = 0
        """Everything up to this revision is visible here."""
        self._prefixes: dict[tuple[str, str], str] = {}
        self._waiters: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = itertools.count()
        self._written: dict[str, tuple[bytes, Document, Document | None]] = {}

    async def load(self) -> None:
        """Read everything. The caller feeds commits from the very same revision on."""
        start = ""
        revision = None
        while True:
            page = await self._storage.range(ROOT, start=start, limit=LOAD_PAGE, revision=revision)
            revision = page.revision
            if not start:
                self._loaded_at = self.revision = page.revision
            for entry in page.entries:
                self._cache_of(entry.key).load(entry)
            if not page.more:
                break
            start = page.entries[-1].key + "\0"

    def prefix_of(self, key: str) -> str:
        """The prefix of a store key: `/registry/pods/`, `/registry/services/specs/`, `/registry/GROUP/PLURAL/`."""
        first, _, rest = key[len(ROOT) :].partition("/")
        if first in _TWO_LEVELS or "." in first:
            return f"{ROOT}{first}/{rest.partition('/')[0]}/"
        return f"{ROOT}{first}/"

    def _cache_of(self, key: str) -> ResourceCache:
        return self.resource(self.prefix_of(key))

    def resource(self, prefix: str) -> ResourceCache:
        """The cache of one prefix; empty ones come into being when asked for."""
        found = self._resources.get(prefix)
        if found is None:
            found = self._resources[prefix] = ResourceCache(prefix, self._loaded_at)
            if prefix.rstrip("/").rpartition("/")[2] in KEPT:
                found.keep()
        return found

    def expect(self, key: str, value: bytes, document: Document, old: Document | None = None) -> None:
        """The writer of `value` has it decoded, and maybe what it replaces: nobody else need decode them."""
        self._written[key] = (value, document, old)

    def unexpect(self, key: str, value: bytes) -> None:
        """The write is over, whatever came of it."""
        written = self._written.get(key)
        if written is not None and written[0] is value:
            del self._written[key]

    async def wait_for(self, revision: int) -> None:
        """Return when everything up to `revision` is visible."""
        if self.revision < revision:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            heapq.heappush(self._waiters, (revision, next(self._numbers), waiter))
            await waiter

    def apply(self, changes: Sequence[Change]) -> None:
        """Make one commit visible; called by the store, in order, before any of it is acknowledged."""
        touched: dict[str, ResourceCache] = {}
        for change in changes:
            cache = self._cache_of(change.key)
            written = self._written.pop(change.key, None) if self._written else None
            if written is not None and written[0] is change.value:
                cache.apply(change, written[1], written[2])
            else:
                cache.apply(change)
            touched[cache.prefix] = cache
            self.revision = max(self.revision, change.mod_revision)
        while self._waiters and self._waiters[0][0] <= self.revision:
            _, _, waiter = heapq.heappop(self._waiters)
            if not waiter.done():
                waiter.set_result(None)
        for cache in touched.values():
            cache.batch_ends()

    # ── request.ObjectReader ──

    def cache_for(self, group: str, plural: str) -> ResourceCache:
        """The cache of a resource, custom ones included."""
        prefix = self._prefixes.get((group, plural))
        if prefix is None:
            served = self._scheme.any_version(group, plural)
            if served is not None:
                prefix = served.prefix
                self._prefixes[group, plural] = prefix
            else:
                # Of a definition that is not there yet, or of a resource that is not served.
                stored = STORED_ELSEWHERE.get((group, plural), (group, plural))
                prefix = storage_prefix(*stored, custom=group not in group_versions())
        return self.resource(prefix)

    def get(self, group: str, plural: str, namespace: str, name: str) -> Document | None:
        key = f"{namespace}/{name}" if namespace else name
        found = self.cache_for(group, plural).objects.get(key)
        return found.document if found is not None else None

    def list(self, group: str, plural: str, namespace: str = "") -> Iterator[Document]:
        for obj in self.cache_for(group, plural).select(namespace):
            yield obj.document

    def subscribe(self, group: str, plural: str, observer: Observer) -> None:
        self.cache_for(group, plural).observe(observer)

    def statistics(self) -> dict[str, int]:
        """Objects per prefix."""
        return {prefix: len(cache.objects) for prefix, cache in self._resources.items()}
