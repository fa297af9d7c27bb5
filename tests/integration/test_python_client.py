"""The official Python client: its models, its watch, its errors."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from integration.conftest import Served

kubernetes = pytest.importorskip("kubernetes")


@pytest.fixture
def core_v1(api_server: Served) -> Any:
    from kubernetes import client, config

    config.load_kube_config(str(api_server.kubeconfig))
    return client.CoreV1Api()


async def in_thread(work: Callable[[], Any]) -> Any:
    """The client blocks; the server lives in this loop."""
    async with asyncio.timeout(30):
        return await asyncio.to_thread(work)


def config_map(name: str, **data: str) -> Any:
    from kubernetes import client

    return client.V1ConfigMap(metadata=client.V1ObjectMeta(name=name), data=data)


async def test_objects_round_trip_through_its_models(core_v1: Any) -> None:
    def work() -> None:
        made = core_v1.create_namespaced_config_map("default", config_map("a", x="1"))
        assert made.metadata.uid
        made.data["y"] = "2"
        replaced = core_v1.replace_namespaced_config_map("a", "default", made)
        assert replaced.data == {"x": "1", "y": "2"}
        core_v1.patch_namespaced_config_map("a", "default", {"data": {"x": None}})
        assert core_v1.read_namespaced_config_map("a", "default").data == {"y": "2"}
        assert [item.metadata.name for item in core_v1.list_namespaced_config_map("default").items] == ["a"]

    await in_thread(work)


async def test_its_watch_sees_what_happens(core_v1: Any) -> None:
    def work() -> None:
        from kubernetes import watch

        version = core_v1.list_namespaced_config_map("default").metadata.resource_version
        core_v1.create_namespaced_config_map("default", config_map("w"))
        core_v1.delete_namespaced_config_map("w", "default")
        stream = watch.Watch().stream(
            core_v1.list_namespaced_config_map, "default", resource_version=version, timeout_seconds=1
        )
        assert [(e["type"], e["object"].metadata.name) for e in stream] == [("ADDED", "w"), ("DELETED", "w")]

    await in_thread(work)


async def test_its_errors_carry_the_status(core_v1: Any) -> None:
    def work() -> None:
        from kubernetes.client.exceptions import ApiException

        with pytest.raises(ApiException) as missing:
            core_v1.read_namespaced_config_map("none", "default")
        assert missing.value.status == 404
        assert 'configmaps \\"none\\" not found' in missing.value.body

    await in_thread(work)
