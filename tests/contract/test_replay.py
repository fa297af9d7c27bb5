"""Lists and watches tell one story: a list at some version, with the watch from there, is the list at any later one.

Asked of a whole API server over each store, while writers that know nothing of each other change things.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from pybernetes.apiserver.config import Config
from pybernetes.apiserver.interfaces import NoAdmission
from pybernetes.apiserver.server import ApiServer, Parts
from pybernetes.effects import Chance, Ids, SystemClock
from pybernetes.machinery import labels
from pybernetes.machinery.errors import AlreadyExists, Conflict, NotFound
from pybernetes.storage.memory import open_memory
from pybernetes.storage.sqlite import open_sqlite

Json = dict[str, Any]
Objects = dict[str, Json]
"""By `namespace/name`."""

MAPS = "/api/v1/configmaps"
NAMES = tuple("abcdefgh")
NAMESPACES = ("default", "other")
SELECTORS = ("", "color=red", "color!=red", "color in (red,blue),size", "!color")
WRITERS = 4
WRITES = 60
SEEDS = range(3)


class World:
    """A server, and requests to it as documents."""

    def __init__(self, api: ApiServer) -> None:
        self.api = api
        self._client = api.client()

    async def ask(self, method: str, path: str, body: Any = None, content_type: str = "application/json") -> Json:
        data = b"" if body is None else orjson.dumps(body)
        found: Json = orjson.loads(await self._client.request(method, path, body=data, content_type=content_type))
        return found

    async def list_(self, **parameters: str) -> tuple[Objects, int, str]:
        """Objects, their version and the token for the rest."""
        query = "&".join(f"{key}={quote(value)}" for key, value in parameters.items() if value)
        found = await self.ask("GET", f"{MAPS}?{query}")
        metadata = found["metadata"]
        return by_name(found["items"]), int(metadata["resourceVersion"]), metadata.get("continue", "")

    async def watch(self, version: int, selector: str) -> list[Json]:
        """Events after `version`, within a second."""
        query = f"watch=1&resourceVersion={version}&timeoutSeconds=1&allowWatchBookmarks=true"
        path = f"{MAPS}?{query}&labelSelector={quote(selector)}"
        lines = (await self._client.request("GET", path)).splitlines()
        events = [orjson.loads(line) for line in lines]
        assert all(event["type"] != "ERROR" for event in events), events[-1]
        return events


def by_name(items: list[Json]) -> Objects:
    return {f"{item['metadata']['namespace']}/{item['metadata']['name']}": bare(item) for item in items}


def bare(item: Json) -> Json:
    return {key: value for key, value in item.items() if key not in {"apiVersion", "kind"}}


def replayed(start: Objects, events: list[Json]) -> Objects:
    """What a client holds that began with `start` and believed every event; each event must make sense to it."""
    held = dict(start)
    last = 0
    for event in events:
        metadata = event["object"]["metadata"]
        assert int(metadata["resourceVersion"]) >= last
        last = int(metadata["resourceVersion"])
        if event["type"] == "BOOKMARK":
            continue
        key = f"{metadata['namespace']}/{metadata['name']}"
        assert (key in held) == (event["type"] != "ADDED"), (event["type"], key)
        if event["type"] == "DELETED":
            del held[key]
        else:
            held[key] = bare(event["object"])
    return held


async def write(world: World, chance: Chance, pauses: bool = True) -> None:
    """WRITES random changes; that others were faster is part of it."""
    for _ in range(WRITES):
        namespace, name = chance.choice(NAMESPACES), chance.choice(NAMES)
        collection = f"/api/v1/namespaces/{namespace}/configmaps"
        colors: Json = chance.choice(({}, {"color": "red"}, {"color": "blue"}, {"color": "blue", "size": "1"}))
        body = {"metadata": {"name": name, "labels": colors}, "data": {"n": str(chance.randint(0, 9))}}
        try:
            match chance.randint(0, 4):
                case 0 | 1:
                    await world.ask("POST", collection, body)
                case 2:
                    await world.ask("PUT", f"{collection}/{name}", body)
                case 3:
                    changed = {"metadata": {"labels": {"color": chance.choice(("red", "blue", None))}}}
                    path = f"{collection}/{name}"
                    await world.ask("PATCH", path, changed, "application/merge-patch+json")
                case _:
                    await world.ask("DELETE", f"{collection}/{name}")
        except (NotFound, AlreadyExists, Conflict):
            pass
        if pauses and chance.randint(0, 2) == 0:
            await world.api.core.clock.sleep(0)


@asynccontextmanager
async def world_over(store: str, folder: Path, seed: int) -> AsyncIterator[World]:
    clock, chance = SystemClock(), Chance(seed)
    storage = open_memory(clock) if store == "memory" else open_sqlite(folder / "state.db", clock)
    parts = Parts(clock=clock, chance=chance, ids=Ids(chance), admission=NoAdmission())
    api = ApiServer(Config(), storage, parts)
    await api.load()
    try:
        async with asyncio.timeout(60):
            yield World(api)
    finally:
        await api.stop()
        await storage.close()


async def run_writers(world: World, seed: int) -> None:
    async with asyncio.TaskGroup() as tasks:
        for number in range(WRITERS):
            tasks.create_task(write(world, Chance(seed * 100 + number)), name=f"writer-{number}")


stores = pytest.mark.parametrize("store", ["memory", "sqlite"])
seeds = pytest.mark.parametrize("seed", SEEDS)


@stores
@seeds
async def test_a_list_and_its_watch_replay_to_every_later_list(store: str, seed: int, tmp_path: Path) -> None:
    async with world_over(store, tmp_path, seed) as world:
        start = (await world.list_())[1]
        snapshots: list[tuple[str, Objects, int]] = []

        async def snap(chance: Chance) -> None:
            for _ in range(6):
                selector = chance.choice(SELECTORS)
                found, version, _ = await world.list_(labelSelector=selector)
                snapshots.append((selector, found, version))
                for _ in range(chance.randint(1, 20)):
                    await world.api.core.clock.sleep(0)

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run_writers(world, seed), name="writers")
            tasks.create_task(snap(Chance(seed)), name="snapshots")
        snapshots += [(selector, {}, start) for selector in SELECTORS]
        finals = {selector: await world.list_(labelSelector=selector) for selector in SELECTORS}
        # All watches at once: each lasts a second.
        watches = [world.watch(version, selector) for selector, _, version in snapshots]
        for (selector, held, _), events in zip(snapshots, await asyncio.gather(*watches), strict=True):
            assert replayed(held, events) == finals[selector][0]
            wanted = labels.parse(selector)
            everything = finals[""][0]
            assert finals[selector][0] == {
                key: item for key, item in everything.items() if wanted.matches(item["metadata"].get("labels") or {})
            }


@stores
@seeds
async def test_the_pages_of_a_list_are_the_list_whatever_is_written_meanwhile(
    store: str, seed: int, tmp_path: Path
) -> None:
    async with world_over(store, tmp_path, seed) as world:
        await write(world, Chance(seed + 1), pauses=False)
        compared = 0

        async def page(chance: Chance) -> None:
            nonlocal compared
            for _ in range(5):
                selector, limit = chance.choice(SELECTORS), str(chance.randint(1, 4))
                whole, version, token = await world.list_(labelSelector=selector, limit=limit)
                while token:
                    for _ in range(chance.randint(0, 5)):
                        await world.api.core.clock.sleep(0)
                    parameters = {"labelSelector": selector, "limit": limit, "continue": token}
                    more, at, token = await world.list_(**parameters)
                    assert at == version
                    assert not more.keys() & whole.keys()
                    whole |= more
                exact = {"resourceVersion": str(version), "resourceVersionMatch": "Exact"}
                unpaged, at, _ = await world.list_(labelSelector=selector, **exact)
                assert (at, list(whole.items())) == (version, list(unpaged.items()))
                compared += 1

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(run_writers(world, seed), name="writers")
            for number in range(2):
                tasks.create_task(page(Chance(seed * 10 + number)), name=f"pages-{number}")
        assert compared == 10


@stores
async def test_a_watch_may_begin_at_every_version_of_the_past(store: str, tmp_path: Path) -> None:
    async with world_over(store, tmp_path, 1) as world:
        first = (await world.list_())[1]
        await run_writers(world, 1)
        final, last, _ = await world.list_()
        versions = range(first + 1, last + 1)
        past = {}
        for version in versions:
            exact = {"resourceVersion": str(version), "resourceVersionMatch": "Exact"}
            past[version] = (await world.list_(**exact))[0]
        found = await asyncio.gather(*(world.watch(version, "") for version in versions))
        for version, events in zip(versions, found, strict=True):
            assert replayed(past[version], events) == final
