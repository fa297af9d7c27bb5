import pytest

from pybernetes.client.workqueue import WorkQueue
from pybernetes.effects import VirtualClock
from support.running import quiet, running


async def test_a_key_added_twice_waits_once() -> None:
    queue = WorkQueue(VirtualClock())
    queue.add("a")
    queue.add("a")
    assert await queue.get() == "a"
    assert queue.statistics().waiting == 0


async def test_a_key_added_while_it_is_worked_on_comes_again_only_after_done() -> None:
    queue = WorkQueue(VirtualClock())
    queue.add("a")
    key = await queue.get()
    queue.add("a")
    assert queue.statistics().waiting == 0
    queue.done(key)
    assert await queue.get() == "a"


async def test_the_earliest_of_several_deadlines_counts() -> None:
    clock = VirtualClock()
    queue = WorkQueue(clock)
    async with running(queue.run()):
        queue.add_after("a", 10)
        await quiet(clock)
        queue.add_after("a", 3)
        queue.add_after("a", 20)
        await clock.advance(2.9)
        assert queue.statistics().waiting == 0
        await clock.advance(0.2)
        assert queue.statistics().waiting == 1
        await clock.advance(30)
        assert queue.statistics().waiting == 1


@pytest.mark.parametrize(("failures", "seconds"), [(1, 0.005), (2, 0.010), (5, 0.080), (60, 1000.0)])
async def test_each_failure_doubles_the_wait_up_to_a_limit(failures: int, seconds: float) -> None:
    clock = VirtualClock()
    queue = WorkQueue(clock)
    async with running(queue.run()):
        for _ in range(failures - 1):
            queue.add_rate_limited("a")
            await clock.advance(1001)
            queue.done(await queue.get())
        queue.add_rate_limited("a")
        await clock.advance(seconds * 0.99)
        assert queue.statistics().waiting == 0
        await clock.advance(seconds * 0.02)
        assert queue.statistics().waiting == 1


async def test_a_burst_of_failures_over_many_keys_is_spread() -> None:
    clock = VirtualClock()
    queue = WorkQueue(clock)
    async with running(queue.run()):
        for number in range(150):
            queue.add_rate_limited(str(number))
        await clock.advance(1)
        assert queue.statistics().waiting == 110
        await clock.advance(4)
        assert queue.statistics().waiting == 150


async def test_forgetting_starts_over() -> None:
    clock = VirtualClock()
    queue = WorkQueue(clock)
    for _ in range(5):
        queue.add_rate_limited("a")
    queue.forget("a")
    assert queue.failures("a") == 0
