"""What the official suite asks of namespaces."""

import pytest

from integration.conformance.suite import CLOCK, STRATEGIC, Json, Suite, made, pod

pytestmark = pytest.mark.asyncio(loop_scope="module")

TIME = "2026-01-02T03:04:05Z"


def space(suite: Suite) -> str:
    return f"/api/v1/namespaces/{suite.namespace}"


def conditions(namespace: Json) -> dict[str, Json]:
    return {condition["type"]: condition for condition in namespace["status"].get("conditions", ())}


@pytest.mark.conformance("Namespaces should patch a Namespace")
async def test_a_patch_labels_a_namespace(suite: Suite) -> None:
    before = await suite.get(space(suite))
    patched = await suite.patch(space(suite), {"metadata": {"labels": {"testLabel": "testValue"}}}, STRATEGIC)
    assert patched["metadata"]["labels"]["testLabel"] == "testValue"
    assert int(patched["metadata"]["resourceVersion"]) > int(before["metadata"]["resourceVersion"])
    assert (await suite.get(space(suite)))["metadata"]["labels"] == patched["metadata"]["labels"]


@pytest.mark.conformance("Namespaces should apply an update to a Namespace")
async def test_an_update_labels_a_namespace(suite: Suite) -> None:
    found = await suite.get(space(suite))
    found["metadata"]["labels"]["updated"] = suite.namespace
    assert (await suite.update(space(suite), found))["metadata"]["labels"]["updated"] == suite.namespace
    stale = {**found, "metadata": {**found["metadata"], "labels": {}}}
    assert (await suite.ask("PUT", space(suite), stale, 409))["reason"] == "Conflict"


@pytest.mark.conformance("Namespaces should apply changes to a namespace status")
async def test_the_status_of_a_namespace_takes_conditions_and_keeps_its_phase(suite: Suite) -> None:
    status = f"{space(suite)}/status"
    assert (await suite.get(status))["status"] == {"phase": "Active"}
    first = {"type": "StatusPatch", "status": "True", "reason": "E2E", "message": "Patched by an e2e test"}
    patch = {"metadata": {"annotations": {"e2e-patched-ns-status": "yes"}}, "status": {"conditions": [first]}}
    patched = await suite.patch(status, patch)
    assert patched["metadata"]["annotations"]["e2e-patched-ns-status"] == "yes"
    assert conditions(patched)["StatusPatch"]["message"] == "Patched by an e2e test"
    second = {**first, "type": "StatusUpdate", "message": "Updated by an e2e test", "lastTransitionTime": TIME}
    patched["status"]["conditions"].append(second)
    updated = await suite.update(status, patched)
    assert updated["status"]["phase"] == "Active"
    assert conditions(updated)["StatusUpdate"] == second
    assert set(conditions(await suite.get(space(suite)))) == {"StatusPatch", "StatusUpdate"}


@pytest.mark.conformance("Namespaces should apply a finalizer to a Namespace")
async def test_finalizers_of_a_namespace_change_through_finalize_alone(suite: Suite) -> None:
    found = await suite.get(space(suite))
    assert found["spec"]["finalizers"] == ["kubernetes"]
    found["spec"]["finalizers"] = ["kubernetes", "e2e.example.com/fakeFinalizer"]
    updated = await suite.update(f"{space(suite)}/finalize", found)
    assert updated["spec"]["finalizers"] == ["kubernetes", "e2e.example.com/fakeFinalizer"]
    updated["spec"]["finalizers"] = ["kubernetes"]
    assert (await suite.update(space(suite), updated))["spec"]["finalizers"] != ["kubernetes"]
    current = await suite.get(space(suite))
    current["spec"]["finalizers"] = ["kubernetes"]
    assert (await suite.update(f"{space(suite)}/finalize", current))["spec"]["finalizers"] == ["kubernetes"]


async def goes(suite: Suite) -> None:
    assert (await suite.delete(space(suite)))["status"]["phase"] == "Terminating"
    await suite.gone(space(suite))


async def again(suite: Suite) -> None:
    await suite.create("/api/v1/namespaces", made(suite.namespace))

    async def furnished() -> bool:
        return await suite.exists(suite.core("serviceaccounts", "default"))

    await suite.eventually("a service account", furnished)


@pytest.mark.conformance("Namespaces should ensure that all pods are removed when a namespace is deleted")
async def test_pods_go_with_their_namespace(suite: Suite) -> None:
    pods = suite.core("pods")
    await suite.create(pods, pod("test-pod"))
    await suite.becomes(f"{pods}/test-pod", lambda found: found["status"]["phase"] == "Running")
    await goes(suite)
    await again(suite)
    assert await suite.names(pods) == []


@pytest.mark.conformance("Namespaces should ensure that all services are removed when a namespace is deleted")
async def test_services_go_with_their_namespace(suite: Suite) -> None:
    services = suite.core("services")
    await suite.create(services, made("test-service", spec={"ports": [{"port": 80, "targetPort": 80}]}))
    await goes(suite)
    await again(suite)
    assert await suite.names(services) == []
    refused = await suite.ask("GET", f"{services}/test-service", None, 404)
    assert refused["message"] == 'services "test-service" not found'


@pytest.mark.conformance("OrderedNamespaceDeletion namespace deletion should delete pod first")
async def test_nothing_else_goes_while_a_pod_stays(suite: Suite) -> None:
    stuck = pod("testpod")
    stuck["metadata"]["finalizers"] = ["e2e.example.com/finalizer"]
    await suite.create(suite.core("pods"), stuck)
    await suite.create(suite.core("configmaps"), made("testcm", data={"testkey": "test"}))
    await suite.delete(space(suite))
    told = await suite.becomes(
        space(suite), lambda found: conditions(found).get("NamespaceContentRemaining", {}).get("status") == "True"
    )
    assert told["status"]["phase"] == "Terminating"
    remaining, finalizers = (
        conditions(told)[f"Namespace{what}Remaining"]["message"] for what in ("Content", "Finalizers")
    )
    assert remaining == "Some resources are remaining: pods. has 1 resource instances"
    assert finalizers == (
        "Some content in the namespace has finalizers remaining: e2e.example.com/finalizer in 1 resource instances"
    )
    await CLOCK.sleep(0.3)
    assert await suite.exists(suite.core("configmaps", "testcm"))
    await suite.patch(suite.core("pods", "testpod"), {"metadata": {"finalizers": None}})
    await suite.gone(space(suite))
