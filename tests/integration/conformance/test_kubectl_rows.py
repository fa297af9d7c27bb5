"""What the official suite does with `kubectl` and needs no containers."""

import asyncio
import json
import re
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from integration.conformance.suite import Json, Suite, pod, replication_controller, workload

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.kubectl]

SECONDS = 30


class Kubectl:
    """The real program, in the test's namespace."""

    def __init__(self, suite: Suite, folder: Path) -> None:
        program = shutil.which("kubectl")
        assert program is not None
        cache = f"--cache-dir={folder / 'cache'}"
        self.command = [program, f"--kubeconfig={suite.served.kubeconfig}", cache, f"--namespace={suite.namespace}"]

    async def __call__(self, *arguments: str, stdin: str = "", code: int = 0) -> str:
        process = await asyncio.create_subprocess_exec(
            *self.command,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await asyncio.wait_for(process.communicate(stdin.encode()), SECONDS)
        assert process.returncode == code, error.decode()
        return out.decode()

    @asynccontextmanager
    async def serving(self, *arguments: str) -> AsyncIterator[str]:
        """A program that runs until the body ends; its first line."""
        process = await asyncio.create_subprocess_exec(*self.command, *arguments, stdout=asyncio.subprocess.PIPE)
        assert process.stdout is not None
        try:
            yield (await asyncio.wait_for(process.stdout.readline(), SECONDS)).decode()
        finally:
            process.terminate()
            await process.communicate()


@pytest.fixture
def kubectl(suite: Suite, tmp_path: Path) -> Kubectl:
    return Kubectl(suite, tmp_path)


def manifest(api_version: str, kind: str, document: Json) -> str:
    return json.dumps({"apiVersion": api_version, "kind": kind, **document})


def image_of(document: Any) -> str:
    found: str = document["spec"]["containers"][0]["image"]
    return found


async def running(suite: Suite, kubectl: Kubectl, document: Json) -> str:
    await kubectl("create", "-f", "-", stdin=manifest("v1", "Pod", document))
    path = suite.core("pods", document["metadata"]["name"])
    await suite.becomes(path, lambda found: found["status"]["phase"] == "Running")
    return path


@pytest.mark.conformance(
    "Kubectl client Kubectl api-versions should check if v1 is in available api versions",
    "Kubectl client Kubectl cluster-info should check if Kubernetes control plane services is included in cluster-info",
    "Kubectl client Kubectl version should check is all data is printed",
)
async def test_kubectl_knows_versions_and_where_the_control_plane_is(kubectl: Kubectl) -> None:
    assert "v1" in (await kubectl("api-versions")).splitlines()
    assert "Kubernetes control plane" in await kubectl("cluster-info")
    text = await kubectl("version")
    for line in ("Client Version: v", "Server Version: v1.36"):
        assert line in text


@pytest.mark.conformance("Kubectl client Kubectl diff should check if kubectl diff finds a difference for Deployments")
async def test_kubectl_diff_shows_both_images(kubectl: Kubectl) -> None:
    document = workload("diff", 1)
    await kubectl("create", "-f", "-", stdin=manifest("apps/v1", "Deployment", document))
    old = document["spec"]["template"]["spec"]["containers"][0]["image"]
    document["spec"]["template"]["spec"]["containers"][0]["image"] = "busybox:1"
    text = await kubectl("diff", "-f", "-", stdin=manifest("apps/v1", "Deployment", document), code=1)
    assert re.search(rf"^-.*image: {re.escape(old)}$", text, re.MULTILINE)
    assert re.search(r"^\+.*image: busybox:1$", text, re.MULTILINE)


@pytest.mark.conformance("Kubectl client Kubectl label should update the label on a resource")
async def test_kubectl_labels_and_shows_the_column(suite: Suite, kubectl: Kubectl) -> None:
    await running(suite, kubectl, pod("pause"))
    await kubectl("label", "pods", "pause", "testing-label=testing-label-value")
    assert "testing-label-value" in await kubectl("get", "pod", "pause", "-L", "testing-label")
    await kubectl("label", "pods", "pause", "testing-label-")
    assert "testing-label-value" not in await kubectl("get", "pod", "pause", "-L", "testing-label")


@pytest.mark.conformance("Kubectl client Kubectl patch should add annotations for pods in rc")
async def test_kubectl_patches_each_pod(suite: Suite, kubectl: Kubectl) -> None:
    document = replication_controller("agnhost-primary", 2)
    await kubectl("create", "-f", "-", stdin=manifest("v1", "ReplicationController", document))
    await suite.becomes(suite.core("pods"), lambda found: len(found["items"]) == 2)
    for name in await suite.names(suite.core("pods")):
        await kubectl("patch", "pod", name, "-p", '{"metadata":{"annotations":{"x":"y"}}}')
    assert [row["metadata"]["annotations"]["x"] for row in await suite.items(suite.core("pods"))] == ["y", "y"]


@pytest.mark.conformance("Kubectl client Kubectl replace should update a single-container pod's image")
async def test_kubectl_replaces_the_image(suite: Suite, kubectl: Kubectl) -> None:
    path = await running(suite, kubectl, pod("e2e-test-pod"))
    document = json.loads(await kubectl("get", "pod", "e2e-test-pod", "-o", "json"))
    document["spec"]["containers"][0]["image"] = "busybox:1"
    await kubectl("replace", "-f", "-", stdin=json.dumps(document))
    assert image_of(await suite.get(path)) == "busybox:1"


@pytest.mark.conformance("Kubectl client Kubectl run pod should create a pod from an image when restart is Never")
async def test_kubectl_runs_a_pod(suite: Suite, kubectl: Kubectl) -> None:
    await kubectl("run", "e2e-test-pod", "--restart=Never", "--pod-running-timeout=2m0s", "--image=httpd:1")
    found = await suite.get(suite.core("pods", "e2e-test-pod"))
    assert (image_of(found), found["spec"]["restartPolicy"]) == ("httpd:1", "Never")


@pytest.mark.conformance("Kubectl client Kubectl server-side dry-run should check if kubectl can dry-run update Pods")
async def test_a_dry_run_on_the_server_changes_nothing(suite: Suite, kubectl: Kubectl) -> None:
    await kubectl("run", "e2e-test-pod", "--image=httpd:1", "--labels=run=e2e")
    patch = {"spec": {"containers": [{"name": "e2e-test-pod", "image": "busybox:1"}]}}
    text = await kubectl("patch", "pod", "e2e-test-pod", "-p", json.dumps(patch), "--dry-run=server", "-o", "json")
    assert image_of(json.loads(text)) == "busybox:1"
    assert image_of(await suite.get(suite.core("pods", "e2e-test-pod"))) == "httpd:1"


@pytest.mark.conformance(
    "Kubectl client Proxy server should support --unix-socket=/path",
    "Kubectl client Proxy server should support proxy with --port 0",
)
async def test_kubectl_proxies_paths_of_the_api(kubectl: Kubectl, tmp_path: Path) -> None:
    async with kubectl.serving("proxy", "-p", "0", "--disable-filter") as line:
        port = int(line.rpartition(":")[2])
        async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/api/") as answer:
            assert (await answer.json())["kind"] == "APIVersions"
    path = str(tmp_path / "proxy.sock")
    async with kubectl.serving("proxy", f"--unix-socket={path}"):
        connector = aiohttp.UnixConnector(path)
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get("http://localhost/api/") as answer,
        ):
            assert (await answer.json())["kind"] == "APIVersions"


