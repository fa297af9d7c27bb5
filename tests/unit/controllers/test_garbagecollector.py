from typing import TypeVar

import pytest

from pybernetes.api import apiextensions_v1, apps_v1, core_v1, meta_v1
from pybernetes.api.object import Object
from pybernetes.api.registry import Resource
from pybernetes.client.interface import Propagation
from pybernetes.client.metadata import partial
from pybernetes.controllers.owners import controller_reference
from support.objects import deployment, replica_set, with_meta
from support.world import World

GC = "garbage-collector-controller"
T = TypeVar("T", bound=Object)


def config_map(name: str, *owners: meta_v1.OwnerReference, namespace: str = "default") -> core_v1.ConfigMap:
    return core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name=name, namespace=namespace, ownerReferences=[*owners]))


async def chain(world: World) -> tuple[apps_v1.Deployment, apps_v1.ReplicaSet, core_v1.ConfigMap]:
    """A Deployment that owns a ReplicaSet that owns a ConfigMap."""
    top = await world.client.create(deployment())
    middle = await world.client.create(with_meta(replica_set("web-1"), ownerReferences=[controller_reference(top)]))
    bottom = await world.client.create(config_map("leaf", controller_reference(middle)))
    await world.settle()
    return top, middle, bottom


async def left(world: World) -> list[str]:
    kinds: tuple[type[Object], ...] = (apps_v1.Deployment, apps_v1.ReplicaSet, core_v1.ConfigMap)
    return [value.name for kind in kinds for value in await world.all(kind)]


@pytest.mark.parametrize("propagation", [None, Propagation.BACKGROUND, Propagation.FOREGROUND])
async def test_what_is_owned_goes_with_its_owner(propagation: Propagation | None) -> None:
    async with World(GC).started() as world:
        await chain(world)
        await world.client.delete(apps_v1.Deployment, "web", "default", propagation=propagation)
        await world.settle(5)
        assert await left(world) == []


async def test_foreground_deletion_keeps_the_owner_until_its_dependents_are_gone() -> None:
    async with World(GC).started() as world:
        top, _, bottom = await chain(world)
        await world.client.update(with_meta(bottom, finalizers=["example.com/hold"]))
        await world.client.delete(apps_v1.Deployment, "web", "default", propagation=Propagation.FOREGROUND)
        await world.settle(5)
        assert await left(world) == ["web", "web-1", "leaf"]
        held = await world.one(core_v1.ConfigMap, "leaf")
        assert held.metadata.deletionTimestamp is not None
        await world.client.update(with_meta(held, finalizers=[]))
        await world.settle(5)
        assert await left(world) == []
        assert top.name == "web"


async def test_orphans_lose_the_reference_and_stay() -> None:
    async with World(GC).started() as world:
        await chain(world)
        await world.client.delete(apps_v1.Deployment, "web", "default", propagation=Propagation.ORPHAN)
        await world.settle(5)
        assert await left(world) == ["web-1", "leaf"]
        assert (await world.one(apps_v1.ReplicaSet, "web-1")).metadata.ownerReferences == []


async def test_a_dependent_with_one_owner_left_stays_and_forgets_the_other() -> None:
    async with World(GC).started() as world:
        one = await world.client.create(config_map("one"))
        two = await world.client.create(config_map("two"))
        references = [controller_reference(one), controller_reference(two)]
        references[1] = meta_v1.OwnerReference(apiVersion="v1", kind="ConfigMap", name="two", uid=two.metadata.uid)
        await world.client.create(config_map("child", *references))
        await world.settle()
        await world.client.delete(core_v1.ConfigMap, "one", "default")
        await world.settle(5)
        child = await world.one(core_v1.ConfigMap, "child")
        assert [r.name for r in child.metadata.ownerReferences] == ["two"]


async def test_a_reference_to_an_owner_that_never_was_is_followed_to_the_end() -> None:
    async with World(GC).started() as world:
        ghost = meta_v1.OwnerReference(apiVersion="v1", kind="ConfigMap", name="ghost", uid="no-such-uid")
        await world.client.create(config_map("child", ghost))
        await world.settle(5)
        assert await left(world) == []


async def test_an_owner_in_another_namespace_is_none() -> None:
    async with World(GC).started() as world:
        owner = await world.client.create(config_map("owner", namespace="other"))
        await world.client.create(config_map("child", controller_reference(owner)))
        await world.settle(5)
        world.manager.controllers[0].queue.add((await world.one(core_v1.ConfigMap, "owner", "other")).metadata.uid)
        assert await left(world) in (["owner"], ["child", "owner"])


async def test_a_circle_of_owners_is_broken_by_foreground_deletion() -> None:
    async with World(GC).started() as world:
        one = await world.client.create(config_map("one"))
        two = await world.client.create(config_map("two", controller_reference(one)))
        await world.client.update(with_meta(one, ownerReferences=[controller_reference(two)]))
        await world.settle()
        await world.client.delete(core_v1.ConfigMap, "one", "default", propagation=Propagation.FOREGROUND)
        await world.settle(60)
        assert await left(world) == []


async def test_objects_found_at_the_start_are_looked_at_too() -> None:
    world = World(GC)
    ghost = meta_v1.OwnerReference(apiVersion="v1", kind="ConfigMap", name="ghost", uid="no-such-uid")
    await world.client.create(config_map("child", ghost))
    kept = await world.client.create(config_map("kept"))
    await world.client.create(config_map("keeps", controller_reference(kept)))
    async with world.started():
        await world.settle(5)
        assert await left(world) == ["keeps", "kept"]


async def test_owners_of_kinds_that_come_later_are_followed_too() -> None:
    async with World(GC).started() as world:
        widgets = Resource(
            "example.com",
            "v1",
            "Widget",
            "widgets",
            "widget",
            True,
            ("create", "delete", "get", "list", "watch"),
            "WidgetList",
        )
        world.client.serve(widgets)
        crd = meta_v1.ObjectMeta(name="widgets.example.com")
        await world.client.create(apiextensions_v1.CustomResourceDefinition(metadata=crd))
        await world.settle(2)
        kind = partial("example.com", "v1", "Widget", "widgets", namespaced=True)
        owner = await world.client.create(kind(metadata=meta_v1.ObjectMeta(name="w", namespace="default")))
        reference = meta_v1.OwnerReference(apiVersion="example.com/v1", kind="Widget", name="w", uid=owner.metadata.uid)
        await world.client.create(config_map("owned", reference))
        await world.settle(2)
        assert await left(world) == ["owned"]
        await world.client.delete(kind, "w", "default")
        await world.settle(2)
        assert await left(world) == []


async def test_a_dependent_of_an_unknown_kind_is_left_alone() -> None:
    async with World(GC).started() as world:
        reference = meta_v1.OwnerReference(apiVersion="example.com/v1", kind="Ghost", name="g", uid="u")
        await world.client.create(config_map("owned", reference))
        await world.settle(30)
        assert await left(world) == ["owned"]
