"""Workloads of the group apps on simulated nodes: scale, status, adoption, rollouts, collections."""

from typing import Any

import pytest

from integration.conformance.suite import MERGE, STRATEGIC, Json, Suite, made, pod, pod_spec, workload

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONDITION = {
    "type": "StatusUpdate",
    "status": "True",
    "reason": "E2E",
    "message": "Set from e2e test",
    "lastTransitionTime": "2026-01-02T03:04:05Z",
}
DOWN = "example.com/down:1"
"""Simulated nodes start every image; pods of this one are told to become ready in an hour."""


def never_ready(document: Json) -> Json:
    """The workload with pods that do not become ready."""
    document["spec"]["template"]["metadata"]["annotations"] = {"simnode.pybernetes.io/ready-seconds": "3600"}
    return document


def with_template(image: str, **labels: str) -> Json:
    return {"template": {"metadata": {"labels": labels}, "spec": pod_spec(image)}}


def daemon_set(name: str, **spec: Any) -> Json:
    labels = {"daemonset-name": name}
    template = {"metadata": {"labels": labels}, "spec": pod_spec(**spec)}
    return made(name, labels, spec={"selector": {"matchLabels": labels}, "template": template})


def stateful_set(name: str, replicas: int, **spec: Any) -> Json:
    return workload(name, replicas, serviceName="test", **spec)


def available(replicas: int) -> Any:
    def holds(found: Json) -> bool:
        status = found["status"]
        counts = [status.get(key, 0) for key in ("replicas", "readyReplicas")]
        return counts == [replicas, replicas] and status["observedGeneration"] == found["metadata"]["generation"]

    return holds


async def started(suite: Suite, plural: str, document: Json) -> Json:
    """The workload with all its pods ready."""
    await suite.create(suite.apps(plural), document)
    path = suite.apps(plural, document["metadata"]["name"])
    return await suite.becomes(path, available(document["spec"]["replicas"]))


async def pods_of(suite: Suite, name: str) -> list[Json]:
    return await suite.items(suite.core("pods"), labelSelector=f"name={name}")


# ── what all have ──


@pytest.mark.parametrize(
    "plural",
    [
        pytest.param(
            "deployments",
            marks=pytest.mark.conformance("Deployment Deployment should have a working scale subresource"),
        ),
        pytest.param(
            "replicasets",
            marks=pytest.mark.conformance("ReplicaSet Replicaset should have a working scale subresource"),
        ),
        pytest.param(
            "statefulsets",
            marks=pytest.mark.conformance(
                "StatefulSet Basic StatefulSet functionality should have a working scale subresource"
            ),
        ),
    ],
)
async def test_scale_reads_and_sets_replicas(suite: Suite, plural: str) -> None:
    document = stateful_set("test", 1) if plural == "statefulsets" else workload("test", 1)
    await started(suite, plural, document)
    path = suite.apps(plural, "test")
    scale = await suite.get(f"{path}/scale")
    assert (scale["spec"]["replicas"], scale["status"]["replicas"]) == (1, 1)
    scale["metadata"].pop("resourceVersion")
    scale["spec"]["replicas"] = 2
    assert (await suite.update(f"{path}/scale", scale))["spec"]["replicas"] == 2
    assert (await suite.get(path))["spec"]["replicas"] == 2
    await suite.patch(f"{path}/scale", {"spec": {"replicas": 4}}, STRATEGIC)
    await suite.becomes(path, available(4))


