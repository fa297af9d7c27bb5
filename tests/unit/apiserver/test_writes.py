import asyncio
from typing import Any

import pytest

from unit.apiserver.serving import config_map, pod, serving

PODS = "/api/v1/namespaces/default/pods"
MAPS = "/api/v1/namespaces/default/configmaps"
MERGE = "application/merge-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
JSON_PATCH = "application/json-patch+json"


async def test_created_objects_get_identity_and_defaults() -> None:
    async with serving() as server:
        created = await server.create(PODS, pod("a"), status=201)
        assert created["metadata"]["uid"]
        assert created["metadata"]["creationTimestamp"] == "2026-01-01T00:00:00Z"
        assert created["spec"]["restartPolicy"] == "Always"
        assert (await server.get(f"{PODS}/a")) == created


async def test_the_same_name_twice_is_a_conflict() -> None:
    async with serving() as server:
        await server.create(MAPS, config_map("a"))
        status = await server.create(MAPS, config_map("a"), status=409)
        assert status["message"] == 'configmaps "a" already exists'
        assert status["reason"] == "AlreadyExists"


async def test_generated_names_are_answered() -> None:
    async with serving() as server:
        body = {"metadata": {"generateName": "web-"}}
        names = {(await server.create(MAPS, body))["metadata"]["name"] for _ in range(5)}
        assert len(names) == 5
        assert all(name.startswith("web-") and len(name) == 9 for name in names)


@pytest.mark.parametrize(
    "change",
    [
        {"metadata": {"name": "a", "namespace": "other"}},
        {"metadata": {"name": "a", "resourceVersion": "3"}},
        {"kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a"}},
    ],
)
async def test_bodies_that_do_not_fit_the_path_are_refused(change: Any) -> None:
    async with serving() as server:
        assert (await server.create(MAPS, change, status=400))["reason"] == "BadRequest"


async def test_an_update_that_changes_nothing_keeps_the_version() -> None:
    async with serving() as server:
        created = await server.create(MAPS, config_map("a", x="1"))
        again = await server.call("PUT", f"{MAPS}/a", created)
        assert again["metadata"]["resourceVersion"] == created["metadata"]["resourceVersion"]


async def test_a_stale_version_is_a_conflict() -> None:
    async with serving() as server:
        created = await server.create(MAPS, config_map("a", x="1"))
        await server.call("PUT", f"{MAPS}/a", config_map("a", x="2"))
        stale = await server.call("PUT", f"{MAPS}/a", created, status=409)
        assert stale["message"].startswith('Operation cannot be fulfilled on configmaps "a": the object has been mod')


async def test_a_put_of_a_missing_name_creates_only_some_kinds() -> None:
    async with serving() as server:
        await server.call("PUT", f"{MAPS}/a", config_map("a"), status=404)
        role = {"metadata": {"name": "r"}, "rules": []}
        await server.call("PUT", "/apis/rbac.authorization.k8s.io/v1/namespaces/default/roles/r", role, status=201)


async def test_status_and_spec_have_doors_of_their_own() -> None:
    async with serving() as server:
        created = await server.create(PODS, pod("a"))
        created["status"]["phase"] = "Running"
        created["spec"]["activeDeadlineSeconds"] = 5
        by_spec = await server.call("PUT", f"{PODS}/a", created)
        assert by_spec["status"]["phase"] == "Pending"
        assert by_spec["spec"]["activeDeadlineSeconds"] == 5
        by_spec["status"]["phase"] = "Running"
        by_spec["spec"]["activeDeadlineSeconds"] = 6
        by_status = await server.call("PUT", f"{PODS}/a/status", by_spec)
        assert by_status["status"]["phase"] == "Running"
        assert by_status["spec"]["activeDeadlineSeconds"] == 5


