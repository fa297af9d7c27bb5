"""A store of one process: writes get their revisions in the loop, a medium makes them durable in groups.

    put ──► check against what is pending ──► revision, queue ──► medium: one commit for all that gathered
                                                                    │ durable
    answer ◄── subscribers, watchers ◄── visible state ◄────────────┘

A write is checked against the newest *pending* version of its key, so that two writers never both succeed from the
same revision; it becomes visible, and is answered, only when its commit is durable. A refusal that rests on a pending
version waits for it, too: who is told that a key exists can read it. If a commit fails, nothing is answered any more:
what follows was checked against writes that never happened, and the process should end (`wait_failed`).
"""

import asyncio
import heapq
import logging
from collections.abc import AsyncIterator, Coroutine, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NoReturn, Protocol

from pybernetes.effects import Clock
from pybernetes.storage.interface import (
    Change,
    Compacted,
    Entry,
    KeyExists,
    KeyNotFound,
    Page,
    Revision,
    RevisionConflict,
    StorageError,
    StoreFailed,
    Subscriber,
)
from pybernetes.storage.mvcc import State

log = logging.getLogger("pybernetes.storage")

MAX_WATCH_BACKLOG = 10_000
"""Commits a watcher may fall behind before it is told Compacted."""
EXPIRY_STEP_SECONDS = 1.0
MAX_EXPIRIES_PER_STEP = 1000
"""Keys deleted in one commit when many have outlived their TTL at once."""
MAX_HISTORY_BYTES = 64 * 1024 * 1024
"""Superseded values kept in memory; beyond, the older half of history is forgotten before its time. Arbitrary."""
REST_SECONDS = 0.2
"""Without a commit for this long, the medium tidies up."""


@dataclass(frozen=True, slots=True)
class Write:
    """One accepted write on its way to the medium. `expires` is wall time in seconds, 0 never."""

    change: Change
    expires: float = 0.0


class Medium(Protocol):
    """Where commits become durable."""

    async def commit(self, writes: Sequence[Write]) -> None:
        """Return when all of them are durable.

        Raises:
            StoreFailed: none of them is, or nobody knows.
        """
        ...

    async def compact(self, revision: Revision) -> None:
        """Remember that history up to `revision` is forgotten, and give space back.

        Raises:
            StoreFailed.
        """
        ...

    @property
    def wants_rest(self) -> bool:
        """There is something `rest` would do."""
        ...

    async def rest(self) -> None:
        """Do what is better done while nobody writes.

        Raises:
            StoreFailed.
        """
        ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class StorageStatistics:
    keys: int
    revision: int
    commits: int
    writes: int
    waiting: int
    watchers: int
    history_changes: int
    history_bytes: int


@dataclass(slots=True, eq=False)
class _Watcher:
    prefix: str
    batches: list[list[Change]] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False