@pytest.mark.parametrize(
    "plural",
    [
        pytest.param(
            "deployments", marks=pytest.mark.conformance("Deployment should validate Deployment Status endpoints")
        ),
        pytest.param(
            "replicasets", marks=pytest.mark.conformance("ReplicaSet should validate Replicaset Status endpoints")
        ),
        pytest.param(
            "statefulsets",
            marks=pytest.mark.conformance(
                "StatefulSet Basic StatefulSet functionality should validate Statefulset Status endpoints"
            ),
        ),
        pytest.param(
            "daemonsets", marks=pytest.mark.conformance("Daemon set should verify changes to a daemon set status")
        ),
    ],
)
async def test_conditions_written_through_status_are_kept_and_watched(suite: Suite, plural: str) -> None:
    path = suite.apps(plural, "test")
    if plural == "daemonsets":
        created = await suite.create(suite.apps(plural), daemon_set("test"))
        await suite.becomes(path, lambda found: found["status"].get("numberReady", 0) >= 2)
    else:
        document = stateful_set("test", 1) if plural == "statefulsets" else workload("test", 1)
        created = await started(suite, plural, document)
    async with suite.watch(suite.apps(plural), created) as events:

        async def update() -> None:
            status = await suite.get(f"{path}/status")
            status["status"].setdefault("conditions", []).append(CONDITION)
            await suite.update(f"{path}/status", status)

        await update()
        has = [row["type"] for row in (await suite.get(path))["status"]["conditions"]]
        assert "StatusUpdate" in has

        def types(found: Json) -> set[str]:
            return {row["type"] for row in found["status"].get("conditions") or ()}

        await events.until("MODIFIED", lambda found: "StatusUpdate" in types(found))
        patch = {"status": {"conditions": [{"type": "StatusPatched", "status": "True"}]}}
        await suite.patch(f"{path}/status", patch, MERGE)
        await events.until("MODIFIED", lambda found: "StatusPatched" in types(found))


@pytest.mark.parametrize(
    "plural",
    [
        pytest.param(
            "replicasets",
            marks=pytest.mark.conformance("ReplicaSet should list and delete a collection of ReplicaSets"),
        ),
        pytest.param(
            "daemonsets", marks=pytest.mark.conformance("Daemon set should list and delete a collection of DaemonSets")
        ),
    ],
)
async def test_a_collection_goes_with_its_pods(suite: Suite, plural: str) -> None:
    label = {"e2e": suite.namespace}
    document = daemon_set("test") if plural == "daemonsets" else workload("test", 3)
    document["metadata"]["labels"] = label
    await suite.create(suite.apps(plural), document)
    await suite.becomes(suite.core("pods"), lambda found: len(found["items"]) == 3)
    selected = {"labelSelector": f"e2e={suite.namespace}"}
    assert await suite.names(f"/apis/apps/v1/{plural}", **selected) == ["test"]
    await suite.delete(suite.apps(plural), **selected)
    await suite.empty(suite.apps(plural), **selected)
    await suite.empty(suite.core("pods"))


# ── ReplicaSets ──


@pytest.mark.conformance("ReplicaSet Replace and Patch tests")
async def test_a_replica_set_is_scaled_by_patch_and_changed_by_update(suite: Suite) -> None:
    path = suite.apps("replicasets", "test")
    await started(suite, "replicasets", workload("test", 1))
    await suite.patch(path, {"metadata": {"labels": {"test-rs": "patched"}}, "spec": {"replicas": 3}}, STRATEGIC)
    await suite.becomes(path, available(3))
    found = await suite.get(path)
    found["spec"]["template"]["spec"]["containers"][0]["image"] = "other:1"
    del found["metadata"]["resourceVersion"]
    await suite.update(path, found)
    await suite.delete(suite.core("pods"), labelSelector="name=test")

    async def replaced() -> bool:
        images = [row["spec"]["containers"][0]["image"] for row in await pods_of(suite, "test")]
        return images == ["other:1"] * 3

    await suite.eventually("new pods have the new image", replaced)


@pytest.mark.conformance("ReplicaSet should adopt matching pods on creation and release no longer matching pods")
async def test_a_replica_set_adopts_and_releases(suite: Suite) -> None:
    path = suite.core("pods", "lonely")
    await suite.create(suite.core("pods"), pod("lonely", {"name": "test"}))
    owner = await suite.create(suite.apps("replicasets"), workload("test", 1))
    await suite.becomes(path, lambda found: owners(found) == [owner["metadata"]["uid"]])
    await suite.patch(path, {"metadata": {"labels": {"name": "not-matching"}}})
    await suite.becomes(path, lambda found: owners(found) == [])
    await suite.becomes(suite.core("pods"), lambda found: len(found["items"]) == 2)


