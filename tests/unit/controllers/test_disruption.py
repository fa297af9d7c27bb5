from typing import Any

import pytest

from pybernetes.api import apps_v1, meta_v1, policy_v1, rbac_v1
from pybernetes.controllers.disruption.reconcile import Need, need
from support.objects import deployment, selector, with_spec
from support.world import World

CONTROLLERS = ("disruption-controller", "deployment-controller", "replicaset-controller")


def budget(**spec: Any) -> policy_v1.PodDisruptionBudget:
    return policy_v1.PodDisruptionBudget(
        metadata=meta_v1.ObjectMeta(name="web", namespace="default"),
        spec=policy_v1.PodDisruptionBudgetSpec(selector=selector(), **spec),
    )


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"minAvailable": 2}, Need(7, 2)),
        ({"minAvailable": "50%"}, Need(5, 3)),
        ({"maxUnavailable": 1}, Need(5, 4)),
        ({"maxUnavailable": "30%"}, Need(5, 3)),
        ({"maxUnavailable": 9}, Need(5, 0)),
    ],
)
def test_numbers_count_pods_and_percentages_count_what_owners_ask_for(spec: dict[str, Any], expected: Need) -> None:
    assert need(budget(**spec), matching=7, owners_ask=5) == expected


async def status(world: World) -> policy_v1.PodDisruptionBudgetStatus:
    return (await world.one(policy_v1.PodDisruptionBudget, "web")).status


async def test_what_may_go_follows_the_health_of_the_pods_and_the_size_of_their_owner() -> None:
    async with World(*CONTROLLERS).started() as world:
        await world.client.create(deployment(replicas=3))
        await world.client.create(budget(maxUnavailable=1))
        await world.settle()
        assert (await status(world)).disruptionsAllowed == 0
        await world.start_pods()
        found = await status(world)
        assert (found.expectedPods, found.desiredHealthy, found.currentHealthy) == (3, 2, 3)
        assert found.disruptionsAllowed == 1
        assert (found.conditions[0].status, found.conditions[0].reason) == ("True", "SufficientPods")
        stored = await world.one(apps_v1.Deployment, "web")
        await world.client.update(with_spec(stored, replicas=5))
        await world.settle()
        await world.start_pods()
        assert (await status(world)).desiredHealthy == 4
        pod = (await world.pods())[0]
        await world.set_phase(pod, "Running", ready=False)
        await world.settle()
        found = await status(world)
        assert (found.disruptionsAllowed, found.conditions[0].reason) == (0, "InsufficientPods")


async def test_a_budget_without_pods_allows_nothing_and_says_so() -> None:
    async with World(*CONTROLLERS).started() as world:
        await world.client.create(budget(minAvailable=1))
        assert "NoPods: No matching pods found" in await world.messages()
        assert (await status(world)).disruptionsAllowed == 0


async def test_an_eviction_that_came_to_nothing_is_forgotten() -> None:
    async with World(*CONTROLLERS).started() as world:
        await world.client.create(deployment(replicas=2))
        await world.client.create(budget(minAvailable=1))
        await world.settle()
        await world.start_pods()
        name = (await world.pods())[0].name
        noted = {"status": {"disruptedPods": {name: "2026-01-01T00:00:00Z"}}}
        await world.client.patch(policy_v1.PodDisruptionBudget, "web", "default", patch=noted, subresource="status")
        await world.settle()
        assert (await status(world)).currentHealthy == 1
        await world.settle(130)
        found = await status(world)
        assert (found.currentHealthy, found.disruptedPods) == (2, {})


async def test_a_role_made_of_others_has_their_rules() -> None:
    def role(name: str, verb: str, **labels: str) -> rbac_v1.ClusterRole:
        rule = rbac_v1.PolicyRule(apiGroups=[""], resources=["pods"], verbs=[verb])
        return rbac_v1.ClusterRole(metadata=meta_v1.ObjectMeta(name=name, labels=labels), rules=[rule])

    async with World("clusterrole-aggregation-controller").started() as world:
        chosen = meta_v1.LabelSelector(matchLabels={"to": "all"})
        whole = rbac_v1.ClusterRole(
            metadata=meta_v1.ObjectMeta(name="all"),
            aggregationRule=rbac_v1.AggregationRule(clusterRoleSelectors=[chosen]),
        )
        await world.client.create(whole)
        await world.client.create(role("b", "list", to="all"))
        await world.client.create(role("a", "get", to="all"))
        await world.client.create(role("other", "delete"))
        await world.settle()
        found = await world.client.get(rbac_v1.ClusterRole, "all")
        assert [rule.verbs for rule in found.rules] == [["get"], ["list"]]
        await world.client.delete(rbac_v1.ClusterRole, "a")
        await world.settle()
        found = await world.client.get(rbac_v1.ClusterRole, "all")
        assert [rule.verbs for rule in found.rules] == [["list"]]