async def test_patches_of_three_kinds_apply() -> None:
    async with serving() as server:
        await server.create(PODS, pod("a", app="web"))
        merged = await server.call("PATCH", f"{PODS}/a", {"metadata": {"labels": {"x": "1"}}}, content_type=MERGE)
        assert merged["metadata"]["labels"] == {"app": "web", "x": "1"}
        containers = {"spec": {"containers": [{"name": "c", "image": "other"}]}}
        strategic = await server.call("PATCH", f"{PODS}/a", containers, content_type=STRATEGIC)
        assert [c["image"] for c in strategic["spec"]["containers"]] == ["other"]
        operations = [{"op": "replace", "path": "/metadata/labels/x", "value": "2"}]
        replaced = await server.call("PATCH", f"{PODS}/a", operations, content_type=JSON_PATCH)
        assert replaced["metadata"]["labels"]["x"] == "2"


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        (JSON_PATCH, [{"op": "test", "path": "/data/x", "value": "9"}], 422),
        (JSON_PATCH, {"data": {}}, 400),
        (MERGE, {"metadata": {"name": "other"}}, 400),
        (MERGE, {"metadata": {"resourceVersion": "1"}}, 409),
        ("application/json", {"data": {}}, 415),
        (MERGE, {"data": {"x": 5}}, 422),
    ],
)
async def test_bad_patches_are_refused(content_type: str, body: Any, status: int) -> None:
    async with serving() as server:
        await server.create(MAPS, config_map("a", x="1"))
        await server.call("PATCH", f"{MAPS}/a", body, content_type=content_type, status=status)
        assert (await server.get(f"{MAPS}/a"))["data"] == {"x": "1"}


async def test_a_dry_run_stores_nothing() -> None:
    async with serving() as server:
        made = await server.create(f"{PODS}?dryRun=All", pod("a"), status=201)
        assert made["spec"]["dnsPolicy"] == "ClusterFirst"
        await server.get(f"{PODS}/a", status=404)
        await server.create(MAPS, config_map("m", x="1"))
        changed = await server.call("PUT", f"{MAPS}/m?dryRun=All", config_map("m", x="2"))
        assert changed["data"] == {"x": "2"}
        assert (await server.get(f"{MAPS}/m"))["data"] == {"x": "1"}
        await server.call("DELETE", f"{MAPS}/m?dryRun=All")
        await server.get(f"{MAPS}/m")


async def test_unknown_fields_warn_or_fail_as_asked() -> None:
    async with serving() as server:
        body = {"metadata": {"name": "a"}, "dota": {}}
        answer = await server.ask("POST", f"{MAPS}?dryRun=All", body)
        assert ("Warning", '299 - "unknown field \\"dota\\""') in answer.headers
        strict = await server.create(f"{MAPS}?fieldValidation=Strict", body, status=400)
        assert 'unknown field "dota"' in strict["message"]
        quiet = await server.ask("POST", f"{MAPS}?fieldValidation=Ignore", body)
        assert not [name for name, _ in quiet.headers if name == "Warning"]


async def test_finalizers_hold_an_object_until_they_are_gone() -> None:
    async with serving() as server:
        body = config_map("a")
        body["metadata"]["finalizers"] = ["example.com/hold"]
        await server.create(MAPS, body)
        going = await server.call("DELETE", f"{MAPS}/a")
        assert going["metadata"]["deletionTimestamp"]
        assert going["metadata"]["deletionGracePeriodSeconds"] == 0
        await server.call("PATCH", f"{MAPS}/a", {"metadata": {"finalizers": None}}, content_type=MERGE)
        await server.get(f"{MAPS}/a", status=404)


