"""Point 7: the official Python client drives what kubectl drives."""

from collections.abc import Iterator
from typing import Any

import kubernetes
import pytest
from kubernetes.stream import stream

from clusters import Cluster, is_ready, wait

pytestmark = [pytest.mark.root, pytest.mark.kubectl]
# The client library leaves sockets to the garbage collector, and uses deprecated parts of the standard library.
pytestmark.append(pytest.mark.filterwarnings("ignore"))


@pytest.fixture
def api(web: Cluster) -> Iterator[Any]:
    with kubernetes.config.new_client_from_config(str(web.kubeconfig), context=web.name) as client:
        yield client


def test_reading(web: Cluster, api: Any) -> None:
    core, apps = kubernetes.client.CoreV1Api(api), kubernetes.client.AppsV1Api(api)

    assert [node.status.conditions[-1].type for node in core.list_node().items]
    pods = core.list_namespaced_pod("default", label_selector="app=web").items
    assert {pod.metadata.name for pod in pods} == {pod["metadata"]["name"] for pod in web.pods()}
    assert apps.read_namespaced_deployment("web", "default").status.ready_replicas == 3
    assert core.read_namespaced_pod_log(pods[0].metadata.name, "default")
    assert core.read_namespaced_service("web", "default").spec.cluster_ip.startswith("10.")


def test_changing_and_watching(web: Cluster, api: Any) -> None:
    core, apps = kubernetes.client.CoreV1Api(api), kubernetes.client.AppsV1Api(api)
    start = core.list_namespaced_pod("default").metadata.resource_version

    apps.patch_namespaced_deployment_scale("web", "default", {"spec": {"replicas": 4}})
    watch = kubernetes.watch.Watch()
    seen = []
    for event in watch.stream(
        core.list_namespaced_pod, "default", label_selector="app=web", resource_version=start, timeout_seconds=60
    ):
        seen.append(event["type"])
        conditions = event["object"].status.conditions or []
        if any(row.type == "Ready" and row.status == "True" for row in conditions):
            watch.stop()
    assert seen[0] == "ADDED"
    assert "MODIFIED" in seen
    apps.patch_namespaced_deployment_scale("web", "default", {"spec": {"replicas": 3}})
    wait("three pods", 60, lambda: len([pod for pod in web.pods() if is_ready(pod)]) == 3)


def test_creating_conflicting_and_deleting(web: Cluster, api: Any) -> None:
    core = kubernetes.client.CoreV1Api(api)
    body = {"metadata": {"name": "from-python"}, "data": {"a": "1"}}
    made = core.create_namespaced_config_map("default", body)
    core.patch_namespaced_config_map("from-python", "default", {"data": {"a": "2"}})

    with pytest.raises(kubernetes.client.ApiException) as caught:
        core.replace_namespaced_config_map("from-python", "default", made)
    assert caught.value.status == 409
    core.delete_namespaced_config_map("from-python", "default")
    with pytest.raises(kubernetes.client.ApiException) as caught:
        core.read_namespaced_config_map("from-python", "default")
    assert caught.value.status == 404


def test_exec_over_a_web_socket(web: Cluster, api: Any) -> None:
    core = kubernetes.client.CoreV1Api(api)
    pod = web.pods()[0]["metadata"]["name"]

    connect = core.connect_get_namespaced_pod_exec
    output = stream(connect, pod, "default", command=["hostname"], stdout=True, stderr=True, stdin=False)

    assert output.strip() == pod


def test_rolling_back_and_evicting(web: Cluster, api: Any) -> None:
    core = kubernetes.client.CoreV1Api(api)
    name = web.pods()[0]["metadata"]["name"]

    core.create_namespaced_pod_eviction(
        name, "default", kubernetes.client.V1Eviction(metadata=kubernetes.client.V1ObjectMeta(name=name))
    )

    wait("the pod to be replaced", 60, lambda: name not in {pod["metadata"]["name"] for pod in web.pods()})
    wait("three ready pods", 60, lambda: len([pod for pod in web.pods() if is_ready(pod)]) == 3)
