from datetime import timedelta

import pytest

from pybernetes.api import apps_v1, core_v1, meta_v1
from pybernetes.controllers.pod_control import pod_from_template
from pybernetes.controllers.replicaset.reconcile import BURST_REPLICAS, plan
from pybernetes.effects import VirtualClock, format_time
from pybernetes.machinery.errors import forbidden
from support.objects import replica_set, template, with_meta, with_spec
from support.world import World

NOW = VirtualClock().now()


def pod(name: str, *, node: str = "n1", phase: str = "Running", ready: bool = True, age: int = 3600) -> core_v1.Pod:
    at = format_time(NOW - timedelta(seconds=age))
    return core_v1.Pod(
        metadata=meta_v1.ObjectMeta(
            name=name,
            uid=name,
            creationTimestamp=at,
        ),
        spec=core_v1.PodSpec(nodeName=node),
        status=core_v1.PodStatus(
            phase=phase,
            conditions=[core_v1.PodCondition(type="Ready", status="True" if ready else "False", lastTransitionTime=at)],
        ),
    )


COST = "controller.kubernetes.io/pod-deletion-cost"


@pytest.mark.parametrize(
    ("goes", "stays", "why"),
    [
        (pod("z", node=""), pod("a"), "one without a node"),
        (pod("z", phase="Pending"), pod("a"), "one that has not started"),
        (pod("z", ready=False), pod("a"), "one that is not ready"),
        (with_meta(pod("z"), annotations={COST: "-1"}), pod("a"), "one that is said to cost less"),
        (pod("z", age=10), pod("a", age=100_000), "a much younger one"),
    ],
)
def test_of_two_pods_the_one_goes_that_is_missed_less(goes: core_v1.Pod, stays: core_v1.Pod, why: str) -> None:
    assert plan(1, [stays, goes], [stays, goes], NOW).delete == [goes], why
    assert plan(1, [goes, stays], [stays, goes], NOW).delete == [goes], why


def test_the_fuller_node_gives_up_a_pod() -> None:
    pods = [pod("a", node="n1"), pod("b", node="n2"), pod("c", node="n2")]
    (doomed,) = plan(2, pods, pods, NOW).delete
    assert doomed.spec.nodeName == "n2"


def test_one_pass_has_a_limit() -> None:
    assert plan(10_000, [], [], NOW).create == BURST_REPLICAS


async def test_makes_its_pods_and_says_so() -> None:
    async with World("replicaset-controller").started() as world:
        await world.client.create(replica_set())
        await world.settle()
        pods = await world.pods()
        owner = (await world.one(apps_v1.ReplicaSet, "web")).metadata
        assert len(pods) == 3
        assert all(p.metadata.ownerReferences[0].uid == owner.uid for p in pods)
        assert sorted(await world.messages()) == sorted(f"SuccessfulCreate: Created pod: {p.name}" for p in pods)
        await world.start_pods()
        status = (await world.one(apps_v1.ReplicaSet, "web")).status
        assert (status.replicas, status.readyReplicas, status.availableReplicas) == (3, 3, 3)


async def test_a_second_look_changes_nothing() -> None:
    async with World("replicaset-controller").started() as world:
        await world.client.create(replica_set())
        await world.settle()
        await world.start_pods()
        world.client.writes()
        world.manager.controllers[0].queue.add("default/web")
        await world.settle(60)
        assert world.client.writes() == []


async def test_a_lost_pod_is_replaced_and_no_more_than_that() -> None:
    async with World("replicaset-controller").started() as world:
        await world.client.create(replica_set())
        await world.settle()
        await world.start_pods()
        lost = (await world.pods())[0]
        await world.client.delete(core_v1.Pod, lost.name, lost.namespace)
        await world.settle()
        pods = await world.pods()
        assert len([p for p in pods if p.metadata.deletionTimestamp is None]) == 3
        assert len(pods) == 4
        await world.finish_deletions()
        assert len(await world.pods()) == 3


