import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import core_v1
from pybernetes.controllers.nodeipam.reconcile import CidrSet, Network, RangeExhausted, sets_of
from support.objects import node, with_spec
from support.world import World


def test_ranges_are_given_out_in_order_and_freed_ones_last() -> None:
    chosen = CidrSet(ipaddress.ip_network("10.244.0.0/22"), 24)
    first = chosen.allocate()
    assert str(first) == "10.244.0.0/24"
    chosen.release(first)
    assert [str(chosen.allocate()) for _ in range(4)] == [
        "10.244.1.0/24",
        "10.244.2.0/24",
        "10.244.3.0/24",
        "10.244.0.0/24",
    ]
    with pytest.raises(RangeExhausted):
        chosen.allocate()


def test_the_part_that_services_use_is_left_out() -> None:
    (chosen,) = sets_of("10.96.0.0/11", 24, 64, "10.96.0.0/12")
    assert str(chosen.allocate()) == "10.112.0.0/24"


def test_a_mask_shorter_than_the_range_is_refused() -> None:
    with pytest.raises(ValueError, match="shorter than the cluster range"):
        CidrSet(ipaddress.ip_network("10.244.0.0/24"), 16)


@given(st.lists(st.booleans(), max_size=60))
def test_no_range_is_ever_given_twice(takes: list[bool]) -> None:
    chosen = CidrSet(ipaddress.ip_network("10.0.0.0/20"), 24)
    given_out: list[Network] = []
    for take in takes:
        if take and len(given_out) < 16:
            network = chosen.allocate()
            assert network not in given_out
            given_out.append(network)
        elif given_out:
            chosen.release(given_out.pop(0))


async def test_nodes_get_ranges_and_keep_those_they_have() -> None:
    world = World("node-ipam-controller")
    await world.client.create(with_spec(node("old"), podCIDR="10.244.0.0/24", podCIDRs=["10.244.0.0/24"]))
    async with world.started():
        for name in ("a", "b"):
            await world.client.create(node(name))
        await world.settle()
        ranges = {n.name: n.spec.podCIDR for n in await world.all(core_v1.Node)}
        assert ranges["old"] == "10.244.0.0/24"
        assert len(set(ranges.values())) == 3
        assert set(ranges.values()) == {"10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"}
