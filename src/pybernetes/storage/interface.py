"""What every store promises: etcd's semantics, whatever lies underneath.

    put · delete      one key, guarded by the modification revision the writer has seen
    get · range       at the newest or at an older revision
    watch             every change since a revision, in revision order, none missing and none twice
    compact           forgets what is older

One revision counter covers the whole store. A write is acknowledged when it is durable, and visible to readers and
watchers from then on, never before; a refusal never rests on a version that cannot be read yet. Values are opaque
bytes.

    StorageError
    ├── KeyNotFound         get, delete, or a guarded put of a key that is not there
    ├── KeyExists           a put that must create
    ├── RevisionConflict    the key is at another revision than the guard says; carries the current entry
    ├── Compacted           the revision is older than what is kept; carries the oldest kept one
    ├── FutureRevision      the revision has not happened yet
    └── StoreFailed         the medium failed; nothing written since is acknowledged, the process should end

Follows: etcd server/storage/mvcc; apiserver pkg/storage/interfaces.go.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import NewType, Protocol

Revision = NewType("Revision", int)

MUST_NOT_EXIST = Revision(0)
"""Guard of a put that creates."""


class StorageError(Exception):
    """Anything a store refuses."""


class KeyNotFound(StorageError):
    def __init__(self, key: str) -> None:
        super().__init__(f"key {key} not found")
        self.key = key


class KeyExists(StorageError):
    def __init__(self, key: str) -> None:
        super().__init__(f"key {key} already exists")
        self.key = key


class RevisionConflict(StorageError):
    def __init__(self, key: str, current: "Entry") -> None:
        super().__init__(f"key {key} is at revision {current.mod_revision}")
        self.key = key
        self.current = current


class Compacted(StorageError):
    def __init__(self, oldest: Revision) -> None:
        super().__init__(f"required revision has been compacted; the oldest kept is {oldest}")
        self.oldest = oldest


class FutureRevision(StorageError):
    def __init__(self, asked: int, current: Revision) -> None:
        super().__init__(f"required revision {asked} is a future revision; the store is at {current}")
        self.asked = asked
        self.current = current


class StoreFailed(StorageError):
    """The medium failed; restart on a healthy one."""


@dataclass(frozen=True, slots=True)
class Entry:
    key: str
    value: bytes
    create_revision: Revision
    mod_revision: Revision


@dataclass(frozen=True, slots=True)
class Page:
    """A range read. `more`: keys after the last one remain. `remaining`: how many."""

    entries: Sequence[Entry]
    revision: Revision
    more: bool = False
    remaining: int = 0


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one key, as watchers see it.

    A deletion has `value` None; `previous` is the value before, None for a creation. `mod_revision` is the
    revision of this change, also for deletions.
    """

    key: str
    value: bytes | None
    previous: bytes | None
    create_revision: Revision
    mod_revision: Revision
    previous_revision: Revision = Revision(0)
    """The modification revision `previous` had; 0 for a creation."""


Subscriber = Callable[[Sequence[Change]], None]
"""Called in the event loop with the changes of one commit, before any of its writers is answered."""


class Storage(Protocol):
    """See the module. Keys are `/registry/…` paths; prefixes end with `/`."""

    @property
    def revision(self) -> Revision:
        """The newest visible revision."""
        ...

    async def get(self, key: str, revision: Revision | None = None) -> Entry:
        """The entry at the newest or the given revision.

        Raises:
            KeyNotFound, Compacted, FutureRevision.
        """
        ...

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: Revision | None = None) -> Page:
        """Entries under `prefix` in key order, from `start` (a whole key, included) on, at most `limit` (0: all).

        Raises:
            Compacted, FutureRevision.
        """
        ...

    async def put(self, key: str, value: bytes, *, expected: Revision | None = None, ttl_seconds: int = 0) -> Revision:
        """Write, and return the new revision once it is durable.

        `expected` None writes whatever is there; MUST_NOT_EXIST creates; else the key must be at that revision.
        After `ttl_seconds` (0: never) the store deletes the key, to the second.

        Raises:
            KeyExists, KeyNotFound, RevisionConflict, StoreFailed.
        """
        ...

    async def delete(self, key: str, *, expected: Revision | None = None) -> tuple[Entry, Revision]:
        """Remove the key; the entry it had and the revision of the deletion, once durable.

        Raises:
            KeyNotFound, RevisionConflict, StoreFailed.
        """
        ...

    def watch(self, prefix: str, since: Revision) -> AsyncIterator[Sequence[Change]]:
        """Changes under `prefix` with `mod_revision > since`, one non-empty batch per commit that has any.

        A watcher that falls further behind than history is kept ends with Compacted; one of a store that fails or is
        closed ends with StoreFailed.

        Raises:
            Compacted, StoreFailed: at any step.
        """
        ...

    def subscribe(self, subscriber: Subscriber) -> None:
        """Call `subscriber` for every commit from now on: how a cache stays exactly as new as the store."""
        ...

    async def compact(self, revision: Revision) -> None:
        """Forget versions superseded at or before `revision`; reads before it raise Compacted from now on."""
        ...

    async def wait_failed(self) -> None:
        """Wait until the medium fails, for whoever runs the process: it should end then.

        Raises:
            StoreFailed.
        """
        ...

    async def close(self) -> None:
        """Finish what was begun and release the medium; further calls raise StoreFailed."""
        ...
