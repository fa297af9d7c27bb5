from typing import Any

import pytest

from unit.apiserver.serving import Server, pod, serving

PODS = "/api/v1/namespaces/default/pods"
BUDGETS = "/apis/policy/v1/namespaces/default/poddisruptionbudgets"
DEPLOYMENTS = "/apis/apps/v1/namespaces/default/deployments"


def binding(pod_name: str, node: str) -> dict[str, Any]:
    return {"kind": "Binding", "apiVersion": "v1", "metadata": {"name": pod_name}, "target": {"name": node}}


def eviction(name: str, **options: Any) -> dict[str, Any]:
    body = {"kind": "Eviction", "apiVersion": "policy/v1", "metadata": {"name": name, "namespace": "default"}}
    return {**body, "deleteOptions": options} if options else body


async def test_a_binding_puts_the_pod_on_its_node_once() -> None:
    async with serving() as server:
        await server.create(PODS, pod("a"))
        await server.create(f"{PODS}/a/binding", binding("a", "n1"), status=201)
        bound = await server.get(f"{PODS}/a")
        assert bound["spec"]["nodeName"] == "n1"
        assert bound["status"]["conditions"][0]["type"] == "PodScheduled"
        again = await server.create(f"{PODS}/a/binding", binding("a", "n2"), status=409)
        assert again["message"] == (
            'Operation cannot be fulfilled on pods/binding "a": pod a is already assigned to node "n1"'
        )


async def test_the_old_way_to_bind_works() -> None:
    async with serving() as server:
        await server.create(PODS, pod("a"))
        await server.create("/api/v1/namespaces/default/bindings", binding("a", "n1"), status=201)
        assert (await server.get(f"{PODS}/a"))["spec"]["nodeName"] == "n1"


def deployment(name: str, replicas: int) -> dict[str, Any]:
    return {
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{"name": "c", "image": "demo"}]},
            },
        },
    }


async def test_scale_shows_and_sets_replicas_only() -> None:
    async with serving() as server:
        await server.create(DEPLOYMENTS, deployment("d", 3))
        scale = await server.get(f"{DEPLOYMENTS}/d/scale")
        assert (scale["kind"], scale["apiVersion"]) == ("Scale", "autoscaling/v1")
        assert scale["spec"] == {"replicas": 3}
        assert scale["status"] == {"replicas": 0, "selector": "app=d"}
        scale["spec"]["replicas"] = 5
        await server.call("PUT", f"{DEPLOYMENTS}/d/scale", scale)
        assert (await server.get(f"{DEPLOYMENTS}/d"))["spec"]["replicas"] == 5
        await server.call("PUT", f"{DEPLOYMENTS}/d/scale", scale, status=409)
        patched = await server.call(
            "PATCH", f"{DEPLOYMENTS}/d/scale", {"spec": {"replicas": 0}}, content_type="application/merge-patch+json"
        )
        assert patched["spec"] == {"replicas": 0}
        assert (await server.get(f"{DEPLOYMENTS}/d"))["metadata"]["generation"] == 3


async def test_a_negative_scale_is_invalid() -> None:
    async with serving() as server:
        await server.create(DEPLOYMENTS, deployment("d", 3))
        body = {"metadata": {"name": "d"}, "spec": {"replicas": -1}}
        assert (await server.call("PUT", f"{DEPLOYMENTS}/d/scale", body, status=422))["reason"] == "Invalid"


async def running_pod(server: Server, name: str, *, ready: bool = True) -> None:
    body = pod(name, app="web")
    body["spec"]["nodeName"] = "n1"
    created = await server.create(PODS, body)
    created["status"] = {
        "phase": "Running",
        "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
    }
    await server.call("PUT", f"{PODS}/{name}/status", created)


async def budget(server: Server, **status: Any) -> None:
    body = {"metadata": {"name": "b"}, "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}}
    created = await server.create(BUDGETS, body)
    created["status"] = {"observedGeneration": 1, **status}
    await server.call("PUT", f"{BUDGETS}/b/status", created)


async def test_an_eviction_without_a_budget_deletes_and_says_why() -> None:
    async with serving() as server:
        await running_pod(server, "a")
        await server.create(f"{PODS}/a/eviction", eviction("a"), status=201)
        going = await server.get(f"{PODS}/a")
        assert going["metadata"]["deletionTimestamp"]
        marks = [c for c in going["status"]["conditions"] if c["type"] == "DisruptionTarget"]
        assert marks[0]["reason"] == "EvictionByEvictionAPI"


async def test_an_eviction_counts_its_budget_down() -> None:
    async with serving() as server:
        await running_pod(server, "a")
        await budget(server, disruptionsAllowed=1, currentHealthy=2, desiredHealthy=1, expectedPods=2)
        await server.create(f"{PODS}/a/eviction", eviction("a"), status=201)
        status = (await server.get(f"{BUDGETS}/b"))["status"]
        assert status["disruptionsAllowed"] == 0
        assert list(status["disruptedPods"]) == ["a"]


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (
            {"disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 1},
            "The disruption budget b needs 1 healthy pods and has 1 currently",
        ),
        (
            {"observedGeneration": 0, "disruptionsAllowed": 0},
            "The disruption budget b is still being processed by the server.",
        ),
    ],
)
async def test_a_spent_or_unprocessed_budget_refuses(status: dict[str, Any], cause: str) -> None:
    async with serving() as server:
        await running_pod(server, "a")
        await budget(server, **status)
        refused = await server.create(f"{PODS}/a/eviction", eviction("a"), status=429)
        assert refused["details"]["causes"] == [{"reason": "DisruptionBudget", "message": cause}]
        assert refused["details"]["retryAfterSeconds"] == 10
        assert "deletionTimestamp" not in (await server.get(f"{PODS}/a"))["metadata"]


async def test_an_unready_pod_goes_while_the_budget_is_met() -> None:
    async with serving() as server:
        await running_pod(server, "a", ready=False)
        await budget(server, disruptionsAllowed=0, currentHealthy=1, desiredHealthy=1, expectedPods=2)
        await server.create(f"{PODS}/a/eviction", eviction("a"), status=201)


async def test_namespace_finalizers_change_through_finalize_only() -> None:
    async with serving() as server:
        created = await server.create("/api/v1/namespaces", {"metadata": {"name": "x"}})
        going = await server.call("DELETE", "/api/v1/namespaces/x")
        assert going["status"]["phase"] == "Terminating"
        created["spec"]["finalizers"] = []
        created["metadata"].pop("resourceVersion")
        kept = await server.call("PUT", "/api/v1/namespaces/x", created)
        assert kept["spec"]["finalizers"] == ["kubernetes"]
        await server.call("PUT", "/api/v1/namespaces/x/finalize", created)
        await server.get("/api/v1/namespaces/x", status=404)
