"""The store against a model that keeps a whole dictionary per revision, in random order of everything one can do."""

import asyncio

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from pybernetes.effects import VirtualClock
from pybernetes.storage.interface import (
    Compacted,
    Entry,
    KeyExists,
    KeyNotFound,
    Revision,
    RevisionConflict,
    StorageError,
)
from pybernetes.storage.memory import open_memory

ROOT = "/registry/pods/"
NAMES = st.sampled_from("abcde")
GUARDS = st.sampled_from(["none", "absent", "current", "old"])


class StoreAgainstModel(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.store = open_memory(VirtualClock())
        self.revision = int(self.store.revision)
        self.states: dict[int, dict[str, Entry]] = {self.revision: {}}
        self.compacted = self.revision

    def teardown(self) -> None:
        self.loop.run_until_complete(self.store.close())
        self.loop.close()

    @property
    def now(self) -> dict[str, Entry]:
        return self.states[self.revision]

    def guard(self, key: str, kind: str) -> Revision | None:
        if kind == "none":
            return None
        if kind == "absent":
            return Revision(0)
        present = self.now.get(key)
        revision = present.mod_revision if present else self.revision
        return Revision(revision if kind == "current" else revision - 1 or 1)

    def refusal(self, key: str, guard: Revision | None, *, deleting: bool) -> type[StorageError] | None:
        present = self.now.get(key)
        if deleting and present is None:
            return KeyNotFound
        if guard is None:
            return None
        if guard == 0:
            return KeyExists if present else None
        if present is None:
            return KeyNotFound
        return None if present.mod_revision == guard else RevisionConflict

    def happened(self, key: str, entry: Entry | None) -> None:
        state = dict(self.now)
        if entry is None:
            del state[key]
        else:
            state[key] = entry
        self.revision += 1
        self.states[self.revision] = state

    @rule(name=NAMES, value=st.binary(max_size=3), kind=GUARDS)
    def put(self, name: str, value: bytes, kind: str) -> None:
        key = ROOT + name
        guard = self.guard(key, kind)
        refusal = self.refusal(key, guard, deleting=False)
        writing = self.store.put(key, value, expected=guard)
        if refusal is not None:
            with pytest.raises(refusal):
                self.loop.run_until_complete(writing)
            return
        revision = self.loop.run_until_complete(writing)
        assert revision == self.revision + 1
        present = self.now.get(key)
        self.happened(key, Entry(key, value, present.create_revision if present else revision, revision))

    @rule(name=NAMES, kind=GUARDS)
    def delete(self, name: str, kind: str) -> None:
        key = ROOT + name
        guard = self.guard(key, kind)
        refusal = self.refusal(key, guard, deleting=True)
        deleting = self.store.delete(key, expected=guard)
        if refusal is not None:
            with pytest.raises(refusal):
                self.loop.run_until_complete(deleting)
            return
        entry, revision = self.loop.run_until_complete(deleting)
        assert (entry, revision) == (self.now[key], self.revision + 1)
        self.happened(key, None)

    @rule(names=st.lists(NAMES, min_size=1, max_size=6))
    def put_together(self, names: list[str]) -> None:
        async def all_of_them() -> list[Revision]:
            return await asyncio.gather(*(self.store.put(ROOT + name, name.encode()) for name in names))

        for name, revision in zip(names, self.loop.run_until_complete(all_of_them()), strict=True):
            assert revision == self.revision + 1
            present = self.now.get(ROOT + name)
            created = present.create_revision if present else revision
            self.happened(ROOT + name, Entry(ROOT + name, name.encode(), created, revision))

    @precondition(lambda self: self.revision > self.compacted)
    @rule(data=st.data())
    def compact(self, data: st.DataObject) -> None:
        self.compacted = data.draw(st.integers(self.compacted, self.revision))
        self.loop.run_until_complete(self.store.compact(Revision(self.compacted)))

    @rule(data=st.data(), limit=st.integers(1, 3))
    def read_in_pages(self, data: st.DataObject, limit: int) -> None:
        revision = Revision(data.draw(st.integers(1, self.revision)))
        found: list[Entry] = []
        start = ""
        while True:
            try:
                page = self.loop.run_until_complete(self.store.range(ROOT, start=start, limit=limit, revision=revision))
            except Compacted:
                assert revision < self.compacted
                return
            found.extend(page.entries)
            expected = sorted(self.states[revision].values(), key=lambda entry: entry.key)
            assert page.remaining == len(expected) - len(found)
            if not page.more:
                break
            start = page.entries[-1].key + "\0"
        assert found == expected

    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        since = data.draw(st.integers(self.compacted, self.revision))

        async def changes() -> list[tuple[str, bytes | None, int]]:
            found: list[tuple[str, bytes | None, int]] = []
            watch = self.store.watch(ROOT, Revision(since))
            while len(found) < self.revision - since:
                found.extend((c.key, c.value, c.mod_revision) for c in await anext(watch))
            return found

        for number, (key, value, revision) in enumerate(self.loop.run_until_complete(changes())):
            assert revision == since + number + 1
            after = self.states[revision].get(key)
            assert value == (after.value if after else None)

    @invariant()
    def the_newest_is_the_models(self) -> None:
        page = self.loop.run_until_complete(self.store.range(ROOT))
        assert {entry.key: entry for entry in page.entries} == self.now
        assert page.revision == self.revision


TestStoreAgainstModel = StoreAgainstModel.TestCase
TestStoreAgainstModel.settings = settings(max_examples=30, stateful_step_count=30, deadline=None)
