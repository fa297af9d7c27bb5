"""The store without a medium: for tests, simulation and clusters that may be forgotten."""

from collections.abc import Sequence

from pybernetes.effects import Clock
from pybernetes.storage.embedded import EmbeddedStorage, Write
from pybernetes.storage.interface import Revision
from pybernetes.storage.mvcc import State


class Nothing:
    """A medium on which everything is durable at once."""

    wants_rest = False

    async def commit(self, writes: Sequence[Write]) -> None:
        pass

    async def compact(self, revision: Revision) -> None:
        pass

    async def rest(self) -> None:
        pass

    async def close(self) -> None:
        pass


def open_memory(clock: Clock) -> EmbeddedStorage:
    """An empty store that lives as long as the process."""
    return EmbeddedStorage(Nothing(), State(revision=1, compacted=1), clock)
