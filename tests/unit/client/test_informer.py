import asyncio

import msgspec
import pytest

from pybernetes.api import core_v1, meta_v1
from pybernetes.client.informer import Informer
from pybernetes.client.interface import Unreachable
from pybernetes.effects import Chance, VirtualClock
from support.fake_client import FakeClient
from support.running import quiet, running


def config_map(name: str, **labels: str) -> core_v1.ConfigMap:
    return core_v1.ConfigMap(metadata=meta_v1.ObjectMeta(name=name, namespace="default", labels=labels))


def informer_of(client: FakeClient, labels: str = "") -> Informer[core_v1.ConfigMap]:
    return Informer(client, core_v1.ConfigMap, clock=client.clock, chance=Chance(1), labels=labels)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def client(clock: VirtualClock) -> FakeClient:
    return FakeClient(clock)


async def test_handlers_see_every_object_once_and_then_each_change_in_order(
    client: FakeClient, clock: VirtualClock
) -> None:
    first = await client.create(config_map("first"))
    informer = informer_of(client)
    seen: list[str] = []
    informer.add_handler(
        lambda new: seen.append(f"+{new.name}"),
        lambda _old, new: seen.append(f"~{new.name}"),
        lambda old: seen.append(f"-{old.name}"),
    )
    async with running(informer.run()):
        await informer.wait_synced()
        await client.create(config_map("second"))
        await client.update(msgspec.structs.replace(first, data={"a": "1"}))
        await client.delete(core_v1.ConfigMap, "second", "default")
        await quiet(clock)
    assert seen == ["+first", "+second", "~first", "-second"]


async def test_lost_history_means_listing_again_and_telling_only_what_changed(
    client: FakeClient, clock: VirtualClock
) -> None:
    for name in ("stays", "goes"):
        await client.create(config_map(name))
    informer = informer_of(client)
    seen: list[str] = []
    async with running(informer.run()):
        await informer.wait_synced()
        informer.add_handler(lambda new: seen.append(f"+{new.name}"), None, lambda old: seen.append(f"-{old.name}"))
        seen.clear()
    await client.delete(core_v1.ConfigMap, "goes", "default")
    await client.create(config_map("comes"))
    client.forget_history()
    async with running(informer.run()):
        await clock.advance(5)
    assert sorted(seen) == ["+comes", "-goes"]
    assert informer.statistics().lists == 2


async def test_an_object_made_anew_under_its_old_name_is_a_deletion_and_a_creation(
    client: FakeClient, clock: VirtualClock
) -> None:
    await client.create(config_map("a"))
    informer = informer_of(client)
    async with running(informer.run()):
        await informer.wait_synced()
    seen: list[str] = []
    informer.add_handler(lambda _: seen.append("+"), lambda _old, _new: seen.append("~"), lambda _: seen.append("-"))
    seen.clear()
    await client.delete(core_v1.ConfigMap, "a", "default")
    await client.create(config_map("a"))
    client.forget_history()
    async with running(informer.run()):
        await clock.advance(5)
    assert seen == ["-", "+"]


async def test_a_server_that_is_away_is_asked_again_later_and_later(clock: VirtualClock, client: FakeClient) -> None:
    class Away(FakeClient):
        attempts = 0

        async def list(self, *_: object, **__: object) -> None:  # type: ignore[override]
            self.attempts += 1
            raise Unreachable("refused")

    away = Away(clock)
    async with running(informer_of(away).run()):
        await clock.advance(60)
    assert 3 <= away.attempts <= 8


async def test_waiting_for_a_write_ends_when_the_copy_has_it(client: FakeClient, clock: VirtualClock) -> None:
    informer = informer_of(client)
    async with running(informer.run()):
        await informer.wait_synced()
        made = await client.create(config_map("a"))
        assert informer.get("default/a") is None
        await asyncio.wait_for(informer.wait_until_observed(made.metadata.resourceVersion), 5)
        assert informer.get("default/a") is not None
        gone = asyncio.create_task(informer.wait_for("default/a", lambda value: value is None))
        await client.delete(core_v1.ConfigMap, "a", "default")
        await asyncio.wait_for(gone, 5)
    assert informer.get("default/a") is None


async def test_an_index_follows_changes(client: FakeClient, clock: VirtualClock) -> None:
    informer = informer_of(client)
    informer.index("tier", lambda value: [value.metadata.labels.get("tier", "")])
    async with running(informer.run()):
        await informer.wait_synced()
        made = await client.create(config_map("a", tier="front"))
        await quiet(clock)
        assert [value.name for value in informer.by_index("tier", "front")] == ["a"]
        meta = msgspec.structs.replace(made.metadata, labels={"tier": "back"})
        await client.update(msgspec.structs.replace(made, metadata=meta))
        await quiet(clock)
    assert informer.by_index("tier", "front") == []
    assert [value.name for value in informer.by_index("tier", "back")] == ["a"]


async def test_a_label_selector_makes_objects_come_and_go(client: FakeClient, clock: VirtualClock) -> None:
    informer = informer_of(client, labels="tier=front")
    async with running(informer.run()):
        await informer.wait_synced()
        made = await client.create(config_map("a", tier="front"))
        await client.create(config_map("b", tier="back"))
        await quiet(clock)
        assert [value.name for value in informer.list()] == ["a"]
        meta = msgspec.structs.replace(made.metadata, labels={})
        await client.update(msgspec.structs.replace(made, metadata=meta))
        await quiet(clock)
    assert informer.list() == []
