"""kubernetes_asyncio, unmodified."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import kubernetes_asyncio as k8s
import pytest
from kubernetes_asyncio.client.exceptions import ApiException

from integration.clients.widgets import GROUP, PLURAL, VERSION, definition, widget
from integration.conftest import Served

SECONDS = 30


@pytest.fixture
async def api(api_server: Served) -> AsyncIterator[Any]:
    settings = k8s.client.Configuration()
    await k8s.config.load_kube_config(str(api_server.kubeconfig), client_configuration=settings)
    async with k8s.client.ApiClient(settings) as found:
        yield found


def config_map(name: str, **data: str) -> Any:
    return k8s.client.V1ConfigMap(metadata=k8s.client.V1ObjectMeta(name=name, labels={"a": name}), data=data)


async def test_models_patches_and_pages(api: Any) -> None:
    core = k8s.client.CoreV1Api(api)
    for number in range(5):
        await core.create_namespaced_config_map("default", config_map(f"m{number}", x=str(number)))
    changed = await core.patch_namespaced_config_map("m0", "default", {"data": {"y": "2"}})
    assert changed.data == {"x": "0", "y": "2"}
    names: list[str] = []
    token = ""
    while True:
        page = await core.list_namespaced_config_map("default", limit=2, _continue=token)
        names += [item.metadata.name for item in page.items]
        token = page.metadata._continue
        if not token:
            break
    assert names == [f"m{number}" for number in range(5)]
    found = await core.list_namespaced_config_map("default", label_selector="a in (m1,m2)")
    assert [item.data["x"] for item in found.items] == ["1", "2"]


async def test_its_watch_follows_and_ends(api: Any) -> None:
    core = k8s.client.CoreV1Api(api)
    version = (await core.list_namespaced_config_map("default")).metadata.resource_version
    await core.create_namespaced_config_map("default", config_map("w"))
    await core.delete_namespaced_config_map("w", "default")
    async with asyncio.timeout(SECONDS), k8s.watch.Watch() as watch:
        stream = watch.stream(core.list_namespaced_config_map, "default", resource_version=version, timeout_seconds=1)
        seen = [(event["type"], event["object"].metadata.name) async for event in stream]
    assert seen == [("ADDED", "w"), ("DELETED", "w")]


async def test_errors_carry_the_status(api: Any) -> None:
    core = k8s.client.CoreV1Api(api)
    with pytest.raises(ApiException) as missing:
        await core.read_namespaced_config_map("none", "default")
    assert (missing.value.status, missing.value.reason) == (404, "Not Found")
    assert '"reason":"NotFound"' in str(missing.value.body).replace(" ", "")
    with pytest.raises(ApiException) as invalid:
        await core.create_namespaced_config_map("default", config_map("Not_A_Name"))
    assert invalid.value.status == 422


async def test_custom_resources_and_their_status(api: Any) -> None:
    extensions: Any = k8s.client.ApiextensionsV1Api(api)
    custom = k8s.client.CustomObjectsApi(api)
    await extensions.create_custom_resource_definition(definition())
    where = (GROUP, VERSION, "default", PLURAL)
    made = await custom.create_namespaced_custom_object(*where, widget("w"))
    assert made["spec"] == {"colour": "red", "size": 3}
    made["status"] = {"phase": "Ready"}
    await custom.replace_namespaced_custom_object_status(*where, "w", made)
    assert (await custom.get_namespaced_custom_object(*where, "w"))["status"] == {"phase": "Ready"}
    listed = await custom.list_namespaced_custom_object(*where)
    assert [item["metadata"]["name"] for item in listed["items"]] == ["w"]
    await custom.delete_namespaced_custom_object(*where, "w")
    assert (await custom.list_namespaced_custom_object(*where))["items"] == []
