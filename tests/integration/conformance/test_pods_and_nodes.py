"""Pods, nodes and what pods are made of: as objects, and on simulated nodes."""

from collections.abc import Callable

import pytest

from integration.conformance.suite import JSON, MERGE, STRATEGIC, Json, Suite, causes, made, pod, pod_spec

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIME = "2026-01-02T03:04:05Z"
ZERO_GRACE = {"gracePeriodSeconds": 0}


async def running(suite: Suite, document: Json) -> Json:
    """The pod once it runs."""
    path = suite.core("pods", document["metadata"]["name"])
    await suite.create(suite.core("pods"), document)
    return await suite.becomes(path, lambda found: found["status"]["phase"] == "Running")


def is_ready(document: Json) -> bool:
    return {"Ready": "True"}.items() <= {row["type"]: row["status"] for row in document["status"]["conditions"]}.items()


# ── data ──


@pytest.mark.parametrize(
    "plural",
    [
        pytest.param(
            "configmaps", marks=pytest.mark.conformance("ConfigMap should fail to create ConfigMap with empty key")
        ),
        pytest.param(
            "secrets", marks=pytest.mark.conformance("Secrets should fail to create secret due to empty secret key")
        ),
    ],
)
async def test_an_empty_key_is_invalid(suite: Suite, plural: str) -> None:
    refused = await suite.ask("POST", suite.core(plural), made("empty-key", data={"": "dmFsdWUtMQ=="}), 422)
    assert refused["reason"] == "Invalid"
    assert list(causes(refused)) == ["data[]"]


@pytest.mark.parametrize(
    "plural",
    [
        pytest.param(
            "configmaps",
            marks=pytest.mark.conformance("ConfigMap should be immutable if `immutable` field is set"),
        ),
        pytest.param(
            "secrets", marks=pytest.mark.conformance("Secrets should be immutable if `immutable` field is set")
        ),
    ],
)
async def test_what_is_immutable_stays_until_it_is_deleted(suite: Suite, plural: str) -> None:
    path = suite.core(plural, "immutable")
    await suite.create(suite.core(plural), made("immutable", data={"data-1": "dmFsdWUtMQ=="}))
    await suite.patch(path, {"data": {"data-4": "dmFsdWUtNA=="}})
    await suite.patch(path, {"immutable": True})
    for change in ({"data": {"data-5": "dmFsdWUtNQ=="}}, {"immutable": False}):
        refused = await suite.ask("PATCH", path, change, 422, kind=MERGE)
        assert "field is immutable when `immutable` is set" in refused["message"]
    await suite.patch(path, {"metadata": {"labels": {"label1": "value1"}}})
    await suite.delete(path)
    await suite.gone(path)


# ── nodes ──


@pytest.mark.conformance("Conformance Tests should have at least two untainted nodes")
async def test_two_nodes_take_pods(suite: Suite) -> None:
    nodes = await suite.items("/api/v1/nodes")
    assert len([node for node in nodes if is_ready(node) and not node["spec"].get("taints")]) >= 2


