"""What every store promises (`storage.interface`), asked of each of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from pybernetes.effects import Chance, VirtualClock
from pybernetes.storage import embedded
from pybernetes.storage.embedded import EmbeddedStorage
from pybernetes.storage.interface import (
    MUST_NOT_EXIST,
    Change,
    Compacted,
    FutureRevision,
    KeyExists,
    KeyNotFound,
    Revision,
    RevisionConflict,
    StoreFailed,
)
from pybernetes.storage.memory import open_memory
from pybernetes.storage.sqlite import open_sqlite

PODS = "/registry/pods/"
A, B, C = (f"{PODS}default/{name}" for name in "abc")


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture(params=["memory", "sqlite"])
async def store(request: pytest.FixtureRequest, tmp_path: Path, clock: VirtualClock) -> AsyncIterator[EmbeddedStorage]:
    made = open_memory(clock) if request.param == "memory" else open_sqlite(tmp_path / "state.db", clock)
    yield made
    await made.close()


async def keys(store: EmbeddedStorage, revision: Revision | None = None) -> list[str]:
    return [entry.key for entry in (await store.range(PODS, revision=revision)).entries]


async def test_revisions_grow_by_one_over_the_whole_store(store: EmbeddedStorage) -> None:
    first = await store.put(A, b"1")
    assert await store.put("/registry/services/x", b"1") == first + 1
    assert store.revision == first + 1


async def test_an_entry_keeps_its_create_revision_until_it_is_deleted(store: EmbeddedStorage) -> None:
    created = await store.put(A, b"1")
    changed = await store.put(A, b"2", expected=created)
    entry = await store.get(A)
    assert (entry.value, entry.create_revision, entry.mod_revision) == (b"2", created, changed)
    await store.delete(A)
    assert await store.put(A, b"3") == changed + 2
    assert (await store.get(A)).create_revision == changed + 2


async def test_guards_are_checked_against_the_revision_and_the_presence_of_the_key(store: EmbeddedStorage) -> None:
    with pytest.raises(KeyNotFound):
        await store.put(A, b"1", expected=Revision(7))
    created = await store.put(A, b"1", expected=MUST_NOT_EXIST)
    with pytest.raises(KeyExists):
        await store.put(A, b"1", expected=MUST_NOT_EXIST)
    await store.put(A, b"2", expected=created)
    with pytest.raises(RevisionConflict) as conflict:
        await store.delete(A, expected=created)
    assert conflict.value.current.value == b"2"
    with pytest.raises(KeyNotFound):
        await store.delete(B)


async def test_of_many_writers_from_one_revision_exactly_one_wins(store: EmbeddedStorage) -> None:
    created = await store.put(A, b"0")
    results = await asyncio.gather(
        *(store.put(A, b"%d" % n, expected=created) for n in range(20)), return_exceptions=True
    )
    assert sum(isinstance(result, int) for result in results) == 1
    assert sum(isinstance(result, RevisionConflict) for result in results) == 19


async def test_who_is_refused_because_of_a_write_on_its_way_can_read_that_write(store: EmbeddedStorage) -> None:
    async def create() -> bytes:
        with pytest.raises(KeyExists):
            await store.put(A, b"second", expected=MUST_NOT_EXIST)
        return (await store.get(A)).value

    _, seen = await asyncio.gather(store.put(A, b"first", expected=MUST_NOT_EXIST), create())
    assert seen == b"first"

    async def delete_again() -> list[str]:
        with pytest.raises(KeyNotFound):
            await store.delete(A)
        return await keys(store)

    _, left = await asyncio.gather(store.delete(A), delete_again())
    assert left == []


async def test_a_range_is_in_key_order_and_ends_with_its_prefix(store: EmbeddedStorage) -> None:
    for key in (C, A, "/registry/podsother/x", B):
        await store.put(key, b"1")
    assert await keys(store) == [A, B, C]


async def test_pages_follow_each_other_and_tell_what_remains(store: EmbeddedStorage) -> None:
    for key in (A, B, C):
        await store.put(key, b"1")
    first = await store.range(PODS, limit=2)
    assert ([e.key for e in first.entries], first.more, first.remaining) == ([A, B], True, 1)
    second = await store.range(PODS, start=B + "\0", limit=2, revision=first.revision)
    assert ([e.key for e in second.entries], second.more) == ([C], False)


async def test_an_older_revision_shows_what_was(store: EmbeddedStorage) -> None:
    one = await store.put(A, b"1")
    two = await store.put(B, b"2")
    await store.put(A, b"3")
    await store.delete(B)
    await store.put(C, b"4")
    assert await keys(store, two) == [A, B]
    assert (await store.get(A, two)).mod_revision == one
    assert await keys(store, one) == [A]


async def test_the_future_is_refused(store: EmbeddedStorage) -> None:
    with pytest.raises(FutureRevision):
        await store.get(A, Revision(store.revision + 1))


async def test_what_is_compacted_is_refused_and_the_rest_remains(store: EmbeddedStorage) -> None:
    one = await store.put(A, b"1")
    two = await store.put(A, b"2")
    three = await store.put(A, b"3")
    await store.compact(two)
    with pytest.raises(Compacted):
        await store.get(A, one)
    assert (await store.get(A, two)).value == b"2"
    assert (await store.get(A, three)).value == b"3"
    with pytest.raises(Compacted):
        await anext(store.watch(PODS, one))


async def collect(store: EmbeddedStorage, prefix: str, since: Revision, count: int) -> list[Change]:
    found: list[Change] = []
    async for batch in store.watch(prefix, since):
        assert batch
        found.extend(batch)
        if len(found) >= count:
            return found
    raise AssertionError("the watch ended")


async def test_a_watch_sees_every_change_once_in_order_from_past_into_future(
    store: EmbeddedStorage, clock: VirtualClock
) -> None:
    start = store.revision
    await store.put(A, b"1")
    watching = asyncio.create_task(collect(store, PODS, start, 4))
    await clock.settle()
    await store.put(B, b"1")
    await store.put("/registry/other/x", b"1")
    await store.put(A, b"2")
    await store.delete(B)
    changes = await watching
    assert [(c.key, c.value, c.previous) for c in changes] == [
        (A, b"1", None),
        (B, b"1", None),
        (A, b"2", b"1"),
        (B, None, b"1"),
    ]
    revisions = [c.mod_revision for c in changes]
    assert revisions == sorted(set(revisions))


async def test_a_subscriber_sees_a_write_before_its_writer_is_answered(store: EmbeddedStorage) -> None:
    seen: list[int] = []

    def note(changes: Sequence[Change]) -> None:
        seen.extend(change.mod_revision for change in changes)

    store.subscribe(note)
    revision = await store.put(A, b"1")
    assert seen == [revision]


async def test_a_key_with_a_lifetime_goes_when_it_is_over(store: EmbeddedStorage, clock: VirtualClock) -> None:
    await store.put(A, b"1", ttl_seconds=60)
    await store.put(B, b"1", ttl_seconds=60)
    await store.put(B, b"2")
    await clock.advance(59)
    assert await keys(store) == [A, B]
    watching = asyncio.create_task(collect(store, PODS, store.revision, 1))
    await clock.advance(1)
    assert [(change.key, change.value) for change in await watching] == [(A, None)]
    assert await keys(store) == [B]


async def test_many_keys_go_at_once_and_one_that_lives_on_stays(store: EmbeddedStorage, clock: VirtualClock) -> None:
    await asyncio.gather(*(store.put(f"{PODS}x/{n}", b"1", ttl_seconds=5) for n in range(50)))
    await store.put(f"{PODS}x/7", b"2", ttl_seconds=60)
    before = store.statistics().commits
    await clock.advance(4)
    assert len(await keys(store)) == 50
    watching = asyncio.create_task(collect(store, PODS, store.revision, 49))
    await clock.advance(1)
    assert len(await watching) == 49
    assert await keys(store) == [f"{PODS}x/7"]
    assert store.statistics().commits == before + 1


async def test_a_watch_and_whoever_waits_for_failure_end_with_the_store(
    store: EmbeddedStorage, clock: VirtualClock
) -> None:
    watching = asyncio.create_task(collect(store, PODS, store.revision, 1))
    await clock.settle()
    await store.close()
    with pytest.raises(StoreFailed):
        await watching


async def test_a_subscriber_that_fails_ends_the_store_and_no_writer_waits_for_ever(store: EmbeddedStorage) -> None:
    def broken(_: Sequence[Change]) -> None:
        raise LookupError("a mistake")

    store.subscribe(broken)
    with pytest.raises(StoreFailed):
        await store.put(A, b"1")
    with pytest.raises(StoreFailed, match="a mistake"):
        await store.wait_failed()
    with pytest.raises(StoreFailed):
        await store.put(B, b"1")


async def test_history_is_bounded_in_bytes_whatever_the_compaction_interval(
    store: EmbeddedStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "MAX_HISTORY_BYTES", 1000)
    start = store.revision
    for number in range(100):
        await store.put(A, b"%0100d" % number)
        assert store.statistics().history_bytes <= 1000
    with pytest.raises(Compacted):
        await anext(store.watch(PODS, start))
    assert (await store.get(A, Revision(store.revision - 1))).value == b"%0100d" % 98


async def test_a_closed_store_refuses_writes(store: EmbeddedStorage) -> None:
    await store.put(A, b"1")
    await store.close()
    with pytest.raises(StoreFailed):
        await store.put(A, b"2")


@pytest.mark.parametrize("seed", range(5))
async def test_a_random_history_reads_at_every_revision_as_it_was_written(store: EmbeddedStorage, seed: int) -> None:
    chance = Chance(seed)
    model: dict[str, bytes] = {}
    snapshots: dict[int, dict[str, bytes]] = {}
    start = store.revision
    for step in range(100):
        key = f"{PODS}ns/{chance.randint(0, 9)}"
        if key in model and chance.uniform(0, 1) < 0.3:
            _, revision = await store.delete(key)
            del model[key]
        else:
            model[key] = b"%d" % step
            revision = await store.put(key, model[key])
        snapshots[revision] = dict(model)
    for then, expected in snapshots.items():
        page = await store.range(PODS, revision=Revision(then))
        assert {entry.key: entry.value for entry in page.entries} == expected
    replayed: dict[str, bytes] = {}
    for change in await collect(store, PODS, start, 100):
        if change.value is None:
            del replayed[change.key]
        else:
            replayed[change.key] = change.value
        assert replayed == snapshots[change.mod_revision]
