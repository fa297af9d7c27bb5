"""kr8s, unmodified: dictionaries in, objects that follow the server out."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import kr8s
import pytest
from kr8s.asyncio.objects import ConfigMap, CustomResourceDefinition, Deployment, new_class

from integration.clients.widgets import API_VERSION, KIND, definition, widget
from integration.conftest import Served
from pybernetes.effects import SystemClock

SECONDS = 30
CLOCK = SystemClock()

pytestmark = pytest.mark.filterwarnings("ignore:Kubernetes version v1.36.0 is not supported")


@pytest.fixture
async def api(api_server: Served) -> AsyncIterator[Any]:
    found: Any = await kr8s.asyncio.api(kubeconfig=str(api_server.kubeconfig))
    yield found
    await found._session.aclose()  # it has no way of its own to end


def config_map(name: str, **data: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "default"}, "data": data}


async def test_objects_are_made_changed_labelled_and_deleted(api: Any) -> None:
    found = await ConfigMap(config_map("a", x="1"), api=api)
    await found.create()
    await found.patch({"data": {"y": "2"}})
    assert dict(found.data) == {"x": "1", "y": "2"}
    await found.label({"team": "blue"})
    await found.annotate({"note": "n"})
    selected = [item.name async for item in api.get("configmaps", namespace="default", label_selector={"team": "blue"})]
    assert selected == ["a"]
    await found.delete()
    async with asyncio.timeout(SECONDS):
        while await found.exists():
            await CLOCK.sleep(0.01)


async def test_it_knows_the_server(api: Any) -> None:
    assert (await api.version())["gitVersion"].startswith("v1.36")
    resources = await api.api_resources()
    assert {"pods", "deployments", "customresourcedefinitions"} <= {row["name"] for row in resources}
    assert await api.whoami() == "admin"


async def test_missing_objects_and_refusals_are_told(api: Any) -> None:
    with pytest.raises(kr8s.NotFoundError):
        _ = await ConfigMap.get("none", namespace="default", api=api)
    wrong: Any = await ConfigMap(config_map("Not_A_Name"), api=api)
    with pytest.raises(kr8s.ServerError) as refused:
        await wrong.create()
    status: Any = refused.value.status
    assert status["details"]["causes"][0]["field"] == "metadata.name"


async def test_deployments_are_scaled_through_their_subresource(api: Any) -> None:
    labels = {"app": "web"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    web = await Deployment({"metadata": {"name": "web", "namespace": "default"}, "spec": spec}, api=api)
    await web.create()
    # It waits until `status.replicas` follows, as a controller would make it.
    scaling = asyncio.create_task(web.scale(3))
    async with asyncio.timeout(SECONDS):
        while (await Deployment.get("web", namespace="default", api=api)).raw["spec"]["replicas"] != 3:
            await CLOCK.sleep(0.01)
        await web.patch({"status": {"replicas": 3}}, subresource="status")
        await scaling
    assert web.replicas == 3


async def test_it_waits_for_conditions_of_custom_resources(api: Any) -> None:
    await (await CustomResourceDefinition(definition(), api=api)).create()
    widgets = new_class(KIND, API_VERSION, namespaced=True)
    made = await widgets(widget("w"), api=api)
    await made.create()
    assert made.raw["spec"] == {"colour": "red", "size": 3}
    waiting = asyncio.create_task(made.wait("jsonpath='{.status.phase}'=Ready", timeout=SECONDS))
    await made.patch({"status": {"phase": "Ready"}}, subresource="status")
    await waiting
    names = [item.name async for item in api.get(widgets, namespace="default")]
    assert names == ["w"]
