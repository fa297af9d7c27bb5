"""lightkube, unmodified: its models, server-side apply, generic resources, and its watch."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from lightkube import ApiError, AsyncClient, KubeConfig
from lightkube.generic_resource import create_namespaced_resource
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apiextensions_v1 import CustomResourceDefinition
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Namespace
from lightkube.types import CascadeType, PatchType

from integration.clients.widgets import GROUP, KIND, PLURAL, VERSION, definition, widget
from integration.conftest import Served

SECONDS = 30


@pytest.fixture
async def client(api_server: Served) -> AsyncIterator[Any]:
    found = AsyncClient(
        config=KubeConfig.from_file(str(api_server.kubeconfig)), namespace="default", field_manager="light"
    )
    yield found
    await found.close()


def deployment(replicas: int) -> Deployment:
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels={"app": "web"}), spec=PodSpec(containers=[Container(name="c", image="i")])
    )
    spec = DeploymentSpec(replicas=replicas, selector=LabelSelector(matchLabels={"app": "web"}), template=template)
    return Deployment(metadata=ObjectMeta(name="web"), spec=spec)


async def test_objects_of_its_models_are_made_changed_scaled_and_deleted(client: Any) -> None:
    made = await client.create(deployment(2))
    assert made.spec.strategy.type == "RollingUpdate"
    changed = await client.patch(Deployment, "web", {"spec": {"replicas": 5}}, patch_type=PatchType.MERGE)
    assert (changed.spec.replicas, changed.metadata.generation) == (5, 2)
    scale = await client.get(Deployment.Scale, "web")
    scale.spec.replicas = 1
    assert (await client.replace(scale, "web")).spec.replicas == 1
    await client.delete(Deployment, "web", cascade=CascadeType.ORPHAN)
    assert (await client.get(Deployment, "web")).metadata.finalizers == ["orphan"]


async def test_apply_owns_and_conflicts(client: Any) -> None:
    def desired(value: str) -> ConfigMap:
        return ConfigMap(
            apiVersion="v1", kind="ConfigMap", metadata=ObjectMeta(name="a", namespace="default"), data={"x": value}
        )

    await client.apply(desired("1"))
    assert (await client.apply(desired("2"))).data == {"x": "2"}
    with pytest.raises(ApiError) as conflict:
        await client.apply(desired("3"), field_manager="other")
    assert (conflict.value.status.code, conflict.value.status.reason) == (409, "Conflict")
    assert (await client.apply(desired("3"), field_manager="other", force=True)).data == {"x": "3"}


async def test_lists_are_read_in_chunks_and_watches_start_where_they_end(client: Any) -> None:
    for number in range(5):
        await client.create(Namespace(metadata=ObjectMeta(name=f"n{number}", labels={"of": "test"})))
    listing = client.list(Namespace, labels={"of": "test"}, chunk_size=2)
    assert [item.metadata.name async for item in listing] == [f"n{number}" for number in range(5)]
    version = listing.resourceVersion
    await client.create(Namespace(metadata=ObjectMeta(name="late", labels={"of": "test"})))
    async with asyncio.timeout(SECONDS):
        events = client.watch(Namespace, labels={"of": "test"}, resource_version=version)
        async with contextlib.aclosing(events):
            kind, found = await anext(events)
        assert (kind, found.metadata.name) == ("ADDED", "late")


async def test_generic_resources(client: Any) -> None:
    widgets: Any = create_namespaced_resource(GROUP, VERSION, KIND, PLURAL)
    await client.create(CustomResourceDefinition.from_dict(definition()))
    made = await client.create(widgets(widget("w")))
    assert made.spec == {"colour": "red", "size": 3}
    made["status"] = {"phase": "Ready"}
    status = await client.replace(widgets.Status(made))
    assert status.status == {"phase": "Ready"}
    assert [item.metadata.name async for item in client.list(widgets)] == ["w"]
    with pytest.raises(ApiError) as missing:
        await client.get(widgets, "none")
    assert missing.value.status.message == 'widgets.example.com "none" not found'