@pytest.mark.conformance(
    "Kubectl client Kubectl describe should check if kubectl describe prints relevant information for rc and pods"
)
async def test_kubectl_describes(suite: Suite, kubectl: Kubectl) -> None:
    document = replication_controller("agnhost-primary", 1)
    await kubectl("create", "-f", "-", stdin=manifest("v1", "ReplicationController", document))
    ports = {"spec": {"selector": {"name": "agnhost-primary"}, "ports": [{"port": 6379, "targetPort": 6379}]}}
    service = {"metadata": {"name": "agnhost-primary", "labels": {"app": "agnhost"}}, **ports}
    await kubectl("create", "-f", "-", stdin=manifest("v1", "Service", service))
    listed = await suite.becomes(
        suite.core("pods"), lambda found: [row["status"]["phase"] for row in found["items"]] == ["Running"]
    )
    found = listed["items"][0]
    name, node = found["metadata"]["name"], found["spec"]["nodeName"]

    def has(text: str, *rows: tuple[str, ...]) -> None:
        for row in rows:
            assert any(all(word in line for word in row) for line in text.splitlines()), (row, text)

    has(
        await kubectl("describe", "pod", name),
        ("Name:", name),
        ("Namespace:", suite.namespace),
        ("Node:", node),
        ("Labels:", "name=agnhost-primary"),
        ("Status:", "Running"),
        ("IP:",),
        ("Controlled By:", "ReplicationController/agnhost-primary"),
        ("Image:", image_of(found)),
        ("State:", "Running"),
        ("QoS Class:", "BestEffort"),
    )
    has(
        await kubectl("describe", "rc", "agnhost-primary"),
        ("Name:", "agnhost-primary"),
        ("Selector:", "name=agnhost-primary"),
        ("Replicas:", "1 current", "1 desired"),
        ("Pods Status:", "1 Running", "0 Waiting", "0 Succeeded", "0 Failed"),
        ("Pod Template:",),
        ("Image:", image_of(found)),
        ("Events:",),
    )
    text = await kubectl("describe", "service", "agnhost-primary")
    has(
        text,
        ("Name:", "agnhost-primary"),
        ("Labels:", "app=agnhost"),
        ("Selector:", "name=agnhost-primary"),
        ("Type:", "ClusterIP"),
        ("IP:",),
        ("Port:", "<unset>", "6379/TCP"),
        ("Endpoints:", f"{found['status']['podIP']}:6379"),
        ("Session Affinity:", "None"),
    )
    has(
        await kubectl("describe", "node", node),
        ("Name:", node),
        ("Labels:",),
        ("Annotations:",),
        ("CreationTimestamp:",),
        ("Conditions:",),
        ("Type", "Status", "LastHeartbeatTime", "LastTransitionTime", "Reason", "Message"),
        ("Addresses:",),
        ("Capacity:",),
        ("Kubelet Version:",),
        ("Container Runtime Version:",),
        ("Non-terminated Pods:",),
    )
    has(await kubectl("describe", "namespace", suite.namespace), ("Name:", suite.namespace), ("Status:", "Active"))
