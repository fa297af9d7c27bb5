import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, cast

import msgspec
import pytest

from pybernetes.api import core_v1
from pybernetes.effects import VirtualClock
from pybernetes.kubelet.references import WatchedReferences, references_of
from pybernetes.machinery.errors import NotFound, ServiceUnavailable
from unit.kubelet.fake_api import FakeApi

if TYPE_CHECKING:
    from pybernetes.client.interface import Client


def pod(uid: str = "u1", **spec: Any) -> core_v1.Pod:
    return msgspec.convert({"metadata": {"name": uid, "namespace": "shop", "uid": uid}, "spec": spec}, core_v1.Pod)


def config_map(name: str, **data: str) -> core_v1.ConfigMap:
    return msgspec.convert({"metadata": {"namespace": "shop", "name": name}, "data": data}, core_v1.ConfigMap)


def with_volume(name: str, uid: str = "u1") -> core_v1.Pod:
    return pod(uid, volumes=[{"name": "v", "configMap": {"name": name}}])


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def api(clock: VirtualClock) -> FakeApi:
    return FakeApi(clock)


@pytest.fixture
async def references(api: FakeApi, clock: VirtualClock) -> AsyncIterator[WatchedReferences]:
    made = WatchedReferences(cast("Client", api), clock)
    task = asyncio.create_task(made.run(), name="references")
    await clock.settle()
    yield made
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert api.watches == 0


def test_finds_every_place_that_can_name_an_object() -> None:
    subject = pod(
        imagePullSecrets=[{"name": "pull"}],
        containers=[
            {
                "name": "c",
                "envFrom": [{"configMapRef": {"name": "c1"}}, {"secretRef": {"name": "s1"}}],
                "env": [
                    {"name": "A", "valueFrom": {"configMapKeyRef": {"name": "c2", "key": "k"}}},
                    {"name": "B", "valueFrom": {"secretKeyRef": {"name": "s2", "key": "k"}}},
                ],
            }
        ],
        volumes=[
            {"name": "v1", "configMap": {"name": "c3"}},
            {"name": "v2", "secret": {"secretName": "s3"}},
            {
                "name": "v3",
                "projected": {"sources": [{"configMap": {"name": "c4"}}, {"secret": {"name": "s4"}}]},
            },
        ],
    )
    found = {(kind.KIND, name) for kind, _, name in references_of(subject)}
    expected = {("ConfigMap", f"c{n}") for n in (1, 2, 3, 4)} | {("Secret", f"s{n}") for n in (1, 2, 3, 4)}
    assert found == expected | {("Secret", "pull")}


async def test_an_object_is_watched_while_pods_refer_to_it_and_once_for_all(
    api: FakeApi, references: WatchedReferences, clock: VirtualClock
) -> None:
    api.put(config_map("settings", color="blue"))
    references.register(with_volume("settings", "u1"))
    references.register(with_volume("settings", "u2"))
    await clock.settle()
    assert api.watches == 1
    references.unregister("u1")
    await clock.settle()
    assert api.watches == 1
    references.unregister("u2")
    await clock.settle()
    assert api.watches == 0


async def test_changes_are_seen_and_told_to_the_pods_they_concern(
    api: FakeApi, references: WatchedReferences, clock: VirtualClock
) -> None:
    told: list[frozenset[str]] = []
    references.on_change(told.append)
    api.put(config_map("settings", color="blue"))
    references.register(with_volume("settings"))
    await clock.settle()
    assert (await references.config_map("shop", "settings")).data == {"color": "blue"}
    assert told == []
    api.put(config_map("settings", color="red"))
    await clock.settle()
    assert (await references.config_map("shop", "settings")).data == {"color": "red"}
    api.put(config_map("settings", color="red"))
    await clock.settle()
    assert told == [frozenset({"u1"})], "a change that pods cannot see is not told"


async def test_an_object_that_comes_late_is_found_and_one_that_goes_is_missed(
    api: FakeApi, references: WatchedReferences, clock: VirtualClock
) -> None:
    references.register(with_volume("late"))
    await clock.settle()
    with pytest.raises(NotFound, match='configmap "late" not found'):
        await references.config_map("shop", "late")
    api.put(config_map("late"))
    await clock.settle()
    await references.config_map("shop", "late")
    api.remove(core_v1.ConfigMap, "shop", "late")
    await clock.settle()
    with pytest.raises(NotFound):
        await references.config_map("shop", "late")


async def test_immutable_objects_are_not_watched(
    api: FakeApi, references: WatchedReferences, clock: VirtualClock
) -> None:
    api.put(msgspec.structs.replace(config_map("fixed"), immutable=True))
    references.register(with_volume("fixed"))
    await clock.settle()
    await references.config_map("shop", "fixed")
    assert api.watches == 0


async def test_while_the_api_server_is_away_a_pod_waits_a_second_and_then_is_told(
    api: FakeApi, references: WatchedReferences, clock: VirtualClock
) -> None:
    api.reachable = False
    references.register(with_volume("settings"))
    asking = asyncio.create_task(references.config_map("shop", "settings"))
    await clock.advance(1.1)
    with pytest.raises(ServiceUnavailable, match="failed to sync configmap cache: timed out"):
        await asking
    api.reachable = True
    api.put(config_map("settings"))
    await clock.advance(10)
    await references.config_map("shop", "settings")