def owners(document: Json) -> list[str]:
    return [row["uid"] for row in document["metadata"].get("ownerReferences") or () if row.get("controller")]


# ── Deployments ──


@pytest.mark.conformance("Deployment RecreateDeployment should delete old pods and create new ones")
async def test_old_pods_are_gone_before_new_ones_start(suite: Suite) -> None:
    path, pods = suite.apps("deployments", "test"), suite.core("pods")
    await started(suite, "deployments", workload("test", 2, strategy={"type": "Recreate"}))
    async with suite.watch(pods, await suite.get(pods)) as events:
        await suite.patch(path, {"spec": with_template("new:1", name="test")})
        gone = 0
        while True:
            kind, found = await events.next()
            image = found["spec"]["containers"][0]["image"]
            gone += kind == "DELETED"
            if image == "new:1":
                break
        assert gone == 2
    await suite.becomes(path, available(2))


@pytest.mark.conformance("Deployment RollingUpdateDeployment should delete old pods and create new ones")
async def test_a_deployment_adopts_a_matching_replica_set_and_counts_on(suite: Suite) -> None:
    old = workload("old", 1, {"name": "test"})
    old["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "3546343826724305832"}
    await started(suite, "replicasets", old)
    document = workload("test", 1)
    document["spec"]["template"]["spec"]["containers"][0]["image"] = "new:1"
    await suite.create(suite.apps("deployments"), document)
    path = suite.apps("deployments", "test")
    found = await suite.becomes(
        path,
        lambda found: (
            (found["metadata"].get("annotations") or {}).get("deployment.kubernetes.io/revision")
            == "3546343826724305833"
        ),
    )
    await suite.becomes(path, available(1))
    adopted = await suite.becomes(suite.apps("replicasets", "old"), lambda found: found["spec"]["replicas"] == 0)
    assert owners(adopted) == [found["metadata"]["uid"]]


@pytest.mark.conformance("Deployment deployment should delete old replica sets")
async def test_without_history_old_replica_sets_go(suite: Suite) -> None:
    await started(suite, "replicasets", workload("old", 1, {"name": "test"}))
    document = workload("test", 1, revisionHistoryLimit=0)
    document["spec"]["template"]["spec"]["containers"][0]["image"] = "new:1"
    pods = suite.core("pods")
    async with suite.watch(pods, await suite.get(pods)) as events:
        await suite.create(suite.apps("deployments"), document)
        await suite.gone(suite.apps("replicasets", "old"))
        await suite.becomes(suite.apps("deployments", "test"), available(1))
        await suite.create(pods, pod("last"))
        added = set()
        while True:
            kind, found = await events.next()
            if found["metadata"]["name"] == "last":
                break
            if kind == "ADDED":
                added.add(found["metadata"]["name"])
        assert len(added) == 1
    assert len(await suite.items(suite.apps("replicasets"))) == 1
    assert len(await pods_of(suite, "test")) == 1


@pytest.mark.conformance("Deployment deployment should support rollover")
async def test_a_newer_change_overtakes_a_rollout_that_is_stuck(suite: Suite) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    path = suite.apps("deployments", "test")
    await started(suite, "deployments", workload("test", 1, strategy=strategy))
    stuck = never_ready({"spec": with_template(DOWN, name="test")})
    await suite.patch(path, stuck)
    await suite.becomes(suite.apps("replicasets"), lambda found: len(found["items"]) == 2)
    await suite.patch(path, {"spec": {**without_annotation("new:1"), "minReadySeconds": 1}})

    def rolled_over(found: Json) -> bool:
        counts = {
            row["spec"]["template"]["spec"]["containers"][0]["image"]: row["spec"]["replicas"] for row in found["items"]
        }
        return [counts.get("new:1"), counts.get(DOWN)] == [1, 0] and sum(counts.values()) == 1

    await suite.becomes(suite.apps("replicasets"), rolled_over)
    await suite.becomes(path, available(1))


def without_annotation(image: str) -> Json:
    template = {"metadata": {"labels": {"name": "test"}, "annotations": None}, "spec": pod_spec(image)}
    return {"template": template}


@pytest.mark.conformance("Deployment deployment should support proportional scaling")
async def test_both_replica_sets_grow_by_their_share(suite: Suite) -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 3, "maxUnavailable": 2}}
    path = suite.apps("deployments", "test")
    await started(suite, "deployments", workload("test", 10, strategy=strategy))
    await suite.patch(path, never_ready({"spec": with_template(DOWN, name="test")}))
    sets = suite.apps("replicasets")

    def sizes(old: int, new: int) -> Any:
        def holds(found: Json) -> bool:
            rows = {row["spec"]["template"]["spec"]["containers"][0]["image"]: row for row in found["items"]}
            return (
                len(rows) == 2
                and rows[DOWN]["spec"]["replicas"] == new
                and sum(row["spec"]["replicas"] for row in rows.values()) == old + new
            )

        return holds

    await suite.becomes(sets, sizes(8, 5))
    await suite.patch(path, {"spec": {"replicas": 30}})
    await suite.becomes(sets, sizes(20, 13))