async def test_a_failed_pod_is_replaced() -> None:
    async with World("replicaset-controller").started() as world:
        await world.client.create(replica_set(replicas=1))
        await world.settle()
        (first,) = await world.pods()
        await world.set_phase(first, "Failed")
        await world.settle()
        assert len([p for p in await world.pods() if p.status.phase != "Failed"]) == 1


async def test_scales_down_to_what_is_asked() -> None:
    async with World("replicaset-controller").started() as world:
        made = await world.client.create(replica_set(replicas=5))
        await world.settle()
        await world.start_pods()
        made = await world.one(apps_v1.ReplicaSet, "web")
        await world.client.update(with_spec(made, replicas=2))
        await world.settle()
        await world.finish_deletions()
        assert len(await world.pods()) == 2
        assert len([m for m in await world.messages() if m.startswith("SuccessfulDelete: Deleted pod: web-")]) == 3


async def test_takes_over_matching_orphans_instead_of_making_new_pods() -> None:
    async with World("replicaset-controller").started() as world:
        orphan = core_v1.Pod(
            metadata=meta_v1.ObjectMeta(name="orphan", namespace="default", labels={"app": "web"}),
            spec=template().spec,
        )
        await world.client.create(orphan)
        owner = await world.client.create(replica_set(replicas=1))
        await world.settle()
        (adopted,) = await world.pods()
        assert adopted.metadata.ownerReferences[0].uid == owner.metadata.uid


async def test_lets_go_of_a_pod_that_no_longer_matches_and_replaces_it() -> None:
    async with World("replicaset-controller").started() as world:
        await world.client.create(replica_set(replicas=1))
        await world.settle()
        (first,) = await world.pods()
        await world.client.update(with_meta(first, labels={"app": "other"}))
        await world.settle()
        by_name = {p.name: p for p in await world.pods()}
        assert len(by_name) == 2
        assert by_name[first.name].metadata.ownerReferences == []


async def test_a_refused_pod_shows_in_condition_and_event_until_it_is_allowed() -> None:
    async with World("replicaset-controller").started() as world:
        quota = forbidden("pods", "", "web-", "exceeded quota")
        world.client.fault = lambda verb, plural, _: quota if (verb, plural) == ("create", "pods") else None
        await world.client.create(replica_set())
        await world.settle(2)
        (condition,) = (await world.one(apps_v1.ReplicaSet, "web")).status.conditions
        assert (condition.type, condition.status, condition.reason) == ("ReplicaFailure", "True", "FailedCreate")
        assert 'FailedCreate: Error creating: pods "web-" is forbidden: exceeded quota' in await world.messages()
        world.client.fault = lambda *_: None
        await world.settle(30)
        assert len(await world.pods()) == 3
        assert (await world.one(apps_v1.ReplicaSet, "web")).status.conditions == []


async def test_readiness_counts_as_availability_only_after_min_ready_seconds() -> None:
    async with World("replicaset-controller").started() as world:
        await world.client.create(replica_set(replicas=1, minReadySeconds=30))
        await world.settle()
        await world.start_pods()
        assert (await world.one(apps_v1.ReplicaSet, "web")).status.availableReplicas == 0
        await world.settle(31)
        assert (await world.one(apps_v1.ReplicaSet, "web")).status.availableReplicas == 1


async def test_a_thousand_pods_are_made_once_each() -> None:
    async with World("replicaset-controller").started() as world:
        await world.client.create(replica_set(replicas=700))
        for _ in range(5):
            await world.settle(1)
        assert len(await world.pods()) == 700


def test_a_pod_is_named_after_its_owner_and_owned_by_it() -> None:
    owner = with_meta(replica_set(), uid="u")
    made = pod_from_template(owner.spec.template, owner)
    assert made.metadata.generateName == "web-"
    assert made.metadata.ownerReferences[0].controller is True
