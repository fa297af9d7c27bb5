"""Controllers see custom resources: garbage collection, namespace deletion, quotas."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import orjson
import pytest

from pybernetes.apiserver.config import Config
from pybernetes.apiserver.inprocess import InProcessClient
from pybernetes.apiserver.server import ApiServer
from pybernetes.controllers.manager import Manager
from pybernetes.controllers.options import Options
from pybernetes.effects import Chance, SystemClock
from pybernetes.machinery.errors import Forbidden, NotFound
from pybernetes.storage.memory import open_memory

CLOCK = SystemClock()
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
GROUP = "stable.example.com"
SCHEMA = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
CRD = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": f"crontabs.{GROUP}"},
    "spec": {
        "group": GROUP,
        "scope": "Namespaced",
        "names": {"plural": "crontabs", "kind": "CronTab"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": SCHEMA}],
    },
}


class Documents:
    """Plain documents over an in-process client."""

    def __init__(self, client: InProcessClient) -> None:
        self._client = client

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        data = b"" if body is None else orjson.dumps(body)
        return orjson.loads(await self._client.request(method, path, body=data))

    async def gone(self, path: str) -> None:
        async with asyncio.timeout(20):
            while True:
                try:
                    await self.ask("GET", path)
                except NotFound:
                    return
                await CLOCK.sleep(0.05)

    async def define(self) -> None:
        await self.ask("POST", DEFINITIONS, CRD)
        async with asyncio.timeout(10):
            while True:
                try:
                    await self.ask("GET", f"/apis/{GROUP}/v1/crontabs")
                except NotFound:
                    await CLOCK.sleep(0.01)
                else:
                    return


@pytest.fixture
async def cluster() -> AsyncIterator[Documents]:
    storage = open_memory(CLOCK)
    async with ApiServer(Config(), storage) as server:
        client = server.client()
        task = asyncio.create_task(Manager(client, CLOCK, Chance(1), Options(root_ca="PEM")).run())
        yield Documents(client)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await storage.close()


def tabs(namespace: str = "default") -> str:
    return f"/apis/{GROUP}/v1/namespaces/{namespace}/crontabs"


def tab(name: str, **metadata: Any) -> Any:
    return {"apiVersion": f"{GROUP}/v1", "kind": "CronTab", "metadata": {"name": name, **metadata}}


def settings(name: str, **metadata: Any) -> Any:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, **metadata}}


def owned_by(owner: Any) -> dict[str, Any]:
    row = {key: owner[key] for key in ("apiVersion", "kind")}
    return {"ownerReferences": [{**row, "name": owner["metadata"]["name"], "uid": owner["metadata"]["uid"]}]}


MAPS = "/api/v1/namespaces/default/configmaps"


async def test_custom_resources_own_and_are_owned(cluster: Documents) -> None:
    await cluster.define()
    owner = await cluster.ask("POST", tabs(), tab("owner"))
    await cluster.ask("POST", MAPS, settings("owned", **owned_by(owner)))
    await cluster.ask("DELETE", f"{tabs()}/owner")
    await cluster.gone(f"{MAPS}/owned")
    owner = await cluster.ask("POST", MAPS, settings("owner"))
    await cluster.ask("POST", tabs(), tab("owned", **owned_by(owner)))
    await cluster.ask("DELETE", f"{MAPS}/owner")
    await cluster.gone(f"{tabs()}/owned")


async def test_a_namespace_takes_its_custom_resources_with_it(cluster: Documents) -> None:
    await cluster.define()
    await cluster.ask(
        "POST", "/api/v1/namespaces", {"metadata": {"name": "short"}, "kind": "Namespace", "apiVersion": "v1"}
    )
    await cluster.ask("POST", tabs("short"), tab("a"))
    await cluster.ask("DELETE", "/api/v1/namespaces/short")
    await cluster.gone("/api/v1/namespaces/short")
    assert (await cluster.ask("GET", f"/apis/{GROUP}/v1/crontabs"))["items"] == []


async def test_a_quota_counts_custom_resources_also_when_it_was_there_first(cluster: Documents) -> None:
    name = f"count/crontabs.{GROUP}"
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q"}, "spec": {"hard": {name: "1"}}}
    await cluster.ask("POST", "/api/v1/namespaces/default/resourcequotas", quota)
    await cluster.define()
    await cluster.ask("POST", tabs(), tab("a"))
    with pytest.raises(Forbidden, match="exceeded quota"):
        await cluster.ask("POST", tabs(), tab("b"))
    await cluster.ask("DELETE", f"{tabs()}/a")
    await cluster.ask("POST", tabs(), tab("b"))


async def test_definitions_are_served_at_once_after_a_restart() -> None:
    storage = open_memory(CLOCK)
    async with ApiServer(Config(), storage) as server:
        cluster = Documents(server.client())
        await cluster.define()
        await cluster.ask("POST", tabs(), tab("a"))
    async with ApiServer(Config(), storage) as server:
        found = await Documents(server.client()).ask("GET", tabs())
        assert [item["metadata"]["name"] for item in found["items"]] == ["a"]
    await storage.close()
