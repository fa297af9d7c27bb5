"""What the official suite asks of the garbage collector, with pods on simulated nodes."""

import pytest

from integration.conformance.suite import (
    CLOCK,
    STRATEGIC,
    Json,
    Suite,
    made,
    owner_reference,
    pod,
    replication_controller,
    workload,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

SURVIVAL_SECONDS = 1.0
"""How long orphans are watched; upstream waits 30 s for a collector that this one, driven by events, outruns."""


async def running_controller(suite: Suite, name: str, replicas: int) -> Json:
    """A ReplicationController with that many pods."""
    path = suite.core("replicationcontrollers")
    await suite.create(path, replication_controller(name, replicas))
    return await suite.becomes(f"{path}/{name}", lambda found: found["status"].get("replicas") == replicas)


async def pods_of(suite: Suite, name: str) -> list[Json]:
    return await suite.items(suite.core("pods"), labelSelector=f"name={name}")


@pytest.mark.conformance("Garbage collector should delete pods created by rc when not orphaning")
async def test_pods_go_with_their_controller(suite: Suite) -> None:
    owner = await running_controller(suite, "simpletest", 2)
    options = {"propagationPolicy": "Background", "preconditions": {"uid": owner["metadata"]["uid"]}}
    await suite.delete(suite.core("replicationcontrollers", "simpletest"), options)
    await suite.gone(suite.core("replicationcontrollers", "simpletest"))
    await suite.empty(suite.core("pods"))


@pytest.mark.conformance("Garbage collector should orphan pods created by rc if delete options say so")
async def test_orphaned_pods_survive_their_controller(suite: Suite) -> None:
    await running_controller(suite, "simpletest", 100)
    await suite.delete(suite.core("replicationcontrollers", "simpletest"), {"propagationPolicy": "Orphan"})
    await suite.gone(suite.core("replicationcontrollers", "simpletest"))
    await CLOCK.sleep(SURVIVAL_SECONDS)
    orphans = await pods_of(suite, "simpletest")
    assert len(orphans) == 100
    assert [o for o in orphans if "ownerReferences" in o["metadata"] or "deletionTimestamp" in o["metadata"]] == []


async def running_deployment(suite: Suite) -> Json:
    """A Deployment whose ReplicaSet exists."""
    await suite.create(suite.apps("deployments"), workload("simpletest", 2))
    await suite.becomes(suite.apps("replicasets"), lambda found: found["items"])
    return await suite.get(suite.apps("deployments", "simpletest"))


@pytest.mark.conformance("Garbage collector should delete RS created by deployment when not orphaning")
async def test_replica_sets_and_pods_go_with_their_deployment(suite: Suite) -> None:
    owner = await running_deployment(suite)
    options = {"propagationPolicy": "Background", "preconditions": {"uid": owner["metadata"]["uid"]}}
    await suite.delete(suite.apps("deployments", "simpletest"), options)
    await suite.empty(suite.apps("deployments"))
    await suite.empty(suite.apps("replicasets"))
    await suite.empty(suite.core("pods"))


@pytest.mark.conformance(
    "Garbage collector should orphan RS created by deployment when deleteOptions.PropagationPolicy is Orphan"
)
async def test_orphaned_replica_sets_survive_without_owner(suite: Suite) -> None:
    await running_deployment(suite)
    await suite.delete(suite.apps("deployments", "simpletest"), {"propagationPolicy": "Orphan"})
    await suite.gone(suite.apps("deployments", "simpletest"))
    await CLOCK.sleep(SURVIVAL_SECONDS)
    (survivor,) = await suite.items(suite.apps("replicasets"))
    assert "ownerReferences" not in survivor["metadata"]
    assert len(await pods_of(suite, "simpletest")) == 2


@pytest.mark.conformance(
    "Garbage collector should keep the rc around until all its pods are deleted if the deleteOptions says so"
)
async def test_a_foreground_deletion_waits_for_the_pods(suite: Suite) -> None:
    await running_controller(suite, "simpletest", 5)
    first = (await pods_of(suite, "simpletest"))[0]["metadata"]["name"]
    await suite.patch(suite.core("pods", first), {"metadata": {"finalizers": ["example.com/e2e"]}})
    path = suite.core("replicationcontrollers", "simpletest")
    await suite.delete(path, {"propagationPolicy": "Foreground"})

    async def one_left() -> bool:
        return [found["metadata"]["name"] for found in await pods_of(suite, "simpletest")] == [first]

    await suite.eventually("only the pod with a finalizer is left", one_left)
    waiting = await suite.get(path)
    assert waiting["metadata"]["finalizers"] == ["foregroundDeletion"]
    assert "deletionTimestamp" in waiting["metadata"]
    await suite.patch(suite.core("pods", first), {"metadata": {"finalizers": None}})
    await suite.gone(path)
    assert await pods_of(suite, "simpletest") == []


@pytest.mark.conformance(
    "Garbage collector should not delete dependents that have both valid owner and owner "
    "that's waiting for dependents to be deleted"
)
async def test_a_pod_with_another_living_owner_stays(suite: Suite) -> None:
    dying = await running_controller(suite, "dying", 4)
    staying = await suite.create(suite.core("replicationcontrollers"), replication_controller("staying", 0))
    shared = [found["metadata"]["name"] for found in (await pods_of(suite, "dying"))[:2]]
    reference = owner_reference(staying, "v1", "ReplicationController")
    for name in shared:
        await suite.patch(suite.core("pods", name), {"metadata": {"ownerReferences": [reference]}}, STRATEGIC)
        owners = (await suite.get(suite.core("pods", name)))["metadata"]["ownerReferences"]
        assert {owner["uid"] for owner in owners} == {dying["metadata"]["uid"], staying["metadata"]["uid"]}
    await suite.delete(suite.core("replicationcontrollers", "dying"), {"propagationPolicy": "Foreground"})
    await suite.gone(suite.core("replicationcontrollers", "dying"))
    await CLOCK.sleep(SURVIVAL_SECONDS / 4)
    left = await suite.items(suite.core("pods"))
    assert sorted(found["metadata"]["name"] for found in left) == sorted(shared)
    for found in left:
        assert [owner["name"] for owner in found["metadata"]["ownerReferences"]] == ["staying"]
        assert "deletionTimestamp" not in found["metadata"]


@pytest.mark.conformance("Garbage collector should not be blocked by dependency circle")
async def test_a_circle_of_owners_goes_as_a_whole(suite: Suite) -> None:
    pods = [await suite.create(suite.core("pods"), pod(f"pod{number}")) for number in (1, 2, 3)]
    for owned, owner in zip(pods, [pods[2], *pods[:2]], strict=True):
        reference = owner_reference(owner, "v1", "Pod", controller=True, blockOwnerDeletion=True)
        path = suite.core("pods", owned["metadata"]["name"])
        await suite.patch(path, {"metadata": {"ownerReferences": [reference]}}, STRATEGIC)
    await suite.delete(suite.core("pods", "pod1"), {"propagationPolicy": "Foreground"})
    await suite.empty(suite.core("pods"))


# The official suite has two further tests of owners that are custom resources; they are not tagged Conformance.


async def test_custom_resources_own_and_are_owned(suite: Suite) -> None:
    group, plural = f"{suite.namespace}.example.com", "owners"
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    definition = {
        "group": group,
        "scope": "Namespaced",
        "names": {"plural": plural, "singular": "owner", "kind": "Owner"},
        "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
    }
    definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
    await suite.create(definitions, made(f"{plural}.{group}", spec=definition))

    async def served() -> bool:
        return await suite.exists(f"/apis/{group}/v1/{plural}")

    await suite.eventually("the definition is served", served)
    custom = suite.group(group, plural)
    for policy, survives in (("Background", False), ("Orphan", True)):
        owner = await suite.create(custom, {"apiVersion": f"{group}/v1", "kind": "Owner", **made("owner")})
        reference = owner_reference(owner, f"{group}/v1", "Owner")
        owned = {"apiVersion": f"{group}/v1", "kind": "Owner", **made("owned")}
        owned["metadata"]["ownerReferences"] = [reference]
        await suite.create(custom, owned)
        await suite.delete(f"{custom}/owner", {"propagationPolicy": policy})
        await suite.gone(f"{custom}/owner")
        if survives:
            await CLOCK.sleep(SURVIVAL_SECONDS / 4)
            assert "ownerReferences" not in (await suite.get(f"{custom}/owned"))["metadata"]
        else:
            await suite.gone(f"{custom}/owned")
    await suite.delete(f"{definitions}/{plural}.{group}")
