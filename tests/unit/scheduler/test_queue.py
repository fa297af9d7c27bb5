import asyncio

from pybernetes.effects import VirtualClock
from pybernetes.scheduler.pod_info import pod_info
from pybernetes.scheduler.queue import ClusterEvent, SchedulingQueue
from unit.scheduler.builders import pod


async def test_the_more_important_pod_comes_first_and_equals_in_order_of_arrival() -> None:
    queue = SchedulingQueue(VirtualClock())
    for name, priority in (("a", 0), ("b", 10), ("c", 0)):
        queue.add(pod_info(pod(name, priority=priority)))
    assert [(await queue.pop()).info.pod.name for _ in range(3)] == ["b", "a", "c"]


async def test_a_refused_pod_waits_for_an_event_that_helps_and_then_for_its_back_off() -> None:
    clock = VirtualClock()
    queue = SchedulingQueue(clock)
    running = asyncio.create_task(queue.run())
    queue.add(pod_info(pod("a")))
    queue.refused(await queue.pop(), ["NodeResourcesFit"])
    queue.wake(ClusterEvent.NODE_LABELS)
    assert queue.statistics().unschedulable == 1
    queue.wake(ClusterEvent.POD_GONE)
    assert queue.statistics().backoff == 1
    await clock.advance(1)
    assert queue.statistics().active == 1
    running.cancel()


async def test_an_event_during_the_attempt_is_not_missed() -> None:
    queue = SchedulingQueue(VirtualClock())
    queue.add(pod_info(pod("a")))
    waiting = await queue.pop()
    queue.wake(ClusterEvent.NODE_ADDED)
    queue.refused(waiting, ["NodeResourcesFit"])
    assert queue.statistics().backoff == 1


async def test_a_pod_deleted_during_its_attempt_does_not_return() -> None:
    queue = SchedulingQueue(VirtualClock())
    queue.add(pod_info(pod("a")))
    waiting = await queue.pop()
    queue.remove("uid-a")
    queue.refused(waiting, ["NodeResourcesFit"])
    queue.wake(ClusterEvent.NODE_ADDED)
    assert queue.statistics() == type(queue.statistics())(0, 0, 0)
