import pytest
from hypothesis import given
from hypothesis import strategies as st

from pybernetes.api import apps_v1
from pybernetes.controllers.deployment import revisions, rolling, scaling
from pybernetes.controllers.deployment.rolling import Resize
from support.objects import deployment, template, with_meta, with_spec, with_status
from support.world import World

CONTROLLERS = ("deployment-controller", "replicaset-controller")


def rolling_update(surge: int | str, unavailable: int | str) -> apps_v1.DeploymentStrategy:
    return apps_v1.DeploymentStrategy(
        type="RollingUpdate",
        rollingUpdate=apps_v1.RollingUpdateDeployment(maxSurge=surge, maxUnavailable=unavailable),
    )


def a_set(name: str, size: int, available: int = 0, maximum: int | None = None) -> apps_v1.ReplicaSet:
    annotations = {revisions.MAX_REPLICAS: str(maximum)} if maximum is not None else {}
    value = apps_v1.ReplicaSet(spec=apps_v1.ReplicaSetSpec(replicas=size))
    value = with_meta(value, name=name, uid=name, annotations=annotations)
    return with_status(value, replicas=size, availableReplicas=available)


@pytest.mark.parametrize(
    ("surge", "unavailable", "replicas", "expected"),
    [
        ("25%", "25%", 10, (3, 2)),
        (0, 0, 5, (0, 1)),
        ("0%", "1%", 5, (0, 1)),
        ("100%", 0, 5, (5, 0)),
        (1, 10, 5, (1, 5)),
        (1, 1, 0, (1, 0)),
    ],
)
def test_surge_rounds_up_and_unavailable_rounds_down(
    surge: int | str, unavailable: int | str, replicas: int, expected: tuple[int, int]
) -> None:
    value = deployment(replicas=replicas, strategy=rolling_update(surge, unavailable))
    assert (rolling.max_surge(value), rolling.max_unavailable(value)) == expected


def test_the_first_steps_of_a_rollout_are_those_of_the_worked_example() -> None:
    value = deployment(replicas=10, strategy=rolling_update(3, 2))
    old, new = a_set("old", 10, 10), a_set("new", 0)
    assert rolling.step_new(value, [old, new], new) == [Resize(new, 3)]
    new = a_set("new", 3)
    assert rolling.step_old(value, [old], new) == [Resize(old, 8)]


def test_pods_that_are_not_available_anyhow_go_first() -> None:
    value = deployment(replicas=10, strategy=rolling_update(0, 2))
    sick, well, new = a_set("a-sick", 4, 0), a_set("b-well", 8, 8), a_set("new", 0)
    assert rolling.step_old(value, [sick, well], new) == [Resize(sick, 0)]


def test_a_deployment_scaled_while_rolling_out_grows_by_shares() -> None:
    value = deployment(replicas=20, strategy=rolling_update(3, 2))
    old, new = a_set("a-old", 8, 8, 13), a_set("b-new", 5, 5, 13)
    assert scaling.plan(value, [old], new) == [Resize(old, 14), Resize(new, 9)]


@given(st.integers(0, 40), st.lists(st.integers(1, 30), min_size=2, max_size=5), st.integers(0, 10), st.integers(1, 10))
def test_scaling_by_shares_ends_at_the_allowed_size(replicas: int, sizes: list[int], surge: int, down: int) -> None:
    value = deployment(replicas=replicas, strategy=rolling_update(surge, down))
    sets = [a_set(f"s{n}", size, 0, sum(sizes)) for n, size in enumerate(sizes)]
    total = sum(resize.replicas for resize in scaling.plan(value, sets[:-1], sets[-1]))
    assert total == (replicas + rolling.max_surge(value) if replicas else 0)


