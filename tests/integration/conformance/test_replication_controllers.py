"""ReplicationControllers and disruption budgets on simulated nodes."""

import pytest

from integration.conformance.suite import STRATEGIC, Json, Suite, made, pod, replication_controller, workload

pytestmark = pytest.mark.asyncio(loop_scope="module")


def owners(document: Json) -> list[str]:
    return [row["uid"] for row in document["metadata"].get("ownerReferences") or () if row.get("controller")]


def conditions(document: Json) -> dict[str, str]:
    return {row["type"]: row["status"] for row in document["status"].get("conditions") or ()}


@pytest.mark.conformance(
    "ReplicationController should adopt matching pods on creation",
    "ReplicationController should release no longer matching pods",
)
async def test_a_controller_adopts_and_releases(suite: Suite) -> None:
    path = suite.core("pods", "pod-adoption")
    await suite.create(suite.core("pods"), pod("pod-adoption", {"name": "test"}))
    owner = await suite.create(suite.core("replicationcontrollers"), replication_controller("test", 1))
    await suite.becomes(path, lambda found: owners(found) == [owner["metadata"]["uid"]])
    await suite.patch(path, {"metadata": {"labels": {"name": "not-matching"}}})
    await suite.becomes(path, lambda found: owners(found) == [])


@pytest.mark.conformance("ReplicationController should get and update a ReplicationController scale")
async def test_the_scale_of_a_controller(suite: Suite) -> None:
    path = suite.core("replicationcontrollers", "test")
    await suite.create(suite.core("replicationcontrollers"), replication_controller("test", 1))
    await suite.becomes(path, lambda found: found["status"].get("readyReplicas") == 1)
    scale = await suite.get(f"{path}/scale")
    assert (scale["kind"], scale["spec"]["replicas"], scale["status"]["replicas"]) == ("Scale", 1, 1)
    del scale["metadata"]["resourceVersion"]
    scale["spec"]["replicas"] = 2
    await suite.update(f"{path}/scale", scale)
    await suite.becomes(path, lambda found: found["status"].get("readyReplicas") == 2)
    assert (await suite.get(f"{path}/scale"))["status"]["replicas"] == 2


@pytest.mark.conformance(
    "ReplicationController should surface a failure condition on a common issue like exceeded quota"
)
async def test_a_quota_that_blocks_pods_is_told_as_a_condition(suite: Suite) -> None:
    await suite.create(suite.core("resourcequotas"), made("condition-test", spec={"hard": {"pods": "2"}}))
    quota = suite.core("resourcequotas", "condition-test")
    await suite.becomes(quota, lambda found: found["status"].get("hard") == {"pods": "2"})
    path = suite.core("replicationcontrollers", "test")
    await suite.create(suite.core("replicationcontrollers"), replication_controller("test", 3))
    await suite.becomes(path, lambda found: conditions(found).get("ReplicaFailure") == "True")
    await suite.patch(path, {"spec": {"replicas": 2}})
    await suite.becomes(path, lambda found: "ReplicaFailure" not in conditions(found))


@pytest.mark.conformance("ReplicationController should test the lifecycle of a ReplicationController")
async def test_the_life_of_a_controller(suite: Suite) -> None:
    controllers, path = suite.core("replicationcontrollers"), suite.core("replicationcontrollers", "rc-test")
    label, selected = {"test-rc-static": "true"}, {"labelSelector": "test-rc-static=true"}
    document = replication_controller("rc-test", 1, label)
    async with suite.watch(controllers, await suite.get(controllers), **selected) as events:
        await suite.create(controllers, document)
        await events.until("ADDED")
        await events.until("MODIFIED", lambda found: found["status"].get("readyReplicas") == 1)
        await suite.patch(path, {"metadata": {"labels": {"test-rc": "patched"}}}, STRATEGIC)
        await events.until("MODIFIED", lambda found: found["metadata"]["labels"].get("test-rc") == "patched")
        status = {"status": {"readyReplicas": 0, "availableReplicas": 0}}
        assert (await suite.patch(f"{path}/status", status))["status"].get("readyReplicas", 0) == 0
        await events.until("MODIFIED", lambda found: found["status"].get("readyReplicas", 0) == 0)
        assert (await suite.get(f"{path}/status"))["kind"] == "ReplicationController"
        await suite.patch(f"{path}/scale", {"spec": {"replicas": 2}})
        await events.until("MODIFIED", lambda found: found["spec"]["replicas"] == 2)
        await events.until("MODIFIED", lambda found: found["status"].get("readyReplicas") == 2)
        assert await suite.names("/api/v1/replicationcontrollers", **selected) == ["rc-test"]
        await suite.patch(path, {"metadata": {"annotations": {"updated": "true"}}})
        await suite.delete(controllers, **selected)
        await events.until("DELETED")


