from collections.abc import Sequence

from pybernetes.api import core_v1, meta_v1
from support.objects import node, with_spec
from support.world import World

TAINT = core_v1.Taint(key="k", effect="NoExecute")


def pod(seconds: int | None) -> core_v1.Pod:
    toleration = core_v1.Toleration(key="k", operator="Exists", tolerationSeconds=seconds)
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name="p", namespace="default"),
        spec=core_v1.PodSpec(
            nodeName="n1", tolerations=[toleration], containers=[core_v1.Container(name="c", image="i")]
        ),
    )


async def put_taints(world: World, *taints: core_v1.Taint) -> None:
    await world.client.update(with_spec(await world.one(core_v1.Node, "n1", ""), taints=list(taints)))
    await world.settle()


async def staying(world: World) -> Sequence[str]:
    return [found.name for found in await world.pods() if found.metadata.deletionTimestamp is None]


async def test_a_taint_without_a_time_counts_from_when_it_was_noticed() -> None:
    """What `kubectl taint` writes has no timeAdded."""
    async with World("taint-eviction-controller").started() as world:
        await world.client.create(node("n1"))
        await world.client.create(pod(30))
        await put_taints(world, TAINT)
        await world.settle(29)
        assert await staying(world) == ["p"]
        await world.settle(2)
        assert await staying(world) == []


async def test_a_taint_that_goes_in_time_evicts_nobody_and_a_later_one_counts_anew() -> None:
    async with World("taint-eviction-controller").started() as world:
        await world.client.create(node("n1"))
        await world.client.create(pod(30))
        await put_taints(world, TAINT)
        await world.settle(20)
        await put_taints(world)
        await world.settle(20)
        await put_taints(world, TAINT)
        await world.settle(20)
        assert await staying(world) == ["p"]
        await world.settle(11)
        assert await staying(world) == []