class EmbeddedStorage:
    """Implements `interface.Storage` over a medium. Made by `memory.open_memory` and `sqlite.open_sqlite`."""

    def __init__(self, medium: Medium, state: State, clock: Clock, expiries: Iterable[tuple[str, float]] = ()) -> None:
        self._medium, self._state, self._clock = medium, state, clock
        self._assigned = int(state.revision)
        self._pending: dict[str, Change] = {}
        self._refused: dict[int, list[asyncio.Future[None]]] = {}
        """Writers refused because of a pending write, by its revision."""
        self._queue: list[tuple[Write, asyncio.Future[None]]] = []
        self._committer: asyncio.Task[None] | None = None
        self._subscribers: list[Subscriber] = []
        self._watchers: set[_Watcher] = set()
        self._failure: StoreFailed | None = None
        self._expiries = [(when, key) for key, when in expiries]
        heapq.heapify(self._expiries)
        self._expiring: dict[str, float] = {key: when for when, key in self._expiries}
        self._commits = self._writes = 0
        self._closed = False
        self._failed = asyncio.Event()
        self._rester: asyncio.Task[None] | None = None
        self._expirer: asyncio.Task[None] | None = None

    @property
    def revision(self) -> Revision:
        return self._state.revision

    @property
    def compacted(self) -> Revision:
        return self._state.compacted

    def statistics(self) -> StorageStatistics:
        return StorageStatistics(
            len(self._state),
            self.revision,
            self._commits,
            self._writes,
            len(self._queue),
            len(self._watchers),
            self._state.history_changes,
            self._state.history_bytes,
        )

    async def wait_failed(self) -> None:
        """Never return; see `interface.Storage`."""
        await self._failed.wait()
        assert self._failure is not None
        raise self._failure

    def newest(self, key: str) -> Entry | None:
        """The visible entry, without waiting."""
        return self._state.newest(key)

    async def get(self, key: str, revision: Revision | None = None) -> Entry:
        return self._state.get(key, revision)

    async def range(self, prefix: str, *, start: str = "", limit: int = 0, revision: Revision | None = None) -> Page:
        return self._state.range(prefix, start, limit, revision)

    async def put(self, key: str, value: bytes, *, expected: Revision | None = None, ttl_seconds: int = 0) -> Revision:
        current = self._present(key)
        if expected is not None:
            try:
                check(key, current, expected)
            except StorageError as refusal:
                await self._refuse(key, refusal)
        revision = self._next_revision()
        change = Change(
            key,
            value,
            current.value if current else None,
            current.create_revision if current else revision,
            revision,
            current.mod_revision if current else Revision(0),
        )
        expires = self._clock.now().timestamp() + ttl_seconds if ttl_seconds else 0.0
        await self._write(Write(change, expires))
        return revision

    async def delete(self, key: str, *, expected: Revision | None = None) -> tuple[Entry, Revision]:
        current = self._present(key)
        if current is None:
            await self._refuse(key, KeyNotFound(key))
        assert current is not None
        if expected is not None:
            try:
                check(key, current, expected)
            except StorageError as refusal:
                await self._refuse(key, refusal)
        revision = self._next_revision()
        await self._write(
            Write(Change(key, None, current.value, current.create_revision, revision, current.mod_revision))
        )
        return current, revision

    async def _refuse(self, key: str, refusal: StorageError) -> NoReturn:
        """Raise `refusal`, once what it rests on is durable and visible."""
        pending = self._pending.get(key)
        if pending is not None:
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._refused.setdefault(pending.mod_revision, []).append(done)
            await done
        raise refusal

    def _present(self, key: str) -> Entry | None:
        """The entry a new write follows: pending ones count."""
        if self._failure is not None:
            raise self._failure
        pending = self._pending.get(key)
        if pending is None:
            return self._state.newest(key)
        if pending.value is None:
            return None
        return Entry(key, pending.value, pending.create_revision, pending.mod_revision)

    def _next_revision(self) -> Revision:
        self._assigned += 1
        return Revision(self._assigned)

    async def _write(self, write: Write) -> None:
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._pending[write.change.key] = write.change
        self._queue.append((write, done))
        if self._committer is None:
            self._committer = asyncio.create_task(self._commit_all(), name="storage/commit")
        await done  # a writer that is cancelled gives up its answer only: the commit leaves cancelled answers alone

    async def _commit_all(self) -> None:
        try:
            while self._queue:
                group, self._queue = self._queue, []
                await self._commit([write for write, _ in group], [done for _, done in group])
        finally:
            self._committer = None
        if self._medium.wants_rest and self._rester is None and not self._closed:
            self._rester = asyncio.create_task(self._rest(), name="storage/rest")

    async def _commit(self, writes: Sequence[Write], answers: Sequence[asyncio.Future[None]]) -> None:
        try:
            await self._medium.commit(writes)
            self._show(writes)
        except StoreFailed as failure:
            self._fail(failure, answers)
            return
        except Exception as mistake:  # noqa: BLE001 - raised again by `wait_failed`
            # Ours, or a subscriber's. Nobody knows what is visible now: writers must not wait for ever.
            failed = StoreFailed(f"a commit could not be made or shown: {mistake!r}")
            failed.__cause__ = mistake  # `wait_failed` raises it
            self._fail(failed, answers)
            return
        for done in answers:
            if not done.done():
                done.set_result(None)
        if self._refused:
            for write in writes:
                for done in self._refused.pop(write.change.mod_revision, ()):
                    if not done.done():
                        done.set_result(None)

    def _show(self, writes: Sequence[Write]) -> None:
        """Make one durable commit visible, in one turn of the loop."""
        self._commits += 1
        self._writes += len(writes)
        changes = [write.change for write in writes]
        self._state.apply(changes)
        if self._state.history_bytes > MAX_HISTORY_BYTES:
            self._state.shorten(MAX_HISTORY_BYTES // 2)
        for write in writes:
            key = write.change.key
            if self._pending.get(key) is write.change:
                del self._pending[key]
            self._note_expiry(key, write.expires)
        for subscriber in self._subscribers:
            subscriber(changes)
        for watcher in self._watchers:
            _tell(watcher, changes)

    def _fail(self, failure: StoreFailed, answers: Sequence[asyncio.Future[None]] = ()) -> None:
        self._failure = failure
        log.critical("commit failed, the store accepts nothing more error=%s", failure)
        waiting, self._queue = self._queue, []
        refused, self._refused = self._refused, {}
        for done in (*answers, *(done for _, done in waiting), *(done for group in refused.values() for done in group)):
            if not done.done():
                done.set_exception(failure)
                done.exception()  # retrieved: its writer may be gone
        self._end_watches()
        self._failed.set()

    def _end_watches(self) -> None:
        for watcher in self._watchers:
            watcher.news.set()

    async def _rest(self) -> None:
        """Let the medium tidy up once nobody has written for a while."""
        try:
            while self._medium.wants_rest and self._failure is None:
                commits = self._commits
                await self._clock.sleep(REST_SECONDS)
                if commits == self._commits and self._committer is None:
                    await self._medium.rest()
        except StoreFailed as failure:
            self._fail(failure)
        finally:
            self._rester = None

    def _note_expiry(self, key: str, expires: float) -> None:
        if expires:
            self._expiring[key] = expires
            heapq.heappush(self._expiries, (expires, key))
            self._watch_expiries()
        else:
            self._expiring.pop(key, None)

    def _watch_expiries(self) -> None:
        """Have the task that deletes what has outlived its TTL, once there is anything that will."""
        if self._expiries and self._expirer is None and not self._closed:
            self._expirer = asyncio.create_task(self._expire_all(), name="storage/expiry")

    async def _expire_all(self) -> None:
        try:
            while self._expiries:
                wait = self._expiries[0][0] - self._clock.now().timestamp()
                # In steps, so that a key with an earlier end that arrives meanwhile is not late by much.
                await self._clock.sleep(min(max(wait, 0.0), EXPIRY_STEP_SECONDS))
                await self.expire()
        except StoreFailed:
            return  # every writer is told; nothing expires in a store that accepts no writes
        finally:
            self._expirer = None

    async def expire(self) -> int:
        """Delete what has outlived its TTL now; how many keys that were.

        Raises:
            StoreFailed.
        """
        now = self._clock.now().timestamp()
        removed = 0
        while self._expiries and self._expiries[0][0] <= now:
            due: list[Coroutine[None, None, tuple[Entry, Revision]]] = []
            while self._expiries and self._expiries[0][0] <= now and len(due) < MAX_EXPIRIES_PER_STEP:
                when, key = heapq.heappop(self._expiries)
                entry = self._state.newest(key)
                if self._expiring.get(key) == when and entry is not None:
                    due.append(self.delete(key, expected=entry.mod_revision))
            for answer in await asyncio.gather(*due, return_exceptions=True):
                if isinstance(answer, (KeyNotFound, RevisionConflict)):
                    continue  # it is gone, or lives on: its writer was faster
                if isinstance(answer, BaseException):
                    raise answer
                removed += 1
        return removed

    def subscribe(self, subscriber: Subscriber) -> None:
        self._subscribers.append(subscriber)
        self._watch_expiries()

    async def watch(self, prefix: str, since: Revision) -> AsyncIterator[Sequence[Change]]:
        past = self._state.since(prefix, since)
        watcher = _Watcher(prefix)
        self._watchers.add(watcher)
        try:
            if past:
                yield past
            if self._failure is not None:
                raise self._failure
            while True:
                await watcher.news.wait()
                watcher.news.clear()
                batches, watcher.batches = watcher.batches, []
                for batch in batches:
                    yield batch
                if watcher.lost:
                    raise Compacted(self.compacted)
                if self._failure is not None:
                    raise self._failure
        finally:
            self._watchers.discard(watcher)

    async def compact(self, revision: Revision) -> None:
        if self._failure is not None:
            raise self._failure
        self._state.compact(revision)
        try:
            await self._medium.compact(revision)
        except StoreFailed as failure:
            self._fail(failure)
            raise

    async def close(self) -> None:
        tasks = [task for task in (self._expirer, self._rester) if task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        while self._committer is not None:
            await asyncio.wait((self._committer,))
        if not self._closed:
            self._closed = True
            self._failure = self._failure or StoreFailed("the store is closed")
            self._end_watches()
            await self._medium.close()


def check(key: str, current: Entry | None, expected: Revision) -> None:
    """The guard of a write.

    Raises:
        KeyExists, KeyNotFound, RevisionConflict.
    """
    if not expected:
        if current is not None:
            raise KeyExists(key)
    elif current is None:
        raise KeyNotFound(key)
    elif current.mod_revision != expected:
        raise RevisionConflict(key, current)


def _tell(watcher: _Watcher, changes: Sequence[Change]) -> None:
    if watcher.lost:
        return
    batch = [change for change in changes if change.key.startswith(watcher.prefix)]
    if not batch:
        return
    if len(watcher.batches) >= MAX_WATCH_BACKLOG:
        watcher.lost = True
        watcher.batches.clear()
    else:
        watcher.batches.append(batch)
    watcher.news.set()