@given(st.integers(1, 30), st.integers(0, 10), st.integers(0, 10), st.data())
def test_no_step_of_a_rollout_breaks_its_bounds(replicas: int, surge: int, down: int, data: st.DataObject) -> None:
    """Pods become available or not as they like; the bounds hold for what we ask for, and the rollout ends."""
    value = deployment(replicas=replicas, strategy=rolling_update(surge, down))
    old, new = a_set("old", replicas, replicas), a_set("new", 0)
    for _ in range(4 * replicas + 4):
        resize = rolling.step_new(value, [old, new], new) or rolling.step_old(value, [old], new)
        for step in resize:
            kept = min(step.replica_set.status.availableReplicas, step.replicas)
            changed = a_set(step.replica_set.name, step.replicas, kept)
            old, new = (changed, new) if changed.name == "old" else (old, changed)
        assert rolling.size(old) + rolling.size(new) <= replicas + rolling.max_surge(value)
        available = old.status.availableReplicas + new.status.availableReplicas
        assert available >= replicas - rolling.max_unavailable(value)
        if not resize:
            waiting = rolling.size(new) - new.status.availableReplicas
            started = data.draw(st.integers(min(1, waiting), waiting))
            new = a_set("new", rolling.size(new), new.status.availableReplicas + started)
    assert (rolling.size(old), rolling.size(new)) == (0, replicas)


def test_rolling_back_remembers_the_revisions_a_set_has_been() -> None:
    annotations = revisions.of_new(deployment(), {revisions.REVISION: "1"}, 3, exists=True)
    assert annotations[revisions.REVISION] == "3"
    assert annotations[revisions.REVISION_HISTORY] == "1"
    again = revisions.of_new(deployment(), annotations, 5, exists=True)
    assert again[revisions.REVISION_HISTORY] == "1,3"


async def rolled_out(world: World, value: apps_v1.Deployment) -> apps_v1.Deployment:
    await world.client.create(value)
    await world.settle()
    for _ in range(10):
        await world.start_pods()
        await world.finish_deletions()
    return await world.one(apps_v1.Deployment, value.name)


async def test_a_new_deployment_becomes_available_and_tells_the_story() -> None:
    async with World(*CONTROLLERS).started() as world:
        value = await rolled_out(world, deployment())
        (replica_set,) = await world.all(apps_v1.ReplicaSet)
        assert (await world.messages())[0] == f"ScalingReplicaSet: Scaled up replica set {replica_set.name} from 0 to 3"
        assert replica_set.name == f"web-{replica_set.metadata.labels['pod-template-hash']}"
        assert value.metadata.annotations[revisions.REVISION] == "1"
        conditions = {c.type: c for c in value.status.conditions}
        assert conditions["Available"].reason == "MinimumReplicasAvailable"
        assert conditions["Progressing"].reason == "NewReplicaSetAvailable"
        assert conditions["Progressing"].message == f'ReplicaSet "{replica_set.name}" has successfully progressed.'
        assert (value.status.updatedReplicas, value.status.availableReplicas) == (3, 3)
        assert value.status.observedGeneration == value.metadata.generation


async def test_a_second_look_changes_nothing() -> None:
    async with World(*CONTROLLERS).started() as world:
        await rolled_out(world, deployment())
        world.client.writes()
        for controller in world.manager.controllers:
            controller.queue.add("default/web")
        await world.settle(700)
        assert world.client.writes() == []


async def test_a_rollout_replaces_all_pods_and_keeps_the_old_set_for_undo() -> None:
    async with World(*CONTROLLERS).started() as world:
        value = await rolled_out(world, deployment())
        await world.client.update(with_spec(value, template=template("web:2")))
        await world.settle()
        for _ in range(20):
            await world.start_pods()
            await world.finish_deletions()
        assert {p.spec.containers[0].image for p in await world.pods()} == {"web:2"}
        assert len(await world.pods()) == 3
        sets = await world.all(apps_v1.ReplicaSet)
        sizes = {s.metadata.annotations[revisions.REVISION]: s.spec.replicas for s in sets}
        assert sizes == {"1": 0, "2": 3}
        value = await world.one(apps_v1.Deployment, "web")
        await world.client.update(with_spec(value, template=template("web:1")))
        await world.settle()
        for _ in range(20):
            await world.start_pods()
            await world.finish_deletions()
        value = await world.one(apps_v1.Deployment, "web")
        assert value.metadata.annotations[revisions.REVISION] == "3"
        assert len(await world.all(apps_v1.ReplicaSet)) == 2
        assert {p.spec.containers[0].image for p in await world.pods()} == {"web:1"}


