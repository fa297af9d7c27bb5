"""Cluster IPs with the real API server and its controllers: IPAddress objects, ranges, families, repair."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from pybernetes.api import core_v1, events_v1, meta_v1, networking_v1
from pybernetes.apiserver.config import Config
from pybernetes.apiserver.inprocess import InProcessClient
from pybernetes.apiserver.request import User
from pybernetes.apiserver.server import ApiServer
from pybernetes.controllers.manager import Manager
from pybernetes.controllers.options import Options
from pybernetes.effects import Chance, SystemClock
from pybernetes.machinery.errors import Invalid
from pybernetes.storage.memory import open_memory

CLOCK = SystemClock()
CONTROLLER_MANAGER = User("system:kube-controller-manager", groups=("system:authenticated",))
DUAL = "10.96.0.0/16,fd00:10:96::/112"


@asynccontextmanager
async def cluster(service_cidr: str = DUAL) -> AsyncIterator[InProcessClient]:
    storage = open_memory(CLOCK)
    async with ApiServer(Config(service_cidr=service_cidr, port=0), storage) as server:
        client = server.client()
        options = Options(controllers=("service-cidr-controller",))
        task = asyncio.create_task(Manager(server.client(CONTROLLER_MANAGER), CLOCK, Chance(1), options).run())
        yield client
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await storage.close()


def service(name: str, **spec: object) -> core_v1.Service:
    ports = [core_v1.ServicePort(port=80)]
    made = core_v1.ServiceSpec(ports=ports, selector={"a": "b"}, **spec)  # type: ignore[arg-type]
    return core_v1.Service(metadata=meta_v1.ObjectMeta(name=name, namespace="default"), spec=made)


async def addresses(client: InProcessClient) -> dict[str, str]:
    """Addresses and the names of the Services that have them."""
    found = (await client.list(networking_v1.IPAddress)).items
    return {row.name: row.spec.parentRef.name if row.spec.parentRef else "" for row in found}


async def eventually(what: str, condition: Callable[[], Awaitable[bool]], seconds: float = 20.0) -> None:
    for _ in range(int(seconds / 0.05)):
        if await condition():
            return
        await CLOCK.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


async def test_addresses_live_and_die_with_their_services() -> None:
    async with cluster() as client:
        assert await addresses(client) == {"10.96.0.1": "kubernetes"}
        made = await client.create(service("web", ipFamilyPolicy="PreferDualStack"))
        four, six = made.spec.clusterIPs
        assert four.startswith("10.96.")
        assert six.startswith("fd00:10:96::")
        assert await addresses(client) == {"10.96.0.1": "kubernetes", four: "web", six: "web"}
        with pytest.raises(Invalid, match="provided IP is already allocated"):
            await client.create(service("thief", clusterIP=four, clusterIPs=[four]))
        bad = core_v1.ServiceSpec(ports=[core_v1.ServicePort(port=80000)])
        with pytest.raises(Invalid, match=r"spec\.ports\[0\]\.port"):
            await client.create(core_v1.Service(metadata=meta_v1.ObjectMeta(name="x", namespace="default"), spec=bad))
        await client.create(service("dry"), dry_run=True)
        assert len(await addresses(client)) == 3
        await client.patch(core_v1.Service, "web", "default", patch={"spec": {"ipFamilyPolicy": "SingleStack"}})
        assert await addresses(client) == {"10.96.0.1": "kubernetes", four: "web"}
        await client.delete(core_v1.Service, "web", "default")
        assert await addresses(client) == {"10.96.0.1": "kubernetes"}


async def test_a_further_range_serves_services_until_it_is_deleted() -> None:
    async with cluster("10.96.0.0/30") as client:
        await client.create(service("last"))
        extra = networking_v1.ServiceCIDR(
            metadata=meta_v1.ObjectMeta(name="more"), spec=networking_v1.ServiceCIDRSpec(cidrs=["10.97.0.0/28"])
        )
        await client.create(extra)
        found = await client.create(service("more"))
        assert found.spec.clusterIP.startswith("10.97.0.")

        async def ready() -> bool:
            got = await client.get(networking_v1.ServiceCIDR, "more")
            return [c.status for c in got.status.conditions] == ["True"] and bool(got.metadata.finalizers)

        await eventually("the range is ready", ready)
        await client.delete(networking_v1.ServiceCIDR, "more")

        async def blocked() -> bool:
            got = await client.get(networking_v1.ServiceCIDR, "more")
            return [c.reason for c in got.status.conditions] == ["Terminating"]

        await eventually("the range waits", blocked)
        with pytest.raises(Invalid, match="does not match the current range"):
            await client.create(service("late", clusterIP="10.97.0.9", clusterIPs=["10.97.0.9"]))


async def test_an_address_that_somebody_deleted_comes_back_with_an_event() -> None:
    async with cluster() as client:
        made = await client.create(service("web"))
        await client.delete(networking_v1.IPAddress, made.spec.clusterIP)

        async def back() -> bool:
            return (await addresses(client)).get(made.spec.clusterIP) == "web"

        await eventually("the address is back", back)

        async def told() -> bool:
            events = (await client.list(events_v1.Event, "default")).items
            return "ClusterIPNotAllocated" in [event.reason for event in events]

        await eventually("somebody is told", told)