@pytest.mark.conformance("Deployment should run the lifecycle of a Deployment")
async def test_the_life_of_a_deployment(suite: Suite) -> None:
    label = {"test-deployment-static": "true"}
    selected = {"labelSelector": "test-deployment-static=true"}
    deployments, path = suite.apps("deployments"), suite.apps("deployments", "test")
    document = workload("test", 2)
    document["metadata"]["labels"] = label
    async with suite.watch(deployments, await suite.get(deployments), **selected) as events:

        def ready(count: int, what: Any = lambda _: True) -> Any:
            return lambda found: found["status"].get("readyReplicas") == count and what(found)

        await suite.create(deployments, document)
        await events.until("ADDED")
        await events.until("MODIFIED", ready(2))
        patch = {"metadata": {"labels": {"test-deployment": "patched"}}, "spec": {"replicas": 1}}
        await suite.patch(path, patch, STRATEGIC)
        await events.until("MODIFIED", ready(1, lambda found: found["status"]["replicas"] == 1))
        assert await suite.names("/apis/apps/v1/deployments", **selected) == ["test"]
        image = {"spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "c", "image": "new:1"}]}}}}
        await suite.patch(path, image, STRATEGIC)
        await suite.becomes(path, lambda found: found["status"].get("updatedReplicas") == 2 and ready(2)(found))
        status = {
            "metadata": {"annotations": {"patchedstatus": "true"}},
            "status": {"readyReplicas": 1, "availableReplicas": 1},
        }
        await suite.patch(f"{path}/status", status)
        await events.until("MODIFIED", lambda found: found["metadata"]["annotations"].get("patchedstatus") == "true")
        await suite.delete(deployments, **selected)
        await events.until("DELETED")


# ── DaemonSets ──


async def everywhere(suite: Suite, name: str, nodes: int = 3) -> Json:
    return await suite.becomes(
        suite.apps("daemonsets", name),
        lambda found: found["status"].get("numberAvailable", 0) == nodes == found["status"]["desiredNumberScheduled"],
    )


async def daemons(suite: Suite) -> list[Json]:
    return [row for row in await suite.items(suite.core("pods")) if "deletionTimestamp" not in row["metadata"]]


@pytest.mark.conformance("Daemon set should run and stop simple daemon")
async def test_a_daemon_runs_on_every_node_and_comes_back(suite: Suite) -> None:
    await suite.create(suite.apps("daemonsets"), daemon_set("test"))
    await everywhere(suite, "test")
    lost = (await daemons(suite))[0]
    await suite.delete(suite.core("pods", lost["metadata"]["name"]), gracePeriodSeconds=0)

    async def replaced() -> bool:
        found = await daemons(suite)
        return len(found) == 3 and lost["metadata"]["uid"] not in {row["metadata"]["uid"] for row in found}

    await suite.eventually("another in its place", replaced)
    assert len({row["spec"]["nodeName"] for row in await daemons(suite)}) == 3


@pytest.mark.conformance("Daemon set should retry creating failed daemon pods")
async def test_a_failed_daemon_is_replaced(suite: Suite) -> None:
    await suite.create(suite.apps("daemonsets"), daemon_set("test"))
    await everywhere(suite, "test")
    failed = (await daemons(suite))[0]
    path = suite.core("pods", failed["metadata"]["name"])
    await suite.patch(f"{path}/status", {"status": {"phase": "Failed"}})
    await suite.gone(path)
    await everywhere(suite, "test")


@pytest.mark.conformance("Daemon set should run and stop complex daemon")
async def test_daemons_follow_labels_of_nodes(suite: Suite) -> None:
    color = f"color-{suite.namespace}"
    await suite.create(suite.apps("daemonsets"), daemon_set("test", nodeSelector={color: "blue"}))
    await suite.becomes(suite.apps("daemonsets", "test"), lambda found: found["status"].get("observedGeneration") == 1)
    assert await daemons(suite) == []
    node = f"/api/v1/nodes/{(await suite.names('/api/v1/nodes'))[0]}"
    await suite.patch(node, {"metadata": {"labels": {color: "blue"}}})
    await everywhere(suite, "test", 1)
    await suite.patch(node, {"metadata": {"labels": {color: "green"}}})
    await suite.empty(suite.core("pods"))
    update = {"updateStrategy": {"type": "RollingUpdate"}, "template": {"spec": {"nodeSelector": {color: "green"}}}}
    await suite.patch(suite.apps("daemonsets", "test"), {"spec": update})
    await everywhere(suite, "test", 1)
    await suite.patch(node, {"metadata": {"labels": {color: None}}})


@pytest.mark.conformance("Daemon set should update pod when spec was updated and update strategy is RollingUpdate")
async def test_daemons_roll_and_have_revisions(suite: Suite) -> None:
    await suite.create(suite.apps("daemonsets"), daemon_set("test"))
    await everywhere(suite, "test")
    image = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "new:1"}]}}}}
    await suite.patch(suite.apps("daemonsets", "test"), image, STRATEGIC)

    async def rolled() -> bool:
        return [row["spec"]["containers"][0]["image"] for row in await daemons(suite)] == ["new:1"] * 3

    await suite.eventually("all have the new image", rolled)
    await everywhere(suite, "test")
    revisions = await suite.items(suite.apps("controllerrevisions"))
    assert sorted(row["revision"] for row in revisions) == [1, 2]
    hashes = {row["revision"]: row["metadata"]["labels"]["controller-revision-hash"] for row in revisions}
    assert {row["metadata"]["labels"]["controller-revision-hash"] for row in await daemons(suite)} == {hashes[2]}


