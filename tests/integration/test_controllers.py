"""All controllers with the real API server, the scheduler and simulated nodes, in one process."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TypeVar

import pytest

from pybernetes.api import apps_v1, core_v1, discovery_v1, meta_v1
from pybernetes.api.object import Object
from pybernetes.apiserver.config import Config
from pybernetes.apiserver.inprocess import InProcessClient
from pybernetes.apiserver.server import ApiServer
from pybernetes.client.interface import Propagation
from pybernetes.controllers.manager import Manager
from pybernetes.controllers.options import Options
from pybernetes.effects import Chance, SystemClock
from pybernetes.machinery.errors import NotFound
from pybernetes.scheduler.scheduler import Scheduler, SchedulerConfig
from pybernetes.simnode import simnode
from pybernetes.simnode.config import SimConfig
from pybernetes.storage.memory import open_memory
from support.objects import deployment, template, with_meta, with_spec

CLOCK = SystemClock()
T = TypeVar("T", bound=Object)


@pytest.fixture
async def client() -> AsyncIterator[InProcessClient]:
    """A cluster of three simulated nodes."""
    storage = open_memory(CLOCK)
    async with ApiServer(Config(), storage) as server:
        made = server.client()
        parts = (
            Manager(made, CLOCK, Chance(1), Options(root_ca="PEM")).run(),
            Scheduler(made, CLOCK, Chance(2), SchedulerConfig()).run(),
            simnode.run(made, SimConfig(count=3), CLOCK, Chance(3)),
        )
        tasks = [asyncio.create_task(part) for part in parts]
        yield made
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
    await storage.close()
    assert [result for result in results if isinstance(result, Exception)] == []


async def eventually(what: str, condition: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    for _ in range(int(seconds / 0.02)):
        if await condition():
            return
        await CLOCK.sleep(0.02)
    raise AssertionError(f"not within {seconds} s: {what}")


async def names(client: InProcessClient, kind: type[Object], namespace: str = "default") -> list[str]:
    return [value.name for value in (await client.list(kind, namespace)).items]


async def gone(client: InProcessClient, kind: type[Object], name: str, namespace: str = "default") -> bool:
    try:
        await client.get(kind, name, namespace)
    except NotFound:
        return True
    return False


async def available(client: InProcessClient, name: str, replicas: int) -> bool:
    status = (await client.get(apps_v1.Deployment, name, "default")).status
    return status.availableReplicas == status.updatedReplicas == status.replicas == replicas


async def test_a_deployment_runs_heals_rolls_out_and_goes(client: InProcessClient) -> None:
    await client.create(deployment())
    await eventually("3 available", lambda: available(client, "web", 3))
    service = core_v1.Service(
        metadata=meta_v1.ObjectMeta(name="web", namespace="default"),
        spec=core_v1.ServiceSpec(selector={"app": "web"}, ports=[core_v1.ServicePort(port=80)]),
    )
    await client.create(service)

    async def has_endpoints() -> bool:
        slices = (
            await client.list(discovery_v1.EndpointSlice, "default", labels="kubernetes.io/service-name=web")
        ).items
        return sum(bool(e.conditions.ready) for s in slices for e in s.endpoints) == 3

    await eventually("3 ready endpoints", has_endpoints)
    lost = (await names(client, core_v1.Pod))[0]
    await client.delete(core_v1.Pod, lost, "default", grace_period_seconds=0)
    await eventually("lost pod replaced", lambda: available(client, "web", 3))
    stored = await client.get(apps_v1.Deployment, "web", "default")
    await client.update(with_spec(with_meta(stored, resourceVersion=""), template=template("web:2")))

    async def rolled_out() -> bool:
        pods = (await client.list(core_v1.Pod, "default")).items
        return await available(client, "web", 3) and {p.spec.containers[0].image for p in pods} == {"web:2"}

    await eventually("rolled out", rolled_out)
    assert len(await names(client, apps_v1.ReplicaSet)) == 2
    await client.delete(apps_v1.Deployment, "web", "default", propagation=Propagation.FOREGROUND)
    await eventually("everything gone", lambda: gone(client, apps_v1.Deployment, "web"))
    assert await names(client, core_v1.Pod) == []
    assert await names(client, apps_v1.ReplicaSet) == []


async def test_a_namespace_goes_with_its_running_pods(client: InProcessClient) -> None:
    await client.create(core_v1.Namespace(metadata=meta_v1.ObjectMeta(name="doomed")))
    await client.create(with_meta(deployment(), namespace="doomed"))

    async def running() -> bool:
        pods = (await client.list(core_v1.Pod, "doomed")).items
        return len(pods) == 3 and all(p.status.phase == "Running" for p in pods)

    await eventually("pods run", running)
    assert "kube-root-ca.crt" in await names(client, core_v1.ConfigMap, "doomed")
    await client.delete(core_v1.Namespace, "doomed")
    await eventually("namespace gone", lambda: gone(client, core_v1.Namespace, "doomed", ""))
    assert await names(client, core_v1.Pod, "doomed") == []


async def test_a_daemon_set_has_a_pod_on_every_node(client: InProcessClient) -> None:
    daemon = apps_v1.DaemonSet(
        metadata=meta_v1.ObjectMeta(name="agent", namespace="default"),
        spec=apps_v1.DaemonSetSpec(
            selector=meta_v1.LabelSelector(matchLabels={"app": "agent"}), template=template("agent:1", app="agent")
        ),
    )
    await client.create(daemon)

    async def everywhere() -> bool:
        status = (await client.get(apps_v1.DaemonSet, "agent", "default")).status
        return status.numberAvailable == status.desiredNumberScheduled == 3

    await eventually("a pod on each of 3 nodes", everywhere)
    pods = (await client.list(core_v1.Pod, "default")).items
    assert len({p.spec.nodeName for p in pods}) == 3
