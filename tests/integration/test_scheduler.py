"""The scheduler against a real API server in the same process."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from pybernetes.api import core_v1, meta_v1, scheduling_v1
from pybernetes.apiserver.config import Config
from pybernetes.apiserver.inprocess import InProcessClient
from pybernetes.apiserver.server import ApiServer
from pybernetes.effects import Chance, SystemClock
from pybernetes.scheduler.scheduler import Scheduler, SchedulerConfig
from pybernetes.storage.memory import open_memory
from unit.scheduler.builders import node, pod

CLOCK = SystemClock()


@pytest.fixture
async def client() -> AsyncIterator[InProcessClient]:
    storage = open_memory(CLOCK)
    # No controller takes the taint of new nodes away here.
    config = Config(port=0, disabled_admission_plugins=frozenset({"TaintNodesByCondition"}))
    async with ApiServer(config, storage) as server:
        # What a controller would do: pods wait for their service account.
        account = meta_v1.ObjectMeta(name="default", namespace="default")
        await server.client().create(core_v1.ServiceAccount(metadata=account))
        yield server.client()
    await storage.close()


@pytest.fixture
async def scheduler(client: InProcessClient) -> AsyncIterator[Scheduler]:
    made = Scheduler(client, CLOCK, Chance(1), SchedulerConfig())
    running = asyncio.create_task(made.run())
    yield made
    running.cancel()
    await asyncio.wait((running,))


async def eventually(condition: Callable[[Sequence[core_v1.Pod]], bool], client: InProcessClient) -> list[core_v1.Pod]:
    """The pods once they satisfy `condition`; fails after ten seconds with what they are."""
    pods: Sequence[core_v1.Pod] = ()
    for _ in range(1000):
        pods = (await client.list(core_v1.Pod, "default")).items
        if condition(pods):
            return list(pods)
        await CLOCK.sleep(0.01)
    raise AssertionError(f"not within ten seconds: {[(p.name, p.spec.nodeName, p.status.conditions) for p in pods]}")


async def test_a_thousand_pods_fill_the_nodes_exactly_and_the_rest_waits_with_a_reason(
    client: InProcessClient, scheduler: Scheduler
) -> None:
    for number in range(10):
        await client.create(node(f"n{number}", cpu="8"))
    await asyncio.gather(*(client.create(pod(f"p{number}", cpu="100m")) for number in range(900)))
    pods = await eventually(lambda _: scheduler.queue.statistics().unschedulable == 100, client)
    per_node = {f"n{i}": sum(p.spec.nodeName == f"n{i}" for p in pods) for i in range(10)}
    assert set(per_node.values()) == {80}
    waiting = next(p for p in pods if not p.spec.nodeName)
    pods = await eventually(lambda pods: all(p.status.conditions for p in pods), client)
    waiting = next(p for p in pods if p.name == waiting.name)
    condition = next(c for c in waiting.status.conditions if c.type == "PodScheduled")
    assert (condition.status, condition.reason) == ("False", "Unschedulable")
    assert condition.message.startswith("0/10 nodes are available: 10 Insufficient cpu. preemption: 0/10 nodes")


async def test_a_new_node_wakes_pods_that_wait(client: InProcessClient, scheduler: Scheduler) -> None:
    await client.create(pod("p"))
    await eventually(lambda _: scheduler.queue.statistics().unschedulable == 1, client)
    await client.create(node("n"))
    (placed,) = await eventually(lambda pods: bool(pods[0].spec.nodeName), client)
    assert placed.spec.nodeName == "n"
    events = (await client.list(core_v1.Event, "default")).items
    assert {(e.reason, e.message) for e in events} >= {
        ("FailedScheduling", "no nodes available to schedule pods"),
        ("Scheduled", "Successfully assigned default/p to n"),
    }


async def test_a_scheduler_that_starts_again_goes_on_where_the_other_stopped(client: InProcessClient) -> None:
    await client.create(node("n", cpu="1"))
    for number in range(20):
        await client.create(pod(f"p{number}", cpu="100m"))
    for _ in range(2):
        one = Scheduler(client, CLOCK, Chance(2), SchedulerConfig())
        running = asyncio.create_task(one.run())
        await eventually(lambda pods: sum(bool(p.spec.nodeName) for p in pods) == 10, client)
        running.cancel()
        await asyncio.wait((running,))


async def test_a_more_important_pod_takes_the_place_of_a_less_important_one(
    client: InProcessClient, scheduler: Scheduler
) -> None:
    for name, value in (("less", 1), ("more", 10)):
        await client.create(scheduling_v1.PriorityClass(metadata=meta_v1.ObjectMeta(name=name), value=value))
    await client.create(node("n", cpu="1"))
    await client.create(pod("low", cpu="1", priority=1, priorityClassName="less"))
    await eventually(lambda pods: bool(pods[0].spec.nodeName), client)
    await client.create(pod("high", cpu="1", priority=10, priorityClassName="more"))
    pods = await eventually(lambda pods: any(p.metadata.deletionTimestamp for p in pods), client)
    low = next(p for p in pods if p.name == "low")
    assert any(c.reason == "PreemptionByScheduler" for c in low.status.conditions)
    await client.delete(core_v1.Pod, "low", "default", grace_period_seconds=0)
    pods = await eventually(lambda pods: len(pods) == 1 and bool(pods[0].spec.nodeName), client)
    assert pods[0].name == "high"
