"""The scheduler, priorities and limit ranges on simulated nodes."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from integration.conformance.suite import JSON, MERGE, Json, Suite, made, pod, workload

pytestmark = pytest.mark.asyncio(loop_scope="module")

NODES = "/api/v1/nodes"
CLASSES = "/apis/scheduling.k8s.io/v1/priorityclasses"
RESOURCE = "scheduling.k8s.io/foo"


def asking(name: str, requests: Json, **spec: Any) -> Json:
    document = pod(name, {"name": name}, **spec)
    document["spec"]["containers"][0]["resources"] = {"requests": requests, "limits": requests}
    return document


async def placed(suite: Suite, document: Json) -> Json:
    name = document["metadata"]["name"]
    await suite.create(suite.core("pods"), document)
    return await suite.becomes(suite.core("pods", name), lambda found: found["status"]["phase"] == "Running")


async def refused(suite: Suite, document: Json) -> str:
    """Why the scheduler finds no node; from its event."""
    name = document["metadata"]["name"]
    await suite.create(suite.core("pods"), document)
    selected = {"fieldSelector": f"involvedObject.name={name},reason=FailedScheduling"}
    message = ""

    async def told() -> bool:
        nonlocal message
        for event in await suite.items(suite.core("events"), **selected):
            message = event.get("message", "")
        return bool(message)

    await suite.eventually("an event FailedScheduling", told)
    assert "nodeName" not in (await suite.get(suite.core("pods", name)))["spec"]
    return message


@pytest.mark.conformance("SchedulerPredicates validates resource limits of pods that are allowed to run")
async def test_a_full_cluster_takes_no_more(suite: Suite) -> None:
    nodes = await suite.items(NODES)
    for number, node in enumerate(nodes):
        filler = asking(f"filler-{number}", {"cpu": node["status"]["allocatable"]["cpu"]})
        filler["spec"]["nodeSelector"] = {"kubernetes.io/hostname": node["metadata"]["name"]}
        await placed(suite, filler)
    message = await refused(suite, asking("additional-pod", {"cpu": "1"}))
    assert f"{len(nodes)} Insufficient cpu" in message
    await suite.delete(suite.core("pods"), gracePeriodSeconds=0)
    await suite.empty(suite.core("pods"))


@pytest.mark.conformance("SchedulerPredicates validates that NodeSelector is respected if matching")
async def test_a_pod_lands_on_the_node_it_selects(suite: Suite) -> None:
    label, node = f"kubernetes.io/e2e-{suite.namespace}", (await suite.names(NODES))[1]
    await suite.patch(f"{NODES}/{node}", {"metadata": {"labels": {label: "42"}}})
    found = await placed(suite, pod("with-labels", nodeSelector={label: "42"}))
    assert found["spec"]["nodeName"] == node
    await suite.patch(f"{NODES}/{node}", {"metadata": {"labels": {label: None}}})


@pytest.mark.conformance("SchedulerPredicates validates that NodeSelector is respected if not matching")
async def test_a_pod_nobody_matches_waits(suite: Suite) -> None:
    message = await refused(suite, pod("restricted-pod", nodeSelector={"label": "nonempty"}))
    assert "node(s) didn't match Pod's node affinity/selector" in message


@pytest.mark.conformance(
    "SchedulerPredicates validates that there exists conflict between pods with same hostPort and protocol "
    "but one using 0.0.0.0 hostIP"
)
async def test_every_address_conflicts_with_one(suite: Suite) -> None:
    node = (await suite.names(NODES))[0]

    def on_port(name: str, address: str) -> Json:
        document = pod(name, nodeSelector={"kubernetes.io/hostname": node})
        port = {"hostPort": 54322, "containerPort": 8080, "protocol": "TCP"}
        document["spec"]["containers"][0]["ports"] = [{**port, **({"hostIP": address} if address else {})}]
        return document

    await placed(suite, on_port("pod4", ""))
    message = await refused(suite, on_port("pod5", "127.0.0.1"))
    assert "node(s) didn't have free ports for the requested pod ports" in message


# ── priorities ──


@pytest.mark.conformance(
    "SchedulerPreemption PriorityClass endpoints verify PriorityClass endpoints can be operated with different "
    "HTTP methods"
)
async def test_the_value_of_a_priority_class_is_fixed(suite: Suite) -> None:
    name = f"p-{suite.namespace}"
    path = f"{CLASSES}/{name}"
    made_ = await suite.create(CLASSES, made(name, value=1))
    assert name in await suite.names(CLASSES)
    for method, kind in (("PATCH", MERGE), ("PUT", JSON)):
        body = {"value": 2} if method == "PATCH" else {**made_, "value": 2}
        answer = await suite.ask(method, path, body, 422, kind=kind)
        assert "value: Forbidden: may not be changed in an update." in answer["message"]
    patched = await suite.patch(path, {"description": "updatedDescription"})
    assert patched["description"] == "updatedDescription"
    assert int(patched["metadata"]["resourceVersion"]) > int(made_["metadata"]["resourceVersion"])
    patched["description"] = "again"
    assert (await suite.update(path, patched))["value"] == 1
    await suite.delete(path)


@pytest_asyncio.fixture(loop_scope="module")
async def foo(suite: Suite) -> AsyncIterator[list[str]]:
    """Every node has five of a resource; two priority classes."""
    for node in await suite.names(NODES):
        capacity = {"capacity": {RESOURCE: "5"}, "allocatable": {RESOURCE: "5"}}
        await suite.patch(f"{NODES}/{node}/status", {"status": capacity})
    names = {f"{level}-{suite.namespace}": value for level, value in (("low", 1), ("high", 1000))}
    for name, value in names.items():
        await suite.create(CLASSES, made(name, value=value))
    yield list(names)
    await suite.delete(suite.core("pods"), gracePeriodSeconds=0)
    for name in names:
        await suite.delete(f"{CLASSES}/{name}")
    for node in await suite.names(NODES):
        gone = {"capacity": {RESOURCE: None}, "allocatable": {RESOURCE: None}}
        await suite.patch(f"{NODES}/{node}/status", {"status": gone})


async def fill(suite: Suite, low: str) -> list[str]:
    """Fill every node with one pod of low priority, but the first with one of no priority."""
    names = []
    for number, node in enumerate(await suite.names(NODES)):
        spec: Json = {"nodeSelector": {"kubernetes.io/hostname": node}}
        await placed(suite, asking(f"pod{number}", {RESOURCE: "4"}, priorityClassName=low, **spec))
        names.append(f"pod{number}")
    return names


@pytest.mark.conformance("SchedulerPreemption validates basic preemption works")
async def test_a_higher_priority_takes_the_place_of_the_lowest(suite: Suite, foo: list[str]) -> None:
    low, high = foo
    nodes = await suite.names(NODES)
    for number, node in enumerate(nodes):
        spec: Json = {"nodeSelector": {"kubernetes.io/hostname": node}}
        if number:
            spec["priorityClassName"] = low
        await placed(suite, asking(f"pod{number}", {RESOURCE: "4"}, **spec))
    await placed(suite, asking("preemptor", {RESOURCE: "4"}, priorityClassName=high))
    await suite.gone(suite.core("pods", "pod0"))
    assert await suite.names(suite.core("pods")) == [*(f"pod{n}" for n in range(1, len(nodes))), "preemptor"]


@pytest.mark.conformance("SchedulerPreemption validates lower priority pod preemption by critical pod")
async def test_a_critical_pod_takes_the_place_of_another(suite: Suite, foo: list[str]) -> None:
    low, _ = foo
    names = await fill(suite, low)
    critical = asking("critical", {RESOURCE: "4"}, priorityClassName="system-cluster-critical")
    path = "/api/v1/namespaces/kube-system/pods"
    await suite.create(path, critical)
    await suite.becomes(f"{path}/critical", lambda found: found["status"]["phase"] == "Running")
    assert len(await suite.names(suite.core("pods"))) == len(names) - 1
    await suite.delete(f"{path}/critical", gracePeriodSeconds=0)
    await suite.gone(f"{path}/critical")


@pytest.mark.conformance("SchedulerPreemption validates pod disruption condition is added to the preempted pod")
async def test_a_preempted_pod_says_so_while_it_ends(suite: Suite, foo: list[str]) -> None:
    low, high = foo
    node = (await suite.names(NODES))[0]
    there: Json = {"nodeSelector": {"kubernetes.io/hostname": node}}
    victim = asking("victim", {RESOURCE: "5"}, priorityClassName=low, **there)
    victim["metadata"]["finalizers"] = ["example.com/test-finalizer"]
    await placed(suite, victim)
    await suite.create(suite.core("pods"), asking("preemptor", {RESOURCE: "5"}, priorityClassName=high, **there))
    path = suite.core("pods", "victim")
    found = await suite.becomes(path, lambda found: "deletionTimestamp" in found["metadata"])
    (condition,) = [row for row in found["status"]["conditions"] if row["type"] == "DisruptionTarget"]
    assert (condition["status"], condition["reason"]) == ("True", "PreemptionByScheduler")
    await suite.patch(path, {"metadata": {"finalizers": None}})
    await suite.gone(path)


@pytest.mark.conformance(
    "SchedulerPreemption PreemptionExecutionPath runs ReplicaSets to verify preemption running path"
)
async def test_sets_of_rising_priority_evict_just_enough(suite: Suite, foo: list[str]) -> None:
    """On a node with room for five: 1 + 1 + 1 of priorities 1 to 3 run; the fourth, of two, evicts only the first."""
    node = (await suite.names(NODES))[0]
    classes = [f"p{number}-{suite.namespace}" for number in (1, 2, 3, 4)]
    for number, name in enumerate(classes, 1):
        await suite.create(CLASSES, made(name, value=number))
    sizes = {"rs-pod1": (1, "1"), "rs-pod2": (1, "1"), "rs-pod3": (1, "2"), "rs-pod4": (1, "2")}
    pods = suite.core("pods")
    async with suite.watch(pods, await suite.get(pods)) as events:
        for (name, (replicas, amount)), priority in zip(sizes.items(), classes, strict=True):
            document = workload(name, replicas)
            spec = document["spec"]["template"]["spec"]
            spec.update(nodeSelector={"kubernetes.io/hostname": node}, priorityClassName=priority)
            spec["containers"][0]["resources"] = {"requests": {RESOURCE: amount}, "limits": {RESOURCE: amount}}
            await suite.create(suite.apps("replicasets"), document)
            path = suite.apps("replicasets", name)
            await suite.becomes(path, lambda found: found["status"].get("readyReplicas") == 1)
        await suite.create(pods, pod("last"))
        created: dict[str, int] = {}
        while True:
            kind, found = await events.next()
            name = found["metadata"]["labels"]["name"] if "labels" in found["metadata"] else "last"
            if name == "last":
                break
            created[name] = created.get(name, 0) + (kind == "ADDED")
    assert created == {"rs-pod1": 2, "rs-pod2": 1, "rs-pod3": 1, "rs-pod4": 1}
    await suite.delete(suite.apps("replicasets"))
    for name in classes:
        await suite.delete(f"{CLASSES}/{name}")


# ── limit ranges ──


@pytest.mark.conformance(
    "LimitRange should create a LimitRange with defaults and ensure pod has those defaults applied."
)
async def test_defaults_and_bounds_of_a_limit_range_hold(suite: Suite) -> None:
    def amounts(cpu: str, memory: str, disk: str) -> Json:
        return {"cpu": cpu, "memory": memory, "ephemeral-storage": disk}

    least, most = amounts("50m", "100Mi", "100Gi"), amounts("500m", "500Mi", "500Gi")
    default, request = amounts("500m", "500Mi", "500Gi"), amounts("100m", "200Mi", "200Gi")
    bounds = {"min": least, "max": most, "default": default, "defaultRequest": request}
    limit = {**bounds, "type": "Container", "maxLimitRequestRatio": {}}
    path, pods = suite.core("limitranges", "limit-range"), suite.core("pods")
    async with suite.watch(suite.core("limitranges"), await suite.get(suite.core("limitranges"))) as events:
        await suite.create(suite.core("limitranges"), made("limit-range", spec={"limits": [limit]}))
        await events.until("ADDED")

    def resources(found: Json) -> tuple[Json, Json]:
        own = found["spec"]["containers"][0]["resources"]
        return own["requests"], own["limits"]

    bare = await suite.create(pods, pod("pod-no-resources"))
    assert resources(bare) == (request, default)
    partial = pod("pod-partial-resources")
    partial["spec"]["containers"][0]["resources"] = {
        "requests": {"cpu": "150m", "memory": "150Mi"},
        "limits": {"cpu": "300m"},
    }
    assert resources(await suite.create(pods, partial)) == (
        {"cpu": "150m", "memory": "150Mi", "ephemeral-storage": "200Gi"},
        {"cpu": "300m", "memory": "500Mi", "ephemeral-storage": "500Gi"},
    )

    def with_cpu(name: str, requests: str, limits: str = "") -> Json:
        document = pod(name)
        own: Json = {"requests": {"cpu": requests}}
        document["spec"]["containers"][0]["resources"] = {**own, **({"limits": {"cpu": limits}} if limits else {})}
        return document

    below = await suite.ask("POST", pods, with_cpu("pfail-1", "10m"), 403)
    assert "minimum cpu usage per Container is 50m, but request is 10m" in below["message"]
    above = await suite.ask("POST", pods, with_cpu("pfail-2", "600m", "600m"), 403)
    assert "maximum cpu usage per Container is 500m, but limit is 600m" in above["message"]
    changed = {"spec": {"limits": [{**limit, "min": {**least, "cpu": "9m"}}]}}
    await suite.patch(path, changed)
    await suite.create(pods, with_cpu("now-good", "10m"))
    await suite.delete(path)
    await suite.gone(path)
    await suite.create(pods, with_cpu("unlimited", "600m", "600m"))