@pytest.mark.conformance("Node Lifecycle should run through the lifecycle of a node")
async def test_the_life_of_a_node_without_agent(suite: Suite) -> None:
    path, name = "/api/v1/nodes", f"fake-{suite.namespace}"
    document = made(name, spec={"unschedulable": True})
    document["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    await suite.create(path, document)
    assert (await suite.get(f"{path}/{name}"))["metadata"]["name"] == name
    label = {"metadata": {"labels": {name: "patched"}}}
    assert (await suite.patch(f"{path}/{name}", label, STRATEGIC))["metadata"]["labels"][name] == "patched"
    assert await suite.names(path, labelSelector=f"{name}=patched") == [name]
    found = await suite.get(f"{path}/{name}")
    found["metadata"]["labels"][name] = "updated"
    assert (await suite.update(f"{path}/{name}", found))["metadata"]["labels"][name] == "updated"
    condition = {"type": "Example", "status": "True", "reason": "E2E", "message": "m", "lastTransitionTime": TIME}
    status = await suite.patch(f"{path}/{name}/status", {"status": {"conditions": [condition]}}, STRATEGIC)
    assert condition["type"] in {row["type"] for row in status["status"]["conditions"]}
    await suite.delete(f"{path}/{name}", {"preconditions": {"uid": found["metadata"]["uid"]}})
    await suite.gone(f"{path}/{name}")


# ── pods ──


@pytest.mark.conformance(
    "Pods Extended Pods Set QOS Class should be set on Pods with matching resource requests and limits for memory "
    "and cpu"
)
async def test_the_quality_of_service_is_known_at_once(suite: Suite) -> None:
    document = pod("qos")
    amounts = {"cpu": "100m", "memory": "100Mi"}
    document["spec"]["containers"][0]["resources"] = {"requests": amounts, "limits": amounts}
    assert (await suite.create(suite.core("pods"), document))["status"]["qosClass"] == "Guaranteed"


@pytest.mark.conformance(
    "Pods Extended (pod generation) Pod Generation custom-set generation on new pods and graceful delete"
)
async def test_a_generation_of_the_clients_own_is_ignored(suite: Suite) -> None:
    document = pod("generation", terminationGracePeriodSeconds=30)
    document["metadata"]["generation"] = 100
    document["metadata"]["finalizers"] = ["example.com/e2e"]
    path = suite.core("pods", "generation")
    assert (await running(suite, document))["metadata"]["generation"] == 1
    deleted = await suite.delete(path, {"gracePeriodSeconds": 30})
    assert deleted["kind"] == "Pod"
    assert deleted["metadata"]["generation"] == 2
    assert "deletionTimestamp" in deleted["metadata"]
    await suite.patch(path, {"metadata": {"finalizers": None}})
    await suite.gone(path)


def observed(generation: int) -> Callable[[Json], bool]:
    return lambda found: bool(found["status"].get("observedGeneration") == generation)


@pytest.mark.conformance(
    "Pods Extended (pod generation) Pod Generation pod generation should start at 1 and increment per update"
)
async def test_the_generation_rises_with_the_spec_alone(suite: Suite) -> None:
    path = suite.core("pods", "generation")
    found = await running(suite, pod("generation", tolerations=[{"key": "a", "operator": "Exists"}]))
    assert found["metadata"]["generation"] == 1
    await suite.patch(path, {"metadata": {"labels": {"a": "b"}, "annotations": {"a": "b"}}})
    image = {"spec": {"containers": [{"name": "c", "image": "registry.k8s.io/pause:3.9"}]}}
    assert (await suite.patch(path, image, STRATEGIC))["metadata"]["generation"] == 2
    assert (await suite.patch(path, {"spec": {"activeDeadlineSeconds": 3600}}))["metadata"]["generation"] == 3
    more = {"spec": {"tolerations": [*found["spec"]["tolerations"], {"key": "b", "operator": "Exists"}]}}
    assert (await suite.patch(path, more))["metadata"]["generation"] == 4
    assert (await suite.get(path))["metadata"]["labels"] == {"a": "b"}
    await suite.becomes(path, observed(4))


@pytest.mark.conformance(
    "Pods Extended (pod generation) Pod Generation issue 500 podspec updates and verify generation and "
    "observedGeneration eventually converge"
)
async def test_five_hundred_updates_are_all_counted_and_seen(suite: Suite) -> None:
    path = suite.core("pods", "generation")
    await running(suite, pod("generation"))
    for number in range(499):
        await suite.patch(path, {"spec": {"activeDeadlineSeconds": 10_000 - number}})
    assert (await suite.get(path))["metadata"]["generation"] == 500
    await suite.becomes(path, observed(500))


@pytest.mark.conformance("Pods should be submitted and removed")
async def test_a_watch_sees_a_pod_come_and_go(suite: Suite) -> None:
    pods, label = suite.core("pods"), {"time": suite.namespace}
    selected = {"labelSelector": f"time={suite.namespace}"}
    async with suite.watch(pods, await suite.get(pods), **selected) as events:
        await suite.create(pods, pod("submit-remove", label, terminationGracePeriodSeconds=30))
        await events.until("ADDED")
        await suite.becomes(f"{pods}/submit-remove", lambda found: found["status"]["phase"] == "Running")
        await suite.delete(f"{pods}/submit-remove", {"gracePeriodSeconds": 30})
        last = await events.until("DELETED")
    assert "deletionTimestamp" in last["metadata"]
    assert last["spec"]["terminationGracePeriodSeconds"] == 30
    assert await suite.names(pods, **selected) == []


@pytest.mark.conformance("Pods should be updated")
async def test_labels_of_a_running_pod_are_updated(suite: Suite) -> None:
    found = await running(suite, pod("pod-update", {"time": "1"}))
    found["metadata"]["labels"]["time"] = "2"
    assert (await suite.raw("PUT", suite.core("pods", "pod-update"), found, JSON)).status in {200, 409}
    await suite.patch(suite.core("pods", "pod-update"), {"metadata": {"labels": {"time": "2"}}})
    assert await suite.names(suite.core("pods"), labelSelector="time=2") == ["pod-update"]


@pytest.mark.conformance("Pods should get a host IP")
async def test_a_pod_knows_the_address_of_its_host(suite: Suite) -> None:
    status = (await running(suite, pod("hostip")))["status"]
    assert status["hostIP"]
    assert status["hostIPs"] == [{"ip": status["hostIP"]}]


@pytest.mark.conformance("Pods should delete a collection of pods")
async def test_a_collection_of_pods_goes(suite: Suite) -> None:
    for number in range(3):
        await suite.create(suite.core("pods"), pod(f"test-pod-{number}", {"type": "Testing"}))
    await suite.delete(suite.core("pods"), {"gracePeriodSeconds": 1}, labelSelector="type=Testing")
    await suite.empty(suite.core("pods"), labelSelector="type=Testing")


@pytest.mark.conformance("Pods should patch a pod status")
async def test_message_and_reason_are_written_through_status(suite: Suite) -> None:
    await running(suite, pod("pod-status"))
    path = suite.core("pods", "pod-status")
    text = {"message": "Patched by e2e test", "reason": "E2E"}
    patched = await suite.patch(f"{path}/status", {"status": text}, STRATEGIC)
    assert patched["status"].items() >= text.items()
    assert (await suite.get(path))["status"].items() >= text.items()


@pytest.mark.conformance("Pods should run through the lifecycle of Pods and PodStatus")
async def test_the_life_of_a_pod_and_its_status(suite: Suite) -> None:
    pods, path = suite.core("pods"), suite.core("pods", "pod-test")
    selected = {"labelSelector": "test-pod-static=true"}
    async with suite.watch(pods, await suite.get(pods), **selected) as events:
        await running(suite, pod("pod-test", {"test-pod-static": "true"}))
        await events.until("MODIFIED", lambda found: found["status"]["phase"] == "Running" and is_ready(found))
        image = {"spec": {"containers": [{"name": "c", "image": "registry.k8s.io/pause:3.9"}]}}
        await suite.patch(path, {"metadata": {"labels": {"test-pod": "patched"}}, **image}, STRATEGIC)
        seen = await events.until("MODIFIED", lambda found: found["metadata"]["labels"].get("test-pod") == "patched")
        assert seen["spec"]["containers"][0]["image"] == "registry.k8s.io/pause:3.9"
        status = await suite.get(f"{path}/status")
        for row in status["status"]["conditions"]:
            if row["type"] in {"Ready", "ContainersReady"}:
                row["status"] = "False"
        del status["metadata"]["resourceVersion"]
        assert not is_ready(await suite.update(f"{path}/status", status))
        await events.until("MODIFIED", lambda found: not is_ready(found))
        assert await suite.names("/api/v1/pods", **selected) == ["pod-test"]
        await suite.delete(pods, **selected)
        await events.until("DELETED")


async def test_a_deadline_passes(suite: Suite) -> None:
    """The deadline may be set and shortened, never lengthened; ending the pod is the kubelet's matter."""
    await running(suite, pod("deadline", activeDeadlineSeconds=30))
    path = suite.core("pods", "deadline")
    assert (await suite.patch(path, {"spec": {"activeDeadlineSeconds": 5}}))["spec"]["activeDeadlineSeconds"] == 5
    refused = await suite.ask("PATCH", path, {"spec": {"activeDeadlineSeconds": 50}}, 422, kind=MERGE)
    assert list(causes(refused)) == ["spec.activeDeadlineSeconds"]


@pytest.mark.conformance("Sysctls should reject invalid sysctls")
async def test_names_of_kernel_parameters_are_checked(suite: Suite) -> None:
    names = ("foo-", "kernel.shmmax", "safe-and-unsafe", "bar..", "net.ipv4.ip_local_port_range", "42")
    sysctls = [{"name": name, "value": "bar"} for name in names]
    document = pod("sysctl", securityContext={"sysctls": sysctls})
    refused = await suite.ask("POST", suite.core("pods"), document, 422)
    assert list(causes(refused)) == [f"spec.securityContext.sysctls[{number}].name" for number in (0, 3)]


@pytest.mark.conformance("CSIInlineVolumes should support CSIVolumeSource in Pod API")
async def test_a_pod_may_have_inline_volumes_of_drivers(suite: Suite) -> None:
    volume = {"name": "csi-inline", "csi": {"driver": "e2e.example.com", "volumeAttributes": {"a": "b"}}}
    path, label = suite.core("pods"), {"csi": suite.namespace}
    document = pod("inline", label, volumes=[volume], schedulerName="nobody")
    created = await suite.create(path, document)
    assert created["spec"]["volumes"][0] == volume
    selected = {"labelSelector": f"csi={suite.namespace}"}
    assert await suite.names("/api/v1/pods", **selected) == ["inline"]
    await suite.patch(f"{path}/inline", {"metadata": {"annotations": {"patched": "true"}}}, STRATEGIC)
    await suite.delete(path, ZERO_GRACE, **selected)
    assert await suite.names(path, **selected) == []


# ── runtime classes ──

CLASSES = "/apis/node.k8s.io/v1/runtimeclasses"


@pytest.mark.conformance("RuntimeClass should reject a Pod requesting a non-existent RuntimeClass")
async def test_an_unknown_runtime_class_is_forbidden(suite: Suite) -> None:
    refused = await suite.ask("POST", suite.core("pods"), pod("a", runtimeClassName="nonexistent"), 403)
    assert 'RuntimeClass "nonexistent" not found' in refused["message"]


@pytest.mark.conformance("RuntimeClass should reject a Pod requesting a deleted RuntimeClass")
async def test_a_deleted_runtime_class_is_forbidden(suite: Suite) -> None:
    name = f"runtime-{suite.namespace}"
    await suite.create(CLASSES, made(name, handler="runc"))
    await suite.create(suite.core("pods"), pod("before", runtimeClassName=name))
    await suite.delete(f"{CLASSES}/{name}")
    await suite.ask("POST", suite.core("pods"), pod("after", runtimeClassName=name), 403)


@pytest.mark.parametrize(
    "overhead",
    [
        pytest.param(
            {"cpu": "10m", "memory": "1Mi"},
            marks=pytest.mark.conformance(
                "RuntimeClass should schedule a Pod requesting a RuntimeClass and initialize its Overhead"
            ),
        ),
        pytest.param(
            {},
            marks=pytest.mark.conformance(
                "RuntimeClass should schedule a Pod requesting a RuntimeClass without PodOverhead"
            ),
        ),
    ],
    ids=["overhead", "none"],
)
async def test_a_pod_takes_the_overhead_of_its_runtime_class(suite: Suite, overhead: Json) -> None:
    name = f"runtime-{suite.namespace}"
    more = {"overhead": {"podFixed": overhead}} if overhead else {}
    await suite.create(CLASSES, made(name, handler="runc", **more))
    found = await running(suite, pod("a", runtimeClassName=name))
    assert found["spec"].get("overhead", {}) == overhead
    await suite.delete(f"{CLASSES}/{name}")


# ── taints ──

TAINT = {"key": "kubernetes.io/e2e-evict-taint-key", "value": "evictTaintVal", "effect": "NoExecute"}


def tolerating(name: str, seconds: int) -> Json:
    row = {"key": TAINT["key"], "value": TAINT["value"], "effect": "NoExecute", "operator": "Equal"}
    return made(name, spec=pod_spec(tolerations=[{**row, "tolerationSeconds": seconds}]))


async def tainted(suite: Suite, name: str, taint: bool = True) -> None:
    await suite.patch(f"/api/v1/nodes/{name}", {"spec": {"taints": [TAINT] if taint else None}})


@pytest.mark.conformance("NoExecuteTaintManager Multiple Pods evicts pods with minTolerationSeconds")
async def test_pods_leave_a_tainted_node_after_their_own_time(suite: Suite) -> None:
    await running(suite, tolerating("first", 1))
    node = (await suite.get(suite.core("pods", "first")))["spec"]["nodeName"]
    second = tolerating("second", 600)
    second["spec"]["nodeName"] = node
    await running(suite, second)
    await tainted(suite, node)
    await suite.gone(suite.core("pods", "first"))
    assert "deletionTimestamp" not in (await suite.get(suite.core("pods", "second")))["metadata"]
    await tainted(suite, node, taint=False)


@pytest.mark.conformance("NoExecuteTaintManager Single Pod removing taint cancels eviction")
async def test_a_taint_that_goes_in_time_evicts_nobody(suite: Suite) -> None:
    found = await running(suite, tolerating("lucky", 1))
    node = found["spec"]["nodeName"]
    await tainted(suite, node)
    await tainted(suite, node, taint=False)
    async with suite.watch(suite.core("pods"), await suite.get(suite.core("pods"))) as events:
        assert await events.quiet(1.5)
    assert "deletionTimestamp" not in (await suite.get(suite.core("pods", "lucky")))["metadata"]