@pytest.mark.conformance("Daemon set should rollback without unnecessary restarts")
async def test_a_rollback_leaves_pods_that_never_changed(suite: Suite) -> None:
    path = suite.apps("daemonsets", "test")
    await suite.create(suite.apps("daemonsets"), daemon_set("test"))
    await everywhere(suite, "test")
    before = {row["metadata"]["uid"] for row in await daemons(suite)}
    old = (await suite.get(path))["spec"]["template"]
    broken = never_ready({"spec": {"template": {"metadata": {}, "spec": {"containers": old["spec"]["containers"]}}}})
    await suite.patch(path, broken)
    await suite.becomes(path, lambda found: found["status"].get("updatedNumberScheduled", 0) == 1)
    await suite.patch(path, {"spec": {"template": {"metadata": {"annotations": None}}}})
    await everywhere(suite, "test")
    after = await daemons(suite)
    assert len({row["metadata"]["uid"] for row in after} & before) == 2
    assert [row["status"]["containerStatuses"][0]["restartCount"] for row in after] == [0, 0, 0]


@pytest.mark.conformance("ControllerRevision should manage the lifecycle of a ControllerRevision")
async def test_revisions_are_kept_per_template_and_adopted(suite: Suite) -> None:
    path, label = suite.apps("controllerrevisions"), "daemonset-name=test"
    owner = await suite.create(suite.apps("daemonsets"), daemon_set("test"))
    await everywhere(suite, "test")
    (first,) = await suite.items(path, labelSelector=label)
    assert (await suite.get(f"{path}/{first['metadata']['name']}"))["revision"] == 1
    patch = {"metadata": {"labels": {first["metadata"]["name"]: "patched"}}}
    await suite.patch(f"{path}/{first['metadata']['name']}", patch, STRATEGIC)
    own = {"name": f"{first['metadata']['name']}-x", "labels": first["metadata"]["labels"]}
    second = await suite.create(path, {"metadata": own, "data": first["data"], "revision": 2})
    await suite.delete(f"{path}/{first['metadata']['name']}")
    await suite.gone(f"{path}/{first['metadata']['name']}")
    image = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}}
    await suite.patch(suite.apps("daemonsets", "test"), image)
    await suite.becomes(path, lambda found: 3 in {row["revision"] for row in found["items"]})
    await suite.becomes(
        f"{path}/{second['metadata']['name']}", lambda found: owners(found) == [owner["metadata"]["uid"]]
    )
    newest = next(row for row in await suite.items(path) if row["revision"] == 3)
    updated = {**newest, "metadata": {**newest["metadata"], "labels": {**newest["metadata"]["labels"], "e2e": "yes"}}}
    await suite.update(f"{path}/{newest['metadata']['name']}", updated)
    await suite.delete(path, labelSelector="e2e=yes")

    async def one_again() -> bool:
        return newest["metadata"]["uid"] not in {row["metadata"]["uid"] for row in await suite.items(path)}

    await suite.eventually("deleted by label", one_again)


