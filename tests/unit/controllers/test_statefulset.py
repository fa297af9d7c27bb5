from pybernetes.api import apps_v1, core_v1, meta_v1
from support.objects import selector, template, with_spec
from support.world import World

SETS = "statefulset-controller"


def stateful_set(replicas: int = 3, **spec: object) -> apps_v1.StatefulSet:
    fields: dict[str, object] = {"selector": selector(), "template": template(), "serviceName": "db", **spec}
    return apps_v1.StatefulSet(
        metadata=meta_v1.ObjectMeta(name="db", namespace="default"),
        spec=apps_v1.StatefulSetSpec(replicas=replicas, **fields),  # type: ignore[arg-type]
    )


async def names(world: World) -> list[str]:
    return sorted(pod.name for pod in await world.pods() if pod.metadata.deletionTimestamp is None)


async def all_up(world: World) -> None:
    for _ in range(8):
        await world.start_pods()
        await world.finish_deletions()


async def images(world: World) -> dict[str, str]:
    return {pod.name: pod.spec.containers[0].image for pod in await world.pods()}


async def status(world: World) -> apps_v1.StatefulSetStatus:
    return (await world.one(apps_v1.StatefulSet, "db")).status


async def test_pods_come_in_order_each_when_the_one_before_is_ready() -> None:
    async with World(SETS).started() as world:
        await world.client.create(stateful_set())
        await world.settle()
        assert await names(world) == ["db-0"]
        await world.start_pods()
        assert await names(world) == ["db-0", "db-1"]
        await all_up(world)
        assert await names(world) == ["db-0", "db-1", "db-2"]
        found = await status(world)
        assert (found.replicas, found.readyReplicas, found.currentReplicas, found.updatedReplicas) == (3, 3, 3, 3)
        pod = await world.one(core_v1.Pod, "db-1")
        assert pod.metadata.labels["apps.kubernetes.io/pod-index"] == "1"
        assert pod.metadata.labels["statefulset.kubernetes.io/pod-name"] == "db-1"
        assert (pod.spec.hostname, pod.spec.subdomain) == ("db-1", "db")
        assert (await world.messages())[0] == "SuccessfulCreate: create Pod db-0 in StatefulSet db successful"


async def test_a_second_look_changes_nothing() -> None:
    async with World(SETS).started() as world:
        await world.client.create(stateful_set())
        await all_up(world)
        world.client.writes()
        world.manager.controllers[0].queue.add("default/db")
        await world.settle(60)
        assert world.client.writes() == []


async def test_parallel_sets_start_and_stop_all_at_once() -> None:
    async with World(SETS).started() as world:
        await world.client.create(stateful_set(podManagementPolicy="Parallel"))
        await world.settle()
        assert len(await names(world)) == 3
        stored = await world.one(apps_v1.StatefulSet, "db")
        await world.client.update(with_spec(stored, replicas=0))
        await world.settle()
        assert await names(world) == []


async def test_the_highest_goes_first_and_the_next_only_when_it_is_gone() -> None:
    async with World(SETS).started() as world:
        await world.client.create(stateful_set())
        await all_up(world)
        stored = await world.one(apps_v1.StatefulSet, "db")
        await world.client.update(with_spec(stored, replicas=1))
        await world.settle()
        assert await names(world) == ["db-0", "db-1"]
        await world.finish_deletions()
        assert await names(world) == ["db-0"]


async def test_a_failed_pod_is_replaced_by_one_of_the_same_name() -> None:
    async with World(SETS).started() as world:
        await world.client.create(stateful_set(1))
        await all_up(world)
        first = await world.one(core_v1.Pod, "db-0")
        await world.set_phase(first, "Failed")
        await world.settle()
        await all_up(world)
        again = await world.one(core_v1.Pod, "db-0")
        assert again.metadata.uid != first.metadata.uid


async def test_an_update_goes_from_the_highest_down_to_the_partition() -> None:
    async with World(SETS).started() as world:
        update = apps_v1.StatefulSetUpdateStrategy(
            type="RollingUpdate", rollingUpdate=apps_v1.RollingUpdateStatefulSetStrategy(partition=1)
        )
        await world.client.create(stateful_set(updateStrategy=update))
        await all_up(world)
        stored = await world.one(apps_v1.StatefulSet, "db")
        stored = await world.client.update(with_spec(stored, template=template("web:2")))
        await world.settle()
        assert await names(world) == ["db-0", "db-1"]
        await all_up(world)
        assert await images(world) == {"db-0": "web:1", "db-1": "web:2", "db-2": "web:2"}
        found = await status(world)
        assert found.currentRevision != found.updateRevision
        lost = await world.one(core_v1.Pod, "db-0")
        await world.client.delete(core_v1.Pod, lost.name, lost.namespace)
        await all_up(world)
        assert (await images(world))["db-0"] == "web:1"
        stored = await world.one(apps_v1.StatefulSet, "db")
        whole = apps_v1.StatefulSetUpdateStrategy(
            type="RollingUpdate", rollingUpdate=apps_v1.RollingUpdateStatefulSetStrategy(partition=0)
        )
        await world.client.update(with_spec(stored, updateStrategy=whole))
        await world.settle()
        await all_up(world)
        assert set((await images(world)).values()) == {"web:2"}
        found = await status(world)
        assert found.currentRevision == found.updateRevision
        assert found.currentReplicas == 3


async def test_storage_is_claimed_for_each_pod_and_outlives_it() -> None:
    async with World(SETS).started() as world:
        data = core_v1.PersistentVolumeClaim(metadata=meta_v1.ObjectMeta(name="data"))
        await world.client.create(stateful_set(1, volumeClaimTemplates=[data]))
        await all_up(world)
        (claim,) = await world.all(core_v1.PersistentVolumeClaim)
        assert claim.name == "data-db-0"
        pod = await world.one(core_v1.Pod, "db-0")
        assert pod.spec.volumes[0].persistentVolumeClaim is not None
        assert pod.spec.volumes[0].persistentVolumeClaim.claimName == "data-db-0"
        stored = await world.one(apps_v1.StatefulSet, "db")
        await world.client.update(with_spec(stored, replicas=0))
        await world.settle()
        await world.finish_deletions()
        assert await names(world) == []
        assert len(await world.all(core_v1.PersistentVolumeClaim)) == 1
