from pybernetes.api import core_v1, meta_v1
from pybernetes.controllers.podgc.reconcile import beyond_threshold
from support.objects import node, template, with_meta, with_spec, with_status
from support.world import World


def pod(name: str, **meta: object) -> core_v1.Pod:
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(name=name, namespace="default", **meta),  # type: ignore[arg-type]
        spec=template().spec,
    )


async def on_node(world: World, name: str, node_name: str) -> core_v1.Pod:
    made = await world.client.create(pod(name))
    return await world.client.update(with_spec(made, nodeName=node_name))


async def test_pods_of_a_node_that_is_gone_are_finished_and_removed_after_a_while() -> None:
    async with World("pod-garbage-collector-controller").started() as world:
        for name in ("gone", "here"):
            await world.client.create(node(name))
        await on_node(world, "lost", "gone")
        await on_node(world, "kept", "here")
        await world.client.delete(core_v1.Node, "gone")
        await world.settle(30)
        assert len(await world.pods()) == 2
        await world.settle(15)
        assert [p.name for p in await world.pods()] == ["kept"]
        last = next(new for _, _, key, new, _ in reversed(world.client.history) if key[3] == "lost")
        assert last["status"]["phase"] == "Failed"
        assert last["status"]["conditions"][0]["reason"] == "DeletionByPodGC"


async def test_a_node_that_comes_back_in_time_keeps_its_pods() -> None:
    async with World("pod-garbage-collector-controller").started() as world:
        await world.client.create(node("n1"))
        await on_node(world, "kept", "n1")
        await world.client.delete(core_v1.Node, "n1")
        await world.settle(30)
        await world.client.create(node("n1"))
        await world.settle(60)
        assert [p.name for p in await world.pods()] == ["kept"]


async def test_a_pod_on_a_node_that_never_was_goes_too() -> None:
    async with World("pod-garbage-collector-controller").started() as world:
        await on_node(world, "lost", "never")
        await world.settle(45)
        assert await world.pods() == []


async def test_a_pod_deleted_before_it_had_a_node_goes_at_once() -> None:
    async with World("pod-garbage-collector-controller").started() as world:
        made = await on_node(world, "p", "")
        world.client.documents["", "pods", "default", "p"]["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        await world.client.update(with_meta(made, labels={"touched": "yes"}, resourceVersion=""))
        await world.settle()
        assert await world.pods() == []


def test_the_oldest_finished_pods_go_evicted_ones_first() -> None:
    pods = [
        with_status(pod("young", creationTimestamp="2026-01-03T00:00:00Z"), phase="Succeeded"),
        with_status(pod("old", creationTimestamp="2026-01-01T00:00:00Z"), phase="Failed"),
        with_status(pod("evicted", creationTimestamp="2026-01-02T00:00:00Z"), phase="Failed", reason="Evicted"),
        with_status(pod("running"), phase="Running"),
    ]
    assert [p.name for p in beyond_threshold(pods, 2)] == ["evicted"]
    assert [p.name for p in beyond_threshold(pods, 1)] == ["evicted", "old"]
    assert beyond_threshold(pods, 3) == []
