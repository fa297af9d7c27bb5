from pybernetes.api import meta_v1, networking_v1
from pybernetes.controllers.servicecidrs.reconcile import FINALIZER, STILL_USED, may_go
from support.world import World

NAME = "service-cidr-controller"


def service_cidr(name: str, *cidrs: str) -> networking_v1.ServiceCIDR:
    metadata = meta_v1.ObjectMeta(name=name)
    return networking_v1.ServiceCIDR(metadata=metadata, spec=networking_v1.ServiceCIDRSpec(cidrs=[*cidrs]))


def ip_address(name: str) -> networking_v1.IPAddress:
    labels = {"ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io"}
    return networking_v1.IPAddress(metadata=meta_v1.ObjectMeta(name=name, labels=labels))


async def test_a_new_range_is_protected_and_ready() -> None:
    async with World(NAME).started() as world:
        await world.client.create(service_cidr("more", "10.9.0.0/24"))
        await world.settle(1)
        found = await world.one(networking_v1.ServiceCIDR, "more", "")
        assert found.metadata.finalizers == [FINALIZER]
        assert [(c.type, c.status, c.message) for c in found.status.conditions] == [
            ("Ready", "True", "Kubernetes Service CIDR is ready")
        ]


async def test_a_range_in_use_waits_for_its_last_address_and_then_ten_seconds() -> None:
    async with World(NAME).started() as world:
        await world.client.create(service_cidr("more", "10.9.0.0/24"))
        await world.client.create(ip_address("10.9.0.7"))
        await world.settle(1)
        await world.client.delete(networking_v1.ServiceCIDR, "more")
        await world.settle(60)
        condition = (await world.one(networking_v1.ServiceCIDR, "more", "")).status.conditions[0]
        assert (condition.status, condition.reason, condition.message) == ("False", "Terminating", STILL_USED)
        await world.client.delete(networking_v1.IPAddress, "10.9.0.7")
        await world.settle(1)
        assert await world.all(networking_v1.ServiceCIDR) == []


async def test_an_unused_range_goes_ten_seconds_after_its_deletion() -> None:
    async with World(NAME).started() as world:
        await world.client.create(service_cidr("more", "10.9.0.0/24"))
        await world.settle(1)
        await world.client.delete(networking_v1.ServiceCIDR, "more")
        await world.settle(8)
        assert len(await world.all(networking_v1.ServiceCIDR)) == 1
        await world.settle(5)
        assert await world.all(networking_v1.ServiceCIDR) == []


def test_a_range_inside_another_one_may_go_though_its_addresses_are_in_use() -> None:
    inner, outer = service_cidr("inner", "10.9.0.0/28"), service_cidr("outer", "10.9.0.0/24")
    addresses = [ip_address("10.9.0.7")]
    assert may_go(inner, [inner, outer], addresses)
    assert not may_go(outer, [inner, outer], [*addresses, ip_address("10.9.0.99")])
    assert may_go(outer, [inner, outer], addresses)