async def test_a_bad_image_leaves_old_replicas_and_is_reported_after_the_deadline() -> None:
    async with World(*CONTROLLERS).started() as world:
        value = await rolled_out(world, deployment(replicas=4, progressDeadlineSeconds=60))
        await world.client.update(with_spec(value, template=template("bad:image")))
        await world.settle(10)
        running = [p for p in await world.pods() if p.status.phase == "Running" and not p.metadata.deletionTimestamp]
        assert len(running) == 3
        await world.settle(61)
        value = await world.one(apps_v1.Deployment, "web")
        progressing = next(c for c in value.status.conditions if c.type == "Progressing")
        assert (progressing.status, progressing.reason) == ("False", "ProgressDeadlineExceeded")


async def test_recreate_makes_no_new_pod_before_the_last_old_one_is_gone() -> None:
    async with World(*CONTROLLERS).started() as world:
        value = await rolled_out(world, deployment(strategy=apps_v1.DeploymentStrategy(type="Recreate")))
        await world.client.update(with_spec(value, template=template("web:2")))
        await world.settle()
        assert {p.spec.containers[0].image for p in await world.pods()} == {"web:1"}
        assert len(await world.all(apps_v1.ReplicaSet)) == 1
        await world.finish_deletions()
        assert {p.spec.containers[0].image for p in await world.pods()} == {"web:2"}


async def test_a_paused_deployment_scales_but_does_not_roll_out() -> None:
    async with World(*CONTROLLERS).started() as world:
        value = await rolled_out(world, deployment())
        value = await world.client.update(with_spec(value, paused=True, template=template("web:2"), replicas=5))
        await world.settle()
        assert len(await world.pods()) == 5
        assert {p.spec.containers[0].image for p in await world.pods()} == {"web:1"}
        value = await world.one(apps_v1.Deployment, "web")
        assert any(c.reason == "DeploymentPaused" for c in value.status.conditions)
        await world.client.update(with_spec(value, paused=False))
        await world.settle()
        assert len(await world.all(apps_v1.ReplicaSet)) == 2


async def test_old_sets_beyond_the_history_limit_go() -> None:
    async with World(*CONTROLLERS).started() as world:
        value = await rolled_out(world, deployment(replicas=1, revisionHistoryLimit=1))
        for number in range(2, 6):
            value = await world.one(apps_v1.Deployment, "web")
            await world.client.update(with_spec(value, template=template(f"web:{number}")))
            await world.settle()
            for _ in range(6):
                await world.start_pods()
                await world.finish_deletions()
        found = sorted(s.metadata.annotations[revisions.REVISION] for s in await world.all(apps_v1.ReplicaSet))
        assert found == ["4", "5"]


async def test_a_taken_name_leads_to_another_hash() -> None:
    world = World(*CONTROLLERS)
    from pybernetes.controllers.templates import template_hash

    stranger = apps_v1.ReplicaSet(spec=apps_v1.ReplicaSetSpec(replicas=0, selector=None, template=template("x", a="b")))
    async with world.started():
        first = await world.client.create(deployment())
        name = f"web-{template_hash(first.spec.template)}"
        await world.client.create(with_meta(stranger, name=name, namespace="default"))
        await world.settle(5)
        value = await world.one(apps_v1.Deployment, "web")
        assert value.status.collisionCount == 1
        assert len(await world.pods()) == 3