# ── StatefulSets ──


@pytest.mark.conformance(
    "StatefulSet Basic StatefulSet functionality should list, patch and delete a collection of StatefulSets"
)
async def test_the_life_of_a_stateful_set(suite: Suite) -> None:
    path, selected = suite.apps("statefulsets", "test"), {"labelSelector": f"e2e={suite.namespace}"}
    document = stateful_set("test", 1)
    document["metadata"]["labels"] = {"e2e": suite.namespace}
    await started(suite, "statefulsets", document)
    image = {"replicas": 2, "template": {"spec": {"containers": [{"name": "c", "image": "new:1"}]}}}
    await suite.patch(path, {"spec": image}, STRATEGIC)
    await suite.becomes(path, lambda found: found["status"].get("updatedReplicas") == 2 and available(2)(found))
    images = {row["spec"]["containers"][0]["image"] for row in await pods_of(suite, "test")}
    assert images == {"new:1"}
    assert await suite.names("/apis/apps/v1/statefulsets", **selected) == ["test"]
    await suite.delete(suite.apps("statefulsets"), **selected)
    await suite.empty(suite.apps("statefulsets"), **selected)


@pytest.mark.conformance(
    "StatefulSet Basic StatefulSet functionality should perform canary updates and phased rolling updates "
    "of template modifications"
)
async def test_a_partition_holds_back_lower_ordinals(suite: Suite) -> None:
    path = suite.apps("statefulsets", "test")
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"partition": 3}}
    await started(suite, "statefulsets", stateful_set("test", 3, updateStrategy=strategy))
    await suite.patch(
        path, {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": "new:1"}]}}}}, STRATEGIC
    )

    async def images() -> list[str]:
        rows = sorted(await pods_of(suite, "test"), key=lambda row: str(row["metadata"]["name"]))
        return [row["spec"]["containers"][0]["image"] for row in rows]

    old = pod_spec()["containers"][0]["image"]
    for partition, wanted in ((3, [old] * 3), (2, [old, old, "new:1"]), (1, [old, "new:1", "new:1"])):
        strategy = {"updateStrategy": {"rollingUpdate": {"partition": partition}}}
        await suite.patch(path, {"spec": strategy})

        async def as_wanted(wanted: list[str] = wanted) -> bool:
            return await images() == wanted

        await suite.eventually(f"partition {partition}", as_wanted)
        await suite.becomes(path, available(3))
        await suite.delete(suite.core("pods"), labelSelector="name=test")
        await suite.eventually("deleted pods come back at their own revision", as_wanted)
        await suite.becomes(path, available(3))
    await suite.patch(path, {"spec": {"updateStrategy": {"rollingUpdate": {"partition": 0}}}})
    await suite.becomes(path, lambda found: found["status"]["currentRevision"] == found["status"]["updateRevision"])
    assert await images() == ["new:1"] * 3
