"""What the official suite asks of ResourceQuota: what is charged, refused, given back."""

from typing import Any

import pytest

from integration.conformance.suite import CLOCK, Json, Suite, made, pod_spec, replication_controller, workload

pytestmark = pytest.mark.asyncio(loop_scope="module")

HARD = {
    "pods": "5",
    "services": "10",
    "services.nodeports": "1",
    "services.loadbalancers": "1",
    "replicationcontrollers": "10",
    "resourcequotas": "1",
    "cpu": "1",
    "memory": "500Mi",
    "configmaps": "10",
    "secrets": "10",
    "persistentvolumeclaims": "10",
    "requests.storage": "10Gi",
    "ephemeral-storage": "50Gi",
    "gold.storageclass.storage.k8s.io/persistentvolumeclaims": "10",
    "gold.storageclass.storage.k8s.io/requests.storage": "10Gi",
    "count/replicasets.apps": "5",
    "requests.example.com/dongle": "3",
}
NOTHING = {**dict.fromkeys(HARD, "0"), "resourcequotas": "1", "configmaps": "1"}
"""What a new namespace uses: the quota itself and the root certificate."""
EXCEEDED = "exceeded quota: test-quota"


async def quota(suite: Suite, name: str = "test-quota", hard: Json | None = None, **spec: Any) -> Json:
    """A new quota once its status is calculated."""
    path, limits = suite.core("resourcequotas"), HARD if hard is None else hard
    await suite.create(path, made(name, spec={"hard": limits, **spec}))
    return await suite.becomes(
        f"{path}/{name}",
        lambda found: found["status"].get("hard") == limits and found["status"].get("used", {}).keys() == limits.keys(),
    )


async def used(suite: Suite, name: str = "test-quota", **changed: str) -> None:
    """Wait until the quota says so; names with `_` for `.` and `__` for `/`."""
    wanted = {key.replace("__", "/").replace("_", "."): value for key, value in changed.items()}
    await suite.becomes(
        suite.core("resourcequotas", name),
        lambda found: all(found["status"]["used"][key] == value for key, value in wanted.items()),
    )


async def unused(suite: Suite) -> None:
    await suite.becomes(suite.core("resourcequotas", "test-quota"), lambda found: found["status"]["used"] == NOTHING)


def consumer(name: str, requests: Json | None = None, limits: Json | None = None, **spec: Any) -> Json:
    document = made(name, {"name": name}, spec=pod_spec(**spec))
    document["spec"]["containers"][0]["resources"] = {"requests": requests or {}, "limits": limits or {}}
    return document


@pytest.mark.conformance("ResourceQuota should create a ResourceQuota and ensure its status is promptly calculated.")
async def test_the_status_is_calculated_promptly(suite: Suite) -> None:
    found = await quota(suite)
    assert found["status"]["used"] == NOTHING


@pytest.mark.conformance("ResourceQuota should create a ResourceQuota and capture the life of a service.")
async def test_the_life_of_a_service(suite: Suite) -> None:
    await quota(suite)
    services = suite.core("services")
    ports = [{"port": 80, "targetPort": 80}]
    await suite.create(services, made("cluster", spec={"type": "ClusterIP", "ports": ports}))
    await suite.create(services, made("node", spec={"type": "NodePort", "ports": ports}))
    refused = await suite.ask("POST", services, made("balanced", spec={"type": "LoadBalancer", "ports": ports}), 403)
    assert EXCEEDED in refused["message"]
    assert "services.nodeports=1" in refused["message"]
    await used(suite, services="2", services_nodeports="1", services_loadbalancers="0")
    for name in ("cluster", "node"):
        await suite.delete(f"{services}/{name}")
    await unused(suite)


@pytest.mark.conformance("ResourceQuota should create a ResourceQuota and capture the life of a secret.")
async def test_the_life_of_a_secret(suite: Suite) -> None:
    await quota(suite)
    await suite.create(suite.core("secrets"), made("test-secret", data={"data-1": "dmFsdWUtMQ=="}))
    await used(suite, secrets="1")
    await suite.delete(suite.core("secrets", "test-secret"))
    await unused(suite)


@pytest.mark.conformance("ResourceQuota should create a ResourceQuota and capture the life of a configMap.")
async def test_the_life_of_a_config_map(suite: Suite) -> None:
    await quota(suite)
    await suite.create(suite.core("configmaps"), made("test-configmap", data={"a": "b"}))
    await used(suite, configmaps="2")
    await suite.delete(suite.core("configmaps", "test-configmap"))
    await unused(suite)


