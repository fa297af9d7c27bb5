import asyncio

import pytest

from pybernetes.api import coordination_v1
from pybernetes.client.interface import Unreachable
from pybernetes.client.leader_election import LeaderElector, LeadershipLost
from pybernetes.effects import Chance, VirtualClock
from support.fake_client import FakeClient
from support.running import running


class Candidate:
    def __init__(self, client: FakeClient, name: str, clock: VirtualClock) -> None:
        self.elector = LeaderElector(client, "kube-system", "kube-scheduler", name, clock, Chance(1))
        self.starts = 0

    async def lead(self) -> None:
        self.starts += 1
        await asyncio.Event().wait()

    async def run(self) -> None:
        await self.elector.run(self.lead)


async def test_only_one_of_two_candidates_leads() -> None:
    clock = VirtualClock()
    client = FakeClient(clock)
    one, two = Candidate(client, "one", clock), Candidate(client, "two", clock)
    async with running(one.run(), two.run()):
        await clock.advance(120)
        assert one.elector.leading != two.elector.leading
        assert one.starts + two.starts == 1


async def test_an_orderly_end_hands_over_within_seconds() -> None:
    clock = VirtualClock()
    client = FakeClient(clock)
    one, two = Candidate(client, "one", clock), Candidate(client, "two", clock)
    async with running(one.run()):
        await clock.advance(10)
    async with running(two.run()):
        await clock.advance(5)
        assert two.elector.leading
        lease = await client.get(coordination_v1.Lease, "kube-scheduler", "kube-system")
        assert lease.spec.holderIdentity == "two"


async def test_a_silent_holder_is_replaced_after_the_leases_duration() -> None:
    clock = VirtualClock()
    client = FakeClient(clock)
    one, two = Candidate(client, "one", clock), Candidate(client, "two", clock)
    leading = asyncio.create_task(one.run())
    await clock.advance(10)
    client.fault = lambda _verb, _plural, _name: Unreachable("cut off")
    leading.cancel()
    await asyncio.gather(leading, return_exceptions=True)
    client.fault = lambda _verb, _plural, _name: None
    async with running(two.run()):
        await clock.advance(14)
        assert not two.elector.leading
        await clock.advance(10)
        assert two.elector.leading


async def test_a_leader_that_cannot_renew_stops_before_another_may_start() -> None:
    clock = VirtualClock()
    client = FakeClient(clock)
    one = Candidate(client, "one", clock)
    leading = asyncio.create_task(one.run())
    await clock.advance(10)
    assert one.elector.leading
    client.fault = lambda _verb, _plural, _name: Unreachable("cut off")
    await clock.advance(13)
    assert leading.done()
    with pytest.raises(LeadershipLost):
        await leading
