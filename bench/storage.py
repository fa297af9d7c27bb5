"""Writes per second and latency of the embedded stores, at 1, 10 and 100 writers, 3 kB values."""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from pybernetes.effects import SystemClock
from pybernetes.storage.embedded import EmbeddedStorage
from pybernetes.storage.memory import open_memory
from pybernetes.storage.sqlite import open_sqlite

VALUE = b"x" * 3000
SECONDS = 3.0


async def measure(store: EmbeddedStorage, writers: int) -> tuple[float, float, float]:
    """Writes per second, p50 and p99 in milliseconds."""
    latencies: list[float] = []
    end = time.perf_counter() + SECONDS

    async def write(number: int) -> None:
        count = 0
        while (start := time.perf_counter()) < end:
            await store.put(f"/registry/pods/w{number}/{count % 500}", VALUE)
            latencies.append(time.perf_counter() - start)
            count += 1

    await asyncio.gather(*(write(number) for number in range(writers)))
    ordered = statistics.quantiles(latencies, n=100)
    return len(latencies) / SECONDS, ordered[49] * 1000, ordered[98] * 1000


async def main() -> None:
    sys.setswitchinterval(0.0005)
    print(f"{'store':8} {'writers':>7} {'writes/s':>9} {'p50 ms':>7} {'p99 ms':>7}")
    with tempfile.TemporaryDirectory() as directory:
        opened: dict[str, Callable[[], EmbeddedStorage]] = {
            "memory": lambda: open_memory(SystemClock()),
            "sqlite": lambda: open_sqlite(Path(directory) / "state.db", SystemClock()),
        }
        for name, open_store in opened.items():
            store = open_store()
            for writers in (1, 10, 100):
                rate, p50, p99 = await measure(store, writers)
                print(f"{name:8} {writers:7} {rate:9.0f} {p50:7.2f} {p99:7.2f}")
            await store.close()


if __name__ == "__main__":
    asyncio.run(main())