# ── disruption budgets ──


def budget(**spec: object) -> Json:
    return made("foo", spec={"selector": {"matchLabels": {"foo": "bar"}}, **spec})


def budgets(suite: Suite, name: str = "") -> str:
    return suite.group("policy", "poddisruptionbudgets", name)


async def three_pods(suite: Suite) -> None:
    for number in range(3):
        await suite.create(suite.core("pods"), pod(f"pod-{number}", {"foo": "bar"}))


@pytest.mark.conformance("DisruptionController should observe PodDisruptionBudget status updated")
async def test_healthy_pods_allow_disruptions(suite: Suite) -> None:
    await suite.create(budgets(suite), budget(minAvailable=1))
    await three_pods(suite)
    await suite.becomes(budgets(suite, "foo"), lambda found: found["status"]["disruptionsAllowed"] > 0)


@pytest.mark.conformance("DisruptionController should update/patch PodDisruptionBudget status")
async def test_disrupted_pods_are_written_through_status(suite: Suite) -> None:
    path = budgets(suite, "foo")
    await suite.create(budgets(suite), budget(minAvailable=1))
    await three_pods(suite)
    await suite.becomes(path, lambda found: found["status"]["disruptionsAllowed"] > 0)
    when = "2999-01-01T00:00:00Z"
    status = await suite.get(f"{path}/status")
    status["status"]["disruptedPods"] = {"pod-0": when}
    updated = await suite.update(f"{path}/status", status)
    assert updated["status"]["disruptedPods"] == {"pod-0": when}
    patched = await suite.patch(f"{path}/status", {"status": {"disruptedPods": {"pod-0": None}}})
    assert not patched["status"].get("disruptedPods")


@pytest.mark.conformance("DisruptionController should block an eviction until the PDB is updated to allow it")
async def test_an_eviction_waits_for_the_budget(suite: Suite) -> None:
    document = workload("rs", 3, {"foo": "bar"})
    await suite.create(suite.apps("replicasets"), document)
    await suite.becomes(suite.apps("replicasets", "rs"), lambda found: found["status"].get("readyReplicas") == 3)
    await suite.create(budgets(suite), budget(minAvailable=3))
    path = budgets(suite, "foo")
    await suite.becomes(path, lambda found: found["status"].get("currentHealthy") == 3)
    pods = sorted(await suite.names(suite.core("pods")))

    async def evict(name: str) -> tuple[int, Json]:
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        answer = await suite.raw("POST", suite.core("pods", f"{name}/eviction"), body)
        return answer.status, answer.document

    code, refused = await evict(pods[0])
    assert code == 429
    assert [cause["reason"] for cause in refused["details"]["causes"]] == ["DisruptionBudget"]
    await suite.patch(path, {"spec": {"minAvailable": 2}})
    await suite.becomes(path, lambda found: found["status"]["disruptionsAllowed"] == 1)
    assert (await evict(pods[0]))[0] == 201
    await suite.becomes(path, lambda found: found["status"]["disruptionsAllowed"] == 1)
    await suite.patch(path, {"spec": {"minAvailable": 3}})
    await suite.becomes(path, lambda found: found["status"]["disruptionsAllowed"] == 0)
    assert (await evict(pods[1]))[0] == 429
    await suite.delete(path)
    assert (await evict(pods[1]))[0] == 201
