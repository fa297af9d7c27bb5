from datetime import timedelta

import pytest

from pybernetes.api import coordination_v1, core_v1, meta_v1
from pybernetes.controllers.nodelifecycle import health
from pybernetes.controllers.tainteviction.reconcile import leaves_at
from pybernetes.effects import VirtualClock, format_micro_time, format_time
from support.objects import node, replica_set, with_spec
from support.world import World

NOW = VirtualClock().now()
LIFECYCLE = ("node-lifecycle-controller", "taint-eviction-controller", "replicaset-controller")


def taints(found: core_v1.Node) -> set[str]:
    return {f"{taint.key.removeprefix('node.kubernetes.io/')}:{taint.effect}" for taint in found.spec.taints}


async def beat(world: World, *names: str) -> None:
    """What the kubelets of these nodes do each ten seconds."""
    for name in names:
        lease = coordination_v1.Lease(
            metadata=meta_v1.ObjectMeta(name=name, namespace="kube-node-lease"),
            spec=coordination_v1.LeaseSpec(renewTime=format_micro_time(world.clock.now())),
        )
        present = [one for one in await world.all(coordination_v1.Lease) if one.name == name]
        await (world.client.update(lease) if present else world.client.create(lease))


async def live(world: World, seconds: int, *names: str) -> None:
    for _ in range(seconds // 10):
        await beat(world, *names)
        await world.settle(10)


async def test_a_node_that_falls_silent_is_unknown_and_tainted_after_the_grace_period_and_not_before() -> None:
    async with World(*LIFECYCLE).started() as world:
        for name in ("a", "b", "c"):
            await world.client.create(node(name))
        await live(world, 30, "a", "b", "c")
        await live(world, 30, "a", "b")
        assert taints(await world.one(core_v1.Node, "c", "")) == set()
        await live(world, 20, "a", "b")
        silent = await world.one(core_v1.Node, "c", "")
        ready = health.condition(silent, "Ready")
        assert ready is not None
        assert (ready.status, ready.reason) == ("Unknown", "NodeStatusUnknown")
        assert taints(silent) == {"unreachable:NoSchedule", "unreachable:NoExecute"}
        assert taints(await world.one(core_v1.Node, "a", "")) == set()


async def test_pods_of_a_silent_node_are_not_ready_at_once_and_go_after_five_minutes() -> None:
    async with World(*LIFECYCLE).started() as world:
        for name in ("a", "b"):
            await world.client.create(node(name))
        tolerations = [
            core_v1.Toleration(key=key, operator="Exists", effect="NoExecute", tolerationSeconds=300)
            for key in (health.NOT_READY, health.UNREACHABLE)
        ]
        one = replica_set(replicas=1)
        template = with_spec(core_v1.Pod(spec=one.spec.template.spec), tolerations=tolerations).spec
        await world.client.create(
            with_spec(one, template=core_v1.PodTemplateSpec(metadata=one.spec.template.metadata, spec=template))
        )
        await world.settle()
        await world.start_pods("b")
        await live(world, 80, "a")
        (pod,) = await world.pods()
        assert [c.status for c in pod.status.conditions if c.type == "Ready"] == ["False"]
        assert pod.metadata.deletionTimestamp is None
        await live(world, 330, "a")
        leaving = [pod for pod in await world.pods() if pod.metadata.deletionTimestamp]
        assert [c.reason for pod in leaving for c in pod.status.conditions if c.type == "DisruptionTarget"] == [
            "DeletionByTaintManager"
        ]


async def test_while_every_node_is_silent_nobody_is_evicted() -> None:
    async with World(*LIFECYCLE).started() as world:
        await world.client.create(node("a"))
        await live(world, 10, "a")
        await world.settle(120)
        assert taints(await world.one(core_v1.Node, "a", "")) == {"unreachable:NoSchedule"}


async def test_a_node_that_speaks_again_loses_its_taints() -> None:
    async with World(*LIFECYCLE).started() as world:
        await world.client.create(node("a"))
        await world.client.create(node("b"))
        await live(world, 80, "a")
        silent = await world.one(core_v1.Node, "b", "")
        assert taints(silent)
        back = node("b").status
        await world.client.update(
            core_v1.Node(metadata=silent.metadata, spec=silent.spec, status=back), subresource="status"
        )
        await world.settle()
        assert taints(await world.one(core_v1.Node, "b", "")) == set()


def test_pressure_and_cordon_become_taints_and_others_stay() -> None:
    foreign = core_v1.Taint(key="gpu", effect="NoSchedule")
    sick = core_v1.Node(
        spec=core_v1.NodeSpec(unschedulable=True, taints=[foreign]),
        status=core_v1.NodeStatus(
            conditions=[
                core_v1.NodeCondition(type="Ready", status="True"),
                core_v1.NodeCondition(type="DiskPressure", status="True"),
            ]
        ),
    )
    found = health.tainted(sick, NOW, may_evict=True)
    assert [taint.key for taint in found] == ["gpu", "node.kubernetes.io/disk-pressure", health.UNSCHEDULABLE]


@pytest.mark.parametrize(
    ("what", "ready", "silent", "rate"),
    [
        ("one of ten", 9, 1, 0.1),
        ("most of a small zone", 3, 7, 0.0),
        ("most of a large zone", 30, 70, 0.01),
        ("a whole zone while others live", 0, 5, 0.1),
    ],
)
def test_the_eviction_rate_of_a_zone_depends_on_how_much_of_it_is_silent(
    what: str, ready: int, silent: int, rate: float
) -> None:
    zone = [node(f"r{n}") for n in range(ready)] + [core_v1.Node() for _ in range(silent)]
    found = health.eviction_rate(
        zone, everything_down=False, rate=0.1, secondary_rate=0.01, unhealthy_threshold=0.55, large_size=50
    )
    assert found == rate, what


@pytest.mark.parametrize(
    ("what", "tolerations", "seconds"),
    [
        ("nothing tolerates it", [], 0),
        ("tolerated for ever", [core_v1.Toleration(operator="Exists")], None),
        ("tolerated for a while", [core_v1.Toleration(operator="Exists", tolerationSeconds=60)], 50),
        (
            "the shorter of two",
            [
                core_v1.Toleration(operator="Exists", tolerationSeconds=60),
                core_v1.Toleration(key="k", operator="Exists", tolerationSeconds=30),
            ],
            20,
        ),
    ],
)
def test_a_pod_leaves_when_its_toleration_ends(
    what: str, tolerations: list[core_v1.Toleration], seconds: int | None
) -> None:
    taint = core_v1.Taint(key="k", effect="NoExecute", timeAdded=format_time(NOW - timedelta(seconds=10)))
    expected = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert leaves_at([taint], tolerations, NOW) == expected, what
