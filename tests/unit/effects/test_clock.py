import asyncio
from datetime import timedelta

from pybernetes.effects import VirtualClock, format_micro_time, format_time, parse_time


async def test_a_sleeper_that_sleeps_again_wakes_at_both_moments_of_one_advance() -> None:
    clock = VirtualClock()
    woken: list[float] = []

    async def sleep_twice() -> None:
        for _ in range(2):
            await clock.sleep(5)
            woken.append(clock.monotonic())

    task = asyncio.create_task(sleep_twice())
    await clock.advance(9)
    assert woken == [5]
    await clock.advance(1)
    assert woken == [5, 10]
    await task


async def test_sleepers_wake_in_the_order_of_their_deadlines() -> None:
    clock = VirtualClock()
    order: list[int] = []

    async def sleep(seconds: int) -> None:
        await clock.sleep(seconds)
        order.append(seconds)

    tasks = [asyncio.create_task(sleep(seconds)) for seconds in (3, 1, 2)]
    await clock.advance(3)
    assert order == [1, 2, 3]
    await asyncio.gather(*tasks)


def test_times_read_back_as_they_were_written() -> None:
    now = VirtualClock().now() + timedelta(microseconds=42)
    assert parse_time(format_micro_time(now)) == now
    assert format_time(now) == "2026-01-01T00:00:00Z"