@pytest.mark.conformance(
    "ResourceQuota should create a ResourceQuota and capture the life of a replication controller."
)
async def test_the_life_of_a_replication_controller(suite: Suite) -> None:
    await quota(suite)
    path = suite.core("replicationcontrollers")
    await suite.create(path, replication_controller("test-rc", 0))
    await used(suite, replicationcontrollers="1")
    await suite.delete(f"{path}/test-rc", {"propagationPolicy": "Orphan"})
    await unused(suite)


@pytest.mark.conformance("ResourceQuota should create a ResourceQuota and capture the life of a replica set.")
async def test_the_life_of_a_replica_set(suite: Suite) -> None:
    await quota(suite)
    await suite.create(suite.apps("replicasets"), workload("test-rs", 0))
    await used(suite, count__replicasets_apps="1")
    await suite.delete(suite.apps("replicasets", "test-rs"))
    await unused(suite)


async def test_the_life_of_a_volume_claim_with_its_class(suite: Suite) -> None:
    await quota(suite)
    claims = suite.core("persistentvolumeclaims")
    spec = {
        "storageClassName": "gold",
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
    }
    await suite.create(claims, made("test-claim", spec=spec))
    gold = "gold.storageclass.storage.k8s.io"
    await used(suite, persistentvolumeclaims="1", requests_storage="1Gi")
    found = await suite.get(suite.core("resourcequotas", "test-quota"))
    assert found["status"]["used"][f"{gold}/persistentvolumeclaims"] == "1"
    assert found["status"]["used"][f"{gold}/requests.storage"] == "1Gi"
    await suite.patch(f"{claims}/test-claim", {"metadata": {"finalizers": None}})
    await suite.delete(f"{claims}/test-claim")
    await unused(suite)


@pytest.mark.conformance("ResourceQuota should create a ResourceQuota and capture the life of a pod.")
async def test_the_life_of_a_pod(suite: Suite) -> None:
    await quota(suite)
    pods, dongle = suite.core("pods"), {"example.com/dongle": "2"}
    wanted = {"cpu": "500m", "memory": "252Mi", "ephemeral-storage": "30Gi", **dongle}
    await suite.create(pods, consumer("test-pod", wanted, dongle))
    charged = {"pods": "1", "cpu": "500m", "memory": "252Mi", "ephemeral-storage": "30Gi"}
    charged["requests.example.com/dongle"] = "2"
    path = suite.core("resourcequotas", "test-quota")
    await suite.becomes(path, lambda found: found["status"]["used"].items() >= charged.items())

    refused = await suite.ask("POST", pods, consumer("fail-pod", {"cpu": "600m", "memory": "100Mi"}), 403)
    assert EXCEEDED in refused["message"]
    assert "cpu=600m, used: cpu=500m, limited: cpu=1" in refused["message"]
    small = {"cpu": "500m", "memory": "100Mi", "ephemeral-storage": "30Gi", **dongle}
    refused = await suite.ask("POST", pods, consumer("fail-extended", small, dongle), 403)
    assert "requests.example.com/dongle=2" in refused["message"]

    found = await suite.get(f"{pods}/test-pod")
    found["spec"]["containers"][0]["resources"]["requests"]["memory"] = "100Mi"
    assert (await suite.ask("PUT", f"{pods}/test-pod", found, 422))["reason"] == "Invalid"
    await CLOCK.sleep(0.1)
    assert (await suite.get(path))["status"]["used"].items() >= charged.items()
    await suite.delete(f"{pods}/test-pod", gracePeriodSeconds=0)
    await unused(suite)


async def scoped(suite: Suite, first: str, second: str) -> tuple[str, str]:
    """Two quotas of 5 pods."""
    for scope in (first, second):
        await quota(suite, f"quota-{scope.lower()}", {"pods": "5"}, scopes=[scope])
    return f"quota-{first.lower()}", f"quota-{second.lower()}"


async def counted_by_one(suite: Suite, document: Json, by: str, not_by: str) -> None:
    pods = suite.core("pods")
    await suite.create(pods, document)
    await used(suite, by, pods="1")
    await used(suite, not_by, pods="0")
    await suite.delete(f"{pods}/{document['metadata']['name']}", gracePeriodSeconds=0)
    await used(suite, by, pods="0")


@pytest.mark.conformance("ResourceQuota should verify ResourceQuota with terminating scopes.")
async def test_deadlines_decide_who_counts_a_pod(suite: Suite) -> None:
    ending, staying = await scoped(suite, "Terminating", "NotTerminating")
    await counted_by_one(suite, consumer("long-running", {"cpu": "500m"}), staying, ending)
    await counted_by_one(suite, consumer("ending", {"cpu": "500m"}, activeDeadlineSeconds=3600), ending, staying)


