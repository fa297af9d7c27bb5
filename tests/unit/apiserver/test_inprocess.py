import asyncio

import pytest

from pybernetes.api import core_v1 as core
from pybernetes.api.meta_v1 import ObjectMeta
from pybernetes.api.policy_v1 import Eviction
from pybernetes.client.interface import EventType, PatchType
from pybernetes.machinery.errors import Conflict, Expired, NotFound
from unit.apiserver.serving import serving


def config_map(name: str, **data: str) -> core.ConfigMap:
    return core.ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


async def test_typed_objects_go_in_and_come_out() -> None:
    async with serving() as server:
        client = server.api.client()
        made = await client.create(config_map("a", x="1"))
        assert (await client.get(core.ConfigMap, "a", "default")).data == {"x": "1"}
        await client.patch(core.ConfigMap, "a", "default", patch={"data": {"y": "2"}})
        with pytest.raises(Conflict):
            await client.update(made)
        operations = [{"op": "remove", "path": "/data/x"}]
        left = await client.patch(core.ConfigMap, "a", "default", patch=operations, patch_type=PatchType.JSON)
        assert left.data == {"y": "2"}
        listing = await client.list(core.ConfigMap, "default", limit=1)
        assert [item.name for item in listing.items] == ["a"]
        await client.delete(core.ConfigMap, "a", "default", uid=left.metadata.uid)
        with pytest.raises(NotFound):
            await client.get(core.ConfigMap, "a", "default")


async def test_watches_yield_typed_events_until_left() -> None:
    async with serving() as server:
        client = server.api.client()
        seen = []

        async def follow() -> None:
            async for event in client.watch(core.ConfigMap, "default"):
                seen.append((event.type, event.object.name))
                if event.type is EventType.DELETED:
                    return

        task = asyncio.create_task(follow())
        await server.clock.settle()
        await client.create(config_map("a"))
        await client.delete(core.ConfigMap, "a", "default")
        await task
        assert seen == [(EventType.ADDED, "a"), (EventType.DELETED, "a")]
        await server.clock.settle()
        assert not sum(server.api.core.watches.counts().values())


async def test_a_watch_too_far_back_raises_expired() -> None:
    async with serving() as server:
        client = server.api.client()
        await client.create(config_map("a"))
        server.api.core.cache.resource("/registry/configmaps/").replayable_after = server.storage.revision
        events = client.watch(core.ConfigMap, "default", resource_version="1")
        with pytest.raises(Expired):
            await anext(events)


async def test_subresources_take_other_kinds() -> None:
    async with serving() as server:
        client = server.api.client()
        spec = core.PodSpec(containers=[core.Container(name="c", image="demo")])
        pod = await client.create(core.Pod(metadata=ObjectMeta(name="p", namespace="default"), spec=spec))
        eviction = Eviction(metadata=ObjectMeta(name="p", namespace="default"))
        await client.create_subresource(pod, "eviction", eviction, Eviction)
        with pytest.raises(NotFound):
            await client.get(core.Pod, "p", "default")