async def test_a_scheduled_pod_gets_its_grace_and_loses_it_when_asked() -> None:
    async with serving() as server:
        body = pod("a")
        body["spec"]["nodeName"] = "n1"
        await server.create(PODS, body)
        going = await server.call("DELETE", f"{PODS}/a")
        assert going["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:30Z"
        assert going["metadata"]["deletionGracePeriodSeconds"] == 30
        assert going["metadata"]["generation"] == 2
        sooner = await server.call("DELETE", f"{PODS}/a?gracePeriodSeconds=5")
        assert sooner["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:05Z"
        later = await server.call("DELETE", f"{PODS}/a?gracePeriodSeconds=20")
        assert later["metadata"]["deletionGracePeriodSeconds"] == 5
        await server.call("DELETE", f"{PODS}/a?gracePeriodSeconds=0")
        await server.get(f"{PODS}/a", status=404)


async def test_an_unscheduled_pod_goes_at_once() -> None:
    async with serving() as server:
        await server.create(PODS, pod("a"))
        assert (await server.call("DELETE", f"{PODS}/a"))["kind"] == "Pod"
        await server.get(f"{PODS}/a", status=404)


async def test_propagation_policies_become_finalizers() -> None:
    async with serving() as server:
        for name, policy, finalizer in (("a", "Foreground", "foregroundDeletion"), ("b", "Orphan", "orphan")):
            await server.create(MAPS, config_map(name))
            options = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": policy}
            going = await server.call("DELETE", f"{MAPS}/{name}", options)
            assert going["metadata"]["finalizers"] == [finalizer]


async def test_preconditions_guard_a_deletion() -> None:
    async with serving() as server:
        created = await server.create(MAPS, config_map("a"))
        wrong = {"preconditions": {"uid": "other"}}
        await server.call("DELETE", f"{MAPS}/a", wrong, status=409)
        right = {"preconditions": {"uid": created["metadata"]["uid"]}}
        details = (await server.call("DELETE", f"{MAPS}/a", right))["details"]
        assert details == {"name": "a", "kind": "configmaps", "uid": created["metadata"]["uid"]}


async def test_a_collection_is_deleted_by_selector() -> None:
    async with serving() as server:
        for name, app in (("a", "web"), ("b", "db"), ("c", "web")):
            await server.create(PODS, pod(name, app=app))
        gone = await server.call("DELETE", f"{PODS}?labelSelector=app%3Dweb")
        assert [item["metadata"]["name"] for item in gone["items"]] == ["a", "c"]
        left = await server.get(PODS)
        assert [item["metadata"]["name"] for item in left["items"]] == ["b"]


async def test_events_are_one_store_under_two_groups() -> None:
    async with serving() as server:
        event = {
            "metadata": {"name": "e", "namespace": "default"},
            "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
            "message": "hello",
            "reason": "Because",
        }
        await server.create("/api/v1/namespaces/default/events", event)
        found = await server.get("/apis/events.k8s.io/v1/namespaces/default/events/e")
        assert found["note"] == "hello"
        assert found["regarding"]["name"] == "p"
        assert found["apiVersion"] == "events.k8s.io/v1"


async def test_invalid_objects_are_refused_with_every_complaint() -> None:
    async with serving() as server:
        body = pod("A")
        body["spec"]["containers"][0].pop("image")
        status = await server.create(PODS, body, status=422)
        assert status["reason"] == "Invalid"
        assert {cause["field"] for cause in status["details"]["causes"]} == {
            "metadata.name",
            "spec.containers[0].image",
        }


async def test_services_get_addresses_that_nobody_else_has() -> None:
    async with serving() as server:
        services = "/api/v1/namespaces/default/services"
        body: Any = {"metadata": {"name": "a"}, "spec": {"ports": [{"port": 80}], "type": "NodePort"}}
        first = await server.create(services, body)
        second = await server.create(services, {**body, "metadata": {"name": "b"}})
        assert first["spec"]["clusterIP"].startswith("10.")
        assert first["spec"]["clusterIP"] != second["spec"]["clusterIP"]
        assert first["spec"]["ports"][0]["nodePort"] >= 30000
        taken = {**body, "metadata": {"name": "c"}, "spec": {**body["spec"], "clusterIP": first["spec"]["clusterIP"]}}
        assert "provided IP is already allocated" in (await server.create(services, taken, status=422))["message"]
        await server.call("DELETE", f"{services}/a")
        await server.create(services, taken)


async def test_patches_at_the_same_time_all_arrive() -> None:
    async with serving() as server:
        await server.create(MAPS, config_map("a"))
        patches = [
            server.call("PATCH", f"{MAPS}/a", {"data": {f"k{number}": "v"}}, content_type=MERGE) for number in range(4)
        ]
        await asyncio.gather(*patches)
        assert set((await server.get(f"{MAPS}/a"))["data"]) == {"k0", "k1", "k2", "k3"}


async def test_updates_at_the_same_time_from_one_version_have_one_winner() -> None:
    async with serving() as server:
        created = await server.create(MAPS, config_map("a"))
        bodies = [{**created, "data": {"x": str(number)}} for number in range(4)]
        answers = await asyncio.gather(*(server.ask("PUT", f"{MAPS}/a", body) for body in bodies))
        assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]


async def test_the_older_version_of_an_autoscaler_is_checked_like_the_newer_one() -> None:
    async with serving() as server:
        spec = {
            "maxReplicas": 3,
            "targetCPUUtilizationPercentage": 0,
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "d"},
        }
        path = "/apis/autoscaling/v1/namespaces/default/horizontalpodautoscalers"
        refused = await server.create(path, {"metadata": {"name": "a"}, "spec": spec}, status=422)
        assert [cause["field"] for cause in refused["details"]["causes"]] == [
            "spec.metrics[0].resource.target.averageUtilization"
        ]
        broken = {"name": "a", "annotations": {"autoscaling.alpha.kubernetes.io/metrics": "{"}}
        spec["targetCPUUtilizationPercentage"] = 50
        await server.create(path, {"metadata": broken, "spec": spec}, status=400)