@pytest.mark.conformance("ResourceQuota should verify ResourceQuota with best effort scope.")
async def test_quality_of_service_decides_who_counts_a_pod(suite: Suite) -> None:
    best, not_best = await scoped(suite, "BestEffort", "NotBestEffort")
    await counted_by_one(suite, consumer("besteffort"), best, not_best)
    await counted_by_one(suite, consumer("burstable", {"cpu": "500m"}, {"cpu": "1"}), not_best, best)


async def test_priority_classes_decide_who_counts_a_pod(suite: Suite) -> None:
    name = f"class-{suite.namespace}"
    await suite.create("/apis/scheduling.k8s.io/v1/priorityclasses", made(name, value=1000))
    selector = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": [name]}]}
    await quota(suite, "quota-priority", {"pods": "1"}, scopeSelector=selector)
    pods = suite.core("pods")
    await suite.create(pods, consumer("other"))
    await suite.create(pods, consumer("counted", priorityClassName=name))
    await used(suite, "quota-priority", pods="1")
    refused = await suite.ask("POST", pods, consumer("refused", priorityClassName=name), 403)
    assert "exceeded quota: quota-priority" in refused["message"]
    await suite.delete(f"/apis/scheduling.k8s.io/v1/priorityclasses/{name}")


@pytest.mark.conformance("ResourceQuota should be able to update and delete ResourceQuota.")
async def test_limits_are_updated_and_a_quota_is_deleted(suite: Suite) -> None:
    path = suite.core("resourcequotas", "test-quota")
    found = await quota(suite, hard={"cpu": "1", "memory": "500Mi"})
    found["spec"]["hard"] = {"cpu": "2", "memory": "1Gi"}
    assert (await suite.update(path, found))["spec"]["hard"] == {"cpu": "2", "memory": "1Gi"}
    assert (await suite.get(path))["spec"]["hard"] == {"cpu": "2", "memory": "1Gi"}
    await suite.delete(path)
    await suite.gone(path)


@pytest.mark.conformance("ResourceQuota should manage the lifecycle of a ResourceQuota")
async def test_the_life_of_a_quota(suite: Suite) -> None:
    path, label = suite.core("resourcequotas", "test-quota"), f"e2e-{suite.namespace}"
    await quota(suite, hard={"cpu": "1", "memory": "500Mi"})
    await suite.patch(path, {"metadata": {"labels": {label: "patched"}}, "spec": {"hard": {"memory": "750Mi"}}})
    listed = await suite.items("/api/v1/resourcequotas", labelSelector=f"{label}=patched")
    assert [(item["metadata"]["namespace"], item["spec"]["hard"]) for item in listed] == [
        (suite.namespace, {"cpu": "1", "memory": "750Mi"})
    ]
    await suite.delete(suite.core("resourcequotas"), labelSelector=f"{label}=patched")
    assert await suite.names("/api/v1/resourcequotas", labelSelector=f"{label}=patched") == []


@pytest.mark.conformance("ResourceQuota should apply changes to a resourcequota status")
async def test_status_is_written_and_follows_the_spec(suite: Suite) -> None:
    path = suite.core("resourcequotas", "test-quota")
    made_ = await quota(suite, hard={"cpu": "500m", "memory": "500Mi"})
    async with suite.watch(suite.core("resourcequotas"), made_) as events:
        status = await suite.get(f"{path}/status")
        status["status"]["hard"] = {"cpu": "750m", "memory": "750Mi"}
        await suite.update(f"{path}/status", status)
        seen = await events.until("MODIFIED", lambda found: found["status"]["hard"]["cpu"] == "750m")
        assert seen["spec"]["hard"] == {"cpu": "500m", "memory": "500Mi"}
        await suite.patch(f"{path}/status", {"status": {"hard": {"cpu": "1", "memory": "1Gi"}}})
        await events.until("MODIFIED", lambda found: found["status"]["hard"]["memory"] == "1Gi")
        await CLOCK.sleep(0.3)
        kept = await suite.get(f"{path}/status")
        assert (kept["spec"]["hard"], kept["status"]["hard"]) == (
            {"cpu": "500m", "memory": "500Mi"},
            {"cpu": "1", "memory": "1Gi"},
        )
        await suite.patch(path, {"spec": {"hard": {"cpu": "2", "memory": "2Gi"}}})
        await events.until("MODIFIED", lambda found: found["status"]["hard"] == {"cpu": "2", "memory": "2Gi"})
    await suite.delete(suite.core("resourcequotas"))
    assert await suite.names(suite.core("resourcequotas")) == []
