from typing import Any

from pybernetes.api import core_v1, storage_v1
from support.objects import made, with_meta, with_status
from support.world import World

CLAIMS, VOLUMES, CLASSES = (
    "persistentvolumeclaim-protection-controller",
    "persistentvolume-protection-controller",
    "volumeattributesclass-protection-controller",
)


def claim(**spec: Any) -> core_v1.PersistentVolumeClaim:
    return made(core_v1.PersistentVolumeClaim, {"metadata": {"name": "c", "namespace": "default"}, "spec": spec})


def pod(node: str) -> core_v1.Pod:
    volumes = [{"name": "v", "persistentVolumeClaim": {"claimName": "c"}}]
    spec = {"volumes": volumes, "containers": [{"name": "c", "image": "i"}], **({"nodeName": node} if node else {})}
    return made(core_v1.Pod, {"metadata": {"name": f"p-{node}", "namespace": "default"}, "spec": spec})


async def test_objects_made_without_the_finalizer_get_it() -> None:
    async with World(CLAIMS).started() as world:
        await world.client.create(claim())
        await world.settle()
        assert (await world.one(core_v1.PersistentVolumeClaim, "c")).metadata.finalizers == [
            "kubernetes.io/pvc-protection"
        ]


async def test_a_claim_stays_while_a_pod_on_a_node_uses_it() -> None:
    async with World(CLAIMS).started() as world:
        await world.client.create(claim())
        await world.client.create(pod("n1"))
        await world.client.create(pod(""))
        await world.settle()
        await world.client.delete(core_v1.PersistentVolumeClaim, "c", "default")
        await world.settle()
        assert len(await world.all(core_v1.PersistentVolumeClaim)) == 1
        world.client.remove_now(core_v1.Pod, "default/p-n1")
        await world.settle()
        assert await world.all(core_v1.PersistentVolumeClaim) == []


async def test_a_volume_stays_while_it_is_bound() -> None:
    async with World(VOLUMES).started() as world:
        made_ = await world.client.create(made(core_v1.PersistentVolume, {"metadata": {"name": "v"}}))
        await world.settle()
        stored = await world.one(core_v1.PersistentVolume, "v", "")
        await world.client.update(with_status(stored, phase="Bound"), subresource="status")
        await world.client.delete(core_v1.PersistentVolume, "v")
        await world.settle()
        stored = await world.one(core_v1.PersistentVolume, "v", "")
        assert stored.metadata.uid == made_.metadata.uid
        await world.client.update(with_status(stored, phase="Released"), subresource="status")
        await world.settle()
        assert await world.all(core_v1.PersistentVolume) == []


async def test_an_attributes_class_stays_while_a_claim_names_it() -> None:
    async with World(CLASSES).started() as world:
        await world.client.create(made(storage_v1.VolumeAttributesClass, {"metadata": {"name": "gold"}}))
        await world.client.create(claim(volumeAttributesClassName="gold"))
        await world.settle()
        await world.client.delete(storage_v1.VolumeAttributesClass, "gold")
        await world.settle()
        assert len(await world.all(storage_v1.VolumeAttributesClass)) == 1
        stored = await world.one(core_v1.PersistentVolumeClaim, "c")
        await world.client.update(with_meta(stored, labels={"a": "b"}))
        await world.settle()
        assert len(await world.all(storage_v1.VolumeAttributesClass)) == 1
        world.client.remove_now(core_v1.PersistentVolumeClaim, "default/c")
        await world.settle()
        assert await world.all(storage_v1.VolumeAttributesClass) == []
